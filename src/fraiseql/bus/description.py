"""Which bus carries the events: values that a runtime makes a running bus from."""

from __future__ import annotations

from dataclasses import dataclass

from fraiseql.errors import ConfigurationError

__all__ = ["EventBus", "MemoryBus", "PostgresqlBus"]

_LONGEST_NAME = 63  # bytes of an identifier in PostgreSQL; longer ones are cut off without a word
_OUTBOX = "fraiseql_outbox"


class EventBus:
    """Which bus carries the events: `EventBus.memory()` or `EventBus.postgresql()`."""

    __slots__ = ()

    @staticmethod
    def memory() -> MemoryBus:
        """A bus within one process: nothing is kept, and nothing comes from the database."""
        return MemoryBus()

    @staticmethod
    def postgresql(*, schema: str | None = None, table: str = _OUTBOX, channel: str = _OUTBOX) -> PostgresqlBus:
        """A bus through a table of PostgreSQL, shared by all processes; `fraiseql outbox` prints its SQL.

        Args:
            schema: where the table and its functions are; None for the first of the search path. One schema holds one
                outbox.
            table: its name, exactly as PostgreSQL spells it.
            channel: on which NOTIFY says that there is something to read; one per outbox.

        Raises:
            ConfigurationError: a name that PostgreSQL cannot hold.
        """
        return PostgresqlBus(schema, table, channel)


@dataclass(frozen=True, slots=True)
class MemoryBus(EventBus):
    """See `EventBus.memory`."""


@dataclass(frozen=True, slots=True)
class PostgresqlBus(EventBus):
    """See `EventBus.postgresql`."""

    schema: str | None = None
    table: str = _OUTBOX
    channel: str = _OUTBOX

    def __post_init__(self) -> None:
        if self.schema is not None:
            _check_name("schema", self.schema, _LONGEST_NAME)
        _check_name("table", self.table, _LONGEST_NAME - len("_floor"))
        _check_name("channel", self.channel, _LONGEST_NAME)


def _check_name(what: str, name: object, longest: int) -> None:
    fits = isinstance(name, str) and "\0" not in name and 1 <= len(name.encode("utf-8", "replace")) <= longest
    if not fits or any("\ud800" <= character <= "\udfff" for character in str(name)):
        raise ConfigurationError(f"EventBus.postgresql: {what} is {name!r}, not a name of 1 to {longest} bytes")

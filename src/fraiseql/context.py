"""Who asks, and what is told to the Python functions that a user declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ANONYMOUS", "Caller", "ClientRequest", "DatabaseContext", "Info"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what the context function made of a request.

    Attributes:
        user_id: the user; None where nobody has said who it is.
        tenant_id: events of this tenant, and those of none, reach the caller; those of another never do.
        context: anything else that resolvers and the database need.
        roles: what the caller may do, by names of the application's own.

    Raises:
        TypeError: a user or tenant that is no str, or roles that are no names.
    """

    user_id: str | None = None
    tenant_id: str | None = None
    context: Any = None
    roles: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in ("user_id", "tenant_id"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                # A tenant 5 would be given no event of the tenant "5", without a word.
                raise TypeError(f"Caller: {name} is {value!r}; expected a str or None")


ANONYMOUS = Caller()


@dataclass(frozen=True, slots=True)
class DatabaseContext:
    """What PostgreSQL is told of the caller before each statement, in the same transaction.

    Attributes:
        settings: by the name of the setting, as `app.tenant_id`: the Caller's attribute that holds the value.
    """

    settings: Mapping[str, str] = field(default_factory=dict)

    def settings_of(self, caller: Caller) -> tuple[tuple[bytes, bytes], ...]:
        """The names and values for `set_config(name, value, true)`."""
        return tuple((name.encode(), str(getattr(caller, source)).encode()) for name, source in self.settings.items())


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """What a client has shown of itself when it connects.

    Attributes:
        transport: `http`, `websocket` or `sse`.
        headers: of the HTTP request, names in lower case, in the order they came.
        payload: of `connection_init`; None where there was none.
    """

    transport: str
    headers: tuple[tuple[bytes, bytes], ...]
    payload: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """What a resolver in Python is told beside its arguments.

    Attributes:
        caller: who asks.
        field_name: in GraphQL.
        bus: the running event bus: `publish` and `subscribe`.
        db: the database, as the caller may use it.
    """

    caller: Caller
    field_name: str
    bus: Any
    db: Any = None

    @property
    def context(self) -> Any:
        """The caller's context."""
        return self.caller.context

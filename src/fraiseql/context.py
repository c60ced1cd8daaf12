"""Who asks, and what is told to the Python functions that a user declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, Protocol, TypeAlias, TypeVar

__all__ = [
    "ANONYMOUS",
    "BlockingDatabase",
    "BlockingInfo",
    "Caller",
    "ClientRequest",
    "Database",
    "Info",
    "IsolationLevel",
    "NoDatabase",
]

_Declared = TypeVar("_Declared")

IsolationLevel: TypeAlias = Literal["read committed", "repeatable read", "serializable"]
"""What a transaction sees of others (PostgreSQL §13.2)."""


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
class ClientRequest:
    """What a client has shown of itself: with each HTTP request, or when it opens a WebSocket.

    Attributes:
        transport: `http`, `websocket` or `sse`.
        headers: of the HTTP request, names in lower case, in the order they came.
        payload: of `connection_init`; None where there was none.
        method: of the HTTP request.
        path: of its target, without the query.
        address: the IP address that the connection comes from, which may be a proxy's; None where none is known.
    """

    transport: str
    headers: tuple[tuple[bytes, bytes], ...]
    payload: Mapping[str, Any] | None = None
    method: str = "GET"
    path: str = "/graphql"
    address: str | None = None

    def header(self, name: str) -> str | None:
        """The value of a header, several lines of it joined by `, ` (RFC 9110 §5.2); None where there is none.

        Args:
            name: in upper or lower case; `authorization`.
        """
        wanted = name.lower().encode("latin-1", "replace")
        values = [value for key, value in self.headers if key == wanted]
        return b", ".join(values).decode("latin-1") if values else None


class Database(Protocol):
    """The database as asynchronous functions have it in `info.db`: as the caller, for as long as the call lasts.

    Statements have `$1`, `$2`, ... where their parameters go. Inside of a transaction they run one after the other;
    one that fails there leaves nothing to do but to leave it.

    Raises, each of them:
        DatabaseError: PostgreSQL refused the statement, or cannot be reached.
        RuntimeError: the call has ended.
    """

    async def fetch_all(self, sql: str, /, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of a statement, as dicts by their columns' names."""

    async def fetch_one(self, sql: str, /, *parameters: Any) -> dict[str, Any] | None:
        """The first of its rows; None where there is none."""

    async def fetch_value(self, sql: str, /, *parameters: Any) -> Any:
        """The first column of the first of its rows; None where there is none."""

    async def execute(self, sql: str, /, *parameters: Any) -> int:
        """How many rows a statement inserted, updated, deleted or selected."""

    async def find(
        self,
        declared: type[_Declared],
        /,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
    ) -> list[_Declared]:
        """Rows of a declared class with a source, as instances that hold all that an object of it holds.

        Args:
            where, order_by: as the arguments in GraphQL, by attributes or by their names in GraphQL.
            limit, offset: the page; its sizes are those of lists in GraphQL.
            fields: the attributes to hold, relations to one row or a list of them included.

        Raises:
            ValueError: an argument does not fit; it names which.
        """

    async def find_one(
        self,
        declared: type[_Declared],
        /,
        *,
        id: Any = None,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
    ) -> _Declared | None:
        """The first of them, None where there is none; `id` or `where` tells which."""

    def transaction(self, isolation: IsolationLevel = "read committed") -> AbstractAsyncContextManager[None]:
        """What is done inside is done together, or, where an exception leaves it, not at all.

        In a mutation, or inside of another one, it is a savepoint. Tasks that it starts are inside of it, those beside
        it are not; the transactions of one call wait for each other.
        """


class BlockingDatabase(Protocol):
    """The same as plain functions have it, which run in a thread: each method waits."""

    def fetch_all(self, sql: str, /, *parameters: Any) -> list[dict[str, Any]]:
        """As of Database."""

    def fetch_one(self, sql: str, /, *parameters: Any) -> dict[str, Any] | None:
        """As of Database."""

    def fetch_value(self, sql: str, /, *parameters: Any) -> Any:
        """As of Database."""

    def execute(self, sql: str, /, *parameters: Any) -> int:
        """As of Database."""

    def find(
        self,
        declared: type[_Declared],
        /,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
    ) -> list[_Declared]:
        """As of Database."""

    def find_one(
        self,
        declared: type[_Declared],
        /,
        *,
        id: Any = None,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
    ) -> _Declared | None:
        """As of Database."""

    def transaction(self, isolation: IsolationLevel = "read committed") -> AbstractContextManager[None]:
        """As of Database."""


class NoDatabase:
    """Stands for `info.db` where there is none: whatever it is asked for is a RuntimeError that says why."""

    __slots__ = ("_reason",)

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(f"info.db.{name}: {self._reason}")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a function in Python is told beside its arguments.

    Attributes:
        caller: who asks.
        field_name: in GraphQL.
        bus: the running event bus: `publish` and `subscribe`.
    """

    caller: Caller
    field_name: str
    bus: Any

    @property
    def context(self) -> Any:
        """The caller's context."""
        return self.caller.context


_NOWHERE = NoDatabase("there is no database here")


@dataclass(frozen=True, slots=True)
class Info(_Asked):
    """What a resolver in Python is told beside its arguments; one that is not asynchronous is told a BlockingInfo.

    Attributes:
        caller: who asks.
        field_name: in GraphQL.
        bus: the running event bus: `publish` and `subscribe`.
        db: the database, as the caller may use it.
    """

    db: Database = _NOWHERE


@dataclass(frozen=True, slots=True)
class BlockingInfo(_Asked):
    """The same for a function that is not asynchronous.

    Attributes:
        db: whose methods wait.
    """

    db: BlockingDatabase = _NOWHERE

"""Who asks, and what is told to the Python functions that a user declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ANONYMOUS", "Caller", "ClientRequest", "Info"]


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

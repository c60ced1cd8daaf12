"""Programs, and for each effect a typed helper to `yield from`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

from fraiseql.effects.calls import Call, CallAll, Compute, ResolverCall
from fraiseql.effects.database import (
    Begin,
    Commit,
    Execute,
    Fetch,
    Isolation,
    ResultSet,
    Rollback,
    Row,
    Settings,
    Statement,
)
from fraiseql.effects.streams import (
    Emission,
    Emit,
    EventSource,
    Join,
    Next,
    Open,
    ResolverSource,
    Sleep,
    Stream,
)

__all__ = [
    "Effect",
    "Program",
    "begin",
    "call",
    "call_all",
    "commit",
    "compute",
    "emit",
    "execute",
    "fetch",
    "join",
    "next_item",
    "open_source",
    "rollback",
    "sleep",
]

Effect: TypeAlias = (
    Fetch | Execute | Begin | Commit | Rollback | Call | CallAll | Compute | Open | Next | Emit | Join | Sleep
)

_Result = TypeVar("_Result")
Program: TypeAlias = Generator[Effect, Any, _Result]
"""One operation: it yields effects, is sent their results, or has their errors thrown in, and returns its result."""


def fetch(
    statement: Statement,
    parameters: tuple[bytes | None, ...],
    timeout: float | None = None,
    *,
    settings: Settings = (),
    transaction: Any = None,
    guarded: bool = False,
    read_only: bool = False,
) -> Program[Row]:
    """Run one statement and return its only row; raises DatabaseError, 08006 where it takes longer than `timeout`."""
    row: Row = yield Fetch(statement, parameters, timeout, settings, transaction, guarded, read_only)
    return row


def execute(effect: Execute) -> Program[ResultSet]:
    """Run a statement of a user's own and return what it gave; raises DatabaseError."""
    result: ResultSet = yield effect
    return result


def begin(isolation: Isolation = Isolation.READ_COMMITTED) -> Program[Any]:
    """Open a transaction and return its handle; raises DatabaseError where there is no connection to be had."""
    handle: Any = yield Begin(isolation)
    return handle


def commit(transaction: Any, settings: Settings = ()) -> Program[None]:
    """Commit a transaction; raises DatabaseError: 08007 where nobody can tell whether it was committed."""
    yield Commit(transaction, settings)


def rollback(transaction: Any) -> Program[None]:
    """Roll a transaction back, whatever state it is in."""
    yield Rollback(transaction)


def call(function: Callable[..., Any], *arguments: Any) -> Program[Any]:
    """Call a user's function and return its result; raises what it raises."""
    result: Any = yield Call(function, arguments)
    return result


def call_all(calls: tuple[ResolverCall, ...], limit: int) -> Program[list[Any]]:
    """Make calls, so many at once, and return their results in order; an Exception stands for one that failed."""
    results: list[Any] = yield CallAll(calls, limit)
    return results


def compute(function: Callable[..., _Result], *arguments: Any) -> Program[_Result]:
    """Call a pure function that takes its time, where nobody waits for it, and return its result."""
    result: _Result = yield Compute(function, arguments)
    return result


def open_source(source: EventSource | ResolverSource) -> Program[Any]:
    """Begin to listen to a source and return its handle; raises RequestError or DatabaseError where it cannot be."""
    handle: Any = yield Open(source)
    return handle


def next_item(handle: Any, timeout: float | None = None) -> Program[Any]:
    """Wait for the next item and return it, or an Absent; raises what the source raises."""
    item: Any = yield Next(handle, timeout)
    return item


def emit(emission: Emission, *, to_newcomers: bool = False) -> Program[None]:
    """Give an emission to everybody who takes part in this stream, or to those who have been given nothing yet."""
    yield Emit(emission, to_newcomers)


def join(stream: Stream, user: str | None = None) -> Program[Any]:
    """Take part in a stream as a user and return what its program returns."""
    result: Any = yield Join(stream, user)
    return result


def sleep(seconds: float) -> Program[float]:
    """Do nothing for some seconds and return the time, in seconds on a clock that never goes back."""
    now: float = yield Sleep(seconds)
    return now

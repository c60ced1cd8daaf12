"""What a program may ask of its runtime: values, each with a typed helper to `yield from`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeAlias, TypeVar

from fraiseql.context import ANONYMOUS, Caller

__all__ = [
    "Absent",
    "Begin",
    "Call",
    "CallAll",
    "Commit",
    "Effect",
    "Emission",
    "Emit",
    "Event",
    "EventSource",
    "Execute",
    "Fetch",
    "Isolation",
    "Join",
    "Next",
    "Open",
    "Program",
    "ResolverCall",
    "ResolverSource",
    "ResultSet",
    "Rollback",
    "Row",
    "Settings",
    "Sleep",
    "Statement",
    "Stream",
    "begin",
    "call",
    "call_all",
    "changed_topic",
    "commit",
    "emit",
    "execute",
    "fetch",
    "join",
    "next_item",
    "open_source",
    "rollback",
    "sleep",
]

Row: TypeAlias = tuple[bytes | None, ...]
"""One row as PostgreSQL's text format gives it; None is NULL."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, with `$1`, `$2`, ... where its parameters go.

    Attributes:
        sql: the text, UTF-8.
        columns: how many columns its row has.
    """

    sql: bytes
    columns: int


Settings: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Names and values that PostgreSQL is told by `set_config(name, value, true)`: they hold until the transaction ends."""


class Isolation(Enum):
    """What a transaction sees of others (PostgreSQL §13.2)."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


@dataclass(frozen=True, slots=True)
class Fetch:
    """Run one statement and give its only row.

    Attributes:
        statement: what to run.
        parameters: one value for each `$n`, in PostgreSQL's text format; None is NULL.
        timeout: seconds to wait for the row, once there is a connection; None for as long as it takes.
        settings: told before the statement, in the same transaction and the same round trip.
        transaction: what Begin gave; None for a transaction of its own.
        guarded: whether the transaction can go on after an error of the statement: it has a savepoint before it.
    """

    statement: Statement
    parameters: tuple[bytes | None, ...]
    timeout: float | None = None
    settings: Settings = ()
    transaction: Any = None
    guarded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Execute:
    """Run one statement of a user's own, and give a ResultSet.

    Attributes:
        sql: with `$1`, `$2`, ... for the parameters.
        parameters: Python values; PostgreSQL's types are chosen by theirs.
        timeout, settings, transaction: as of Fetch.
    """

    sql: str
    parameters: tuple[Any, ...] = ()
    timeout: float | None = None
    settings: Settings = ()
    transaction: Any = None


@dataclass(frozen=True, slots=True, eq=False)
class ResultSet:
    """What a statement gave.

    Attributes:
        columns: their names; none for a statement that gives no rows.
        rows: of Python values.
        affected: how many rows were inserted, updated, deleted or selected.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    affected: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Open a transaction; gives a handle, which Fetch, Execute, Commit and Rollback name.

    The connection is its own until it ends; one that is open when the program ends is rolled back.
    """

    isolation: Isolation = Isolation.READ_COMMITTED


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """Commit a transaction; raises DatabaseError, 08007 where nobody can tell whether it was committed."""

    transaction: Any


@dataclass(frozen=True, slots=True, eq=False)
class Rollback:
    """Roll a transaction back, whatever state it is in; raises nothing, and does nothing where it has ended."""

    transaction: Any


@dataclass(frozen=True, slots=True)
class Call:
    """Call a user's function, await what it returns where that is awaitable, and give its result."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ResolverCall:
    """A call of a resolver: of a user's function that computes a field, asynchronous or not.

    Attributes:
        function: called with `arguments`, with those of `named` by name, and with an Info as `info` where `takes_info`.
        field_name: in GraphQL.
        access: what `info.db` asks the database through; None where it has none.
        blocks: whether a function that is not asynchronous may take its time: it is given a thread.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    takes_info: bool
    field_name: str
    caller: Caller = ANONYMOUS
    access: Any = None
    blocks: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CallAll:
    """Make calls that do not depend on each other; gives what each came to, in order: its result or its Exception.

    Attributes:
        limit: how many of them may be under way at once, where they wait.
    """

    calls: tuple[ResolverCall, ...]
    limit: int


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as an event bus carries it.

    Attributes:
        topic: its kind: subscribers choose by it.
        payload: what JSON can hold.
        tenant: whose it is; None for everybody's.
        user: the only user of it, where it is meant for one.
        cursor: its place on the bus, from which a subscription can be resumed; None where the bus keeps nothing.
    """

    topic: str
    payload: Any = None
    tenant: str | None = None
    user: str | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class EventSource:
    """The events of some topics that one tenant may see.

    Attributes:
        topics: those of all of them.
        tenant: events of this tenant come, and those of none.
        user: events for this user alone come too.
        every_user: events for single users come, whoever they are for.
        after: resume behind this cursor; None to begin with what happens next.
    """

    topics: frozenset[str]
    tenant: str | None = None
    user: str | None = None
    after: str | None = None
    every_user: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ResolverSource:
    """What a user's generator yields, asynchronous or not.

    Attributes:
        function: called with `arguments` by name, and with an Info as `info` where `takes_info`.
        field_name: in GraphQL.
        access: what `info.db` asks the database through.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    takes_info: bool
    field_name: str
    caller: Caller = ANONYMOUS
    access: Any = None


@dataclass(frozen=True, slots=True)
class Open:
    """Begin to listen to a source; gives a handle for Next. What happens from then on is not missed.

    All that a program has opened is closed when it ends, however that comes about.
    """

    source: EventSource | ResolverSource


@dataclass(frozen=True, slots=True, eq=False)
class Next:
    """Wait for the next item of an opened source; gives Absent where none came.

    An EventSource gives lists of events, as many as are there, at least one; a ResolverSource gives single values.

    Attributes:
        handle: what Open gave.
        timeout: seconds to wait; None for ever.
    """

    handle: Any
    timeout: float | None = None


class Absent(Enum):
    """Why Next gave no item."""

    ENDED = auto()
    TIMED_OUT = auto()
    JOINED = auto()
    """Somebody takes part who has been given nothing yet; only the program of a shared state is told."""


@dataclass(frozen=True, slots=True)
class Emission:
    """One result of a stream, serialised once for all that take part in it.

    Attributes:
        body: an execution result: JSON in UTF-8.
        cursor: the place behind it, from which the stream can be resumed.
        user: the only one whom it is for; None for everybody.
        request_id: by which the clients are told of `cause`: that of the first of them.
        cause: the error in it that the clients are not shown.
    """

    body: bytes
    cursor: str | None = None
    user: str | None = None
    request_id: str = ""
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Emit:
    """Give an emission to everybody who takes part; a stream with one participant waits here for a slow one.

    Attributes:
        to_newcomers: to those alone who have been given nothing yet.
    """

    emission: Emission
    to_newcomers: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A source of emissions that several operations may share.

    Attributes:
        key: operations with equal keys share one run; None for a run of one's own.
        begin: makes the program that emits. What it returns is what each Join gives: None for the plain end, or
            whatever the participants shall answer with.
        is_state: whether each emission replaces those before it: a slow consumer is given only the latest, and the
            program is told of newcomers, who shall be given the present one.
    """

    key: Hashable | None
    begin: Callable[[], Program[Any]]
    is_state: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Take part in a stream: what it emits is delivered to this operation; gives what the stream's program returns.

    Attributes:
        user: who takes part: what is emitted for another user is not delivered.
    """

    stream: Stream
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for some seconds; gives the time after it, in seconds on a clock that never goes back."""

    seconds: float


Effect: TypeAlias = Fetch | Execute | Begin | Commit | Rollback | Call | CallAll | Open | Next | Emit | Join | Sleep

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
) -> Program[Row]:
    """Run one statement and return its only row; raises DatabaseError, 08006 where it takes longer than `timeout`."""
    row: Row = yield Fetch(statement, parameters, timeout, settings, transaction, guarded)
    return row


def execute(effect: Execute) -> Program[ResultSet]:
    """Run a statement of a user's own and return what it gave; raises DatabaseError."""
    result: ResultSet = yield effect
    return result


def begin(isolation: Isolation = Isolation.READ_COMMITTED) -> Program[Any]:
    """Open a transaction and return its handle; raises DatabaseError where there is no connection to be had."""
    handle: Any = yield Begin(isolation)
    return handle


def commit(transaction: Any) -> Program[None]:
    """Commit a transaction; raises DatabaseError: 08007 where nobody can tell whether it was committed."""
    yield Commit(transaction)


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


def changed_topic(source: str) -> str:
    """The topic of the events that say that a table or view, named as in `sql_source`, holds other rows now."""
    return f"fraiseql.changed.{source}"

"""Events, the sources that they come from, and the streams that operations share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from fraiseql.context import ANONYMOUS, Caller

if TYPE_CHECKING:
    from fraiseql.effects.programs import Program

__all__ = [
    "Absent",
    "Emission",
    "Emit",
    "Event",
    "EventSource",
    "Join",
    "Next",
    "Open",
    "ResolverSource",
    "Sleep",
    "Stream",
    "changed_topic",
]


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


def changed_topic(source: str) -> str:
    """The topic of the events that say that a table or view, named as in `sql_source`, holds other rows now."""
    return f"fraiseql.changed.{source}"

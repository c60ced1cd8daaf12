"""What a session is told, in the past tense, and what it tells its runtime to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from fraiseql.effects import Emission, Program

__all__ = [
    "CancelOperation",
    "CloseConnection",
    "Command",
    "ConnectionMade",
    "DataReceived",
    "DeadlineReached",
    "DrainRequested",
    "EofReceived",
    "OperationEmitted",
    "OperationEnded",
    "OperationFailed",
    "OperationJoined",
    "PauseOperation",
    "ResumeOperation",
    "SendData",
    "SendingPaused",
    "SendingResumed",
    "SessionEvent",
    "StartOperation",
]


@dataclass(frozen=True, slots=True)
class ConnectionMade:
    """The client has connected; always the first event."""


@dataclass(slots=True)  # this and others not frozen: one is made for each request, in a third of the time
class DataReceived:
    """Bytes from the client, at least one."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EofReceived:
    """The client has closed its side, or the connection broke."""


@dataclass(slots=True)
class OperationEnded:
    """A program returned its result; not delivered for a cancelled one."""

    operation_id: int
    result: Any


@dataclass(frozen=True, slots=True)
class OperationFailed:
    """A program raised what no program should: a bug."""

    operation_id: int
    error: BaseException


@dataclass(frozen=True, slots=True)
class OperationJoined:
    """A program takes part in a stream: it is a subscription, and lasts."""

    operation_id: int


@dataclass(slots=True)  # not frozen: one is made for each client and result of a stream, in a third of the time
class OperationEmitted:
    """A stream that an operation takes part in has emitted.

    `is_state` says that it replaces what the stream emitted before.
    """

    operation_id: int
    emission: Emission
    is_state: bool = False


@dataclass(frozen=True, slots=True)
class SendingPaused:
    """The client does not read: what was sent last is not all written yet."""


@dataclass(frozen=True, slots=True)
class SendingResumed:
    """All that was sent is written."""


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """The session's `deadline` has come; one that was moved since counts for nothing."""


@dataclass(frozen=True, slots=True)
class DrainRequested:
    """The server is stopping: finish what runs, start nothing."""


SessionEvent: TypeAlias = (
    ConnectionMade
    | DataReceived
    | EofReceived
    | OperationEnded
    | OperationFailed
    | OperationJoined
    | OperationEmitted
    | SendingPaused
    | SendingResumed
    | DeadlineReached
    | DrainRequested
)


@dataclass(slots=True)  # as OperationEmitted
class SendData:
    """Write bytes to the client, before any command that follows."""

    data: bytes


@dataclass(slots=True)
class StartOperation:
    """Run a program and deliver OperationEnded."""

    operation_id: int
    program: Program[Any]


@dataclass(frozen=True, slots=True)
class CancelOperation:
    """Stop a program, and its SQL; nothing of it is delivered any more."""

    operation_id: int


@dataclass(frozen=True, slots=True)
class PauseOperation:
    """Let the stream of an operation wait, unless others take part in it who are not paused."""

    operation_id: int


@dataclass(frozen=True, slots=True)
class ResumeOperation:
    """Let it go on."""

    operation_id: int


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close the connection once what was sent is written; always the last command."""


Command: TypeAlias = SendData | StartOperation | CancelOperation | PauseOperation | ResumeOperation | CloseConnection

"""Sessions join the protocol machines with the pipeline: events in, commands out, and the next deadline."""

from fraiseql.session.events import (
    CancelOperation,
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    OperationEnded,
    OperationFailed,
    SendData,
    SessionEvent,
    StartOperation,
)
from fraiseql.session.http import HttpSession

__all__ = [
    "CancelOperation",
    "CloseConnection",
    "Command",
    "ConnectionMade",
    "DataReceived",
    "DeadlineReached",
    "DrainRequested",
    "EofReceived",
    "HttpSession",
    "OperationEnded",
    "OperationFailed",
    "SendData",
    "SessionEvent",
    "StartOperation",
]

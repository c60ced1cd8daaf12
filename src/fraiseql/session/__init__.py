"""Sessions join the protocol machines with the pipeline: events in, commands out, and the next deadline."""

from fraiseql.session.busy import BusySession, most_busy
from fraiseql.session.client import ClientSession
from fraiseql.session.coding import Coding, Compression
from fraiseql.session.endpoint import Endpoint
from fraiseql.session.events import (
    CancelOperation,
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    OperationEmitted,
    OperationEnded,
    OperationFailed,
    OperationJoined,
    PauseOperation,
    ResumeOperation,
    SendData,
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)
from fraiseql.session.http import HttpSession
from fraiseql.session.websocket import WebSocketSession

__all__ = [
    "BusySession",
    "CancelOperation",
    "ClientSession",
    "CloseConnection",
    "Coding",
    "Command",
    "Compression",
    "ConnectionMade",
    "DataReceived",
    "DeadlineReached",
    "DrainRequested",
    "Endpoint",
    "EofReceived",
    "HttpSession",
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
    "WebSocketSession",
    "most_busy",
]

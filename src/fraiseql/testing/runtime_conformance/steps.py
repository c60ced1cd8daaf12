"""What is done and expected in a scenario, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from fraiseql.observations import Observation

__all__ = [
    "Advance",
    "Connect",
    "Drain",
    "Due",
    "Execute",
    "Expect",
    "ExpectCut",
    "ExpectEnd",
    "ExpectStopped",
    "Flood",
    "HalfClose",
    "Kill",
    "Listening",
    "Lock",
    "Observe",
    "Release",
    "Reset",
    "Rows",
    "Send",
    "SendBytewise",
    "Step",
    "Waiting",
]

_FIRST = "first"


@dataclass(frozen=True, slots=True)
class Connect:
    """A client connects, or comes back; `buffer` bounds the bytes that its kernel takes in before they are read."""

    client: str = _FIRST
    buffer: int | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """It sends bytes, in one piece; `<cursor>` stands for what an answer had in this place."""

    data: bytes
    client: str = _FIRST


@dataclass(frozen=True, slots=True)
class SendBytewise:
    """It sends bytes one by one."""

    data: bytes
    client: str = _FIRST


@dataclass(frozen=True, slots=True)
class Flood:
    """It sends bytes again and again until nothing more goes, for the server has stopped reading.

    A server that lets more than `most` bytes go, which is more than kernels keep on the way, reads on.
    """

    data: bytes
    client: str = _FIRST
    most: int = 67_108_864


@dataclass(frozen=True, slots=True)
class Expect:
    """It reads exactly these bytes.

    In them stand `<date>` for an IMF-fixdate, `<request>` for a request's id, `<cursor>` for a place in the outbox,
    `<length>` for decimal digits, `<size>` for hexadecimal ones and `<byte>` for a byte. A client that
    is not told to expect anything reads nothing.
    """

    data: bytes
    client: str = _FIRST


@dataclass(frozen=True, slots=True)
class ExpectEnd:
    """It reads the end of the connection, with nothing before."""

    client: str = _FIRST


@dataclass(frozen=True, slots=True)
class ExpectCut:
    """The connection ends, or is reset, with whatever was under way lost."""

    client: str = _FIRST


@dataclass(frozen=True, slots=True)
class HalfClose:
    """It closes its side, and goes on reading."""

    client: str = _FIRST


@dataclass(frozen=True, slots=True)
class Reset:
    """It resets the connection."""

    client: str = _FIRST


@dataclass(frozen=True, slots=True)
class Advance:
    """So many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Due:
    """The server waits for a moment in exactly so many seconds: it has come so far."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drain:
    """The server is told to stop, with the grace of its settings."""


@dataclass(frozen=True, slots=True)
class ExpectStopped:
    """It has stopped, and left nothing behind."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Somebody else locks a table, so that whatever reads or writes it waits."""

    table: str


@dataclass(frozen=True, slots=True)
class Release:
    """They let go of all."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many statements of the server wait for a lock."""

    count: int


@dataclass(frozen=True, slots=True)
class Kill:
    """The PostgreSQL processes that wait for a lock are ended."""


@dataclass(frozen=True, slots=True)
class Listening:
    """So many streams wait for events."""

    count: int


@dataclass(frozen=True, slots=True)
class Execute:
    """Somebody else runs SQL."""

    sql: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What SQL gives, now."""

    sql: str
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Observe:
    """The server observes this, after what was looked for before; only the given fields are compared."""

    kind: type[Observation]
    fields: Mapping[str, Any] = field(default_factory=dict)


Step: TypeAlias = (
    Connect
    | Send
    | SendBytewise
    | Flood
    | Expect
    | ExpectEnd
    | ExpectCut
    | HalfClose
    | Reset
    | Advance
    | Due
    | Drain
    | ExpectStopped
    | Lock
    | Release
    | Waiting
    | Kill
    | Listening
    | Execute
    | Rows
    | Observe
)

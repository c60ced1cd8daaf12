"""What the machine reads and writes: messages, control frames and the end, as values.

Plain slots classes, not frozen: a frozen dataclass costs three times as much to make, and one is made for each message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

__all__ = [
    "NEED_DATA",
    "NO_STATUS",
    "Bytes",
    "Close",
    "ConnectionClosed",
    "Event",
    "Ping",
    "Pong",
    "Sendable",
    "Signal",
    "Text",
]

NO_STATUS: Final = 1005
"""The code of a close frame without one (RFC 6455 §7.1.5)."""


class Signal(Enum):
    """Why `next_event()` has no event to give."""

    NEED_DATA = "NEED_DATA"

    def __repr__(self) -> str:
        return self.name


NEED_DATA: Final = Signal.NEED_DATA
"""Nothing more can be read before the peer sends more bytes."""


@dataclass(slots=True)
class Text:
    """A whole text message; how it was cut into frames means nothing."""

    data: str


@dataclass(slots=True)
class Bytes:
    """A whole binary message."""

    data: bytes


@dataclass(slots=True)
class Pong:
    """The answer to a ping, or an unsolicited sign of life (RFC 6455 §5.5.3); at most 125 bytes."""

    payload: bytes = b""


@dataclass(slots=True)
class Ping:
    """Asks for a Pong with the same payload (RFC 6455 §5.5.2); at most 125 bytes."""

    payload: bytes = b""

    def answer(self) -> Pong:
        """What to send for it. Of several pings that were read in one go, it is enough to answer the latest."""
        return Pong(self.payload)


@dataclass(slots=True)
class Close:
    """A close frame: its sender sends nothing more (RFC 6455 §5.5.1).

    Args:
        code: why; NO_STATUS is a frame without a code, received or sent.
        reason: for a log; at most 123 bytes of UTF-8.
    """

    code: int = 1000
    reason: str = ""

    def answer(self) -> Close:
        """What to send for it, unless we have sent a close frame before: the same code (RFC 6455 §5.5.1)."""
        return Close(self.code)


@dataclass(slots=True)
class ConnectionClosed:
    """The peer sends nothing more. Without a Close before it, the connection was cut (1006 in RFC 6455 §7.1.5)."""


Event: TypeAlias = Text | Bytes | Ping | Pong | Close | ConnectionClosed
"""What `next_event()` gives."""

Sendable: TypeAlias = Text | Bytes | Ping | Pong | Close
"""What `send()` takes."""

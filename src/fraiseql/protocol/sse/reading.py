"""From the bytes of an event stream to its events (WHATWG HTML §9.2.5 and §9.2.6).

One thing is stricter than there: bytes that are no UTF-8 are refused, where a browser puts a replacement character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fraiseql.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError

__all__ = ["NEED_DATA", "Decoder", "ServerSentEvent", "Signal"]

_LINE_END: Final = re.compile(rb"[\r\n]")
_BOM: Final = b"\xef\xbb\xbf"
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")  # some milliseconds of a few hundred million years


class Signal(Enum):
    """Why `next_event()` has no event to give."""

    NEED_DATA = "NEED_DATA"

    def __repr__(self) -> str:
        return self.name


NEED_DATA: Final = Signal.NEED_DATA
"""Nothing more can be read before more bytes come."""


@dataclass(slots=True)
class ServerSentEvent:
    """One event.

    Attributes:
        event: its type.
        data: its lines, joined by line feeds.
        id: the last id that the stream has given, with this event or before; empty where there was none.
    """

    event: str
    data: str
    id: str = ""


class Decoder:
    """Reads one event stream.

    Feed it with `receive_data`, and take events from `next_event` until it gives NEED_DATA. What follows the last
    blank line when the stream ends is no event, so there is nothing to be told then.

    Args:
        max_event: bytes of one line, and of the data of one event.
        last_event_id: the id to begin with, where a stream is resumed.

    Attributes:
        last_event_id: what to send as Last-Event-ID to resume the stream.
        retry: how many milliseconds to wait before that; None where the stream has not said.
    """

    __slots__ = (
        "_at_start",
        "_buffer",
        "_data",
        "_event",
        "_failed",
        "_id",
        "_max_event",
        "_scanned",
        "_size",
        "_skip_line_feed",
        "_start",
        "last_event_id",
        "retry",
    )

    def __init__(self, max_event: int = 1_048_576, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry: int | None = None
        self._max_event = max_event
        self._buffer = bytearray()
        self._start = 0  # of the line that is read
        self._scanned = 0  # up to where it has no end
        self._at_start = True  # of the stream
        self._skip_line_feed = False  # the line before ended with CR
        self._event = ""
        self._id = last_event_id
        self._data: list[str] = []
        self._size = 0  # of the data, in bytes
        self._failed = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes; they are discarded after an error."""
        if not self._failed:
            if self._start:
                del self._buffer[: self._start]
                self._scanned -= self._start
                self._start = 0
            self._buffer += data

    def next_event(self) -> ServerSentEvent | Signal:
        """The next event, or NEED_DATA.

        Raises:
            RemoteProtocolError: the bytes are no UTF-8 (status 502, as for any answer that cannot be read). Nothing
                more is read from this stream.
            LimitExceeded: the same, for a line or an event that is too long.
            LocalProtocolError: there was an error before.
        """
        if self._failed:
            raise LocalProtocolError("this stream was broken before")
        try:
            while (line := self._line()) is not None:
                if line:
                    self._field(line)
                elif (event := self._dispatch()) is not None:
                    return event
        except RemoteProtocolError:
            self._failed = True
            self._buffer.clear()
            raise
        return NEED_DATA

    def _line(self) -> bytes | None:
        """The next line without its end: CR, LF or both."""
        buffer = self._buffer
        if self._skip_line_feed and len(buffer) > self._start:
            self._skip_line_feed = False
            if buffer[self._start] == 0x0A:
                self._start += 1
                self._scanned = max(self._scanned, self._start)
        found = _LINE_END.search(buffer, self._scanned)
        end = len(buffer) if found is None else found.start()
        if end - self._start > self._max_event:
            raise LimitExceeded("a line of the event stream is too long", status=502)
        self._scanned = end
        if found is None:
            return None
        line = bytes(buffer[self._start : end])
        self._skip_line_feed = buffer[end] == 0x0D
        self._start = self._scanned = end + 1
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        return line

    def _field(self, line: bytes) -> None:
        """§9.2.6: a name, and behind a colon a value without the space that may come first. Comments have no name."""
        name, _, value = line.partition(b":")
        text = _decode(value.removeprefix(b" "))
        if name == b"data":
            self._size += len(value) + 1
            if self._size > self._max_event:
                raise LimitExceeded("the data of an event is too long", status=502)
            self._data.append(text)
        elif name == b"event":
            self._event = text
        elif name == b"id":
            if "\0" not in text:
                self._id = text
        elif name == b"retry":
            if _DIGITS.fullmatch(text.encode("utf-8")):
                self.retry = int(text)
        else:
            _decode(name)  # a field that nobody knows is ignored, but not one that is no text

    def _dispatch(self) -> ServerSentEvent | None:
        """§9.2.6, for a blank line: an event without `data` is none, but its id counts."""
        self.last_event_id = self._id
        event = ServerSentEvent(self._event or "message", "\n".join(self._data), self._id) if self._data else None
        self._event = ""
        self._data.clear()
        self._size = 0
        return event


def _decode(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise RemoteProtocolError("the event stream is not UTF-8", status=502) from None

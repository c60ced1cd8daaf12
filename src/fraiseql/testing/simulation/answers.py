"""What clients read: answers of HTTP/1.1, events of streams, frames of WebSockets, by readers of their own."""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = ["AnswerReader", "Frame", "FrameReader", "HttpAnswer", "StreamEvent", "StreamReader", "client_frame"]


class HttpAnswer(NamedTuple):
    """One answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Frame(NamedTuple):
    """One unfragmented frame."""

    opcode: int
    payload: bytes


class AnswerReader:
    """Takes the bytes of answers apart (RFC 9112); raises ValueError where they are none.

    Attributes:
        switched: whether the last answer was 101; what comes then is `rest`.
    """

    def __init__(self) -> None:
        self.rest = b""
        self.switched = False

    def feed(self, data: bytes) -> list[HttpAnswer]:
        """The answers that are complete now; those that are only informational are left out."""
        self.rest += data
        found = []
        while not self.switched and (answer := self._next()) is not None:
            if answer.status != 100:
                found.append(answer)
        return found

    def _next(self) -> HttpAnswer | None:
        end = self.rest.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.rest[:end].split(b"\r\n")
        version, status, *_ = first.split(b" ")
        if version != b"HTTP/1.1":
            raise ValueError(f"no answer begins so: {first!r}")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        code, start = int(status), end + 4
        if code < 200:
            body, stop = b"", start
            self.switched = code == 101
        elif headers.get(b"transfer-encoding") == b"chunked":
            chunked = self._chunks(start)
            if chunked is None:
                return None
            body, stop = chunked
        else:
            stop = start + int(headers[b"content-length"])
            if stop > len(self.rest):
                return None
            body = self.rest[start:stop]
        self.rest = self.rest[stop:]
        return HttpAnswer(code, headers, body)

    def _chunks(self, at: int) -> tuple[bytes, int] | None:
        parts: list[bytes] = []
        while (end := self.rest.find(b"\r\n", at)) >= 0:
            size = int(self.rest[at:end], 16)
            at = end + 2 + size + 2
            if at > len(self.rest):
                return None
            if not size:
                return b"".join(parts), at
            parts.append(self.rest[end + 2 : at - 2])
        return None


class FrameReader:
    """Takes a server's frames apart (RFC 6455 §5); raises ValueError where they are none."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now."""
        self._rest += data
        found = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> Frame | None:
        data = self._rest
        if len(data) < 2:
            return None
        if data[0] & 0xF0 != 0x80 or data[1] & 0x80:
            raise ValueError(f"no frame of a server begins so: {data[:2]!r}")
        size, at = data[1], 2
        if size >= 126:
            at = 4 if size == 126 else 10
            if len(data) < at:
                return None
            (size,) = struct.unpack("!H" if at == 4 else "!Q", data[2:at])
        if len(data) < at + size:
            return None
        self._rest = data[at + size :]
        return Frame(data[0] & 0x0F, data[at : at + size])


def client_frame(opcode: int, payload: bytes, key: bytes = b"\x5a\xa5\x3c\xc3") -> bytes:
    """A frame as a client sends it: masked."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    else:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    repeated = (key * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + key + masked.to_bytes(size, "big")


class StreamEvent(NamedTuple):
    """One event of a stream; `end` stands for the end of the answer, and has no data."""

    name: str
    data: bytes


class StreamReader:
    """Takes answers apart that are event streams, as they come; raises ValueError where they are none."""

    def __init__(self) -> None:
        self._rest = b""
        self._text: bytes | None = None  # of an answer that has begun

    @property
    def has_begun(self) -> bool:
        """Whether a stream is under way."""
        return self._text is not None

    def feed(self, data: bytes) -> list[StreamEvent | HttpAnswer]:
        """What is complete now: events, and answers that are something else."""
        self._rest += data
        found: list[StreamEvent | HttpAnswer] = []
        while self._rest:
            if self._text is None:
                if b"\r\n\r\n" not in self._rest:
                    break
                head, _, behind = self._rest.partition(b"\r\n\r\n")
                if b"content-type: text/event-stream" not in head.lower():
                    reader = AnswerReader()
                    found += (answers := reader.feed(self._rest))
                    self._rest = reader.rest
                    if not answers:
                        break
                elif not head.startswith(b"HTTP/1.1 200 "):
                    raise ValueError(f"no stream begins so: {head!r}")
                else:
                    self._rest, self._text = behind, b""
            elif not self._chunk(found):
                break
        return found

    def _chunk(self, found: list[StreamEvent | HttpAnswer]) -> bool:
        line, ending, behind = self._rest.partition(b"\r\n")
        size = int(line, 16) if ending else 0
        if not ending or len(behind) < size + 2:
            return False
        assert self._text is not None
        self._rest = behind[size + 2 :]
        if size:
            *blocks, self._text = (self._text + behind[:size]).split(b"\n\n")
            found += filter(None, map(_event, blocks))
        elif self._text:
            raise ValueError(f"a stream ends within an event: {self._text!r}")
        else:
            self._text = None
            found.append(StreamEvent("end", b""))
        return True


def _event(block: bytes) -> StreamEvent | None:
    """None for a comment."""
    fields = dict(line.partition(b":")[::2] for line in block.split(b"\n"))
    name = fields.get(b"event", b"").strip().decode()
    return StreamEvent(name, fields.get(b"data", b"").strip()) if name else None

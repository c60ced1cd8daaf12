"""WebSocket frames as the other side writes and reads them, in the plainest way."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

__all__ = ["UPGRADE", "Frame", "close", "message", "read", "text", "write"]

UPGRADE = (
    b"GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


class Frame(NamedTuple):
    """One frame."""

    opcode: int
    payload: bytes

    @property
    def json(self) -> Any:
        """The payload of a text frame."""
        assert self.opcode == 1
        return json.loads(self.payload)

    @property
    def code(self) -> int:
        """The code of a close frame."""
        assert self.opcode == 8
        return int.from_bytes(self.payload[:2])


def write(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros."""
    head = bytes([0x80 * fin | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([0x80 | 126]) + len(payload).to_bytes(2)
    else:
        head += bytes([0x80 | 127]) + len(payload).to_bytes(8)
    return head + bytes(4) + payload


def text(data: str) -> bytes:
    """A text frame."""
    return write(1, data.encode())


def message(type: str, **fields: Any) -> bytes:
    """A message of graphql-transport-ws."""
    return text(json.dumps({"type": type, **fields}))


def close(code: int = 1000, reason: str = "") -> bytes:
    """A close frame."""
    return write(8, code.to_bytes(2) + reason.encode())


def read(data: bytes) -> list[Frame]:
    """The frames of a server, all of them whole and not masked."""
    frames = []
    while data:
        assert data[0] & 0x80
        assert not data[1] & 0x80
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10]), 10
        frames.append(Frame(data[0] & 0x0F, data[start : start + length]))
        assert len(frames[-1].payload) == length
        data = data[start + length :]
    return frames

"""Frames (RFC 6455 §5.2): which there are, how their length is read, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final

from fraiseql.errors import RemoteProtocolError
from fraiseql.protocol.websocket.masking import mask
from fraiseql.protocol.websocket.state import Input

__all__ = [
    "BINARY",
    "CLOSE",
    "COMPRESSED",
    "DEFLATE_KINDS",
    "KINDS",
    "MAX_CONTROL",
    "PING",
    "PONG",
    "PROTOCOL_ERROR",
    "TEXT",
    "Kind",
    "fault_of",
    "frame",
    "masked_frame",
    "read_length",
]

PROTOCOL_ERROR: Final = 1002

# First bytes of the frames that we send, which are whole: FIN and the opcode.
TEXT: Final = 0x81
BINARY: Final = 0x82
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A
COMPRESSED: Final = 0x40  # RSV1 (RFC 7692 §6)

MAX_CONTROL: Final = 125  # RFC 6455 §5.5
_RESERVED_BITS: Final = 0x70
_OPCODE: Final = 0x0F
_IS_CONTROL: Final = 0x08
_FIN: Final = 0x80
_MASKED: Final = 0x80
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_pack_two: Final = Struct(">BBH").pack
_pack_eight: Final = Struct(">BBQ").pack


@dataclass(frozen=True, slots=True)
class Kind:
    """What the first byte of a frame says.

    Attributes:
        input: what it does to the state.
        is_control: whether its payload is short and whole.
        is_text: whether the message that it begins is text.
        is_compressed: whether the message that it begins is deflated.
        is_last: whether it ends a message.
    """

    input: Input
    is_control: bool = False
    is_text: bool = False
    is_compressed: bool = False
    is_last: bool = False


KINDS: Final[Mapping[int, Kind]] = {
    0x00: Kind(Input.FRAGMENT),
    0x80: Kind(Input.LAST_FRAGMENT, is_last=True),
    0x01: Kind(Input.FIRST_FRAGMENT, is_text=True),
    0x81: Kind(Input.MESSAGE, is_text=True, is_last=True),
    0x02: Kind(Input.FIRST_FRAGMENT),
    0x82: Kind(Input.MESSAGE, is_last=True),
    0x88: Kind(Input.CLOSE, is_control=True),
    0x89: Kind(Input.PING, is_control=True),
    0x8A: Kind(Input.PONG, is_control=True),
}
"""By their first byte, all frames without an extension (RFC 6455 §5.2, §11.8)."""

DEFLATE_KINDS: Final[Mapping[int, Kind]] = {
    **KINDS,
    0x41: Kind(Input.FIRST_FRAGMENT, is_text=True, is_compressed=True),
    0xC1: Kind(Input.MESSAGE, is_text=True, is_compressed=True, is_last=True),
    0x42: Kind(Input.FIRST_FRAGMENT, is_compressed=True),
    0xC2: Kind(Input.MESSAGE, is_compressed=True, is_last=True),
}
"""The same with permessage-deflate: RSV1 on the first frame of a message only (RFC 7692 §6)."""


def fault_of(first: int) -> RemoteProtocolError:
    """What is wrong with a first byte that no frame has."""
    if first & _RESERVED_BITS:
        return RemoteProtocolError("a reserved bit is set", status=PROTOCOL_ERROR)  # RFC 6455 §5.2, RFC 7692 §6
    if first & _FIN or first & _OPCODE not in (CLOSE & _OPCODE, PING & _OPCODE, PONG & _OPCODE):
        return RemoteProtocolError("a reserved opcode", status=PROTOCOL_ERROR)  # RFC 6455 §5.2
    return RemoteProtocolError("a control frame in fragments", status=PROTOCOL_ERROR)  # RFC 6455 §5.5


def read_length(data: bytes, at: int, *, is_control: bool, is_masked: bool) -> tuple[int, int] | None:
    """The length of a payload, and where it ended; None where more bytes are needed.

    Args:
        data: what was received.
        at: the place of the frame's second byte.
        is_control: whether it is a control frame.
        is_masked: whether the peer has to mask.

    Raises:
        RemoteProtocolError: as soon as a byte is wrong (1002).
    """
    if at >= len(data):
        return None
    second = data[at]
    if (second >= _MASKED) is not is_masked:  # RFC 6455 §5.1
        raise RemoteProtocolError("a frame without a mask" if is_masked else "a masked frame", status=PROTOCOL_ERROR)
    length = second & ~_MASKED
    at += 1
    if length <= MAX_CONTROL:
        return length, at
    if is_control:
        raise RemoteProtocolError("a long control frame", status=PROTOCOL_ERROR)  # RFC 6455 §5.5
    size, least = (2, _TWO_BYTES) if length == _TWO_BYTES else (8, 1 << 16)
    if length == _EIGHT_BYTES and at < len(data) and data[at] >= 0x80:
        raise RemoteProtocolError("a length of 64 bits", status=PROTOCOL_ERROR)  # RFC 6455 §5.2: its first bit is 0
    end = at + size
    if end > len(data):
        return None
    length = int.from_bytes(data[at:end], "big")
    if length < least:
        raise RemoteProtocolError("a length in more bytes than it takes", status=PROTOCOL_ERROR)  # RFC 6455 §5.2
    return length, end


def frame(first: int, payload: bytes) -> bytes:
    """A frame as a server sends it."""
    length = len(payload)
    if length <= MAX_CONTROL:
        return bytes((first, length)) + payload
    if length < 1 << 16:
        return _pack_two(first, _TWO_BYTES, length) + payload
    return _pack_eight(first, _EIGHT_BYTES, length) + payload


def masked_frame(first: int, payload: bytes, key: bytes) -> bytes:
    """A frame as a client sends it.

    Args:
        first: its first byte.
        payload: of any length.
        key: 4 bytes that nobody can foresee (RFC 6455 §5.3).
    """
    length = len(payload)
    if length <= MAX_CONTROL:
        head = bytes((first, length | _MASKED))
    elif length < 1 << 16:
        head = _pack_two(first, _TWO_BYTES | _MASKED, length)
    else:
        head = _pack_eight(first, _EIGHT_BYTES | _MASKED, length)
    return head + key + mask(payload, key)

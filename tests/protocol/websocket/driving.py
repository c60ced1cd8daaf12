"""How these tests make frames and drive a connection of either role."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from fraiseql.limits import WebSocketLimits
from fraiseql.protocol import websocket
from fraiseql.protocol.websocket import ClientConnection, Deflate, ServerConnection

KEY = b"\x37\xfa\x21\x3d"  # the example of RFC 6455 §5.7
ROLES = ("server", "client")

Transcript = list[object]
"""Events, and the status of the refusal at the end where there is one."""


class F(NamedTuple):
    """A frame as a test writes it: FIN, RSV and opcode; the payload; how many bytes say its length; the length said."""

    first: int
    payload: bytes = b""
    form: int | None = None
    said: int | None = None


def wire(frames: Iterable[F | bytes], role: str) -> bytes:
    """The bytes of frames for a connection of this role: masked if it is the server. Bytes stay as they are."""
    return b"".join([frame if isinstance(frame, bytes) else encode(frame, role == "server") for frame in frames])


def encode(frame: F, masked: bool) -> bytes:
    said = len(frame.payload) if frame.said is None else frame.said
    form = frame.form or (1 if said < 126 else 3 if said < 65_536 else 9)
    bit = 0x80 if masked else 0
    length = {1: bytes([said & 0x7F | bit]), 3: bytes([126 | bit]) + said.to_bytes(8, "big")[-2:]}
    length[9] = bytes([127 | bit]) + said.to_bytes(8, "big")
    payload = bytes([byte ^ KEY[place % 4] for place, byte in enumerate(frame.payload)]) if masked else frame.payload
    return bytes([frame.first]) + length[form] + (KEY if masked else b"") + payload


def deflated(*pieces: bytes, bits: int = 15) -> bytes:
    """Pieces of a message, deflated one after the other as in RFC 7692 §7.2.1."""
    codec = zlib.compressobj(wbits=-bits)
    packed = b"".join([codec.compress(piece) + codec.flush(zlib.Z_SYNC_FLUSH) for piece in pieces])
    return packed[:-4]


def connect(role: str, limits: WebSocketLimits | None = None, deflate: Deflate | None = None):
    if role == "server":
        return ServerConnection(limits, deflate)
    return ClientConnection(limits, deflate, masking_key=lambda: KEY)


def drain(conn) -> Transcript:
    """All events that there are; at the end the status of a refusal, where there is one."""
    found: Transcript = []
    try:
        while (event := conn.next_event()) is not websocket.NEED_DATA:
            found.append(event)
            if isinstance(event, websocket.ConnectionClosed):
                break
    except websocket.RemoteProtocolError as error:
        found.append(error.status)
    return found


def read(conn, pieces: Iterable[bytes], *, eof: bool = False) -> Transcript:
    found: Transcript = []
    for piece in pieces:
        conn.receive_data(piece)
        found += drain(conn)
    if eof:
        conn.receive_eof()
        found += drain(conn)
    return found


def each_byte(raw: bytes) -> list[bytes]:
    return [raw[at : at + 1] for at in range(len(raw))]

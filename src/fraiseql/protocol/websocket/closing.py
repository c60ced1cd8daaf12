"""Close frames (RFC 6455 §5.5.1, §7.4): which codes there are, and how a frame's body is read and written."""

from __future__ import annotations

from typing import Final

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.websocket.events import NO_STATUS, Close
from fraiseql.protocol.websocket.frames import MAX_CONTROL, PROTOCOL_ERROR

__all__ = ["INVALID_DATA", "TOO_BIG", "is_close_code", "read_close", "write_close"]

INVALID_DATA: Final = 1007
TOO_BIG: Final = 1009

# RFC 6455 §7.4.1 and what IANA has registered since. Not 1004 to 1006 and 1015, which no frame may carry.
_REGISTERED: Final = frozenset((*range(1000, 1004), *range(1007, 1015)))


def is_close_code(code: int) -> bool:
    """Whether a close frame may carry this code."""
    return code in _REGISTERED or 3000 <= code <= 4999  # RFC 6455 §7.4.2


def read_close(body: bytes) -> Close:
    """What the body of a close frame says; raises RemoteProtocolError (1002, 1007)."""
    if not body:
        return Close(NO_STATUS)  # RFC 6455 §7.1.5
    code = int.from_bytes(body[:2], "big")
    if len(body) == 1 or not is_close_code(code):
        raise RemoteProtocolError("a bad close code", status=PROTOCOL_ERROR)  # RFC 6455 §5.5.1, §7.4
    try:
        return Close(code, str(body[2:], "utf-8"))
    except UnicodeDecodeError:
        # RFC 6455 §8.1
        raise RemoteProtocolError("the close reason is not UTF-8", status=INVALID_DATA) from None


def write_close(close: Close) -> bytes:
    """The body of a close frame; raises LocalProtocolError for what the peer could not read."""
    if close.code == NO_STATUS:
        if close.reason:
            raise LocalProtocolError("a close reason needs a code")
        return b""
    if not is_close_code(close.code):
        raise LocalProtocolError(f"{close.code} is not the code of a close frame")
    try:
        body = close.code.to_bytes(2, "big") + close.reason.encode("utf-8")
    except UnicodeEncodeError:
        raise LocalProtocolError("the close reason holds half of a surrogate pair") from None
    if len(body) > MAX_CONTROL:
        raise LocalProtocolError("the close reason is longer than 123 bytes")
    return body

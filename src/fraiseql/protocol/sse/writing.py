"""From execution results to the events of a stream."""

from __future__ import annotations

import re
from typing import Final

from fraiseql.errors import LocalProtocolError

__all__ = ["CONTENT_TYPE", "KEEP_ALIVE", "encode_complete", "encode_next"]

CONTENT_TYPE: Final = b"text/event-stream"

KEEP_ALIVE: Final = b":\n\n"
"""A comment, which says nothing: for proxies that cut silent connections off."""

# The field is there, though empty: without it no browser would dispatch the event (§9.2.6)
_COMPLETE: Final = b"event: complete\ndata:\n\n"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


def encode_next(result: bytes, cursor: str | None = None) -> bytes:
    """One event with an execution result.

    Args:
        result: JSON in UTF-8; its lines, should it have several, become lines of `data`.
        cursor: the place behind it, as the event's id: a browser that connects again sends it as Last-Event-ID.

    Raises:
        LocalProtocolError: the cursor holds what an id cannot: NUL or the end of a line.
    """
    if b"\n" in result or b"\r" in result:
        result = _LINE_END.sub(b"\ndata: ", result)
    if cursor is None:
        return b"event: next\ndata: " + result + b"\n\n"
    if any(character in cursor for character in "\0\r\n"):
        raise LocalProtocolError("an id of an event holds no NUL and no end of a line")
    return b"event: next\nid: %b\ndata: %b\n\n" % (cursor.encode("utf-8"), result)


def encode_complete() -> bytes:
    """The last event: the operation is over."""
    return _COMPLETE

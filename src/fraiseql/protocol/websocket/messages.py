"""Puts messages together from pieces, which are checked as they come."""

from __future__ import annotations

from codecs import getincrementaldecoder
from io import StringIO
from typing import Final, Protocol

from fraiseql.errors import RemoteProtocolError
from fraiseql.protocol.websocket.closing import INVALID_DATA
from fraiseql.protocol.websocket.events import Bytes, Text

__all__ = ["BinaryAssembly", "MessageAssembly", "TextAssembly", "not_utf8"]

_DECODER: Final = getincrementaldecoder("utf-8")


def not_utf8() -> RemoteProtocolError:
    """What is wrong with a text that is not UTF-8 (RFC 6455 §8.1)."""
    return RemoteProtocolError("the text is not UTF-8", status=INVALID_DATA)


class MessageAssembly(Protocol):
    """One message on its way in."""

    def add(self, data: bytes) -> None:
        """Take a piece; raises RemoteProtocolError (1007) at the first byte that cannot be right."""

    def end(self) -> Text | Bytes:
        """The whole message; raises RemoteProtocolError (1007) where it ends within a character."""


class TextAssembly:
    """A text: it is decoded piece by piece, and kept in one growing buffer however small the pieces are."""

    __slots__ = ("_decode", "_text")

    def __init__(self) -> None:
        self._decode = _DECODER().decode
        self._text = StringIO()

    def add(self, data: bytes) -> None:
        try:
            self._text.write(self._decode(data))
        except UnicodeDecodeError:
            raise not_utf8() from None

    def end(self) -> Text:
        try:
            self._decode(b"", True)
        except UnicodeDecodeError:
            raise not_utf8() from None
        return Text(self._text.getvalue())


class BinaryAssembly:
    """Bytes."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes) -> None:
        self._data += data

    def end(self) -> Bytes:
        return Bytes(bytes(self._data))

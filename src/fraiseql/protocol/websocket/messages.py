"""Puts messages together from pieces, which are checked as they come."""

from __future__ import annotations

from codecs import utf_8_decode
from io import StringIO
from typing import Final, Protocol

from fraiseql.errors import RemoteProtocolError
from fraiseql.protocol.websocket.closing import INVALID_DATA
from fraiseql.protocol.websocket.events import Bytes, Text

__all__ = ["BinaryAssembly", "MessageAssembly", "TextAssembly", "not_utf8"]

# The first byte of U+D000 to U+DFFF, and the least second byte of a surrogate, which UTF-8 has not (RFC 3629 §3).
_BEFORE_SURROGATE: Final = b"\xed"
_SURROGATE: Final = b"\xa0"


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

    __slots__ = ("_rest", "_text")

    def __init__(self) -> None:
        self._rest = b""  # of a character that is not complete
        self._text = StringIO()

    def add(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        try:
            text, end = utf_8_decode(data, "strict", False)
        except UnicodeDecodeError:
            raise not_utf8() from None
        self._text.write(text)
        self._rest = rest = data[end:]
        if rest[:1] == _BEFORE_SURROGATE and rest[1:2] >= _SURROGATE:  # the decoder waits for the third byte of these
            raise not_utf8()

    def end(self) -> Text:
        if self._rest:
            raise not_utf8()
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

"""Reads heads, of requests and of responses, off the front of a buffer that grows.

A head that is there in whole is matched by one pattern. One that is incomplete, or that the pattern refuses, is walked
over by a cursor, which finds the first impossible byte and the limit that was passed. What is decided never depends on
how the bytes were cut, nor on what was read before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from fraiseql.errors import LimitExceeded, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.events import Headers
from fraiseql.protocol.http11.grammar import (
    FIELD_LINES,
    MAX_LINES,
    REQUEST_LINE,
    STATUS_LINE,
    field_lines,
    small_head,
)
from fraiseql.protocol.http11.scanner import PARTS, Cursor, Part
from fraiseql.protocol.http11.semantics import Fields, Line, check_target

__all__ = ["REQUEST", "RESPONSE", "Head", "HeadReader", "Kind", "skip_lines", "split_fields"]

_START: Final = PARTS["start"]
_BLANK: Final = PARTS["blank"]
_TARGET: Final = PARTS["target-start"]
_AFTER_TARGET: Final = PARTS["version-0"]
_VERSION: Final = PARTS["version-end"]
_STATUS: Final = PARTS["status-start"]
_FIRST_FIELD: Final = PARTS["first-field"]
_NEXT_FIELD: Final = PARTS["next-field"]
_NAME: Final = PARTS["name"]
_END: Final = PARTS["end"]

_LONG_METHOD: Final = ("the method is too long", 501)  # RFC 9112 §3
_LONG_TARGET: Final = ("the target is too long", 414)  # RFC 9112 §3, RFC 9110 §15.5.15
_LONG_HEAD: Final = ("the head is too long", 431)  # RFC 6585 §5

_LF: Final = 10
_CR: Final = 13
_MAX_DIGITS: Final = 20  # of a Content-Length that the memory takes up

Meaning = TypeVar("Meaning")


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells the heads of requests and responses apart.

    Attributes:
        line: the pattern of the first line: three groups.
        compiled: the same.
        start: where its walk begins.
        overflow: the fault of a head that is too long in its first part.
    """

    line: bytes
    compiled: re.Pattern[bytes]
    start: Part
    overflow: tuple[str, int]


REQUEST: Final = Kind(REQUEST_LINE, re.compile(REQUEST_LINE), _START, _LONG_METHOD)
RESPONSE: Final = Kind(STATUS_LINE, re.compile(STATUS_LINE), _STATUS, _LONG_HEAD)


@dataclass(slots=True)
class Head(Generic[Meaning]):
    """A complete head.

    Attributes:
        line: the parts of its first line.
        fields: by name, in the order of the wire; or the field lines, where a name is repeated.
        meaning: what it means for the codec.
    """

    line: Line
    fields: Fields
    meaning: Meaning


class HeadReader(Generic[Meaning]):
    """Reads the heads of one connection, one after the other.

    It remembers the last head, since clients repeat theirs: the next one that has the same bytes, but perhaps other
    digits in Content-Length, is not parsed again.

    Args:
        kind: of the heads.
        limits: of what the peer may send.
        interpret: gives a head its meaning, or raises RemoteProtocolError. Depends on its arguments only.
    """

    __slots__ = (
        "_blank_lines",
        "_cursor",
        "_digits",
        "_interpret",
        "_kind",
        "_known",
        "_limits",
        "_lines",
        "_max_target",
        "_raw",
    )

    def __init__(
        self,
        kind: Kind,
        limits: HttpLimits,
        interpret: Callable[[Line, Fields], Meaning],
    ) -> None:
        self._kind = kind
        self._limits = limits
        self._interpret = interpret
        self._max_target = limits.max_target if kind is REQUEST else 3  # the digits of a status
        self._cursor: Cursor | None = None
        self._blank_lines = 0
        self._lines = 0  # that were walked over
        self._raw = b""  # the last head ...
        self._known: Head[Meaning] | None = None  # ... as it was read
        self._digits = (0, 0)  # where it has the digits of its Content-Length, if it can be recognised without them

    @property
    def begun(self) -> bool:
        """Whether any byte of a head, or of a blank line before it, was read."""
        return self._cursor is not None

    def read(self, buffer: bytearray) -> Head[Meaning] | None:
        """Take the head at the front of the buffer; None where it is incomplete.

        Raises:
            RemoteProtocolError: the head is malformed (400), or its version or method is not ours (501, 505).
            LimitExceeded: the head, its target or its fields exceed a limit (414, 431, 501).
        """
        if self._cursor is None:
            if not buffer:
                return None
            if self._known is not None:
                if buffer.startswith(self._raw):
                    del buffer[: len(self._raw)]
                    return self._known
                head = self._read_similar(buffer) if self._digits[1] else None
                if head is not None:
                    return head
            head = self._read_whole(buffer)
            if head is not None:
                return head
            self._cursor = Cursor(self._kind.start, 0, self._limits.max_head, self._kind.overflow)
        return self._walk(buffer, self._cursor)

    def _read_similar(self, buffer: bytearray) -> Head[Meaning] | None:
        """The head at the front, if it differs from the last one by the digits of Content-Length only."""
        raw, (start, end), known = self._raw, self._digits, self._known
        assert known is not None
        if not buffer.startswith(raw[:start]):
            return None
        found = buffer.find(_CR, start, start + _MAX_DIGITS + 1)
        digits = bytes(buffer[start:found])
        length = len(raw) + len(digits) - (end - start)
        if (
            found < 0
            or not digits.isdigit()
            or not buffer.startswith(raw[end:], found)
            or length > self._limits.max_head
        ):
            return None
        assert isinstance(known.fields, dict)
        fields = {**known.fields, b"content-length": digits}
        head = Head(known.line, fields, self._interpret(known.line, fields))
        del buffer[:length]
        return head

    def _read_whole(self, buffer: bytearray) -> Head[Meaning] | None:
        """The head at the front, if it is complete, well-formed and within the limits."""
        count, max_head = buffer.count(_LF) - 2, self._limits.max_head
        found = None
        if 0 <= count <= MAX_LINES:
            found = small_head(self._kind.line, count).match(buffer, 0, max_head)
        if found is None:  # many fields, or white space after a value, or a body or another head follows
            end = buffer.find(b"\r\n\r\n", 0, max_head)
            return None if end < 0 else self._split(buffer, end + 4)
        parts = found.groups()
        if count > self._limits.max_fields or len(parts[1]) > self._max_target:
            return None
        head = self._understand((parts[0], parts[1], parts[2]), _lower(parts[3::2]), parts[4::2])
        self._remember(found[0], head)
        if b"content-length" in head.fields:  # never in a head with repeated names, which are pairs
            self._digits = found.span(5 + 2 * list(head.fields).index(b"content-length"))
        del buffer[: found.end()]
        return head

    def _split(self, buffer: bytearray, end: int) -> Head[Meaning] | None:
        """The head that ends there, of any number of fields, if it is well-formed and within the limits."""
        found = self._kind.compiled.match(buffer, 0, end)
        if found is None:
            return None
        first, parts = found.end(), found.groups()
        count = buffer.count(_LF, first, end) - 1
        if count > self._limits.max_fields or len(parts[1]) > self._max_target:
            return None
        fields = _split_lines(buffer, first, count)
        if fields is None:
            return None
        head = self._understand((parts[0], parts[1], parts[2]), *fields)
        self._remember(bytes(buffer[:end]), head)
        del buffer[:end]
        return head

    def _understand(self, line: Line, names: list[bytes], values: Sequence[bytes]) -> Head[Meaning]:
        fields: Fields = dict(zip(names, values, strict=True))
        if len(fields) != len(names):
            fields = tuple(zip(names, values, strict=True))
        return Head(line, fields, self._interpret(line, fields))

    def _remember(self, raw: bytes, head: Head[Meaning]) -> None:
        self._raw, self._known, self._digits = raw, head, (0, 0)
        if self._cursor is not None:
            self._cursor, self._lines, self._blank_lines = None, 0, 0

    def _walk(self, buffer: bytearray, cursor: Cursor) -> Head[Meaning] | None:
        while cursor.advance(buffer):
            if cursor.part is _END:
                head = self._split(buffer, cursor.pos)
                assert head is not None, "the cursor accepts what the patterns refuse"
                return head
            self._halt(cursor, buffer)
        return None

    def _halt(self, cursor: Cursor, buffer: bytearray) -> None:
        part, limits = cursor.part, self._limits
        if part is _NAME:
            self._count(1)
        elif part is _NEXT_FIELD:
            self._count(skip_lines(cursor, buffer))
        elif part is _TARGET:
            cursor.bound(min(cursor.pos + limits.max_target + 1, limits.max_head), _LONG_TARGET)
        elif part is _AFTER_TARGET:
            cursor.bound(limits.max_head, _LONG_HEAD)
        elif part is _VERSION:
            _check_major(buffer[cursor.pos - 3])
        elif part is _FIRST_FIELD:
            if self._kind is REQUEST:
                method, target, _ = bytes(buffer[: cursor.pos]).split(b" ")
                check_target(method, target)
            self._count(skip_lines(cursor, buffer))
        elif part is _BLANK:
            if self._blank_lines == limits.max_blank_lines:
                raise LimitExceeded("too many blank lines before the request", status=400)  # RFC 9112 §2.2
            self._blank_lines += 1
        else:  # a blank line is complete; it is no part of the head
            del buffer[: cursor.pos]
            cursor.pos = 0

    def _count(self, lines: int) -> None:
        self._lines += lines
        if self._lines > self._limits.max_fields:
            raise LimitExceeded("too many fields", status=431)  # RFC 6585 §5


def split_fields(buffer: bytearray, count: int) -> Headers | None:
    """Lower-case names and values of so many field lines at the front; None where one is malformed."""
    fields = _split_lines(buffer, 0, count)
    return None if fields is None else tuple(zip(*fields, strict=True))


def _split_lines(buffer: bytearray, start: int, count: int) -> tuple[list[bytes], list[bytes]] | None:
    names: list[bytes] = []
    values: list[bytes] = []
    while count:
        some = min(count, MAX_LINES)
        found = field_lines(some).match(buffer, start)
        if found is None:
            return None
        parts = found.groups()
        names += parts[::2]
        values += map(bytes.rstrip, parts[1::2])
        start = found.end()
        count -= some
    return _lower(names), values


def _lower(names: Sequence[bytes]) -> list[bytes]:
    """All at once: no name has a colon."""
    return b":".join(names).lower().split(b":") if names else []


def skip_lines(cursor: Cursor, buffer: bytearray) -> int:
    """Go to the end of the complete field lines that begin at the cursor; their number."""
    end = FIELD_LINES.match(buffer, cursor.pos, min(len(buffer), cursor.end)).end()  # type: ignore[union-attr]
    count = buffer.count(_LF, cursor.pos, end)
    if count:
        cursor.part, cursor.pos = _NEXT_FIELD, end
    return count


def _check_major(digit: int) -> None:
    if digit == 0x30:
        raise RemoteProtocolError("HTTP/0.9 has no such request line")
    if digit != 0x31:
        raise RemoteProtocolError("only HTTP/1.1 and HTTP/1.0 are spoken here", status=505)  # RFC 9110 §15.6.6

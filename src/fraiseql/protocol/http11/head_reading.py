"""Reads heads, of requests and of responses, off the front of a buffer that grows.

A head that is there in whole is matched by one pattern. One that is incomplete, or that the pattern refuses, is walked
over by a cursor, which finds the first impossible byte and the limit that was passed. What is decided never depends on
how the bytes were cut, nor on what was read before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from fraiseql.errors import LimitExceeded, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.field_lines import skip_lines, split_fields
from fraiseql.protocol.http11.grammar import (
    MAX_LINES,
    REQUEST_LINE,
    STATUS_LINE,
    small_head,
)
from fraiseql.protocol.http11.scanner import PARTS, Cursor, Part
from fraiseql.protocol.http11.semantics import Fields, Line
from fraiseql.protocol.http11.target import check_target

__all__ = ["REQUEST", "RESPONSE", "HeadReader", "Kind"]

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
_SHORT: Final = 4_096  # beyond, more than one head is there, or a body, or a head that is not remembered
_MAX_DIGITS: Final = 20  # of a Content-Length that the memory takes up

_NOWHERE: Final = (0, 0)
_NO_LINE: Final = (b"", b"", b"")
_NO_FIELDS: Final = ()

Meaning = TypeVar("Meaning")


class Kind:
    """What tells the heads of requests and responses apart.

    Args:
        line: the pattern of the first line: three groups.
        start: where its walk begins.
        overflow: the fault of a head that is too long in its first part.
    """

    def __init__(self, line: bytes, start: Part, overflow: tuple[str, int]) -> None:
        self.line = re.compile(line)
        self.start = start
        self.overflow = overflow
        self.small: dict[int, re.Pattern[bytes]] = {}
        self._line = line

    def compile(self, count: int) -> re.Pattern[bytes] | None:
        """The pattern of a complete head of so many fields, kept in `small`; None where they are too many."""
        if 0 <= count <= MAX_LINES:
            return self.small.setdefault(count, small_head(self._line, count))
        return None


REQUEST: Final = Kind(REQUEST_LINE, _START, _LONG_METHOD)
RESPONSE: Final = Kind(STATUS_LINE, _STATUS, _LONG_HEAD)


class HeadReader(Generic[Meaning]):
    """Reads the heads of one connection, one after the other.

    It remembers the last head, since clients repeat theirs: the next one that has the same bytes, but perhaps other
    digits in Content-Length, is not parsed again. A long head is not remembered, lest idle connections hold it.

    Args:
        kind: of the heads.
        limits: of what the peer may send.
        interpret: gives a head its meaning, or raises RemoteProtocolError. Depends on its arguments only.

    Attributes:
        line: the parts of the first line of the last head.
        fields: its fields by name, in the order of the wire; or its field lines, where a name is repeated.
        meaning: what it means for the codec.
    """

    __slots__ = (
        "_blank_lines",
        "_cursor",
        "_digits",
        "_interpret",
        "_kind",
        "_limits",
        "_lines",
        "_max_fields",
        "_max_head",
        "_max_target",
        "_raw",
        "fields",
        "line",
        "meaning",
    )

    line: Line
    fields: Fields
    meaning: Meaning

    def __init__(self, kind: Kind, limits: HttpLimits, interpret: Callable[[Line, Fields], Meaning]) -> None:
        self._kind = kind
        self._limits = limits
        self._interpret = interpret
        self._max_head = limits.max_head
        self._max_fields = limits.max_fields
        self._max_target = limits.max_target if kind is REQUEST else 3  # the digits of a status
        self._cursor: Cursor | None = None
        self._blank_lines = 0
        self._lines = 0  # that were walked over
        self._raw = b""  # the last head
        self._digits = _NOWHERE  # where it has those of Content-Length, if it can be recognised without them

    @property
    def begun(self) -> bool:
        """Whether any byte of a head, or of a blank line before it, was read."""
        return self._cursor is not None

    def read(self, buffer: bytearray) -> bool:
        """Take the head at the front of the buffer; False where it is incomplete.

        Raises:
            RemoteProtocolError: the head is malformed (400), or its version or method is not ours (501, 505).
            LimitExceeded: the head, its target or its fields exceed a limit (414, 431, 501).
        """
        cursor = self._cursor
        if cursor is None:
            raw = self._raw
            if buffer == raw:  # or both are empty
                buffer.clear()
                if raw:
                    return True
                self.line, self.fields = _NO_LINE, _NO_FIELDS  # those of a long head, which nobody asks for any more
                return False
            if not buffer:
                return False
            if len(buffer) > len(raw) > 0 and buffer.startswith(raw):
                del buffer[: len(raw)]
                return True
            if self._digits is not _NOWHERE and self._read_similar(buffer):
                return True
            if len(buffer) <= _SHORT and self._read_usual(buffer, buffer.count(_LF) - 2):
                return True
            if self._read_unusual(buffer):
                self._forget_long()
                return True
            cursor = self._cursor = Cursor(self._kind.start, 0, self._limits.max_head, self._kind.overflow)
        return self._walk(buffer, cursor)

    def _read_similar(self, buffer: bytearray) -> bool:
        """Take the head at the front, if it differs from the last one by the digits of Content-Length only."""
        raw, (start, end) = self._raw, self._digits
        assert isinstance(self.fields, dict)
        if not buffer.startswith(raw[:start]):
            return False
        found = buffer.find(_CR, start, start + _MAX_DIGITS + 1)
        digits = bytes(buffer[start:found])
        length = len(raw) + len(digits) - (end - start)
        if found < 0 or not digits.isdigit() or length > self._max_head:
            return False
        if not buffer.startswith(raw[end:], found):
            return False
        fields = {**self.fields, b"content-length": digits}
        self.meaning = self._interpret(self.line, fields)  # it may refuse
        self._raw, self.fields, self._digits = bytes(buffer[:length]), fields, (start, found)
        del buffer[:length]
        return True

    def _read_usual(self, buffer: bytearray, count: int) -> bool:
        """Take the head at the front, if it has so many fields, the usual form, and is within the limits."""
        pattern = self._kind.small.get(count) or self._kind.compile(count)
        found = None if pattern is None else pattern.match(buffer, 0, self._max_head)
        if found is None:
            return False
        parts = found.groups()
        if count > self._max_fields or len(parts[1]) > self._max_target:
            return False
        # Pairs by construction, and `strict` would cost 3 % of a head: hence the marks B905.
        rest = iter(parts)
        line = next(rest), next(rest), next(rest)
        fields: Fields = {name.lower(): value for name, value in zip(rest, rest)}  # noqa: B905
        if len(fields) != count:
            rest = iter(parts[3:])
            fields = tuple([(name.lower(), value) for name, value in zip(rest, rest)])  # noqa: B905
        raw = found[0]
        self.meaning = self._interpret(line, fields)  # it may refuse
        self.line = line
        self.fields = fields
        self._raw = raw
        self._digits = _NOWHERE
        if b"content-length" in fields:  # never in field lines, which are pairs
            self._digits = found.span(5 + 2 * list(fields).index(b"content-length"))
        if len(raw) == len(buffer):
            buffer.clear()  # in half the time of `del`
        else:
            del buffer[: len(raw)]
        return True

    def _read_unusual(self, buffer: bytearray) -> bool:
        """Take the head at the front, if it is complete, well-formed and within the limits."""
        end = buffer.find(b"\r\n\r\n", 0, self._max_head)
        if end < 0:
            return False
        if end + 4 < len(buffer) and self._read_usual(buffer, buffer.count(_LF, 0, end)):  # bytes follow it
            return True
        return self._split(buffer, end + 4)

    def _split(self, buffer: bytearray, end: int) -> bool:
        """Take the head that ends there, of any number of fields, if it is well-formed and within the limits."""
        found = self._kind.line.match(buffer, 0, end)
        if found is None:
            return False
        first, parts = found.end(), found.groups()
        count = buffer.count(_LF, first, end) - 1
        if count > self._max_fields or len(parts[1]) > self._max_target:
            return False
        lines = split_fields(buffer, first, end, count)
        if lines is None:
            return False
        line, unique = (parts[0], parts[1], parts[2]), dict(lines)
        fields = unique if len(unique) == count else lines
        self.meaning = self._interpret(line, fields)  # it may refuse
        self._raw, self.line, self.fields, self._digits = bytes(buffer[:end]), line, fields, _NOWHERE
        del buffer[:end]
        return True

    def _walk(self, buffer: bytearray, cursor: Cursor) -> bool:
        while cursor.advance(buffer):
            if cursor.part is _END:
                complete = self._split(buffer, cursor.pos)
                assert complete, "the cursor accepts what the patterns refuse"
                self._forget_long()
                self._cursor, self._lines, self._blank_lines = None, 0, 0
                return True
            self._halt(cursor, buffer)
        return False

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

    def _forget_long(self) -> None:
        if len(self._raw) > _SHORT:
            self._raw, self._digits = b"", _NOWHERE

    def _count(self, lines: int) -> None:
        self._lines += lines
        if self._lines > self._limits.max_fields:
            raise LimitExceeded("too many fields", status=431)  # RFC 6585 §5


def _check_major(digit: int) -> None:
    if digit == 0x30:
        raise RemoteProtocolError("HTTP/0.9 has no such request line")
    if digit != 0x31:
        raise RemoteProtocolError("only HTTP/1.1 and HTTP/1.0 are spoken here", status=505)  # RFC 9110 §15.6.6

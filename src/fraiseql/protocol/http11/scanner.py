"""Walks over a message that arrives in pieces, byte class by byte class, and refuses the first impossible byte.

The grammar is a table: each part names the bytes that continue it and the bytes that lead on to another part. A byte
that does neither is the peer's fault. The walk never looks at a byte twice, wherever the input was cut.

The walk halts where its caller has something to count or to decide: at the parts in `_HALTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from re import Match
from re import compile as compile_pattern
from typing import Final, cast

from fraiseql.errors import LimitExceeded, RemoteProtocolError
from fraiseql.protocol.http11.grammar import (
    DIGITS,
    FIELD_CHARS,
    HEX_DIGITS,
    QUOTED_CHARS,
    TARGET_CHARS,
    TOKEN_CHARS,
)

__all__ = ["PARTS", "Cursor", "Part"]

_BARE_LF = {rb"\n": "a line ends in CR LF, not in LF alone"}  # RFC 9112 §2.2
_FIELD_START = {rb"\r": "end-lf", TOKEN_CHARS: "name"}
_AFTER_EXTENSION = {rb";": "extension", rb"\r": "size-lf"}

_Row = tuple[str, bytes, dict[bytes, str], dict[bytes, str]]

# part: what is expected there, bytes that continue it, bytes that lead to another part, remarks on some wrong bytes
_TABLE: dict[str, _Row] = {
    # RFC 9112 §2.2: blank lines before a request line. §3: method SP request-target SP HTTP-version CRLF
    "start": ("a method", b"", {TOKEN_CHARS: "method", rb"\r": "blank"}, _BARE_LF),
    "blank": ("LF", b"", {rb"\n": "start"}, {}),
    "method": ("a method and one space", TOKEN_CHARS, {rb" ": "target-start"}, {}),
    "target-start": ("a request target", b"", {TARGET_CHARS: "target"}, {}),
    "target": (
        "a request target and one space",
        TARGET_CHARS,
        {rb" ": "version-0"},
        {rb"\r\n": "no HTTP version", rb"#": "a fragment"},
    ),
    "version-0": ("HTTP/1.1", b"", {rb"H": "version-1"}, {}),
    "version-1": ("HTTP/1.1", b"", {rb"T": "version-2"}, {}),
    "version-2": ("HTTP/1.1", b"", {rb"T": "version-3"}, {}),
    "version-3": ("HTTP/1.1", b"", {rb"P": "version-4"}, {}),
    "version-4": ("HTTP/1.1", b"", {rb"/": "version-5"}, {}),
    "version-5": ("HTTP/1.1", b"", {DIGITS: "version-6"}, {}),
    "version-6": ("HTTP/1.1", b"", {rb"\.": "version-7"}, {}),
    "version-7": ("HTTP/1.1", b"", {DIGITS: "version-end"}, {}),
    "version-end": ("CR LF after the HTTP version", b"", {rb"\r": "line-lf"}, _BARE_LF),
    # RFC 9112 §4: HTTP-version SP status-code SP [ reason-phrase ] CRLF
    "status-start": ("HTTP/1.1", b"", {rb"H": "status-1"}, {}),
    "status-1": ("HTTP/1.1", b"", {rb"T": "status-2"}, {}),
    "status-2": ("HTTP/1.1", b"", {rb"T": "status-3"}, {}),
    "status-3": ("HTTP/1.1", b"", {rb"P": "status-4"}, {}),
    "status-4": ("HTTP/1.1", b"", {rb"/": "status-5"}, {}),
    "status-5": ("HTTP/1.1", b"", {rb"1": "status-6"}, {}),
    "status-6": ("HTTP/1.1", b"", {rb"\.": "status-7"}, {}),
    "status-7": ("HTTP/1.1", b"", {DIGITS: "status-version-end"}, {}),
    "status-version-end": ("one space", b"", {rb" ": "digit-1"}, {}),
    "digit-1": ("a status of 100 to 599", b"", {rb"1-5": "digit-2"}, {}),  # RFC 9110 §15
    "digit-2": ("a digit", b"", {DIGITS: "digit-3"}, {}),
    "digit-3": ("a digit", b"", {DIGITS: "digits-end"}, {}),
    "digits-end": ("one space", b"", {rb" ": "reason"}, {}),
    "reason": ("a reason and CR LF", FIELD_CHARS, {rb"\r": "line-lf"}, _BARE_LF),
    "line-lf": ("LF after CR", b"", {rb"\n": "first-field"}, {}),
    # RFC 9112 §5: field-name ":" OWS field-value OWS CRLF
    "first-field": ("a field name", b"", _FIELD_START, {rb"\t ": "white space before the first field", **_BARE_LF}),
    "next-field": ("a field name", b"", _FIELD_START, {rb"\t ": "a folded field line", **_BARE_LF}),
    "name": ("a field name and a colon", TOKEN_CHARS, {rb":": "value"}, {rb"\t ": "white space before the colon"}),
    "value": ("a field value and CR LF", FIELD_CHARS, {rb"\r": "value-lf"}, _BARE_LF),
    "value-lf": ("LF after CR", b"", {rb"\n": "next-field"}, {}),
    "end-lf": ("LF after CR", b"", {rb"\n": "end"}, {}),
    "end": ("", b"", {}, {}),
    # RFC 9112 §7.1: chunk-size [chunk-ext] CRLF chunk-data CRLF. The white space that §7.1.1 calls bad is refused.
    "size-start": ("a chunk size", b"", {HEX_DIGITS: "size"}, {}),
    "size": ("a chunk size and CR LF", HEX_DIGITS, _AFTER_EXTENSION, _BARE_LF),
    "extension": ("a chunk extension's name", b"", {TOKEN_CHARS: "extension-name"}, {}),
    "extension-name": (
        "a chunk extension",
        TOKEN_CHARS,
        {rb"=": "extension-value-start", **_AFTER_EXTENSION},
        _BARE_LF,
    ),
    "extension-value-start": ("a chunk extension's value", b"", {TOKEN_CHARS: "extension-value", rb'"': "quoted"}, {}),
    "extension-value": ("a chunk extension's value", TOKEN_CHARS, _AFTER_EXTENSION, _BARE_LF),
    "quoted": ("a quoted string", QUOTED_CHARS, {rb"\\": "quoted-pair", rb'"': "quoted-end"}, {}),
    "quoted-pair": ("a quoted character", b"", {FIELD_CHARS: "quoted"}, {}),
    "quoted-end": ("a chunk extension or CR LF", b"", _AFTER_EXTENSION, _BARE_LF),
    "size-lf": ("LF after CR", b"", {rb"\n": "chunk-data"}, {}),
    "chunk-data": ("", b"", {}, {}),
    "data-end": ("CR LF after the chunk's data", b"", {rb"\r": "data-lf"}, _BARE_LF),
    "data-lf": ("LF after CR", b"", {rb"\n": "size-start"}, {}),
}

_HALTS = frozenset(
    {
        "start",  # a blank line was read
        "blank",  # a blank line begins: their number is bounded
        "target-start",  # the target is bounded
        "version-0",  # its bound ends
        "version-end",  # the version is one we speak, or not
        "first-field",  # the first line is complete
        "next-field",  # whole lines are skipped
        "name",  # the number of fields is bounded
        "end",
        "extension",  # chunk extensions are bounded
        "size-lf",  # their bound ends
        "chunk-data",
        "size-start",
    }
)


@dataclass(slots=True, eq=False)
class Part:
    """One row of the table, compiled."""

    name: str
    expected: str
    halts: bool
    run: Callable[[bytearray, int, int], Match[bytes]] | None
    leads: dict[int, Part] = field(default_factory=dict)
    remarks: dict[int, str] = field(default_factory=dict)

    def fault(self, byte: int) -> RemoteProtocolError:
        """The error for a byte that cannot stand here."""
        remark = self.remarks.get(byte)
        reason = f"expected {self.expected}, not byte 0x{byte:02x}"
        return RemoteProtocolError(f"{reason} ({remark})" if remark else reason)


def _members(characters: bytes) -> list[int]:
    found = compile_pattern(rb"[" + characters + rb"]").findall(bytes(range(256)))
    return [byte[0] for byte in found]


def _compile() -> dict[str, Part]:
    parts: dict[str, Part] = {}
    for name, (expected, continues, _, _) in _TABLE.items():
        match = compile_pattern(rb"[" + continues + rb"]*+").match if continues else None
        run = cast("Callable[[bytearray, int, int], Match[bytes]] | None", match)  # a pattern that may be empty matches
        parts[name] = Part(name, expected, name in _HALTS, run)
    for name, (_, _, leads, remarks) in _TABLE.items():
        for characters, target in leads.items():
            parts[name].leads.update((byte, parts[target]) for byte in _members(characters))
        for characters, remark in remarks.items():
            parts[name].remarks.update((byte, remark) for byte in _members(characters))
    return parts


PARTS: Final = _compile()


class Cursor:
    """A place in a buffer and in the grammar.

    Attributes:
        part: where in the grammar.
        pos: the first byte of the buffer that was not walked over yet.
        end: how far the walk may go. A part that needs more is the peer's fault ...
        overflow: ... with this message and status.
    """

    __slots__ = ("end", "overflow", "part", "pos")

    def __init__(self, part: Part, pos: int, end: int, overflow: tuple[str, int]) -> None:
        self.part = part
        self.pos = pos
        self.end = end
        self.overflow = overflow

    def restart(self, part: Part, end: int, overflow: tuple[str, int]) -> None:
        """Begin another section at the front of the buffer."""
        self.part = part
        self.pos = 0
        self.end = end
        self.overflow = overflow

    def bound(self, end: int, overflow: tuple[str, int]) -> None:
        """Set how far the walk may go, and what the peer did wrong if it must go further."""
        self.end = end
        self.overflow = overflow

    def advance(self, buffer: bytearray) -> bool:
        """Walk to the next halt; False where the buffer ends before it.

        Raises:
            RemoteProtocolError: a byte cannot stand where it does (status 400).
            LimitExceeded: the bound was reached.
        """
        part, pos, end = self.part, self.pos, min(len(buffer), self.end)
        halted = False
        while pos < end and not halted:
            if part.run is not None:
                pos = part.run(buffer, pos, end).end()
                if pos == end:
                    break
            following = part.leads.get(buffer[pos])
            if following is None:
                raise part.fault(buffer[pos])
            part = following
            pos += 1
            halted = part.halts
        self.part, self.pos = part, pos
        if not halted and pos >= self.end:
            message, status = self.overflow
            raise LimitExceeded(message, status=status)
        return halted

"""The grammar of RFC 9110 and RFC 9112 as compiled patterns, in its strict reading.

All quantifiers are possessive, so a match takes time linear in the input.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "CHUNK_LINE",
    "DIGITS",
    "FIELD_CHARS",
    "FIELD_LINE",
    "FIELD_VALUE",
    "HEX_DIGITS",
    "HOST",
    "NEXT_CHUNK_LINE",
    "QUOTED_CHARS",
    "REQUEST_HEAD",
    "TARGET_CHARS",
    "TOKEN",
    "TOKEN_CHARS",
    "parse_fields",
]

# Character classes, each the inside of a [...].
DIGITS: Final = rb"0-9"
HEX_DIGITS: Final = rb"0-9A-Fa-f"
TOKEN_CHARS: Final = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"  # RFC 9110 §5.6.2
FIELD_CHARS: Final = rb"\t -~\x80-\xff"  # RFC 9110 §5.5: visible, obs-text, SP and HTAB
QUOTED_CHARS: Final = rb"\t !#-\[\]-~\x80-\xff"  # RFC 9110 §5.6.4 qdtext
# All that is visible but the fragment's mark. RFC 3986 allows less, but browsers send `{|}` and command lines `"<>` in
# a query as they are, and none of these delimits anything here.
TARGET_CHARS: Final = rb"!\"$-~"

_TOKEN = rb"[" + TOKEN_CHARS + rb"]++"
_LINES = rb"(?:" + _TOKEN + rb":[" + FIELD_CHARS + rb"]*+\r\n)*+"

REQUEST_HEAD: Final = re.compile(
    rb"(" + _TOKEN + rb") ([" + TARGET_CHARS + rb"]++) HTTP/1\.([0-9])\r\n(" + _LINES + rb")\r\n"
)
"""Method, target, minor version and field lines of a complete head: exactly what the table of `scanner.py` accepts."""

FIELD_LINE: Final = re.compile(rb"(" + _TOKEN + rb"):[\t ]*+([" + FIELD_CHARS + rb"]*+)\r\n")
"""Name and value of one line that is known to be valid; the value may end in white space."""

TOKEN: Final = re.compile(_TOKEN)
FIELD_VALUE: Final = re.compile(rb"(?:[!-~\x80-\xff]++(?:[\t ]++[!-~\x80-\xff]++)*+)?+")
"""A value as we send it: no white space around it."""

CHUNK_LINE: Final = re.compile(rb"([" + HEX_DIGITS + rb"]++)\r\n")
"""A chunk's size, without extensions."""
NEXT_CHUNK_LINE: Final = re.compile(rb"\r\n([" + HEX_DIGITS + rb"]++)\r\n")
"""The end of a chunk's data and the size of the next chunk."""

# RFC 9110 §7.2: uri-host [":" port]; no user information. What stands in brackets is checked further.
HOST: Final = re.compile(rb"(?:\[([^\]]*+)\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]++|%[0-9A-Fa-f]{2})*+)(?::[0-9]*+)?+")


def parse_fields(lines: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Split field lines that are known to be valid into lower-case names and values without white space around them."""
    fields = FIELD_LINE.findall(lines)
    if b" \r" in lines or b"\t\r" in lines:
        return tuple([(name.lower(), value.rstrip(b"\t ")) for name, value in fields])
    return tuple([(name.lower(), value) for name, value in fields])

"""The grammar of RFC 9110 and RFC 9112 as compiled patterns, in its strict reading.

All quantifiers are possessive, so a match takes time linear in the input.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

__all__ = [
    "CHUNK_LINE",
    "DIGITS",
    "FIELD_CHARS",
    "FIELD_LINES",
    "FIELD_VALUE",
    "HEX_DIGITS",
    "HOST",
    "MAX_LINES",
    "PROTOCOL",
    "QUOTED_CHARS",
    "REQUEST_LINE",
    "STATUS_LINE",
    "TARGET",
    "TARGET_CHARS",
    "TOKEN",
    "TOKENS",
    "TOKEN_CHARS",
    "field_lines",
    "small_head",
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
_VALUE = rb"[" + FIELD_CHARS + rb"]*+"

REQUEST_LINE: Final = rb"(" + _TOKEN + rb") ([" + TARGET_CHARS + rb"]++) HTTP/1\.([" + DIGITS + rb"])\r\n"
"""Method, target and minor version (RFC 9112 §3)."""

STATUS_LINE: Final = rb"HTTP/1\.([" + DIGITS + rb"]) ([1-5][" + DIGITS + rb"]{2}) (" + _VALUE + rb")\r\n"
"""Minor version, status and reason (RFC 9112 §4); other statuses are invalid (RFC 9110 §15)."""

FIELD_LINES: Final = re.compile(rb"(?:" + _TOKEN + rb":" + _VALUE + rb"\r\n)*+")
"""As many complete field lines as there are (RFC 9112 §5)."""

MAX_LINES: Final = 64  # in one pattern: browsers send about 15 fields; a pattern of 64 takes 3 ms to compile, once


def small_head(first_line: bytes, count: int) -> re.Pattern[bytes]:
    """A complete head of `count` fields, without tabs and without white space after values: the usual ones.

    The groups are those of the first line, then name and value of each field.
    """
    line = rb"(" + _TOKEN + rb"): *+([ -~\x80-\xff]*+)(?<! )\r\n"
    return re.compile(first_line + line * count + rb"\r\n")


@cache
def field_lines(count: int) -> re.Pattern[bytes]:
    """Name and value of each of `count` field lines; a value may end in white space."""
    return re.compile((rb"(" + _TOKEN + rb"):[\t ]*+(" + _VALUE + rb")\r\n") * count)


TOKEN: Final = re.compile(_TOKEN)
TOKENS: Final = re.compile(_TOKEN + rb"(?:[\t ]*+,[\t ]*+" + _TOKEN + rb")*+")
"""A list of tokens, none of them empty (RFC 9110 §5.6.1)."""
PROTOCOL: Final = re.compile(_TOKEN + rb"(?:/" + _TOKEN + rb")?+")
"""A protocol's name, and perhaps its version, in Upgrade (RFC 9110 §7.8)."""
TARGET: Final = re.compile(rb"[" + TARGET_CHARS + rb"]++")
FIELD_VALUE: Final = re.compile(rb"(?:[!-~\x80-\xff]++(?:[\t ]++[!-~\x80-\xff]++)*+)?+")
"""A value as we send it: no white space around it."""

CHUNK_LINE: Final = re.compile(rb"\r\n([" + HEX_DIGITS + rb"]++)\r\n")
"""The end of a chunk's data and the size of the next chunk, without extensions."""

# RFC 9110 §7.2: uri-host [":" port]; no user information. What stands in brackets is checked further.
HOST: Final = re.compile(rb"(?:\[([^\]]*+)\]|(?:[A-Za-z0-9\-._~!$&'()*+,;=]++|%[0-9A-Fa-f]{2})*+)(?::[0-9]*+)?+")

"""Reads PostgreSQL's JSON: with numbers as they are written, or for methods, and however deep JSON scalars nest."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

__all__ = ["TOO_DEEP", "read", "read_outer", "read_row"]

_DEEP: Final = 200  # of 254 levels that are written, and fewer than the stack allows to read
_BRACKET: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]')
_MAX_DIGITS: Final = 4_300  # Python's own limit of what it reads as an integer

TOO_DEEP: Final = object()
"""Stands in a row for what nests too deep to be read."""


def read(text: bytes) -> Any:
    """Read JSON; numbers stay as they are written: they may have more digits than Python reads, or than a float keeps.

    Raises:
        RecursionError: it nests too deep.
    """
    return json.loads(text, parse_int=orjson.Fragment, parse_float=orjson.Fragment)


def read_outer(text: bytes) -> Any:
    """The same, where what lies deeper than any selection stays as it is written: that is of JSON scalars."""
    outer, deep = _cut(text)
    places = iter(deep)
    return json.loads(
        outer,
        parse_int=orjson.Fragment,
        parse_float=orjson.Fragment,
        parse_constant=lambda _: orjson.Fragment(next(places)),
    )


def read_row(text: bytes) -> tuple[Any, bool]:
    """Read JSON with its numbers; the other result is whether TOO_DEEP stands in it for what cannot be read."""
    try:
        return json.loads(text, parse_int=_int), False
    except RecursionError:
        return json.loads(_cut(text)[0], parse_int=_int, parse_constant=lambda _: TOO_DEEP), True


def _cut(text: bytes) -> tuple[bytes, list[bytes]]:
    """The JSON with a NaN, which JSON does not have, for each value that lies deep in it, and these."""
    kept: list[bytes] = []
    deep: list[bytes] = []
    level = begin = end = 0
    for match in _BRACKET.finditer(text):
        if match[0] in (b"[", b"{"):
            level += 1
            if level == _DEEP:
                begin = match.start()
                kept.append(text[end:begin])
        elif match[0] in (b"]", b"}"):
            if level == _DEEP:
                end = match.end()
                deep.append(text[begin:end])
            level -= 1
    return b"NaN".join([*kept, text[end:]]), deep


def _int(digits: str) -> Any:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits

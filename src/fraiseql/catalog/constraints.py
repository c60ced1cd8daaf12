"""What a check constraint that lists texts allows, read from PostgreSQL's own spelling of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["allowed_values"]

_CAST: Final = r"(?:::[a-z ]+(?:\(\d+\))?(?:\[\])?)?"
_LITERAL: Final = rf"\(?'(?:[^']|'')*'{_CAST}\)?{_CAST}"
_NAME: Final = r'(?:"(?:[^"]|"")+"|[^\s()":\']+)'
_LEFT: Final = rf"\(?\(?{_NAME}\)?{_CAST}\)?"
_MANY: Final = rf"ANY \(\(?ARRAY\[(?P<many>{_LITERAL}(?:, {_LITERAL})*)\]\)?{_CAST}\)"
_LIST: Final = re.compile(rf"CHECK \(+{_LEFT} = (?:{_MANY}|(?P<one>{_LITERAL}))\)+")
_VALUE: Final = re.compile(r"'((?:[^']|'')*)'")


def allowed_values(constraints: Iterable[str]) -> frozenset[str] | None:
    """The texts that all constraints of a column allow that are mere lists of texts; None where none is one."""
    allowed: frozenset[str] | None = None
    for constraint in constraints:
        match = _LIST.fullmatch(constraint)
        if match is None or "\\" in constraint:
            continue
        texts = frozenset(text.replace("''", "'") for text in _VALUE.findall(match["many"] or match["one"]))
        allowed = texts if allowed is None else allowed & texts
    return allowed

"""The refusal of a request that nests deeper than the stack allows; what it says is only counted then."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Final

from fraiseql.errors import RequestError
from fraiseql.pipeline.response import Outcome, Refusal

__all__ = ["nests_too_deep"]

# Strings and comments, whose brackets do not nest, and brackets (GraphQL §2.1.4, §2.9.4).
_TOKEN: Final = re.compile(r'"""(?:\\"""|[^"]|"(?!""))*"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|[({\[]|[)}\]]')


def nests_too_deep(text: str, variables: Mapping[str, Any] | None = None) -> Refusal:
    """The refusal, with the levels of the document or the variables, whichever are more."""
    levels = max(_levels_of_document(text), _levels_of_value(variables or {}))
    frames = sys.getrecursionlimit()  # how many frames one level takes depends on what nests
    message = f"The request nests {levels} levels deep, too deep for the limit of {frames} frames of the stack."
    return Refusal(Outcome.NOT_VALID, [RequestError(message, code="QUERY_TOO_COMPLEX")])


def _levels_of_document(text: str) -> int:
    level = deepest = 0
    for match in _TOKEN.finditer(text):
        if match[0] in ("(", "{", "["):
            level += 1
            deepest = max(deepest, level)
        elif match[0] in (")", "}", "]"):
            level -= 1
    return deepest


def _levels_of_value(value: Any) -> int:
    levels, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        levels += 1
        level = [below for item in level for below in (item.values() if isinstance(item, dict) else item)]
    return levels

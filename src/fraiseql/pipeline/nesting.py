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
_SELECTION_TOKEN: Final = re.compile(rf"{_TOKEN.pattern}|\.\.\.(?=[\s,]*(?:on\b|@|\{{))")


def nests_too_deep(text: str, max_depth: int, variables: Mapping[str, Any] | None = None) -> Refusal:
    """The refusal, with the levels of fields where these exceed their limit, or of whatever nests deepest.

    Args:
        max_depth: the limit on levels of fields.
    """
    fields = _levels_of_fields(text)
    if fields > max_depth:
        message = f"The query has {fields} levels of fields; the limit is {max_depth}."
        return Refusal(Outcome.NOT_VALID, [RequestError(message, code="QUERY_TOO_COMPLEX")])
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


def _levels_of_fields(text: str) -> int:
    """The levels in one definition of a document; those of inline fragments are none."""
    deepest = arguments = 0
    is_fragment = False
    levels = [0]
    for match in _SELECTION_TOKEN.finditer(text):
        mark = match[0]
        if mark in ("(", ")"):
            arguments += 1 if mark == "(" else -1
        elif mark == "..." and not arguments:
            is_fragment = True
        elif mark in ("{", "}") and not arguments:
            if mark == "{":
                levels.append(levels[-1] + (not is_fragment))
            elif len(levels) > 1:
                levels.pop()
            deepest = max(deepest, levels[-1])
            is_fragment = False
    return deepest


def _levels_of_value(value: Any) -> int:
    levels, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        levels += 1
        level = [below for item in level for below in (item.values() if isinstance(item, dict) else item)]
    return levels

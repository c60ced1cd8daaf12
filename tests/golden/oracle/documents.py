"""Conditions on JSON, as jsonb has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from golden.oracle.values import JSON_NULL

__all__ = ["PATHS", "document_condition"]

Path = Callable[[Any], "bool | None"]


def _members(value: Any, name: str) -> list[Any]:
    """`$.name` in lax mode: a list is searched one level deep."""
    objects = value if isinstance(value, list) else [value]
    return [each[name] for each in objects if isinstance(each, dict) and name in each]


def _items(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _above(name: str, bound: int) -> Path:
    """`$.name > bound`: unknown where no number is above it and something is neither a number nor null."""

    def holds(value: Any) -> bool | None:
        found = _items(_members(value, name))
        if any(_is_number(item) and item > bound for item in found):
            return True
        return None if any(not _is_number(item) and item is not None for item in found) else False

    return holds


PATHS: Final[Mapping[str, Path]] = {
    "$": lambda _: True,
    "$.a": lambda value: bool(_members(value, "a")),
    "$.a.b[*]": lambda value: bool(_items(_items([_members(each, "b") for each in _members(value, "a")]))),
    '$.tags[*] ? (@ == "x")': lambda value: "x" in _items(_members(value, "tags")),
    "exists($.words)": lambda value: bool(_members(value, "words")),
    "$.words > 1000": _above("words", 1000),
}
"""The few SQL/JSON paths that are decided here."""


def document_condition(value: Any, operator: str, given: Any) -> bool | None:
    """One condition.

    JSON's null counts as null where nulls are asked for and values compared; to the others it is a value.
    """
    is_null = value is None or value is JSON_NULL
    if operator == "isnull":
        return is_null is given
    if operator == "distinctFrom":
        return not is_null if given is None else is_null or not _same(value, given)
    if operator in ("eq", "neq") and given is None:
        return is_null is (operator == "eq")
    if value is None or (is_null and operator in ("eq", "neq", "containedBy")):
        return False if is_null and value is not None and operator == "eq" else None
    held = None if value is JSON_NULL else value
    if operator in ("eq", "neq"):
        return _same(held, given) is (operator == "eq")
    if operator in ("contains", "containedBy"):
        return _contains(held, given) if operator == "contains" else _contains(given, held)
    if operator in ("pathExists", "pathMatch"):
        return PATHS[given](held)
    keys = [given] if operator == "hasKey" else given
    return (any if operator == "hasAnyKeys" else all)(_has_key(held, key) for key in keys)


def _has_key(value: Any, key: str) -> bool:
    """Of an object; of a list, or alone, a string."""
    return key in value if isinstance(value, dict) else key in (value if isinstance(value, list) else [value])


def _same(one: Any, other: Any) -> bool:
    """Equal to jsonb, which tells true from 1, and not 1 from 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return (
        _is_number(one) is _is_number(other)
        and type(one == other) is bool
        and isinstance(one, bool) is isinstance(other, bool)
        and bool(one == other)
    )


def _contains(whole: Any, part: Any, *, at_top: bool = True) -> bool:
    """PostgreSQL §8.14.3."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and _contains(whole[key], each, at_top=False) for key, each in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(_contains(item, each, at_top=False) for item in whole) for each in part)
    if at_top and isinstance(whole, list) and not isinstance(part, dict):  # a list may contain a single value
        return any(_same(item, part) for item in whole)
    return _same(whole, part)

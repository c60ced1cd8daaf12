"""What a check constraint that lists texts allows, read from PostgreSQL's own spelling of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from fraiseql.catalog.facts import Column, DataType, Table

__all__ = ["Listed", "allowed_values", "listed_values"]

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


class Listed(NamedTuple):
    """The texts that a column can hold, and what says so."""

    values: tuple[str, ...]
    origin: str


def listed_values(column: Column, table: Table, *, is_list: bool = False) -> Listed | None:
    """The texts that an enum or a check allows in a column, or in the lists that it holds; None where nothing does."""
    element = column.type.bare.element or column.type
    if element.bare.labels:
        return Listed(element.bare.labels, f"the enum {element.bare.name}")
    checks = [*_domain_checks(element), *(() if is_list else table.checks.get(column.name, ()))]
    allowed = allowed_values(checks)
    return None if allowed is None else Listed(tuple(sorted(allowed)), f"the check on {table.quoted}.{column.quoted}")


def _domain_checks(type: DataType) -> tuple[str, ...]:
    return type.checks + (() if type.base is None else _domain_checks(type.base))

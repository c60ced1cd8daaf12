"""Ranges, as PostgreSQL compares and shows them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

__all__ = ["EMPTY", "RANGES", "Range"]


class Range(NamedTuple):
    """None is no bound; of whole numbers and days the lower one is in and the upper one out."""

    lower: Any
    upper: Any
    has_lower: bool = True
    has_upper: bool = False
    is_empty: bool = False

    def key(self) -> Any:
        """In PostgreSQL's order: the empty one, then by the lower, then by the upper bound."""
        return (0,) if self.is_empty else (1, self.start(), self.end())

    def start(self) -> Any:
        return (0,) if self.lower is None else (1, self.lower, not self.has_lower)

    def end(self) -> Any:
        return (2,) if self.upper is None else (1, self.upper, self.has_upper)

    def contains(self, other: Range) -> bool:
        if other.is_empty or self.is_empty:
            return other.is_empty
        return bool(self.start() <= other.start() and self.end() >= other.end())

    def has(self, element: Any) -> bool:
        return self.contains(Range(element, element, has_upper=True))

    def before(self, other: Range) -> bool:
        """Whether it ends before the other begins."""
        if self.is_empty or other.is_empty or self.upper is None or other.lower is None:
            return False
        is_shared = self.has_upper and other.has_lower
        return bool(self.upper < other.lower or (self.upper == other.lower and not is_shared))

    def overlaps(self, other: Range) -> bool:
        return not (self.is_empty or other.is_empty or self.before(other) or other.before(self))

    def touches(self, other: Range) -> bool:
        """Whether one ends just where the other begins."""
        return any(
            left.upper is not None and left.upper == right.lower and left.has_upper is not right.has_lower
            for left, right in ((self, other), (other, self))
            if not (left.is_empty or right.is_empty)
        )


EMPTY: Final = Range(None, None, is_empty=True)


@dataclass(frozen=True, slots=True)
class _Parts:
    """How the bounds of one type are read and shown."""

    bound: Callable[[str], Any]
    text: Callable[[Any], str]

    def read(self, text: str) -> Range:
        if text == "empty":
            return EMPTY
        lower, upper = text[1:-1].split(",")
        low, high = (self.bound(part) if part else None for part in (lower, upper))
        return Range(low, high, text[0] == "[", text[-1] == "]")

    def shown(self, value: Range) -> str:
        if value.is_empty:
            return "empty"
        low, high = ("" if bound is None else self.text(bound) for bound in (value.lower, value.upper))
        return f"{'[' if low and value.has_lower else '('}{low},{high}{']' if high and value.has_upper else ')'}"


def _moment(text: str) -> dt.datetime:
    read = dt.datetime.fromisoformat(text)
    return read.replace(tzinfo=dt.UTC) if read.tzinfo is None else read.astimezone(dt.UTC)


def _trimmed(text: str) -> str:
    head, point, fraction = text.partition(".")
    return f"{head}.{fraction.rstrip('0')}" if point else head


RANGES: Final[Mapping[str, _Parts]] = {
    "Int4Range": _Parts(int, str),
    "Int8Range": _Parts(int, str),
    "NumRange": _Parts(Decimal, lambda bound: f"{bound:f}"),
    "DateRange": _Parts(dt.date.fromisoformat, dt.date.isoformat),
    "TsRange": _Parts(dt.datetime.fromisoformat, lambda bound: _trimmed(bound.isoformat())),
    "TstzRange": _Parts(_moment, lambda bound: f"{_trimmed(bound.replace(tzinfo=None).isoformat())}+00:00"),
}

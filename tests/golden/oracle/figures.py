"""What aggregate functions make of native values, as PostgreSQL reckons."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from golden.oracle.values import KINDS, Interval

__all__ = ["FIGURES", "Key", "equal_forms", "result_type", "truncated"]

Key = Callable[[Any], Any]
_EXACT: Final = Context(prec=2_000, rounding=ROUND_HALF_UP)
_SUMS: Final = {"Int": "BigInt", "BigInt": "Decimal"}
_AVERAGES: Final = {"Int": "Decimal", "BigInt": "Decimal"}
_DAY: Final = 86_400


def result_type(function: str, name: str) -> str:
    """The type of a figure about values of a type."""
    if function == "countDistinct":
        return "Int"
    return {"sum": _SUMS, "avg": _AVERAGES}.get(function, {}).get(name, name)


def _sum(values: list[Any], _key: Key) -> Any:
    if not values:
        return None
    if isinstance(values[0], Interval):
        return Interval(*map(sum, zip(*values, strict=True)))
    total = values[0]
    for value in values[1:]:  # one after the other, on which floats depend
        total += value
    return total


def _average(values: list[Any], key: Key) -> Any:
    total = _sum(values, key)
    if total is None:
        return None
    if isinstance(total, Interval):
        return _divided_interval(total, len(values))
    return total / len(values) if isinstance(total, float) else _divided(Decimal(total), len(values))


def _divided(total: Decimal, count: int) -> Decimal:
    """numeric has at least 16 significant digits of a quotient, reckoned in groups of four."""
    (place, first), (other_place, other_first) = _leading(total), _leading(Decimal(count))
    quotient = place - other_place - (first <= other_first)
    scale = max(16 - quotient * 4, -int(total.as_tuple().exponent), 0)
    return _EXACT.quantize(_EXACT.divide(total, Decimal(count)), Decimal(1).scaleb(-scale))


def _leading(value: Decimal) -> tuple[int, int]:
    """The place and the value of the first group of four digits that is not zero."""
    if not value:
        return 0, 0
    place = value.adjusted() // 4
    return place, int(abs(value).scaleb(-4 * place, _EXACT))


def _divided_interval(total: Interval, count: int) -> Interval:
    """What is left of months becomes days, and what is left of days time."""
    months, days = int(total.months / count), int(total.days / count)
    from_months = round((total.months / count - months) * 30, 6)
    seconds = round((total.days / count - days + from_months - int(from_months)) * _DAY, 6)
    days += int(seconds / _DAY) + int(from_months)
    seconds -= int(seconds / _DAY) * _DAY
    return Interval(months, days, round(total.microseconds / count + seconds * 1_000_000))


FIGURES: Final[Mapping[str, Callable[[list[Any], Key], Any]]] = {
    "sum": _sum,
    "avg": _average,
    "min": lambda values, key: min(values, key=key, default=None),
    "max": lambda values, key: max(values, key=key, default=None),
}
"""Of the values that are not null, and what they are ordered by; but for `countDistinct`."""


def equal_forms(value: Any) -> Any:
    """An answer with one form for equal values: any of them may stand for a group, or be the smallest."""
    if isinstance(value, Mapping):
        return {key: equal_forms(below) for key, below in value.items()}
    if isinstance(value, list):
        return [equal_forms(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"-?\d+\.\d+", value):
        return value.rstrip("0").rstrip(".")
    if isinstance(value, str) and re.fullmatch(r"P(-?\d+[YMD])*(T[-\d.HMS]+)?", value):
        return KINDS["Interval"].key(KINDS["Interval"].held(value))
    return value


def truncated(value: Any, unit: str | None) -> Any:
    """The beginning of the unit that a date or a point in time lies in."""
    if value is None or unit is None:
        return value
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC).replace(second=0, microsecond=0)
        if unit == "minute":
            return value
        value = value.replace(minute=0)
        if unit == "hour":
            return value
        value = value.replace(hour=0)
    if unit == "week":
        return value - dt.timedelta(days=value.weekday())
    month = {"month": value.month, "quarter": (value.month - 1) // 3 * 3 + 1, "year": 1}.get(unit)
    return value if month is None else value.replace(month=month, day=1)

"""Scalars for ranges: PostgreSQL's text of them, with bounds as the scalars of their elements write them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from fraiseql.schema.basic_scalars import (
    as_it_is,
    parse_date,
    parse_datetime,
    serialize_datetime,
    serialize_decimal,
)
from fraiseql.schema.scalar import FilterFamily, Scalar, excerpt

__all__ = ["RANGE_SCALARS"]

_RANGE: Final = re.compile(r"([\[(])([^\s,\[\]()]*),([^\s,\[\]()]*)([\])])")
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_LAST_DAY: Final = dt.date.max


@dataclass(frozen=True, slots=True)
class _Bounds:
    """How the bounds of one kind of range are read and written; `after` gives the next of them, where there is one."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    after: Callable[[Any], Any] | None = None


def _integer(limit: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if _INTEGER.fullmatch(text) is None or not -limit <= int(text) < limit:
            raise ValueError
        return int(text)

    return read


def _day(text: str) -> dt.date:
    return dt.date.fromisoformat(parse_date(text))


def _next_day(day: dt.date) -> dt.date:
    if day == _LAST_DAY:
        raise ValueError
    return day + dt.timedelta(days=1)


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(serialize_datetime(parse_datetime(text)))


def _local(text: str) -> dt.datetime:
    read = dt.datetime.fromisoformat(parse_datetime(text))
    if read.tzinfo is not None:  # PostgreSQL would drop the offset
        raise ValueError
    return read


def _write_local(moment: dt.datetime) -> str:
    return serialize_datetime(moment).removesuffix("+00:00")


def _parser(name: str, bounds: _Bounds, example: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        try:
            return _canonical(value, bounds)
        except (TypeError, ValueError):
            message = f"{name} cannot represent value: {excerpt(value)}; expected a range, as {example}, or empty"
            raise ValueError(message) from None

    return parse


def _canonical(value: str, bounds: _Bounds) -> str:
    """A range as PostgreSQL writes it: of whole numbers and days with the lower bound in and the upper one out."""
    if value == "empty":
        return value
    match = _RANGE.fullmatch(value)
    if match is None:
        raise ValueError
    opening, lower, upper, closing = match.groups()
    low = bounds.read(lower) if lower else None
    high = bounds.read(upper) if upper else None
    if low is not None and high is not None and low > high:
        raise ValueError
    if bounds.after is not None:
        low = bounds.after(low) if low is not None and opening == "(" else low
        high = bounds.after(high) if high is not None and closing == "]" else high
        opening, closing = "[", ")"
    if low is not None and high is not None and (low > high or (low == high and (opening, closing) != ("[", "]"))):
        return "empty"
    start = f"{opening}{bounds.write(low)}" if low is not None else "("
    end = f"{bounds.write(high)}{closing}" if high is not None else ")"
    return f"{start},{end}"


def _serializer(parse: Callable[[Any], str]) -> Callable[[Any], str]:
    def serialize(value: Any) -> str:
        if isinstance(value, str):
            return parse(value)
        # What database drivers read ranges as.
        if value.isempty:
            return "empty"
        opening, closing = value.bounds
        lower, upper = ("" if bound is None else _bound_text(bound) for bound in (value.lower, value.upper))
        return parse(f"{opening}{lower},{upper}{closing}")

    return serialize


def _bound_text(bound: Any) -> str:
    return bound.isoformat() if isinstance(bound, dt.date) else str(bound)


def _scalar(
    name: str,
    element: str,
    bounds: _Bounds,
    example: str,
    *,
    what: str,
    element_sql: str,
    shown_as: str | None = None,
) -> Scalar:
    parse = _parser(name, bounds, example)
    return Scalar(
        name,
        name.lower(),
        parse,
        _serializer(parse),
        as_it_is,
        f"A range of {what}, as `{example}`: `[` and `]` include a bound, `(` and `)` do not, none is without end.",
        family=FilterFamily.RANGE,
        shown_as=shown_as,
        element=element,
        element_sql=element_sql,
    )


RANGE_SCALARS: Final = (
    _scalar(
        "Int4Range",
        "Int",
        _Bounds(_integer(2**31), str, lambda bound: bound + 1),
        "[1,5)",
        what="32-bit integers",
        element_sql="{}::int4",
    ),
    _scalar(
        "Int8Range",
        "BigInt",
        _Bounds(_integer(2**63), str, lambda bound: bound + 1),
        "[1,5)",
        what="64-bit integers",
        element_sql="{}::int8",
    ),
    _scalar(
        "NumRange",
        "Decimal",
        _Bounds(lambda text: Decimal(serialize_decimal(text)), serialize_decimal),
        "[0.5,1.75]",
        what="decimal numbers",
        element_sql="{}::numeric",
    ),
    _scalar(
        "DateRange",
        "Date",
        _Bounds(_day, dt.date.isoformat, _next_day),
        "[2024-01-01,2025-01-01)",
        what="days",
        element_sql="{}::date",
    ),
    _scalar(
        "TsRange",
        "DateTime",
        _Bounds(_local, _write_local),
        "[2024-01-01T08:00:00,2024-01-01T17:00:00)",
        what="times without an offset",
        shown_as="""translate({}::text, ' "', 'T')""",
        element_sql="({}::timestamptz at time zone 'UTC')",
    ),
    _scalar(
        "TstzRange",
        "DateTime",
        _Bounds(_moment, serialize_datetime),
        "[2024-01-01T08:00:00+00:00,2024-01-01T17:00:00+00:00)",
        what="points in time",
        shown_as="""replace(translate({}::text, ' "', 'T'), '+00', '+00:00')""",
        element_sql="{}::timestamptz",
    ),
)

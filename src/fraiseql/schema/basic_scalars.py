"""The scalars that every schema knows: how their values are read from a request, and written for JSON.

`parse_...` takes what JSON or a GraphQL literal holds and gives the canonical value that may travel to PostgreSQL; it
raises ValueError with a sentence for the client. Input is never repaired: what is not clearly of the type is refused.
`serialize_...` goes the other way, for what Python code gives: JSON holds just what PostgreSQL makes of the same value.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

from fraiseql.schema.numbers import JSONFloat
from fraiseql.schema.scalar import checked_text, excerpt

__all__ = [
    "as_it_is",
    "parse_boolean",
    "parse_date",
    "parse_datetime",
    "parse_decimal",
    "parse_float",
    "parse_id",
    "parse_int",
    "parse_string",
    "parse_time",
    "parse_uuid",
    "serialize_date",
    "serialize_datetime",
    "serialize_decimal",
    "serialize_float",
    "serialize_id",
    "serialize_time",
    "serialize_uuid",
    "trimmed",
]

_INT_MAX: Final = 2**31 - 1
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FINER: Final = re.compile(r"[.,][0-9]{6}0*[1-9]")  # than microseconds, which is all that PostgreSQL keeps
_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


def parse_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"String cannot represent a non string value: {excerpt(value)}")
    return checked_text(value)


def parse_id(value: Any) -> str:
    if isinstance(value, str):
        return checked_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"ID cannot represent value: {excerpt(value)}")


def parse_int(value: Any) -> int:
    # GraphQL §3.5.1: 1.0 is an integer, true and "1" are not; values are signed 32-bit.
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (isinstance(value, float) and not value.is_integer())
    ):
        raise ValueError(f"Int cannot represent non-integer value: {excerpt(value)}")
    if not -_INT_MAX - 1 <= value <= _INT_MAX:
        raise ValueError(f"Int cannot represent non 32-bit signed integer value: {excerpt(value)}")
    return int(value)


def parse_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"Float cannot represent non numeric value: {excerpt(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ValueError(f"Float cannot represent value: {excerpt(value)}")
    return number


def serialize_float(value: Any) -> float:
    """Numbers of an event's payload come as Decimal, since nobody knows yet which of them need all their digits."""
    return parse_float(float(value) if isinstance(value, Decimal) else value)


def parse_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"Boolean cannot represent a non boolean value: {excerpt(value)}")
    return value


def parse_uuid(value: Any) -> str:
    if not isinstance(value, str) or _UUID.fullmatch(value) is None:
        raise ValueError(f"UUID cannot represent value: {excerpt(value)}")
    return str(uuid.UUID(value))


def parse_decimal(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"Decimal cannot represent value: {excerpt(value)}")
    is_exact = isinstance(value, JSONFloat) and value.text
    if isinstance(value, float) and not is_exact and abs(value) >= 2**53:  # a long integer that is rounded already
        raise ValueError(f"Decimal cannot represent value: {excerpt(value)}; send a number of that size as a string")
    text = value if isinstance(value, str) else repr(value)
    try:
        number = Decimal(text if _DECIMAL.fullmatch(text) else "NaN")
    except InvalidOperation:  # the exponent has some twenty digits
        number = Decimal("NaN")
    # PostgreSQL's numeric has at most 131,072 digits before the point; nothing useful is near that.
    if not number.is_finite() or abs(number.adjusted()) > 1_000:
        raise ValueError(f"Decimal cannot represent value: {excerpt(value)}")
    return f"{number:f}"


def _iso(name: str, read: Callable[[str], dt.datetime | dt.date | dt.time]) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        try:
            found = read(value).isoformat()
        except (TypeError, ValueError):
            raise ValueError(f"{name} cannot represent value: {excerpt(value)}; expected ISO 8601") from None
        if _FINER.search(value):
            most = "at most 6 digits of a second's fraction"
            raise ValueError(f"{name} cannot represent value: {excerpt(value)}; expected {most}")
        return found

    return parse


def _time(text: str) -> dt.time:
    read = dt.time.fromisoformat(text)
    if read.tzinfo is not None:  # PostgreSQL would drop the offset
        raise ValueError
    return read


def _datetime(text: str) -> dt.datetime:
    """In UTC where it has an offset, which PostgreSQL drops where the column is a timestamp without one."""
    read = dt.datetime.fromisoformat(text)
    if read.tzinfo is None:
        return read
    try:
        return read.astimezone(dt.UTC)
    except OverflowError:  # at the ends of the calendar
        return read


def as_it_is(value: Any) -> Any:
    return value


def serialize_id(value: Any) -> str:
    return str(value) if isinstance(value, uuid.UUID) else parse_id(value)


def serialize_uuid(value: Any) -> str:
    return str(value) if isinstance(value, uuid.UUID) else parse_uuid(value)


def serialize_decimal(value: Any) -> str:
    if not isinstance(value, Decimal):
        value = Decimal(parse_decimal(value))
    if not value.is_finite() or abs(value.adjusted()) > 1_000:
        raise ValueError(f"Decimal cannot represent value: {excerpt(value)}")
    return f"{value:f}" if value else f"{abs(value):f}"  # numeric has no -0


def trimmed(text: str) -> str:
    """ISO 8601 with as few digits of a second's fraction as PostgreSQL writes."""
    head, point, fraction = text.partition(".")
    return f"{head}.{fraction.rstrip('0')}" if point else head


def serialize_datetime(value: Any) -> str:
    read = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(read, dt.datetime):
        raise ValueError(f"DateTime cannot represent value: {excerpt(value)}")
    try:
        utc = read.replace(tzinfo=dt.UTC) if read.tzinfo is None else read.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError(f"DateTime cannot represent value: {excerpt(value)}") from None
    return f"{trimmed(utc.replace(tzinfo=None).isoformat())}+00:00"


def serialize_date(value: Any) -> str:
    read = dt.date.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(read, dt.date) or isinstance(read, dt.datetime):
        raise ValueError(f"Date cannot represent value: {excerpt(value)}")
    return read.isoformat()


def serialize_time(value: Any) -> str:
    read = dt.time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(read, dt.time) or read.tzinfo is not None:
        raise ValueError(f"Time cannot represent value: {excerpt(value)}")
    return trimmed(read.isoformat())


parse_date: Final = _iso("Date", dt.date.fromisoformat)
parse_time: Final = _iso("Time", _time)
parse_datetime: Final = _iso("DateTime", _datetime)

"""The scalars: how each is named, held by PostgreSQL, and read from a request.

`parse` takes what JSON or a GraphQL literal holds and gives the canonical value that may travel to PostgreSQL; it
raises ValueError with a sentence for the client. Input is never repaired: what is not clearly of the type is refused.
`serialize` goes the other way, for what Python code gives: JSON holds just what PostgreSQL makes of the same value.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isfinite
from types import MappingProxyType
from typing import Annotated, Any, Final

__all__ = ["ID", "JSON", "PYTHON_SCALARS", "SCALARS", "Scalar"]

_INT_MAX: Final = 2**31 - 1
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar type.

    Attributes:
        name: in GraphQL.
        sql_type: the PostgreSQL type that its values are read as.
        parse: from a request's value to the canonical one; raises ValueError.
        serialize: from a Python value to the one that JSON shall hold; raises ValueError.
        load: from the canonical value to the Python object that a resolver is called with.
        ordered: whether gt, gte, lt and lte are offered.
        filtered: whether it can be filtered by value at all.
        as_text: whether JSON shows PostgreSQL's text of it, since a JSON number would lose digits.
        finite: an SQL condition on `{}` that NaN and the infinities do not meet, where the type has them.
    """

    name: str
    sql_type: str
    parse: Callable[[Any], Any]
    serialize: Callable[[Any], Any]
    load: Callable[[Any], Any]
    description: str | None = None
    specified_by_url: str | None = None
    ordered: bool = True
    filtered: bool = True
    as_text: bool = False
    finite: str | None = None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("String and ID cannot hold the character NUL, which PostgreSQL has no place for")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"String and ID cannot hold half of a surrogate pair: {_shown(value)}") from None
    return value


def _parse_string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"String cannot represent a non string value: {_shown(value)}")
    return _text(value)


def _parse_id(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"ID cannot represent value: {_shown(value)}")


def _parse_int(value: Any) -> int:
    # GraphQL §3.5.1: 1.0 is an integer, true and "1" are not; values are signed 32-bit.
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (isinstance(value, float) and not value.is_integer())
    ):
        raise ValueError(f"Int cannot represent non-integer value: {_shown(value)}")
    if not -_INT_MAX - 1 <= value <= _INT_MAX:
        raise ValueError(f"Int cannot represent non 32-bit signed integer value: {_shown(value)}")
    return int(value)


def _serialize_float(value: Any) -> float:
    # Numbers of an event's payload come as Decimal, since nobody knows yet which of them need all their digits.
    return _parse_float(float(value) if isinstance(value, Decimal) else value)


def _parse_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"Float cannot represent non numeric value: {_shown(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise ValueError(f"Float cannot represent value: {_shown(value)}")
    return number


def _parse_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"Boolean cannot represent a non boolean value: {_shown(value)}")
    return value


def _parse_uuid(value: Any) -> str:
    if not isinstance(value, str) or _UUID.fullmatch(value) is None:
        raise ValueError(f"UUID cannot represent value: {_shown(value)}")
    return str(uuid.UUID(value))


def _parse_decimal(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"Decimal cannot represent value: {_shown(value)}")
    if isinstance(value, float) and abs(value) >= 2**53:  # JSON's long integers come as floats, already rounded
        raise ValueError(f"Decimal cannot represent value: {_shown(value)}; send a number of that size as a string")
    text = value if isinstance(value, str) else repr(value)
    try:
        number = Decimal(text if _DECIMAL.fullmatch(text) else "NaN")
    except InvalidOperation:  # the exponent has some twenty digits
        number = Decimal("NaN")
    # PostgreSQL's numeric has at most 131,072 digits before the point; nothing useful is near that.
    if not number.is_finite() or abs(number.adjusted()) > 1_000:
        raise ValueError(f"Decimal cannot represent value: {_shown(value)}")
    return f"{number:f}"


def _iso(name: str, read: Callable[[str], dt.datetime | dt.date | dt.time]) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        try:
            return read(value).isoformat()
        except (TypeError, ValueError):
            raise ValueError(f"{name} cannot represent value: {_shown(value)}; expected ISO 8601") from None

    return parse


def _time(text: str) -> dt.time:
    read = dt.time.fromisoformat(text)
    if read.tzinfo is not None:  # PostgreSQL would drop the offset
        raise ValueError
    return read


def _as_it_is(value: Any) -> Any:
    return value


def _serialize_id(value: Any) -> str:
    return str(value) if isinstance(value, uuid.UUID) else _parse_id(value)


def _serialize_uuid(value: Any) -> str:
    return str(value) if isinstance(value, uuid.UUID) else _parse_uuid(value)


def _serialize_decimal(value: Any) -> str:
    if not isinstance(value, Decimal):
        value = Decimal(_parse_decimal(value))
    if not value.is_finite() or abs(value.adjusted()) > 1_000:
        raise ValueError(f"Decimal cannot represent value: {_shown(value)}")
    return f"{value:f}" if value else f"{abs(value):f}"  # numeric has no -0


def _trimmed(text: str) -> str:
    """ISO 8601 with as few digits of a second's fraction as PostgreSQL writes."""
    head, point, fraction = text.partition(".")
    return f"{head}.{fraction.rstrip('0')}" if point else head


def _serialize_datetime(value: Any) -> str:
    read = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(read, dt.datetime):
        raise ValueError(f"DateTime cannot represent value: {_shown(value)}")
    try:
        utc = read.replace(tzinfo=dt.UTC) if read.tzinfo is None else read.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError(f"DateTime cannot represent value: {_shown(value)}") from None
    return f"{_trimmed(utc.replace(tzinfo=None).isoformat())}+00:00"


def _serialize_date(value: Any) -> str:
    read = dt.date.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(read, dt.date) or isinstance(read, dt.datetime):
        raise ValueError(f"Date cannot represent value: {_shown(value)}")
    return read.isoformat()


def _serialize_time(value: Any) -> str:
    read = dt.time.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(read, dt.time) or read.tzinfo is not None:
        raise ValueError(f"Time cannot represent value: {_shown(value)}")
    return _trimmed(read.isoformat())


def _scalars() -> Mapping[str, Scalar]:
    every = (
        Scalar("String", "text", _parse_string, _parse_string, _as_it_is),
        Scalar("ID", "text", _parse_id, _serialize_id, _as_it_is, ordered=False),
        Scalar("Int", "int4", _parse_int, _parse_int, _as_it_is),
        Scalar("Float", "float8", _parse_float, _serialize_float, _as_it_is, finite="abs({}) < 'Infinity'"),
        Scalar("Boolean", "boolean", _parse_boolean, _parse_boolean, _as_it_is, ordered=False),
        Scalar(
            "UUID",
            "uuid",
            _parse_uuid,
            _serialize_uuid,
            uuid.UUID,
            "A UUID as 32 hexadecimal digits in five groups.",
            "https://www.rfc-editor.org/rfc/rfc9562",
            ordered=False,
        ),
        Scalar(
            "DateTime",
            "timestamptz",
            _iso("DateTime", dt.datetime.fromisoformat),
            _serialize_datetime,
            dt.datetime.fromisoformat,
            "A point in time in ISO 8601; without an offset it is in UTC.",
            finite="isfinite({})",
        ),
        Scalar(
            "Date",
            "date",
            _iso("Date", dt.date.fromisoformat),
            _serialize_date,
            dt.date.fromisoformat,
            "A calendar day in ISO 8601: `2024-02-29`.",
            finite="isfinite({})",
        ),
        Scalar(
            "Time",
            "time",
            _iso("Time", _time),
            _serialize_time,
            dt.time.fromisoformat,
            "A time of day in ISO 8601, without an offset: `13:30:00`.",
        ),
        Scalar(
            "Decimal",
            "numeric",
            _parse_decimal,
            _serialize_decimal,
            Decimal,
            "A decimal number of any precision, as a string; a number is accepted on input.",
            as_text=True,
            finite="abs({}) < 'Infinity'",
        ),
        Scalar("JSON", "jsonb", _as_it_is, _as_it_is, _as_it_is, "Any JSON value.", ordered=False, filtered=False),
    )
    return MappingProxyType({scalar.name: scalar for scalar in every})


SCALARS: Final = _scalars()

ID = Annotated[str, SCALARS["ID"]]
"""An identifier: a string in GraphQL, whatever type its column has."""

JSON = Annotated[Any, SCALARS["JSON"]]
"""Any JSON value, passed through as it is."""

PYTHON_SCALARS: Final[Mapping[Any, Scalar]] = MappingProxyType(
    {
        str: SCALARS["String"],
        int: SCALARS["Int"],
        float: SCALARS["Float"],
        bool: SCALARS["Boolean"],
        uuid.UUID: SCALARS["UUID"],
        dt.datetime: SCALARS["DateTime"],
        dt.date: SCALARS["Date"],
        dt.time: SCALARS["Time"],
        Decimal: SCALARS["Decimal"],
        dict: SCALARS["JSON"],
    }
)

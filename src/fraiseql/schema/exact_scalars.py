"""Scalars whose values JSON has no exact form of: long integers, intervals, bytes, label paths, text search vectors."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, Final

from fraiseql.schema.basic_scalars import as_it_is
from fraiseql.schema.scalar import FilterFamily, Scalar, checked_text, excerpt

__all__ = ["EXACT_SCALARS"]

_INT8_MAX: Final = 2**63 - 1
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_EXACT_FLOAT: Final = 2**53  # JSON's long integers come as floats, already rounded
_PATH: Final = re.compile(r"(?:[\w-]{1,1000}(?:\.[\w-]{1,1000})*)?")
_LONGEST_PATH: Final = 65_535

_NUMBER: Final = r"([+-]?[0-9]{1,9})"
_DURATION: Final = re.compile(
    rf"P(?!$)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?!$)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:([+-]?)([0-9]{{1,9}})(?:\.([0-9]{{1,6}}))?S)?)?"
)
_MONTH_DAYS: Final = 30  # as PostgreSQL compares intervals
_MOST_DAYS: Final = 999_999_999  # of a timedelta: 2.7 million years
_HOUR: Final = 3_600_000_000  # microseconds


def _parse_bigint(value: Any) -> str:
    number: int | None = None
    if isinstance(value, str):
        number = int(value) if _INTEGER.fullmatch(value) else None
    elif isinstance(value, float):
        number = int(value) if value.is_integer() and abs(value) < _EXACT_FLOAT else None
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or not -_INT8_MAX - 1 <= number <= _INT8_MAX:
        raise ValueError(f"BigInt cannot represent value: {excerpt(value)}; expected a 64-bit integer, as a string")
    return str(number)


def _read_duration(value: Any) -> tuple[int, int, int]:
    """Months, days and microseconds, as PostgreSQL holds an interval."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"Interval cannot represent value: {excerpt(value)}; expected ISO 8601, as P1DT2H30M")
    years, months, weeks, days, hours, minutes = (int(text or 0) for text in match.groups()[:6])
    sign, seconds, fraction = match.groups()[6:]
    exact = int(seconds or 0) * 1_000_000 + int((fraction or "").ljust(6, "0"))
    microseconds = hours * _HOUR + minutes * 60_000_000 + (-exact if sign == "-" else exact)
    months, days = years * 12 + months, weeks * 7 + days
    if abs(months) * _MONTH_DAYS + abs(days) + abs(microseconds) // (24 * _HOUR) >= _MOST_DAYS:
        raise ValueError(f"Interval cannot represent value: {excerpt(value)}; it is too long")
    return months, days, microseconds


def _write_duration(months: int, days: int, microseconds: int) -> str:
    """As PostgreSQL writes an interval under `intervalstyle=iso_8601`: each part with a sign of its own."""
    date = "".join(_parts(months, (12, "Y"), (1, "M"))) + (f"{days}D" if days else "")
    sign = "-" if microseconds < 0 else ""
    minutes, rest = divmod(abs(microseconds), 60_000_000)
    time = "".join(_parts(-minutes if sign else minutes, (60, "H"), (1, "M")))
    if rest:
        seconds, fraction = divmod(rest, 1_000_000)
        time += f"{sign}{seconds}" + (f".{fraction:06}".rstrip("0") if fraction else "") + "S"
    if not date and not time:
        return "PT0S"
    return f"P{date}" + (f"T{time}" if time else "")


def _parts(total: int, *units: tuple[int, str]) -> Iterator[str]:
    rest = abs(total)
    for size, letter in units:
        count, rest = divmod(rest, size)
        if count:
            yield f"{'-' * (total < 0)}{count}{letter}"


def _parse_interval(value: Any) -> str:
    return _write_duration(*_read_duration(value))


def _serialize_interval(value: Any) -> str:
    if not isinstance(value, dt.timedelta):
        return _parse_interval(value)
    total = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    days, rest = divmod(abs(total), 24 * _HOUR)
    return _write_duration(0, -days if total < 0 else days, -rest if total < 0 else rest)


def _load_interval(value: str) -> dt.timedelta:
    months, days, microseconds = _read_duration(value)
    return dt.timedelta(days=months * _MONTH_DAYS + days, microseconds=microseconds)


def _decode(value: Any) -> bytes:
    try:
        found = base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise ValueError(f"Bytes cannot represent value: {excerpt(value)}; expected base64") from None
    if base64.b64encode(found).decode() != value:  # RFC 4648 §3.5
        raise ValueError(f"Bytes cannot represent value: {excerpt(value)}; expected base64 whose unused bits are 0")
    return found


def _parse_bytes(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"Bytes cannot represent value: {excerpt(value)}; expected base64")
    return f"\\x{_decode(value).hex()}"  # PostgreSQL §8.4.1


def _serialize_bytes(value: Any) -> str:
    held = bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else _decode(value)
    return base64.b64encode(held).decode()


def _load_bytes(value: str) -> bytes:
    return bytes.fromhex(value[2:])


def _parse_path(value: Any) -> str:
    if not isinstance(value, str) or _PATH.fullmatch(value) is None or len(value) > _LONGEST_PATH:
        raise ValueError(f"LTree cannot represent value: {excerpt(value)}; expected labels with dots between them")
    return value


def _parse_vector(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"TSVector cannot represent a non string value: {excerpt(value)}")
    return checked_text(value)


EXACT_SCALARS: Final = (
    Scalar(
        "BigInt",
        "int8",
        _parse_bigint,
        _parse_bigint,
        int,
        "A signed 64-bit integer, as a string; a number is accepted on input.",
        as_text=True,
    ),
    Scalar(
        "Interval",
        "interval",
        _parse_interval,
        _serialize_interval,
        _load_interval,
        "A length of time as an ISO 8601 duration: `P1Y2M3DT4H5M6.5S`.",
        finite="isfinite({})",
    ),
    Scalar(
        "Bytes",
        "bytea",
        _parse_bytes,
        _serialize_bytes,
        _load_bytes,
        "Bytes in base64, with padding.",
        "https://www.rfc-editor.org/rfc/rfc4648#section-4",
        family=FilterFamily.EQUALITY,
        written=lambda value: _serialize_bytes(_load_bytes(value)),
        shown_as="translate(encode({}, 'base64'), E'\\n', '')",
    ),
    Scalar(
        "LTree",
        "ltree",
        _parse_path,
        _parse_path,
        as_it_is,
        "A path of labels with dots between them: `Top.Science.Astronomy`.",
        family=FilterFamily.TREE,
    ),
    Scalar(
        "TSVector",
        "tsvector",
        _parse_vector,
        _parse_vector,
        as_it_is,
        "The words of a text, prepared for search, in PostgreSQL's notation.",
        family=FilterFamily.TEXT_SEARCH,
        sortable=False,
    ),
)

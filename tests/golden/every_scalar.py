"""Every scalar type with the column it lives in, values of it, and forms in which a request may send such values.

LTree is left out: the PostgreSQL that the tests run has no extension `ltree`. tests/pipeline/test_filter_types.py shows
its SQL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from ipaddress import ip_interface
from typing import Annotated, Any, Final
from uuid import UUID

import fraiseql
from fraiseql import ID, JSON
from golden.oracle import JSON_NULL, KINDS, Interval, Kind, Range
from golden.oracle.ranges import EMPTY

__all__ = ["OWN_KINDS", "SCALARS", "Colour", "Email", "Every", "Level", "Size"]


@fraiseql.enum
class Colour(Enum):
    """An enum of PostgreSQL, whose order is not that of its letters."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue sky"


@fraiseql.enum
class Size(Enum):
    """An enum that is a text in PostgreSQL."""

    SMALL = "small"
    LARGE = "large"
    HUGE = "it's huge"


def _parse_email(value: Any) -> str:
    if not isinstance(value, str) or "@" not in value:
        raise ValueError("an email has an @")
    return value.lower()


def _parse_level(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a level is a whole number")
    return value


def _small_integer(value: int) -> int:
    """PostgreSQL §8.1.1: what a column of smallint can be compared with."""
    if not -(2**15) <= value < 2**15:
        raise ValueError(value)
    return value


Email = Annotated[str, fraiseql.scalar("Email", sql_type="email", parse=_parse_email, filters="text")]
Level = Annotated[int, fraiseql.scalar("Level", sql_type="smallint", parse=_parse_level, filters="ordered")]
OWN_KINDS: Final[Mapping[str, Kind]] = {"Email": Kind(), "Level": Kind(given=_small_integer)}
"""How the oracle reads them."""


@dataclass(frozen=True, slots=True)
class Every:
    """One scalar or enum.

    Attributes:
        annotation: in Python.
        sql: the type of its column.
        values: native ones, as the oracle has them.
        forms: further ones that a request may send, as JSON: equal to values, beside them, or between.
        refused: some that are not of the type.
    """

    annotation: Any
    sql: str
    values: tuple[Any, ...]
    forms: tuple[Any, ...] = ()
    refused: tuple[Any, ...] = ()


def _day(day: int, month: int = 2) -> dt.date:
    return dt.date(2024, month, day)


def _at(hour: int, microsecond: int = 0) -> dt.datetime:
    return dt.datetime(2024, 2, 29, hour, 30, 0, microsecond)


def _utc(hour: int, microsecond: int = 0) -> dt.datetime:
    return _at(hour, microsecond).replace(tzinfo=dt.UTC)


def _interfaces(*texts: str) -> tuple[Any, ...]:
    return tuple(map(ip_interface, texts))


def _ranges(name: str, *texts: str) -> tuple[Range, ...]:
    return tuple(map(KINDS[name].given, texts))


_DAYS = "[2024-02-28,2024-03-01)", "[2024-03-01,2024-03-02)", "[2024-03-01,)", "(,2024-02-28)", "empty"
_HOURS = (
    "[2024-02-29T08:30:00,2024-02-29T17:00:00.25]",
    "(2024-02-29T17:00:00.25,)",
    "[2024-02-29T08:30:00,2024-02-29T08:30:00]",
    "empty",
)
_MOMENTS = (
    "[2024-02-29T08:30:00+00:00,2024-02-29T17:00:00+00:00)",
    "[2024-02-29T17:00:00+00:00,2024-03-01T00:00:00+00:00]",
    "(,2024-02-29T08:30:00+00:00)",
    "(,)",
)

SCALARS: Final[Mapping[str, Every]] = {
    "text": Every(
        str,
        "text",
        ("", "w1 w2", "w2 w1 w3", "A%b", "a_B", 'it\'s "q"', "back\\slash", "é É", "line\nbreak", "日本 w3"),
        ("w", "W1 W2", "B", "É", "%", "_", "zzz", "a%"),
        (5, "nul\0"),
    ),
    "code": Every(ID, "text", ("1", "2", "02", "x", "é"), (1, 2, "999", "y"), (1.5,)),
    "number": Every(int, "integer", (-3, 0, 1, 2, 7, 2**31 - 1), (-1, 3, -(2**31)), (2**31, "1", 1.5)),
    "ratio": Every(float, "double precision", (-2.5, 0.0, 0.1, 1.0, 1e300), (1, 0.5, 5e-324), ("1.0",)),
    "flag": Every(bool, "boolean", (True, False), (), (1,)),
    "key": Every(
        UUID,
        "uuid",
        (UUID(int=0), UUID(int=2**127 + 5), UUID(int=17)),
        ("00000000000000000000000000000011", "80000000-0000-0000-0000-00000000000A"),
        ("no", 5),
    ),
    "moment": Every(
        dt.datetime,
        "timestamptz",
        (_utc(8), _utc(17), _utc(17, 250_000), dt.datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)),
        ("2024-02-29T17:30:00", "2024-02-29T10:30:00+02:00", "2024-03-01"),
        ("2024-02-30T00:00:00", "now"),
    ),
    "day": Every(dt.date, "date", (_day(28), _day(29), _day(1, 3), dt.date(1, 1, 1)), ("9999-12-31",), ("2023-02-29",)),
    "clock": Every(
        dt.time,
        "time",
        (dt.time(0), dt.time(8, 30), dt.time(23, 59, 59, 120_000)),
        ("08:30", "12:00"),
        ("24:01", "08:30:00+01:00"),
    ),
    "amount": Every(
        Decimal,
        "numeric",
        (Decimal("0"), Decimal("1.50"), Decimal("1.5"), Decimal("-12345678901234567890.123"), Decimal("7")),
        ("1.500", 7, 1.5, "1e-3"),
        ("NaN", "x"),
    ),
    "big": Every(
        fraiseql.BigInt, "bigint", (0, 2**53 + 1, -(2**63), 2**63 - 1, 5), (5, "-5", 2**53), (str(2**63), "x", 1.5)
    ),
    "span": Every(
        fraiseql.Interval,
        "interval",
        (
            Interval(),
            Interval(months=14, days=3, microseconds=14_706_500_000),
            Interval(days=30),
            Interval(months=1),
            Interval(days=-1, microseconds=7_200_000_000),
            Interval(months=-13, microseconds=-250_000),
        ),
        ("P4W2D", "PT-22H", "PT0.5S", "P1Y"),
        ("1 day", "P"),
    ),
    "blob": Every(bytes, "bytea", (b"", b"\x00\xff\x10", b"\\", b"x" * 80), ("AA==",), ("A", "é")),
    "host": Every(
        fraiseql.IP,
        "inet",
        _interfaces(
            "10.1.2.3", "10.1.2.3/16", "192.168.0.1/24", "8.8.8.8", "::ffff:1.2.3.4", "fd00::1", "2001:db8::/32"
        ),
        ("10.1.2.3/32", "FD00:0::1", "10.1.0.0/16", "10.0.0.1"),
        ("10.1.2", "10.0.0.0/33"),
    ),
    "network": Every(
        fraiseql.CIDR,
        "cidr",
        _interfaces("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "192.168.0.1/32", "2001:db8::/32", "::/0"),
        ("127.0.0.1", "10.1.2.0/24", "fc00::/7"),
        ("10.0.0.1/8",),
    ),
    "card": Every(
        fraiseql.MAC,
        "macaddr",
        ("08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:01"),
        ("08-00-2B-01-02-03", "08:00:2b:01:02:04"),
        ("08:00",),
    ),
    "words": Every(fraiseql.TSVector, "tsvector", ((), ("w1", "w2"), ("w2", "w1", "w1"), ("w3",))),
    "numbers": Every(
        fraiseql.Int4Range,
        "int4range",
        _ranges("Int4Range", "[1,5)", "[5,7)", "(,1)", "[3,)", "(,)", "empty"),
        ("(0,4]", "[2,2]", "(1,2)"),
        ("[5,1)", "1,2"),
    ),
    "longs": Every(
        fraiseql.Int8Range,
        "int8range",
        _ranges("Int8Range", "[1,5)", "[5,9007199254740993)", "[9007199254740993,)", "empty"),
        ("[1,4]", "(,0]"),
        ("[1,9223372036854775808)",),
    ),
    "amounts": Every(
        fraiseql.NumRange,
        "numrange",
        _ranges("NumRange", "[0.50,1.75]", "(1.75,7)", "[7,7]", "(,0.5)", "empty"),
        ("[0.5,1.750]", "(7,8)", "(1,1)"),
        ("[2,1]", "[NaN,)"),
    ),
    "days": Every(
        fraiseql.DateRange,
        "daterange",
        _ranges("DateRange", *_DAYS),
        ("[2024-02-28,2024-02-29]", "(2024-02-28,2024-02-29)"),
        ("[2024-02-30,)",),
    ),
    "hours": Every(
        fraiseql.TsRange,
        "tsrange",
        _ranges("TsRange", *_HOURS),
        ("[2024-02-29T08:30,2024-02-29T09:00)",),
        ("[2024-02-29T08:30:00+00:00,)",),
    ),
    "moments": Every(
        fraiseql.TstzRange,
        "tstzrange",
        _ranges("TstzRange", *_MOMENTS),
        ("[2024-02-29T10:30:00+02:00,2024-02-29T17:00:00)",),
        ("[b,a]",),
    ),
    "anything": Every(
        JSON,
        "jsonb",
        (
            {},
            [],
            {"a": {"b": [1, 2.5]}, "tags": ["x", "y"], "words": 2000},
            {"words": 10, "a": None, "bb": "x"},
            [{"a": 1}, "a", None, True],
            "a",
            1,
            False,
            JSON_NULL,
        ),
        ({"a": {}}, {"tags": ["x"]}, ["a"], 1.0, {"words": 10}, [[]], True, {"a": None}),
    ),
    "colour": Every(Colour, "colour", tuple(Colour)),
    "size": Every(Size, "text", tuple(member.value for member in Size)),
    "email": Every(Email, "email", ("a@b", "w1@w2", "é@x"), ("A@B", "z@z"), ("nobody", 5)),
    "level": Every(Level, "smallint", (-1, 0, 3, 2**15 - 1), (2,), ("2", 2**15)),
}
assert EMPTY in SCALARS["numbers"].values

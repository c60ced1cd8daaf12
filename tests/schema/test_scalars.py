"""What each scalar reads, what it refuses, and what it writes of a Python value."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fraiseql
from fraiseql.schema.scalars import SCALARS

_READ = [
    ("BigInt", "9223372036854775807", "9223372036854775807"),
    ("BigInt", -9223372036854775808, "-9223372036854775808"),
    ("BigInt", 5.0, "5"),
    ("Interval", "P1Y2M3W4DT5H6M7.5S", "P1Y2M25DT5H6M7.5S"),
    ("Interval", "PT90M", "PT1H30M"),
    ("Interval", "PT-0.000001S", "PT-0.000001S"),
    ("Interval", "P14M-1DT+2H", "P1Y2M-1DT2H"),
    ("Interval", "P0D", "PT0S"),
    ("Bytes", "", "\\x"),
    ("Bytes", "AP8Q", "\\x00ff10"),
    ("IP", "::FFFF:1.2.3.4", "::ffff:1.2.3.4"),
    ("IP", "10.0.0.1/32", "10.0.0.1"),
    ("IP", "10.0.0.1/8", "10.0.0.1/8"),
    ("IP", "2001:0db8:0:0::1/64", "2001:db8::1/64"),
    ("CIDR", "10.0.0.0/8", "10.0.0.0/8"),
    ("CIDR", "10.0.0.1", "10.0.0.1/32"),
    ("MAC", "08-00-2B-01-02-03", "08:00:2b:01:02:03"),
    ("LTree", "Top.Science_1.Astronomy", "Top.Science_1.Astronomy"),
    ("LTree", "", ""),
    ("Int4Range", "[1,5]", "[1,6)"),
    ("Int4Range", "(1,2)", "empty"),
    ("Int4Range", "[,5)", "(,5)"),
    ("Int8Range", "[9007199254740993,]", "[9007199254740993,)"),
    ("NumRange", "[0.50,1e1)", "[0.50,10)"),
    ("NumRange", "[1,1]", "[1,1]"),
    ("DateRange", "(2024-02-28,2024-02-29]", "[2024-02-29,2024-03-01)"),
    ("TsRange", "[2024-01-01,2024-01-01T08:00:00.500]", "[2024-01-01T00:00:00,2024-01-01T08:00:00.5]"),
    ("TstzRange", "[2024-01-01T08:00:00+02:00,)", "[2024-01-01T06:00:00+00:00,)"),
    ("TstzRange", "empty", "empty"),
]
_REFUSED: dict[str, tuple[Any, ...]] = {
    "BigInt": ("", "1.0", "1e3", "+1", "9223372036854775808", 2**63, 1.5, 1e19, True, "٣", " 1", None),
    "Interval": (
        *("", "P", "PT", "1 day", "-P1D", "P1.5D", "P1DT", "PT1.1234567S", "P1S", 5),
        *("P999999999Y", "P1D ", "p1d", "P\n1D"),
    ),
    "Bytes": ("A", "AP8Q\n", "\\x00", "AP-_", "AP9=", "AR==", "é", 5, None, b"x"),
    "IP": (
        *("", "10.0.0", "10.0.0.256", "10.0.0.1/33", "fe80::1%eth0", "010.0.0.1", 167772161),
        *("10.0.0.1/255.0.0.0", "localhost", " 10.0.0.1"),
    ),
    "CIDR": ("10.0.0.1/8", "", "10/8", 5),
    "MAC": ("08002b010203", "08:00:2b:01:02", "08:00-2b:01:02:03", "0g:00:2b:01:02:03", 5),
    "LTree": (".", "a..b", "a b", "a.", "a'b", "a\0", 5, "a" * 1_001),
    "Int4Range": ("", "1,5", "[5,1]", "[1;5]", "[1,2147483648]", "[1.5,2]", "[1,5", "[a,b]", 5),
    "Int8Range": ("[9223372036854775808,)", '["1","2"]', "[ 1,2]", "(1,5)x"),
    "NumRange": ("[NaN,1]", "[1,infinity)", "[1,1e5000]", "[0x1,)"),
    "DateRange": ("[2024-02-30,)", "[2024-01-01T00:00:00,)", "[,9999-12-31]", "[infinity,)"),
    "TsRange": ("[2024-01-01T00:00:00.0000001,)", "[2024-01-01T00:00:00+00:00,)", "[2024-01-01T00:00:00Z,)", "[now,)"),
    "TstzRange": (
        "[2024-01-01T00:00:00.0000001Z,)",
        "[0001-01-01T00:00:00+14:00,)",
        "[now,)",
        "[2024-01-02,2024-01-01]",
        {},
    ),
    "TSVector": (5, "a\0b", "\ud800"),
}
_WRITTEN = [
    ("BigInt", 2**53 + 1, "9007199254740993"),
    ("Interval", dt.timedelta(days=1, hours=2, microseconds=500), "P1DT2H0.0005S"),
    ("Interval", dt.timedelta(hours=-1), "PT-1H"),
    ("Interval", dt.timedelta(days=-2, seconds=-61), "P-2DT-1M-1S"),
    ("Interval", "P1W", "P7D"),
    ("Bytes", b"\x00\xff\x10", "AP8Q"),
    ("Bytes", memoryview(b"\\"), "XA=="),
    ("Bytes", "XA==", "XA=="),
    ("IP", ip_address("::ffff:102:304"), "::ffff:1.2.3.4"),
    ("IP", ip_address("::102:304"), "::1.2.3.4"),
    ("IP", ip_address("::1"), "::1"),
    ("IP", ip_interface("10.0.0.1/24"), "10.0.0.1/24"),
    ("CIDR", ip_network("10.0.0.0/8"), "10.0.0.0/8"),
    ("DateRange", SimpleNamespace(isempty=False, lower=dt.date(2024, 1, 1), upper=None, bounds="[)"), "[2024-01-01,)"),
    ("NumRange", SimpleNamespace(isempty=False, lower=None, upper=Decimal("1.50"), bounds="(]"), "(,1.50]"),
    ("Int4Range", SimpleNamespace(isempty=True, lower=None, upper=None, bounds=None), "empty"),
    (
        "TstzRange",
        SimpleNamespace(isempty=False, lower=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), upper=None, bounds="[)"),
        "[2024-01-01T00:00:00+00:00,)",
    ),
]
_NOT_WRITTEN = [
    ("BigInt", 1.5),
    ("Interval", 5),
    ("Bytes", "é"),
    ("IP", ip_network("10.0.0.0/8")),
    ("CIDR", ip_address("10.0.0.1")),
    ("Int4Range", "x"),
]


@pytest.mark.parametrize(("name", "value", "canonical"), _READ)
def test_read(name: str, value: Any, canonical: str) -> None:
    scalar = SCALARS[name]
    assert scalar.parse(value) == canonical
    sent = canonical if scalar.written is None else scalar.written(canonical)
    assert scalar.parse(sent) == canonical


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, each in _REFUSED.items() for value in each])
def test_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^({name}|String)"):
        SCALARS[name].parse(value)


@pytest.mark.parametrize(("name", "value", "shown"), _WRITTEN)
def test_written(name: str, value: Any, shown: str) -> None:
    assert SCALARS[name].serialize(value) == shown


@pytest.mark.parametrize(("name", "value"), _NOT_WRITTEN)
def test_not_written(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}"):
        SCALARS[name].serialize(value)


@pytest.mark.parametrize(
    ("name", "value", "loaded"),
    [
        ("BigInt", "5", 5),
        ("Interval", "P1M1DT1S", dt.timedelta(days=31, seconds=1)),
        ("Bytes", "AP8Q", b"\x00\xff\x10"),
        ("IP", "10.0.0.1", ip_address("10.0.0.1")),
        ("IP", "10.0.0.1/8", ip_interface("10.0.0.1/8")),
        ("CIDR", "10.0.0.0/8", ip_network("10.0.0.0/8")),
    ],
)
def test_what_a_resolver_is_given(name: str, value: Any, loaded: Any) -> None:
    assert SCALARS[name].load(SCALARS[name].parse(value)) == loaded


@given(st.timedeltas(min_value=dt.timedelta(days=-900_000), max_value=dt.timedelta(days=900_000)))
def test_lengths_of_time_come_back(value: dt.timedelta) -> None:
    interval = SCALARS["Interval"]
    assert interval.load(interval.parse(interval.serialize(value))) == value


@given(st.binary())
def test_bytes_come_back(value: bytes) -> None:
    scalar = SCALARS["Bytes"]
    assert scalar.load(scalar.parse(scalar.serialize(value))) == value


@given(st.sampled_from(sorted(SCALARS)), st.text() | st.integers() | st.floats() | st.lists(st.text()) | st.none())
def test_any_value_is_read_or_refused(name: str, value: Any) -> None:
    with suppress(ValueError):
        SCALARS[name].parse(value)


def _parse_email(value: Any) -> Any:
    odd = {"list": [], "nan": float("nan")}
    if value in odd:
        return odd[value]
    if "@" not in value:
        raise ValueError("an email has an @")
    return str(value).lower()


def test_a_scalar_of_ones_own() -> None:
    email = fraiseql.scalar("Email", sql_type="citext", parse=_parse_email, load=lambda text: text.split("@"))
    assert email.parse("A@B") == email.serialize("A@B") == "a@b"
    assert email.load("a@b") == ["a", "b"]
    with pytest.raises(ValueError, match=r"^an email has an @$"):
        email.parse("x")
    for value in ("list", "nan", 5, "a@\0", "a@\ud800"):
        with pytest.raises(ValueError, match=r"Email cannot represent value|String and ID"):
            email.parse(value)


def test_a_scalar_of_any_json() -> None:
    extra = fraiseql.scalar("Extra", sql_type="jsonb", filters="json")
    assert extra.parse({"a": [1, None]}) == {"a": [1, None]}
    for value in (float("nan"), {1, 2}):
        with pytest.raises(ValueError, match=r"JSON|Extra"):
            extra.parse(value)

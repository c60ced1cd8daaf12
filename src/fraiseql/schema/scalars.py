"""Every scalar by its name, and what a schema's annotations call them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import MappingProxyType
from typing import Annotated, Any, Final

from fraiseql.schema.basic_scalars import (
    as_it_is,
    parse_boolean,
    parse_date,
    parse_datetime,
    parse_decimal,
    parse_float,
    parse_id,
    parse_int,
    parse_string,
    parse_time,
    parse_uuid,
    serialize_date,
    serialize_datetime,
    serialize_decimal,
    serialize_float,
    serialize_id,
    serialize_time,
    serialize_uuid,
)
from fraiseql.schema.exact_scalars import EXACT_SCALARS
from fraiseql.schema.network_scalars import NETWORK_SCALARS
from fraiseql.schema.numbers import plain
from fraiseql.schema.range_scalars import RANGE_SCALARS
from fraiseql.schema.scalar import FilterFamily, Scalar

__all__ = [
    "CIDR",
    "ID",
    "IP",
    "JSON",
    "MAC",
    "PYTHON_SCALARS",
    "SCALARS",
    "BigInt",
    "Bytes",
    "DateRange",
    "Int4Range",
    "Int8Range",
    "Interval",
    "LTree",
    "NumRange",
    "Scalar",
    "TSVector",
    "TsRange",
    "TstzRange",
]


def _scalars() -> Mapping[str, Scalar]:
    every = (
        Scalar("String", "text", parse_string, parse_string, as_it_is, family=FilterFamily.TEXT),
        Scalar("ID", "text", parse_id, serialize_id, as_it_is, family=FilterFamily.EQUALITY),
        Scalar("Int", "int4", parse_int, parse_int, as_it_is),
        Scalar("Float", "float8", parse_float, serialize_float, as_it_is, finite="abs({}) < 'Infinity'"),
        Scalar("Boolean", "boolean", parse_boolean, parse_boolean, as_it_is, family=FilterFamily.EQUALITY),
        Scalar(
            "UUID",
            "uuid",
            parse_uuid,
            serialize_uuid,
            uuid.UUID,
            "A UUID as 32 hexadecimal digits in five groups.",
            "https://www.rfc-editor.org/rfc/rfc9562",
            family=FilterFamily.EQUALITY,
        ),
        Scalar(
            "DateTime",
            "timestamptz",
            parse_datetime,
            serialize_datetime,
            dt.datetime.fromisoformat,
            "A point in time in ISO 8601; without an offset it is in UTC.",
            finite="{} between '0001-01-01 00:00:00+00' and '9999-12-31 23:59:59.999999+00'",
        ),
        Scalar(
            "Date",
            "date",
            parse_date,
            serialize_date,
            dt.date.fromisoformat,
            "A calendar day in ISO 8601: `2024-02-29`.",
            finite="{} between '0001-01-01' and '9999-12-31'",
        ),
        Scalar(
            "Time",
            "time",
            parse_time,
            serialize_time,
            dt.time.fromisoformat,
            "A time of day in ISO 8601, without an offset: `13:30:00`.",
            finite="{} < '24:00:00'",
        ),
        Scalar(
            "Decimal",
            "numeric",
            parse_decimal,
            serialize_decimal,
            Decimal,
            "A decimal number of any precision, as a string; a number is accepted on input.",
            as_text=True,
            finite="abs({}) < 'Infinity'",
        ),
        Scalar("JSON", "jsonb", as_it_is, as_it_is, plain, "Any JSON value.", family=FilterFamily.JSON, sortable=False),
        *EXACT_SCALARS,
        *NETWORK_SCALARS,
        *RANGE_SCALARS,
    )
    return MappingProxyType({scalar.name: scalar for scalar in every})


SCALARS: Final = _scalars()

ID = Annotated[str, SCALARS["ID"]]
"""An identifier: a string in GraphQL, whatever type its column has."""

JSON = Annotated[Any, SCALARS["JSON"]]
"""Any JSON value, passed through as it is."""

BigInt = Annotated[int, SCALARS["BigInt"]]
"""A signed 64-bit integer: a string in JSON."""

Interval = Annotated[dt.timedelta, SCALARS["Interval"]]
"""A length of time: an ISO 8601 duration in JSON. A resolver is given a timedelta, whose months have 30 days."""

Bytes = Annotated[bytes, SCALARS["Bytes"]]
"""Bytes: base64 in JSON."""

IP = Annotated[IPv4Address | IPv6Address | IPv4Interface | IPv6Interface, SCALARS["IP"]]
"""The address of a host, PostgreSQL's inet."""

CIDR = Annotated[IPv4Network | IPv6Network, SCALARS["CIDR"]]
"""A network, PostgreSQL's cidr."""

MAC = Annotated[str, SCALARS["MAC"]]
"""The address of a network card, PostgreSQL's macaddr."""

LTree = Annotated[str, SCALARS["LTree"]]
"""A path of labels, PostgreSQL's ltree; its extension must be installed."""

TSVector = Annotated[str, SCALARS["TSVector"]]
"""A text prepared for search, PostgreSQL's tsvector."""

Int4Range = Annotated[str, SCALARS["Int4Range"]]
Int8Range = Annotated[str, SCALARS["Int8Range"]]
NumRange = Annotated[str, SCALARS["NumRange"]]
DateRange = Annotated[str, SCALARS["DateRange"]]
TsRange = Annotated[str, SCALARS["TsRange"]]
TstzRange = Annotated[str, SCALARS["TstzRange"]]

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
        dt.timedelta: SCALARS["Interval"],
        bytes: SCALARS["Bytes"],
        IPv4Address: SCALARS["IP"],
        IPv6Address: SCALARS["IP"],
        IPv4Interface: SCALARS["IP"],
        IPv6Interface: SCALARS["IP"],
        IPv4Network: SCALARS["CIDR"],
        IPv6Network: SCALARS["CIDR"],
    }
)

"""Dates and times that ISO 8601 and the scalars' own input do not know are errors, in columns as inside jsonb."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import fraiseql
from fraiseql.pipeline import GraphQLRequest, Pipeline
from golden.driving import drive, opened

_DDL = """
create table calendar (id int primary key, at timestamptz, day date, clock time, days date[]);
insert into calendar values
    (1, '0001-01-01 00:00Z', '0001-01-01', '00:00', '{0001-01-01}'),
    (2, '9999-12-31 23:59:59.999999Z', '9999-12-31', '23:59:59.999999', '{9999-12-31}'),
    (3, '0001-12-31 23:59:59.999999Z BC', '0044-03-15 BC', '24:00', '{2024-01-01,0044-03-15 BC}'),
    (4, '10000-01-01 00:00Z', '10000-01-01', '24:00', '{10000-01-01}'),
    (5, 'infinity', '-infinity', null, '{infinity}');
create table noted (id int primary key, data jsonb);
insert into noted values
    (1, '{"clock": "23:59:59.9999994"}'), (2, '{"clock": "24:00"}'), (3, '{"clock": "23:59:60"}'),
    (4, '{"clock": "23:59:59.9999995"}'), (5, '{"clock": "12:00:60"}');
"""


@fraiseql.type(sql_source="calendar", jsonb_column=None)
class Entry:
    id: int
    at: dt.datetime | None
    day: dt.date | None
    clock: dt.time | None
    days: list[dt.date | None] | None


@fraiseql.type(sql_source="noted")
class Note:
    id: int = fraiseql.field(column="id")
    clock: dt.time | None


@fraiseql.query
def entries() -> list[Entry]: ...


@fraiseql.query
def notes() -> list[Note]: ...


@pytest.fixture(scope="module")
def ask(module_database_url: str) -> Iterator[Callable[[str], Any]]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    reading = opened(module_database_url)
    pipeline = Pipeline(fraiseql.Schema(queries=[entries, notes]))
    yield lambda query: json.loads(drive(reading, pipeline.execute(GraphQLRequest(query), "r"))[0].body)
    reading.close()


@pytest.mark.parametrize(
    ("query", "values", "errors"),
    [
        (
            "entries { at }",
            ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00", None, None, None],
            ["2.at", "3.at", "4.at"],
        ),
        ("entries { day }", ["0001-01-01", "9999-12-31", None, None, None], ["2.day", "3.day", "4.day"]),
        ("entries { clock }", ["00:00:00", "23:59:59.999999", None, None, None], ["2.clock", "3.clock"]),
        (
            "entries { days }",
            [["0001-01-01"], ["9999-12-31"], ["2024-01-01", None], [None], [None]],
            ["2.days.1", "3.days.0", "4.days.0"],
        ),
        ("notes { clock }", ["23:59:59.999999", None, None, None, "12:01:00"], ["1.clock", "2.clock", "3.clock"]),
    ],
)
def test_the_ends_of_the_calendar(ask: Callable[[str], Any], query: str, values: list[Any], errors: list[str]) -> None:
    answer = ask(f"{{ {query} }}")
    root, _, field, _ = query.split()
    assert [row[field] for row in answer["data"][root]] == values
    assert [".".join(map(str, error["path"][1:])) for error in answer["errors"]] == errors

"""Inside jsonb a number such as 5.0 is an integer, wherever it is read; 5.5 and the text "5.0" are none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import fraiseql
from fraiseql import BigInt
from fraiseql.pipeline import GraphQLRequest, Pipeline
from golden.driving import drive, opened

_DDL = """
create table counted (id int primary key, data jsonb not null);
insert into counted values
    (1, '{"n": 5.0, "big": 9223372036854775807.00, "ns": [1, 2.0], "kind": "whole"}'), (2, '{"n": 7, "kind": "whole"}'),
    (3, '{"n": 1e2, "big": "6", "ns": [-3.000], "kind": "whole"}'), (4, '{"n": -0.0, "kind": "whole"}'),
    (5, '{"n": 5.5, "kind": "broken"}'), (6, '{"n": "5.0", "kind": "broken"}'),
    (7, '{"n": 2147483648.0, "kind": "broken"}');
"""


@fraiseql.type(sql_source="counted")
class Counted:
    id: int = fraiseql.field(column="id")
    n: int | None
    big: BigInt | None
    ns: list[int] | None
    kind: str


@fraiseql.query
def counted(kind: str) -> list[Counted]: ...


@fraiseql.query
def counted_stats(kind: str) -> fraiseql.Aggregate[Counted]: ...


_PIPELINE = Pipeline(fraiseql.Schema(queries=[counted, counted_stats]))


@pytest.fixture(scope="module")
def ask(module_database_url: str) -> Iterator[Callable[[str], Any]]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    reading = opened(module_database_url)
    yield lambda query: json.loads(drive(reading, _PIPELINE.execute(GraphQLRequest(query), "r"))[0].body)
    reading.close()


@pytest.mark.parametrize(
    ("arguments", "field", "values"),
    [
        ("", "n", [5, 7, 100, 0]),
        ("", "big", ["9223372036854775807", None, "6", None]),
        ("", "ns", [[1, 2], None, [-3], None]),
        (", where: {n: {eq: 5}}", "n", [5]),
        (", where: {n: {in: [5, 100]}}", "id", [1, 3]),
        (", where: {big: {gt: 6}}", "id", [1]),
        (", where: {ns: {contains: [2]}}", "id", [1]),
        (", orderBy: {n: ASC}", "id", [4, 1, 2, 3]),
    ],
)
def test_whole_numbers(ask: Callable[[str], Any], arguments: str, field: str, values: list[Any]) -> None:
    answer = ask(f'{{ counted(kind: "whole"{arguments}) {{ {field} }} }}')
    assert answer == {"data": {"counted": [{field: value} for value in values]}}


def test_aggregates(ask: Callable[[str], Any]) -> None:
    answer = ask('{ countedStats(kind: "whole") { sum { n } max { n } countDistinct { n } } }')
    assert answer == {"data": {"countedStats": {"sum": {"n": "112"}, "max": {"n": 100}, "countDistinct": {"n": 4}}}}


def test_others_do_not_fit(ask: Callable[[str], Any]) -> None:
    answer = ask('{ counted(kind: "broken") { n } }')
    assert answer["data"] == {"counted": [{"n": None}] * 3}
    assert len(answer["errors"]) == 3

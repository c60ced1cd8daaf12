"""Fields that an SQL expression computes: shown, compared and ordered as columns are, wherever their row comes from."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.schema import subscription
from golden.serving import Served, events, served

_DDL = b"""
create table writer (id int primary key, "first name" text not null, last_name text not null, born int not null);
create table book (id int primary key, writer_id int not null, price numeric not null, copies int not null);
create view v_writer as select id, born, jsonb_build_object('first', "first name", 'year', born) as data from writer;
insert into writer values (1, 'Ada', 'Byron', 1815), (2, 'Mary', 'Shelley', 1797), (3, 'It''s', '{o}', 1900);
insert into book values (1, 1, 2.50, 2), (2, 1, 1.10, 0), (3, 2, 10, 1);
"""


@fraiseql.enum
class Age(Enum):
    OLD = "old"
    NEW = "new"


@fraiseql.type(sql_source="writer", jsonb_column=None)
class Writer:
    id: ID
    full_name: str = fraiseql.field(sql="{first name} || ' ' || {last_name}", description="Both names.")
    braced: str = fraiseql.field(sql="'{{' || {last_name} || '}}, ' || $$it's$$")
    age: Age = fraiseql.field(sql="case when {born} < 1800 then 'old' else 'new' end")
    years: list[int] = fraiseql.field(sql="array[{born}, {born} + 1]")
    initial: str | None = fraiseql.field(sql="nullif(left({first name}, 1), 'M')")
    titles: int = fraiseql.field(sql="(select count(*) from book b where b.writer_id = {id})")
    wrong: int | None = fraiseql.field(sql="1 / ({born} - 1900)")
    books: list[Book] = fraiseql.relation(on={"writer_id": "id"})


@fraiseql.type(sql_source="book", jsonb_column=None)
class Book:
    id: ID
    value: fraiseql.BigInt = fraiseql.field(sql="{price} * {copies} * 100")
    writer: Writer = fraiseql.relation(on={"id": "writer_id"})


@fraiseql.type(sql_source="v_writer")
class Document:
    id: ID = fraiseql.field(column="id")
    first: str
    shout: str = fraiseql.field(sql="upper({data}->>'first') || {born}")


@fraiseql.input
class ByName:
    full_name: str


@fraiseql.query
def writers() -> list[Writer]: ...


@fraiseql.query
def writer(by: ByName) -> Writer | None: ...


@fraiseql.query
def books(value: fraiseql.BigInt | None) -> list[Book]: ...


@fraiseql.query
def documents() -> list[Document]: ...


@subscription
async def resolved() -> AsyncIterator[Writer]:
    yield  # type: ignore[misc]


@subscription(topic="writer.changed")
def writer_changed(full_name: str | None) -> Writer: ...


_SCHEMA = fraiseql.Schema(queries=[writers, writer, books, documents], subscriptions=[resolved, writer_changed])


@pytest.fixture(scope="module")
def serving(module_database_url: str) -> Iterator[Served]:
    with served(module_database_url, _DDL, _SCHEMA) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ writers { fullName } }", [{"fullName": name} for name in ("Ada Byron", "Mary Shelley", "It's {o}")]),
        (
            "{ writers(limit: 1) { braced age years initial titles books { value } } }",
            [
                {
                    "braced": "{Byron}, it's",
                    "age": "NEW",
                    "years": [1815, 1816],
                    "initial": "A",
                    "titles": 2,
                    "books": [{"value": "500"}, {"value": "0"}],
                }
            ],
        ),
        ('{ writers(where: {fullName: {endsWith: "Byron"}}) { id } }', [{"id": "1"}]),
        ("{ writers(where: {age: {eq: OLD}}) { id initial } }", [{"id": "2", "initial": None}]),
        ("{ writers(where: {years: {contains: [1901]}}) { id } }", [{"id": "3"}]),
        ("{ writers(where: {books: {some: {value: {gt: 100}}}}) { id } }", [{"id": "1"}, {"id": "2"}]),
        ("{ writers(orderBy: [{titles: DESC}, {fullName: DESC}]) { id } }", [{"id": "1"}, {"id": "2"}, {"id": "3"}]),
        (
            "{ books(orderBy: [{writer: {fullName: DESC}}, {value: ASC}]) { id } }",
            [{"id": "3"}, {"id": "2"}, {"id": "1"}],
        ),
        ('{ books(value: "1000") { id } }', [{"id": "3"}]),
        ('{ writer(by: {fullName: "Mary Shelley"}) { id } }', {"id": "2"}),
        ('{ documents(where: {shout: {like: "MARY%"}}) { first shout } }', [{"first": "Mary", "shout": "MARY1797"}]),
        ("{ documents(orderBy: [{shout: DESC}], limit: 1) { id } }", [{"id": "2"}]),
    ],
)
def test_they_are_as_columns(serving: Served, query: str, expected: Any) -> None:
    assert next(iter(serving.data(query).values())) == expected


def test_an_expression_that_fails_is_a_masked_error(serving: Served) -> None:
    response = serving.execute("{ writers { wrong } }")
    assert json.loads(response.body) == {
        "errors": [
            {
                "message": "Internal server error.",
                "path": ["writers"],
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "r"},
            }
        ],
        "data": None,
    }


def test_events_compute_them_from_their_payload(serving: Served) -> None:
    rows = [{"id": 7, "first name": name, "last_name": "X", "born": 1} for name in ("A", "B")]
    query = 'subscription { writerChanged(fullName: "B X") { id fullName age years } }'
    assert serving.subscribe(query, events("writer.changed", *rows)) == [
        {"data": {"writerChanged": {"id": "7", "fullName": "B X", "age": "OLD", "years": [1, 2]}}}
    ]


@pytest.mark.parametrize("relation", ["", "books { id }"])
def test_a_resolver_gives_them_itself(serving: Served, relation: str) -> None:
    value = SimpleNamespace(id=2, full_name="Mine", age=Age.NEW, years=[5], initial=None)
    query = f"subscription {{ resolved {{ fullName age years initial {relation} }} }}"
    expected = {"fullName": "Mine", "age": "NEW", "years": [5], "initial": None}
    books = {"books": [{"id": "3"}]} if relation else {}
    assert serving.subscribe(query, value) == [{"data": {"resolved": expected | books}}]

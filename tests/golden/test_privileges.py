"""A role that may read only the columns that the schema names."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

import fraiseql
from fraiseql import ID
from fraiseql.pipeline import Pipeline
from golden.asking import Ask, asking, opened

_DDL = """
create table author (id int primary key, country int, data jsonb, secret text);
insert into author select n, n % 2, jsonb_build_object('name', 'n' || n, 'age', n), 's' from generate_series(1, 5) n;
create table country (id int primary key, name text not null, secret text);
insert into country values (0, 'even', 's'), (1, 'odd', 's');
create role reader;
grant select (id, country, data) on author to reader;
grant select (id, name) on country to reader;
grant reader to current_user;
"""


@fraiseql.type(sql_source="author")
class Author:
    id: ID = fraiseql.field(column="id")
    name: str
    age: int
    older: int = fraiseql.field(sql="({data}->>'age')::int + {id}")
    country: Country = fraiseql.relation(on={"id": "country"})


@fraiseql.type(sql_source="country", jsonb_column=None)
class Country:
    id: ID
    name: str
    authors: list[Author] = fraiseql.relation(on={"country": "id"})


@fraiseql.query
def authors() -> list[Author]: ...


@fraiseql.query
def pages() -> fraiseql.Connection[Author]: ...


@fraiseql.query
def summary() -> fraiseql.Aggregate[Author]: ...


@fraiseql.query
def groups() -> list[fraiseql.Group[Author]]: ...


@pytest.fixture(scope="module")
def ask(module_database_url: str) -> Iterator[Ask]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    with opened(f"{module_database_url} options='-c role=reader'") as connection:
        yield asking(Pipeline(fraiseql.Schema(queries=[authors, pages, summary, groups])), connection)


@pytest.mark.parametrize(
    "query",
    [
        "{ authors { id name age older country { name authors { id name age } } } }",
        "{ authors(orderBy: [{country: {name: DESC}}, {older: ASC}], where: {age: {gt: 1}}) { name age } }",
        "{ pages(first: 2, orderBy: {age: DESC}) { totalCount nodes { name age } pageInfo { endCursor } } }",
        "{ pages(last: 2) { edges { cursor node { name age older country { name } } } } }",
        "{ summary { count min { age name older } max { age } avg { age } } }",
        "{ groups { key { name age older } count } }",
    ],
)
def test_columns_that_the_schema_does_not_name_are_not_read(ask: Ask, query: str) -> None:
    answer = ask(query)
    assert "errors" not in answer.json, (answer.json, answer.response.cause)

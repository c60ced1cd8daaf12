"""The indexes that conditions and orders promise to leave usable, under the generic plans that statements run with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.pipeline import Pipeline

_DDL = b"""
create table shelf (id integer primary key, tags text[], ip inet, days daterange, code text);
create table book (id integer primary key, shelf_id integer, title text, words tsvector, details jsonb);
create index book_shelf on book (shelf_id);
create index book_title on book using gin (to_tsvector('english', title));
create index book_words on book using gin (words);
create index book_details on book using gin (details);
create index shelf_tags on shelf using gin (tags);
create index shelf_ip on shelf using gist (ip inet_ops);
create index shelf_days on shelf using gist (days);
create index shelf_code on shelf (code);
insert into shelf select i, array['t' || i], '10.0.0.1', '[2024-01-01,2024-01-02)', i::text
from generate_series(1, 2000) i;
insert into book select i, i, 'title ' || i, to_tsvector('word' || i), jsonb_build_object('k' || i, i)
from generate_series(1, 2000) i;
analyze;
"""


@fraiseql.type(sql_source="shelf", jsonb_column=None)
class Shelf:
    id: ID
    tags: list[str]
    ip: fraiseql.IP
    days: fraiseql.DateRange
    code: str
    books: list[Book] = fraiseql.relation(on={"shelf_id": "id"})


@fraiseql.type(sql_source="book", jsonb_column=None)
class Book:
    id: ID
    title: str
    words: fraiseql.TSVector
    details: JSON
    shelf: Shelf | None = fraiseql.relation(on={"id": "shelf_id"})


@fraiseql.query
def shelves() -> list[Shelf]: ...


@fraiseql.query
def books() -> list[Book]: ...


_SCHEMA = fraiseql.Schema(queries=[shelves, books])


@pytest.fixture(scope="module")
def connection(module_database_url: str) -> Iterator[psycopg.Connection[Any]]:
    options = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
    with psycopg.connect(module_database_url, options=options, autocommit=True) as connection:
        connection.execute(_DDL)
        yield connection


@pytest.mark.parametrize(
    ("root", "where", "index"),
    [
        ("shelves", '{tags: {contains: ["t5"]}}', "shelf_tags"),
        ("shelves", '{tags: {overlaps: ["t5"]}}', "shelf_tags"),
        ("shelves", '{ip: {inSubnet: "10.0.0.0/24"}}', "shelf_ip"),
        ("shelves", '{days: {containsElement: "2024-01-01"}}', "shelf_days"),
        ("shelves", '{days: {overlaps: "[2024-01-01,)"}}', "shelf_days"),
        ("shelves", '{code: {in: ["5", "6"]}}', "shelf_code"),
        ("shelves", '{code: {eq: "5"}, books: {some: {title: {neq: "x"}}}}', "book_shelf"),
        ("shelves", '{code: {eq: "5"}, books: {none: {}}}', "book_shelf"),
        ("shelves", '{code: {eq: "5"}, books: {every: {title: {eq: "x"}}}}', "book_shelf"),
        ("books", '{shelf: {code: {eq: "5"}}}', "shelf_code"),
        ("books", '{title: {search: {plain: "title", config: ENGLISH}}}', "book_title"),
        ("books", '{words: {search: {websearch: "word5", config: ENGLISH}}}', "book_words"),
        ("books", "{details: {contains: {k5: 5}}}", "book_details"),
        ("books", '{details: {hasKey: "k5"}}', "book_details"),
        ("books", '{details: {pathExists: "$.k5 ? (@ == 5)"}}', "book_details"),
    ],
)
def test_an_index_serves(connection: psycopg.Connection[Any], root: str, where: str, index: str) -> None:
    plan = _plan(connection, f"{{ {root}(where: {where}) {{ id }} }}")
    assert f"on {index} " in plan or f"using {index} " in plan, plan


@pytest.mark.parametrize(
    ("root", "order", "index"),
    [
        ("shelves", "{books: {count: DESC}}", "book_shelf"),
        ("books", "{shelf: {code: DESC_NULLS_LAST}}", "shelf_pkey"),
    ],
)
def test_an_index_serves_an_order(connection: psycopg.Connection[Any], root: str, order: str, index: str) -> None:
    plan = _plan(connection, f"{{ {root}(orderBy: [{order}]) {{ id }} }}")
    assert f"on {index} " in plan or f"using {index} " in plan, plan


def _plan(connection: psycopg.Connection[Any], query: str) -> str:
    explained = Pipeline(_SCHEMA).explain(query)
    values = ", ".join("'" + (value or "").replace("'", "''") + "'" for value in explained.parameters)
    connection.execute(f"prepare it as {explained.sql}".encode())
    try:
        text = f"explain execute it({values})" if values else "explain execute it"
        return "\n".join(row[0] for row in connection.execute(text.encode()))
    finally:
        connection.execute("deallocate it")

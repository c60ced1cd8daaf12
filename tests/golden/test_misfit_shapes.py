"""Values that do not fit, found in every shape that rows are given in: connections, interfaces, embedded lists
with arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import fraiseql
from fraiseql import ID
from fraiseql.pipeline import GraphQLRequest, Pipeline
from golden.driving import drive, opened

_DDL = """
create table item (id integer primary key, kind text, data jsonb);
insert into item values
    (1, 'book', '{"title": "A", "pages": 5, "parts": [{"n": 1}, {"n": "x"}, {"n": 3}, {"n": 4}]}'),
    (2, 'book', '{"title": ["B"], "pages": "many", "parts": [5, {"n": 2}]}'),
    (3, 'film', '{"title": "C", "minutes": 1.5, "parts": []}'),
    (4, 'song', '{"title": "D", "parts": {"n": 1}}'),
    (5, 'film', '[]');
"""


@fraiseql.type
class Part:
    n: int | None


@fraiseql.interface(sql_source="item", discriminator="kind")
class Item:
    id: ID = fraiseql.field(column="id")
    kind: str = fraiseql.field(column="kind")
    title: str | None
    parts: list[Part | None] | None


@fraiseql.type(when="book")
class Book(Item):
    pages: int | None


@fraiseql.type(when="film")
class Film(Item):
    minutes: int | None


@fraiseql.type(sql_source="item")
class Thing:
    id: ID = fraiseql.field(column="id")
    title: str | None
    parts: list[Part | None] | None


@fraiseql.query
def items() -> list[Item]: ...


@fraiseql.query
def things() -> list[Thing]: ...


@fraiseql.query
def paged() -> fraiseql.Connection[Thing]: ...


_PIPELINE = Pipeline(fraiseql.Schema(types=[Book, Film], queries=[things, paged, items]))


@pytest.fixture(scope="module")
def ask(module_database_url: str) -> Iterator[Callable[..., Any]]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    reading = opened(module_database_url)

    def ask(text: str, variables: dict[str, Any] | None = None) -> Any:
        response, fetches = drive(reading, _PIPELINE.execute(GraphQLRequest(text, None, variables or {}), "r"))
        assert len(fetches) == 2
        assert fetches[0].parameters == fetches[1].parameters
        body = json.loads(response.body)
        return body["data"], {".".join(map(str, error["path"])): error["message"] for error in body["errors"]}

    yield ask
    reading.close()


def _misfit(field: str) -> str:
    return f"The value of {field} does not fit its type."


def test_connections(ask: Callable[..., Any]) -> None:
    for page in ("first: 2", "last: 4, before: null"):
        data, errors = ask(
            f"{{ p: paged({page}) {{ totalCount edges {{ cursor node {{ t: title }} }} nodes {{ id }} }} }}"
        )
        titles = {
            node["id"]: edge["node"]["t"] for node, edge in zip(data["p"]["nodes"], data["p"]["edges"], strict=True)
        }
        assert data["p"]["totalCount"] == 5
        assert titles == ({"1": "A", "2": None} if "first" in page else {"2": None, "3": "C", "4": "D", "5": None})
        place = 1 if "first" in page else 0
        assert errors.pop(f"p.edges.{place}.node.t") == _misfit("Thing.title")
        assert errors == ({} if "first" in page else {"p.edges.3.node.t": _misfit("Thing.title")})


def test_elements_of_embedded_lists(ask: Callable[..., Any]) -> None:
    text = "query ($n: Int) { things(limit: 2) { parts(limit: $n, offset: 1) { n } } }"
    data, errors = ask(text, {"n": 2})
    assert data == {"things": [{"parts": [{"n": None}, {"n": 3}]}, {"parts": [{"n": 2}]}]}
    assert errors == {"things.0.parts.0.n": _misfit("Part.n")}


def test_interfaces(ask: Callable[..., Any]) -> None:
    data, errors = ask(
        "{ items(limit: 3) { __typename title ... on Book { pages } ... on Film { minutes } parts { n } } }"
    )
    assert data["items"] == [
        {"__typename": "Book", "title": "A", "pages": 5, "parts": [{"n": 1}, {"n": None}, {"n": 3}, {"n": 4}]},
        {"__typename": "Book", "title": None, "pages": None, "parts": [None, {"n": 2}]},
        {"__typename": "Film", "title": "C", "minutes": None, "parts": []},
    ]
    assert set(errors) == {
        *("items.0.parts.1.n", "items.1.title", "items.1.pages", "items.1.parts.0", "items.2.minutes")
    }
    assert errors["items.1.title"] == _misfit("Book.title")
    assert errors["items.2.minutes"] == _misfit("Film.minutes")


def test_a_document_of_an_interface_that_is_no_object(ask: Callable[..., Any]) -> None:
    data, errors = ask("{ items(where: {id: {eq: 5}}) { id title ... on Film { minutes } } }")
    assert data == {"items": [{"id": "5", "title": None, "minutes": None}]}
    assert errors == {"items.0.title": _misfit("Film.title")}

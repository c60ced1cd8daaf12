"""Interfaces and unions by a discriminator: of rows and inside jsonb, held against graphql-core over the same rows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLSchema, graphql_sync, parse, validate

from fraiseql.pipeline import Outcome
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from golden.fragments import random_query
from golden.lending import DDL, SCHEMA
from golden.serving import Served, served


@pytest.fixture(scope="module")
def serving(module_database_url: str) -> Iterator[Served]:
    with served(module_database_url, DDL, SCHEMA) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ film(id: 1) { id } }", None),
        (
            "{ film(id: 2) { title sequelOf { __typename id } } }",
            {"title": "Two", "sequelOf": {"__typename": "Book", "id": "1"}},
        ),
        ("{ medium(id: 2) { ... on Book { pages } } }", {}),
        ("{ medium(id: 9) { id } }", None),
        ("{ media(what: FILM) { id } }", [{"id": "2"}]),
        ("{ books(orderBy: [{pages: DESC_NULLS_LAST}]) { id } }", [{"id": "3"}, {"id": "1"}, {"id": "5"}]),
        ('{ books(where: {sequelOf: {title: {eq: "One"}}}) { id } }', [{"id": "3"}]),
        ("{ media(limit: 2, offset: 1, orderBy: [{title: ASC}]) { id } }", [{"id": "4"}, {"id": "1"}]),
        (
            '{ media(where: {sequels: {some: {loud: {eq: "FOUR"}}}}) { id __typename } }',
            [{"id": "2", "__typename": "Film"}],
        ),
        ("{ media(where: {holdings: {some: {media: {what: {eq: FILM}}}}}) { id } }", [{"id": "2"}]),
        ('{ authors(where: {books: {some: {title: {in: ["Two", "Three"]}}}}) { id } }', [{"id": "2"}]),
        (
            "{ authors(orderBy: [{books: {count: DESC}}]) { id books { pages: id } } }",
            [{"id": "1", "books": [{"pages": "1"}, {"pages": "5"}]}, {"id": "2", "books": [{"pages": "3"}]}],
        ),
        (
            "{ holdings(orderBy: [{media: {title: DESC}}, {place: ASC}]) { place media { ... on Film { minutes } } } }",
            [
                {"place": "here", "media": {"minutes": 90}},
                {"place": "here", "media": {}},
                {"place": "there", "media": {}},
            ],
        ),
        (
            "{ bookPages(first: 2) { totalCount nodes { id } pageInfo { hasNextPage } } }",
            {"totalCount": 3, "nodes": [{"id": "1"}, {"id": "3"}], "pageInfo": {"hasNextPage": True}},
        ),
        ("{ authors(where: {finds: {none: {}}}, orderBy: [{finds: {count: DESC}}]) { id } }", []),
        (
            '{ shelves(limit: 1) { things(where: {id: {eq: "t1"}}) { ... on Tin { labels(limit: 1) { text } } } } }',
            [{"things": [{"labels": [{"text": "x"}]}]}],
        ),
        (
            "{ shelves(limit: 1) { things(limit: 1, orderBy: [{id: DESC}]) { id __typename } } }",
            [{"things": [None]}],
        ),
        ('{ shelves(where: {first: {id: {eq: "b1"}}, found: {}}) { id } }', [{"id": "1"}]),
        (
            '{ shelves(where: {things: {some: {id: {eq: "t1"}}}}) { id found { __typename } } }',
            [{"id": "1", "found": {"__typename": "Tin"}}],
        ),
        (
            "{ authors(orderBy: [{finds: {count: DESC}}, {id: DESC}])"
            " { id finds(limit: 1, offset: 1) { __typename } } }",
            [{"id": "2", "finds": [{"__typename": "Volume"}]}, {"id": "1", "finds": [{"__typename": "Volume"}]}],
        ),
        (
            '{ hits(kind: "film") { totalCount nodes { ... on Clip { title } } } }',
            {"totalCount": 1, "nodes": [{"title": "Two"}]},
        ),
        (
            "{ hit(id: 1) { ... on Author { media { title } books { id } } } }",
            {"media": [{"title": "One"}, {"title": "Five"}], "books": [{"id": "1"}, {"id": "5"}]},
        ),
        (
            "{ mediaPages(last: 2) { edges { node { __typename ...S } } nodes { ... on Book { id } } } }"
            " fragment S on Song { minutes }",
            {
                "edges": [{"node": {"__typename": "Song", "minutes": 3}}, {"node": {"__typename": "Book"}}],
                "nodes": [{}, {"id": "5"}],
            },
        ),
    ],
)
def test_rows(serving: Served, query: str, expected: Any) -> None:
    assert next(iter(serving.data(query).values())) == expected
    assert len(serving.fetches) == 1


MASKED = {"code": "INTERNAL_SERVER_ERROR", "requestId": "r"}
UNKNOWN = {"message": "The value of Query.wild is of no type of Wild.", "extensions": MASKED}


@pytest.mark.parametrize("fields", ["__typename", "t: __typename", "... on Author { name }", "... on Node { id }"])
def test_a_row_of_no_type_is_an_error(serving: Served, fields: str) -> None:
    assert json.loads(serving.execute(f"{{ wild(id: 102) {{ {fields} }} media(limit: 1) {{ id }} }}").body) == {
        "errors": [UNKNOWN | {"path": ["wild"]}],
        "data": {"wild": None, "media": [{"id": "1"}]},
    }


@pytest.mark.parametrize(("field", "data"), [("wilds", None), ("wildsOrNull", {"wildsOrNull": None})])
def test_it_rises_as_a_null_does(serving: Served, field: str, data: Any) -> None:
    response = json.loads(serving.execute(f"{{ {field} {{ __typename }} }}").body)
    assert response["data"] == data
    assert [error["path"] for error in response["errors"]] == [[field, 2]]


def test_a_null_rises_by_the_type_of_its_object(serving: Served) -> None:
    response = json.loads(serving.execute("{ shelves { things { id ... on Box { w: width } } } }").body)
    assert response == {
        "errors": [
            {
                "message": "Cannot return null for non-nullable field Box.width.",
                "path": ["shelves", 0, "things", 2, "w"],
                "extensions": MASKED,
            }
        ],
        "data": {"shelves": [{"things": [{"id": "t1"}, None, None]}, {"things": []}]},
    }


def test_numbers_and_keys_of_documents_stay_as_they_are(serving: Served) -> None:
    body = serving.execute("{ media(limit: 1) { extra ... on Book { pages } } }").body
    assert body == (b'{"data":{"media":[{"extra":{"n":12345678901234567890.10,"type$":"x"},"pages":100}]}}')


def test_what_tells_of_its_type_is_not_read(serving: Served) -> None:
    body = serving.execute("{ medium(id: 1) { title __typename } film(id: 2) { title } }").body
    assert body == b'{"data":{"medium":{"title":"One","__typename":"Book"},"film":{"title":"Two"}}}'


def _loads(text: bytes | str) -> Any:
    """With numbers that are no integers as they are written."""
    return json.loads(text, parse_float=str)


def _media(id: int, kind: str, title: str, pages: int | None, minutes: int | None, extra: Any) -> dict[str, Any]:
    row = {"__typename": kind, "id": str(id), "title": title, "what": kind.lower(), "loud": title.upper()}
    return {**row, "pages": pages, "minutes": minutes, "extra": _loads(extra), "sequels": [], "holdings": []}


def _objects() -> dict[str, Any]:
    """The rows of `DDL` as the values of graphql-core's root, without those of no member."""
    authors = [
        {"__typename": "Author", "id": id, "name": name, "media": []} for id, name in (("1", "Ada"), ("2", "Bob"))
    ]
    ada, bob = authors
    one = _media(1, "Book", "One", 100, None, '{"type$": "x", "n": 12345678901234567890.10}')
    two = _media(2, "Film", "Two", None, 90, "[null]")
    three = _media(3, "Book", "Three", 300, None, "null")
    four = _media(4, "Song", "Four", None, 3, r'"\"type$\":"')
    five = _media(5, "Book", "Five", None, None, "1.50")
    media = [one, two, three, four, five]
    for row, author, origin in zip(media, [ada, bob, bob, None, ada], [None, one, one, two, None], strict=True):
        row |= {"author": author, "sequelOf": origin}
        if author is not None:
            author["media"].append(row)
        if origin is not None:
            origin["sequels"].append(row)
    for author in authors:
        author["books"] = [row for row in author["media"] if row["__typename"] == "Book"]
        author["finds"] = []
    holdings = [
        {"place": place, "copies": copies, "media": row}
        for row, place, copies in ((one, "here", 2), (one, "there", 1), (two, "here", 9))
    ]
    for holding in holdings:
        holding["media"]["holdings"].append(holding)
    tins = [{"__typename": "Tin", "id": id, "metal": metal} for id, metal in (("t1", "zinc"), ("t2", "lead"))]
    tins[0]["labels"] = [{"text": "x"}, {"text": "y"}]
    box = {"__typename": "Box", "id": "b1", "width": 7}
    shelves = [
        {"id": "1", "first": box, "things": [tins[0], None, {"__typename": "Box", "id": "b2", "width": None}]},
        {"id": "2", "first": None, "things": [], "found": None},
    ]
    shelves[0]["found"] = tins[1]
    names = {"Book": "Volume", "Film": "Clip"}
    found = [
        {**row, "id": str(int(row["id"]) + 100), "__typename": names[row["__typename"]]}
        for row in media
        if row["__typename"] in names
    ]
    for row in found:
        if row["author"] is not None:
            row["author"]["finds"].append(row)
    # An id inside jsonb is ordered as the text that it is.
    roots = {"media": media, "books": [one, three, five], "authors": authors, "holdings": holdings, "shelves": shelves}
    return {**roots, "search": sorted([*authors, *found], key=lambda row: row["id"])}


_PLAIN = ("media", "books", "authors", "holdings", "shelves", "search")


@pytest.fixture(scope="module")
def judge() -> GraphQLSchema:
    """graphql-core's schema of the queries that need no arguments; `Found` has no rows of no member."""
    schema = build_graphql_schema(SCHEMA.model)
    assert schema.query_type is not None
    for name in set(schema.query_type.fields) - set(_PLAIN):
        del schema.query_type.fields[name]
    for kind in ("Film", "Book", "Song"):
        del schema.type_map[kind].fields["holdings"]  # in no order of their own
    del schema.type_map["Media"].fields["holdings"]
    return schema


@pytest.mark.parametrize("seed", range(150))
def test_random_fragments(serving: Served, judge: GraphQLSchema, seed: int) -> None:
    choose = random.Random(seed)
    query = random_query(judge, choose)
    while validate(judge, parse(query)):
        query = random_query(judge, choose)
    expected = graphql_sync(judge, query, _objects())
    response = serving.execute(query)
    found = _loads(response.body)
    assert found["data"] == json.loads(json.dumps(expected.data))
    assert [error["path"] for error in found.get("errors", [])] == [error.path for error in expected.errors or []]
    assert response.outcome in (Outcome.DATA, Outcome.DATA_AND_ERRORS), response.cause

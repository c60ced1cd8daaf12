"""Interfaces and unions in subscriptions: rows of events, live queries, and Python values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.effects import changed_topic
from fraiseql.pipeline import GraphQLRequest
from fraiseql.schema import subscription
from golden.lending import DDL, Author, Book, Box, Film, Found, Kind, Media, Shelf, Song, Tin
from golden.serving import Served, events, served


@fraiseql.query
def media() -> list[Media]: ...


@subscription
async def lent() -> AsyncIterator[Media]:
    yield  # type: ignore[misc]


@subscription
async def found() -> AsyncIterator[list[Found | None]]:
    yield []


@subscription
async def shelved() -> AsyncIterator[Shelf]:
    yield  # type: ignore[misc]


@subscription
async def read() -> AsyncIterator[Book]:
    yield  # type: ignore[misc]


@subscription(topic="media.made")
def media_made(what: Kind | None) -> Media: ...


@subscription(topic="book.made")
def book_made() -> Book: ...


@subscription(topic="media.changed", by="id")
def book_changed() -> Book | None: ...


@subscription(topic="shelf.made")
def shelf_made() -> Shelf: ...


@subscription(topic="found.made")
def found_made() -> Found | None: ...


@subscription
def live_media(id: ID) -> Media | None: ...


SCHEMA = fraiseql.Schema(
    types=[Book, Film, Song, Box, Tin],
    queries=[media],
    subscriptions=[lent, found, shelved, read, media_made, book_made, book_changed, live_media, shelf_made, found_made],
)


@pytest.fixture(scope="module")
def serving(module_database_url: str) -> Iterator[Served]:
    with served(module_database_url, DDL, SCHEMA) as opened:
        yield opened


def _book(**more: Any) -> Any:
    book: Any = Book()
    vars(book).update({"id": 1, "title": "Mine", "pages": 7, **more})
    return book


FIELDS = "__typename title ... on Book { pages } ... on Film { minutes }"
MINE = {"__typename": "Book", "title": "Mine", "pages": 7}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_book(), MINE),
        ({"__typename": "Book", "title": "Mine", "pages": 7}, MINE),
        ({"what": Kind.BOOK, "title": "Mine", "pages": 7}, MINE),
        ({"kind": "book", "title": "Mine", "pages": 7}, MINE),
        (
            SimpleNamespace(kind="film", title="Two", minutes=None),
            {"__typename": "Film", "title": "Two", "minutes": None},
        ),
        (SimpleNamespace(__typename="Song", title="Two"), {"__typename": "Song", "title": "Two"}),
    ],
)
def test_a_value_is_of_the_type_that_it_says(serving: Served, value: Any, expected: Any) -> None:
    assert serving.subscribe(f"subscription {{ lent {{ {FIELDS} }} }}", value) == [{"data": {"lent": expected}}]


@pytest.mark.parametrize(
    "value",
    [{"title": "x"}, {"kind": "radio"}, {"__typename": "Author"}, {"what": Kind}, SimpleNamespace(), Author()],
    ids=range(6),
)
@pytest.mark.parametrize("fields", ["title", "title author { name }"])
def test_a_value_that_does_not_say_is_an_error(serving: Served, value: Any, fields: str) -> None:
    (emitted,) = serving.subscribe(f"subscription {{ lent {{ {fields} }} }}", value)
    assert emitted["data"] is None
    (error,) = emitted["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["lent"], "INTERNAL_SERVER_ERROR")
    assert serving.fetches == []


def test_relations_of_a_value_come_from_sql(serving: Served) -> None:
    query = "subscription { lent { title loud author { name } ... on Book { pages sequels { title } } } }"
    book = _book(author_id=2, loud="LOUD")
    expected = {"title": "Mine", "loud": "LOUD", "author": {"name": "Bob"}, "pages": 7}
    sequels = [{"title": "Two"}, {"title": "Three"}]
    assert serving.subscribe(query, book) == [{"data": {"lent": {**expected, "sequels": sequels}}}]
    assert len(serving.fetches) == 1


def test_relations_of_the_values_of_a_union(serving: Served) -> None:
    query = "subscription { found { ... on Author { name books { id } } ... on Volume { title author { name } } } }"
    values = [
        {"kind": "writer", "id": 2, "name": "Me"},
        None,
        {"kind": "volume", "id": 9, "title": "It", "pages": None, "author_id": 1},
    ]
    assert serving.subscribe(query, values) == [
        {"data": {"found": [{"name": "Me", "books": [{"id": "3"}]}, None, {"title": "It", "author": {"name": "Ada"}}]}}
    ]


def test_values_inside_values(serving: Served) -> None:
    shelf = {
        "id": 1,
        "first": {"kind": "tin", "id": "t", "metal": "iron"},
        "things": [],
        "found": {"type": "box", "width": 1},
    }
    query = "subscription { shelved { first { id ... on Tin { metal } } found { ... on Box { width } } } }"
    assert serving.subscribe(query, shelf) == [
        {"data": {"shelved": {"first": {"id": "t", "metal": "iron"}, "found": {"width": 1}}}}
    ]


def test_a_value_of_a_member_has_its_relations(serving: Served) -> None:
    query = "subscription { read { title sequels { title } sequelOf { title } } }"
    expected = {"title": "Mine", "sequels": [{"title": "Two"}, {"title": "Three"}], "sequelOf": None}
    assert serving.subscribe(query, _book(sequel_of=None)) == [{"data": {"read": expected}}]


ROWS = [
    {"id": 11, "kind": "book", "title": "New", "pages": 5, "author_id": 1},
    {"id": 12, "kind": "film", "title": "Film", "minutes": 5},
    {"id": 13, "kind": "radio", "title": "?"},
]


def test_rows_of_events(serving: Served) -> None:
    query = "subscription { mediaMade { title author { name } ... on Book { pages } } }"
    emitted = serving.subscribe(query, events("media.made", *ROWS))
    assert [each["data"] for each in emitted] == [
        {"mediaMade": {"title": "New", "author": {"name": "Ada"}, "pages": 5}},
        {"mediaMade": {"title": "Film", "author": None}},
        None,
    ]
    assert emitted[2]["errors"][0]["message"] == "The value of Subscription.mediaMade is of no type of Media."
    filtered = serving.subscribe("subscription { mediaMade(what: FILM) { title } }", events("media.made", *ROWS))
    assert filtered == [{"data": {"mediaMade": {"title": "Film"}}}]


@pytest.mark.parametrize(
    "title",
    [
        '"type$":"Book",',
        '{"type$" : "Book", "x": 1}',
        "type$",
        '\\"type$":"Book"',
        '","type$":"Book',
        "null",
        "type$\\",
    ],
)
@pytest.mark.parametrize("key", ["t", "k" * 64])
@pytest.mark.parametrize("more", ["", "extra", "pages"])
def test_the_hidden_key_goes_and_no_text_with_it(serving: Served, title: str, key: str, more: str) -> None:
    row = {"id": 1, "kind": "book", "title": title, "extra": {"type$": "Book"}}
    query = f"subscription {{ mediaMade {{ {key}: title ... on Book {{ {more or 'id'} }} }} }}"
    (emitted,) = serving.subscribe(query, events("media.made", row))
    if more == "pages":
        assert emitted["data"] is None
        assert emitted["errors"][0]["path"] == ["mediaMade", "pages"]
    else:
        expected = {"extra": {"type$": "Book"}} if more else {"id": "1"}
        assert emitted == {"data": {"mediaMade": {key: title, **expected}}}


def test_values_that_do_not_fit_their_member(serving: Served) -> None:
    things = [
        {"kind": "box", "id": "b", "width": "wide"},
        {"kind": "tin", "id": "t", "metal": {}},
        {"kind": "tin", "id": "u", "metal": "iron"},
        "no object",
        {"kind": "bag", "id": "g"},
        {"kind": 1, "id": "h"},
    ]
    shelf = {"id": 7, "data": {"first": [], "things": things, "found": {"type": "box", "id": "c", "width": 2}}}
    fields = "id ... on Box { width } ... on Tin { metal }"
    query = (
        f"subscription {{ shelfMade {{ first {{ id }} things {{ {fields} }} found {{ ... on Box {{ width }} }} }} }}"
    )
    (emitted,) = serving.subscribe(query, events("shelf.made", shelf))
    assert emitted["data"] == {
        "shelfMade": {
            "first": None,
            "things": [None, None, {"id": "u", "metal": "iron"}, None, None, None],
            "found": {"width": 2},
        }
    }
    assert [(error["path"][1:], error["message"]) for error in emitted["errors"]] == [
        (["first"], "The value of Shelf.first does not fit its type."),
        (["things", 0, "width"], "The value of Box.width does not fit its type."),
        (["things", 1, "metal"], "The value of Tin.metal does not fit its type."),
        (["things", 3], "The value of Shelf.things does not fit its type."),
        (["things", 4], "The value of Shelf.things is of no type of Thing."),
        (["things", 5], "The value of Shelf.things is of no type of Thing."),
    ]


@pytest.mark.parametrize("typename", ["", "__typename"])
def test_a_document_that_is_no_object(serving: Served, typename: str) -> None:
    query = f"subscription {{ foundMade {{ {typename} ... on Author {{ name }} }} }}"
    (emitted,) = serving.subscribe(query, events("found.made", {"kind": "writer", "data": ["name"]}))
    assert emitted["data"] == {"foundMade": None}
    assert emitted["errors"][0]["path"] == ["foundMade", "name"]


def test_events_of_a_member_are_those_of_its_rows(serving: Served) -> None:
    emitted = serving.subscribe("subscription { bookMade { title } }", events("book.made", *ROWS))
    assert emitted == [{"data": {"bookMade": {"title": "New"}}}]
    named = [{"id": 1}, {"id": 2}, {"id": 3}]
    emitted = serving.subscribe("subscription { bookChanged { title pages } }", events("media.changed", *named))
    assert [each["data"]["bookChanged"]["title"] for each in emitted] == ["One", "Three"]


def test_a_row_of_a_member_that_is_gone(serving: Served) -> None:
    gone = [{"id": 90}, {"id": 91, "kind": "book"}, {"id": 92, "kind": "film"}]
    emitted = serving.subscribe("subscription { bookChanged { title } }", events("media.changed", *gone))
    assert emitted == [{"data": {"bookChanged": None}}] * 2


def test_a_live_query(serving: Served) -> None:
    query = "subscription { liveMedia(id: 3) { title ... on Book { sequelOf { id } author { name } } } }"
    expected = {"title": "Three", "sequelOf": {"id": "1"}, "author": {"name": "Bob"}}
    assert serving.subscribe(query) == [{"data": {"liveMedia": expected}}]


def test_what_live_queries_can_read() -> None:
    assert SCHEMA.model.watched_sources == {"media", "author", "holding", "v_search"}


def test_a_live_query_watches_what_any_member_reads(serving: Served) -> None:
    query = "subscription { liveMedia(id: 3) { ... on Song { author { id } } ... on Film { holdings { place } } } }"
    effect: Any = next(serving.pipeline.operate(GraphQLRequest(query, None, {}), "r"))
    opened: Any = next(effect.stream.begin())
    assert opened.source.topics == {changed_topic(name) for name in ("media", "author", "holding")}

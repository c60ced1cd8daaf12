"""Subscriptions on a real PostgreSQL: the rows of events, live queries, and Python values beside rows of a table."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.waiting import wait_conn

import fraiseql
from fraiseql import ID, JSON
from fraiseql.effects import Absent, Effect, Emit, Event, Fetch, Join, Next, Program
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline
from fraiseql.postgres import Connection, connect, run
from fraiseql.postgres.conninfo import ConnectionString
from fraiseql.schema import subscription
from golden.files import without_layout

_DDL = """
create schema shop;
create type mood as enum ('very good', 'it''s bad');
create table author (id bigint primary key, name text not null, mood mood);
create table shop.book (
    id bigint primary key, title text not null, author_id bigint, price numeric, sold timestamptz, tags text[]
);
create view v_author as select id, jsonb_build_object('name', name, 'mood', mood) as data from author;
create table everything (
    id bigint primary key, name text, small integer, ratio double precision, yes boolean, key uuid, at timestamptz,
    local timestamp, day date, "time" time, amount numeric, extra jsonb, mood mood, names text[], numbers integer[],
    prices numeric[], moods mood[], matrix integer[], address jsonb, addresses jsonb
);
insert into author values (1, 'Ada', 'very good'), (2, 'Bob', null);
insert into shop.book values
    (1, 'One', 1, 1.50, '2024-02-29 12:00:00.120+02', '{a,b}'), (2, 'Two', 1, null, null, null),
    (3, 'Three', 2, 12345678901234567890.10, null, '{}');
insert into everything values
    (9007199254740993, 'é "q" \\', -2147483648, 0.1, true, 'C0FFEE00-0000-4000-8000-00000000000A',
     '2024-02-29 12:00:00.120+02', '2024-02-29 12:00:00', '2024-02-29', '13:30:00.5', 1.50,
     '{"b": 1, "a": [1.5, "x", null]}', 'it''s bad', '{a,NULL,"b c"}', '{1,NULL}', '{1.50,2}', '{very good}',
     '{{1,2},{3,4}}', '{"city": "x", "since": "2024-02-29", "rent": 12.50}', '[{"city": "y"}, null]'),
    (2, '', 0, 1e15, false, '00000000-0000-0000-0000-000000000000', '0001-01-01 00:00:00+00',
     '9999-12-31 23:59:59.999999', '0001-01-01', '00:00:00', -0.00, '"text"', 'very good', '{}',
     '{}', '{}', '{}', '{}', '{"city": ""}', '[]'),
    (3, 'c', 7, -1.25e-7, false, '00000000-0000-0000-0000-000000000001', '2024-01-01 00:00:00.000001+00',
     '2024-01-01 00:00:00.1', '9999-12-31', '23:59:59.999999', 12345678901234567890.1234567890, '[]', 'very good', '{}',
     '{}', '{}', '{}', '{}', '{"city": "z"}', '[]'),
    (4, 'd', 7, 123456789012345, true, '00000000-0000-0000-0000-000000000001', '2024-01-01', '2024-01-01', '2024-01-01',
     '12:00', 1e10, '{}', 'very good', '{}', '{}', '{}', '{}', '{}', '{"city": "z"}', '[]'),
    (5, 'e', 7, 1.7976931348623157e308, true, '00000000-0000-0000-0000-000000000001', '2024-01-01', '2024-01-01',
     '2024-01-01', '12:00', 0, '5', 'very good', '{}', '{}', '{}', '{}', '{}', '{"city": "z"}', '[]');
insert into everything (id) values (6);
"""


@fraiseql.enum
class Mood(Enum):
    GOOD = "very good"
    BAD = "it's bad"


@fraiseql.type(sql_source="v_author")
class Author:
    id: ID = fraiseql.field(column="id")
    name: str
    mood: Mood | None
    home: Address | None
    books: list[Book] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.type(sql_source="shop.book", jsonb_column=None)
class Book:
    id: ID
    title: str
    written_by: ID | None = fraiseql.field(column="author_id")
    price: Decimal | None
    sold: dt.datetime | None
    tags: list[str] | None
    author: Author | None = fraiseql.relation(on={"id": "author_id"})


@fraiseql.type
class Address:
    city: str
    since: dt.date | None
    rent: Decimal | None


@fraiseql.type(sql_source="everything", jsonb_column=None)
class Everything:
    id: ID
    name: str | None
    small: int | None
    ratio: float | None
    yes: bool | None
    key: UUID | None
    at: dt.datetime | None
    local: dt.datetime | None
    day: dt.date | None
    time: dt.time | None
    amount: Decimal | None
    extra: JSON | None
    mood: Mood | None
    names: list[str | None] | None
    numbers: list[int | None] | None
    prices: list[Decimal] | None
    moods: list[Mood] | None
    matrix: list[list[int]] | None
    address: Address | None
    addresses: list[Address | None] | None


@fraiseql.query
def everything() -> list[Everything]: ...


@subscription
def live_books(written_by: ID | None = None) -> list[Book]: ...


@subscription
def live_author(id: ID) -> Author | None: ...


@subscription(topic="book.sold")
def book_sold(title: str | None, written_by: ID | None) -> Book: ...


@subscription(topic="author.changed", by="id")
def author_changed(mood: Mood | None, id: ID | None) -> Author | None: ...


@subscription(topic="book.named", by="id")
def book_named(title: str | None) -> Book: ...


@subscription(topic="author.made")
def author_made() -> Author | None: ...


@subscription
async def book() -> AsyncIterator[Book]:
    yield  # type: ignore[misc]


@subscription
async def authors() -> AsyncIterator[list[Author | None]]:
    yield []


@subscription
async def every() -> AsyncIterator[Everything]:
    yield  # type: ignore[misc]


_PIPELINE = Pipeline(
    fraiseql.Schema(
        queries=[everything],
        subscriptions=[
            *(live_books, live_author, book_sold, author_changed, book_named, author_made, book, authors, every),
        ],
    )
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a subscription emitted, how it ended, and what it asked of the database."""

    emitted: list[Any]
    result: Any
    fetches: list[Fetch]


Subscribe = Callable[..., Seen]


@pytest.fixture(scope="module")
def filled(module_database_url: str) -> str:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    return module_database_url


@pytest.fixture(scope="module")
def connection(filled: str) -> Iterator[Connection]:
    string = ConnectionString(filled)
    opened: Connection = wait_conn(
        connect(string.attempts(string.hosts())[0], max_prepared=50), interval=1.0, timeout=10.0
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def subscribe(connection: Connection) -> Subscribe:
    """Runs a subscription whose source gives `items`; a callable among them is called, and stands for a change."""

    def perform(program: Program[Any], items: Sequence[Any]) -> Seen:
        seen = Seen([], None, [])
        left = list(items)

        def answer(effect: Effect) -> Any:
            if isinstance(effect, Fetch):
                seen.fetches.append(effect)
                return wait_conn(run(connection, effect), interval=1.0, timeout=10.0)
            if isinstance(effect, Emit):
                if not effect.to_newcomers:
                    seen.emitted.append(json.loads(effect.emission.body))
            elif isinstance(effect, Next):
                item = left.pop(0) if left else Absent.ENDED
                return [Event("x")] if callable(item) and not item() else item
            return None

        try:
            effect = next(program)
            while True:
                try:
                    answered = answer(effect)
                except DatabaseError as error:
                    effect = program.throw(error)
                else:
                    effect = program.send(answered)
        except StopIteration as stop:
            return Seen(seen.emitted, stop.value, seen.fetches)

    def subscribe(query: str, *items: Any, variables: Mapping[str, Any] | None = None) -> Seen:
        effect = next(_PIPELINE.operate(GraphQLRequest(query, None, variables or {}), "r"))
        assert isinstance(effect, Join)
        return perform(effect.stream.begin(), items)

    return subscribe


def events(topic: str, *payloads: Any) -> list[Event]:
    return [Event(topic, payload, cursor=f"c{number}") for number, payload in enumerate(payloads, 1)]


def rows_of(url: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_events_that_hold_their_rows(subscribe: Subscribe, filled: str) -> None:
    rows = [row["r"] for row in rows_of(filled, "select to_jsonb(b) as r from shop.book b order by id")]
    query = "subscription { bookSold { id t: title price sold tags writtenBy author { name books(limit: 1) { id } } } }"
    seen = subscribe(query, events("book.sold", *rows))
    assert [each["extensions"]["cursor"] for each in seen.emitted] == ["c1", "c2", "c3"]
    assert seen.emitted[0]["data"]["bookSold"] == {
        "id": "1",
        "t": "One",
        "price": "1.5",  # psycopg has read 1.50 as a float, as orjson does
        "sold": "2024-02-29T10:00:00.12+00:00",
        "tags": ["a", "b"],
        "writtenBy": "1",
        "author": {"name": "Ada", "books": [{"id": "1"}]},
    }
    assert seen.emitted[1]["data"]["bookSold"]["author"] == {"name": "Ada", "books": [{"id": "1"}]}
    assert seen.emitted[2]["data"]["bookSold"]["author"] == {"name": "Bob", "books": [{"id": "3"}]}
    assert len(seen.fetches) == 2  # the first tries the values alone


def test_the_row_of_an_event_need_not_be_in_its_source(subscribe: Subscribe) -> None:
    payload = {"id": 99, "title": "New", "author_id": 2, "price": Decimal("1.50")}
    seen = subscribe("subscription { bookSold { title price author { name } } }", events("book.sold", payload))
    assert seen.emitted[0]["data"] == {"bookSold": {"title": "New", "price": "1.50", "author": {"name": "Bob"}}}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ('title: "One"', ["c1"]),
        ('title: "none"', []),
        ("writtenBy: 1", ["c1", "c2"]),
        ("writtenBy: null", ["c3"]),
        ('writtenBy: 1, title: "Two"', ["c2"]),
    ],
)
def test_events_that_do_not_match_are_not_sent(subscribe: Subscribe, arguments: str, wanted: list[str]) -> None:
    payloads = [
        {"id": 1, "title": "One", "author_id": 1},
        {"id": 2, "title": "Two", "author_id": 1},
        {"id": 3, "title": "Three"},
    ]
    seen = subscribe(f"subscription {{ bookSold({arguments}) {{ id }} }}", events("book.sold", *payloads))
    assert [each["extensions"]["cursor"] for each in seen.emitted] == wanted


def test_a_row_with_a_jsonb_column(subscribe: Subscribe) -> None:
    payload = {"id": 1, "data": {"name": "Ada 2", "mood": "it's bad"}}
    seen = subscribe("subscription { authorMade { id name mood books { id } } }", events("author.made", payload))
    assert seen.emitted[0]["data"]["authorMade"] == {
        "id": "1",
        "name": "Ada 2",
        "mood": "BAD",
        "books": [{"id": "1"}, {"id": "2"}],
    }


def test_only_the_event_at_fault_fails(subscribe: Subscribe) -> None:
    good = [{"id": number, "title": f"b{number}"} for number in range(1, 8)]
    bad = [
        {"id": "no number", "title": "x"},
        {"id": 5, "title": "nul \0"},
        "no object",
        {"id": 2**80, "title": object()},
    ]
    mixed = [good[0], bad[0], good[1], good[2], bad[1], bad[2], good[3], bad[3], *good[4:]]
    seen = subscribe("subscription { bookSold { title } }", events("book.sold", *mixed))
    assert [each["extensions"]["cursor"] for each in seen.emitted] == [f"c{n}" for n in range(1, len(mixed) + 1)]
    titles = [each["data"]["bookSold"]["title"] for each in seen.emitted if each["data"]]
    assert titles == [each["title"] for each in good]
    failed = [each for each in seen.emitted if "errors" in each]
    assert len(failed) == 4
    for each in failed:
        (error,) = each["errors"]
        assert (error["path"], error["extensions"]["code"]) == (["bookSold"], "INTERNAL_SERVER_ERROR")


def test_a_null_that_may_not_be_is_an_error_of_its_event(subscribe: Subscribe) -> None:
    seen = subscribe("subscription { bookSold { id title } }", events("book.sold", {"id": 1}, {"id": 2, "title": "b"}))
    assert seen.emitted[0]["data"] is None
    assert seen.emitted[0]["errors"][0]["path"] == ["bookSold", "title"]
    assert seen.emitted[0]["extensions"] == {"cursor": "c1"}
    assert seen.emitted[1]["data"] == {"bookSold": {"id": "2", "title": "b"}}


def test_a_value_that_does_not_fit_is_told_before_any_event(subscribe: Subscribe) -> None:
    seen = subscribe('subscription { bookSold(writtenBy: "x") { id } }')
    assert not seen.emitted
    assert isinstance(seen.result, GraphQLResponse)
    assert seen.result.outcome is not Outcome.STREAM_FAILED
    (error,) = json.loads(seen.result.errors)
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["bookSold"])


def test_the_current_row_of_a_key(subscribe: Subscribe) -> None:
    seen = subscribe(
        "subscription { authorChanged { name mood books { title } } }",
        events("author.changed", {"id": 1, "name": "old"}, {"id": 77}, {"id": "2"}),
    )
    assert [each["data"]["authorChanged"] for each in seen.emitted] == [
        {"name": "Ada", "mood": "GOOD", "books": [{"title": "One"}, {"title": "Two"}]},
        None,
        {"name": "Bob", "mood": None, "books": [{"title": "Three"}]},
    ]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [("id: 1", ["c1"]), ("id: 77", ["c2"]), ("mood: GOOD", ["c1"]), ("mood: BAD", []), ("id: 2, mood: null", ["c3"])],
)
def test_arguments_beside_a_key(subscribe: Subscribe, arguments: str, wanted: list[str]) -> None:
    seen = subscribe(
        f"subscription {{ authorChanged({arguments}) {{ name }} }}",
        events("author.changed", {"id": 1}, {"id": 77, "data": {}}, {"id": 2}),
    )
    assert [each["extensions"]["cursor"] for each in seen.emitted] == wanted


def test_a_row_that_is_gone_is_left_out_where_null_may_not_be(subscribe: Subscribe) -> None:
    seen = subscribe("subscription { bookNamed { id } }", events("book.named", {"id": 77}, {"id": 1}, {}))
    found, wrong = seen.emitted
    assert found["data"] == {"bookNamed": {"id": "1"}}
    assert wrong["errors"][0]["path"] == ["bookNamed"]  # its payload names no row


def test_a_key_is_found_by_its_index(filled: str) -> None:
    explanation = _PIPELINE.explain("subscription { bookNamed { title } }")
    sql = explanation.sql.replace("$1::", "'[{\"id\": 1}]'::")
    with psycopg.connect(filled) as other:
        other.execute("set enable_seqscan = off")
        plan = [row[0] for row in other.execute(f"explain {sql}").fetchall()]  # type: ignore[call-overload]
    assert any("Index Scan using book_pkey" in line for line in plan), plan


def test_live_queries(subscribe: Subscribe, filled: str) -> None:
    def change(sql: str) -> Callable[[], None]:
        def do() -> None:
            with psycopg.connect(filled) as other:
                other.execute(sql)  # type: ignore[call-overload]

        return do

    seen = subscribe(
        "subscription { liveBooks(writtenBy: 2, orderBy: [{id: DESC}], limit: 5) { id title author { name } } }",
        change("insert into shop.book values (50, 'Live', 2)"),
        change("insert into shop.book values (51, 'Other', 1)"),
        change("delete from shop.book where id >= 50"),
    )
    three = {"id": "3", "title": "Three", "author": {"name": "Bob"}}
    assert [each["data"]["liveBooks"] for each in seen.emitted] == [
        [three],
        [{"id": "50", "title": "Live", "author": {"name": "Bob"}}, three],
        [three],
    ]
    assert len(seen.fetches) == 4
    assert seen.result is None


def test_a_live_row(subscribe: Subscribe) -> None:
    assert subscribe("subscription { liveAuthor(id: 1) { name } }").emitted == [
        {"data": {"liveAuthor": {"name": "Ada"}}}
    ]
    assert subscribe("subscription { liveAuthor(id: 9) { name } }").emitted == [{"data": {"liveAuthor": None}}]
    wrong = subscribe('subscription { liveAuthor(id: "x") { name } }')
    assert wrong.result.outcome is Outcome.VARIABLES_INVALID


_FIELDS = """id name small ratio yes key at local day time amount extra mood names numbers prices moods matrix
    address { city since rent } addresses { city since rent }"""


def _as_written(text: bytes) -> Any:
    """Numbers as they are spelled."""
    return json.loads(text, parse_int=str, parse_float=str)


def test_python_values_are_shown_as_rows_are(connection: Connection, filled: str) -> None:
    program = _PIPELINE.execute(GraphQLRequest(f"{{ everything(orderBy: [{{id: ASC}}]) {{ {_FIELDS} }} }}"), "r")
    effect = next(program)
    assert isinstance(effect, Fetch)
    with pytest.raises(StopIteration) as stop:
        program.send(wait_conn(run(connection, effect), interval=1.0, timeout=10.0))
    by_sql = _as_written(stop.value.value.body)["data"]["everything"]
    rows = rows_of(filled, "select * from everything order by id")
    assert len(rows) == len(by_sql) == 6
    prepared = _PIPELINE.prepare_subscription(GraphQLRequest(f"subscription {{ every {{ {_FIELDS} }} }}"))
    for row, wanted in zip(rows, by_sql, strict=True):
        for value in (row, SimpleNamespace(**row), _with_members(row)):
            # Objects inside jsonb need not hold a key that is null; Python's must.
            response = prepared.project(_complete(value))
            shown = _as_written(response.body)["data"]["every"]
            for field, text in wanted.items():
                assert (field, shown[field]) == (field, text)
            assert list(shown) == list(wanted)


def _with_members(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "mood": None if row["mood"] is None else Mood(row["mood"])}


def _complete(value: Any) -> Any:
    row = dict(value) if isinstance(value, dict) else vars(value).copy()
    blank = {"city": None, "since": None, "rent": None}
    if row["address"] is not None:
        row["address"] = _exact({**blank, **row["address"]})
        row["addresses"] = [each and {**blank, **each} for each in row["addresses"]]
    if isinstance(row["moods"], str):
        row["moods"] = [Mood.GOOD.value] if row["moods"] != "{}" else []
    return row if isinstance(value, dict) else SimpleNamespace(**row)


def _exact(address: dict[str, Any]) -> dict[str, Any]:
    return {**address, "rent": None if address["rent"] is None else Decimal("12.50")}


def test_relations_of_a_yielded_value(subscribe: Subscribe) -> None:
    query = "subscription { book { title price sold author { name mood books(where: {id: {eq: 2}}) { id } } } }"
    value = {"title": "New", "price": Decimal("1.50"), "sold": dt.datetime(2024, 1, 1), "author_id": 1}
    seen = subscribe(query, value, SimpleNamespace(**value))
    assert len(seen.emitted) == 2
    for each in seen.emitted:
        assert each["data"]["book"] == {
            "title": "New",
            "price": "1.50",
            "sold": "2024-01-01T00:00:00+00:00",
            "author": {"name": "Ada", "mood": "GOOD", "books": [{"id": "2"}]},
        }


def test_relations_of_a_yielded_list(subscribe: Subscribe) -> None:
    query = "subscription { authors { id name mood books { title } } }"
    value = [{"id": 2, "name": "B", "mood": None}, None, {"id": 1, "name": "A", "mood": Mood.BAD}]
    seen = subscribe(query, value, [])
    assert seen.emitted[0]["data"]["authors"] == [
        {"id": "2", "name": "B", "mood": None, "books": [{"title": "Three"}]},
        None,
        {"id": "1", "name": "A", "mood": "BAD", "books": [{"title": "One"}, {"title": "Two"}]},
    ]
    assert seen.emitted[1]["data"]["authors"] == []
    assert len(seen.fetches) == 1


def test_relations_that_a_value_holds_need_no_sql(subscribe: Subscribe) -> None:
    value = {"title": "t", "author": {"name": "Own"}}
    seen = subscribe("subscription { book { title author { name } } }", value)
    assert seen.emitted == [{"data": {"book": {"title": "t", "author": {"name": "Own"}}}}]
    assert not seen.fetches


def test_arguments_below_a_relation_that_a_value_holds(subscribe: Subscribe) -> None:
    value = {"title": "t", "author": {"name": "Own", "books": [{"id": 1}, {"id": 2}]}}
    seen = subscribe("subscription { book { author { name books(limit: 1) { id } } } }", value)
    (error,) = seen.emitted[0]["errors"]
    assert error["path"] == ["book", "author"]
    assert seen.emitted[0]["data"] == {"book": {"author": None}}


def test_objects_and_own_columns_of_a_yielded_value(subscribe: Subscribe) -> None:
    home = {"city": "x", "since": dt.date(2024, 2, 29), "rent": Decimal("12.50")}
    value = {"id": 1, "home": home}
    seen = subscribe("subscription { authors { home { city since rent } books(limit: 1) { id } } }", [value])
    assert seen.emitted[0]["data"]["authors"] == [
        {"home": {"city": "x", "since": "2024-02-29", "rent": "12.50"}, "books": [{"id": "1"}]}
    ]
    seen = subscribe("subscription { book { writtenBy author { name } } }", {"written_by": "2"})
    assert seen.emitted[0]["data"]["book"] == {"writtenBy": "2", "author": {"name": "Bob"}}


def test_what_a_property_of_a_yielded_value_raises(subscribe: Subscribe) -> None:
    class Broken:
        title = "t"

        @property
        def author(self) -> Any:
            raise ZeroDivisionError("secret")

        @property
        def author_id(self) -> Any:
            raise ZeroDivisionError("secret")

    for query, path in (
        ("subscription { book { author { name } } }", ["book", "author"]),
        ("subscription { book { author { books(limit: 1) { id } } } }", ["book", "author"]),
    ):
        (error,) = subscribe(query, Broken()).emitted[0]["errors"]
        assert (error["path"], error["message"]) == (path, "Internal server error.")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"title": "t"}, ["book"]),  # nothing to find the author by
        ({"author_id": 1}, ["book", "title"]),
        ({"title": 5, "author_id": 1}, ["book", "title"]),
        ({"title": "t", "author_id": "no number"}, ["book"]),
        (5, ["book"]),
        (None, ["book"]),
    ],
)
def test_a_value_that_relations_cannot_be_served_for(subscribe: Subscribe, value: Any, path: list[str]) -> None:
    good = {"title": "t", "author_id": 1}
    seen = subscribe("subscription { book { title author { name } } }", value, good)
    (error,) = seen.emitted[0]["errors"]
    assert error["path"] == path
    assert seen.emitted[0]["data"] is None
    assert seen.emitted[1]["data"]["book"]["author"] == {"name": "Ada"}


@pytest.mark.parametrize(
    ("query", "sql"),
    [
        (
            "subscription { bookSold(writtenBy: 1) { id author { name } } }",
            """
select array_to_json(array(
    select to_json((
        select r$3
        from (
          select t$0."id"::text as "id", (
              select r$2
              from (
                select case when jsonb_typeof(t$1."data") in ('object', 'null') then (case when
                  ascii((t$1."data"->>'name')) in (91, 123)
                  and jsonb_typeof((t$1."data"->'name')) in ('object', 'array') then ('no scalar: ' ||
                  (t$1."data"->>'name'))::int4::text else (t$1."data"->>'name') end) when ('no object: ' ||
                  jsonb_typeof(t$1."data"))::int4 = 0 then null end as "name"
                from (
                  select t$1."data"
                  from "v_author" t$1
                  where t$1."id" = t$0."author_id"
                  limit 1
                ) t$1
              ) r$2
            ) as "author"
          from jsonb_populate_record(row((null::"shop"."book").*)::"shop"."book", given$.value) t$0
          where t$0."author_id" = $1
          order by t$0."id"
          limit 1
        ) r$3
      ))::text
    from jsonb_array_elements($2::jsonb) with ordinality given$(value, place)
    order by given$.place
  ))""",
        ),
        (
            "subscription { authorChanged(id: 1) { name } }",
            """
select array_to_json(array(
    select case when exists (
        select
        from "v_author" t$0
        where t$0."id" = t$1."id"
      ) then to_json((
        select r$2
        from (
          select case when jsonb_typeof(t$0."data") in ('object', 'null') then (case when
            ascii((t$0."data"->>'name')) in (91, 123)
            and jsonb_typeof((t$0."data"->'name')) in ('object', 'array') then ('no scalar: ' ||
            (t$0."data"->>'name'))::int4::text else (t$0."data"->>'name') end) when ('no object: ' ||
            jsonb_typeof(t$0."data"))::int4 = 0 then null end as "name"
          from (
            select t$0."data"
            from "v_author" t$0
            where t$0."id" = t$1."id" and t$0."id" = $1
            order by t$0."id"
            limit 1
          ) t$0
        ) r$2
      ))::text when t$1."id" = $2 then 'null' end
    from jsonb_array_elements($3::jsonb) with ordinality given$(value, place),
      lateral jsonb_populate_record(row((null::"v_author").*)::"v_author", given$.value) t$1
    order by given$.place
  ))""",
        ),
        (
            "subscription { liveBooks(limit: 2) { title } }",
            """
select array_to_json(array(
    select r$1
    from (
      select t$0."title"::text as "title"
      from "shop"."book" t$0
      order by t$0."id"
      limit $1
    ) r$1
  ))""",
        ),
    ],
)
def test_statements(query: str, sql: str) -> None:
    assert without_layout(_PIPELINE.explain(query).sql) == without_layout(sql.strip())

"""Computed fields over a real database: what methods are given of rows, documents, relations and connections."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Interface, IPv4Network
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.waiting import wait_conn

import fraiseql
from fraiseql import CIDR, ID, IP, JSON, MAC, BigInt, Bytes, Connection, DateRange, Interval
from fraiseql.effects import CallAll, Fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.postgres import connect, run
from fraiseql.postgres.conninfo import ConnectionString
from pipeline.stepping import outcome

_DDL = """
create table people (
  id int primary key, first_name text not null, last_name text not null, joined timestamptz not null, place jsonb);
insert into people values
  (1, 'Ada', 'Byron', '2024-02-29 12:00+00', '{"town": "London", "floor": 2, "lifts": [{"no": 1}, {"no": 2}]}'),
  (2, 'Grace', 'Hopper', '2024-03-01 00:00+00', null),
  (3, 'Alan', 'Turing', '2024-03-02 00:00+00', '{"town": "Wilmslow", "floor": 0, "lifts": []}');
create table letters (id int primary key, author int not null, data jsonb not null);
insert into letters values
  (10, 1, '{"title": "First", "words": 120}'), (11, 1, '{"title": "Second", "words": 80}'),
  (12, 2, '{"title": "Third", "words": 7}');
create table vehicles (id int primary key, kind text not null, name text not null, wheels int, wings int, crew jsonb);
insert into vehicles values
  (1, 'car', 'Beetle', 4, null, '[{"rank": "driver", "no": 7}, {"rank": "guest", "town": "Rome"}]'),
  (2, 'plane', 'Comet', null, 2, null);
create table strays (id int primary key, data jsonb not null);
insert into strays values (1, '{"title": "Right", "words": 120}'), (2, '{"title": "Wrong", "words": "many"}');
create table every_type (
  id int primary key, key uuid, day date, time time, at timestamptz, at_local timestamp, amount numeric, ratio float8,
  big bigint, span interval, raw bytea, host inet, net cidr, card macaddr, days daterange, mood text, moods text[],
  amounts numeric[], times timestamptz[], document jsonb, flag boolean, bigs bigint[]);
insert into every_type values (
  1, '9a1b1f4e-0000-4000-8000-000000000001', '2024-02-29', '12:30:01.5', '2024-02-29 12:00+02', '2024-02-29 12:00',
  12.50, 0.1, 9007199254740993, '1 day 2 hours', '\\x00ff', '10.0.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03',
  '[2024-01-01,2024-02-01)', 'very good', '{very good,bad}', '{1.5,NULL}', '{2024-01-01 00:00+00}',
  '{"a": [1, 2.5, null]}', true, '{9007199254740993}');
insert into every_type (id) values (2);
"""


@fraiseql.enum
class Mood(Enum):
    GOOD = "very good"
    BAD = "bad"


@fraiseql.type
class Lift:
    no: int

    @fraiseql.field
    def label(self) -> str:
        return f"lift {self.no}"


@fraiseql.type
class Place:
    town: str
    floor: int
    lifts: list[Lift]

    @fraiseql.field(needs=["town", "lifts"])
    def sign(self) -> str:
        return f"{self.town}: {', '.join(each.label() for each in self.lifts)}"


@fraiseql.type(sql_source="people", jsonb_column=None)
@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: ID
    first_name: str
    surname: str = fraiseql.field(column="last_name")
    joined: dt.datetime
    place: Place | None
    full_name: str = fraiseql.field(sql="{first_name} || ' ' || {last_name}")
    letters: list[Letter] = fraiseql.relation(on={"author": "id"})  # noqa: RUF009 - it is a marker
    letter_pages: Connection[Letter] = fraiseql.relation(on={"author": "id"})  # noqa: RUF009 - it is a marker

    @fraiseql.field(needs=["first_name", "surname"])
    def initials(self) -> str:
        return self.first_name[0] + self.surname[0]

    @fraiseql.field
    def card(self, separator: str = "|") -> str:
        floor = None if self.place is None else self.place.floor
        return separator.join(map(str, (self.id, self.full_name, self.joined.date(), floor)))

    @fraiseql.field(batch=True, needs=["id"])
    @staticmethod
    def total(people: list[Person]) -> list[int]:
        return [len(people)] * len(people)

    @fraiseql.field(needs=[])
    def one(self) -> int:
        return 1


@fraiseql.type(sql_source="letters")
class Letter:
    id: ID = fraiseql.field(column="id")
    title: str
    words: int
    author: Person = fraiseql.relation(on={"id": "author"})

    @fraiseql.field(needs=["words"])
    def pages(self, per_page: int = 50) -> int:
        return -(-self.words // per_page)

    @fraiseql.field(needs=["id", "title"])
    def heading(self) -> str:
        return f"{self.id}. {self.title}"


@fraiseql.type(sql_source="strays")
class Stray:
    title: str
    words: int

    @fraiseql.field(needs=["words"])
    def pages(self) -> int | None:
        return -(-self.words // 50)


@fraiseql.type(sql_source="every_type", jsonb_column=None)
class EveryType:
    id: int
    key: UUID | None
    day: dt.date | None
    time: dt.time | None
    at: dt.datetime | None
    at_local: dt.datetime | None
    amount: Decimal | None
    ratio: float | None
    big: BigInt | None
    span: Interval | None
    raw: Bytes | None
    host: IP | None
    net: CIDR | None
    card: MAC | None
    days: DateRange | None
    mood: Mood | None
    moods: list[Mood] | None
    amounts: list[Decimal | None] | None
    times: list[dt.datetime] | None
    document: JSON | None
    flag: bool | None
    bigs: list[BigInt] | None

    @fraiseql.field
    def held(self) -> list[str]:
        return [f"{name}={getattr(self, name)!r}" for name in EveryType.__annotations__]


@fraiseql.type
class Driver:
    no: int

    @fraiseql.field
    def badge(self) -> str:
        return f"driver {self.no}"


@fraiseql.type
class Guest:
    town: str

    @fraiseql.field
    def badge(self) -> str:
        return f"guest of {self.town}"


@fraiseql.union(types={"driver": Driver, "guest": Guest}, discriminator="rank")
class Member: ...


@fraiseql.interface(sql_source="vehicles", jsonb_column=None, discriminator="kind")
class Vehicle:
    id: ID
    name: str
    crew: list[Member] | None

    @fraiseql.field(needs=["name", "crew"])
    def sign(self) -> str:
        return f"{type(self).__name__} {self.name}: {[each.badge() for each in self.crew or ()]}"  # type: ignore[attr-defined]


@fraiseql.type(when="car")
class Car(Vehicle):
    wheels: int

    @fraiseql.field(needs=["wheels"])
    def axles(self) -> int:
        return self.wheels // 2


@fraiseql.type(when="plane")
class Plane(Vehicle):
    wings: int


@fraiseql.query
def vehicles() -> list[Vehicle]: ...


@fraiseql.query
def people() -> list[Person]: ...


@fraiseql.query
def people_pages() -> Connection[Person]: ...


@fraiseql.query
def person(id: ID) -> Person | None: ...


@fraiseql.query
def letters() -> list[Letter]: ...


@fraiseql.query
def strays() -> list[Stray]: ...


@fraiseql.query
def every_type(id: int) -> EveryType | None: ...


_QUERIES = [people, people_pages, person, letters, every_type, strays, vehicles]
_PIPELINE = Pipeline(fraiseql.Schema(types=[Car, Plane], queries=_QUERIES))


@pytest.fixture(scope="module")
def query(module_database_url: str) -> Iterator[Callable[..., Any]]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL.encode())
    string = ConnectionString(module_database_url)
    opened = wait_conn(connect(string.attempts(string.hosts())[0], max_prepared=50), interval=1.0, timeout=10.0)

    def query(text: str, variables: dict[str, Any] | None = None) -> Any:
        program = _PIPELINE.execute(GraphQLRequest(text, None, variables or {}), "r")
        fetches = 0
        try:
            effect = next(program)
            while True:
                if isinstance(effect, CallAll):
                    effect = program.send([outcome(call) for call in effect.calls])
                    continue
                assert isinstance(effect, Fetch)
                try:
                    row = wait_conn(run(opened, effect), interval=1.0, timeout=10.0)
                except DatabaseError as error:
                    effect = program.throw(error)
                else:
                    fetches += 1
                    effect = program.send(row)
        except StopIteration as stop:
            assert fetches == 1
            return json.loads(stop.value.body)

    yield query
    opened.close()


_LONG = "a" * 70


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{ people { initials id place { sign town } } }",
            {
                "people": [
                    {"initials": "AB", "id": "1", "place": {"sign": "London: lift 1, lift 2", "town": "London"}},
                    {"initials": "GH", "id": "2", "place": None},
                    {"initials": "AT", "id": "3", "place": {"sign": "Wilmslow: ", "town": "Wilmslow"}},
                ]
            },
        ),
        (
            '{ person(id: "1") { card b: card(separator: "/") total one } }',
            {
                "person": {
                    "card": "1|Ada Byron|2024-02-29|2",
                    "b": "1/Ada Byron/2024-02-29/2",
                    "total": 1,
                    "one": 1,
                }
            },
        ),
        ("{ people(limit: 2, offset: 1) { one } }", {"people": [{"one": 1}, {"one": 1}]}),
        (
            """{ people { place { lifts(where: {no: {gt: 1}}) { label }
                                  all: lifts(orderBy: [{no: DESC}], limit: 5) { label no } } } }""",
            {
                "people": [
                    {
                        "place": {
                            "lifts": [{"label": "lift 2"}],
                            "all": [{"label": "lift 2", "no": 2}, {"label": "lift 1", "no": 1}],
                        }
                    },
                    {"place": None},
                    {"place": {"lifts": [], "all": []}},
                ]
            },
        ),
        ('{ person(id: "9") { initials total } }', {"person": None}),
        (
            "{ people(limit: 2) { letters(orderBy: {words: ASC}, limit: 1) { heading author { initials } pages } } }",
            {
                "people": [
                    {"letters": [{"heading": "11. Second", "author": {"initials": "AB"}, "pages": 2}]},
                    {"letters": [{"heading": "12. Third", "author": {"initials": "GH"}, "pages": 1}]},
                ]
            },
        ),
        (
            "{ peoplePages(first: 1) { nodes { initials letterPages { edges { node { heading } } totalCount } } } }",
            {
                "peoplePages": {
                    "nodes": [
                        {
                            "initials": "AB",
                            "letterPages": {
                                "edges": [{"node": {"heading": "10. First"}}, {"node": {"heading": "11. Second"}}],
                                "totalCount": 2,
                            },
                        }
                    ]
                }
            },
        ),
        (
            f'{{ {_LONG}: person(id: "3") {{ {_LONG}: initials {_LONG}b: id place {{ lifts {{ label }} }} }} }}',
            {_LONG: {_LONG: "AT", f"{_LONG}b": "3", "place": {"lifts": []}}},
        ),
        (
            """{ vehicles { sign ... on Car { axles crew { ... on Driver { badge } ... on Guest { town badge } } }
                            ... on Plane { id wings } } }""",
            {
                "vehicles": [
                    {
                        "sign": "Car Beetle: ['driver 7', 'guest of Rome']",
                        "axles": 2,
                        "crew": [{"badge": "driver 7"}, {"town": "Rome", "badge": "guest of Rome"}],
                    },
                    {"sign": "Plane Comet: []", "id": "2", "wings": 2},
                ]
            },
        ),
    ],
)
def test_answers(query: Callable[..., Any], text: str, expected: Any) -> None:
    assert query(text) == {"data": expected}


def test_a_batch_over_all_parents(query: Callable[..., Any]) -> None:
    answer = query("{ letters { author { total } } people { total } }")
    assert answer["data"]["letters"] == [{"author": {"total": 3}}] * 3
    assert answer["data"]["people"] == [{"total": 3}] * 3


def test_every_type_comes_as_its_python_object(query: Callable[..., Any]) -> None:
    held = dict(each.split("=", 1) for each in query("{ everyType(id: 1) { held } }")["data"]["everyType"]["held"])
    utc = dt.UTC
    expected: dict[str, Any] = {
        "id": 1,
        "key": UUID("9a1b1f4e-0000-4000-8000-000000000001"),
        "day": dt.date(2024, 2, 29),
        "time": dt.time(12, 30, 1, 500_000),
        "at": dt.datetime(2024, 2, 29, 10, tzinfo=utc),
        "at_local": dt.datetime(2024, 2, 29, 12, tzinfo=utc),
        "amount": Decimal("12.50"),
        "ratio": 0.1,
        "big": 9007199254740993,
        "span": dt.timedelta(days=1, hours=2),
        "raw": b"\x00\xff",
        "host": IPv4Interface("10.0.0.1/24"),
        "net": IPv4Network("10.0.0.0/8"),
        "card": "08:00:2b:01:02:03",
        "days": "[2024-01-01,2024-02-01)",
        "mood": Mood.GOOD,
        "moods": [Mood.GOOD, Mood.BAD],
        "amounts": [Decimal("1.5"), None],
        "times": [dt.datetime(2024, 1, 1, tzinfo=utc)],
        "document": {"a": [1, 2.5, None]},
        "flag": True,
        "bigs": [9007199254740993],
    }
    assert held == {name: repr(value) for name, value in expected.items()}


def test_nulls_are_none(query: Callable[..., Any]) -> None:
    held = query("{ everyType(id: 2) { held } }")["data"]["everyType"]["held"]
    assert held[0] == "id=2"
    assert {each.partition("=")[2] for each in held[1:]} == {"None"}


def test_a_needed_value_that_does_not_fit_is_an_error_of_the_field(query: Callable[..., Any]) -> None:
    assert query("{ strays { title pages } }") == {
        "data": {"strays": [{"title": "Right", "pages": 3}, {"title": "Wrong", "pages": None}]},
        "errors": [
            {
                "message": "The value of Stray.words does not fit its type.",
                "path": ["strays", 1, "pages"],
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "r"},
            }
        ],
    }

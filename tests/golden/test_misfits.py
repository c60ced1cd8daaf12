"""Values in the database that do not fit their declared types: an error for each at its path, beside what fits."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import psycopg
import pytest
from psycopg.waiting import wait_conn

import fraiseql
from fraiseql import ID, JSON
from fraiseql.effects import Event, Fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline
from fraiseql.postgres import Connection
from fraiseql.postgres import run as fetch
from fraiseql.schema import subscription
from golden.asking import asking
from golden.driving import drive, opened
from pipeline.stepping import Run, open_stream

_DDL = Path(__file__).with_name("misfits.sql").read_bytes()


def _parse_email(value: Any) -> str:
    if not isinstance(value, str) or "@" not in value:
        raise ValueError("an email has an @")
    return value.lower()


def _parse_percent(value: Any) -> int:
    number = int(value)
    if not 0 <= number <= 100:
        raise ValueError
    return number


Email = Annotated[str, fraiseql.scalar("Email", sql_type="email", parse=_parse_email)]
Percent = Annotated[int, fraiseql.scalar("Percent", sql_type="percent", parse=_parse_percent)]


@fraiseql.enum
class Shade(Enum):
    RED = "red"


@fraiseql.type
class Home:
    city: str
    floor: int


@fraiseql.type(sql_source="person")
class Person:
    id: ID = fraiseql.field(column="id")
    name: str | None
    age: int | None
    born: dt.date | None
    tags: list[str] | None
    email: Email | None
    share: Percent | None
    home: Home | None
    homes: list[Home | None] | None
    grid: list[list[int] | None] | None
    shade: Shade | None
    any: JSON | None
    numbers: list[Numbers] = fraiseql.relation(on={"owner": "id"})


@fraiseql.type(sql_source="person")
class Strict:
    """The same person, of whom all must be known."""

    id: ID = fraiseql.field(column="id")
    age: int
    tags: list[str | None]


@fraiseql.type(sql_source="numbers", jsonb_column=None)
class Numbers:
    id: ID
    ratio: float | None
    matrix: list[list[float] | None] | None
    shades: list[list[Shade] | None] | None
    shade: Shade | None
    counts: list[int] | None
    grid: list[list[int]] | None
    amounts: list[Decimal | None] | None
    day: dt.date | None
    at: dt.datetime | None
    count: int | None
    big: int | None
    email: Email | None
    share: Percent | None


@fraiseql.type(sql_source="broken", jsonb_column=None)
class Broken:
    id: ID
    share: int | None
    gone: int | None


@fraiseql.query
def people() -> list[Person]: ...


@fraiseql.query
def person(id: ID) -> Person | None: ...


@fraiseql.query
def strict() -> list[Strict]: ...


@fraiseql.query
def numbers() -> list[Numbers]: ...


@fraiseql.query
def broken() -> list[Broken] | None: ...


@subscription(topic="person")
def person_told(id: ID | None) -> Person | None: ...


@subscription(topic="person", by="id")
def person_named() -> Person | None: ...


@subscription
def live_people() -> list[Person]: ...


_PIPELINE = Pipeline(
    fraiseql.Schema(
        queries=[people, person, strict, numbers, broken], subscriptions=[person_told, person_named, live_people]
    )
)
Ask = Callable[..., tuple[GraphQLResponse, list[Fetch]]]


@pytest.fixture(scope="module")
def reading(module_database_url: str) -> Iterator[Connection]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    reading = opened(module_database_url)
    yield reading
    reading.close()


@pytest.fixture(scope="module")
def ask(reading: Connection) -> Ask:
    def ask(
        text: str, variables: dict[str, Any] | None = None, *, instead: tuple[DatabaseError, ...] = ()
    ) -> tuple[GraphQLResponse, list[Fetch]]:
        program = _PIPELINE.execute(GraphQLRequest(text, None, variables or {}), "request-1")
        return drive(reading, program, instead=instead)

    return ask


def _errors(response: GraphQLResponse) -> dict[str, str]:
    """The field of each error, by its path."""
    found = {}
    for error in json.loads(response.body)["errors"]:
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        if "does not fit its type" in error["message"]:
            assert error["extensions"]["requestId"] == "request-1"
        name = error["message"].removeprefix("The value of ").removesuffix(" does not fit its type.")
        found[".".join(map(str, error["path"]))] = name
    return found


@pytest.mark.parametrize(
    ("field", "values", "errors"),
    [
        ("name", ["Ada", "Bob", None, None, None, None], ["2.name", "3.name"]),
        ("age", [36, None, None, None, None, None], ["1.age", "2.age", "3.age"]),
        ("born", ["1815-12-10", None, None, None, None, None], ["1.born", "2.born", "3.born"]),
        ("tags", [["a", "b"], None, None, None, None, None], ["1.tags.1", "2.tags", "3.tags"]),
        # Domains, of which only PostgreSQL knows what fits.
        ("email", [None] * 6, ["0.email", "1.email", "2.email", "3.email"]),
        ("share", [None] * 6, ["0.share", "1.share", "2.share", "3.share"]),
        ("home { city }", [{"city": "London"}, None, None, None, None, None], ["1.home", "2.home", "3.home"]),
        (
            "homes { floor }",
            [[{"floor": 2}], [None, None, {"floor": 3}], None, None, None, None],
            ["1.homes.0.floor", "1.homes.1", "2.homes", "3.homes"],
        ),
        ("grid", [[[1, 2], [3]], [None, None], None, None, None, None], ["1.grid.0.1", "1.grid.1", "2.grid", "3.grid"]),
        ("shade", ["RED", None, None, None, None, None], ["1.shade", "2.shade", "3.shade"]),
    ],
)
def test_jsonb(ask: Ask, field: str, values: list[Any], errors: list[str]) -> None:
    name = field.split()[0]
    response, fetches = ask(f"{{ people {{ {field} }} }}")
    assert response.outcome is Outcome.DATA_AND_ERRORS
    assert [row[name] for row in json.loads(response.body)["data"]["people"]] == values
    assert list(_errors(response)) == [f"people.{path}" for path in errors]
    assert len(fetches) == 2
    assert fetches[0].parameters == fetches[1].parameters


@pytest.mark.parametrize(
    ("field", "values", "errors"),
    [
        ("ratio", [1.5, None, None], ["1.ratio", "2.ratio"]),
        ("matrix", [[[1, 2.5], [-3, 1e300]], [None, [2, 3]], []], ["1.matrix.0.1"]),
        ("shades", [[["RED"], ["RED"]], [["RED"], None], []], ["1.shades.1.0"]),
        ("shade", ["RED", None, None], ["1.shade"]),
        ("counts", [[1, 2], None, []], ["1.counts"]),
        ("grid", [[[1, 2], [3, 4]], None, []], ["1.grid.0"]),
        ("amounts", [["1.50"], ["1.50", None], []], ["1.amounts.1"]),
        ("day", ["2024-02-29", None, None], ["1.day"]),
        ("at", ["2024-02-29T12:00:00+00:00", None, None], ["1.at"]),
        ("count", [5, None, None], ["1.count"]),
        ("big", [5, None, None], ["1.big"]),
        ("email", [None, None, None], ["0.email", "1.email"]),
        ("share", [None, None, None], ["0.share", "1.share"]),
    ],
)
def test_columns(ask: Ask, field: str, values: list[Any], errors: list[str]) -> None:
    response, fetches = ask(f"{{ numbers {{ {field} }} }}")
    assert [row[field] for row in json.loads(response.body)["data"]["numbers"]] == values
    assert list(_errors(response)) == [f"numbers.{path}" for path in errors]
    assert len(fetches) == 2


def test_what_fits_is_the_same_beside_what_does_not(ask: Ask) -> None:
    fields = "id name age born tags home { city floor } homes { floor } grid shade any __typename"
    (alone, one), (beside, two) = (
        ask(f"{{ person(id: 1) {{ {fields} }} }}"),
        ask(f"{{ person(id: 1) {{ {fields} }} other: person(id: 2) {{ any age }} }}"),
    )
    assert (len(one), len(two)) == (1, 2)
    person = json.loads(alone.body, parse_float=str)["data"]["person"]
    found = json.loads(beside.body, parse_float=str)["data"]
    assert found == {"person": person, "other": {"any": "12345678901234567890.50", "age": None}}


def test_nulls_rise_from_misfits(ask: Ask) -> None:
    """In a list whose elements may not be null the first misfit ends all of it, as a null does (GraphQL §6.4.4)."""
    response, _ = ask("{ strict { id age } }")
    assert json.loads(response.body)["data"] is None
    assert _errors(response) == {"strict.1.age": "Strict.age"}


def test_misfits_beside_nulls(ask: Ask) -> None:
    response, _ = ask("{ a: person(id: 2) { homes { city floor } } b: person(id: 1) { n: name } }")
    body = json.loads(response.body)
    assert body["data"] == {"a": {"homes": [None, None, None]}, "b": {"n": "Ada"}}
    assert [(error["path"], error["message"]) for error in body["errors"]] == [
        (["a", "homes", 0, "floor"], "The value of Home.floor does not fit its type."),
        (["a", "homes", 1], "The value of Person.homes does not fit its type."),
        (["a", "homes", 2, "city"], "Cannot return null for non-nullable field Home.city."),
    ]


def test_misfits_across_relations_with_arguments(ask: Ask) -> None:
    text = """
    query ($ids: [ID!], $n: Int) {
        people(where: {id: {in: $ids}}, orderBy: {id: DESC}, limit: 2) {
            id numbers(limit: $n, orderBy: {id: DESC}) { id ratio }
        }
    }"""
    response, fetches = ask(text, {"ids": [1, 2, 3], "n": 1})
    assert json.loads(response.body)["data"] == {"people": [{"id": "3", "numbers": []}, _numbers(2, 3)]}
    assert list(_errors(response)) == ["people.1.numbers.0.ratio"]
    assert fetches[0].parameters == fetches[1].parameters


def _numbers(id: int, number: int) -> dict[str, Any]:
    return {"id": str(id), "numbers": [{"id": str(number), "ratio": None}]}


def test_the_log_is_told_the_values_and_the_client_is_not(ask: Ask) -> None:
    response, _ = ask("{ people { home { city } age email } }")
    cause = str(response.cause)
    assert 'Person.home at people.1.home holds "a tent"' in cause
    assert "Person.age at people.2.age holds 2147483648" in cause
    assert 'Person.email at people.2.email holds ["c@x"]' in cause
    assert b"tent" not in response.body
    assert b"2147483648" not in response.body


@pytest.mark.parametrize(
    ("query", "sqlstate", "statements"),
    [
        ("{ broken { share } }", "22012", 2),  # division by zero, which the checking statement meets as well
        ("{ broken { gone } }", "42703", 1),
        ("{ people(where: {age: {gt: 3}}) { id } }", "22P02", 2),  # a cast in a condition
    ],
)
def test_other_errors_stay_masked(ask: Ask, query: str, sqlstate: str, statements: int) -> None:
    response, fetches = ask(query)
    (error,) = json.loads(response.body)["errors"]
    assert error["message"] == "Internal server error."
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}
    assert error["path"] == [query.split("(")[0].split()[1]]
    assert response.cause.sqlstate == sqlstate  # type: ignore[union-attr]
    assert len(fetches) == statements


def test_a_document_that_is_no_object(ask: Ask) -> None:
    response, _ = ask("{ person(id: 4) { any home { city } name tags } }")
    assert json.loads(response.body)["data"] == {"person": {"any": None, "home": None, "name": None, "tags": None}}
    assert _errors(response) == {"person.home": "Person.home"}
    response, _ = ask("{ person(id: 4) { any } }")  # for want of a field that can be shown as wrong
    assert _errors(response) == {"person": "Internal server error."}


def test_rows_that_were_mended_in_between(ask: Ask) -> None:
    response, fetches = ask("{ person(id: 1) { name } }", instead=(DatabaseError("misfit", sqlstate="22P02"),))
    assert response == GraphQLResponse(Outcome.DATA, b'{"data":{"person":{"name":"Ada"}}}')
    assert len(fetches) == 2


def test_statements_are_one_where_all_fits(ask: Ask) -> None:
    for text in (
        "{ people(limit: 3) { id any } }",
        "{ person(id: 1) { name age born home { city } homes { floor } grid } }",
    ):
        response, fetches = ask(text)
        assert response.outcome is Outcome.DATA
        assert len(fetches) == 1


def _fetched(run: Run, connection: Connection) -> int:
    """Answer what a stream asks the database for; how often it did."""
    count = 0
    while isinstance(run.effect, Fetch):
        count += 1
        try:
            row = wait_conn(fetch(connection, run.effect), interval=1.0, timeout=10.0)
        except DatabaseError as error:
            run.throw(error)
        else:
            run.send(row)
    return count


@pytest.mark.parametrize(
    ("query", "payloads"),
    [
        (
            "subscription { p: personTold { age tags numbers(limit: 1) { ratio } } }",
            [
                {"id": 1, "data": {"age": 1, "tags": ["a"]}},
                {"id": 1, "data": {"age": "x", "tags": [[]]}},
                {"id": 2, "data": {"age": 5}},
            ],
        ),
        ("subscription { p: personNamed { age tags numbers(limit: 1) { ratio } } }", [{"id": 1}, {"id": 2}]),
    ],
)
def test_events(reading: Connection, query: str, payloads: list[dict[str, Any]]) -> None:
    run = open_stream(query, of=_PIPELINE)
    assert _fetched(run, reading) == 1  # that the parameters are good
    run.send([Event("person", payload) for payload in payloads])
    assert _fetched(run, reading) == 2
    bodies = []
    for _ in payloads:
        bodies.append(run.emitted)
        run.send()
    assert "errors" not in bodies[0]
    assert [error["path"] for error in bodies[1]["errors"]][:1] == [["p", "age"]]
    assert bodies[1]["data"]["p"]["age"] is None
    assert bodies[-1]["data"]["p"]["numbers"] == [{"ratio": None}]


def test_a_live_query(reading: Connection) -> None:
    run = open_stream("subscription { livePeople(limit: 2) { age } }", of=_PIPELINE)
    assert _fetched(run, reading) == 2
    assert run.emitted["data"] == {"livePeople": [{"age": 36}, {"age": None}]}
    assert [error["path"] for error in run.emitted["errors"]] == [["livePeople", 1, "age"]]


@fraiseql.type(sql_source="reckoned", jsonb_column=None)
class Reckoned:
    id: ID
    age: int | None = fraiseql.field(sql="lower({told})")
    wide: int | None = fraiseql.field(sql="{id}::int8 * 1500000000")
    whole: int = fraiseql.field(sql="{told}::numeric * 2")


@fraiseql.query
def reckoned() -> list[Reckoned]: ...


def test_what_an_expression_makes_is_held_to_its_type(module_database_url: str) -> None:
    ddl = "create table reckoned (id int primary key, told text); insert into reckoned values (1, '7'), (2, 'many')"
    with psycopg.connect(module_database_url) as connection:
        connection.execute(ddl)
    connection = opened(module_database_url)
    try:
        answer = asking(Pipeline(fraiseql.Schema(queries=[reckoned])), connection)("{ reckoned { id age wide } }").json
    finally:
        connection.close()
    assert answer["data"] == {
        "reckoned": [{"id": "1", "age": 7, "wide": 1500000000}, {"id": "2", "age": None, "wide": None}]
    }
    assert [(error["message"], error["path"]) for error in answer["errors"]] == [
        ("The value of Reckoned.age does not fit its type.", ["reckoned", 1, "age"]),
        ("The value of Reckoned.wide does not fit its type.", ["reckoned", 1, "wide"]),
    ]

"""Resolvers, stepped by hand: what they are called with, and what becomes of what they yield or raise."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.context import Caller
from fraiseql.effects import Absent, Emit, Fetch, Next, Open, ResolverSource, Sleep
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.pipeline.response import Refusal
from fraiseql.schema import subscription
from pipeline.stepping import Run, data, open_stream, pipeline, request, stream, users

_MASKED = {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}


@fraiseql.enum
class Colour(Enum):
    RED = "red"


@fraiseql.input
class Inner:
    day_of_birth: dt.date | None
    colours: list[Colour] | None


@fraiseql.input
class Wish:
    at_least: int = 1
    inner: Inner | None


@subscription
def typed(
    key: UUID | None,
    at: dt.datetime | None,
    time: dt.time | None,
    amount: Decimal | None,
    colour: Colour = Colour.RED,
    price: Decimal = Decimal("1.50"),
    wish: Wish | None = None,
    wishes: list[Wish] | None = None,
) -> Iterator[int]:
    yield 1


_TYPED = Pipeline(fraiseql.Schema(queries=[users], subscriptions=[typed]))


def source(run: Run) -> ResolverSource:
    assert isinstance(run.effect, Open)
    assert isinstance(run.effect.source, ResolverSource)
    return run.effect.source


def test_what_is_opened() -> None:
    caller = Caller("u", "t", {"any": 1})
    opened = source(Run(stream("subscription { n: count }", None, caller).begin()))
    assert opened.function.__name__ == "count"
    assert (opened.field_name, opened.takes_info, opened.caller) == ("count", True, caller)
    assert opened.arguments == {"to": 3, "wish": None}
    assert not source(Run(stream("subscription { somebody { id } }").begin())).takes_info


def test_arguments_are_python_objects_by_python_names() -> None:
    query = """subscription ($wish: Wish, $amount: Decimal) {
        typed(key: "C0FFEE00-0000-4000-8000-00000000000A", at: "2024-02-29T12:00:00+02:00", time: "12:30",
            amount: $amount, wish: $wish, wishes: [{atLeast: 3}, {inner: null}])
    }"""
    variables = {"amount": "2.50", "wish": {"inner": {"dayOfBirth": "2024-02-29", "colours": ["RED"]}}}
    arguments = source(Run(stream(query, variables, of=_TYPED).begin())).arguments
    assert arguments == {
        "key": UUID("c0ffee00-0000-4000-8000-00000000000a"),
        "at": dt.datetime(2024, 2, 29, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        "time": dt.time(12, 30),
        "amount": Decimal("2.50"),
        "colour": Colour.RED,
        "price": Decimal("1.50"),
        "wish": {"at_least": 1, "inner": {"day_of_birth": dt.date(2024, 2, 29), "colours": [Colour.RED]}},
        "wishes": [{"at_least": 3}, {"at_least": 1, "inner": None}],
    }
    assert isinstance(arguments["colour"], Colour)
    assert isinstance(arguments["price"], Decimal)
    prepared = _TYPED.prepare_subscription(request("subscription { typed }"))
    assert prepared.arguments == {"colour": Colour.RED, "price": Decimal("1.50")}


def test_values_until_the_end() -> None:
    run = open_stream("subscription { n: count }")
    for value in (1, 2):
        assert isinstance(run.effect, Next)
        run.send(value)
        assert run.emitted == {"data": {"n": value}}
        run.send()
    run.send(Absent.ENDED)
    assert run.effect is None
    assert run.result is None


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(
    ("error", "message", "extensions"),
    [
        (ValueError("secret"), "Internal server error.", _MASKED),
        (RequestError("Not yours.", code="FORBIDDEN"), "Not yours.", {"code": "FORBIDDEN"}),
        (RequestError("x", code="X", extensions={"why": object()}), "Internal server error.", _MASKED),
        (
            DatabaseError("secret", sqlstate="08006"),
            "The database is not available.",
            {"code": "DATABASE_UNAVAILABLE", "requestId": "request-1"},
        ),
    ],
)
def test_a_failure_before_the_first_value(
    opened: bool, error: Exception, message: str, extensions: dict[str, Any]
) -> None:
    run = Run(stream("subscription { n: count }").begin())
    if opened:
        run.send("handle")
    run.throw(error)
    assert run.result.outcome in (Outcome.FAILED, Outcome.UNAVAILABLE)
    assert run.result.cause is (
        None if code_of(error) == extensions["code"] else error
    )  # only what is masked is logged
    assert run.errors == [{"message": message, "path": ["n"], "extensions": extensions}]


def code_of(error: Exception) -> str | None:
    return error.code if isinstance(error, RequestError) else None


def test_a_failure_midway() -> None:
    for error, code in ((ValueError("secret"), "INTERNAL_SERVER_ERROR"), (RequestError("Over.", code="OVER"), "OVER")):
        run = open_stream("subscription { n: count }")
        run.send(1)
        run.send()
        run.throw(error)
        assert run.result.outcome is Outcome.STREAM_FAILED
        assert run.result.cause is (error if isinstance(error, ValueError) else None)
        assert b"secret" not in run.result.body
        assert run.errors[0]["extensions"]["code"] == code


def test_a_cancellation_passes() -> None:
    class Cancelled(BaseException):
        pass

    run = open_stream("subscription { count }")
    with pytest.raises(Cancelled):
        run.throw(Cancelled())


def test_a_value_that_does_not_fit_is_a_result_and_the_stream_goes_on() -> None:
    run = open_stream("subscription { n: count }")
    run.send("text")
    assert run.emitted == {
        "errors": [{"message": "The value of Subscription.count does not fit its type.", "path": ["n"],
                    "extensions": _MASKED}],
        "data": None,
    }  # fmt: skip
    assert isinstance(run.effect, Emit)
    assert isinstance(run.effect.emission.cause, ValueError)
    run.send()
    run.send(2)
    assert run.emitted == {"data": {"n": 2}}


def test_relations_are_asked_for_again_while_the_database_is_away() -> None:
    run = open_stream("subscription { s: somebody { fullName posts { id } } }")
    run.send({"full_name": "Ada", "id": 1})
    assert isinstance(run.effect, Fetch)
    assert run.effect.parameters == (b'[{"full_name": "Ada", "id": "1"}]',)
    run.throw(DatabaseError("x", sqlstate="08006"))
    assert isinstance(run.effect, Sleep)
    run.send()
    run.fetched({"fullName": "Ada", "posts": []})
    assert run.emitted == {"data": {"s": {"fullName": "Ada", "posts": []}}}
    run.send()
    run.send({"full_name": "Ada", "id": 1})
    run.throw(DatabaseError("secret", sqlstate="P0001"))
    assert run.emitted["data"] == {"s": None}
    assert run.emitted["errors"][0]["path"] == ["s"]
    run.send()
    run.send(None)
    assert run.emitted == {"data": {"s": None}}


def test_a_relation_through_a_table_begins_at_our_columns() -> None:
    run = open_stream("subscription { s: somebody { friends(limit: 1) { id } } }")
    run.send({"id": 1})
    assert isinstance(run.effect, Fetch)
    assert run.effect.parameters == (b"1", b'[{"id": "1"}]')
    run.fetched({"friends": [{"id": "2"}]})
    assert run.emitted == {"data": {"s": {"friends": [{"id": "2"}]}}}


@fraiseql.type
class Link:
    label: str
    kinds: list[Kind] | None


@fraiseql.type
class Kind:
    name: str


@fraiseql.type(sql_source="person", jsonb_column=None)
class Person:
    id: ID
    links: list[Link]


@fraiseql.type
class Note:
    """Of Python's values only."""

    kinds: list[Remark]


@fraiseql.type
class Remark:
    text: str


@subscription
def person() -> Iterator[Person | None]:
    yield None


@subscription
def note() -> Iterator[Note | None]:
    yield None


_EMBEDDED = Pipeline(fraiseql.Schema(types=[Remark], queries=[users], subscriptions=[person, note]))


def test_the_arguments_of_embedded_lists_are_applied_by_sql() -> None:
    value = {"id": 1, "links": [{"label": "a", "kinds": None}, {"label": "b", "kinds": [{"name": "k"}]}]}
    whole = open_stream("subscription { person { links { label } } }", of=_EMBEDDED)
    whole.send(value)
    assert whole.emitted == {"data": {"person": {"links": [{"label": "a"}, {"label": "b"}]}}}
    for selection, parameters in (
        ('links(where: {label: {gt: "a"}}) { label }', (b"a",)),
        ("links { kinds(limit: 1) { name } }", (b"1",)),
    ):
        run = open_stream(f"subscription {{ person {{ {selection} }} }}", of=_EMBEDDED)
        run.send(value)
        assert isinstance(run.effect, Fetch)
        assert run.effect.parameters[:-1] == parameters
        assert json.loads(run.effect.parameters[-1] or b"") == [{"links": value["links"]}]


def test_a_manager_without_a_database_refuses_arguments_that_it_cannot_apply() -> None:
    prepared = _EMBEDDED.prepare_subscription(request("subscription { person { links(limit: 1) { label } } }"))
    answer = data(prepared.project({"id": 1, "links": []}))
    assert answer["data"] == {"person": None}
    assert answer["errors"][0]["path"] == ["person", "links"]


def test_types_that_no_row_holds_have_no_such_arguments() -> None:
    with pytest.raises(Refusal, match="Unknown argument"):
        _EMBEDDED.prepare_subscription(request("subscription { note { kinds(limit: 1) { text } } }"))


def test_relations_and_a_database_that_stays_away() -> None:
    run = open_stream("subscription { s: somebody { posts { id } } }")
    run.send({"id": 1})
    while run.effect is not None:
        if isinstance(run.effect, Sleep):
            run.send()
        else:
            run.throw(DatabaseError("x", sqlstate="08006"))
    assert run.result.outcome is Outcome.STREAM_FAILED
    assert run.errors[0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"


def test_a_projection_alone() -> None:
    prepared = pipeline.prepare_subscription(request("subscription { s: somebody { id __typename } }"))
    response = prepared.project({"id": 7})
    assert response.body == b'{"data":{"s":{"id":"7","__typename":"User"}}}'
    assert data(prepared.project({"id": 7}, "c1"))["extensions"] == {"cursor": "c1"}
    assert prepared.field.name == "somebody"
    assert prepared.arguments == {}


def test_the_annotations_of_asynchronous_iterators_are_read() -> None:
    assert pipeline.prepare_subscription(request("subscription { count }")).field.is_async
    assert AsyncIterator is not None

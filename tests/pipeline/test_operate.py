"""Which operations become what: one answer, a stream, or a refusal."""

from __future__ import annotations

from typing import Any

import pytest

import fraiseql
from fraiseql.context import Caller
from fraiseql.effects import Fetch
from fraiseql.errors import RequestError
from fraiseql.pipeline import Outcome, Pipeline, Refusal
from pipeline.stepping import Run, data, pipeline, request, stream, users


def test_a_query_is_answered_as_by_execute() -> None:
    run = Run(pipeline.operate(request("{ users { id } }"), "r"))
    assert isinstance(run.effect, Fetch)
    run.send((b"[]",))
    assert data(run.result) == {"data": {"users": []}}


def test_execute_refuses_a_subscription() -> None:
    run = Run(pipeline.execute(request("subscription { count }"), "r"))
    assert run.result.outcome is Outcome.OPERATION_UNKNOWN
    (error,) = run.errors
    assert error["extensions"]["code"] == "BAD_REQUEST"
    assert "WebSocket" in error["message"]
    assert "text/event-stream" in error["message"]


@pytest.mark.parametrize(
    ("query", "variables", "outcome", "code"),
    [
        ("subscription {", None, Outcome.NOT_PARSED, "GRAPHQL_PARSE_FAILED"),
        ("subscription { nonsense }", None, Outcome.NOT_VALID, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count liveUsers { id } }", None, Outcome.NOT_VALID, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { __typename }", None, Outcome.NOT_VALID, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count @skip(if: true) }", None, Outcome.NOT_VALID, "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription ($x: Boolean!) { ...F } fragment F on Subscription { count @skip(if: $x) }",
            {"x": True},
            Outcome.NOT_VALID,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "subscription ($x: Boolean!) { ...F @skip(if: $x) } fragment F on Subscription { count }",
            {"x": True},
            Outcome.NOT_VALID,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("subscription { ... @include(if: false) { count } }", None, Outcome.NOT_VALID, "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription ($n: Int = 1) { count(to: $n) }",
            {"n": None},
            Outcome.VARIABLES_INVALID,
            "BAD_USER_INPUT",
        ),
        ("subscription A { count } subscription B { count }", None, Outcome.OPERATION_UNKNOWN, None),
        ("subscription ($n: Int!) { count(to: $n) }", {"n": "x"}, Outcome.VARIABLES_INVALID, "BAD_USER_INPUT"),
        ("subscription ($n: Int!) { liveUsers(limit: $n) { id } }", {"n": -1}, Outcome.VARIABLES_INVALID, None),
        ("{ users(limit: -1) { id } }", None, Outcome.VARIABLES_INVALID, "BAD_USER_INPUT"),
    ],
)
def test_refusals(query: str, variables: Any, outcome: Outcome, code: str | None) -> None:
    run = Run(pipeline.operate(request(query, variables), "r"))
    assert run.result.outcome is outcome
    assert code is None or run.errors[0]["extensions"]["code"] == code
    assert "data" not in data(run.result)
    if "subscription" in query:
        with pytest.raises(Refusal) as caught:
            pipeline.prepare_subscription(request(query, variables))
        assert caught.value.outcome is outcome


def test_a_query_is_no_subscription() -> None:
    with pytest.raises(Refusal) as caught:
        pipeline.prepare_subscription(request("{ users { id } }"))
    assert caught.value.outcome is Outcome.OPERATION_UNKNOWN


def test_what_a_join_gives_is_the_result() -> None:
    for query in ("subscription { liveUsers { id } }", "subscription { count }"):
        run = Run(pipeline.operate(request(query), "r"))
        run.send(None)
        assert run.effect is None
        assert run.result is None


def test_a_join_that_fails() -> None:
    run = Run(pipeline.operate(request("subscription { liveUsers { id } }"), "r"))
    run.throw(RequestError("Too slow.", code="SLOW_CONSUMER", extensions={"cursor": "c"}))
    assert run.result.outcome is Outcome.STREAM_FAILED
    assert run.errors == [
        {"message": "Too slow.", "path": ["liveUsers"], "extensions": {"code": "SLOW_CONSUMER", "cursor": "c"}}
    ]


_LIVE = "subscription ($id: ID!) { liveUser(id: $id) { id } }"
_EVENT = "subscription ($id: ID, $after: String) { postCreated(authorId: $id, after: $after) { id } }"


@pytest.mark.parametrize(
    ("query", "first", "second", "equal"),
    [
        (_LIVE, ({"id": "1"}, Caller("a", "t")), ({"id": 1}, Caller("b", "t")), True),
        (_LIVE, ({"id": "1"}, Caller("a", "t")), ({"id": "2"}, Caller("a", "t")), False),
        (_LIVE, ({"id": "1"}, Caller("a", "t")), ({"id": "1"}, Caller("a", "u")), False),
        (_EVENT, ({"id": "1"}, Caller("a", "t")), ({"id": "1"}, Caller("a", "t")), True),
        (_EVENT, ({"id": "1"}, Caller("a", "t")), ({"id": "1"}, Caller("b", "t")), True),
        (_EVENT, ({"id": "1"}, Caller("a", "t")), ({"id": "1"}, Caller("a", "u")), False),
        (_EVENT, ({"id": "1"}, Caller("a", "t")), ({}, Caller("a", "t")), False),
    ],
)
def test_who_shares_a_run(query: str, first: Any, second: Any, equal: bool) -> None:
    one, other = stream(query, *first), stream(query, *second)
    assert one.key is not None
    assert (one.key == other.key) is equal
    assert one.is_state is (query is _LIVE)


def test_a_run_of_ones_own() -> None:
    assert stream(_EVENT, {"after": "c"}).key is None
    assert stream(_EVENT, {"after": None}).key is not None
    assert stream("subscription { count }").key is None


def test_a_warm_subscription_uses_the_same_statement() -> None:
    one, other = (pipeline.prepare_subscription(request(_LIVE, {"id": number})) for number in (1, 2))
    assert one.statement is other.statement
    assert (one.parameters, other.parameters) == ((b"1",), (b"2",))
    assert one.key != other.key


def test_explain_shows_the_statement() -> None:
    explanation = pipeline.explain(_EVENT, {"id": 7})
    assert 'jsonb_populate_record(row((null::"blog"."post").*)::"blog"."post", given$.value)' in explanation.sql
    assert explanation.parameters == ("7", "[]")
    assert pipeline.explain("subscription { count }").sql == ""


def test_without_subscriptions_there_is_no_such_operation() -> None:
    plain = Pipeline(fraiseql.Schema(queries=[users]))
    run = Run(plain.operate(request("subscription { users { id } }"), "r"))
    assert run.result.outcome is Outcome.NOT_VALID

"""Live queries, stepped by hand."""

from __future__ import annotations

from typing import Any

import pytest

from fraiseql.context import Caller
from fraiseql.effects import Absent, Emit, Event, EventSource, Fetch, Next, Open, Sleep
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.schema import ErrorRule, Schema
from pipeline.stepping import Run, live_users, open_stream, schema, stream, users

_AWAY = DatabaseError("secret", sqlstate="57P01", retryable=True)
_BROKEN = DatabaseError("secret", sqlstate="42703")
_QUERY = "subscription { liveUsers { id posts { title author { id } } } }"
_ONE = "subscription { u: liveUser(id: 7) { id } }"
_CHANGED = [Event("fraiseql.changed.users")]


def past_next(run: Run, item: Any = _CHANGED) -> None:
    """From behind a run of the statement to the next one."""
    assert isinstance(run.effect, Sleep)
    run.send()
    assert isinstance(run.effect, Next)
    run.send(item)


@pytest.mark.parametrize(
    ("query", "topics"),
    [
        (_QUERY, {"fraiseql.changed.users", "fraiseql.changed.blog.post"}),
        ("subscription { liveUsers { id } }", {"fraiseql.changed.users"}),
        (
            'subscription { liveUsers(where: {posts: {some: {title: {contains: "x"}}}}) { id } }',
            {"fraiseql.changed.users", "fraiseql.changed.blog.post"},
        ),
        (
            "subscription { liveUsers(orderBy: [{posts: {count: DESC}}]) { id } }",
            {"fraiseql.changed.users", "fraiseql.changed.blog.post"},
        ),
        (
            "subscription { liveUsers(orderBy: [{friends: {count: DESC}}]) { id } }",
            {"fraiseql.changed.users", "fraiseql.changed.blog.friend"},
        ),
        ("subscription { liveUsers { friends { id } } }", {"fraiseql.changed.users", "fraiseql.changed.blog.friend"}),
        (
            "subscription { liveUsers(where: {friends: {none: {}}}) { id } }",
            {"fraiseql.changed.users", "fraiseql.changed.blog.friend"},
        ),
    ],
)
def test_what_is_watched(query: str, topics: set[str]) -> None:
    run = Run(stream(query, None, Caller("u", "t")).begin())
    assert run.effect == Open(EventSource(frozenset(topics), "t"))


def test_runs_emit_what_has_changed() -> None:
    run = open_stream(_QUERY)
    emitted = []
    for text in (b"[]", b"[]", b'[{"id":"1"}]', b'[{"id":"1"}]', b"[]"):
        assert isinstance(run.effect, Fetch)
        run.send((text,))
        assert isinstance(run.effect, Emit)
        assert run.effect.emission.cursor is None
        emitted.append((run.effect.emission.body, run.effect.to_newcomers))
        run.send()
        past_next(run)
    none, one = b'{"data":{"liveUsers":[]}}', b'{"data":{"liveUsers":[{"id":"1"}]}}'
    assert emitted == [(none, False), (none, True), (one, False), (one, True), (none, False)]


def test_the_rate_is_bounded_and_the_poll_too() -> None:
    limits = SubscriptionLimits(live_interval=0.25, live_poll=9.0)
    run = open_stream(_ONE, of=Pipeline(schema, subscriptions=limits))
    run.send((None,))
    assert run.emitted == {"data": {"u": None}}
    assert run.send() == Sleep(0.25)
    run.send()
    assert isinstance(run.effect, Next)
    assert (run.effect.handle, run.effect.timeout) == ("handle", 9.0)
    run.send(Absent.TIMED_OUT)
    assert isinstance(run.effect, Fetch)


def test_the_source_ends() -> None:
    run = open_stream(_ONE)
    run.send((None,))
    run.send()
    past_next(run, Absent.ENDED)
    assert run.effect is None
    assert run.result is None


def test_a_restart_of_the_database_is_not_noticed() -> None:
    run = open_stream(_ONE)
    run.throw(_AWAY)
    assert run.effect == Sleep(0.1)
    run.send()
    run.send((b'{"id":"7"}',))
    assert run.emitted == {"data": {"u": {"id": "7"}}}
    run.send()
    past_next(run)
    run.throw(_AWAY)
    run.send()
    run.send((b'{"id":"7"}',))  # the same as before: nothing to tell those who were there
    assert isinstance(run.effect, Emit)
    assert run.effect.to_newcomers


@pytest.mark.parametrize("is_first", [True, False])
def test_a_database_that_stays_away(is_first: bool) -> None:
    run = open_stream(_ONE)
    if not is_first:
        run.send((None,))
        run.send()
        past_next(run)
    slept = 0.0
    while run.effect is not None:
        if isinstance(run.effect, Sleep):
            slept += run.effect.seconds
            run.send()
        else:
            run.throw(_AWAY)
    assert 60.0 <= slept <= 62.0
    assert run.result.outcome is Outcome.STREAM_FAILED
    assert run.errors == [
        {
            "message": "The database is not available.",
            "path": ["u"],
            "extensions": {"code": "DATABASE_UNAVAILABLE", "requestId": "request-1"},
        }
    ]


def test_the_first_run_fails() -> None:
    run = open_stream(_ONE)
    run.throw(_BROKEN)
    assert run.result.outcome is Outcome.DATA_AND_ERRORS
    assert run.result.cause is _BROKEN
    (error,) = run.errors
    assert (error["path"], error["extensions"]["code"]) == (["u"], "INTERNAL_SERVER_ERROR")


def test_a_value_that_does_not_fit_its_column() -> None:
    run = open_stream(_ONE)
    run.throw(DatabaseError("secret", sqlstate="22P02", parameter=1))
    assert run.result.outcome is Outcome.VARIABLES_INVALID
    (error,) = run.errors
    assert (error["path"], error["extensions"]["code"]) == (["u"], "BAD_USER_INPUT")


def test_a_later_run_fails() -> None:
    run = open_stream(_ONE)
    run.send((None,))
    run.send()
    past_next(run)
    run.throw(_BROKEN)
    assert run.result.outcome is Outcome.STREAM_FAILED
    assert run.errors[0]["message"] == "Internal server error."


@pytest.mark.parametrize(
    "error", [RequestError("No outbox.", code="NO_OUTBOX"), DatabaseError("secret: no table", sqlstate="42P01")]
)
def test_a_source_that_cannot_be_opened(error: Exception) -> None:
    run = Run(stream(_ONE).begin())
    run.throw(error)
    assert run.result.outcome is Outcome.FAILED
    assert run.errors[0]["path"] == ["u"]
    assert b"secret" not in run.result.body


@pytest.mark.parametrize("error", [RequestError("Slow.", code="SLOW_CONSUMER"), _AWAY])
def test_a_source_that_fails_midway(error: Exception) -> None:
    run = open_stream(_ONE)
    run.send((None,))
    run.send()
    run.send()
    run.throw(error)
    assert run.result.outcome is Outcome.STREAM_FAILED


def test_a_null_where_none_may_be_is_a_result_and_the_stream_goes_on() -> None:
    run = open_stream(_QUERY)
    run.send((b'[{"id":null,"posts":[]}]',))
    assert run.emitted["data"] is None
    assert run.emitted["errors"][0]["path"] == ["liveUsers", 0, "id"]
    assert isinstance(run.effect, Emit)
    assert run.effect.emission.cause is not None
    run.send()
    past_next(run)
    run.send((b"[]",))
    assert run.emitted == {"data": {"liveUsers": []}}


@pytest.mark.parametrize("runs_before", [0, 1])
def test_the_table_of_errors_holds(runs_before: int) -> None:
    rules = {"P0001": ErrorRule("CLOSED", show_message=True)}
    ruled = Schema(queries=[users], subscriptions=[live_users], errors=rules)
    run = open_stream("subscription { liveUsers { id } }", of=Pipeline(ruled))
    for _ in range(runs_before):
        run.send((b"[]",))
        assert isinstance(run.effect, Emit)
        run.send()
        past_next(run)
    error = DatabaseError("secret", sqlstate="P0001", said="Not on Sundays.", source_function="exec_stmt_raise")
    run.throw(error)
    (entry,) = run.errors
    assert (entry["message"], entry["extensions"]["code"]) == ("Not on Sundays.", "CLOSED")
    assert run.result.cause.__cause__ is error

"""Event subscriptions, stepped by hand: what is asked for, what is emitted, and what a failure loses: nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraiseql.context import Caller
from fraiseql.effects import Absent, Emit, Event, EventSource, Fetch, Next, Open, Sleep
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline import Outcome, Pipeline
from pipeline.stepping import Run, open_stream, schema, stream

_AWAY = DatabaseError("secret", sqlstate="08006", retryable=True)
_BROKEN = DatabaseError("secret", sqlstate="P0001")
_QUERY = "subscription { postCreated(authorId: 7) { title } }"
_PLAIN = "subscription ($after: String) { p: postChanged(after: $after) { title } }"


def event(number: int, **payload: Any) -> Event:
    return Event("post.created", {"id": number, **payload}, cursor=f"c{number}")


def rows(effect: Any) -> Any:
    assert isinstance(effect, Fetch)
    return json.loads(effect.parameters[-1] or b"")


def test_the_source_of_a_caller() -> None:
    run = Run(stream(_PLAIN, None, Caller("u", "t")).begin())
    assert run.effect == Open(EventSource(frozenset({"post.changed"}), "t", every_user=True))
    run = Run(stream(_PLAIN, {"after": "c5"}, Caller("u", "t")).begin())
    assert run.effect == Open(EventSource(frozenset({"post.changed"}), "t", "u", "c5"))


def test_values_are_tried_before_the_first_event() -> None:
    run = open_stream(_QUERY)
    assert isinstance(run.effect, Fetch)
    assert run.effect.parameters == (b"7", b"[]")
    run.fetched()
    assert isinstance(run.effect, Next)
    assert run.effect.handle == "handle"


def test_without_values_nothing_is_tried() -> None:
    assert isinstance(open_stream(_PLAIN).effect, Next)


def test_events_of_one_list_take_one_statement_and_come_in_order() -> None:
    run = open_stream(_PLAIN)
    run.send([event(1), event(2), event(3)])
    assert rows(run.effect) == [{"id": 1}, {"id": 2}, {"id": 3}]
    run.fetched({"title": "a"}, None, {"title": "c"})
    assert isinstance(run.effect, Emit)
    assert run.effect.emission.body == b'{"data":{"p":{"title": "a"}},"extensions":{"cursor":"c1"}}'
    assert run.effect.emission.cursor == "c1"
    run.send()
    assert run.emitted == {"data": {"p": {"title": "c"}}, "extensions": {"cursor": "c3"}}
    assert isinstance(run.send(), Next)
    run.send(Absent.ENDED)
    assert run.effect is None
    assert run.result is None


def test_an_event_without_a_cursor() -> None:
    run = open_stream(_PLAIN)
    run.send([Event("post.changed", {"id": 1})])
    run.fetched({"title": "a"})
    assert run.emitted == {"data": {"p": {"title": "a"}}}


def test_a_long_list_is_served_in_parts() -> None:
    run = open_stream(_PLAIN)
    run.send([event(number) for number in range(250)])
    for size in (100, 100, 50):
        assert len(rows(run.effect)) == size
        run.fetched(*[None] * size)
    assert isinstance(run.effect, Next)


def test_a_statement_that_fails_is_halved_until_the_event_at_fault_stands_alone() -> None:
    run = open_stream(_PLAIN)
    run.send([event(number) for number in range(1, 5)])
    asked, emitted = [], []
    while not isinstance(run.effect, Next):
        if isinstance(run.effect, Fetch):
            given = [row["id"] for row in rows(run.effect)]
            asked.append(given)
            if 3 in given:
                run.throw(_BROKEN)
            else:
                run.fetched(*[{"title": str(number)} for number in given])
        else:
            emitted.append(run.emitted)
            run.send()
    assert asked == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]
    assert [each["extensions"]["cursor"] for each in emitted] == ["c1", "c2", "c3", "c4"]
    assert emitted[2] == {
        "errors": [
            {
                "message": "Internal server error.",
                "path": ["p"],
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"},
            }
        ],
        "data": {"p": None},
        "extensions": {"cursor": "c3"},
    }
    assert emitted[3]["data"] == {"p": {"title": "4"}}


def test_the_cause_of_an_error_is_kept_for_the_log() -> None:
    run = open_stream(_PLAIN)
    run.send([event(1)])
    run.throw(_BROKEN)
    assert isinstance(run.effect, Emit)
    assert run.effect.emission.cause is _BROKEN
    assert b"secret" not in run.effect.emission.body


@pytest.mark.parametrize("payload", [None, "text", [1], 5])
def test_a_payload_that_is_no_row(payload: Any) -> None:
    run = open_stream(_PLAIN)
    run.send([Event("post.changed", payload, cursor="c1"), event(2)])
    assert rows(run.effect) == [{"id": 2}]
    run.fetched({"title": "b"})
    assert run.emitted["errors"][0]["path"] == ["p"]
    assert run.emitted["extensions"] == {"cursor": "c1"}
    run.send()
    assert run.emitted["data"] == {"p": {"title": "b"}}


def test_the_same_events_are_asked_for_until_the_database_is_back() -> None:
    run = open_stream(_PLAIN)
    run.send([event(1), event(2)])
    asked = rows(run.effect)
    pauses = []
    for _ in range(7):
        run.throw(_AWAY)
        assert isinstance(run.effect, Sleep)
        pauses.append(run.effect.seconds)
        run.send()
        assert rows(run.effect) == asked
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    run.fetched({"title": "a"}, {"title": "b"})
    assert run.emitted["extensions"] == {"cursor": "c1"}
    run.send()
    assert run.emitted["extensions"] == {"cursor": "c2"}
    assert isinstance(run.send(), Next)


def stay_away(run: Run) -> float:
    """Fail each Fetch; the seconds slept until the program ends."""
    slept = 0.0
    while run.effect is not None:
        if isinstance(run.effect, Fetch):
            run.throw(_AWAY)
        else:
            assert isinstance(run.effect, Sleep)
            slept += run.effect.seconds
            run.send()
    return slept


@pytest.mark.parametrize(
    ("after", "before", "cursor"),
    [(None, [], None), ("c0", [], "c0"), (None, [event(1)], "c1"), ("c0", [event(1), event(2)], "c2")],
)
def test_a_database_that_stays_away_ends_the_stream_with_a_cursor(
    after: str | None, before: list[Event], cursor: str | None
) -> None:
    of = Pipeline(schema, subscriptions=SubscriptionLimits(recovery_timeout=5.0))
    run = open_stream(_PLAIN, {"after": after}, of=of)
    if before:
        run.send(before)
        run.fetched({"title": "a"}, *[None] * (len(before) - 1))
        run.send()
    run.send([event(8), event(9)])
    assert 5.0 <= stay_away(run) <= 7.0
    assert run.result.outcome is Outcome.STREAM_FAILED
    assert run.result.cause is _AWAY
    (error,) = run.errors
    assert error["message"] == "The database is not available."
    assert error["extensions"]["code"] == "DATABASE_UNAVAILABLE"
    assert error["extensions"].get("cursor") == cursor


def test_each_time_the_database_is_away_counts_anew() -> None:
    of = Pipeline(schema, subscriptions=SubscriptionLimits(recovery_timeout=0.1))
    run = open_stream(_PLAIN, of=of)
    for _ in range(3):
        run.send([event(1)])
        run.throw(_AWAY)
        run.send()
        run.fetched(None)
        assert isinstance(run.effect, Next)


def test_events_that_were_emitted_are_not_lost_or_sent_twice_when_the_database_goes() -> None:
    run = open_stream(_PLAIN)
    run.send([event(1), event(2)])
    run.throw(_BROKEN)  # halved
    run.fetched({"title": "a"})
    assert run.emitted["extensions"] == {"cursor": "c1"}
    run.send()
    run.throw(_AWAY)
    run.send()
    assert rows(run.effect) == [{"id": 2}]
    stay_away(run)
    assert run.errors[0]["extensions"]["cursor"] == "c1"


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (RequestError("Gone.", code="CURSOR_EXPIRED"), Outcome.FAILED, "CURSOR_EXPIRED"),
        (RequestError("No cursor.", code="BAD_USER_INPUT"), Outcome.FAILED, "BAD_USER_INPUT"),
        (_AWAY, Outcome.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
        (DatabaseError("secret: no table", sqlstate="42P01"), Outcome.FAILED, "INTERNAL_SERVER_ERROR"),
    ],
)
def test_a_source_that_cannot_be_opened(error: Exception, outcome: Outcome, code: str) -> None:
    run = Run(stream(_PLAIN, {"after": "c1"}).begin())
    run.throw(error)
    assert run.result.outcome is outcome
    (entry,) = run.errors
    assert (entry["extensions"]["code"], entry["path"]) == (code, ["p"])
    assert b"secret" not in run.result.body


def test_a_cursor_that_is_found_expired_with_the_first_read() -> None:
    run = open_stream(_PLAIN, {"after": "c1"})
    run.throw(RequestError("Gone.", code="CURSOR_EXPIRED"))
    assert run.result.outcome is Outcome.FAILED


@pytest.mark.parametrize("code", ["CURSOR_EXPIRED", "SLOW_CONSUMER"])
def test_a_source_that_fails_midway(code: str) -> None:
    run = open_stream(_PLAIN)
    run.send([event(1)])
    run.fetched(None)
    run.throw(RequestError("No more.", code=code))
    assert run.result.outcome is Outcome.STREAM_FAILED
    assert run.errors == [{"message": "No more.", "path": ["p"], "extensions": {"code": code, "cursor": "c1"}}]


def test_a_source_whose_database_is_away_before_the_first_event() -> None:
    run = open_stream(_PLAIN)
    run.throw(_AWAY)
    assert run.result.outcome is Outcome.STREAM_FAILED
    assert run.errors[0]["extensions"] == {"code": "DATABASE_UNAVAILABLE", "requestId": "request-1"}


def test_a_value_that_does_not_fit_its_column() -> None:
    run = open_stream(_QUERY)
    run.throw(DatabaseError("secret", sqlstate="22P02", parameter=1))
    assert run.result.outcome is Outcome.FAILED
    (error,) = run.errors
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["postCreated"])
    assert '"authorId"' in error["message"]


def test_a_stream_can_be_closed_wherever_it_waits() -> None:
    for steps in range(6):
        program = stream(_QUERY).begin()
        answers = [None, "handle", (b"[]",), [event(1)], (b'["{}"]',), None][: steps + 1]
        for answer in answers:
            program.send(answer)
        program.close()
        assert list(program) == []


def test_a_null_where_none_may_be_is_a_result_and_the_stream_goes_on() -> None:
    run = open_stream(_QUERY)
    run.fetched()
    run.send([event(1)])
    run.fetched({"title": None})
    assert run.emitted["data"] is None
    assert run.emitted["errors"][0]["message"] == "Cannot return null for non-nullable field Post.title."
    assert run.emitted["extensions"] == {"cursor": "c1"}
    assert isinstance(run.send(), Next)

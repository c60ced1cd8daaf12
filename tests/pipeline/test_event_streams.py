"""Event subscriptions, stepped by hand: what is asked for, what is emitted, and what a failure loses: nothing."""

from __future__ import annotations

import json
from typing import Any

from fraiseql.context import Caller
from fraiseql.effects import Absent, Emit, Event, EventSource, Fetch, Next, Open
from fraiseql.errors import DatabaseError
from pipeline.stepping import Run, open_stream, stream

_AWAY = DatabaseError("secret", sqlstate="08006", retryable=True)
_BROKEN = DatabaseError("secret", sqlstate="22P02")
_QUERY = "subscription { postCreated(authorId: 7) { title } }"
_PLAIN = "subscription ($after: String) { p: postChanged(after: $after) { title } }"


def event(number: int, **payload: Any) -> Event:
    return Event("post.created", {"id": number, **payload}, cursor=f"c{number}")


def rows(effect: Any) -> Any:
    assert isinstance(effect, Fetch)
    return json.loads(effect.parameters[-1] or b"")


def test_the_source_of_a_caller() -> None:
    run = Run(stream(_PLAIN, None, Caller("u", "t")).begin())
    assert run.effect == Open(EventSource(frozenset({"post.changed"}), "t", "u"))
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

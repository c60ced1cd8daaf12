"""Operations answered as text/event-stream."""

from __future__ import annotations

from typing import Any

from fraiseql.testing.runtime_conformance.example import ASYNCHRONOUS, SUBSCRIBED
from fraiseql.testing.runtime_conformance.exchanges import answer, chunk, event_head, post, query
from fraiseql.testing.runtime_conformance.scenario import ASYNCHRONOUS_RESOLVERS, SUBSCRIPTIONS, Scenario
from fraiseql.testing.runtime_conformance.steps import (
    Advance,
    Connect,
    Execute,
    Expect,
    ExpectEnd,
    HalfClose,
    Listening,
    Lock,
    Release,
    Reset,
    Send,
    Step,
    Waiting,
)

__all__ = ["EVENT_STREAMS"]

_OUTBOX = (("event_bus", "postgresql"),)
_ACCEPT = b"accept: text/event-stream"
_HEAD = Expect(event_head())
_COMPLETE = Expect(chunk(b"event: complete\ndata:\n\n") + chunk(b""))
_ADDED = "subscription { entryAdded { token } }"


def _scenario(name: str, *steps: Step, **options: Any) -> Scenario:
    defaults: dict[str, Any] = {"schema": SUBSCRIBED, "settings": _OUTBOX, "needs": frozenset({SUBSCRIPTIONS})}
    return Scenario(name=name, steps=steps, **{**defaults, **options})


def _added(token: bytes) -> Expect:
    data = b'{"data":{"entryAdded":{"token":"%b"}},"extensions":{"cursor":"<cursor>"}}' % token
    return Expect(chunk(b"event: next\nid: <cursor>\ndata: %b\n\n" % data))


EVENT_STREAMS = (
    _scenario(
        "a query as an event stream, after which the connection goes on",
        Connect(),
        Send(post("{ note(id: 1) { body } }", _ACCEPT)),
        _HEAD,
        Expect(
            chunk(b'event: next\ndata: {"data":{"note":{"body":"one"}}}\n\nevent: complete\ndata:\n\n') + chunk(b"")
        ),
        Send(post("{ note(id: 1) { body } }")),
        Expect(answer(200, b'{"data":{"note":{"body":"one"}}}')),
        needs=frozenset(),
    ),
    _scenario(
        "a generator in a thread",
        Connect(),
        Send(post("subscription { count(to: 2) }", _ACCEPT)),
        _HEAD,
        Expect(query("count", b"1") + query("count", b"2")),
        _COMPLETE,
    ),
    _scenario(
        "a silent stream is kept alive",
        Connect(),
        Send(post(_ADDED, _ACCEPT)),
        _HEAD,
        Listening(1),
        Advance(12),
        Expect(chunk(b":\n\n")),
        Advance(11),
        Execute("insert into entry (token) values ('a')"),
        _added(b"a"),
        Advance(11),
        Advance(1),
        Expect(chunk(b":\n\n")),
        Reset(),
        Listening(0),
    ),
    _scenario(
        "a client that comes back goes on behind the last event that it has seen",
        Connect(),
        Send(post(_ADDED, _ACCEPT)),
        _HEAD,
        Listening(1),
        Execute("insert into entry (token) values ('a')"),
        _added(b"a"),
        HalfClose(),
        ExpectEnd(),
        Listening(0),
        Execute("insert into entry (token) values ('b'), ('c')"),
        Connect("first"),
        Send(post(_ADDED, _ACCEPT, b"last-event-id: <cursor>")),
        _HEAD,
        _added(b"b"),
        _added(b"c"),
        Reset(),
        Listening(0),
    ),
    _scenario(
        "a live query as an event stream",
        Connect(),
        Send(post("subscription { liveEntries { token } }", _ACCEPT)),
        _HEAD,
        Expect(query("liveEntries", b"[]")),
        Execute("insert into entry (token) values ('a')"),
        Expect(query("liveEntries", b'[{"token":"a"}]')),
        Reset(),
        Listening(0),
    ),
    _scenario(
        "clients share a live query, and who comes later is given what is true then",
        Connect(),
        Send(post("subscription { liveEntries { token } }", _ACCEPT)),
        _HEAD,
        Expect(query("liveEntries", b"[]")),
        Execute("insert into entry (token) values ('a')"),
        Expect(query("liveEntries", b'[{"token":"a"}]')),
        Connect("second"),
        Send(post("subscription { liveEntries { token } }", _ACCEPT), "second"),
        Expect(event_head() + query("liveEntries", b'[{"token":"a"}]'), "second"),
        Listening(1),
        Reset(),
        Reset("second"),
        Listening(0),
    ),
    _scenario(
        "a client that leaves its stream has it cancelled with its SQL",
        Connect(),
        Lock("note"),
        Send(post("{ notes { id } }", _ACCEPT)),
        _HEAD,
        Waiting(1),
        Reset(),
        Waiting(0),
        Release(),
        needs=frozenset(),
    ),
    _scenario(
        "an asynchronous generator that never ends is ended with its client",
        Connect(),
        Send(post("subscription { countSlowly(to: 2) }", _ACCEPT)),
        _HEAD,
        Expect(query("countSlowly", b"1") + query("countSlowly", b"2")),
        Advance(12),
        Expect(chunk(b":\n\n")),
        HalfClose(),
        ExpectEnd(),
        Listening(0),
        schema=ASYNCHRONOUS,
        settings=(),
        needs=frozenset({SUBSCRIPTIONS, ASYNCHRONOUS_RESOLVERS}),
    ),
)

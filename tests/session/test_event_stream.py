"""Event streams over HTTP: the session's playbook for requests that accept text/event-stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

import fraiseql
from fraiseql.context import Caller, ClientRequest
from fraiseql.effects import Emission, EventSource, Join, Open
from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits, SubscriptionLimits
from fraiseql.observations import InternalErrorMasked, Observation, RequestCompleted
from fraiseql.pipeline import GraphQLResponse, Outcome, Pipeline, refuse
from fraiseql.protocol import http11, sse
from fraiseql.session import (
    CancelOperation,
    CloseConnection,
    Command,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    Endpoint,
    EofReceived,
    HttpSession,
    OperationEmitted,
    OperationEnded,
    OperationFailed,
    OperationJoined,
    PauseOperation,
    ResumeOperation,
    SendData,
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
TICKS = b'{"query":"subscription { ticks }"}'
USERS = b'{"query":"{ users { id } }"}'


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: fraiseql.ID


@fraiseql.query
def users() -> list[User]: ...


@fraiseql.subscription
async def ticks() -> AsyncIterator[int]:
    yield 1


@fraiseql.subscription(topic="added")
def added() -> User: ...


SCHEMA = fraiseql.Schema(queries=[users], subscriptions=[ticks, added])


class Played:
    """A session, and its client, which reads what is sent."""

    def __init__(self, context: Callable[[ClientRequest], Any] | None = None, **limits: Any) -> None:
        self.observations: list[Observation] = []
        query = QueryLimits(**{key: limits.pop(key) for key in list(limits) if key == "request_timeout"})
        endpoint = Endpoint(
            pipeline=Pipeline(SCHEMA, query),
            observe=self.observations.append,
            subscriptions=SubscriptionLimits(**limits),
            context=context,
        )
        self.session = HttpSession(endpoint, "c1")
        self.client = http11.ClientConnection()
        self.decoder = sse.Decoder()
        self.now = 100.0

    def ask(self, body: bytes = TICKS, *headers: tuple[bytes, bytes]) -> list[Command]:
        fields = (
            (b"host", b"x"),
            (b"accept", b"text/event-stream"),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *headers,
        )
        request = self.client.send(http11.Request(b"POST", b"/graphql/subscriptions", fields))
        return self.handle(
            DataReceived(request + self.client.send(http11.Data(body)) + self.client.send(http11.EndOfMessage()))
        )

    def handle(self, event: SessionEvent) -> list[Command]:
        commands = self.session.handle(event, self.now, DATE)
        for command in commands:
            if isinstance(command, SendData):
                self.client.receive_data(command.data)
        return commands

    def emit(self, body: bytes, cursor: str | None = None, operation: int = 1, is_state: bool = False) -> list[Command]:
        return self.handle(OperationEmitted(operation, Emission(body, cursor), is_state))

    def read(self) -> list[Any]:
        """What the client has got since: the head, events, and the end of the answer."""
        found: list[Any] = []
        while True:
            match self.client.next_event():
                case http11.Response() as head:
                    found.append(head)
                case http11.Data(data):
                    self.decoder.receive_data(data)
                    while isinstance(event := self.decoder.next_event(), sse.ServerSentEvent):
                        found.append(event)
                case http11.EndOfMessage():
                    found.append("end")
                    if self.client.keep_alive:
                        self.client.start_next_cycle()
                case _:
                    return found

    def events(self) -> list[tuple[str, Any, str]]:
        """The events since, as name, JSON and id; `end` for the end of the answer."""
        return [
            (item.event, orjson.loads(item.data) if item.data else None, item.id or "")
            if isinstance(item, sse.ServerSentEvent)
            else item
            for item in self.read()
        ]


def streaming(**limits: Any) -> Played:
    """A session whose client has got the head of its stream."""
    played = Played(**limits)
    assert kinds(played.ask()) == "send start"
    assert played.handle(OperationJoined(1)) == []
    (head,) = played.read()
    assert head.status == 200
    assert head.get(b"content-type") == b"text/event-stream; charset=utf-8"
    assert head.get(b"cache-control") == b"no-cache, no-transform"
    return played


def kinds(commands: list[Command]) -> str:
    names: dict[type[Any], str] = {
        SendData: "send",
        StartOperation: "start",
        CancelOperation: "cancel",
        PauseOperation: "pause",
        ResumeOperation: "resume",
        CloseConnection: "close",
    }
    return " ".join(names[type(command)] for command in commands)


def test_results_come_as_events_and_the_connection_goes_on() -> None:
    played = streaming()
    played.emit(b'{"data":{"ticks":1}}')
    assert played.events() == [("next", {"data": {"ticks": 1}}, "")]
    played.emit(b'{"data":{"ticks":2}}', cursor="7.1")
    assert played.events() == [("next", {"data": {"ticks": 2}}, "7.1")]
    assert kinds(played.handle(OperationEnded(1, None))) == "send"
    assert played.events() == [("complete", None, "7.1"), "end"]
    assert [type(seen) for seen in played.observations] == [RequestCompleted]
    assert kinds(played.ask()) == "send start"


def test_a_query_is_one_result() -> None:
    played = Played()
    played.ask(USERS)
    played.handle(OperationEnded(1, GraphQLResponse(Outcome.DATA, b'{"data":{"users":[]}}')))
    assert played.events()[1:] == [("next", {"data": {"users": []}}, ""), ("complete", None, ""), "end"]


@pytest.mark.parametrize("outcome", [Outcome.NOT_PARSED, Outcome.VARIABLES_INVALID, Outcome.STREAM_FAILED])
def test_errors_are_results_too(outcome: Outcome) -> None:
    played = streaming()
    played.handle(OperationEnded(1, refuse(outcome, [RequestError("No.", code="NO")])))
    result, *rest = played.events()
    assert result == ("next", {"errors": [{"message": "No.", "extensions": {"code": "NO"}}]}, "")
    assert rest == [("complete", None, ""), "end"]


def test_an_operation_that_fails_is_masked() -> None:
    played = streaming()
    played.handle(OperationFailed(1, ValueError("secret")))
    (_, body, _), *_ = played.events()
    assert body["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "c1-1"}
    assert isinstance(played.observations[0], InternalErrorMasked)


def test_a_request_that_is_no_graphql_is_refused_in_json() -> None:
    played = Played()
    assert kinds(played.ask(b"nonsense")) == "send"
    head, *_ = played.read()
    assert head.status == 400


def test_silence_is_filled_with_comments() -> None:
    played = streaming(keep_alive=12.0)
    assert played.session.deadline == 112.0
    played.now = 106.0
    played.emit(b"{}")
    assert played.session.deadline == 118.0
    played.now = 118.0
    assert kinds(played.handle(DeadlineReached())) == "send"
    assert played.session.deadline == 130.0
    assert played.events() == [("next", {}, "")]


def test_a_query_is_given_up_when_it_takes_too_long() -> None:
    played = Played(request_timeout=5.0)
    played.ask(USERS)
    assert played.session.deadline == 105.0
    played.now = 105.0
    assert kinds(played.handle(DeadlineReached())) == "cancel send"
    _, (_, body, _), *_ = played.events()
    assert body["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"


def test_a_client_that_leaves_cancels_its_operation() -> None:
    played = streaming()
    assert kinds(played.handle(EofReceived())) == "cancel close"
    assert played.emit(b"{}") == []


def test_a_client_that_does_not_read() -> None:
    played = streaming(max_queued=2)
    played.emit(b"1", cursor="7.1")
    played.handle(SendingPaused())
    assert not played.session.wants_data
    assert played.session.deadline is None
    assert kinds(played.emit(b"2", cursor="7.2")) == "pause"
    assert kinds(played.handle(SendingResumed())) == "send resume"
    assert played.events() == [("next", 1, "7.1"), ("next", 2, "7.2")]
    played.handle(SendingPaused())
    for number in (3, 4):
        played.emit(b"%d" % number, cursor=f"7.{number}")
    assert kinds(played.emit(b"5", cursor="7.5")) == "cancel send"
    (_, body, _), *rest = played.events()
    assert body["errors"][0]["extensions"] == {"code": "SLOW_CONSUMER", "cursor": "7.2"}
    assert rest == [("complete", None, "7.2"), "end"]


def test_a_server_that_stops_ends_the_stream_without_complete() -> None:
    played = streaming()
    commands = played.handle(DrainRequested())
    assert kinds(commands) == "cancel send close"
    assert played.events() == ["end"]


def test_a_stream_that_begins_on_a_server_that_stops_ends_too() -> None:
    played = Played()
    played.ask()
    assert played.handle(DrainRequested()) == []
    assert kinds(played.handle(OperationJoined(1))) == "cancel send close"
    assert played.events()[1:] == ["end"]


def test_who_asks_is_found_out_first() -> None:
    played = Played(lambda request: Caller("me"))
    assert kinds(played.ask()) == "start"
    assert kinds(played.handle(OperationEnded(1, Caller("me")))) == "send start"
    played.emit(b"{}", operation=1)
    played.emit(b"1", operation=2)
    assert played.events()[1:] == [("next", 1, "")]


def test_who_takes_too_long_to_be_let_in() -> None:
    played = Played(lambda request: None, request_timeout=5.0)
    played.ask()
    assert played.session.deadline == 105.0
    played.now = 105.0
    assert kinds(played.handle(DeadlineReached())) == "cancel send"
    head, *_ = played.read()
    assert head.status == 504
    assert played.handle(OperationEnded(1, Caller("me"))) == []
    assert kinds(played.ask()) == "start"


def test_a_server_that_stops_lets_nobody_in() -> None:
    played = Played(lambda request: None)
    played.ask()
    assert kinds(played.handle(DrainRequested())) == "cancel send close"
    head, *_ = played.read()
    assert head.status == 503


@pytest.mark.parametrize(
    ("query", "sent", "after"),
    [
        ("subscription { added { id } }", b"7.1", "7.1"),
        ("subscription { added { id } }", b"", None),
        ("subscription { added { id } }", b"\xff", "\ufffd"),
        ('subscription { added(after: "8.2") { id } }', b"7.1", "8.2"),
    ],
)
def test_a_browser_that_comes_back_goes_on_behind_the_last_event(query: str, sent: bytes, after: str | None) -> None:
    played = Played()
    (_, start) = played.ask(orjson.dumps({"query": query}), (b"last-event-id", sent))
    assert isinstance(start, StartOperation)
    effect = next(start.program)
    assert isinstance(effect, Join)
    opened = next(effect.stream.begin())
    assert isinstance(opened, Open)
    assert isinstance(opened.source, EventSource)
    assert opened.source.after == after


@pytest.mark.parametrize(
    ("error", "status"), [(RequestError("Forbidden", code="FORBIDDEN"), 403), (KeyError("secret"), 500)]
)
def test_who_is_not_let_in_is_answered_in_json(error: Exception, status: int) -> None:
    played = Played(lambda request: None)
    played.ask()
    commands = played.handle(OperationFailed(1, error))
    assert kinds(commands) == "send"
    head, *_ = played.read()
    assert head.status == status
    assert kinds(played.ask()) == "start"

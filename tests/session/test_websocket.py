"""The WebSocket session's playbook: what it tells its runtime after each event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest

import fraiseql
from fraiseql.context import Caller, ClientRequest
from fraiseql.effects import Call, Emission
from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits, SubscriptionLimits, WebSocketLimits
from fraiseql.observations import (
    InternalErrorMasked,
    Observation,
    OperationCompleted,
    RequestRefused,
    WebSocketClosed,
)
from fraiseql.pipeline import GraphQLResponse, Outcome, Pipeline, refuse
from fraiseql.session import (
    CancelOperation,
    ClientSession,
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    Endpoint,
    EofReceived,
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
from session.frames import UPGRADE, Frame, close, message, read, text, write

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
SUBSCRIPTION = "subscription { ticks }"
QUERY = "{ users { id } }"


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: fraiseql.ID
    score: Decimal | None


@fraiseql.query
def users() -> list[User]: ...


@fraiseql.subscription
async def ticks(info: fraiseql.Info) -> AsyncIterator[int]:
    yield 1


SCHEMA = fraiseql.Schema(queries=[users], subscriptions=[ticks])


class Played:
    """A session, its clock, and what it has said so far."""

    def __init__(self, context: Callable[[ClientRequest], Any] | None, **limits: Any) -> None:
        self.observations: list[Observation] = []
        query = QueryLimits(**{key: limits.pop(key) for key in list(limits) if key == "request_timeout"})
        socket = WebSocketLimits(**{key: limits.pop(key) for key in list(limits) if hasattr(WebSocketLimits, key)})
        endpoint = Endpoint(
            pipeline=Pipeline(SCHEMA, query),
            observe=self.observations.append,
            websocket=socket,
            subscriptions=SubscriptionLimits(**limits),
            context=context,
        )
        self.session = ClientSession(endpoint, "c1")
        self.now = 100.0
        self.programs: dict[int, Any] = {}
        self.handle(ConnectionMade())

    def handle(self, event: SessionEvent) -> list[Command]:
        commands = self.session.handle(event, self.now, DATE)
        for command in commands:
            if isinstance(command, StartOperation):
                self.programs[command.operation_id] = command.program
        return commands

    def receive(self, data: bytes) -> list[Command]:
        return self.handle(DataReceived(data))

    def later(self, seconds: float) -> list[Command]:
        """Let time pass up to a deadline that is not later than that."""
        assert self.session.deadline is not None
        assert self.session.deadline <= self.now + seconds, self.session.deadline - self.now
        self.now = self.session.deadline
        return self.handle(DeadlineReached())

    def emit(self, operation_id: int, body: bytes, cursor: str | None = None, is_state: bool = False) -> list[Command]:
        return self.handle(OperationEmitted(operation_id, Emission(body, cursor), is_state))


def opened(context: Callable[[ClientRequest], Any] | None = None, **limits: Any) -> Played:
    """A session whose handshake is done."""
    played = Played(context, **limits)
    head = sent(played.receive(UPGRADE))
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"sec-websocket-protocol: graphql-transport-ws\r\n" in head.lower()
    return played


def ready(**limits: Any) -> Played:
    """A session whose client was let in."""
    played = opened(**limits)
    commands = played.receive(message("connection_init"))
    assert kinds(commands) == "start"
    (ack,) = frames(authorise(played))
    assert ack.json == {"type": "connection_ack"}
    return played


def authorise(played: Played) -> list[Command]:
    """Run the program that finds out who the client is."""
    program = played.programs.pop(0)
    try:
        effect = program.send(None)
        while True:
            assert isinstance(effect, Call)
            effect = program.send(effect.function(*effect.arguments))
    except StopIteration as stop:
        return played.handle(OperationEnded(0, stop.value))
    except Exception as error:
        return played.handle(OperationFailed(0, error))


def subscribed(**limits: Any) -> Played:
    """A session with one subscription, operation 1, id "a"."""
    played = ready(**limits)
    assert kinds(subscribe(played)) == "start"
    assert played.handle(OperationJoined(1)) == []
    return played


def subscribe(played: Played, id: str = "a", query: str = SUBSCRIPTION) -> list[Command]:
    return played.receive(message("subscribe", id=id, payload={"query": query}))


def kinds(commands: list[Command]) -> str:
    """Commands in a word each: `send start cancel pause resume close`."""
    names: dict[type[Any], str] = {
        SendData: "send",
        StartOperation: "start",
        CancelOperation: "cancel",
        PauseOperation: "pause",
        ResumeOperation: "resume",
        CloseConnection: "close",
    }
    return " ".join(names[type(command)] for command in commands)


def sent(commands: list[Command]) -> bytes:
    return b"".join(command.data for command in commands if isinstance(command, SendData))


def frames(commands: list[Command]) -> list[Frame]:
    return read(sent(commands))


def messages(commands: list[Command]) -> list[Any]:
    return [frame.json for frame in frames(commands)]


# The handshake


def test_what_follows_the_handshake_in_one_piece_is_read() -> None:
    played = Played(None)
    assert kinds(played.receive(UPGRADE + message("connection_init"))) == "send start"


@pytest.mark.parametrize("path", [b"/graphql", b"/graphql/subscriptions", b"/graphql?token=1"])
def test_it_is_served_at_both_paths(path: bytes) -> None:
    head = sent(Played(None).receive(UPGRADE.replace(b"/graphql", path, 1)))
    assert head.startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"GET /graphql", b"GET /elsewhere", 404),
        (b"GET /graphql", b"POST /graphql", 400),
        (b"Version: 13", b"Version: 8", 426),
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"", 400),
        (b"Host: x\r\n", b"Host: x\r\nContent-Length: 1\r\n", 400),
        (b"Host: x\r\n", b"Host: x\r\nOrigin: https://evil.example\r\n", 403),
    ],
)
def test_a_handshake_that_is_refused_is_answered_in_http(old: bytes, new: bytes, status: int) -> None:
    played = Played(None)
    commands = played.receive(UPGRADE.replace(old, new) + b"x")
    assert sent(commands).startswith(b"HTTP/1.1 %d " % status)


def test_without_our_subprotocol_it_is_closed_with_4406() -> None:
    played = Played(None)
    commands = played.receive(UPGRADE.replace(b"graphql-transport-ws", b"graphql-ws"))
    head, _, rest = sent(commands).partition(b"\r\n\r\n")
    assert b"sec-websocket-protocol" not in head.lower()
    assert [frame.code for frame in read(rest)] == [4406]


def test_a_server_that_stops_opens_none() -> None:
    played = Played(None)
    played.receive(UPGRADE[:20])
    played.handle(DrainRequested())
    assert sent(played.receive(UPGRADE[20:])).startswith(b"HTTP/1.1 503 ")


# Letting in


def test_who_does_not_introduce_itself_in_time_is_closed_with_4408() -> None:
    played = opened(init_timeout=3.0)
    assert [frame.code for frame in frames(played.later(3.0))] == [4408]


def test_on_connect_is_shown_the_headers_and_the_payload_and_says_who_it_is() -> None:
    asked: list[ClientRequest] = []

    def context(request: ClientRequest) -> Caller:
        asked.append(request)
        return Caller("me", "ours")

    played = opened(context)
    played.receive(message("connection_init", payload={"token": "t"}))
    assert [message["type"] for message in messages(authorise(played))] == ["connection_ack"]
    (request,) = asked
    assert (request.transport, request.payload) == ("websocket", {"token": "t"})
    assert (b"host", b"x") in request.headers


def nobody(request: ClientRequest) -> Any:
    return None


def refusing(request: ClientRequest) -> Any:
    raise RequestError("token expired", code="UNAUTHENTICATED")


def broken(request: ClientRequest) -> Any:
    raise KeyError("token")


def confused(request: ClientRequest) -> Any:
    return "me"


@pytest.mark.parametrize(("context", "code"), [(nobody, 4403), (refusing, 4403), (broken, 4500), (confused, 4500)])
def test_who_is_not_let_in(context: Callable[[ClientRequest], Any], code: int) -> None:
    played = opened(context)
    played.receive(message("connection_init"))
    assert [frame.code for frame in frames(authorise(played))] == [code]
    masked = any(isinstance(seen, InternalErrorMasked) for seen in played.observations)
    assert masked is (code == 4500)


def test_an_on_connect_that_takes_too_long() -> None:
    played = opened(nobody, request_timeout=5.0)
    assert kinds(played.receive(message("connection_init"))) == "start"
    commands = played.later(5.0)
    assert kinds(commands) == "send cancel"
    assert [frame.code for frame in frames(commands)] == [4500]


def test_who_leaves_meanwhile_is_forgotten() -> None:
    played = opened(nobody)
    played.receive(message("connection_init"))
    assert kinds(played.handle(EofReceived())) == "cancel close"
    assert authorise(played) == []


def test_a_second_connection_init_and_a_subscribe_before_the_ack() -> None:
    for second, code in (
        (message("connection_init"), 4429),
        (message("subscribe", id="a", payload={"query": "x"}), 4401),
    ):
        played = opened()
        played.receive(message("connection_init"))
        commands = played.receive(second)
        assert kinds(commands) == "send cancel"
        assert [frame.code for frame in frames(commands)] == [code]


# Operations


def test_a_query_is_answered_by_next_and_complete() -> None:
    played = ready()
    assert kinds(subscribe(played, query=QUERY)) == "start"
    commands = played.handle(OperationEnded(1, GraphQLResponse(Outcome.DATA, b'{"data":{"users":[]}}')))
    assert messages(commands) == [
        {"id": "a", "type": "next", "payload": {"data": {"users": []}}},
        {"id": "a", "type": "complete"},
    ]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.NOT_PARSED, ["error"]),
        (Outcome.NOT_VALID, ["error"]),
        (Outcome.OPERATION_UNKNOWN, ["error"]),
        (Outcome.STREAM_FAILED, ["error"]),
        (Outcome.VARIABLES_INVALID, ["next", "complete"]),
        (Outcome.FAILED, ["next", "complete"]),
        (Outcome.UNAVAILABLE, ["next", "complete"]),
    ],
)
def test_how_an_operation_that_failed_is_answered(outcome: Outcome, expected: list[str]) -> None:
    played = subscribed()
    error = RequestError("No.", code="NO")
    answers = messages(played.handle(OperationEnded(1, refuse(outcome, [error]))))
    assert [answer["type"] for answer in answers] == expected
    errors = [{"message": "No.", "extensions": {"code": "NO"}}]
    assert answers[0]["payload"] == (errors if expected == ["error"] else {"errors": errors})


def test_a_subscription_emits_and_ends() -> None:
    played = subscribed()
    assert messages(played.emit(1, b'{"data":{"ticks":1}}')) == [
        {"id": "a", "type": "next", "payload": {"data": {"ticks": 1}}}
    ]
    assert messages(played.handle(OperationEnded(1, None))) == [{"id": "a", "type": "complete"}]
    assert played.emit(1, b"{}") == []


def test_several_operations_at_once() -> None:
    played = subscribed()
    subscribe(played, "b")
    assert [m["id"] for m in messages(played.emit(2, b"{}") + played.emit(1, b"{}"))] == ["b", "a"]


def test_complete_cancels_and_nothing_more_is_sent() -> None:
    played = subscribed()
    assert played.receive(message("complete", id="a")) == [CancelOperation(1)]
    assert played.emit(1, b"{}") == []
    assert played.handle(OperationEnded(1, None)) == []
    assert played.handle(OperationFailed(1, ValueError())) == []
    assert played.receive(message("complete", id="a")) == []


def test_the_results_of_an_operation_do_not_reach_the_next_with_its_id() -> None:
    played = subscribed()
    played.receive(message("complete", id="a"))
    assert kinds(subscribe(played)) == "start"
    assert played.emit(1, b'{"data":1}') == []
    assert played.handle(OperationEnded(1, None)) == []
    assert [m["payload"] for m in messages(played.emit(2, b'{"data":2}'))] == [{"data": 2}]


def test_an_id_in_use_is_4409_and_ends_everything() -> None:
    played = subscribed()
    commands = subscribe(played)
    assert kinds(commands) == "send cancel"
    assert frames(commands) == [Frame(8, (4409).to_bytes(2) + b"Subscriber for a already exists")]
    assert played.emit(1, b"{}") == []
    assert kinds(played.receive(close(4409))) == "close"


def test_an_operation_that_fails_is_masked_and_the_others_go_on() -> None:
    played = subscribed()
    subscribe(played, "b")
    (answer,) = messages(played.handle(OperationFailed(1, ValueError("secret"))))
    assert answer["type"] == "error"
    assert answer["payload"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "c1-1"}
    assert "secret" not in str(answer)
    assert [type(seen) for seen in played.observations] == [InternalErrorMasked, OperationCompleted]
    assert len(messages(played.emit(2, b"{}"))) == 1


def test_too_many_operations_are_refused_one_by_one() -> None:
    played = ready(max_operations=1)
    subscribe(played)
    (answer,) = messages(subscribe(played, "b"))
    assert (answer["id"], answer["type"]) == ("b", "error")
    assert len(messages(played.emit(1, b"{}"))) == 1


def test_a_query_that_takes_too_long_ends_and_a_subscription_does_not() -> None:
    played = ready(request_timeout=5.0, ping_interval=1000.0)
    subscribe(played, "s")
    played.handle(OperationJoined(1))
    subscribe(played, "q", QUERY)
    commands = played.later(5.0)
    assert kinds(commands) == "cancel send send"
    answer, _ = messages(commands)
    assert answer["id"] == "q"
    assert answer["payload"]["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
    assert len(messages(played.emit(1, b"{}"))) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (text("no json"), 4400),
        (text("[]"), 4400),
        (text("[" * 100_000), 4400),
        (text('{"type":"ping","payload":NaN}'), 4400),
        (text('{"type":"next","id":"a","payload":{}}'), 4400),
        (message("subscribe", id="", payload={"query": "{a}"}), 4400),
        (write(2, b"binary"), 4400),
        (write(1, b"\xff"), 1007),
        (write(3), 1002),
        (write(1, b"x" * 2_000_000), 1009),
    ],
)
def test_bad_input_gets_its_close_code_and_starts_nothing(data: bytes, code: int) -> None:
    played = subscribed()
    commands = played.receive(data)
    assert [frame.code for frame in frames(commands)] == [code]
    assert kinds(commands).split()[:2] == ["send", "cancel"]
    assert kinds(played.receive(message("subscribe", id="b", payload={"query": QUERY}))) == ""
    assert isinstance(played.observations[0], RequestRefused)


# A client that does not read


def test_results_wait_for_a_client_that_does_not_read_and_keep_their_order() -> None:
    played = subscribed()
    played.handle(SendingPaused())
    assert kinds(played.emit(1, b"1")) == "pause"
    assert kinds(played.emit(1, b"2")) == ""
    commands = played.handle(SendingResumed())
    assert kinds(commands) == "send send resume"
    assert [m["payload"] for m in messages(commands)] == [1, 2]
    assert [m["payload"] for m in messages(played.emit(1, b"3"))] == [3]


def test_what_ends_while_the_client_does_not_read_ends_in_order() -> None:
    played = subscribed()
    played.handle(SendingPaused())
    played.emit(1, b"1")
    assert played.handle(OperationEnded(1, None)) == []
    assert [m["type"] for m in messages(played.handle(SendingResumed()))] == ["next", "complete"]


def test_a_slow_consumer_is_ended_with_an_error_that_says_where_to_resume() -> None:
    played = subscribed(max_queued=2)
    played.emit(1, b"1", cursor="7.1")
    played.handle(SendingPaused())
    for number in (2, 3):
        assert "cancel" not in kinds(played.emit(1, b"%d" % number, cursor=f"7.{number}"))
    assert kinds(played.emit(1, b"4", cursor="7.4")) == "cancel"
    assert played.emit(1, b"5", cursor="7.5") == []
    (answer,) = messages(played.handle(SendingResumed()))
    assert answer["type"] == "error"
    assert answer["payload"][0]["extensions"] == {"code": "SLOW_CONSUMER", "cursor": "7.1"}


def test_of_a_live_query_a_slow_consumer_gets_the_latest_result_only() -> None:
    played = subscribed(max_queued=2)
    played.handle(SendingPaused())
    assert kinds(played.emit(1, b"0", is_state=True)) == "pause"
    for number in range(1, 10):  # it is shared with others who read
        assert played.emit(1, b"%d" % number, is_state=True) == []
    commands = played.handle(SendingResumed())
    assert [m["payload"] for m in messages(commands)] == [9]
    assert kinds(commands) == "send resume"


def test_what_is_kept_is_bounded_in_bytes_over_all_operations() -> None:
    played = subscribed(max_unread=1_000)
    subscribe(played, "b")
    played.handle(SendingPaused())
    large = b'"' + b"x" * 600 + b'"'
    assert kinds(played.emit(1, large)) == "pause"
    assert kinds(played.emit(2, large)) == "cancel"
    commands = played.handle(SendingResumed())
    assert [(m["id"], m["type"]) for m in messages(commands)] == [("b", "error"), ("a", "next")]
    played.handle(SendingPaused())
    assert kinds(played.emit(1, large)) == "pause"  # there is room again


def test_a_client_that_does_not_read_the_results_of_its_queries_is_cut_off() -> None:
    played = ready(max_unread=1_000)
    for id in ("a", "b"):
        subscribe(played, id, QUERY)
    played.handle(SendingPaused())
    large = GraphQLResponse(Outcome.DATA, b'{"data":"' + b"x" * 600 + b'"}')
    assert played.handle(OperationEnded(1, large)) == []
    assert kinds(played.handle(OperationEnded(2, large))) == "close"
    assert isinstance(played.observations[-1], WebSocketClosed)


def test_complete_forgets_what_is_kept() -> None:
    played = subscribed()
    played.handle(SendingPaused())
    played.emit(1, b"1")
    assert played.receive(message("complete", id="a")) == [CancelOperation(1)]
    assert played.handle(SendingResumed()) == []


def test_answers_to_a_client_that_does_not_read_are_bounded_by_reading_no_more() -> None:
    played = ready()
    played.handle(SendingPaused())
    for number in range(20_000):
        if not played.session.wants_data:
            break
        assert sent(played.receive(message("ping", payload={"n": number}))) == b""
    else:
        pytest.fail("it reads on and on")
    answers = messages(played.handle(SendingResumed()))
    assert [answer["payload"]["n"] for answer in answers] == list(range(len(answers)))
    assert played.session.wants_data


# Staying alive


def test_pings_are_answered_the_latest_of_several() -> None:
    played = ready()
    assert frames(played.receive(write(9, b"1") + write(9, b"2"))) == [Frame(10, b"2")]
    played.handle(SendingPaused())
    assert played.receive(write(9, b"3")) == []
    assert frames(played.handle(SendingResumed())) == [Frame(10, b"3")]


def test_a_ping_of_graphql_is_answered_with_its_payload_even_before_the_ack() -> None:
    played = opened()
    assert messages(played.receive(message("ping", payload={"a": 1}))) == [{"type": "pong", "payload": {"a": 1}}]
    assert messages(played.receive(message("ping"))) == [{"type": "pong"}]
    assert played.receive(message("pong")) == []


def test_a_silent_client_is_pinged_and_given_up_when_it_does_not_answer() -> None:
    played = ready(ping_interval=20.0, ping_timeout=10.0)
    (ping,) = frames(played.later(20.0))
    assert ping.opcode == 9
    played.receive(write(10, ping.payload))
    (ping,) = frames(played.later(20.0))
    assert ping.opcode == 9
    assert kinds(played.later(10.0)) == "close"
    assert [seen for seen in played.observations if isinstance(seen, WebSocketClosed)] == [
        WebSocketClosed("c1", 1006, "the client did not answer a ping")
    ]


def test_a_client_that_does_not_read_is_not_pinged() -> None:
    played = ready()
    played.handle(SendingPaused())
    assert played.session.deadline is None
    played.handle(SendingResumed())
    assert played.session.deadline is not None


# The end


def test_the_clients_close_is_answered() -> None:
    played = subscribed()
    commands = played.receive(close(1000, "bye"))
    assert kinds(commands) == "send cancel close"
    assert [frame.code for frame in frames(commands)] == [1000]
    assert played.observations == [OperationCompleted("c1-1", "CANCELLED", 0.0), WebSocketClosed("c1", 1000, "bye")]
    assert played.session.deadline is None
    assert not played.session.wants_data


def test_a_client_that_vanishes_cancels_everything() -> None:
    played = subscribed()
    subscribe(played, "b")
    assert kinds(played.handle(EofReceived())) == "cancel cancel close"


def test_a_server_that_stops_closes_with_1001_and_waits_for_the_client() -> None:
    played = subscribed()
    commands = played.handle(DrainRequested())
    assert kinds(commands) == "send cancel"
    assert [frame.code for frame in frames(commands)] == [1001]
    assert kinds(played.receive(message("ping") + close(1001))) == "close"


def test_a_server_that_stops_lets_queries_finish() -> None:
    played = subscribed()
    subscribe(played, "q", QUERY)
    assert played.handle(DrainRequested()) == []
    commands = played.handle(OperationEnded(2, GraphQLResponse(Outcome.DATA, b'{"data":{}}')))
    found = frames(commands)
    assert [frame.opcode for frame in found] == [1, 1, 8]
    assert found[-1].code == 1001


def test_a_server_that_stops_starts_nothing_more() -> None:
    played = ready()
    subscribe(played, "q", QUERY)
    assert played.handle(DrainRequested()) == []
    (answer,) = messages(subscribe(played, "r", QUERY))
    assert (answer["id"], answer["type"]) == ("r", "error")
    assert answer["payload"][0]["extensions"] == {"code": "SERVER_STOPPING"}


def test_requests_before_the_handshake_have_numbers_of_their_own() -> None:
    played = Played(None)
    played.receive(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    played.receive(UPGRADE + message("connection_init"))
    authorise(played)
    (start,) = subscribe(played, "q", QUERY)
    assert isinstance(start, StartOperation)
    played.handle(OperationEnded(start.operation_id, GraphQLResponse(Outcome.DATA, b"{}")))
    assert [seen.request_id for seen in played.observations] == ["c1-1", "c1-2"]  # type: ignore[union-attr]


def test_a_client_that_does_not_close_in_time_is_cut_off() -> None:
    played = ready(close_timeout=10.0)
    played.handle(DrainRequested())
    played.receive(message("ping"))
    assert kinds(played.later(10.0)) == "close"


def test_a_deadline_that_was_moved_counts_for_nothing() -> None:
    played = ready()
    assert played.handle(DeadlineReached()) == []


def test_bytes_may_come_one_by_one() -> None:
    played = Played(None)
    stream = UPGRADE + message("connection_init") + message("ping") + close()
    commands = [command for byte in stream for command in played.receive(bytes([byte]))]
    assert kinds(commands) == "send start send send cancel close"


def test_variables_that_nest_too_deep_start_nothing() -> None:
    played = ready()
    variables: Any = 1
    for _ in range(40):
        variables = {"a": variables}
    payload = {"query": QUERY, "variables": variables}
    (answer,) = messages(played.receive(message("subscribe", id="a", payload=payload)))
    assert (answer["type"], answer["payload"][0]["extensions"]) == ("error", {"code": "BAD_REQUEST"})
    assert kinds(subscribe(played)) == "start"


def test_variables_and_extensions_reach_the_pipeline() -> None:
    played = ready()
    payload = {"query": "query A($n: Int) { users(limit: $n) { id } }", "operationName": "A", "variables": {"n": "x"}}
    played.receive(message("subscribe", id="a", payload=payload))
    with pytest.raises(StopIteration) as stop:
        next(played.programs[1])
    response = stop.value.value
    assert response.outcome is Outcome.VARIABLES_INVALID
    assert b"Int cannot represent" in orjson.dumps(orjson.loads(response.body))


def test_numbers_in_variables_keep_their_digits() -> None:
    played = ready()
    query = "query ($n: Decimal) { users(where: {score: {eq: $n}}) { id } }"
    payload = json.dumps({"query": query, "variables": {"n": "@"}}).replace('"@"', "12345678901.123456789")
    text_message = f'{{"id":"a","type":"subscribe","payload":{payload}}}'.encode()
    assert kinds(played.receive(write(1, text_message))) == "start"
    effect = next(played.programs[1])
    assert effect.parameters[0] == b"12345678901.123456789"


@pytest.mark.parametrize("key", ["a", "x" * 255, '"8e03978e"'])
def test_an_idempotency_key_is_an_extension(key: str) -> None:
    played, keys = ready(), []
    pipeline = played.session._session._endpoint.pipeline  # type: ignore[union-attr]

    class Seen:
        limits = pipeline.limits

        def operate(self, request: Any, *arguments: Any) -> Any:
            keys.append(request.idempotency_key)
            return iter(())

    played.session._session._endpoint.pipeline = Seen()  # type: ignore[assignment, union-attr]
    query = {"query": "{ users { id } }"}
    played.receive(message("subscribe", id="1", payload={**query, "extensions": {"idempotencyKey": key}}))
    played.receive(message("subscribe", id="2", payload=query))
    assert keys == [key, None]


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "é", 5, ["a"], {}])
def test_an_idempotency_key_that_is_none(key: Any) -> None:
    played = ready()
    payload = {"query": "{ users { id } }", "extensions": {"idempotencyKey": key}}
    (answer,) = frames(played.receive(message("subscribe", id="1", payload=payload)))
    assert answer.json["type"] == "error"
    assert answer.json["payload"][0]["extensions"]["code"] == "BAD_REQUEST"

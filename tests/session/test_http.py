"""The session's playbook: what it tells its runtime after each event."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

import fraiseql
from fraiseql.effects import Row
from fraiseql.errors import DatabaseError
from fraiseql.limits import HttpLimits, QueryLimits
from fraiseql.observations import InternalErrorMasked, Observation, RequestCompleted, RequestRefused
from fraiseql.pipeline import GraphQLResponse, Pipeline
from fraiseql.session import (
    CancelOperation,
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    Endpoint,
    EofReceived,
    HttpSession,
    OperationEnded,
    OperationFailed,
    SendData,
    SessionEvent,
    StartOperation,
)

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: fraiseql.ID
    name: str


@fraiseql.query
def users() -> list[User]: ...


SCHEMA = fraiseql.Schema(queries=[users])


class Played:
    """A session, its clock, and what it has said so far."""

    def __init__(self, http: HttpLimits, query: QueryLimits) -> None:
        self.observations: list[Observation] = []
        endpoint = Endpoint(pipeline=Pipeline(SCHEMA, query), observe=self.observations.append, http=http)
        self.session = HttpSession(endpoint, "c1")
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

    def finish(self, row: Row = (b"[]",)) -> list[Command]:
        """Run the last started program to its end, answering its statement with a row."""
        operation_id, program = list(self.programs.items())[-1]
        result: GraphQLResponse
        try:
            program.send(None)
            program.send(row)
        except StopIteration as stop:
            result = stop.value
        return self.handle(OperationEnded(operation_id, result))


def kinds(commands: list[Command]) -> str:
    """Commands in a word: `send start cancel close`."""
    names = {SendData: "send", StartOperation: "start", CancelOperation: "cancel", CloseConnection: "close"}
    return " ".join(names[type(command)] for command in commands)


def sent(commands: list[Command]) -> bytes:
    """All bytes sent."""
    return b"".join(command.data for command in commands if isinstance(command, SendData))


def status(commands: list[Command]) -> int:
    """The status of the first answer sent."""
    return int(sent(commands).split(b" ", 2)[1])


def request(
    body: bytes = b'{"query":"{ users { id } }"}',
    *headers: bytes,
    method: bytes = b"POST",
    target: bytes = b"/graphql",
    content_type: bytes | None = b"application/json",
) -> bytes:
    """A request as a client writes it."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: x", *headers]
    if content_type is not None:
        lines.append(b"Content-Type: " + content_type)
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def play(http: HttpLimits | None = None, query: QueryLimits | None = None) -> Played:
    """A session to which a client has just connected."""
    return Played(http or HttpLimits(), query or QueryLimits())


def test_a_request_is_answered_and_the_connection_goes_on() -> None:
    played = play()
    assert kinds(played.receive(request())) == "start"
    commands = played.finish((b'[{"id":"1"}]',))
    assert kinds(commands) == "send"
    head, _, body = sent(commands).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 200 OK"
    assert b"content-type: application/json; charset=utf-8" in head
    assert b"date: " + DATE in head
    assert body == b'{"data":{"users":[{"id":"1"}]}}'
    assert kinds(played.receive(request())) == "start"
    assert status(played.finish()) == 200


def test_bytes_may_come_one_by_one() -> None:
    played = play()
    data = request()
    for byte in data[:-1]:
        assert played.receive(bytes([byte])) == []
    assert kinds(played.receive(data[-1:])) == "start"


def test_pipelined_requests_run_one_after_the_other() -> None:
    played = play()
    assert kinds(played.receive(request() * 3)) == "start"
    assert kinds(played.finish((b"[1]",))) == "send start"
    assert kinds(played.finish((b"[2]",))) == "send start"
    commands = played.finish((b"[3]",))
    assert kinds(commands) == "send"
    assert b"[3]" in sent(commands)


def test_a_client_that_pipelines_without_bound_is_not_read() -> None:
    played = play(HttpLimits(max_pipelined=1_000))
    played.receive(request() * 20)
    assert not played.session.wants_data
    for _ in range(20):
        played.finish()
    assert played.session.wants_data


def test_health_is_answered_without_an_operation() -> None:
    commands = play().receive(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert kinds(commands) == "send"
    assert status(commands) == 200
    assert sent(commands).endswith(b'{"status":"ok"}')


def test_head_of_health_has_no_body() -> None:
    answer = sent(play().receive(b"HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n"))
    assert answer.endswith(b"\r\n\r\n")
    assert b"content-length: 15" in answer


@pytest.mark.parametrize(
    ("data", "expected", "goes_on"),
    [
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404, True),
        (b"GET /health/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, True),
        (request(method=b"POST", target=b"/health"), 405, True),
        (request(method=b"PUT"), 405, True),
        (request(method=b"DELETE", body=b""), 405, True),
        (request(b"nonsense"), 400, True),
        (request(b"[]"), 400, True),
        (request(content_type=None), 400, True),
        (request(content_type=b"text/plain"), 415, True),
        (request(b'{"query":"{ users { id } }"}', b"Accept: text/csv"), 406, True),
        (b"nonsense\r\n\r\n", 400, False),
        (b"GET /graphql HTTP/1.1\r\n\r\n", 400, False),
        (b"GET /graphql HTTP/3.0\r\nHost: x\r\n\r\n", 505, False),
        (b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n", 413, False),
        (b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, False),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", 431, False),
    ],
)
def test_what_is_refused(data: bytes, expected: int, goes_on: bool) -> None:
    played = play()
    commands = played.receive(data)
    assert kinds(commands) == ("send" if goes_on else "send close")
    assert status(commands) == expected
    body = orjson.loads(sent(commands).partition(b"\r\n\r\n")[2])
    assert body["errors"][0]["message"]
    assert body["errors"][0]["extensions"]["code"]
    assert (b"connection: close" in sent(commands)) is not goes_on
    if goes_on:
        assert kinds(played.receive(request())) == "start"
    else:
        assert played.receive(request()) == []
        assert not played.session.wants_data
        assert isinstance(played.observations[-1], RequestRefused)


def test_a_method_that_is_not_allowed_is_told_which_are() -> None:
    assert b"\r\nallow: GET, HEAD, POST\r\n" in sent(play().receive(request(method=b"PATCH")))


def test_a_body_is_asked_for_only_where_it_is_of_use() -> None:
    played = play()
    data = request(b'{"query":"{ users { id } }"}', b"Expect: 100-continue")
    head, body = data[:-28], data[-28:]
    commands = played.receive(head)
    assert sent(commands) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert kinds(played.receive(body)) == "start"
    refused = play().receive(head.replace(b"/graphql", b"/nowhere"))
    assert kinds(refused) == "send close"
    assert status(refused) == 404


def test_a_client_that_leaves_cancels_its_operation() -> None:
    played = play()
    played.receive(request())
    commands = played.handle(EofReceived())
    assert kinds(commands) == "cancel close"
    assert commands[0] == CancelOperation(1)
    assert played.handle(OperationEnded(1, None)) == []


def test_a_client_that_leaves_between_requests_is_let_go() -> None:
    played = play()
    assert kinds(played.handle(EofReceived())) == "close"


def test_a_client_that_leaves_within_a_request_gets_a_refusal() -> None:
    played = play()
    played.receive(b"GET /hea")
    commands = played.handle(EofReceived())
    assert kinds(commands) == "send close"
    assert status(commands) == 400


def test_connection_close_is_honoured() -> None:
    played = play()
    played.receive(request(b'{"query":"{ users { id } }"}', b"Connection: close"))
    commands = played.finish()
    assert kinds(commands) == "send close"
    assert b"connection: close" in sent(commands)


def test_http_1_0_closes_after_its_answer() -> None:
    commands = play().receive(b"GET /health HTTP/1.0\r\n\r\n")
    assert kinds(commands) == "send close"


class TestDeadlines:
    limits = HttpLimits(head_timeout=5, body_timeout=7, idle_timeout=60)

    def test_an_idle_connection_is_closed_without_a_word(self) -> None:
        played = play(self.limits)
        assert played.session.deadline == 160
        played.now = 160
        assert kinds(played.handle(DeadlineReached())) == "close"

    def test_a_head_that_trickles_in_is_answered_408(self) -> None:
        played = play(self.limits)
        played.now = 110
        played.receive(b"GET")
        assert played.session.deadline == 115
        played.now = 114
        played.receive(b" /")
        assert played.session.deadline == 115
        played.now = 115
        commands = played.handle(DeadlineReached())
        assert kinds(commands) == "send close"
        assert status(commands) == 408

    def test_a_body_has_its_own_time(self) -> None:
        played = play(self.limits)
        played.receive(request()[:-3])
        assert played.session.deadline == 107
        played.now = 107
        assert status(played.handle(DeadlineReached())) == 408

    def test_a_deadline_that_was_moved_counts_for_nothing(self) -> None:
        played = play(self.limits)
        played.now = 103
        played.receive(b"GET")
        assert played.handle(DeadlineReached()) == []

    def test_an_operation_that_takes_too_long_is_cancelled_and_answered(self) -> None:
        played = play(self.limits, QueryLimits(request_timeout=9))
        played.receive(request(b'{"query":"{ users { id } }"}', b"Accept: application/graphql-response+json") * 2)
        assert played.session.deadline == 109
        played.now = 109
        commands = played.handle(DeadlineReached())
        assert kinds(commands) == "cancel send start"
        assert status(commands) == 504
        assert orjson.loads(sent(commands).partition(b"\r\n\r\n")[2])["errors"][0]["extensions"] == {
            "code": "REQUEST_TIMEOUT",
            "requestId": "c1-1",
        }
        assert played.handle(OperationEnded(1, None)) == []
        assert status(played.finish()) == 200

    def test_each_idle_time_counts_from_the_last_answer(self) -> None:
        played = play(self.limits)
        played.now = 120
        played.receive(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert played.session.deadline == 180


class TestDraining:
    def test_an_idle_connection_is_closed(self) -> None:
        assert kinds(play().handle(DrainRequested())) == "close"

    def test_a_running_operation_is_finished_and_the_last(self) -> None:
        played = play()
        played.receive(request() * 2)
        assert played.handle(DrainRequested()) == []
        commands = played.finish()
        assert kinds(commands) == "send close"
        assert b"connection: close" in sent(commands)

    def test_a_request_under_way_is_read_and_answered(self) -> None:
        played = play()
        played.receive(request()[:-5])
        assert played.handle(DrainRequested()) == []
        assert kinds(played.receive(request()[-5:])) == "start"
        assert kinds(played.finish()) == "send close"


class TestObservations:
    def test_every_answer_is_observed(self) -> None:
        played = play()
        played.receive(request())
        played.now = 100.25
        played.finish()
        assert played.observations == [RequestCompleted("c1-1", "POST", "/graphql", 200, 0.25)]

    def test_a_program_that_breaks_is_a_masked_error(self) -> None:
        played = play()
        played.receive(request())
        error = ZeroDivisionError("secret")
        commands = played.handle(OperationFailed(1, error))
        assert status(commands) == 200
        assert b"secret" not in sent(commands)
        assert b'"requestId":"c1-1"' in sent(commands)
        assert played.observations[0] == InternalErrorMasked("c1-1", error)

    def test_a_database_error_is_masked(self) -> None:
        played = play()
        played.receive(request())
        program = played.programs[1]
        program.send(None)
        error = DatabaseError('relation "secret" does not exist', sqlstate="42P01")
        with pytest.raises(StopIteration) as stop:
            program.throw(error)
        commands = played.handle(OperationEnded(1, stop.value.value))
        assert b"secret" not in sent(commands)
        assert played.observations[0] == InternalErrorMasked("c1-1", error)

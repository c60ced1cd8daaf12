"""Who asks over HTTP: the session's playbook where there is a context function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

import fraiseql
from fraiseql.context import ANONYMOUS, Caller, ClientRequest
from fraiseql.effects import Call, Fetch
from fraiseql.errors import RequestError
from fraiseql.observations import InternalErrorMasked, Observation
from fraiseql.pipeline import GraphQLRequest, Pipeline
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


@fraiseql.query
def users() -> list[User]: ...


SCHEMA = fraiseql.Schema(
    queries=[users], database_context=fraiseql.DatabaseContext({"app.tenant": fraiseql.Setting("tenant_id", False)})
)


def nobody(request: ClientRequest) -> None:
    """Lets nobody in."""


class Played:
    def __init__(self, context: Callable[[ClientRequest], Any] | None = nobody) -> None:
        self.observations: list[Observation] = []
        self.endpoint = Endpoint(pipeline=Pipeline(SCHEMA), observe=self.observations.append, context=context)
        self.session = HttpSession(self.endpoint, "c1", "203.0.113.5")
        self.now = 100.0

    def handle(self, event: SessionEvent) -> list[Command]:
        return self.session.handle(event, self.now, DATE)

    def ask(self, *headers: bytes, query: bytes = b"{ users { id } }", extensions: Any = None) -> list[Command]:
        body = b'{"query":"%s","extensions":%s}' % (query, orjson.dumps(extensions))
        lines = [b"POST /graphql HTTP/1.1", b"Host: x", b"Content-Type: application/json", *headers]
        head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)])
        return self.handle(DataReceived(head + b"\r\n\r\n" + body))


def started(commands: list[Command]) -> Any:
    (command,) = commands
    assert isinstance(command, StartOperation)
    return command.program


def answered(commands: list[Command]) -> tuple[int, bytes, Any]:
    """Status, head and body."""
    data = b"".join(command.data for command in commands if isinstance(command, SendData))
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), orjson.loads(body)


def test_without_a_context_function_the_operation_is_the_first_thing() -> None:
    assert isinstance(started(Played(None).ask()).send(None), Fetch)


def test_the_context_function_is_asked_once_for_each_request() -> None:
    played = Played()
    for number in (1, 3):
        effect = started(played.ask(b"X-Number: %d" % number)).send(None)
        assert isinstance(effect, Call)
        assert effect.function is nobody
        (request,) = effect.arguments
        assert (request.transport, request.method, request.path) == ("http", "POST", "/graphql")
        assert (request.header("x-number"), request.address) == (str(number), "203.0.113.5")
        program = started(played.handle(OperationEnded(number, Caller("u", f"t{number}"))))
        fetch = program.send(None)
        assert isinstance(fetch, Fetch)
        assert fetch.settings == ((b"app.tenant", b"t%d" % number),)
        with pytest.raises(StopIteration) as stop:
            program.send((b"[]",))
        assert answered(played.handle(OperationEnded(number + 1, stop.value.value)))[0] == 200


@pytest.mark.parametrize(
    ("error", "status", "message", "code"),
    [
        (RequestError("No.", code="FORBIDDEN"), 403, "No.", "FORBIDDEN"),
        (RequestError("Pay first.", code="UNPAID"), 403, "Pay first.", "UNPAID"),
        (RequestError("Who?", code="UNAUTHENTICATED"), 401, "Who?", "UNAUTHENTICATED"),
        (ValueError("a secret"), 500, "Internal server error.", "INTERNAL_SERVER_ERROR"),
    ],
)
def test_who_is_not_let_in(error: Exception, status: int, message: str, code: str) -> None:
    played = Played()
    played.ask()
    found, head, body = answered(played.handle(OperationFailed(1, error)))
    assert (found, body) == (status, {"errors": [{"message": message, "extensions": {"code": code}}]})
    assert (b"www-authenticate: bearer" in head) is (status == 401)  # RFC 9110 §15.5.2
    masked = [seen.error for seen in played.observations if isinstance(seen, InternalErrorMasked)]
    assert masked == ([error] if status == 500 else [])
    assert started(played.ask()) is not None, "the connection goes on"


@pytest.mark.parametrize("result", [None, False])
def test_none_is_a_refusal(result: Any) -> None:
    program = started(Played().ask())
    program.send(None)
    with pytest.raises(RequestError, match="Forbidden"):
        program.send(result)


@pytest.mark.parametrize("result", [True, "ada", {"user_id": "ada"}])
def test_another_result_is_a_mistake_of_the_function(result: Any) -> None:
    program = started(Played().ask())
    program.send(None)
    with pytest.raises(TypeError, match=r"expected a fraiseql\.Caller"):
        program.send(result)


def test_who_takes_too_long_to_be_let_in() -> None:
    played = Played()
    played.ask()
    played.now = played.session.deadline or 0.0
    cancel, *rest = played.handle(DeadlineReached())
    assert cancel == CancelOperation(1)
    status, _, body = answered(rest)
    assert (status, body["errors"][0]["extensions"]["code"]) == (504, "REQUEST_TIMEOUT")
    assert played.handle(OperationEnded(1, Caller())) == [], "too late"


def test_the_time_of_a_request_holds_for_both() -> None:
    played = Played()
    played.ask()
    deadline = played.session.deadline
    played.now += 1.0
    played.handle(OperationEnded(1, Caller()))
    assert played.session.deadline == deadline


def test_a_client_that_leaves_is_not_let_in_any_more() -> None:
    played = Played()
    played.ask()
    assert played.handle(EofReceived()) == [CancelOperation(1), CloseConnection()]


def test_a_server_that_stops_lets_in_who_has_asked() -> None:
    played = Played()
    played.ask()
    assert played.handle(DrainRequested()) == []
    assert isinstance(started(played.handle(OperationEnded(1, ANONYMOUS))).send(None), Fetch)


# Idempotency keys, and methods


class Seen:
    """Takes note of the requests that a pipeline is given."""

    def __init__(self, played: Played) -> None:
        self.requests: list[GraphQLRequest] = []
        self.limits = played.endpoint.pipeline.limits
        played.endpoint.pipeline = self  # type: ignore[assignment]

    def execute(self, request: GraphQLRequest, request_id: str, caller: Caller) -> Any:
        self.requests.append(request)
        return iter(())


@pytest.mark.parametrize("key", [b"a", b'"8e03978e-40d5-43dd-bc93-6894a57f9324"', b"x" * 255, b"!~"])
def test_an_idempotency_key_is_read(key: bytes) -> None:
    played = Played(None)
    seen = Seen(played)
    played.ask(b"Idempotency-Key: " + key)
    assert [request.idempotency_key for request in seen.requests] == [key.decode()]


@pytest.mark.parametrize("key", [b"", b"x" * 256, b"a b", b"\xe9", b"a\tb"])
def test_an_idempotency_key_that_is_none(key: bytes) -> None:
    status, _, body = answered(Played(None).ask(b"Idempotency-Key: " + key))
    assert (status, body["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("headers", "key", "read"),
    [((), "a", "a"), ((), None, None), ((b"Idempotency-Key: a",), None, "a"), ((b"Idempotency-Key: a",), "a", "a")],
)
def test_an_idempotency_key_may_be_an_extension(headers: tuple[bytes, ...], key: Any, read: str | None) -> None:
    played = Played(None)
    seen = Seen(played)
    played.ask(*headers, extensions={"idempotencyKey": key})
    assert [request.idempotency_key for request in seen.requests] == [read]


@pytest.mark.parametrize(
    ("headers", "key"), [((), 5), ((), ""), ((b"Idempotency-Key: a",), "b"), ((b"Idempotency-Key: a",), 5)]
)
def test_an_extension_that_is_no_idempotency_key(headers: tuple[bytes, ...], key: Any) -> None:
    status, _, body = answered(Played(None).ask(*headers, extensions={"idempotencyKey": key}))
    assert (status, body["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


def test_two_keys_are_none() -> None:
    status, _, _ = answered(Played(None).ask(b"Idempotency-Key: a", b"Idempotency-Key: b"))
    assert status == 400


@pytest.mark.parametrize(("method", "read_only"), [(b"POST", False), (b"GET", True)])
def test_a_get_may_only_read(method: bytes, read_only: bool) -> None:
    played = Played(None)
    seen = Seen(played)
    if method == b"POST":
        played.ask()
    else:
        head = b"GET /graphql?query=%7Ba%7D HTTP/1.1\r\nHost: x\r\ngraphql-require-preflight: 1\r\n\r\n"
        played.handle(DataReceived(head))
    assert [request.read_only for request in seen.requests] == [read_only]

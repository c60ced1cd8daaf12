"""Answers that are compressed, or known to their client already: the session's playbook."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

import fraiseql
from fraiseql.effects import Compute
from fraiseql.limits import QueryLimits
from fraiseql.observations import InternalErrorMasked, Observation, RequestCompleted
from fraiseql.pipeline import Pipeline
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
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)
from fraiseql.session.coding import Coding, Compression

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
TIMEOUT = QueryLimits().request_timeout
LARGE = b'[{"id":"' + b"1" * 2_000 + b'"}]'  # a row's JSON
HUGE = b'[{"id":"' + b"1" * 200_000 + b'"}]'
SMALL = b'[{"id":"1"}]'
TARGET = b"/graphql?query=%7Busers%7Bid%7D%7D"
KINDS = {SendData: "send", StartOperation: "start", CancelOperation: "cancel", CloseConnection: "close"}


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: fraiseql.ID


@fraiseql.query
def users() -> list[User]: ...


@fraiseql.mutation
def touch() -> int:
    return 1


SCHEMA = fraiseql.Schema(queries=[users], mutations=[touch])


class Played:
    """A session with a client, and what it asks its runtime for."""

    def __init__(self, *, etags: bool = True, codings: int = 1) -> None:
        self.observations: list[Observation] = []
        compression = Compression([Coding(b"gzip", gzip.compress)][:codings], 1_000)
        endpoint = Endpoint(
            pipeline=Pipeline(SCHEMA), observe=self.observations.append, compression=compression, etags=etags
        )
        self.session = HttpSession(endpoint, "c1")
        self.now = 100.0
        self.started: list[StartOperation] = []
        self.handle(ConnectionMade())

    def handle(self, event: SessionEvent) -> str:
        """Commands in a word; what was sent is kept."""
        commands: list[Command] = self.session.handle(event, self.now, DATE)
        self.started += [command for command in commands if isinstance(command, StartOperation)]
        self.sent = b"".join(command.data for command in commands if isinstance(command, SendData))
        return " ".join(KINDS[type(command)] for command in commands)

    def ask(self, *fields: bytes, method: bytes = b"POST", target: bytes = b"/graphql", times: int = 1) -> str:
        body = b'{"query":"{ users { id } }"}' if method == b"POST" else b""
        fields = (b"Host: x", b"Content-Type: application/json", b"Content-Length: %d" % len(body), *fields)
        head = b"\r\n".join([b"%b %b HTTP/1.1" % (method, target), *fields])
        return self.handle(DataReceived((head + b"\r\n\r\n" + body) * times))

    def get(self, *fields: bytes, method: bytes = b"GET") -> str:
        return self.ask(*fields, method=method, target=TARGET)

    def fetch(self, row: bytes) -> str:
        """The GraphQL operation that was started last ends with this row."""
        operation_id, program = self.started[-1].operation_id, self.started[-1].program
        program.send(None)
        return self.handle(OperationEnded(operation_id, result_of(program, (row,))))

    def compute(self) -> str:
        """The program that was started last has its functions called."""
        operation_id, program = self.started[-1].operation_id, self.started[-1].program
        effect: Any = program.send(None)
        try:
            while True:
                assert isinstance(effect, Compute)
                effect = program.send(effect.function(*effect.arguments))
        except StopIteration as stop:
            return self.handle(OperationEnded(operation_id, stop.value))

    @property
    def status(self) -> int:
        return int(self.sent.split(b" ", 2)[1])

    @property
    def fields(self) -> dict[bytes, bytes]:
        lines = self.sent.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        return dict(line.split(b": ", 1) for line in lines)

    @property
    def body(self) -> bytes:
        return self.sent.partition(b"\r\n\r\n")[2]


def result_of(program: Any, sent: Any) -> Any:
    with pytest.raises(StopIteration) as stop:
        program.send(sent)
    return stop.value.value


# Compression


def test_a_large_answer_is_compressed_by_a_program_of_its_own() -> None:
    played = Played()
    assert played.ask(b"Accept-Encoding: gzip") == "start"
    assert played.fetch(LARGE) == "start"
    assert played.compute() == "send"
    assert played.status == 200
    assert played.fields[b"content-encoding"] == b"gzip"
    assert played.fields[b"vary"] == b"accept, accept-encoding"
    assert played.fields[b"content-length"] == b"%d" % len(played.body)
    assert gzip.decompress(played.body) == b'{"data":{"users":' + LARGE + b"}}"
    assert [type(seen) for seen in played.observations] == [RequestCompleted]


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        (SMALL, [b"Accept-Encoding: gzip"]),
        (LARGE, []),
        (LARGE, [b"Accept-Encoding: br"]),
        (LARGE, [b"Accept-Encoding: gzip;q=0"]),
    ],
)
def test_other_answers_go_out_as_they_are(row: bytes, fields: list[bytes]) -> None:
    played = Played()
    played.ask(*fields)
    assert played.fetch(row) == "send"
    assert played.body == b'{"data":{"users":' + row + b"}}"
    assert set(played.fields) == {b"content-type", b"content-length", b"date"}


def test_what_one_request_accepts_is_not_held_of_the_next() -> None:
    played = Played()
    played.ask(b"Accept-Encoding: gzip")
    played.fetch(LARGE)
    played.compute()
    played.ask()
    assert played.fetch(LARGE) == "send"
    assert b"content-encoding" not in played.fields


@pytest.mark.parametrize("codings", [0, 1])
def test_a_client_that_accepts_no_coding_there_is_is_refused_before_anything_runs(codings: int) -> None:
    played = Played(codings=codings)
    assert played.ask(b"Accept-Encoding: br, *;q=0") == "send"
    assert played.status == 406
    assert b'"NOT_ACCEPTABLE"' in played.body


def test_a_small_answer_is_compressed_for_a_client_that_takes_it_no_other_way() -> None:
    played = Played()
    played.ask(b"Accept-Encoding: gzip, identity;q=0")
    assert played.fetch(SMALL) == "start"
    assert played.compute() == "send"
    assert gzip.decompress(played.body) == b'{"data":{"users":' + SMALL + b"}}"


def test_errors_are_compressed_too() -> None:
    played = Played()
    body = b'{"query":"{ nothing }", "extensions":{}}'
    fields = b"Host: x\r\nContent-Type: application/json\r\nAccept-Encoding: gzip, identity;q=0\r\nContent-Length: %d"
    played.handle(DataReceived(b"POST /graphql HTTP/1.1\r\n" + fields % len(body) + b"\r\n\r\n" + body))
    played.handle(OperationEnded(1, result_of(played.started[-1].program, None)))
    assert played.compute() == "send"
    assert b"GRAPHQL_VALIDATION_FAILED" in gzip.decompress(played.body)


def test_pipelined_answers_keep_their_order() -> None:
    played = Played()
    assert played.ask(b"Accept-Encoding: gzip", times=2) == "start"
    assert played.fetch(LARGE) == "start"
    assert played.compute() == "send start"
    assert played.body.startswith(b"\x1f\x8b")
    assert played.fetch(SMALL) == "send"
    assert len(played.started) == 3


def test_a_client_that_leaves_cancels_its_compression() -> None:
    played = Played()
    played.ask(b"Accept-Encoding: gzip")
    played.fetch(LARGE)
    assert played.handle(EofReceived()) == "cancel close"


def test_the_time_limit_of_the_request_holds_and_the_answer_goes_out_as_it_is() -> None:
    played = Played()
    played.ask(b"Accept-Encoding: gzip")
    played.now += TIMEOUT / 2
    played.fetch(LARGE)
    assert played.session.deadline == 100.0 + TIMEOUT
    played.now = 100.0 + TIMEOUT
    assert played.handle(DeadlineReached()) == "cancel send"
    assert played.status == 200
    assert played.body == b'{"data":{"users":' + LARGE + b"}}"
    assert b"content-encoding" not in played.fields
    played.ask()
    assert played.fetch(SMALL) == "send"  # the connection goes on


def test_the_time_limit_holds_for_a_client_that_does_not_read() -> None:
    played = Played()
    played.ask()
    played.handle(SendingPaused())
    assert played.session.deadline == 100.0 + TIMEOUT
    played.now = 100.0 + TIMEOUT
    assert played.handle(DeadlineReached()) == "cancel send"
    assert b'"REQUEST_TIMEOUT"' in played.body
    assert played.session.deadline is None
    played.handle(SendingResumed())
    assert played.session.deadline is not None


def test_a_compressor_that_fails_costs_the_coding_and_not_the_answer() -> None:
    played = Played()
    played.ask(b"Accept-Encoding: gzip")
    played.fetch(LARGE)
    assert played.handle(OperationFailed(played.started[-1].operation_id, MemoryError())) == "send"
    assert played.body == b'{"data":{"users":' + LARGE + b"}}"
    assert [type(seen) for seen in played.observations] == [InternalErrorMasked, RequestCompleted]


def test_a_stopping_server_compresses_its_last_answer() -> None:
    played = Played()
    played.ask(b"Accept-Encoding: gzip")
    played.fetch(LARGE)
    assert played.handle(DrainRequested()) == ""
    assert played.compute() == "send close"
    assert played.fields[b"connection"] == b"close"


# Validators


def test_an_answer_to_get_has_a_tag_by_which_it_is_known_again() -> None:
    played = Played()
    played.get()
    assert played.fetch(SMALL) == "send"
    tag = played.fields[b"etag"]
    assert played.fields[b"cache-control"] == b"private, no-cache"
    assert played.fields[b"vary"] == b"accept, accept-encoding"
    played.get(b"If-None-Match: " + tag)
    assert played.fetch(SMALL) == "send"
    assert played.status == 304
    assert played.body == b""
    # RFC 9110 §15.4.5
    assert played.fields == {
        b"date": DATE,
        b"etag": tag,
        b"cache-control": b"private, no-cache",
        b"vary": b"accept, accept-encoding",
    }
    played.get(b"If-None-Match: " + tag)
    assert played.fetch(b"[]") == "send"
    assert played.status == 200
    assert played.fields[b"etag"] != tag
    assert [seen.status for seen in played.observations if isinstance(seen, RequestCompleted)] == [200, 304, 200]


def test_one_tag_stands_for_all_codings_and_304_needs_none() -> None:
    played = Played()
    played.get(b"Accept-Encoding: gzip")
    played.fetch(LARGE)
    assert played.compute() == "send"
    tag = played.fields[b"etag"]
    assert (tag[:3], played.fields[b"content-encoding"]) == (b'W/"', b"gzip")
    assert played.fields[b"vary"] == b"accept, accept-encoding"
    for accepted in (b"gzip", b"identity"):
        played.get(b"Accept-Encoding: " + accepted, b"If-None-Match: " + tag)
        assert played.fetch(LARGE) == "send"
        assert played.status == 304
        assert b"content-encoding" not in played.fields


def test_the_tag_of_a_huge_answer_is_made_elsewhere() -> None:
    played = Played()
    played.get(b"Accept-Encoding: gzip")
    assert played.fetch(HUGE) == "start"
    assert played.compute() == "send"
    tag = played.fields[b"etag"]
    for field in (b"Accept-Encoding: gzip", b"Accept-Encoding: identity"):
        played.get(field, b"If-None-Match: " + tag)
        assert played.fetch(HUGE) == "start"
        assert played.compute() == "send"
        assert played.status == 304


def test_each_media_type_has_its_own_tag() -> None:
    played, tags = Played(), set()
    for accepted in (b"application/json", b"application/graphql-response+json"):
        played.get(b"Accept: " + accepted)
        played.fetch(SMALL)
        tags.add(played.fields[b"etag"])
    assert len(tags) == 2


def test_head_is_answered_as_get_without_the_body() -> None:
    played = Played()
    for fields in ((), (b"Accept-Encoding: gzip",)):
        seen = []
        for method in (b"GET", b"HEAD"):
            played.get(*fields, method=method)
            if played.fetch(LARGE) == "start":
                played.compute()
            seen.append(played.fields)
            assert bool(played.body) is (method == b"GET")
        assert seen[0] == seen[1]
        assert int(seen[0][b"content-length"]) > 0


def test_a_mutation_by_head_is_refused() -> None:
    played = Played()
    played.ask(method=b"HEAD", target=b"/graphql?query=mutation%7Btouch%7D")
    played.handle(OperationEnded(1, result_of(played.started[-1].program, None)))
    assert (played.status, played.fields[b"allow"]) == (405, b"POST")


def test_events_by_head_are_refused() -> None:
    played = Played()
    assert played.get(b"Accept: text/event-stream", method=b"HEAD") == "send"
    assert (played.status, played.fields[b"allow"]) == (405, b"GET, POST")


@pytest.mark.parametrize(
    "query", [b"%7Bnothing%7D", b"mutation%7Btouch%7D", b"%7B", b""], ids=["invalid", "mutation", "syntax", "none"]
)
def test_what_is_no_answer_to_a_query_has_no_tag(query: bytes) -> None:
    played = Played()
    played.ask(b"If-None-Match: *", method=b"GET", target=b"/graphql?query=" + query)
    if played.started:
        played.handle(OperationEnded(1, result_of(played.started[-1].program, None)))
    assert played.status != 304
    assert b"etag" not in played.fields


def test_post_has_no_tag_and_no_condition() -> None:
    played = Played()
    played.ask(b"If-None-Match: *")
    played.fetch(SMALL)
    assert played.status == 200
    assert b"etag" not in played.fields


def test_without_tags_answers_to_get_may_not_be_shared_all_the_same() -> None:
    played = Played(etags=False)
    played.get(b"If-None-Match: *")
    assert played.fetch(SMALL) == "send"
    assert played.status == 200
    assert b"etag" not in played.fields
    assert played.fields[b"cache-control"] == b"private, no-cache"

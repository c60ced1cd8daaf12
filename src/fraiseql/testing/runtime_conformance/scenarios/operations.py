"""Operations and their SQL: errors, cancellation, transactions, and clients that leave or do not read."""

from __future__ import annotations

from typing import Any

from fraiseql.observations import ConnectionLost, InternalErrorMasked, RequestRefused
from fraiseql.runtimes.codings import installed_codings
from fraiseql.testing.runtime_conformance.example import ASYNCHRONOUS
from fraiseql.testing.runtime_conformance.exchanges import answer, failure, post
from fraiseql.testing.runtime_conformance.scenario import ASYNCHRONOUS_RESOLVERS, Scenario
from fraiseql.testing.runtime_conformance.steps import (
    Advance,
    Connect,
    Due,
    Expect,
    ExpectCut,
    ExpectEnd,
    Flood,
    HalfClose,
    Kill,
    Lock,
    Observe,
    Release,
    Reset,
    Rows,
    Send,
    Step,
    Waiting,
)

__all__ = ["OPERATIONS"]

_ASKED = post("{ note(id: 1) { body } }")
_ANSWERED = answer(200, b'{"data":{"note":{"body":"one"}}}')
_LARGE = b'{"data":{"large":{"body":"' + b"x" * 1_000_000 + b'"}}}'
_RECORD = post('mutation { record(token: "a") }')
_WRITE = post('mutation { write(token: "a") }')
_UNWRITTEN = Rows("select (select count(*) from entry), value from tally", ((0, 0),))
_WRITTEN = Rows("select (select count(*) from entry), value from tally", ((1, 1),))
_INTERNAL = ("Internal server error.", "INTERNAL_SERVER_ERROR")
_TIMED_OUT = failure("The request took longer than the server allows.", "REQUEST_TIMEOUT", None)
_TOO_BUSY = "The server is too busy: no database connection became free in time."
_ONE_CONNECTION = (("pool_max_size", 1),)
_gzip = installed_codings()["gzip"].encode


def _scenario(name: str, *steps: Step, **options: Any) -> Scenario:
    return Scenario(name=name, steps=(Connect(), *steps), **options)


OPERATIONS = (
    _scenario(
        "an error of the database",
        Send(post("{ broken { value } }")),
        Expect(failure(*_INTERNAL, b"null", "broken")),
        Observe(InternalErrorMasked),
    ),
    _scenario(
        "a mistake in Python",
        Send(post("{ blunder }")),
        Expect(failure(*_INTERNAL, b"null", "blunder")),
        Observe(InternalErrorMasked),
    ),
    _scenario(
        "a query that takes too long is cancelled with its SQL",
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Advance(30),
        Expect(_TIMED_OUT),
        Waiting(0),
        Release(),
        Send(_ASKED),
        Expect(_ANSWERED),
    ),
    _scenario(
        "a client that leaves while its query runs has it cancelled, and its connection to the database goes on",
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Reset(),
        Waiting(0),
        Release(),
        Connect("second"),
        Send(_ASKED, "second"),
        Expect(_ANSWERED, "second"),
        settings=_ONE_CONNECTION,
    ),
    _scenario(
        "a client that closes its side while its query runs has left",
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        HalfClose(),
        Waiting(0),
        ExpectEnd(),
        Release(),
    ),
    _scenario(
        "a client waits for another one's query no longer than it must",
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Connect("second"),
        Send(post("{ entries { id } }"), "second"),
        Expect(answer(200, b'{"data":{"entries":[]}}'), "second"),
        Release(),
        Expect(_ANSWERED),
    ),
    _scenario(
        "what is pipelined behind a query that waits is answered behind it",
        Lock("note"),
        Send(_ASKED + post("{ entries { id } }")),
        Waiting(1),
        Release(),
        Expect(_ANSWERED + answer(200, b'{"data":{"entries":[]}}')),
    ),
    _scenario(
        "a server reads no more of a client that pipelines far more than is kept",
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Flood(_ASKED),
        Reset(),
        Release(),
    ),
    _scenario(
        "a backend that dies under a statement",
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Kill(),
        Expect(failure("The database is not available.", "DATABASE_UNAVAILABLE", None)),
        Observe(ConnectionLost),
        Observe(InternalErrorMasked),
        Release(),
        Advance(0.1),
        Send(_ASKED),
        Expect(_ANSWERED),
    ),
    _scenario(
        "who waits too long for a connection to the database is told so",
        Advance(20),
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Connect("second"),
        Send(post("{ entries { id } }"), "second"),
        Due(8),
        Advance(8),
        Expect(failure(_TOO_BUSY, "DATABASE_UNAVAILABLE", None), "second"),
        Observe(InternalErrorMasked),
        Release(),
        Expect(_ANSWERED),
        settings=_ONE_CONNECTION,
    ),
    _scenario(
        "a large answer",
        Send(post("{ large(id: 1000000) { body } }")),
        Expect(answer(200, _LARGE)),
    ),
    _scenario(
        "a large answer is compressed for who takes that",
        Send(post("{ large(id: 1000000) { body } }", b"accept-encoding: gzip")),
        Expect(answer(200, _gzip(_LARGE), b"content-encoding: gzip", b"vary: accept, accept-encoding")),
        Send(post("{ note(id: 1) { body } }", b"accept-encoding: gzip")),
        Expect(_ANSWERED),
        settings=(("compression", "gzip"),),
    ),
    _scenario(
        "a client that does not read is cut off, and others are served meanwhile",
        Connect("deaf", 4_096),
        Send(post("{ large(id: 8000000) { body } }"), "deaf"),
        Due(9),
        Advance(8),
        Send(_ASKED),
        Expect(_ANSWERED),
        Advance(1),
        Observe(RequestRefused, {"status": 408}),
        ExpectCut("deaf"),
    ),
    _scenario("a mutation is committed", Send(_RECORD), Expect(answer(200, b'{"data":{"record":1}}')), _WRITTEN),
    _scenario(
        "a mutation in Python is committed", Send(_WRITE), Expect(answer(200, b'{"data":{"write":1}}')), _WRITTEN
    ),
    _scenario(
        "a mutation that fails is rolled back",
        Send(post('mutation { record(token: "refused") }')),
        Expect(failure(*_INTERNAL, b'{"record":null}', "record")),
        _UNWRITTEN,
        Observe(InternalErrorMasked),
    ),
    _scenario(
        "a mutation of a client that leaves is rolled back",
        Lock("tally"),
        Send(_RECORD),
        Waiting(1),
        Reset(),
        Waiting(0),
        Release(),
        _UNWRITTEN,
    ),
    _scenario(
        "a mutation in Python of a client that leaves is rolled back",
        Lock("tally"),
        Send(_WRITE),
        Waiting(1),
        Reset(),
        Waiting(0),
        Release(),
        _UNWRITTEN,
    ),
    _scenario(
        "an asynchronous function in Python",
        Send(post('{ farewell(name: "Ada") }')),
        Expect(answer(200, b'{"data":{"farewell":"Good bye, Ada!"}}')),
        schema=ASYNCHRONOUS,
        needs=frozenset({ASYNCHRONOUS_RESOLVERS}),
    ),
    _scenario(
        "an asynchronous function that takes too long",
        Lock("note"),
        Send(post("{ patience }")),
        Waiting(1),
        Advance(30),
        Expect(_TIMED_OUT),
        Waiting(0),
        Release(),
        Send(_ASKED),
        Expect(_ANSWERED),
        schema=ASYNCHRONOUS,
        needs=frozenset({ASYNCHRONOUS_RESOLVERS}),
    ),
)

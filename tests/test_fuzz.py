"""The invariants that fuzzing holds the parsers to: the kept inputs keep them, and a broken one is noticed."""

from __future__ import annotations

from importlib import import_module

import pytest
from fuzz import http11_client, http11_server
from fuzz.corpus import ROOT, TARGETS, cases, load
from fuzz.http11_watch import cut

from fraiseql.protocol import http11
from fraiseql.protocol.http11.connection import Connection
from fraiseql.protocol.http11.events import Data, Request
from fraiseql.protocol.http11.head_reading import HeadReader


@pytest.mark.parametrize("target", TARGETS)
def test_kept_inputs(target):
    check = import_module(f"fuzz.{target}").check
    for data in load(target):
        check(data)


@pytest.mark.parametrize("target", TARGETS)
def test_every_case_of_the_tests_is_kept(target):
    missing = set(cases(target)) - set(load(target))
    assert not missing, "`python -m fuzz.corpus` keeps them"


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in (ROOT / "fuzz" / "corpus").iterdir()) < 200_000


@pytest.mark.parametrize("seed", [0, 1, 2, 77, 255])
def test_cuts_leave_nothing_out(seed):
    raw = bytes(range(256)) * 2
    assert b"".join(cut(raw, seed)) == raw
    assert len(cut(raw, seed)) > 1


# Faults, each with an input that shows it

POST = b"POST /ab HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def _another_error(monkeypatch):
    monkeypatch.setattr(HeadReader, "read", lambda self, buffer: {}["no such key"])


def _verdict_by_cut(monkeypatch):
    receive = Connection.receive_data
    monkeypatch.setattr(Connection, "receive_data", lambda self, data: receive(self, data[:30]))


def _outside_the_table(monkeypatch):
    receive = Connection.receive_data

    def wrong(self, data):
        receive(self, data)
        if self.their_state is http11.State.SEND_BODY:
            self.their_state = http11.State.IDLE
            self._buffer.clear()

    monkeypatch.setattr(Connection, "receive_data", wrong)


def _two_moves_at_once(monkeypatch):
    """Their side ends its message with its head: one state is left out, and none is outside the table."""
    for kind in (http11.ServerConnection, http11.ClientConnection):
        monkeypatch.setattr(kind, "next_event", _leaving_out(kind.next_event))


def _leaving_out(read):
    def wrong(self):
        event = read(self)
        if isinstance(event, http11.Request | http11.Response):
            self.their_state = http11.State.DONE
            self._buffer.clear()
        return event

    return wrong


def _nobody_reads(monkeypatch):
    monkeypatch.setattr(Connection, "wants_data", property(lambda self: self.their_state is http11.State.DONE))


def _empty_pieces(monkeypatch):
    read = Connection._read_body
    pending = []

    def wrong(self):
        if not pending:
            pending.append(True)
            return Data(b"")
        return read(self)

    monkeypatch.setattr(Connection, "_read_body", wrong)


def _shared(server_input, client_input):
    return [(http11_server, server_input), (http11_client, client_input)]


FAULTS = [
    (_another_error, KeyError, _shared(POST, OK)),
    (_verdict_by_cut, AssertionError, _shared(POST, OK)),
    (_outside_the_table, AssertionError, _shared(POST, OK)),
    (_two_moves_at_once, AssertionError, _shared(POST, OK)),
    (_nobody_reads, AssertionError, _shared(POST[:20], OK[:20])),
    (_empty_pieces, AssertionError, _shared(POST, OK)),
]


@pytest.mark.parametrize(
    ("plant", "error", "module", "raw"),
    [(plant, error, module, raw) for plant, error, inputs in FAULTS for module, raw in inputs],
)
def test_a_planted_fault_is_found(plant, error, module, raw, monkeypatch):
    data = b"\0\3" + raw
    module.check(data)
    plant(monkeypatch)
    with pytest.raises(error):
        module.check(data)


def test_a_request_that_reads_back_as_another_is_found(monkeypatch):
    http11_server.check(b"\0\0" + POST)
    init = Request.__init__

    def wrong(self, method, target, headers, http_version=b"1.1"):
        init(self, method, target[:-1] or b"/", headers, http_version)

    monkeypatch.setattr(Request, "__init__", wrong)
    with pytest.raises(AssertionError, match="from b'POST"):
        http11_server.check(b"\0\0" + POST)


def test_a_bound_that_does_not_hold_is_found(monkeypatch):
    """The connection gets other limits than those that it is held to."""
    small = bytes([http11_server.SMALL_LIMITS, 0])
    raw = b"GET /" + b"a" * 60 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    http11_server.check(small + raw)
    make = http11.ServerConnection.__init__
    monkeypatch.setattr(http11.ServerConnection, "__init__", lambda self, limits: make(self))
    with pytest.raises(AssertionError, match="target is bounded"):
        http11_server.check(small + raw)


def test_an_answer_that_reads_back_as_another_is_found(monkeypatch):
    http11_server.check(b"\0\0" + POST)
    send = http11.ServerConnection.send_response
    monkeypatch.setattr(
        http11.ServerConnection, "send_response", lambda self, *answer: send(self, *answer).replace(b"/ab", b"/ac")
    )
    with pytest.raises(AssertionError, match="another body"):
        http11_server.check(b"\0\0" + POST)

"""The invariants that fuzzing holds the machine to: a broken one is noticed."""

from __future__ import annotations

import pytest
from fuzz import websocket_client, websocket_server
from fuzz.websocket_watch import DEFLATE, EOF, SMALL_LIMITS

from fraiseql.protocol import websocket
from fraiseql.protocol.websocket.connection import Connection
from fraiseql.protocol.websocket.events import NEED_DATA, Text
from fraiseql.protocol.websocket.messages import TextAssembly
from fraiseql.protocol.websocket.state import State
from protocol.websocket.driving import F, deflated, wire

CHECKS = {"server": websocket_server.check, "client": websocket_client.check}
MESSAGES = [F(0x01, b"Hel"), F(0x89, b"p"), F(0x80, b"lo"), F(0x88, b"\x03\xe8ok")]


def _another_error(monkeypatch):
    monkeypatch.setattr(Connection, "_begin_frame", lambda self: {}["no such key"])


def _verdict_by_cut(monkeypatch):
    receive = Connection.receive_data
    monkeypatch.setattr(Connection, "receive_data", lambda self, data: receive(self, data[:10]))


def _outside_the_table(monkeypatch):
    read = Connection._read_control

    def wrong(self, kind):
        event = read(self, kind)
        if self.their_state is State.CLOSING:
            self.their_state = State.OPEN
        return event

    monkeypatch.setattr(Connection, "_read_control", wrong)


def _ours_stays_open(monkeypatch):
    end = Connection._end

    def wrong(self, their_state, what):
        end(self, their_state, what)
        self.our_state = State.OPEN

    monkeypatch.setattr(Connection, "_end", wrong)


def _nobody_reads(monkeypatch):
    monkeypatch.setattr(Connection, "wants_data", False)


def _text_is_changed(monkeypatch):
    monkeypatch.setattr(TextAssembly, "end", lambda self: Text(self._text.getvalue() + "\ud800"))


def _without_bound(monkeypatch):
    monkeypatch.setattr(Connection, "buffered", 1 << 30)


FAULTS = [
    (_another_error, KeyError),
    (_verdict_by_cut, AssertionError),
    (_outside_the_table, AssertionError),
    (_ours_stays_open, AssertionError),
    (_nobody_reads, AssertionError),
    (_text_is_changed, websocket.LocalProtocolError),
    (_without_bound, AssertionError),
]


@pytest.mark.parametrize("role", CHECKS)
@pytest.mark.parametrize(("plant", "error"), FAULTS)
def test_a_planted_fault_is_found(plant, error, role, monkeypatch):
    data = bytes([0, 3]) + wire(MESSAGES, role)
    CHECKS[role](data)
    plant(monkeypatch)
    with pytest.raises(error):
        CHECKS[role](data)


@pytest.mark.parametrize("role", CHECKS)
@pytest.mark.parametrize("flags", [DEFLATE, DEFLATE | EOF, DEFLATE | EOF | SMALL_LIMITS])
def test_what_a_fuzzer_seldom_finds(role, flags):
    frames = [F(0xC1, deflated(b"a" * 20)), F(0x41, deflated(b"b" * 4)), F(0x89), F(0x80, b"\0\0\xff\xff\x03\x00")]
    CHECKS[role](bytes([flags, 5]) + wire(frames, role))


def test_more_than_a_message_that_nobody_takes_is_found(monkeypatch):
    monkeypatch.setattr(Connection, "next_event", lambda self: NEED_DATA)
    with pytest.raises(AssertionError):
        websocket_server.check(bytes([0, 0]) + b"a" * (1 << 21))

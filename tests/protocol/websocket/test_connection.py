"""What a connection does besides giving a verdict: answers, closes, bounds what it holds, and refuses its caller."""

from __future__ import annotations

import math

import pytest

from fraiseql.limits import WebSocketLimits
from fraiseql.protocol import websocket
from fraiseql.protocol.websocket import (
    NEED_DATA,
    NO_STATUS,
    Bytes,
    ClientConnection,
    Close,
    ConnectionClosed,
    Deflate,
    Heartbeat,
    LocalProtocolError,
    Ping,
    Pong,
    ServerConnection,
    State,
    Text,
)
from fraiseql.protocol.websocket.masking import mask
from fraiseql.protocol.websocket.state import OURS, Input, move
from protocol.websocket.driving import KEY, ROLES, F, connect, drain, read, wire

EVENTS = {
    Input.MESSAGE: Text("a"),
    Input.PING: Ping(b"a"),
    Input.PONG: Pong(b"a"),
    Input.CLOSE: Close(1000),
}


def in_state(role: str, state: State):
    conn = connect(role)
    if state is State.MUST_CLOSE:
        read(conn, [wire([F(0x88)], role)])
    elif state is State.CLOSING:
        conn.send(Close())
    return conn


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("what", EVENTS, ids=repr)
@pytest.mark.parametrize("state", [State.OPEN, State.MUST_CLOSE, State.CLOSING])
def test_our_table_decides(role, state, what):
    conn = in_state(role, state)
    assert conn.our_state is state
    after = OURS.get((state, what))
    if after is None:
        with pytest.raises(LocalProtocolError, match=f"{what.value} is not possible in state {state.name}"):
            conn.send(EVENTS[what])
        assert conn.our_state is state
    else:
        assert conn.send(EVENTS[what])
        assert conn.our_state is after


@pytest.mark.parametrize("deflate", [None, Deflate()], ids=["plain", "deflate"])
@pytest.mark.parametrize("state", [State.MUST_CLOSE, State.CLOSING])
def test_a_text_is_refused_in_both_ways(state, deflate):
    conn = connect("server", deflate=deflate)
    if state is State.CLOSING:
        conn.send(Close())
    else:
        read(conn, [wire([F(0x88)], "server")])
    for text in ("a", b"a"):
        with pytest.raises(LocalProtocolError):
            conn.send_text(text)
    with pytest.raises(LocalProtocolError):
        conn.send(Bytes(b"a"))


UNSENDABLE = [
    Text("\ud800"),
    Ping(b"a" * 126),
    Pong(b"a" * 126),
    Close(1005, "a"),
    Close(1006),
    Close(1015),
    Close(1004),
    Close(999),
    Close(2999),
    Close(5000),
    Close(-1),
    Close(1000, "a" * 124),
    Close(1000, "é" * 62),
    Close(1000, "\ud800"),
    ConnectionClosed(),
    "text",
]


@pytest.mark.parametrize("deflate", [None, Deflate()], ids=["plain", "deflate"])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("event", UNSENDABLE, ids=lambda event: repr(event)[:40])
def test_what_could_not_be_read_back_is_refused(role, event, deflate):
    conn = connect(role, deflate=deflate)
    with pytest.raises(LocalProtocolError):
        conn.send(event)
    assert conn.our_state is State.OPEN
    assert conn.send(Ping())


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde"])
def test_a_masking_key_has_4_bytes(key):
    conn = ClientConnection(masking_key=lambda: key)
    with pytest.raises(LocalProtocolError):
        conn.send(Close())
    assert conn.our_state is State.OPEN


def test_examples_of_the_rfc():
    """RFC 6455 §5.7."""
    server, client = connect("server"), connect("client")
    assert server.send(Text("Hello")) == b"\x81\x05Hello"
    assert client.send(Text("Hello")) == b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    assert server.send(Ping(b"Hello")) == b"\x89\x05Hello"
    assert client.send(Pong(b"Hello")) == b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    assert server.send(Bytes(b"a" * 256))[:4] == b"\x82\x7e\x01\x00"
    assert server.send(Bytes(b"a" * 65_536))[:10] == b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"
    assert client.send(Bytes(b"a" * 65_536))[:10] == b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00"
    assert server.send(Close(NO_STATUS)) == b"\x88\x00"


@pytest.mark.parametrize("deflate", [None, Deflate(min_size=1)], ids=["plain", "deflate"])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("text", ["", "a", "a" * 125, "a" * 126, "é" * 500, "a" * 65_535, "a" * 65_536])
def test_send_text_is_send(role, text, deflate):
    assert connect(role, deflate=deflate).send_text(text) == connect(role, deflate=deflate).send(Text(text))
    raw = text.encode()
    assert connect(role, deflate=deflate).send_text(raw) == connect(role, deflate=deflate).send(Text(text))


@pytest.mark.parametrize("opener", ROLES)
def test_closing_handshake(opener):
    """RFC 6455 §7.1.2 to §7.1.6, whoever begins."""
    answerer = "client" if opener == "server" else "server"
    ours, theirs = connect(opener), connect(answerer)
    theirs.receive_data(ours.send(Close(1001, "bye")))
    assert (ours.our_state, ours.their_state) == (State.CLOSING, State.OPEN)
    event = theirs.next_event()
    assert event == Close(1001, "bye")
    assert (theirs.our_state, theirs.their_state) == (State.MUST_CLOSE, State.CLOSING)
    ours.receive_data(theirs.send(event.answer()))
    assert ours.next_event() == Close(1001)
    for conn in (ours, theirs):
        assert (conn.our_state, conn.their_state) == (State.CLOSING, State.CLOSING)
        assert conn.next_event() is NEED_DATA
        assert conn.wants_data
        conn.receive_data(b"anything")
        assert conn.next_event() is NEED_DATA
        conn.receive_eof()
        assert [conn.next_event(), conn.next_event()] == [ConnectionClosed()] * 2
        assert conn.their_state is State.CLOSED
        assert not conn.wants_data


def test_both_close_at_once():
    server, client = connect("server"), connect("client")
    client.receive_data(server.send(Close(1001)))
    server.receive_data(client.send(Close(1000)))
    assert server.next_event() == Close(1000)
    assert client.next_event() == Close(1001)
    assert server.our_state is client.our_state is State.CLOSING


def test_messages_arrive_until_the_peer_closes():
    server, client = connect("server"), connect("client")
    server.send(Close())
    server.receive_data(client.send(Text("a")) + client.send(Ping(b"p")) + client.send(Close()))
    assert drain(server) == [Text("a"), Ping(b"p"), Close(1000)]


def test_the_answer_to_a_close_without_a_code_has_none():
    conn = connect("server")
    (close,) = read(conn, [wire([F(0x88)], "server")])
    assert conn.send(close.answer()) == b"\x88\x00"


def test_the_answer_to_a_ping():
    assert Ping(b"abc").answer() == Pong(b"abc")


@pytest.mark.parametrize("before", [b"", b"\x81", b"\x81\x85", b"\x81\x85abcdx", b"\x01\x81abcda", b"\x88\x82abcd\x62"])
def test_the_end_without_a_close(before):
    conn = connect("server")
    conn.receive_data(before)
    conn.receive_eof()
    assert [conn.next_event(), conn.next_event()] == [ConnectionClosed()] * 2
    assert (conn.our_state, conn.their_state) == (State.MUST_CLOSE, State.CLOSED)
    assert conn.buffered == 0
    with pytest.raises(LocalProtocolError):
        conn.receive_data(b"a")


def test_what_came_before_the_end_is_read():
    conn = connect("server")
    conn.receive_data(wire([F(0x81, b"a"), F(0x81, b"b")], "server"))
    conn.receive_eof()
    assert drain(conn) == [Text("a"), Text("b"), ConnectionClosed()]


@pytest.mark.parametrize("role", ROLES)
def test_after_a_fault(role):
    conn = connect(role)
    assert read(conn, [b"\xff\xff", wire([F(0x81, b"a")], role)]) == [1002]
    assert conn.next_event() is NEED_DATA
    with pytest.raises(LocalProtocolError):
        conn.send_text("a")
    assert conn.send(Close(1002))
    assert conn.our_state is State.CLOSING
    conn.receive_eof()
    assert conn.next_event() == ConnectionClosed()


def test_a_fault_after_our_close():
    conn = connect("server")
    conn.send(Close())
    assert read(conn, [b"\xff\xff"]) == [1002]
    assert (conn.our_state, conn.their_state) == (State.CLOSING, State.ERROR)


def test_the_reason_of_a_fault_fits_into_a_close():
    conn = connect("server")
    conn.receive_data(b"\xff\xff")
    with pytest.raises(websocket.RemoteProtocolError) as caught:
        conn.next_event()
    assert conn.send(Close(caught.value.status, str(caught.value)))
    assert caught.value.close


def test_move():
    assert move(OURS, State.OPEN, Input.CLOSE) is State.CLOSING
    assert repr((State.OPEN, Input.CLOSE, NEED_DATA)) == "(OPEN, CLOSE, NEED_DATA)"


# What is held


def test_reading_pauses_while_nobody_asks():
    conn = connect("server")
    piece = wire([F(0x81, b"x" * 1000)], "server")
    reads = 0
    while conn.wants_data:
        conn.receive_data(piece)
        reads += 1
    assert 65_536 <= conn.buffered == reads * len(piece) < 65_536 + len(piece)
    assert len(drain(conn)) == reads
    assert conn.wants_data
    assert conn.buffered == 0


@pytest.mark.parametrize("role", ROLES)
def test_need_data_means_that_data_is_wanted(role):
    """Whatever the limits: a frame that is larger than the buffer is taken as it comes."""
    conn = connect(role, WebSocketLimits(max_message=1 << 20))
    raw = wire([F(0x82, b"x" * 300_000)], role)
    for at in range(0, len(raw), 65_536):
        assert conn.wants_data
        conn.receive_data(raw[at : at + 65_536])
        event = conn.next_event()
        assert conn.buffered <= at + 65_536
    assert event == Bytes(b"x" * 300_000)


def test_buffered_counts_what_was_inflated():
    conn = connect("server", deflate=Deflate())
    sender = ClientConnection(deflate=Deflate(), masking_key=lambda: KEY)
    raw = sender.send(Text("a" * 50_000))
    read(conn, [raw[:-3]])
    assert 40_000 < conn.buffered <= 50_000
    assert read(conn, [raw[-3:]]) == [Text("a" * 50_000)]
    assert conn.buffered == 0


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_data_is_copied_where_it_may_change(kind):
    raw = bytearray(wire([F(0x81, b"abc"), F(0x81, b"def")], "server"))
    conn = connect("server")
    conn.receive_data(kind(raw[:4]))
    conn.receive_data(kind(raw[4:]))
    raw[:] = bytes(len(raw))
    assert drain(conn) == [Text("abc"), Text("def")]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 7, 60, 2047, 2048, 2049, 5000])
@pytest.mark.parametrize("key", [KEY, b"\0\0\0\0", b"\0a\0\xff"])
def test_mask(size, key):
    data = bytes([place * 7 % 256 for place in range(size)])
    assert mask(data, key) == bytes([byte ^ key[place % 4] for place, byte in enumerate(data)])
    assert mask(mask(data, key), key) == data


# Deflate


@pytest.mark.parametrize("wrong", [{"server_max_window_bits": 8}, {"client_max_window_bits": 8}, {"level": 0}])
@pytest.mark.parametrize("more", [{}, {"memory_level": 10}, {"min_size": 0}, {"server_max_window_bits": 16}])
def test_a_policy_out_of_range(wrong, more):
    with pytest.raises(LocalProtocolError):
        Deflate(**wrong)
    if more:
        with pytest.raises(LocalProtocolError):
            Deflate(**more)


def test_short_messages_are_sent_as_they_are():
    conn = ServerConnection(deflate=Deflate(min_size=100))
    assert conn.send_text("a" * 99) == b"\x81\x63" + b"a" * 99
    packed = conn.send_text("a" * 100)
    assert packed[0] == 0xC1
    assert len(packed) < 20
    assert conn.send(Bytes(b"a" * 100))[0] == 0xC2


@pytest.mark.parametrize("forgets", [True, False])
def test_a_window_is_kept_or_not(forgets):
    agreed = Deflate(server_no_context_takeover=forgets, client_no_context_takeover=forgets)
    text = "".join([chr(33 + number * 37 % 90) for number in range(600)])
    for conn in (ServerConnection(deflate=agreed), ClientConnection(deflate=agreed, masking_key=lambda: KEY)):
        first, second = conn.send_text(text), conn.send_text(text)
        assert (len(second) == len(first)) is forgets
        assert (len(second) < len(first) / 4) is not forgets


# Heartbeat

LIMITS = WebSocketLimits(ping_interval=20, ping_timeout=5)


def test_a_ping_when_nothing_comes():
    heartbeat = Heartbeat(LIMITS, 100)
    assert heartbeat.deadline == 120
    heartbeat.data_received(110)
    assert heartbeat.deadline == 130
    payload = heartbeat.deadline_reached(130)
    assert payload is not None
    assert heartbeat.deadline == 135
    assert Ping(payload) == Ping(payload)


def test_only_its_pong_answers_a_ping():
    heartbeat = Heartbeat(LIMITS, 0)
    first = heartbeat.deadline_reached(20)
    heartbeat.data_received(21)
    heartbeat.pong_received(b"other", 22)
    assert heartbeat.deadline == 25
    heartbeat.pong_received(first, 23)
    assert heartbeat.deadline == 43
    second = heartbeat.deadline_reached(43)
    assert second != first
    heartbeat.pong_received(first, 44)
    assert heartbeat.deadline == 48


def test_the_peer_is_gone():
    heartbeat = Heartbeat(LIMITS, 0)
    assert heartbeat.deadline_reached(20) is not None
    assert heartbeat.deadline_reached(25) is None


def test_a_pong_that_nobody_asked_for_is_a_sign_of_life_only():
    heartbeat = Heartbeat(LIMITS, 0)
    heartbeat.pong_received(b"", 10)
    assert heartbeat.deadline == 20


def test_heartbeat_switched_off():
    heartbeat = Heartbeat(WebSocketLimits(ping_interval=math.inf), 0)
    heartbeat.data_received(1)
    assert heartbeat.deadline == math.inf

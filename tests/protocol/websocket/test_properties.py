"""What holds for any input: cuts mean nothing, only the declared errors escape, and what is sent reads back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraiseql.errors import LocalProtocolError
from fraiseql.limits import WebSocketLimits
from fraiseql.protocol.http11 import Request, Response
from fraiseql.protocol.websocket import (
    NEED_DATA,
    NO_STATUS,
    Bytes,
    ClientHandshake,
    Close,
    Deflate,
    Handshake,
    HandshakeRefused,
    Ping,
    Pong,
    State,
    Text,
    accept,
)
from fraiseql.protocol.websocket.frames import DEFLATE_KINDS
from fraiseql.protocol.websocket.state import OURS, THEIRS, Input
from protocol.websocket.driving import ROLES, F, connect, deflated, drain, read, wire

quick = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

KEPT = Deflate(min_size=1, server_no_context_takeover=False, client_no_context_takeover=False)
POLICIES = [None, Deflate(min_size=1), KEPT]
USUAL = WebSocketLimits()
SMALL = WebSocketLimits(max_message=60, max_fragments=4)

PAYLOADS = [
    *(b"", b"a", "aé€😀".encode(), b"\xe2", b"\x82\xac", b"\xed\xa0", b"\xff", b"a" * 70, b"a" * 130),
    *(b"\x03\xe8", b"\x03\xe8ok", b"\x03\xe8\xff", b"\x03\xed", b"\x03"),
    *(b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"\xf2\x48\xcd", b"\xc9\xc9\x07\x00", b"\xf2\x00\x11\x00\x00", b"\x03\x00"),
    *(deflated(b"a" * 1_000), deflated(b"\xff"), deflated(b"x" * 40, b"\xe2"), b"\0\0\0\xff\xff"),
]
frames = st.builds(
    F,
    st.one_of(st.sampled_from(sorted(DEFLATE_KINDS)), st.sampled_from([0x81, 0x01, 0x80, 0xC1]), st.integers(0, 255)),
    st.one_of(st.sampled_from(PAYLOADS), st.binary(max_size=30)),
    st.sampled_from([None, None, None, None, 1, 3, 9]),
    st.sampled_from([None, None, None, None, None, 10, 126, 65_536, (1 << 64) - 1]),
)
streams = st.lists(st.one_of(frames, frames, frames, st.binary(max_size=5)), max_size=7)
points = st.lists(st.integers(0, 300), max_size=8)


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(raw)) for place in places} | {len(raw)})
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("limits", [USUAL, SMALL], ids=["usual limits", "small limits"])
@pytest.mark.parametrize("deflate", POLICIES, ids=["plain", "deflate", "kept"])
@pytest.mark.parametrize("role", ROLES)
@quick
@given(stream=streams, places=points, eof=st.booleans())
def test_cuts_mean_nothing(role, deflate, limits, stream, places, eof):
    raw = wire(stream, role)
    whole = read(connect(role, limits, deflate), [raw], eof=eof)
    assert read(connect(role, limits, deflate), cut(raw, places), eof=eof) == whole


texts = st.text(max_size=300).map(Text)
events = st.one_of(
    texts,
    st.text(alphabet="aé€😀", max_size=40).map(lambda text: Text(text * 200)),
    st.sampled_from([124, 125, 126, 127, 128, 1_000, 2_048, 2_049, 65_535, 65_536]).map(lambda n: Text("x" * n)),
    st.binary(max_size=300).map(Bytes),
    st.binary(max_size=125).map(Ping),
    st.binary(max_size=125).map(Pong),
)
closes = st.builds(Close, st.sampled_from([1000, 1001, 1011, 3000, 4400, 4999]), st.text(max_size=30)) | st.just(
    Close(NO_STATUS)
)


@pytest.mark.parametrize("deflate", POLICIES, ids=["plain", "deflate", "kept"])
@pytest.mark.parametrize("role", ROLES)
@quick
@given(sent=st.lists(events, max_size=6), close=closes, places=points)
def test_what_is_sent_reads_back(role, deflate, sent, close, places):
    sender = connect("client" if role == "server" else "server", deflate=deflate)
    raw = b"".join([sender.send(event) for event in [*sent, close]])
    assert read(connect(role, deflate=deflate), cut(raw, places)) == [*sent, close]


# States x inputs: steps of both sides in any sequence, each as the tables say

OUR_STEPS = {
    Input.MESSAGE: Text("a"),
    Input.PING: Ping(),
    Input.PONG: Pong(),
    Input.CLOSE: Close(),
}
THEIR_STEPS = {
    Input.MESSAGE: F(0x81, b"a"),
    Input.FIRST_FRAGMENT: F(0x01, b"a"),
    Input.FRAGMENT: F(0x00, b"a"),
    Input.LAST_FRAGMENT: F(0x80, b"a"),
    Input.PING: F(0x89, b"a"),
    Input.PONG: F(0x8A, b"a"),
    Input.CLOSE: F(0x88),
    Input.CONNECTION_CLOSED: None,
}
AS_OURS = {State.CLOSING: Input.PEER_CLOSE, State.ERROR: Input.FAULT, State.CLOSED: Input.CONNECTION_CLOSED}
steps = st.lists(
    st.one_of(
        st.tuples(st.just("ours"), st.sampled_from(list(OUR_STEPS))),
        st.tuples(st.just("theirs"), st.sampled_from(list(THEIR_STEPS))),
    ),
    max_size=12,
)


@pytest.mark.parametrize("role", ROLES)
@quick
@given(steps=steps)
def test_both_sides_move_as_the_tables_say(role, steps):
    conn = connect(role)
    ours = theirs = State.OPEN
    for side, what in steps:
        if side == "ours":
            after = OURS.get((ours, what))
            if after is None:
                with pytest.raises(LocalProtocolError):
                    conn.send(OUR_STEPS[what])
            else:
                assert conn.send(OUR_STEPS[what])
                ours = after
        elif theirs is State.CLOSED:
            assert drain(conn) == read(connect(role), [], eof=True)
        else:
            before = theirs
            if what is Input.CONNECTION_CLOSED:
                conn.receive_eof()
            else:
                conn.receive_data(wire([THEIR_STEPS[what]], role))
            found = drain(conn)
            if before in (State.CLOSING, State.ERROR) and what is not Input.CONNECTION_CLOSED:
                assert found == []  # discarded
            else:
                theirs = THEIRS.get((before, what), State.ERROR)
                assert (found == [1002]) is (theirs is State.ERROR)
                if theirs is not before and theirs in AS_OURS:
                    ours = OURS[ours, AS_OURS[theirs]]
        assert (conn.our_state, conn.their_state) == (ours, theirs)


@pytest.mark.parametrize("role", ROLES)
@quick
@given(stream=streams, places=points)
def test_what_waits_is_bounded(role, stream, places):
    conn = connect(role, SMALL, Deflate())
    for piece in cut(wire(stream, role), places):
        conn.receive_data(piece)
        found = drain(conn)
        assert conn.wants_data
        assert conn.buffered <= SMALL.max_message + 140, "a message, or a header with a control frame"
        if found and isinstance(found[-1], int):
            assert conn.next_event() is NEED_DATA


# Handshakes

NAMES = [
    b"permessage-deflate",
    b"x",
    b"server_max_window_bits",
    b"client_max_window_bits",
    b"client_no_context_takeover",
]
values = st.lists(
    st.sampled_from([*NAMES, b";", b"; ", b",", b"=", b"=10", b"=8", b"=15", b' "', b'"', b"\\", b" ", b"\t"]),
    max_size=10,
).map(b"".join)
fields = st.fixed_dictionaries(
    {
        b"host": st.just(b"a"),
        b"upgrade": st.sampled_from([b"websocket", b"h2c, websocket", b"x"]),
        b"connection": st.sampled_from([b"upgrade", b"close"]),
        b"sec-websocket-key": st.sampled_from([b"dGhlIHNhbXBsZSBub25jZQ==", b"x"]),
        b"sec-websocket-version": st.sampled_from([b"13", b"8"]),
    },
    optional={
        b"origin": st.sampled_from([b"http://a", b"http://b", b"null", b"://"]),
        b"sec-websocket-protocol": values,
        b"sec-websocket-extensions": values,
        b"sec-websocket-accept": st.just(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    },
)


@settings(deadline=None, max_examples=500)
@given(headers=fields, deflate=st.sampled_from([None, Deflate(), KEPT]))
def test_a_handshake_is_accepted_or_refused(headers, deflate):
    lines = tuple(headers.items())
    client = ClientHandshake(b"a", b"/", b"the sample nonce", subprotocols=[b"x"], deflate=deflate)
    assert outcome(lambda: accept(Request(b"GET", b"/", lines), subprotocols=[b"x"], deflate=deflate)) in (
        101,
        400,
        403,
        426,
    )
    assert outcome(lambda: client.check(Response(101, lines))) in (101, 502)


def outcome(shake: Callable[[], Handshake]) -> int:
    """The status of the answer, or of the refusal."""
    try:
        return shake().response.status
    except HandshakeRefused as error:
        return error.status

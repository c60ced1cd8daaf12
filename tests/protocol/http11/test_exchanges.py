"""Legal exchanges: what is read, and the exact bytes of the answers."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest

from fraiseql.limits import HttpLimits
from fraiseql.protocol import http11
from fraiseql.protocol.http11 import (
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    DeadlineKind,
    EndOfMessage,
    InformationalResponse,
    Request,
    Response,
    State,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_10 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KEEPING_10 = b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADING = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n"
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
TEXT = ((b"content-type", b"text/plain"),)


def connection(data: bytes = b"", **limits: int) -> http11.ServerConnection:
    conn = http11.ServerConnection(HttpLimits(**limits))
    conn.receive_data(data)
    return conn


def events(conn: http11.ServerConnection) -> list[object]:
    found: list[object] = []
    while not found or isinstance(found[-1], Request | Data | EndOfMessage):
        found.append(conn.next_event())
    return found


def asked(data: bytes = GET, **limits: int) -> http11.ServerConnection:
    """A connection that has read this request."""
    conn = connection(data, **limits)
    events(conn)
    return conn


def test_a_request_is_read_with_its_parts():
    raw = b"POST /graphql?a=b?c HTTP/1.1\r\nHOST: a\r\nAccept: x/y\r\naccept:  z \r\nContent-Length: 2\r\n\r\nhi"
    request, data, end, last = events(connection(raw))
    headers = ((b"host", b"a"), (b"accept", b"x/y"), (b"accept", b"z"), (b"content-length", b"2"))
    assert request == Request(b"POST", b"/graphql?a=b?c", headers, b"1.1")
    assert (data, end, last) == (Data(b"hi"), EndOfMessage(), NEED_DATA)
    assert (request.path, request.query, request.authority) == (b"/graphql", b"a=b?c", b"a")
    assert request.get(b"accept") == b"x/y, z"
    assert request.get(b"cookie") is None
    assert request.get_all(b"accept") == [b"x/y", b"z"]


def test_a_request_of_ones_own_answers_the_same_questions():
    request = Request(b"GET", b"/", ((b"host", b"a"), (b"accept", b"b"), (b"accept", b"c")))
    assert request.get(b"accept") == b"b, c"
    assert request.get(b"host") == b"a"


@pytest.mark.parametrize(
    ("target", "authority", "path", "query"),
    [
        (b"/", b"a", b"/", b""),
        (b"/b/c?d", b"a", b"/b/c", b"d"),
        (b"//b", b"a", b"//b", b""),
        (b"/?u=http://b/c", b"a", b"/", b"u=http://b/c"),
        (b"/x://b", b"a", b"/x://b", b""),
        (b"*", b"a", b"*", b""),
        (b"http://b", b"b", b"/", b""),
        (b"http://b?c/d", b"b", b"/", b"c/d"),
        (b"https://b:8/c/d?e", b"b:8", b"/c/d", b"e"),
        (b"http://[::1]/", b"[::1]", b"/", b""),
    ],
)
def test_target(target, authority, path, query):
    request = connection(b"OPTIONS %b HTTP/1.1\r\nHost: a\r\n\r\n" % target).next_event()
    assert (request.authority, request.path, request.query) == (authority, path, query)


def test_http_10_has_no_authority_without_host():
    assert connection(GET_10).next_event().authority is None


@pytest.mark.parametrize(
    ("raw", "version"), [(GET, b"1.1"), (GET_10, b"1.0"), (GET.replace(b"1.1", b"1.9"), b"1.1")], ids=repr
)
def test_version(raw, version):
    assert connection(raw).next_event().http_version == version


def test_chunks_and_trailers():
    raw = CHUNKED + b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\nX-Sum: 1 \r\nY:\r\n\r\n"
    conn = connection(raw)
    request, data, end, last = events(conn)
    assert request.get(b"x-sum") is None
    assert data == Data(b"hi")
    assert end == EndOfMessage(((b"x-sum", b"1"), (b"y", b"")))
    assert last is NEED_DATA


def test_what_precedes_a_fault_is_delivered_first():
    conn = connection(CHUNKED + b"2\r\nhi\r\nz")
    conn.next_event()
    assert conn.next_event() == Data(b"hi")
    with pytest.raises(http11.RemoteProtocolError, match="chunk size"):
        conn.next_event()


# Answers, as bytes

WHOLE = [
    ("plain", GET, 200, TEXT, b"hi", b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi"),
    ("empty", GET, 200, (), b"", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("own length", GET, 200, ((b"Content-Length", b"2"),), b"hi", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    ("unknown status", GET, 299, (), b"", b"HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n"),
    ("closing", CLOSING, 200, (), b"", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    (
        "closed by us",
        GET,
        200,
        ((b"Connection", b"Close, x"),),
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, close\r\n\r\n",
    ),
    ("1.0", GET_10, 200, (), b"hi", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"),
    ("1.0 kept", KEEPING_10, 200, (), b"", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n"),
    ("HEAD", HEAD, 200, (), b"hi", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"),
    ("HEAD, own length", HEAD, 200, ((b"content-length", b"9"),), b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
    ("204", GET, 204, (), b"", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("205", GET, 205, (), b"", b"HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"),
    ("304", GET, 304, (), b"", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    (
        "304 with a length",
        GET,
        304,
        ((b"content-length", b"9"),),
        b"",
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
    ),
    (
        "chunked is not needed",
        GET,
        200,
        ((b"transfer-encoding", b"chunked"),),
        b"hi",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    ),
    ("408", GET, 408, (), b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    (
        "426",
        GET,
        426,
        ((b"upgrade", b"websocket"),),
        b"",
        b"HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 0\r\nconnection: upgrade\r\n\r\n",
    ),
    (
        "426 with its option",
        GET,
        426,
        ((b"upgrade", b"websocket"), (b"connection", b"Upgrade, keep-alive")),
        b"",
        b"HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 0\r\nconnection: upgrade\r\n\r\n",
    ),
]


@pytest.mark.parametrize(
    ("raw", "status", "headers", "body", "answer"), [row[1:] for row in WHOLE], ids=[r[0] for r in WHOLE]
)
def test_whole_answer(raw, status, headers, body, answer):
    conn = asked(raw)
    assert conn.send_response(status, headers, body) == answer
    closes = b"close" in answer
    assert conn.keep_alive is not closes
    assert (conn.our_state, conn.their_state) == ((State.MUST_CLOSE if closes else State.DONE,) * 2)


STREAMED = [
    (
        "chunked",
        GET,
        Response(200, TEXT),
        [b"hi", b"", b"0123456789abcdef"],
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
    ),
    (
        "chunked as asked",
        GET,
        Response(200, ((b"Transfer-Encoding", b"Chunked"),)),
        [b"h"],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n\r\n",
    ),
    (
        "length",
        GET,
        Response(200, ((b"content-length", b"3"),), b"Fine"),
        [b"h", b"ey"],
        b"HTTP/1.1 200 Fine\r\ncontent-length: 3\r\n\r\nhey",
    ),
    (
        "1.0",
        KEEPING_10,
        Response(200, ((b"transfer-encoding", b"chunked"),)),
        [b"h", b"ey"],
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhey",
    ),
    ("HEAD", HEAD, Response(200), [b"hi"], b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
    (
        "304",
        GET,
        Response(304, ((b"content-length", b"9"),)),
        [],
        b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
    ),
]


@pytest.mark.parametrize(
    ("raw", "head", "pieces", "answer"), [row[1:] for row in STREAMED], ids=[r[0] for r in STREAMED]
)
def test_streamed_answer(raw, head, pieces, answer):
    conn = asked(raw)
    sent = conn.send(head)
    assert conn.our_state is State.SEND_BODY
    for piece in pieces:
        sent += conn.send(Data(piece))
    sent += conn.send(EndOfMessage())
    assert sent == answer
    assert conn.keep_alive is (b"close" not in answer)


def test_trailers_are_sent():
    conn = asked()
    conn.send(Response(200))
    assert conn.send(EndOfMessage(((b"x-sum", b"1"),))) == b"0\r\nx-sum: 1\r\n\r\n"


def test_date_is_sent_unless_there_is_one():
    assert b"\r\ndate: %b\r\n" % DATE in asked().send_response(200, (), b"", DATE)
    assert b"\r\ndate: %b\r\n" % DATE in asked().send(Response(200), DATE)
    assert b"\r\ndate: %b\r\n" % DATE in asked(UPGRADING).send(Response(101, ((b"upgrade", b"websocket"),)), DATE)
    own = asked().send_response(200, ((b"Date", b"today"),), b"", DATE)
    assert b"\r\nDate: today\r\n" in own
    assert DATE not in own


# The life of a connection


def test_keep_alive():
    conn = asked()
    assert conn.send_response(200, (), b"")
    assert (conn.our_state, conn.their_state) == (State.DONE, State.DONE)
    conn.start_next_cycle()
    assert (conn.our_state, conn.their_state) == (State.IDLE, State.IDLE)
    conn.receive_data(POST + b"hi")
    assert [type(event) for event in events(conn)[:-1]] == [Request, Data, EndOfMessage]


def test_what_one_request_said_does_not_hold_for_the_next():
    conn = connection(HEAD + EXPECTING + b"hi" + UPGRADING + GET)
    for _ in range(3):
        events(conn)
        conn.send_response(200, (), b"hi")
        conn.start_next_cycle()
    events(conn)
    assert not conn.client_is_waiting_for_100_continue
    with pytest.raises(http11.LocalProtocolError):
        conn.send(Response(101, ((b"upgrade", b"websocket"),)))
    assert conn.send_response(200, (), b"hi").endswith(b"hi")


def test_pipelined_requests_are_read_one_at_a_time():
    conn = connection(GET + POST + b"hi" + GET)
    assert [type(event) for event in events(conn)[:-1]] == [Request, EndOfMessage]
    assert conn.next_event() is PAUSED
    conn.send_response(200, (), b"")
    assert conn.next_event() is PAUSED
    conn.start_next_cycle()
    assert events(conn)[1:] == [Data(b"hi"), EndOfMessage(), PAUSED]
    assert conn.buffered == len(GET)
    conn.send_response(200, (), b"")
    conn.start_next_cycle()
    assert events(conn)[-1] is NEED_DATA
    assert conn.buffered == 0


def test_reading_stops_while_the_pipelining_buffer_is_full():
    conn = asked(GET, max_pipelined=100)
    assert conn.wants_data
    conn.receive_data(GET * 3)
    assert conn.wants_data
    conn.receive_data(GET)
    assert conn.buffered == 4 * len(GET) > 100
    assert not conn.wants_data
    conn.send_response(200, (), b"")
    conn.start_next_cycle()
    assert events(conn)[-1] is PAUSED
    assert conn.wants_data


def test_reading_goes_on_where_nothing_may_be_pipelined():
    conn = asked(GET, max_pipelined=0)
    assert conn.wants_data
    conn.receive_data(b"G")
    assert not conn.wants_data


def test_reading_stops_while_nobody_takes_the_body():
    conn = asked(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", max_pipelined=100)
    conn.receive_data(b"x" * 16_383)
    assert conn.wants_data
    conn.receive_data(b"x")
    assert not conn.wants_data
    assert conn.deadline_kind is None
    events(conn)
    assert conn.wants_data


def test_nothing_after_connection_close_is_read():
    conn = connection(CLOSING + GET)
    assert events(conn)[-1] is NEED_DATA
    assert (conn.their_state, conn.buffered) == (State.MUST_CLOSE, 0)
    assert not conn.keep_alive
    conn.receive_data(b"\0")
    assert (conn.next_event(), conn.buffered) == (NEED_DATA, 0)
    conn.send_response(200, (), b"")
    assert conn.our_state is State.MUST_CLOSE
    with pytest.raises(http11.LocalProtocolError):
        conn.start_next_cycle()


def test_our_close_ends_the_connection_too():
    conn = asked(GET + GET)
    assert b"connection: close" in conn.send(Response(200, ((b"connection", b"close"),)))
    assert (conn.their_state, conn.buffered, conn.keep_alive) == (State.MUST_CLOSE, 0, False)
    conn.send(EndOfMessage())
    assert conn.our_state is State.MUST_CLOSE
    assert conn.send(ConnectionClosed()) == b""
    assert conn.our_state is State.CLOSED


def test_an_idle_connection_is_closed_by_us():
    conn = connection()
    conn.send(ConnectionClosed())
    assert (conn.our_state, conn.their_state) == (State.CLOSED, State.MUST_CLOSE)
    conn.receive_data(GET)
    assert conn.next_event() is NEED_DATA
    conn.receive_eof()
    assert conn.next_event() == ConnectionClosed()


def test_the_peer_closes_between_requests():
    conn = connection(b"\r\n")
    assert conn.next_event() is NEED_DATA
    conn.receive_eof()
    assert [conn.next_event(), conn.next_event()] == [ConnectionClosed()] * 2
    assert conn.their_state is State.CLOSED
    assert not conn.wants_data
    with pytest.raises(http11.LocalProtocolError):
        conn.receive_data(b"x")


def test_a_half_closed_peer_gets_all_its_answers():
    conn = connection(GET + GET)
    conn.receive_eof()
    assert events(conn)[-1] is PAUSED
    assert b"close" not in conn.send_response(200, (), b"")
    conn.start_next_cycle()
    assert events(conn)[-1] == ConnectionClosed()
    assert b"connection: close" in conn.send_response(200, (), b"")
    assert (conn.our_state, conn.their_state) == (State.MUST_CLOSE, State.CLOSED)


def test_an_answer_to_a_peer_that_is_known_to_have_closed_says_so():
    conn = asked()
    conn.receive_eof()
    assert b"connection: close" in conn.send_response(200, (), b"")


def test_the_peer_closes_after_our_answer():
    conn = asked()
    conn.send_response(200, (), b"")
    conn.receive_eof()
    assert conn.next_event() == ConnectionClosed()
    assert conn.our_state is State.MUST_CLOSE


@pytest.mark.parametrize(
    "raw", [b"\r", b"G", GET[:-1], POST, POST + b"h", CHUNKED, CHUNKED + b"1\r\nh\r\n0\r\n\r"], ids=repr
)
def test_the_peer_closes_within_a_request(raw):
    conn = asked(raw)
    conn.receive_eof()
    with pytest.raises(http11.RemoteProtocolError) as caught:
        conn.next_event()
    assert (caught.value.status, caught.value.close) == (400, True)
    assert b"connection: close" in conn.send_response(400, (), b"")
    assert conn.next_event() == ConnectionClosed()


def test_a_fault_during_an_answer_lets_it_end():
    conn = asked(CHUNKED)
    conn.send(Response(200, ((b"content-length", b"2"),)))
    conn.receive_data(b"z")
    with pytest.raises(http11.RemoteProtocolError):
        conn.next_event()
    assert conn.our_state is State.SEND_BODY
    assert conn.send(Data(b"hi")) + conn.send(EndOfMessage()) == b"hi"
    assert conn.our_state is State.MUST_CLOSE


@pytest.mark.parametrize("closing", [False, True])
def test_a_fault_after_an_early_answer_closes(closing):
    conn = asked(CHUNKED)
    conn.send_response(200, ((b"connection", b"close"),) if closing else (), b"")
    conn.receive_data(b"z")
    with pytest.raises(http11.RemoteProtocolError):
        conn.next_event()
    assert conn.our_state is State.MUST_CLOSE
    assert not conn.keep_alive


def test_a_fault_after_we_closed():
    conn = asked(CHUNKED)
    conn.send_response(200, (), b"")
    conn.send(ConnectionClosed())
    conn.receive_data(b"z")
    with pytest.raises(http11.RemoteProtocolError):
        conn.next_event()
    assert conn.our_state is State.CLOSED


def test_an_early_answer_keeps_the_connection_if_the_body_is_drained():
    conn = asked(POST + b"h")
    assert b"close" not in conn.send_response(404, (), b"")
    assert (conn.our_state, conn.their_state, conn.deadline_kind) == (State.DONE, State.SEND_BODY, DeadlineKind.BODY)
    with pytest.raises(http11.LocalProtocolError):
        conn.start_next_cycle()
    conn.receive_data(b"i" + GET)
    assert events(conn) == [Data(b"i"), EndOfMessage(), PAUSED]
    conn.start_next_cycle()
    assert isinstance(conn.next_event(), Request)


# Expect


def test_100_continue_is_sent_when_the_body_is_wanted():
    conn = asked(EXPECTING)
    assert conn.client_is_waiting_for_100_continue
    assert conn.deadline_kind is None
    assert conn.send(InformationalResponse(100)) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not conn.client_is_waiting_for_100_continue
    assert conn.deadline_kind is DeadlineKind.BODY
    conn.receive_data(b"hi")
    assert events(conn) == [Data(b"hi"), EndOfMessage(), NEED_DATA]
    assert b"close" not in conn.send_response(200, (), b"")


def test_a_client_that_did_not_wait_gets_no_100():
    conn = connection(EXPECTING + b"h")
    conn.next_event()
    assert not conn.client_is_waiting_for_100_continue
    assert conn.next_event() == Data(b"h")
    assert not conn.client_is_waiting_for_100_continue
    conn.receive_data(b"i")
    events(conn)
    assert b"close" not in conn.send_response(200, (), b"")


@pytest.mark.parametrize("begun", [b"5", b"5\r", b"5\r\n", b"5;a", b"5\r\nh"], ids=repr)
@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "byte by byte"])
def test_a_client_whose_chunks_have_begun_waits_for_nothing(begun, by_byte):
    conn = asked(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
    for piece in [begun[index : index + 1] for index in range(len(begun))] if by_byte else [begun]:
        conn.receive_data(piece)
        events(conn)
    assert not conn.client_is_waiting_for_100_continue
    assert conn.deadline_kind is http11.DeadlineKind.BODY
    conn.send_response(200, (), b"")
    assert conn.keep_alive


def test_an_answer_in_place_of_100_closes():
    conn = asked(EXPECTING)
    assert b"connection: close" in conn.send_response(413, (), b"")
    assert conn.our_state is State.MUST_CLOSE
    assert not conn.client_is_waiting_for_100_continue


@pytest.mark.parametrize("length", [b"Content-Length: 0\r\n", b""])
def test_a_request_without_a_body_waits_for_nothing(length):
    conn = asked(b"POST / HTTP/1.1\r\nHost: a\r\n%bExpect: 100-continue\r\n\r\n" % length)
    assert not conn.client_is_waiting_for_100_continue


def test_early_hints():
    conn = asked(EXPECTING)
    hints = InformationalResponse(103, ((b"link", b"</a>"),), b"Hints")
    assert conn.send(hints) == b"HTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\n"
    assert conn.client_is_waiting_for_100_continue


# Upgrade


def test_upgrade_hands_over_the_bytes_that_follow():
    conn = asked(UPGRADING + b"\x81\x00")
    assert conn.next_event() is PAUSED
    answer = conn.send(Response(101, ((b"Upgrade", b"websocket"),)))
    assert answer == b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    assert (conn.our_state, conn.their_state) == (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL)
    assert conn.trailing_data == b"\x81\x00"
    assert conn.next_event() is PAUSED
    assert not conn.wants_data
    assert conn.deadline_kind is None
    with pytest.raises(http11.LocalProtocolError):
        conn.receive_data(b"x")


def test_an_upgrade_waits_for_the_body():
    raw = UPGRADING.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n")
    conn = asked(raw)
    with pytest.raises(http11.LocalProtocolError):
        conn.send(Response(101, ((b"upgrade", b"websocket"),)))
    conn.receive_data(b"hi")
    events(conn)
    assert conn.send(Response(101, ((b"upgrade", b"websocket"),)))


def test_an_upgrade_that_is_declined_goes_on_in_http():
    conn = asked(UPGRADING + GET)
    conn.send_response(200, (), b"")
    conn.start_next_cycle()
    assert isinstance(conn.next_event(), Request)


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (GET, ((b"upgrade", b"websocket"),)),
        (UPGRADING, ()),
        (UPGRADING, ((b"upgrade", b"h2c"),)),
        (UPGRADING, ((b"upgrade", b"websocket"), (b"content-length", b"0"))),
        (UPGRADING, ((b"upgrade", b"websocket"), (b"transfer-encoding", b"chunked"))),
        (UPGRADING, ((b"upgrade", b"websocket"), (b"connection", b"close"))),
        (UPGRADING.replace(b"1.1", b"1.0"), ((b"upgrade", b"websocket"),)),
        (UPGRADING.replace(b", Upgrade", b""), ((b"upgrade", b"websocket"),)),
        (UPGRADING.replace(b"keep-alive", b"close"), ((b"upgrade", b"websocket"),)),
        (UPGRADING.replace(b"Upgrade: h2c, WebSocket\r\n", b""), ((b"upgrade", b"websocket"),)),
    ],
    ids=range(10),
)
def test_no_protocol_is_changed_that_the_client_did_not_offer(raw, headers):
    conn = asked(raw)
    with pytest.raises(http11.LocalProtocolError):
        conn.send(Response(101, headers))
    assert conn.send_response(200, (), b"")


def test_trailing_data_belongs_to_an_upgrade():
    with pytest.raises(http11.LocalProtocolError):
        _ = asked().trailing_data


# Deadlines


def test_deadlines():
    conn = connection()
    assert conn.deadline_kind is DeadlineKind.IDLE
    conn.receive_data(b"\r\n")
    assert conn.deadline_kind is DeadlineKind.HEAD
    conn.next_event()
    assert conn.deadline_kind is DeadlineKind.HEAD
    conn.receive_data(POST)
    events(conn)
    assert conn.deadline_kind is DeadlineKind.BODY
    conn.receive_data(b"hiG")
    events(conn)
    assert conn.deadline_kind is None
    conn.send_response(200, (), b"")
    assert conn.deadline_kind is None
    conn.start_next_cycle()
    assert conn.deadline_kind is DeadlineKind.HEAD
    conn.receive_eof()
    assert conn.deadline_kind is None


@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize(
    "fields", [b"X: " + b"x" * 15_000, b"X: x\r\n" * 90 + b"Y:" + b"y" * 14_000], ids=["one", "many"]
)
def test_an_idle_connection_keeps_no_long_head(fields, by_byte):
    raw = b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n"

    def idle() -> http11.ServerConnection:
        conn = connection()
        for piece in [raw[index : index + 1] for index in range(len(raw))] if by_byte else [raw]:
            conn.receive_data(piece)
            events(conn)
        conn.send_response(200, (), b"")
        conn.start_next_cycle()
        assert conn.next_event() is NEED_DATA
        return conn

    idle()  # compiles what is compiled once
    tracemalloc.start()
    try:
        kept = [idle() for _ in range(4)]
        size = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert size < 8_000


def test_nothing_has_begun_after_an_exchange():
    conn = asked()
    conn.send_response(200, (), b"")
    conn.start_next_cycle()
    assert conn.next_event() is NEED_DATA
    assert conn.deadline_kind is DeadlineKind.IDLE


def test_408_before_the_head_is_complete():
    conn = asked(GET[:-1])
    assert b"connection: close" in conn.send_response(408, (), b"")
    assert (conn.our_state, conn.their_state) == (State.MUST_CLOSE, State.MUST_CLOSE)
    conn.receive_data(b"\n")
    assert conn.next_event() is NEED_DATA
    assert conn.deadline_kind is None


def test_an_answer_before_a_request_can_be_streamed():
    conn = asked(GET[:-1])
    assert conn.send(Response(503)) == b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n"
    conn.receive_data(b"\n")
    assert conn.next_event() is NEED_DATA
    assert conn.send(Data(b"no")) + conn.send(EndOfMessage()) == b"no"
    assert conn.our_state is State.MUST_CLOSE


def test_an_answer_to_a_peer_that_closed_without_asking():
    conn = connection()
    conn.receive_eof()
    conn.next_event()
    assert b"connection: close" in conn.send_response(408, (), b"")
    assert (conn.our_state, conn.their_state) == (State.MUST_CLOSE, State.CLOSED)


# Limits, whose verdict depends on the number of bytes only

EXACT = [
    ("head", {"max_head": 27}, GET, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 431),
    ("head, last byte", {"max_head": 25}, b"GET / HTTP/1.0\r\nHost:\r\n\r\n", GET, 431),
    ("target", {"max_target": 3}, b"GET /xy HTTP/1.0\r\n\r\n", b"GET /xyz HTTP/1.0\r\n\r\n", 414),
    ("target over the head", {"max_head": 20}, b"GET /x HTTP/1.0\r\n\r\n"[:20], b"GET /" + b"x" * 30, 414),
    ("method", {"max_head": 20}, b"G", b"G" * 20, 501),
    ("fields", {"max_fields": 2}, b"GET / HTTP/1.0\r\nA:\r\nB:\r\n\r\n", b"GET / HTTP/1.0\r\nA:\r\nB:\r\nC", 431),
    ("whole fields", {"max_fields": 1}, b"GET / HTTP/1.0\r\nA:\r\n\r\n", b"GET / HTTP/1.0\r\nA:\r\nB:\r\n\r\n", 431),
    ("body", {"max_body": 2}, POST + b"hi", POST.replace(b": 2", b": 3"), 413),
    ("chunked body", {"max_body": 2}, CHUNKED + b"1\r\nh\r\n1\r\ni\r\n", CHUNKED + b"1\r\nh\r\n2\r\n", 413),
    ("size digits", {"max_chunk_size_digits": 2}, CHUNKED + b"01\r\nh\r\n02\r\n", CHUNKED + b"01\r\nh\r\n001", 400),
    ("whole size", {"max_chunk_size_digits": 2}, CHUNKED + b"01\r\n", CHUNKED + b"001\r\n", 400),
    ("extensions", {"max_chunk_extensions": 5}, CHUNKED + b"1;a\r\nh\r\n1;ab\r\n", CHUNKED + b"1;a\r\nh\r\n1;abc", 400),
    ("several", {"max_chunk_extensions": 4}, CHUNKED + b"1;a;b\r\n", CHUNKED + b"1;a;bc", 400),
    ("no extensions", {"max_chunk_extensions": 0}, CHUNKED + b"1\r\n", CHUNKED + b"1;", 400),
    ("trailers", {"max_trailers": 6}, CHUNKED + b"0\r\nA: b\r\n\r\n", CHUNKED + b"0\r\nA: bc\r\n\r", 431),
    ("no trailers", {"max_trailers": 0}, CHUNKED + b"0\r\n\r\n", CHUNKED + b"0\r\nA:", 431),
    ("trailer fields", {"max_fields": 2}, CHUNKED + b"0\r\nA:\r\nB:\r\n\r\n", CHUNKED + b"0\r\nA:\r\nB:\r\nC", 431),
    ("no blank lines", {"max_blank_lines": 0}, GET, b"\r", 400),
    ("blank lines", {"max_blank_lines": 1}, b"\r\n" + GET, b"\r\n\r", 400),
]


@pytest.mark.parametrize(("limits", "fits", "exceeds", "status"), [row[1:] for row in EXACT], ids=[r[0] for r in EXACT])
def test_limits_are_exact(read, limits, fits, exceeds, status):
    bounds = HttpLimits(**limits)
    for cuts in ([], range(1, 10_000)):
        assert all(entry[0] != "error" for entry in read(_cut(fits, cuts), bounds))
        assert read(_cut(exceeds, cuts), bounds)[-1][:2] == ("error", status)


def _cut(raw: bytes, cuts) -> list[bytes]:
    points = [0, *[cut for cut in cuts if cut < len(raw)], len(raw)]
    return [raw[start:end] for start, end in pairwise(points)]


def test_a_limit_is_told_apart_from_other_faults():
    conn = connection(b"GET /xyz", max_target=2)
    with pytest.raises(http11.LimitExceeded) as caught:
        conn.next_event()
    assert (caught.value.status, caught.value.close) == (414, True)

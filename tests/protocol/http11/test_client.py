"""The client's side: exact bytes of requests, and what is read of answers, however they are cut."""

from __future__ import annotations

import pytest

from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11 import (
    NEED_DATA,
    PAUSED,
    ClientConnection,
    ConnectionClosed,
    Data,
    DeadlineKind,
    EndOfMessage,
    InformationalResponse,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    Request,
    Response,
    Signal,
    State,
)

HOST = ((b"host", b"a"),)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = (*HOST, (b"upgrade", b"websocket"))
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n"


def asking(method: bytes = b"GET", headers=HOST, **limits: int) -> ClientConnection:
    """A connection that has sent a whole request."""
    conn = ClientConnection(HttpLimits(**limits))
    conn.send_request(method, b"*" if method == b"OPTIONS" else b"/", headers)
    return conn


def events(conn: ClientConnection) -> list[object]:
    """All events there are, the data in one piece, and the fault if there is one."""
    found: list[object] = []
    while not found or not isinstance(found[-1], ConnectionClosed):
        try:
            event = conn.next_event()
        except RemoteProtocolError as error:
            fault = (error.status, error.close, conn.their_state, conn.keep_alive)
            return [*found, "fault" if fault == (502, True, State.ERROR, False) else fault]
        if isinstance(event, Signal):
            break
        found.append(event)
    return joined(found)


def joined(found: list[object]) -> list[object]:
    """The events with neighbouring data in one piece."""
    whole: list[object] = []
    for event in found:
        if isinstance(event, Data) and whole and isinstance(whole[-1], Data):
            event = Data(whole.pop().data + event.data)
        whole.append(event)
    return whole


def answer(raw: bytes, method: bytes = b"GET", *, eof: bool = False, by_byte: bool = False, **limits: int):
    conn = asking(method, **limits)
    found: list[object] = []
    for piece in [raw[index : index + 1] for index in range(len(raw))] if by_byte else [raw]:
        conn.receive_data(piece)
        found += events(conn)
    if eof:
        conn.receive_eof()
        found += events(conn)
    return joined(found)


def fields(*lines: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple([tuple(line.split(b": ")) for line in lines])


# Requests, as bytes

SENT = [
    ("GET", b"GET", b"/a?b", HOST, b"", b"GET /a?b HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("body", b"POST", b"/", HOST, b"hi", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"),
    ("no body", b"POST", b"/", HOST, b"", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
    ("GET with a body", b"GET", b"/", HOST, b"hi", b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi"),
    (
        "own length",
        b"PUT",
        b"/",
        (*HOST, (b"Content-Length", b"2")),
        b"hi",
        b"PUT / HTTP/1.1\r\nhost: a\r\nContent-Length: 2\r\n\r\nhi",
    ),
    (
        "chunked is not needed",
        b"PUT",
        b"/",
        (*HOST, (b"transfer-encoding", b"chunked")),
        b"hi",
        b"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi",
    ),
    ("OPTIONS", b"OPTIONS", b"*", HOST, b"", b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("absolute", b"GET", b"http://a/", HOST, b"", b"GET http://a/ HTTP/1.1\r\nhost: a\r\n\r\n"),
    ("absolute, other case", b"GET", b"HTTP://A?b", HOST, b"", b"GET HTTP://A?b HTTP/1.1\r\nhost: a\r\n\r\n"),
    (
        "closing",
        b"GET",
        b"/",
        (*HOST, (b"connection", b"close")),
        b"",
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    ),
    (
        "upgrade",
        b"GET",
        b"/",
        UPGRADE,
        b"",
        b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ),
    (
        "TE",
        b"GET",
        b"/",
        (*HOST, (b"te", b"trailers"), (b"connection", b"TE, x")),
        b"",
        b"GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\nconnection: te, x\r\n\r\n",
    ),
]


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "sent"), [row[1:] for row in SENT], ids=[row[0] for row in SENT]
)
def test_whole_request(method, target, headers, body, sent):
    conn = ClientConnection()
    assert conn.send_request(method, target, headers, body) == sent
    closes = b"close" in sent
    assert conn.our_state is (State.MUST_CLOSE if closes else State.DONE)
    assert conn.their_state is State.SEND_RESPONSE
    assert conn.keep_alive is not closes


STREAMED = [
    ("nothing", (), [], b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
    (
        "length",
        ((b"content-length", b"3"),),
        [b"h", b"", b"ey"],
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nhey",
    ),
    (
        "chunks",
        ((b"transfer-encoding", b"chunked"),),
        [b"h", b"", b"ey"],
        b"GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n2\r\ney\r\n0\r\n\r\n",
    ),
]


@pytest.mark.parametrize(("headers", "pieces", "sent"), [row[1:] for row in STREAMED], ids=[row[0] for row in STREAMED])
def test_streamed_request(headers, pieces, sent):
    conn = ClientConnection()
    found = conn.send(Request(b"GET", b"/", (*HOST, *headers)))
    assert conn.our_state is State.SEND_BODY
    found += b"".join([conn.send(Data(piece)) for piece in pieces]) + conn.send(EndOfMessage())
    assert found == sent
    assert conn.our_state is State.DONE


def test_trailers_are_sent():
    conn = ClientConnection()
    conn.send(Request(b"POST", b"/", (*HOST, (b"transfer-encoding", b"chunked"))))
    assert conn.send(EndOfMessage(((b"x-sum", b"1"),))) == b"0\r\nx-sum: 1\r\n\r\n"


BAD = [
    ("method", b"G T", b"/", HOST),
    ("no method", b"", b"/", HOST),
    ("target", b"GET", b"/ HTTP/1.1\r\nx: y", HOST),
    ("no target", b"GET", b"", HOST),
    ("target form", b"GET", b"a", HOST),
    ("escape", b"GET", b"/%zz", HOST),
    ("CONNECT", b"CONNECT", b"a:1", HOST),
    ("no Host", b"GET", b"/", ()),
    ("bad Host", b"GET", b"/", ((b"host", b"a/b"),)),
    ("another Host", b"GET", b"http://b/", HOST),
    ("another port", b"GET", b"http://a:1/", HOST),
    ("another Host, no path", b"GET", b"HTTPS://b?c", HOST),
    ("two Hosts", b"GET", b"/", HOST * 2),
    ("split", b"GET", b"/", (*HOST, (b"x", b"y\r\nz: w"))),
    ("wrong length", b"GET", b"/", (*HOST, (b"content-length", b"1"))),
    ("length and chunks", b"GET", b"/", (*HOST, (b"content-length", b"0"), (b"transfer-encoding", b"chunked"))),
    ("expects without a body", b"GET", b"/", (*HOST, (b"expect", b"100-continue"))),
]


@pytest.mark.parametrize(("method", "target", "headers"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_requests_that_would_be_misread(method, target, headers):
    conn = ClientConnection()
    with pytest.raises(LocalProtocolError):
        conn.send_request(method, target, headers)
    assert (conn.our_state, conn.their_state, conn.keep_alive) == (State.IDLE, State.IDLE, True)


@pytest.mark.parametrize("event", [Response(200), None, 42, b"raw"], ids=repr)
def test_what_is_no_event_of_this_side(event):
    conn = ClientConnection()
    with pytest.raises(LocalProtocolError, match="is nothing that this side sends"):
        conn.send(event)
    assert (conn.our_state, conn.their_state, conn.keep_alive) == (State.IDLE, State.IDLE, True)


def test_a_body_that_is_not_bytes_changes_nothing():
    conn = ClientConnection()
    with pytest.raises(TypeError):
        conn.send_request(b"POST", b"/", HOST, "hi")
    assert (conn.our_state, conn.their_state) == (State.IDLE, State.IDLE)


def test_only_http_11_is_sent():
    with pytest.raises(LocalProtocolError):
        ClientConnection().send(Request(b"GET", b"/", HOST, b"1.0"))


@pytest.mark.parametrize(
    ("headers", "match"), [((), "longer"), (((b"content-length", b"1"),), "longer")], ids=["none", "length"]
)
def test_a_body_longer_than_announced(headers, match):
    conn = ClientConnection()
    conn.send(Request(b"POST", b"/", (*HOST, *headers)))
    with pytest.raises(LocalProtocolError, match=match):
        conn.send(Data(b"hi"))
    assert conn.our_state is State.SEND_BODY


def test_one_request_at_a_time():
    conn = asking()
    with pytest.raises(LocalProtocolError):
        conn.send_request(b"GET", b"/", HOST)
    with pytest.raises(LocalProtocolError):
        conn.start_next_cycle()
    conn.receive_data(OK + b"Content-Length: 0\r\n\r\n")
    assert events(conn)[-1] == EndOfMessage()
    conn.start_next_cycle()
    assert conn.send_request(b"GET", b"/", HOST)


def _sending() -> ClientConnection:
    conn = ClientConnection()
    conn.send(Request(b"POST", b"/", (*HOST, (b"content-length", b"1"))))
    return conn


def _closing() -> ClientConnection:
    return asking(headers=(*HOST, (b"connection", b"close")))


def _closed() -> ClientConnection:
    conn = ClientConnection()
    conn.send(ConnectionClosed())
    return conn


def _switched() -> ClientConnection:
    conn = asking(headers=UPGRADE)
    conn.receive_data(SWITCHING)
    conn.next_event()
    return conn


@pytest.mark.parametrize(
    ("make", "state", "allowed"),
    [
        (ClientConnection, State.IDLE, {"request", "close"}),
        (_sending, State.SEND_BODY, {"data", "close"}),
        (asking, State.DONE, {"close"}),
        (_closing, State.MUST_CLOSE, {"close"}),
        (_closed, State.CLOSED, {"close"}),
        (_switched, State.SWITCHED_PROTOCOL, set()),
    ],
    ids=lambda value: value.name if isinstance(value, State) else "",
)
@pytest.mark.parametrize("name", ["request", "data", "end", "close"])
def test_sending_out_of_turn(make, state, allowed, name):
    conn = make()
    assert conn.our_state is state
    event = {
        "request": Request(b"GET", b"/", HOST),
        "data": Data(b"x"),
        "end": EndOfMessage(),
        "close": ConnectionClosed(),
    }[name]
    if name in allowed:
        conn.send(event)
        return
    theirs = conn.their_state
    with pytest.raises(LocalProtocolError):
        conn.send(event)
    assert (conn.our_state, conn.their_state) == (state, theirs)


# Answers

READ = [
    ("length", b"GET", OK + b"Content-Length: 2\r\n\r\nhi", b"hi", True),
    ("empty", b"GET", OK + b"Content-Length: 0\r\n\r\n", b"", True),
    ("no reason", b"GET", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", b"", True),
    ("later minor version", b"GET", b"HTTP/1.7 200 OK\r\nContent-Length: 0\r\n\r\n", b"", True),
    ("chunks", b"GET", CHUNKED + b"1\r\nh\r\n1;x=y\r\ni\r\n0\r\n\r\n", b"hi", True),
    ("HEAD", b"HEAD", OK + b"Content-Length: 2\r\n\r\n", b"", True),
    ("HEAD, chunked", b"HEAD", CHUNKED, b"", True),
    ("HEAD, nothing said", b"HEAD", OK + b"\r\n", b"", True),
    ("204", b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    ("204 with a length", b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", b"", True),
    ("304", b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
    ("205", b"GET", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", b"", True),
    ("closing", b"GET", OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    ("1.0", b"GET", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi", False),
    (
        "1.0 kept",
        b"GET",
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nhi",
        b"hi",
        True,
    ),
    ("CL 002", b"GET", OK + b"Content-Length: 002\r\n\r\nhi", b"hi", True),
    ("white space and tabs", b"GET", OK + b"Content-Length: \t 2 \t\r\nX:\ty z\t\r\n\r\nhi", b"hi", True),
]


@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "by byte"])
@pytest.mark.parametrize(
    ("method", "raw", "body", "keep_alive"), [row[1:] for row in READ], ids=[row[0] for row in READ]
)
def test_answer(method, raw, body, keep_alive, by_byte):
    found = answer(raw, method, by_byte=by_byte)
    assert isinstance(found[0], Response)
    assert found[1:] == [Data(body), EndOfMessage()] if body else [EndOfMessage()]
    conn = asking(method)
    conn.receive_data(raw)
    events(conn)
    assert conn.keep_alive is keep_alive
    assert (conn.our_state, conn.their_state) == ((State.DONE if keep_alive else State.MUST_CLOSE,) * 2)


@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "by byte"])
@pytest.mark.parametrize(
    "start", [OK, b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"], ids=repr
)
def test_a_body_that_ends_with_the_connection(start, by_byte):
    found = answer(start + b"\r\nhi\r\n\r\n", eof=True, by_byte=by_byte)
    assert found[1:] == [Data(b"hi\r\n\r\n"), EndOfMessage(), ConnectionClosed()]


def test_an_answer_is_read_with_its_parts():
    raw = b"HTTP/1.1 404 Not  Here\xe9\r\nX-A: b\r\nSet-Cookie: a=b\r\nset-cookie:c=d \r\nContent-Length: 0\r\n\r\n"
    response = answer(raw)[0]
    assert response == Response(
        404,
        fields(b"x-a: b", b"set-cookie: a=b", b"set-cookie: c=d", b"content-length: 0"),
        b"Not  Here\xe9",
    )
    assert response.get(b"x-a") == b"b"
    assert response.get(b"y") is None
    assert response.get_all(b"set-cookie") == [b"a=b", b"c=d"]


def test_trailers_are_read():
    assert answer(CHUNKED + b"0\r\nX-Sum: 1\r\nY:\r\n\r\n")[1:] == [EndOfMessage(fields(b"x-sum: 1", b"y: "))]


def test_interim_answers_come_first():
    raw = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + OK
        + b"Content-Length: 0\r\n\r\n"
    )
    found = answer(raw)
    assert found[:2] == [
        InformationalResponse(100, (), b"Continue"),
        InformationalResponse(103, fields(b"link: </a>"), b"Early Hints"),
    ]
    assert found[2].status == 200


def test_a_body_may_wait_for_100():
    conn = ClientConnection()
    conn.send(Request(b"POST", b"/", (*HOST, (b"content-length", b"2"), (b"expect", b"100-continue"))))
    assert conn.next_event() is NEED_DATA
    conn.receive_data(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert conn.next_event() == InformationalResponse(100, (), b"Continue")
    assert conn.send(Data(b"hi")) + conn.send(EndOfMessage()) == b"hi"


def test_an_early_answer_lets_the_request_end():
    conn = ClientConnection()
    conn.send(Request(b"POST", b"/", (*HOST, (b"content-length", b"2"))))
    conn.receive_data(OK + b"Content-Length: 0\r\n\r\n")
    assert events(conn)[-1] == EndOfMessage()
    assert (conn.our_state, conn.their_state) == (State.SEND_BODY, State.DONE)
    assert conn.send(Data(b"hi")) == b"hi"
    conn.send(EndOfMessage())
    conn.start_next_cycle()
    assert (conn.our_state, conn.their_state) == (State.IDLE, State.IDLE)


def test_an_early_answer_that_closes_lets_the_request_be_given_up():
    conn = ClientConnection()
    conn.send(Request(b"POST", b"/", (*HOST, (b"content-length", b"2"))))
    conn.receive_data(b"HTTP/1.1 413 \r\nConnection: close\r\nContent-Length: 0\r\n\r\njunk")
    assert events(conn)[-1] == EndOfMessage()
    assert (conn.our_state, conn.their_state, conn.buffered) == (State.SEND_BODY, State.MUST_CLOSE, 0)
    assert conn.send(ConnectionClosed()) == b""
    assert conn.our_state is State.CLOSED


def test_a_request_that_closes_is_answered():
    conn = asking(headers=(*HOST, (b"connection", b"close")))
    conn.receive_data(OK + b"Content-Length: 2\r\n\r\nhi")
    assert events(conn)[1:] == [Data(b"hi"), EndOfMessage()]
    assert (conn.our_state, conn.their_state) == (State.MUST_CLOSE, State.MUST_CLOSE)


REFUSED = [
    ("other protocol", b"\x16\x03"),
    ("blank line", b"\r\n" + OK + b"\r\n"),
    ("HTTP/2", b"HTTP/2.0 200 OK\r\n\r\n"),
    ("HTTP/0.9", b"HTTP/0.9 200 OK\r\n\r\n"),
    ("lower case", b"http/1.1 200 OK\r\n\r\n"),
    ("no status", b"HTTP/1.1 OK\r\n\r\n"),
    ("status 099", b"HTTP/1.1 099 x\r\n\r\n"),
    ("status 600", b"HTTP/1.1 600 x\r\n\r\n"),
    ("status of two digits", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("status of four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("no space before the reason", b"HTTP/1.1 200\r\n\r\n"),
    ("two spaces", b"HTTP/1.1  200 OK\r\n\r\n"),
    ("control in the reason", b"HTTP/1.1 200 O\0K\r\n\r\n"),
    ("bare LF", b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
    ("bare CR", b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"),
    ("fold", OK + b"X: a\r\n b\r\n\r\n"),
    ("space before colon", OK + b"Content-Length : 0\r\n\r\n"),
    ("CL and TE", OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("CL twice", OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi"),
    ("CL list", OK + b"Content-Length: 2, 2\r\n\r\nhi"),
    ("CL +2", OK + b"Content-Length: +2\r\n\r\nhi"),
    ("CL empty", OK + b"Content-Length:\r\n\r\nhi"),
    ("CL 25 digits", OK + b"Content-Length: " + b"1" * 25 + b"\r\n\r\n"),
    ("CL over the limit", OK + b"Content-Length: 1048577\r\n\r\n"),
    ("TE gzip", OK + b"Transfer-Encoding: gzip\r\n\r\n"),
    ("TE gzip, chunked", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
    ("TE in 1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("Location twice", b"HTTP/1.1 301 x\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"),
    ("bad chunk", CHUNKED + b"2\r\nhi\n"),
    ("chunk size empty", CHUNKED + b"\r\n"),
    ("bad trailer", CHUNKED + b"0\r\nContent-Length: 2\r\n\r\n"),
    ("101 without an offer", SWITCHING),
    ("too many fields", OK + b"X: y\r\n" * 101),
    ("long head", OK + b"X: " + b"x" * 17_000),
    ("long reason", b"HTTP/1.1 200 " + b"x" * 17_000),
]


@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "by byte"])
@pytest.mark.parametrize("raw", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(raw, by_byte):
    found = answer(raw, by_byte=by_byte)
    assert found.count("fault") == 1
    assert found[-1] == "fault"
    assert not any(isinstance(event, EndOfMessage) for event in found)


@pytest.mark.parametrize(
    "raw",
    [b"\x16", b"\r", b"HTTP/2", b"HTTP/1.1 0", b"HTTP/1.1 6", b"HTTP/1.1 200\r", b"HTTP/1.1 200 \n", CHUNKED + b"\r"],
    ids=repr,
)
def test_refused_at_the_first_impossible_byte(raw):
    assert "fault" not in answer(raw[:-1])
    assert answer(raw)[-1] == "fault"


@pytest.mark.parametrize(
    "raw",
    [b"", b"HTTP", OK, OK + b"Content-Length: 2\r\n\r\nh", CHUNKED + b"1\r\nh\r\n0\r\n", b"HTTP/1.1 100 \r\n\r\n"],
)
def test_the_connection_ends_too_early(raw):
    assert answer(raw, eof=True)[-1] == "fault"


def test_bytes_that_answer_no_request():
    conn = ClientConnection()
    conn.receive_data(OK)
    with pytest.raises(LocalProtocolError, match="next_event"):
        conn.send_request(b"GET", b"/", HOST)
    assert events(conn) == ["fault"]
    assert conn.our_state is State.MUST_CLOSE
    conn.receive_data(OK)
    assert conn.buffered == 0
    conn.receive_eof()
    assert events(conn) == [ConnectionClosed()]


def test_bytes_after_the_answer():
    found = answer(OK + b"Content-Length: 0\r\n\r\n" + OK)
    assert found[1:] == [EndOfMessage(), "fault"]


def test_a_fault_after_we_closed():
    conn = asking()
    conn.send(ConnectionClosed())
    conn.receive_data(b"x")
    assert events(conn) == ["fault"]
    assert conn.our_state is State.CLOSED


def test_the_answer_is_read_after_we_closed():
    conn = asking()
    conn.send(ConnectionClosed())
    conn.receive_data(OK + b"Content-Length: 0\r\n\r\n")
    assert events(conn)[-1] == EndOfMessage()
    assert conn.their_state is State.MUST_CLOSE


def test_an_idle_connection_is_closed_by_us():
    conn = ClientConnection()
    conn.send(ConnectionClosed())
    assert (conn.our_state, conn.their_state) == (State.CLOSED, State.MUST_CLOSE)


def test_an_idle_connection_is_closed_by_the_server():
    conn = ClientConnection()
    conn.receive_eof()
    with pytest.raises(LocalProtocolError):
        conn.send_request(b"GET", b"/", HOST)
    assert events(conn) == [ConnectionClosed()]
    with pytest.raises(LocalProtocolError):
        conn.send_request(b"GET", b"/", HOST)


# Limits


@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "by byte"])
@pytest.mark.parametrize(
    ("limits", "fits", "exceeds"),
    [
        ({"max_body": 2}, OK + b"\r\nhi", OK + b"\r\nhix"),
        ({"max_body": 2}, OK + b"Content-Length: 2\r\n\r\nhi", OK + b"Content-Length: 3\r\n\r\n"),
        ({"max_body": 2}, CHUNKED + b"2\r\nhi\r\n", CHUNKED + b"2\r\nhi\r\n1\r\n"),
        ({"max_head": 21}, b"HTTP/1.1 200 \r\nA: \r\n\r\n"[:15] + b"A:\r\n\r\n", b"HTTP/1.1 200 \r\nA:b\r\n\r"),
        ({"max_fields": 1}, b"HTTP/1.1 200 \r\nA:\r\n\r\n", b"HTTP/1.1 200 \r\nA:\r\nB"),
        ({"max_target": 1}, OK + b"Content-Length: 2\r\n\r\nhi", b"HTTP/1.1 2000"),
    ],
    ids=["until close", "length", "chunks", "head", "fields", "a target has no say"],
)
def test_limits_are_exact(limits, fits, exceeds, by_byte):
    assert "fault" not in answer(fits, by_byte=by_byte, **limits)
    found = answer(exceeds, by_byte=by_byte, **limits)
    assert found[-1] == "fault"
    if exceeds.endswith(b"hix"):
        assert found[-2] == Data(b"hi")


def test_a_limit_is_told_apart_from_other_faults():
    conn = asking(max_body=1)
    conn.receive_data(OK + b"Content-Length: 2\r\n\r\n")
    with pytest.raises(LimitExceeded):
        conn.next_event()


def test_reading_pauses_while_nobody_takes_the_body():
    conn = asking(max_pipelined=100)
    conn.receive_data(OK + b"Content-Length: 20000\r\n\r\n")
    assert conn.wants_data
    conn.receive_data(b"x" * 20_000)
    assert not conn.wants_data
    assert conn.deadline_kind is None
    events(conn)
    assert conn.wants_data


# A change of protocol


def test_upgrade_hands_over_the_bytes_that_follow():
    conn = asking(headers=UPGRADE)
    conn.receive_data(SWITCHING + b"\x81\x00")
    assert conn.next_event() == Response(
        101, fields(b"connection: upgrade", b"upgrade: WebSocket"), b"Switching Protocols"
    )
    assert conn.next_event() is PAUSED
    assert (conn.our_state, conn.their_state) == (State.SWITCHED_PROTOCOL, State.SWITCHED_PROTOCOL)
    assert conn.trailing_data == b"\x81\x00"
    assert not conn.wants_data
    for call in (lambda: conn.receive_data(b"x"), lambda: conn.send(Data(b"x")), conn.start_next_cycle):
        with pytest.raises(LocalProtocolError):
            call()


def test_an_upgrade_that_is_declined_goes_on_in_http():
    conn = asking(headers=UPGRADE)
    conn.receive_data(OK + b"Content-Length: 0\r\n\r\n")
    assert events(conn)[-1] == EndOfMessage()
    conn.start_next_cycle()
    conn.send_request(b"GET", b"/", HOST)
    conn.receive_data(SWITCHING)
    assert events(conn) == ["fault"]


@pytest.mark.parametrize(
    "raw",
    [
        SWITCHING.replace(b"WebSocket", b"x"),
        SWITCHING.replace(b"WebSocket", b"websocket, x"),
        SWITCHING.replace(b"Upgrade: WebSocket\r\n", b""),
        SWITCHING.replace(b"Connection: upgrade\r\n", b""),
        SWITCHING.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=range(5),
)
def test_a_change_to_a_protocol_that_was_not_offered(raw):
    conn = asking(headers=UPGRADE)
    conn.receive_data(raw)
    assert events(conn) == ["fault"]


def test_a_change_before_the_request_has_ended():
    conn = ClientConnection()
    conn.send(Request(b"POST", b"/", (*UPGRADE, (b"content-length", b"2"))))
    conn.receive_data(SWITCHING)
    assert events(conn) == ["fault"]


# Deadlines


def test_deadlines():
    conn = ClientConnection()
    assert conn.deadline_kind is DeadlineKind.IDLE
    conn.send_request(b"GET", b"/", HOST)
    assert conn.deadline_kind is None
    conn.receive_data(b"H")
    assert conn.deadline_kind is DeadlineKind.HEAD
    conn.next_event()
    assert conn.deadline_kind is DeadlineKind.HEAD
    conn.receive_data(OK[1:] + b"Content-Length: 2\r\n\r\n")
    events(conn)
    assert conn.deadline_kind is DeadlineKind.BODY
    conn.receive_data(b"hi")
    events(conn)
    assert conn.deadline_kind is None
    conn.start_next_cycle()
    assert conn.deadline_kind is DeadlineKind.IDLE
    conn.receive_eof()
    assert conn.deadline_kind is None

"""What the machine refuses to its own side: calls out of turn, and answers that could not be read back as they are."""

from __future__ import annotations

from itertools import product

import pytest

from fraiseql.errors import LocalProtocolError
from fraiseql.protocol.http11 import (
    ConnectionClosed,
    Data,
    EndOfMessage,
    InformationalResponse,
    Request,
    Response,
    ServerConnection,
    State,
)
from fraiseql.protocol.http11.state import CLIENT_OURS, CLIENT_THEIRS, SERVER_OURS, SERVER_THEIRS, Input, move

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_10 = b"GET / HTTP/1.0\r\n\r\n"


def asked(raw: bytes = GET) -> ServerConnection:
    conn = ServerConnection()
    conn.receive_data(raw)
    conn.next_event()
    conn.next_event()
    return conn


TABLES = {
    "server, theirs": SERVER_THEIRS,
    "server, ours": SERVER_OURS,
    "client, theirs": CLIENT_THEIRS,
    "client, ours": CLIENT_OURS,
}
# Each table in words: a state, and what may follow in it, with the state after
LEGAL = {
    "server, theirs": {
        "IDLE": "REQUEST>SEND_BODY CONNECTION_CLOSED>CLOSED LAST_EXCHANGE>MUST_CLOSE FAULT>ERROR",
        "SEND_BODY": "DATA>SEND_BODY END_OF_MESSAGE>DONE FAULT>ERROR",
        "DONE": "NEXT_CYCLE>IDLE LAST_EXCHANGE>MUST_CLOSE SWITCHING>SWITCHED_PROTOCOL CONNECTION_CLOSED>CLOSED",
        "MUST_CLOSE": "CONNECTION_CLOSED>CLOSED",
        "CLOSED": "CONNECTION_CLOSED>CLOSED",
        "ERROR": "CONNECTION_CLOSED>CLOSED",
    },
    "server, ours": {
        "IDLE": "REQUEST>SEND_RESPONSE RESPONSE>SEND_BODY FAULT>SEND_RESPONSE CONNECTION_CLOSED>CLOSED",
        "SEND_RESPONSE": "INFORMATIONAL_RESPONSE>SEND_RESPONSE RESPONSE>SEND_BODY SWITCHING>SWITCHED_PROTOCOL"
        " FAULT>SEND_RESPONSE",
        "SEND_BODY": "DATA>SEND_BODY END_OF_MESSAGE>DONE FAULT>SEND_BODY",
        "DONE": "NEXT_CYCLE>IDLE LAST_EXCHANGE>MUST_CLOSE FAULT>MUST_CLOSE CONNECTION_CLOSED>CLOSED",
        "MUST_CLOSE": "CONNECTION_CLOSED>CLOSED FAULT>MUST_CLOSE",
        "CLOSED": "CONNECTION_CLOSED>CLOSED FAULT>CLOSED",
    },
    "client, theirs": {
        "IDLE": "REQUEST>SEND_RESPONSE CONNECTION_CLOSED>CLOSED LAST_EXCHANGE>MUST_CLOSE FAULT>ERROR",
        "SEND_RESPONSE": "INFORMATIONAL_RESPONSE>SEND_RESPONSE RESPONSE>SEND_BODY SWITCHING>SWITCHED_PROTOCOL"
        " FAULT>ERROR",
        "SEND_BODY": "DATA>SEND_BODY END_OF_MESSAGE>DONE FAULT>ERROR",
        "DONE": "NEXT_CYCLE>IDLE LAST_EXCHANGE>MUST_CLOSE CONNECTION_CLOSED>CLOSED FAULT>ERROR",
        "MUST_CLOSE": "CONNECTION_CLOSED>CLOSED",
        "CLOSED": "CONNECTION_CLOSED>CLOSED",
        "ERROR": "CONNECTION_CLOSED>CLOSED",
    },
    "client, ours": {
        "IDLE": "REQUEST>SEND_BODY CONNECTION_CLOSED>CLOSED FAULT>MUST_CLOSE",
        "SEND_BODY": "DATA>SEND_BODY END_OF_MESSAGE>DONE CONNECTION_CLOSED>CLOSED FAULT>MUST_CLOSE",
        "DONE": "NEXT_CYCLE>IDLE LAST_EXCHANGE>MUST_CLOSE SWITCHING>SWITCHED_PROTOCOL CONNECTION_CLOSED>CLOSED"
        " FAULT>MUST_CLOSE",
        "MUST_CLOSE": "CONNECTION_CLOSED>CLOSED FAULT>MUST_CLOSE",
        "CLOSED": "CONNECTION_CLOSED>CLOSED FAULT>CLOSED",
    },
}


@pytest.mark.parametrize(("state", "what"), list(product(State, Input)))
@pytest.mark.parametrize("name", TABLES)
def test_every_input_moves_or_is_refused(name, state, what):
    legal = dict([pair.split(">") for pair in LEGAL[name].get(state.name, "").split()])
    if what.name in legal:
        assert move(TABLES[name], state, what) is State[legal[what.name]]
    else:
        with pytest.raises(LocalProtocolError, match=state.name):
            move(TABLES[name], state, what)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_state_of_a_table_is_reached_from_the_first(table):
    reached = {State.IDLE}
    for _ in State:
        reached |= {after for (before, _), after in table.items() if before in reached}
    assert reached == {before for before, _ in table} | set(table.values())


def _closed() -> ServerConnection:
    conn = ServerConnection()
    conn.send(ConnectionClosed())
    return conn


def _answering() -> ServerConnection:
    conn = asked()
    conn.send(Response(200))
    return conn


def _done() -> ServerConnection:
    conn = asked()
    conn.send_response(200, (), b"")
    return conn


def _must_close() -> ServerConnection:
    conn = asked()
    conn.send_response(200, ((b"connection", b"close"),), b"")
    return conn


def _switched() -> ServerConnection:
    conn = asked(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
    conn.send(Response(101, ((b"upgrade", b"x"),)))
    return conn


SENT = {
    "interim": InformationalResponse(103),
    "response": Response(200),
    "switch": Response(101, ((b"upgrade", b"x"),)),
    "data": Data(b"x"),
    "end": EndOfMessage(),
    "close": ConnectionClosed(),
}
ALLOWED = [
    (ServerConnection, State.IDLE, {"response", "close"}),
    (asked, State.SEND_RESPONSE, {"interim", "response"}),
    (_answering, State.SEND_BODY, {"data", "end"}),
    (_done, State.DONE, {"close"}),
    (_must_close, State.MUST_CLOSE, {"close"}),
    (_closed, State.CLOSED, {"close"}),
    (_switched, State.SWITCHED_PROTOCOL, set()),
]


@pytest.mark.parametrize(("make", "state", "allowed"), ALLOWED, ids=[row[1].name for row in ALLOWED])
@pytest.mark.parametrize("name", SENT)
def test_sending_out_of_turn(make, state, allowed, name):
    conn = make()
    assert conn.our_state is state
    if name in allowed:
        conn.send(SENT[name])
        return
    theirs = conn.their_state
    with pytest.raises(LocalProtocolError):
        conn.send(SENT[name])
    assert (conn.our_state, conn.their_state) == (state, theirs)


@pytest.mark.parametrize("make", [row[0] for row in ALLOWED], ids=[row[1].name for row in ALLOWED])
@pytest.mark.parametrize("event", [Request(b"GET", b"/", ()), None, 42, b"raw", State.IDLE], ids=repr)
def test_what_is_no_event_of_this_side(make, event):
    conn = make()
    before = (conn.our_state, conn.their_state, conn.keep_alive)
    with pytest.raises(LocalProtocolError, match="is nothing that this side sends"):
        conn.send(event)
    assert (conn.our_state, conn.their_state, conn.keep_alive) == before


@pytest.mark.parametrize("warm", [False, True], ids=["first answer", "answer like the last"])
def test_a_body_that_is_not_bytes_changes_nothing(warm):
    conn = asked()
    if warm:
        conn.send_response(200, (), b"hi")
        conn.start_next_cycle()
        conn.receive_data(GET)
        conn.next_event()
        conn.next_event()
    before = (conn.our_state, conn.their_state, conn.keep_alive)
    with pytest.raises(TypeError):
        conn.send_response(200, (), "hi")
    assert (conn.our_state, conn.their_state, conn.keep_alive) == before
    assert conn.send_response(200, (), b"yo").endswith(b"yo")


def test_fields_in_a_list_are_those_of_a_tuple_even_once_it_was_changed():
    fields = [[b"x", b"1"]]
    for value in (b"1", b"2"):
        fields[0][1] = value
        answers = {
            asked().send_response(200, fields, b"hi"),
            asked().send_response(200, ((b"x", value),), b"hi"),
            asked().send_response(200, [(b"x", value)], b"hi"),
        }
        assert len(answers) == 1
    conn = asked()
    for value in (b"1", b"2"):
        fields[0][1] = value
        assert b"x: " + value in conn.send_response(200, fields, b"hi")
        conn.start_next_cycle()
        conn.receive_data(GET)
        conn.next_event()
        conn.next_event()


@pytest.mark.parametrize(
    "headers", [(("x", "y"),), [("x", "y")], [(b"x", None)], ((b"x",),), [b"xyz"], None, 1], ids=repr
)
def test_fields_that_are_no_pairs_of_bytes(headers):
    conn = asked()
    with pytest.raises(LocalProtocolError, match="pairs"):
        conn.send_response(200, headers, b"hi")
    assert conn.our_state is State.SEND_RESPONSE


@pytest.mark.parametrize(("make", "state", "allowed"), ALLOWED, ids=[row[1].name for row in ALLOWED])
def test_a_whole_answer_out_of_turn(make, state, allowed):
    conn = make()
    if "response" in allowed:
        assert conn.send_response(200, (), b"")
    else:
        with pytest.raises(LocalProtocolError):
            conn.send_response(200, (), b"")
        assert conn.our_state is state


@pytest.mark.parametrize(("make", "state", "allowed"), ALLOWED, ids=[row[1].name for row in ALLOWED])
def test_the_next_cycle_out_of_turn(make, state, allowed):
    conn = make()
    if state is State.DONE:
        conn.start_next_cycle()
        assert conn.our_state is State.IDLE
    else:
        with pytest.raises(LocalProtocolError):
            conn.start_next_cycle()
        assert conn.our_state is state


BAD_FIELDS = [
    (b"", b"x"),
    (b"a b", b"x"),
    (b"a:", b"x"),
    (b"a\r\nb", b"x"),
    (b"a\n", b"x"),
    (b"\xe9", b"x"),
    (b"a", b"x\r\ny: z"),
    (b"a", b"x\n"),
    (b"a", b"x\r"),
    (b"a", b"x\0"),
    (b"a", b"x\x7f"),
    (b"a", b" x"),
    (b"a", b"x\t"),
    (b"connection", b"x\r\ny: z"),
    (b"transfer-encoding", b"gzip, chunked"),
    (b"transfer-encoding", b"identity"),
    (b"content-length", b""),
    (b"content-length", b"+2"),
    (b"content-length", b"1_0"),
    (b"content-length", b"2, 2"),
    (b"content-length", b"1" * 5_000),
    (b"connection", b"clo se"),
    (b"connection", b'"close"'),
    (b"connection", b"close;x"),
    (b"connection", b"\xa0close"),
    (b"connection", b"keep-alive, a/b"),
    (b"upgrade", b"web socket"),
    (b"upgrade", b"a/b/c"),
    (b"upgrade", b"a, /b"),
    (b"upgrade", b"a/"),
]


@pytest.mark.parametrize("field", BAD_FIELDS, ids=lambda field: repr(field)[:60])
def test_fields_that_would_split_or_misframe_an_answer(field):
    conn = asked()
    for event in (Response(200, (field,)), InformationalResponse(103, (field,))):
        with pytest.raises(LocalProtocolError):
            conn.send(event)
    with pytest.raises(LocalProtocolError):
        conn.send_response(200, (field,), b"hi")
    assert conn.send(Response(200))
    with pytest.raises(LocalProtocolError):
        conn.send(EndOfMessage((field,)))
    assert conn.send(EndOfMessage())


@pytest.mark.parametrize(
    "headers",
    [
        ((b"content-length", b"2"), (b"Content-Length", b"2")),
        ((b"content-length", b"2"), (b"transfer-encoding", b"chunked")),
        ((b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")),
        ((b"date", b"a"), (b"date", b"b")),
    ],
    ids=repr,
)
def test_fields_that_contradict_each_other(headers):
    with pytest.raises(LocalProtocolError):
        asked().send(Response(200, headers))


@pytest.mark.parametrize(
    "field",
    [(b"content-length", b"0"), (b"connection", b"x"), (b"connection", b"close"), (b"upgrade", b"x")],
    ids=repr,
)
def test_interim_answers_carry_no_framing(field):
    with pytest.raises(LocalProtocolError):
        asked().send(InformationalResponse(103, (field,)))


def test_interim_answers_are_for_http_11():
    with pytest.raises(LocalProtocolError):
        asked(GET_10).send(InformationalResponse(103))


@pytest.mark.parametrize("status", [0, 99, 101, 200, 404])
def test_status_of_an_interim_answer(status):
    with pytest.raises(LocalProtocolError):
        asked().send(InformationalResponse(status))


@pytest.mark.parametrize("status", [0, 99, 100, 102, 199, 600, 1000])
def test_status_of_an_answer(status):
    with pytest.raises(LocalProtocolError):
        asked().send(Response(status))
    with pytest.raises(LocalProtocolError):
        asked().send_response(status, (), b"")


def test_101_is_not_a_whole_answer():
    with pytest.raises(LocalProtocolError):
        asked().send_response(101, ((b"upgrade", b"x"),), b"")


@pytest.mark.parametrize("reason", [b"a\r\nb: c", b"\n", b"a\0", b" a"], ids=repr)
def test_reason(reason):
    with pytest.raises(LocalProtocolError):
        asked().send(Response(200, (), reason))


@pytest.mark.parametrize("date", [b"", b" ", b"a\r\nb: c"], ids=repr)
@pytest.mark.parametrize("headers", [(), ((b"date", b"x"),)], ids=["none in the fields", "one in the fields"])
def test_date_value(date, headers):
    conn = asked()
    with pytest.raises(LocalProtocolError, match="Date"):
        conn.send_response(200, headers, b"", date)
    with pytest.raises(LocalProtocolError, match="Date"):
        conn.send(Response(200, headers), date)
    assert conn.our_state is State.SEND_RESPONSE


@pytest.mark.parametrize(
    ("status", "length"), [(200, b"1"), (200, b"3"), (204, b"0"), (204, b"2"), (205, b"2"), (304, None)], ids=repr
)
def test_a_whole_answer_whose_body_is_not_what_its_head_says(status, length):
    conn = asked()
    headers = () if length is None else ((b"content-length", length),)
    with pytest.raises(LocalProtocolError):
        conn.send_response(status, headers, b"hi")
    assert (conn.our_state, conn.keep_alive) == (State.SEND_RESPONSE, True)


def test_a_streamed_body_longer_than_its_length():
    conn = asked()
    conn.send(Response(200, ((b"content-length", b"3"),)))
    conn.send(Data(b"hi"))
    with pytest.raises(LocalProtocolError, match="longer"):
        conn.send(Data(b"yo"))
    assert conn.our_state is State.SEND_BODY
    assert conn.send(Data(b"y")) == b"y"


def test_a_streamed_body_shorter_than_its_length():
    conn = asked()
    conn.send(Response(200, ((b"content-length", b"3"),)))
    with pytest.raises(LocalProtocolError, match="shorter"):
        conn.send(EndOfMessage())
    assert conn.our_state is State.SEND_BODY


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_body_where_there_is_none(status):
    conn = asked()
    conn.send(Response(status))
    with pytest.raises(LocalProtocolError):
        conn.send(Data(b"x"))


@pytest.mark.parametrize(
    "trailers", [((b"Content-Length", b"2"),), ((b"host", b"a"),), ((b"a", b"b\r\nc: d"),)], ids=repr
)
def test_bad_trailers(trailers):
    conn = asked()
    conn.send(Response(200))
    with pytest.raises(LocalProtocolError):
        conn.send(EndOfMessage(trailers))


@pytest.mark.parametrize("raw", [GET, GET_10], ids=["length", "until close"])
def test_trailers_need_chunks(raw):
    conn = asked(raw)
    conn.send(Response(200, ((b"content-length", b"0"),) if raw is GET else ()))
    with pytest.raises(LocalProtocolError, match="chunked"):
        conn.send(EndOfMessage(((b"a", b"b"),)))


def test_trailers_of_an_answer_to_head_are_not_sent():
    conn = asked(HEAD)
    conn.send(Response(200))
    assert conn.send(EndOfMessage(((b"a", b"b"),))) == b""


def test_signals_states_and_inputs_have_short_names():
    conn = ServerConnection()
    assert [repr(conn.next_event()), repr(conn.our_state), repr(Input.DATA)] == ["NEED_DATA", "IDLE", "DATA"]


def test_heads_are_values():
    headers = ((b"host", b"a"),)
    request = Request(b"GET", b"/", headers)
    assert request == Request(b"GET", b"/", dict(headers))
    assert request != Request(b"GET", b"/", headers, b"1.0")
    assert request != Response(200, headers)
    assert repr(request) == "Request(method=b'GET', target=b'/', headers=((b'host', b'a'),), http_version=b'1.1')"
    assert repr(Response(200)) == "Response(status=200, headers=(), reason=b'')"
    match request:
        case Request(method, target, fields, version):
            assert (method, target, fields, version) == (b"GET", b"/", headers, b"1.1")
    with pytest.raises(TypeError):
        hash(request)

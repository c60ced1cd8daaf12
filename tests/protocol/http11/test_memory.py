"""A connection remembers its last head and its last answer. That may never change what it reads or writes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraiseql.limits import HttpLimits
from fraiseql.protocol import http11

quick = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])

GOOD = [b"0", b"1", b"2", b"02", b"12", b"000", b"999", b" 2", b"2 "]
DIGITS = [*GOOD, b"", b"+2", b"2x", b"2, 2", b"1" * 20, b"1" * 21]
HEADS = [
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nX: y\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nExpect: 100-continue\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nX: y\r\nX: y\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: %b\r\nHost: a\r\nX: y \r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nContent-Length: 2\r\n\r\n",
    b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: %b\r\n\r\n",
]
PLAIN = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nX: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\r",
    b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n2\r\nyo\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n2\nyo\r\n0\r\n\r\n",
]


def with_body(head: bytes, digits: bytes) -> bytes:
    return head % digits + b"x" * (int(digits) if digits in GOOD else 0)


requests = st.one_of(
    st.sampled_from(PLAIN),
    st.builds(with_body, st.sampled_from(HEADS[:2]) | st.sampled_from(HEADS), st.sampled_from(DIGITS)),
)
limits = st.sampled_from([HttpLimits(), HttpLimits(max_head=53, max_body=15), HttpLimits(max_fields=3, max_head=70)])


@quick
@given(sequence=st.lists(requests, min_size=2, max_size=6), bounds=limits)
def test_each_request_is_read_as_if_it_were_the_first(read, sequence, bounds):
    expected = []
    for raw in sequence:
        expected += read([raw], bounds)
        if expected[-1][0] == "error":
            break
    assert read(sequence, bounds) == expected
    assert read([b"".join(sequence)], bounds)[: len(expected)] == expected


@pytest.mark.parametrize("first", GOOD)
@pytest.mark.parametrize("second", DIGITS)
@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_other_digits_in_the_same_head(read, head, first, second):
    sequence = [with_body(head, first), with_body(head, second)]
    expected = []
    for raw in sequence:
        expected += read([raw])
        if expected[-1][0] == "error":
            break
    assert read(sequence) == expected


def test_digits_that_make_the_head_too_long(read):
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\n"
    bounds = HttpLimits(max_head=len(head % b"1"))
    transcript = read([head % b"1" + b"x", head % b"02" + b"xx"], bounds)
    assert [entry[0] for entry in transcript] == ["request", "body", "end", "error"]
    assert transcript[-1][1] == 431


def test_what_is_done_with_a_request_does_not_reach_the_next():
    conn = http11.ServerConnection()
    seen = []
    for _ in range(2):
        conn.receive_data(PLAIN[0])
        request = conn.next_event()
        conn.next_event()
        seen.append((request.method, request.target, request.headers, request.get(b"host")))
        request.method = request.target = request.http_version = b"x"
        conn.send_response(200, (), b"")
        conn.start_next_cycle()
    assert seen == [(b"GET", b"/", ((b"host", b"a"),), b"a")] * 2


ASKED = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
]
answers = st.tuples(
    st.sampled_from(ASKED[:1]) | st.sampled_from(ASKED),
    st.sampled_from([200, 200, 200, 204, 205, 304, 404, 408]),
    st.sampled_from(
        [
            (),
            ((b"x", b"y"),),
            ((b"x-content-length", b"2"),),
            ((b"content-length", b"2"),),
            ((b"connection", b"close"),),
            ((b"connection", b"x"),),
            ((b"upgrade", b"x"),),
            ((b"date", b"then"),),
            ((b"transfer-encoding", b"chunked"),),
        ]
    ),
    st.sampled_from([b"", b"hi", b"hello"]),
    st.sampled_from([None, b"now", b"later"]),
    st.booleans(),
)


def respond(conn: http11.ServerConnection, raw, status, headers, body, date, eof) -> object:
    conn.receive_data(raw)
    conn.next_event()
    conn.next_event()
    if eof:
        conn.receive_eof()
    try:
        sent = conn.send_response(status, headers, body, date)
    except http11.LocalProtocolError as error:
        return str(error), conn.our_state, conn.their_state, conn.keep_alive
    return sent, conn.our_state, conn.their_state, conn.keep_alive


@pytest.mark.parametrize("eof", [False, True], ids=["open", "ended"])
@pytest.mark.parametrize("asked", ASKED)
def test_a_remembered_answer_is_not_given_to_another_kind_of_request(asked, eof):
    headers = ((b"content-type", b"text/plain"),)
    conn = http11.ServerConnection()
    for _ in range(2):
        respond(conn, PLAIN[0], 200, headers, b"hello", b"now", False)
        conn.start_next_cycle()
    found = respond(conn, asked, 200, headers, b"hi", b"now", eof)
    fresh = respond(http11.ServerConnection(), asked, 200, headers, b"hi", b"now", eof)
    assert found == fresh


@quick
@given(sequence=st.lists(answers, min_size=2, max_size=6), repeats=st.integers(1, 3))
def test_each_answer_is_written_as_if_it_were_the_first(sequence, repeats):
    conn = http11.ServerConnection()
    for arguments in [arguments for arguments in sequence for _ in range(repeats)]:
        found = respond(conn, *arguments)
        assert found == respond(http11.ServerConnection(), *arguments)
        if conn.our_state is not http11.State.DONE or conn.their_state is not http11.State.DONE or arguments[-1]:
            break
        conn.start_next_cycle()

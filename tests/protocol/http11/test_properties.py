"""What holds for any input: cuts mean nothing, only the declared errors escape, and answers read back as they were."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol import http11
from fraiseql.protocol.http11.grammar import REQUEST_LINE, field_lines, small_head
from fraiseql.protocol.http11.scanner import PARTS, Cursor

quick = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])

PIECES = [
    b"GET", b"POST", b"HEAD", b"OPTIONS", b"CONNECT", b"PRI", b"get", b" ", b"  ", b"/", b"*", b"/a?b",
    b"http://a/", b"a:1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.10", b"\r\n", b"\n", b"\r",
    b"\t", b"\0", b"\xe9", b"x", b"%", b"%41", b"#", b":", b": ", b"Host: a\r\n", b"Host: b/c\r\n",
    b"Content-Length: 2\r\n", b"Content-Length: 0\r\n", b"Content-Length: +2\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Connection: close\r\n",
    b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\n",
    b"Connection: upgrade\r\n", b"\r\n\r\n", b"hi", b"2\r\nhi\r\n", b"0\r\n\r\n", b"0\r\n", b"1;a=b\r\nx\r\n",
    b'1;a="b"', b"1;a", b"ffffff\r\n", b"X: y\r\n", b" z", b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\n", b"\x16\x03\x01",
]  # fmt: skip
streams = st.one_of(st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join), st.binary(max_size=60))
small = HttpLimits(
    max_head=120, max_target=20, max_fields=4, max_body=10, max_chunk_extensions=6, max_trailers=20, max_pipelined=64
)


def cut(raw: bytes, points: list[int]) -> list[bytes]:
    ends = sorted({min(point, len(raw)) for point in points} | {len(raw)})
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("limits", [HttpLimits(), small], ids=["usual limits", "small limits"])
@quick
@given(raw=streams, points=st.lists(st.integers(0, 200), max_size=8), eof=st.booleans())
def test_cuts_mean_nothing(read, limits, raw, points, eof):
    assert read(cut(raw, points), limits, eof=eof) == read([raw], limits, eof=eof)


methods = st.sampled_from([b"GET", b"POST", b"HEAD", b"QUERY"])
names = st.sampled_from([b"X", b"accept", b"Accept", b"x-y"])
values = st.sampled_from([b"", b"a", b"a b", b" a \t", b"\xe9"])
bodies = st.binary(max_size=40)


@st.composite
def requests(draw) -> tuple[bytes, bytes]:
    """A valid request and its body."""
    head = draw(methods) + b" /" + draw(st.sampled_from([b"", b"a", b"?b"])) + b" HTTP/1.1\r\nHost: a\r\n"
    for name, value in draw(st.lists(st.tuples(names, values), max_size=5)):
        head += name + b":" + value + b"\r\n"
    body = draw(bodies)
    if draw(st.booleans()):
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body, body
    point = draw(st.integers(0, len(body)))
    chunks = [piece for piece in (body[:point], body[point:]) if piece]
    encoded = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in chunks])
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + encoded + b"0\r\n\r\n", body


@quick
@given(pipeline=st.lists(requests(), min_size=1, max_size=4), points=st.lists(st.integers(0, 600), max_size=8))
def test_valid_requests_are_read_however_they_are_cut(read, pipeline, points):
    raw = b"".join([request for request, _ in pipeline])
    transcript = read(cut(raw, points))
    assert [entry[0] for entry in transcript if entry[0] != "body"] == ["request", "end"] * len(pipeline)
    assert [entry[1] for entry in transcript if entry[0] == "body"] == [body for _, body in pipeline if body]


def walk(raw: bytes) -> int | None:
    """Where a head of HTTP/1 ends, by the table."""
    cursor = Cursor(PARTS["start"], 0, len(raw) + 1, ("", 400))
    try:
        while cursor.advance(bytearray(raw)):
            if cursor.part is PARTS["end"]:
                return cursor.pos
            if cursor.part is PARTS["version-end"] and raw[cursor.pos - 3 : cursor.pos - 2] != b"1":
                return None
    except RemoteProtocolError:
        pass
    return None


@quick
@given(
    raw=st.one_of(
        streams.filter(lambda raw: not raw.startswith(b"\r")),
        streams.map(lambda raw: b"GET / HTTP/1.1\r\nHost: a\r\n" + raw + b"\r\n\r\n"),
        requests().map(lambda request: request[0]),
    )
)
def test_the_patterns_and_the_table_accept_the_same_heads(raw):
    end = walk(raw)
    for count in range(12):
        small = small_head(REQUEST_LINE, count).match(raw)
        assert small is None or small.end() == end
    line = re.match(REQUEST_LINE, raw)
    if end is None:
        found = line and field_lines(raw.count(b"\r\n", line.end(), raw.find(b"\r\n\r\n") + 2)).match(raw, line.end())
        assert not found or not raw.startswith(b"\r\n", found.end())
    else:
        assert line is not None
        found = field_lines(raw.count(b"\n", line.end(), end) - 1).match(raw, line.end())
        assert found is not None
        assert found.end() == end - 2


calls = st.lists(
    st.one_of(
        streams.map(lambda data: ("receive_data", data)),
        st.sampled_from(
            [
                ("receive_data", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                ("receive_data", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"),
                ("receive_data", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
                ("receive_data", b"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                ("next_event",),
                ("next_event",),
                ("next_event",),
                ("receive_eof",),
                ("start_next_cycle",),
                ("send_response", 200, (), b"hi"),
                ("send_response", 204, (), b""),
                ("send", http11.InformationalResponse(100)),
                ("send", http11.Response(200)),
                ("send", http11.Response(200, ((b"content-length", b"2"),))),
                ("send", http11.Response(101, ((b"upgrade", b"x"),))),
                ("send", http11.Data(b"hi")),
                ("send", http11.EndOfMessage()),
                ("send", http11.ConnectionClosed()),
            ]
        ),
    ),
    max_size=25,
)


@quick
@given(calls=calls)
def test_only_declared_errors_escape_and_a_refused_call_changes_nothing(calls):
    conn = http11.ServerConnection(small)
    for name, *arguments in calls:
        before = (conn.our_state, conn.their_state, conn.keep_alive, conn.buffered)
        try:
            getattr(conn, name)(*arguments)
        except LocalProtocolError:
            assert (conn.our_state, conn.their_state, conn.keep_alive, conn.buffered) == before
        except RemoteProtocolError:
            assert conn.their_state is http11.State.ERROR
            assert not conn.keep_alive
        assert conn.deadline_kind is None or conn.wants_data


@quick
@given(pieces=st.lists(bodies, max_size=5), chunked=st.booleans())
def test_what_is_sent_reads_back(read, pieces, chunked):
    conn = http11.ServerConnection()
    conn.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    conn.next_event()
    length = b"%d" % sum(map(len, pieces))
    framing = (b"transfer-encoding", b"chunked") if chunked else (b"content-length", length)
    sent = conn.send(http11.Response(200, (framing,)))
    sent += b"".join([conn.send(http11.Data(piece)) for piece in pieces]) + conn.send(http11.EndOfMessage())
    as_request = b"POST / HTTP/1.1\r\nhost: a\r\n" + sent.partition(b"\r\n")[2]
    whole = b"".join(pieces)
    assert [entry[1] for entry in read([as_request])[1:]] == ([whole, ()] if whole else [()])


class Counting(bytearray):
    """A buffer that counts the bytes that are copied from it, or searched."""

    steps = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        self.steps += len(found) if isinstance(key, slice) else 1
        return found

    def __bytes__(self):
        self.steps += len(self)
        return bytes(super().__getitem__(slice(None)))

    def find(self, what, start=0, end=None):
        found = super().find(what, start, len(self) if end is None else end)
        self.steps += (min(len(self), end or len(self)) if found < 0 else found) - start
        return found

    def count(self, what, start=0, end=None):
        end = len(self) if end is None else min(end, len(self))
        self.steps += end - start
        return super().count(what, start, end)


@pytest.fixture
def steps(monkeypatch, reader):
    """`steps(pieces)`: how many bytes are copied, searched or walked over to read these pieces."""
    buffer = Counting()

    def counted(run):
        def match(text, pos, end):
            found = run(text, pos, end)
            buffer.steps += found.end() - pos + 1
            return found

        return match

    for part in PARTS.values():
        if part.run is not None:
            monkeypatch.setattr(part, "run", counted(part.run))

    def count(pieces) -> int:
        wide = 1 << 30
        connection = reader(
            HttpLimits(
                max_head=wide,
                max_target=wide,
                max_fields=wide,
                max_body=wide,
                max_chunk_extensions=wide,
                max_trailers=wide,
                max_pipelined=wide,
            )
        )
        buffer.clear()
        buffer.steps = 0
        connection.conn._buffer = buffer
        for piece in pieces:
            connection.feed(piece)
        return buffer.steps

    return count


STREAM = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
STREAMS = [
    (b"", b"G"),
    (b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (b"", STREAM + b"\r\n5\r\nhello\r\n0\r\n\r\n"),
    (b"GET /", b"%41"),
    (STREAM + b"X: ", b"a"),
    (STREAM + b"X: ", b":"),
    (STREAM + b"X: ", b" "),
    (STREAM + b"X: y\r\n", b"a:\r\n"),
    (STREAM + b"X: y\r\n", b"X: y\r\n"),
    (STREAM + b"X: y\r\n", b"X"),
    (STREAM + b"\r\n", b"5\r\nhello\r\n"),
    (STREAM + b"\r\n", b"1;a\r\nx\r\n"),
    (STREAM + b"\r\n1", b";a"),
    (STREAM + b'\r\n1;a="', b"\\a"),
    (STREAM + b"\r\nffffff\r\n", b"a"),
    (STREAM + b"\r\n0\r\n", b"X: y\r\n"),
    (STREAM + b"\r\n0\r\nX:", b"y"),
]
streams_of_units = pytest.mark.parametrize(("start", "unit"), STREAMS, ids=repr)


@streams_of_units
def test_a_long_stream_is_read_in_linear_time(start, unit, steps):
    """Four times the bytes, one by one, take about four times the steps: none is looked at again and again."""

    def one_by_one(size: int) -> int:
        raw = start + unit * (size // len(unit))
        return steps([raw[index : index + 1] for index in range(len(raw))])

    assert one_by_one(16_000) < 8 * one_by_one(4_000)


@streams_of_units
def test_a_long_piece_is_read_in_linear_time(start, unit, steps):
    def in_one_piece(size: int) -> int:
        return steps([start + unit * (size // len(unit))])

    assert in_one_piece(800_000) < 8 * in_one_piece(200_000)

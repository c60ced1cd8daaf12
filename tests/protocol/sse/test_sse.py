"""Event streams: what is written reads back, and the decoder's verdict does not depend on how the bytes were cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fraiseql.protocol.sse import (
    CONTENT_TYPE,
    KEEP_ALIVE,
    NEED_DATA,
    Decoder,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    ServerSentEvent,
    encode_complete,
    encode_next,
)

quick = settings(deadline=None, max_examples=300)


def read(pieces: list[bytes], **options) -> tuple[list[ServerSentEvent | str], str, int | None]:
    decoder = Decoder(**options)
    found: list[ServerSentEvent | str] = []
    try:
        for piece in pieces:
            decoder.receive_data(piece)
            while not isinstance(event := decoder.next_event(), type(NEED_DATA)):
                found.append(event)
    except RemoteProtocolError as error:
        found.append(str(error))
    return found, decoder.last_event_id, decoder.retry


def cut(raw: bytes, points: list[int]) -> list[bytes]:
    ends = sorted({min(point, len(raw)) for point in points} | {len(raw)})
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def event(data: str, type_: str = "message", id_: str = "") -> ServerSentEvent:
    return ServerSentEvent(type_, data, id_)


STREAMS = [
    (b"", []),
    (b"data: a\n\n", [event("a")]),
    (b"data: a\r\n\r\n", [event("a")]),
    (b"data: a\r\r", [event("a")]),
    (b"data: a\r\n\n", [event("a")]),
    (b"data: a\n\r\n", [event("a")]),
    (b"data: a\r\n\rdata: b\r\r\n", [event("a"), event("b")]),
    (b"data: a\n", []),
    (b"data: a", []),
    (b"data:a\n\n", [event("a")]),
    (b"data:  a \n\n", [event(" a ")]),
    (b"data\n\n", [event("")]),
    (b"data:\n\n", [event("")]),
    (b"data\ndata\n\n", [event("\n")]),
    (b"data: a\ndata: b\ndata:\n\n", [event("a\nb\n")]),
    (b"data: a:b\n\n", [event("a:b")]),
    (b"data : a\n\n", []),
    (b" data: a\n\n", []),
    (b"Data: a\n\n", []),
    (b": comment\ndata: a\n:\n\n", [event("a")]),
    (b":\n\n:\n\n", []),
    (b"event: next\ndata: a\n\ndata: b\n\n", [event("a", "next"), event("b")]),
    (b"event: next\n\ndata: b\n\n", [event("b")]),
    (b"event: a\nevent: b\ndata: c\n\n", [event("c", "b")]),
    (b"event\ndata: c\n\n", [event("c")]),
    (b"\xef\xbb\xbfdata: a\n\n", [event("a")]),
    (b"\xef\xbb\xbf\n\xef\xbb\xbfdata: a\n\n", []),
    (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    (b"id: 1\ndata: a\n\ndata: b\n\n", [event("a", id_="1"), event("b", id_="1")]),
    (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [event("a", id_="1"), event("b")]),
    (b"id: 1\nid: 2\0\ndata: a\n\n", [event("a", id_="1")]),
    ("data: é😀\u2028\n\n".encode(), [event("é😀\u2028")]),
    (b"data: a\x0b\x0c\n\n", [event("a\x0b\x0c")]),
    (b"unknown: x\ndata: a\n\n", [event("a")]),
]


@pytest.mark.parametrize(("raw", "events"), STREAMS)
def test_events(raw, events):
    for pieces in ([raw], [raw[at : at + 1] for at in range(len(raw))]):
        assert read(pieces)[0] == events


@pytest.mark.parametrize(
    ("raw", "last", "retry"),
    [
        (b"id: 1\n\n", "1", None),
        (b"id: 1\n", "", None),
        (b"id: 1\n\nid: 2\ndata: x\n", "1", None),
        (b"id: \n\n", "", None),
        (b"retry: 1500\n", "", 1500),
        (b"retry:0\n", "", 0),
        (b"retry: 1\nretry: 1.5\nretry: -1\nretry: \nretry: 2x\nretry: \xd9\xa1\nretry:  3\n", "", 1),
        (b"retry: " + b"9" * 5_000 + b"\n", "", None),
    ],
)
def test_how_to_resume(raw, last, retry):
    assert read([raw]) == ([], last, retry)


def test_a_stream_is_resumed_from_an_id():
    assert read([b"data: a\n\n"], last_event_id="7") == ([event("a", id_="7")], "7", None)


@pytest.mark.parametrize(
    "raw", [b"data: \xff\n\n", b"data: \xc3\n\n", b"event: \xff\n", b": \xff\n", b"\xff: a\n", b"\xed\xa0\x80\n"]
)
def test_what_is_no_text(raw):
    assert read([b"data: a\n\n" + raw, b"data: b\n\n"])[0] == [event("a"), "the event stream is not UTF-8"]


def test_nothing_is_read_after_an_error():
    decoder = Decoder()
    decoder.receive_data(b"data: \xff\n")
    with pytest.raises(RemoteProtocolError) as caught:
        decoder.next_event()
    assert caught.value.status == 502
    decoder.receive_data(b"data: a\n\n")
    with pytest.raises(LocalProtocolError):
        decoder.next_event()


@pytest.mark.parametrize("raw", [b"data: " + b"a" * 20, b":" + b"a" * 20, b"data: a\n" * 11])
def test_bounds(raw):
    decoder = Decoder(max_event=20)
    decoder.receive_data(raw)
    with pytest.raises(LimitExceeded):
        decoder.next_event()


def test_what_is_within_the_bounds():
    assert read([b"data: " + b"a" * 14 + b"\n\n" * 3] * 20, max_event=20)[0] == [event("a" * 14)] * 20


def test_long_lines_in_small_pieces_take_linear_time():
    pieces = [b"data: "] + [b"a" * 64] * 15_000 + [b"\n\n"]
    (found,) = read(pieces)[0]
    assert isinstance(found, ServerSentEvent)
    assert len(found.data) == 960_000


PIECES = [b"data", b"data: a", b"event: next", b"id: 1", b"id", b"retry: 5", b":", b"\n", b"\r", b"\r\n", b" ", b"x",
          b"\xef\xbb\xbf", b"\xc3\xa9", b"\xff", b"\0", b"\n\n"]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"max_event": 12}])
@quick
@given(
    raw=st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join) | st.binary(max_size=40),
    points=st.lists(st.integers(0, 100), max_size=6),
)
@example(raw=b"data: a\r\n\r\n", points=[8, 9, 10])
def test_cuts_mean_nothing(options, raw, points):
    assert read(cut(raw, points), **options) == read([raw], **options)


def test_what_is_written():
    assert encode_next(b'{"data":null}') == b'event: next\ndata: {"data":null}\n\n'
    assert encode_next(b"{}", "a-1") == b"event: next\nid: a-1\ndata: {}\n\n"
    assert encode_complete() == b"event: complete\ndata:\n\n"
    assert CONTENT_TYPE == b"text/event-stream"


@pytest.mark.parametrize("cursor", ["a\nb", "a\rb", "a\0b"])
def test_what_cannot_be_an_id(cursor):
    with pytest.raises(LocalProtocolError):
        encode_next(b"{}", cursor)


@quick
@given(
    value=st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)),
    indent=st.none() | st.just(2),
    cursor=st.none() | st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"])),
    points=st.lists(st.integers(0, 300), max_size=6),
)
def test_what_is_written_reads_back(value, indent, cursor, points):
    body = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    stream = KEEP_ALIVE + encode_next(body, cursor) + KEEP_ALIVE + encode_complete()
    first, last = read(cut(stream, points))[0]
    assert isinstance(first, ServerSentEvent)
    assert isinstance(last, ServerSentEvent)
    assert (first.event, json.loads(first.data), first.id) == ("next", value, cursor or "")
    assert (last.event, last.data) == ("complete", "")
    assert first.data.encode() == body


def test_what_is_shown_of_a_signal():
    assert repr(NEED_DATA) == "NEED_DATA"

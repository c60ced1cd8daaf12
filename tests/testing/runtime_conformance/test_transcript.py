"""Bytes that are expected, held against those that come, however they come."""

from __future__ import annotations

import pytest

from fraiseql.testing.runtime_conformance.transcript import Mismatch, Transcript, fill_in

EXPECTED = b'date: <date>\r\nlength: <length>\r\n{"id":"<request>","at":"<cursor>"}'
RECEIVED = b'date: Thu, 01 Jan 2026 00:00:00 GMT\r\nlength: 12\r\n{"id":"a1-2-3","at":"827.64"}'


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_what_differs_from_run_to_run_is_kept(size: int) -> None:
    values: dict[bytes, bytes] = {}
    transcript = Transcript(values)
    for place in range(0, len(RECEIVED), size):
        assert not transcript.take(EXPECTED)
        transcript.receive(RECEIVED[place : place + size])
    transcript.receive(b"rest")
    assert transcript.take(EXPECTED)
    assert transcript.rest == b"rest"
    assert values[b"cursor"] == b"827.64"
    assert fill_in(b"after <cursor> of <request>", values) == b"after 827.64 of a1-2-3"


@pytest.mark.parametrize(
    ("expected", "received"),
    [
        (b"abc", b"x"),
        (b"abc", b"abx"),
        (b"<length>!", b"x"),
        (b"<length>!", b"12?"),
        (b"<date>!", b"Thu, 01 Jan 2026 00:00:00 CET"),
        (b"<size>\r\n", b"xyz\r\n"),
    ],
)
def test_what_is_wrong_is_noticed_as_soon_as_it_comes(expected: bytes, received: bytes) -> None:
    transcript = Transcript({})
    transcript.receive(received)
    with pytest.raises(Mismatch, match="but came"):
        transcript.take(expected)


def test_any_byte_may_stand_for_a_length() -> None:
    transcript = Transcript({})
    transcript.receive(b"\x81\x05hello")
    assert transcript.take(b"\x81<byte>hello")

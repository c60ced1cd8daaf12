"""Accept-Encoding (RFC 9110 §12.5.3): which coding an answer gets, or why there is none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraiseql.session.coding import Choice, Coding, Compression
from fraiseql.session.graphql_http import EVENT_STREAM, HttpRefusal

JSON = b"application/json"
ZSTD, BR, GZIP = (Coding(name, bytes) for name in (b"zstd", b"br", b"gzip"))
COMPRESSION = Compression([ZSTD, BR, GZIP], 100)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"gzip", GZIP),
        (b"gzip, deflate, br, zstd", ZSTD),  # the server's order where the client has none
        (b"gzip, br", BR),
        (b"GZip", GZIP),
        (b"x-gzip", GZIP),  # §8.4.1.3
        (b"*", ZSTD),
        (b"gzip;q=1.0, *;q=0.5", GZIP),
        (b"gzip;q=0.8, br;q=0.9, zstd;q=0.7", BR),
        (b"zstd;q=0, *", BR),
        (b"br;q=0.001", BR),
        (b"gzip ; q=0.5 , br\t;\tQ=0.4", GZIP),
        (b"identity, gzip", GZIP),  # of equal rank: the server's choice
        (b"identity;q=0.5, gzip;q=0.4", None),
        (b"identity;q=0.5, gzip", GZIP),
        (b"*;q=0.4, gzip;q=0", ZSTD),
        (b"", None),
        (b"identity", None),
        (b"identity;q=1", None),
        (b"deflate", None),
        (b"deflate, compress;q=0.5", None),
        (b"gzip;q=0", None),
        (b"gzip;q=0, br;q=0, zstd;q=0", None),
        (b",gzip,,", GZIP),
        (b"gzip;q=0, gzip;q=0.5", GZIP),
        # what is malformed counts as not said
        (b"gzip;q=bad", None),
        (b"gzip;q=", None),
        (b"gzip;q=1.5", None),
        (b"gzip;q=0.1234", None),
        (b"gzip;q=-1", None),
        (b"gzip;level=9", None),
        (b"gzip;q=1;x=2", None),
        (b"gzip br", None),
        (b"gzip;q=bad, br;q=0.1", BR),
        (b"identity;q=none", None),
        (b"*;q=", None),
        (b"\xff\x01", None),
        (b'"gzip"', None),
    ],
)
def test_accept_encoding(field: bytes, expected: Coding | None) -> None:
    wanted = None if expected is None else Choice(expected, 100)
    assert COMPRESSION.choose(field, JSON) == wanted


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (b"gzip, identity;q=0", GZIP),
        (b"gzip, *;q=0", GZIP),
        (b"identity;q=0, *", ZSTD),
        (b"*, identity;q=0.000", ZSTD),
    ],
)
def test_a_client_that_refuses_an_uncoded_answer_gets_a_small_one_coded_too(field: bytes, expected: Coding) -> None:
    assert COMPRESSION.choose(field, JSON) == Choice(expected, 0)


@pytest.mark.parametrize("field", [b"identity;q=0", b"*;q=0", b"deflate, identity;q=0", b"gzip;q=0, *;q=0"])
@pytest.mark.parametrize("compression", [COMPRESSION, Compression()], ids=["on", "off"])
def test_a_client_that_accepts_nothing_there_is_is_refused(compression: Compression, field: bytes) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        compression.choose(field, JSON)
    assert refusal.value.answer.status == 406


def test_an_excluded_identity_named_again_is_acceptable() -> None:
    assert COMPRESSION.choose(b"*;q=0, identity;q=0.1", JSON) is None


@pytest.mark.parametrize("field", [b"gzip", b"*", b"gzip;q=0.5, identity;q=0.1"])
def test_event_streams_are_not_coded(field: bytes) -> None:
    assert COMPRESSION.choose(field, EVENT_STREAM) is None


def test_event_streams_are_refused_to_a_client_that_must_have_a_coding() -> None:
    with pytest.raises(HttpRefusal) as refusal:
        COMPRESSION.choose(b"gzip, identity;q=0", EVENT_STREAM)
    assert refusal.value.answer.status == 406


NAMES = ["zstd", "br", "gzip", "identity", "*", "deflate"]
WEIGHTS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 1_000), min_size=1)


@given(WEIGHTS)
def test_the_choice_is_the_best_that_the_client_accepts(weights: dict[str, int]) -> None:
    field = ", ".join(f"{name};q={weight / 1_000:.3f}" for name, weight in weights.items()).encode()
    ranks = {coding: weights.get(coding.name.decode(), weights.get("*", 0)) for coding in (ZSTD, BR, GZIP)}
    best = max(ranks.values())
    identity = weights.get("identity", 0 if weights.get("*") == 0 else None)
    try:
        choice = COMPRESSION.choose(field, JSON)
    except HttpRefusal:
        assert best == identity == 0
        return
    if best == 0 or best < (identity or 0):
        assert choice is None
    else:
        assert choice is not None
        assert ranks[choice.coding] == best
        assert (choice.min_size == 0) is (identity == 0)


@given(st.binary(max_size=60) | st.text(" ,;=q.*01gzipbrstdey\t", max_size=60).map(str.encode))
def test_any_bytes_are_a_choice_or_a_refusal(field: bytes) -> None:
    choice = None
    with suppress(HttpRefusal):
        choice = COMPRESSION.choose(field, JSON)
    assert choice is None or choice.coding in (ZSTD, BR, GZIP)

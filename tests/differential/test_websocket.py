"""Our reading of a client's frames against those of wsproto and websockets: they agree, or the table says why not.

The drawn streams are the same in every run; `RANDOM_EXAMPLES=30000 pytest tests/differential` draws others.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from differential.websocket_readers import PEERS, Outcome, read_ours
from fraiseql.limits import WebSocketLimits
from protocol.websocket.driving import F, deflated, wire
from protocol.websocket.test_verdicts import ROWS

Stream = Sequence[F | bytes]
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"


class Disagreement(NamedTuple):
    """One known and wanted difference.

    Attributes:
        name: of the difference.
        peer: who reads it in another way.
        ours: how our reading ends there.
        theirs: how theirs does; None for anything.
        shows: whether a stream holds the cause.
        why: who accepts what, and why we differ.
        example: a stream that shows it.
        is_deflated: whether the example needs permessage-deflate.
    """

    name: str
    peer: str
    ours: str | int
    theirs: str | int | None
    shows: Callable[[Sequence[F]], bool]
    why: str
    example: Stream
    is_deflated: bool = False


def _control(frame: F) -> bool:
    return bool(frame.first & 0x08)


def _too_long_a_length(frames: Sequence[F]) -> bool:
    return any(
        frame.form is not None
        and frame.form > (1 if len(frame.payload) < 126 else 3 if len(frame.payload) < 65_536 else 9)
        for frame in frames
    )


def _close_within(frames: Sequence[F]) -> bool:
    is_within = False
    for frame in frames:
        if frame.first & 0x0F == 8:
            return is_within
        if not _control(frame):
            is_within = not frame.first & 0x80
    return False


def _a_surrogate(frames: Sequence[F]) -> bool:
    """A fragment of text ends within a surrogate."""
    payload = b"".join([frame.payload for frame in frames if not _control(frame)])
    return any(lead + second in payload for lead in (b"\xed",) for second in map(_byte, range(0xA0, 0xC0)))


def _bad_reason(frames: Sequence[F]) -> bool:
    return any(
        frame.first == 0x88 and "\ufffd" in frame.payload[2:].decode("utf-8", errors="replace") for frame in frames
    )


def _byte(value: int) -> bytes:
    return bytes([value])


def _packed(frames: Sequence[F]) -> bool:
    return any(frame.first & 0x40 for frame in frames)


def _final_block(frames: Sequence[F]) -> bool:
    """A deflated message has a block with BFINAL."""
    data = [frame for frame in frames if not _control(frame)]
    return any(_ends(b"".join([part.payload for part in data[at:]])) for at, one in enumerate(data) if one.first & 0x40)


def _ends(packed: bytes) -> bool:
    codec = zlib.decompressobj(-15)
    try:
        codec.decompress(packed)
    except zlib.error:
        return False
    return codec.eof


def _packed_with_control(frames: Sequence[F]) -> bool:
    return any(frame.first in (0x41, 0x42) for frame in frames) and any(map(_control, frames))


def _close_1014(frames: Sequence[F]) -> bool:
    return any(frame.first == 0x88 and frame.payload[:2] == (1014).to_bytes(2, "big") for frame in frames)


DISAGREEMENTS = [
    Disagreement(
        "a length in more bytes than it takes",
        "websockets",
        1002,
        None,
        _too_long_a_length,
        "RFC 6455 §5.2: the minimal number of bytes MUST be used. websockets does not look.",
        [F(0x81, b"a", form=3)],
    ),
    Disagreement(
        "a length of 64 bits",
        "websockets",
        1002,
        1009,
        lambda frames: any((frame.said or 0) >= 1 << 63 for frame in frames),
        "RFC 6455 §5.2: the first bit MUST be 0. For websockets it is a long message.",
        [F(0x82, said=1 << 63)],
    ),
    Disagreement(
        "a close frame within a message",
        "websockets",
        "closed",
        1002,
        _close_within,
        "RFC 6455 §5.4: control frames MAY be injected in the middle of a fragmented message. For websockets the "
        "message is cut short.",
        [F(0x01, b"a"), F(0x88)],
    ),
    Disagreement(
        "a close frame with two faults",
        "websockets",
        1002,
        1007,
        _bad_reason,
        "RFC 6455 §7.4.2: the code comes first, and is bad. websockets reads the reason first.",
        [F(0x88, b"\0\0\xff")],
    ),
    Disagreement(
        "half a surrogate",
        "websockets",
        1007,
        "open",
        _a_surrogate,
        "RFC 3629 §3: these two bytes begin no character. Python's decoder waits for the third.",
        [F(0x01, b"\xed\xa0")],
    ),
    Disagreement(
        "half a surrogate",
        "wsproto",
        1007,
        None,
        _a_surrogate,
        "RFC 3629 §3: these two bytes begin no character. Python's decoder waits for the third.",
        [F(0x01, b"\xed\xa0"), F(0x89)],
    ),
    Disagreement(
        "close code 1014",
        "wsproto",
        "closed",
        1002,
        _close_1014,
        "IANA has registered it since (bad gateway). wsproto does not know it.",
        [F(0x88, (1014).to_bytes(2, "big"))],
    ),
    Disagreement(
        "a message without bound",
        "wsproto",
        1009,
        "open",
        lambda frames: any((frame.said or 0) > WebSocketLimits().max_message for frame in frames),
        "RFC 6455 §10.4: wsproto has no limit of its own.",
        [F(0x82, said=1 << 40)],
    ),
    Disagreement(
        "what cannot be inflated",
        "websockets",
        1007,
        1002,
        _packed,
        "RFC 6455 §7.4.1: 1007 is for data that is not consistent with the type of the message. No RFC names a code "
        "for this; websockets takes 1002.",
        [F(0xC1, b"\xff" * 9)],
        is_deflated=True,
    ),
    Disagreement(
        "a control frame within a deflated message, read on",
        "wsproto",
        "open",
        None,
        _packed_with_control,
        "RFC 7692 §6.1: control frames may stand between. wsproto forgets then that the message is deflated.",
        [F(0x41, HELLO[:3]), F(0x89), F(0x80, HELLO[3:])],
        is_deflated=True,
    ),
    Disagreement(
        "a bad block behind a final one",
        "wsproto",
        1007,
        None,
        _final_block,
        "RFC 7692 §7.2.3.4: BFINAL ends a block, not the message. For wsproto what follows it is not there.",
        [F(0xC1, b"\x03\x00" + b"\xff" * 9)],
        is_deflated=True,
    ),
    Disagreement(
        "a good block behind a final one",
        "wsproto",
        "open",
        "open",
        _final_block,
        "RFC 7692 §7.2.3.4: BFINAL ends a block, not the message. For wsproto what follows it is not there.",
        [F(0xC1, b"\x03\x00" + HELLO)],
        is_deflated=True,
    ),
    Disagreement(
        "a bad block behind a final one",
        "websockets",
        1007,
        None,
        _final_block,
        "RFC 7692 §7.2.3.4: BFINAL ends a block, not the message. For websockets what follows it is not there.",
        [F(0xC1, b"\x03\x00" + b"\xff" * 9)],
        is_deflated=True,
    ),
    Disagreement(
        "a good block behind a final one",
        "websockets",
        "open",
        "open",
        _final_block,
        "RFC 7692 §7.2.3.4: BFINAL ends a block, not the message. For websockets what follows it is not there.",
        [F(0xC1, b"\x03\x00" + HELLO)],
        is_deflated=True,
    ),
    Disagreement(
        "another message within a deflated one",
        "wsproto",
        1002,
        1007,
        _packed,
        "RFC 6455 §5.4: fragments of messages must not be interleaved. wsproto inflates first, and finds that fault.",
        [F(0x41, b"a"), F(0x81, b"a")],
        is_deflated=True,
    ),
    Disagreement(
        "a control frame within a deflated message, refused",
        "wsproto",
        1007,
        None,
        _packed_with_control,
        "As above, where the rest of the message cannot be inflated.",
        [F(0x41), F(0x89), F(0x00, b"x" * 126)],
        is_deflated=True,
    ),
    Disagreement(
        "a control frame within a deflated message, closed",
        "wsproto",
        "closed",
        None,
        _packed_with_control,
        "As above, with a close frame behind it.",
        [F(0x41, HELLO[:3]), F(0x89), F(0x80, HELLO[3:]), F(0x88)],
        is_deflated=True,
    ),
]


def unexplained(stream: Stream, deflate: bool, table: Sequence[Disagreement] = DISAGREEMENTS) -> dict[str, tuple]:
    """By peer, the readings that differ without a reason that is known."""
    raw = wire(stream, "server")
    frames = [frame for frame in stream if isinstance(frame, F)]
    ours, found = read_ours(raw, deflate), {}
    for peer, read in PEERS.items():
        theirs = read(raw, deflate)
        known = [entry for entry in table if entry.peer == peer and entry.shows(frames)]
        is_explained = any(entry.ours == ours.ending and entry.theirs in (None, theirs.ending) for entry in known)
        if ours != theirs and not is_explained:
            found[peer] = (ours, theirs)
    return found


COMPARED = [
    row
    for row in ROWS
    if "server" in row.roles
    and row.limits == WebSocketLimits()
    and (row.deflate is None or row.deflate.client_no_context_takeover)
]


@pytest.mark.parametrize("row", COMPARED, ids=lambda row: row.name)
def test_every_row_of_the_verdicts(row):
    assert unexplained((*row.state, *row.frames), row.deflate is not None) == {}


PAYLOADS = [
    b"",
    b"a",
    b"Hello",
    "é€😀".encode(),
    b"\xe2\x82",
    b"\xac",
    b"\xff",
    b"\x03\xe8",
    b"\x03\xe8ok",
    b"\x03\xee",
]
PACKED = [HELLO, deflated(b"a" * 500), HELLO[:3], HELLO[3:], deflated("é".encode()), deflated(b"a", b"b")]
FIRST = [
    0x81,
    0x81,
    0x82,
    0x01,
    0x02,
    0x00,
    0x80,
    0x80,
    0x89,
    0x8A,
    0x88,
    0x83,
    0x91,
    0x09,
    0xC1,
    0x41,
    0x42,
    0xC9,
    0x40,
]
frames = st.builds(
    F,
    st.one_of(st.sampled_from(FIRST), st.sampled_from(FIRST), st.integers(0, 255)),
    st.one_of(
        st.sampled_from([*PAYLOADS, *PACKED]), st.binary(max_size=8), st.sampled_from([b"x" * 126, b"x" * 70_000])
    ),
    st.sampled_from([None] * 9 + [1, 3, 9]),
    st.none(),
)


@settings(
    max_examples=int(os.environ.get("RANDOM_EXAMPLES", "500")),
    derandomize="RANDOM_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(stream=st.lists(frames.filter(lambda frame: frame.form != 1 or len(frame.payload) < 126), max_size=6))
@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
def test_drawn_streams(stream, deflate):
    assert unexplained(stream, deflate) == {}


@pytest.mark.parametrize("entry", DISAGREEMENTS, ids=lambda entry: f"{entry.name}, {entry.peer}")
def test_every_disagreement_is_shown_and_needed(entry):
    """What an entry explains, nothing else does; so an entry that has become void is noticed."""
    assert unexplained(entry.example, entry.is_deflated) == {}
    others = [other for other in DISAGREEMENTS if other is not entry]
    assert set(unexplained(entry.example, entry.is_deflated, others)) == {entry.peer}
    assert entry.why.endswith(".")


def test_the_readers_read():
    """All three tell the same messages, so that they cannot agree on nothing."""
    stream = [F(0x81, b"a"), F(0x02, b"b"), F(0x89, b"p"), F(0x80, b"c"), F(0x8A), F(0x88, b"\x03\xe8ok")]
    events = (("text", "a"), ("ping", b"p"), ("bytes", b"bc"), ("pong", b""), ("close", 1000, "ok"))
    raw = wire(stream, "server")
    for read in (read_ours, *PEERS.values()):
        assert read(raw, False) == Outcome(events, "closed")
        assert read(wire([F(0xC1, HELLO)], "server"), True) == Outcome((("text", "Hello"),), "open")
        assert read(b"\xff\xff", False) == Outcome((), 1002)

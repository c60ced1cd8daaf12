"""Our reading of requests against that of h11 and httptools: they agree, or the table says why not.

The drawn streams are the same in every run; `RANDOM_EXAMPLES=30000 pytest tests/differential` draws others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings

from differential.comparison import unexplained
from differential.head_disagreements import HEADS
from differential.message_disagreements import MESSAGES
from differential.parsers import PEERS, Message, Outcome, Parser, read_ours
from differential.streams import cut, points, streams
from protocol.http11.test_verdicts import ROWS

DISAGREEMENTS = [*HEADS, *MESSAGES]
EXAMPLES = [(entry, raw) for entry in DISAGREEMENTS for raw in entry.examples]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_every_row_of_the_verdicts(row):
    assert unexplained([row.raw], DISAGREEMENTS) == {}


@settings(
    max_examples=int(os.environ.get("RANDOM_EXAMPLES", "400")),
    derandomize="RANDOM_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(raw=streams(), places=points)
def test_drawn_streams_and_cuts(raw, places):
    assert unexplained(cut(raw, places), DISAGREEMENTS) == {}


@pytest.mark.parametrize(("entry", "raw"), EXAMPLES, ids=[entry.name for entry, _ in EXAMPLES])
def test_every_disagreement_is_shown_and_needed(entry, raw):
    """What an entry of the table explains, nothing else does; so an entry that has become void is noticed."""
    assert unexplained([raw], DISAGREEMENTS) == {}
    others = [other for other in DISAGREEMENTS if other is not entry]
    assert unexplained([raw], others), "the readings agree, or another entry explains why they do not"


@pytest.mark.parametrize("entry", DISAGREEMENTS, ids=lambda entry: entry.name)
def test_every_peer_of_a_disagreement_is_shown(entry):
    others = [other for other in DISAGREEMENTS if other is not entry]
    shown = {peer for raw in entry.examples for peer in unexplained([raw], others)}
    assert shown == set(entry.peers)


def test_disagreements_are_named_once():
    names = [entry.name for entry in DISAGREEMENTS]
    assert len(set(names)) == len(names)
    assert all(entry.section.startswith("RFC") and entry.why.endswith(".") for entry in DISAGREEMENTS)


# A check that cannot fail proves nothing: parsers with a planted fault, and streams that show it.


def _changed(**changes: object) -> Parser:
    """A parser that reads one part of each request wrongly."""

    def read(pieces: Iterable[bytes]) -> Outcome:
        outcome = read_ours(pieces)
        return outcome._replace(messages=tuple(message._replace(**changes) for message in outcome.messages))

    return read


def _replacing(old: bytes, new: bytes) -> Parser:
    """A parser that takes some bytes for others."""
    return lambda pieces: read_ours([b"".join(pieces).replace(old, new)])


def _refusing(part: bytes, reason: str) -> Parser:
    """A parser that refuses some bytes, with words that the table knows."""

    def read(pieces: Iterable[bytes]) -> Outcome:
        raw = b"".join(pieces)
        return Outcome((), "refused", reason) if part in raw else read_ours([raw])

    return read


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: y\r\n\r\n"
NAMED = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"

FAULTS = {
    "method": (_changed(method=b"PUT"), GET),
    "target": (_changed(target=b"/a"), GET),
    "headers": (_changed(headers=()), GET),
    "body": (_changed(body=b"h"), POST),
    "trailers": (_changed(trailers=()), CHUNKED),
    "a name in upper case": (_changed(headers=((b"Host", b"a"), (b"x", b"y"))), NAMED),
    "a value with its space": (_changed(headers=((b"host", b"a"), (b"x", b" y"))), NAMED),
    "the second request": (lambda pieces: Outcome(read_ours(pieces).messages[:1], "idle"), GET + GET),
    "a request that is not there": (lambda pieces: read_ours([*pieces, GET]), GET),
    "Content-Length beside Transfer-Encoding": (
        _replacing(b"Content-Length: 9\r\n", b""),
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "+2 as a length": (_replacing(b"+2", b"2"), POST.replace(b" 2", b" +2")),
    "a signed chunk size": (_replacing(b"+2", b"2"), CHUNKED.replace(b"\r\n2\r\n", b"\r\n+2\r\n")),
    "space before a colon": (_replacing(b"X :", b"X:"), NAMED.replace(b"X:", b"X :")),
    "NUL in a value": (_replacing(b"\0", b""), NAMED.replace(b"y", b"y\0")),
    "garbage after a chunk": (_replacing(b"hiXX", b"hi\r\n"), CHUNKED.replace(b"hi\r\n", b"hiXX")),
    "no bare LF in it": (_refusing(b"GET", "expected a field name, not byte 0x0a"), GET),
    "no bad Host": (_refusing(b"POST", "no Host"), POST),
    "no trailer that is forbidden": (_refusing(b"POST", "may not stand in the trailers"), POST),
    "no words": (_refusing(b"GET", ""), GET),
    "one that waits": (lambda pieces: Outcome((), "incomplete"), GET),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name):
    fault, raw = FAULTS[name]
    assert unexplained([raw], DISAGREEMENTS) == {}
    assert set(unexplained([raw], DISAGREEMENTS, fault)), "no peer disagrees with the fault"


def test_the_readers_read():
    """All three tell the same request, so that they cannot agree on nothing."""
    message = Message(
        b"POST", b"/", b"1.1", ((b"host", b"a"), (b"transfer-encoding", b"chunked")), b"hi", ((b"x", b"y"),)
    )
    for read in (read_ours, *PEERS.values()):
        assert read([CHUNKED]) == Outcome((message,), "idle")
        assert read([CHUNKED[:-1]]).ending == "incomplete"
        assert read([b"\0"]).ending == "refused"
        assert read([GET.replace(b"Host", b"Connection: close\r\nHost")]).ending == "closed"

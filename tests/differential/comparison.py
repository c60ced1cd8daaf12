"""Finds where two readings of the same bytes part, and asks the table of disagreements for the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from differential.parsers import PEERS, Message, Outcome, Parser, read_ours

__all__ = ["Disagreement", "Kind", "Parting", "explain", "find_parting", "unexplained"]

# Ends most of what can be left open, so that a parser which refuses late has its say too.
REST = b"\r\n\r\n0\r\n\r\n"


class Kind(Enum):
    """How two readings part."""

    WE_REFUSE = "we refuse what they read"
    THEY_REFUSE = "they refuse what we read"
    WE_READ_ON = "this was the last request for them, not for us"
    THEY_READ_ON = "this was the last request for us, not for them"
    READ_DIFFERENTLY = "both read the same request, with another meaning"
    ONE_WAITS = "one waits for the rest of a request, the other does not"


class Parting(NamedTuple):
    """The first point at which two readings differ.

    Attributes:
        kind: how.
        words: what the one who refuses says; else the names of the parts that differ.
    """

    kind: Kind
    words: str


class Disagreement(NamedTuple):
    """One known and wanted difference.

    Attributes:
        name: of the difference.
        section: of the specification that decides it.
        peers: who reads it in another way.
        kind: how the readings part.
        words: a pattern for what the refusing side says; it tells one reason for a refusal from another.
        shows: a pattern for the bytes that cause it.
        why: who accepts what, and why we differ.
        examples: streams that show it.
        mend: takes out of a request what is read differently, where both read it with another meaning.
    """

    name: str
    section: str
    peers: tuple[str, ...]
    kind: Kind
    words: str
    shows: bytes
    why: str
    examples: tuple[bytes, ...]
    mend: Callable[[Message], Message] | None = None

    def applies(self, peer: str, raw: bytes) -> bool:
        return peer in self.peers and re.search(self.shows, raw, re.IGNORECASE | re.DOTALL) is not None


def find_parting(ours: Outcome, theirs: Outcome) -> Parting | None:
    """Where two readings part; None where they agree."""
    for our, their in zip(ours.messages, theirs.messages, strict=False):
        if our != their:
            names = [name for name in Message._fields if getattr(our, name) != getattr(their, name)]
            return Parting(Kind.READ_DIFFERENTLY, ", ".join(names))
    more = len(ours.messages) - len(theirs.messages)
    if not more and ours.ending == theirs.ending:
        return None
    if theirs.ending == "closed" and more >= 0:
        return Parting(Kind.WE_READ_ON, ours.reason)
    if ours.ending == "closed" and more <= 0:
        return Parting(Kind.THEY_READ_ON, theirs.reason)
    if ours.ending == "refused" and more <= 0:
        return Parting(Kind.WE_REFUSE, ours.reason)
    if theirs.ending == "refused" and more >= 0:
        return Parting(Kind.THEY_REFUSE, theirs.reason)
    return Parting(Kind.ONE_WAITS, f"{ours.ending} here, {theirs.ending} there")


def explain(raw: bytes, peer: str, ours: Outcome, theirs: Outcome, table: Iterable[Disagreement]) -> Parting | None:
    """How two readings of `raw` part, where no entry of the table explains it."""
    known = [entry for entry in table if entry.applies(peer, raw)]
    parting = find_parting(ours, theirs)
    for entry in known:
        if entry.mend is not None and parting is not None and parting.kind is Kind.READ_DIFFERENTLY:
            ours, theirs = _mend(ours, entry.mend), _mend(theirs, entry.mend)
            parting = find_parting(ours, theirs)
    if parting is None or any(
        entry.mend is None and entry.kind is parting.kind and re.search(entry.words, parting.words) for entry in known
    ):
        return None
    return parting


def _mend(outcome: Outcome, mend: Callable[[Message], Message]) -> Outcome:
    return outcome._replace(messages=tuple(map(mend, outcome.messages)))


def unexplained(pieces: list[bytes], table: Iterable[Disagreement], read: Parser = read_ours) -> dict[str, Parting]:
    """By peer, how its reading of a stream parts from ours without a reason that is known.

    Args:
        pieces: the stream, as it is cut.
        table: what is known.
        read: our parser.
    """
    found = {}
    for name, peer in PEERS.items():
        ours, theirs = read(pieces), peer(pieces)
        if ours.ending != theirs.ending and "incomplete" in (ours.ending, theirs.ending):
            ours, theirs = read([*pieces, REST]), peer([*pieces, REST])
        parting = explain(b"".join(pieces), name, ours, theirs, table)
        if parting is not None:
            found[name] = parting
    return found

"""What becomes of an answer between the end of its operation and the wire: its tag, and its content coding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fraiseql.effects import Program, compute
from fraiseql.pipeline import Outcome
from fraiseql.protocol.http11 import Request
from fraiseql.session.coding import Choice, Compression
from fraiseql.session.graphql_http import Answer
from fraiseql.session.validators import entity_tag, is_held

__all__ = ["Unfinished", "finish"]

# Of an answer to GET: nobody but the client keeps it, and asks before it is used again (RFC 9111 §5.2.2.4, §5.2.2.7)
_FRESHNESS: Final = (b"cache-control", b"private, no-cache")
_VARY: Final = (b"vary", b"accept, accept-encoding")
_LARGE: Final = 65_536  # bytes of a body: their tag takes as long as to have another thread make it, some 50 µs
_FOR_304: Final = frozenset((b"cache-control", b"vary"))  # beside Date and ETag (RFC 9110 §15.4.5)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An answer to which something is to be done that takes its time.

    Attributes:
        answer: as it is: it may go out so.
        program: gives the answer as it shall be.
    """

    answer: Answer
    program: Program[Answer]


def finish(
    given: Answer, outcome: Outcome, request: Request, choice: Choice | None, compression: Compression, *, etags: bool
) -> Answer | Unfinished:
    """Make an answer ready to go out.

    Args:
        given: the answer to an operation.
        outcome: of that operation.
        request: that is answered.
        choice: the coding that the client shall have.
        etags: whether answers to GET have an entity tag.
    """
    condition: bytes | None = None
    if request.method != b"POST":
        given = Answer(given.status, (*given.headers, _FRESHNESS, _VARY), given.body)
        if etags and given.status == 200 and outcome is Outcome.DATA:
            condition = request.get(b"if-none-match") or b""
            if len(given.body) < _LARGE:
                given = _tagged(given, entity_tag(given.body, _media_type(given)), condition)
                condition = None
    if choice is not None and (given.status == 304 or not compression.is_due(choice, given.body)):
        choice = None
    if choice is None and condition is None:
        return given
    return Unfinished(given, _finish(given, condition, choice))


def _finish(given: Answer, condition: bytes | None, choice: Choice | None) -> Program[Answer]:
    if condition is not None:
        tag = yield from compute(entity_tag, given.body, _media_type(given))
        given = _tagged(given, tag, condition)
    if choice is not None and given.status != 304:
        body = yield from compute(choice.coding.encode, given.body)
        given = Answer(given.status, _coded(given.headers, choice.coding.name), body)
    return given


def _media_type(given: Answer) -> bytes:
    """Without its charset, which is always the same."""
    return given.headers[0][1].partition(b";")[0]


def _tagged(given: Answer, tag: bytes, condition: bytes) -> Answer:
    """The answer under its tag, or that the client holds it already."""
    field = (b"etag", tag)
    if is_held(tag, condition):
        return Answer(304, (*(header for header in given.headers if header[0] in _FOR_304), field), b"")
    return Answer(given.status, (*given.headers, field), given.body)


@lru_cache(maxsize=64)
def _coded(headers: tuple[tuple[bytes, bytes], ...], name: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The fields of a coded answer: one tuple for all answers that have no tag, which are framed the faster for it."""
    return (*headers, (b"content-encoding", name), *(() if _VARY in headers else (_VARY,)))

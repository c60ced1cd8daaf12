"""What becomes of an answer between the end of its operation and the wire: its tag, and its content coding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fraiseql.effects import Program, compute
from fraiseql.pipeline import Outcome
from fraiseql.protocol.http11 import Headers, Request
from fraiseql.session.coding import Choice
from fraiseql.session.graphql_http import Answer
from fraiseql.session.validators import entity_tag, is_held

__all__ = ["Unfinished", "finish"]

# Of an answer to GET: nobody but the client keeps it, and asks before it is used again (RFC 9111 §5.2.2.4, §5.2.2.7)
_FRESHNESS: Final = (b"cache-control", b"private, no-cache")
_VARY: Final = (b"vary", b"accept, accept-encoding")
_LARGE: Final = 65_536  # bytes of a body: to make its tag takes as long as to have another thread do so, some 50 µs


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
    given: Answer, outcome: Outcome, request: Request, choice: Choice | None, etags: bool
) -> Answer | Unfinished:
    """Make an answer ready to go out.

    Args:
        given: the answer to an operation.
        outcome: of that operation.
        request: that is answered.
        choice: the coding that the client shall have.
        etags: whether answers to GET have an entity tag.
    """
    status, headers, body = given.status, given.headers, given.body
    condition: bytes | None = None
    if request.method != b"POST":
        headers = _fresh(headers)
        if etags and status == 200 and outcome is Outcome.DATA:
            condition = request.get(b"if-none-match") or b""
            if len(body) < _LARGE:
                field = (b"etag", entity_tag(body, headers[0][1]))
                if condition and is_held(field[1], condition):
                    return _not_modified(field)
                headers, condition = (*headers, field), None
        given = Answer(status, headers, body)
    if choice is not None and len(body) < choice.min_size:
        choice = None
    return given if choice is None and condition is None else Unfinished(given, _finish(given, condition, choice))


def _finish(given: Answer, condition: bytes | None, choice: Choice | None) -> Program[Answer]:
    headers, body = given.headers, given.body
    if condition is not None:
        field = (b"etag", (yield from compute(entity_tag, body, headers[0][1])))
        if is_held(field[1], condition):
            return _not_modified(field)
        headers = (*headers, field)
    if choice is not None:
        body = yield from compute(choice.coding.encode, body)
        headers = _coded(headers, choice.coding.name)
    return Answer(given.status, headers, body)


def _not_modified(tag: tuple[bytes, bytes]) -> Answer:
    """That the client holds the answer (RFC 9110 §15.4.5)."""
    return Answer(304, (_FRESHNESS, _VARY, tag), b"")


@lru_cache(maxsize=64)
def _fresh(headers: Headers) -> Headers:
    """The fields of an answer to GET."""
    return (*headers, _FRESHNESS, _VARY)


@lru_cache(maxsize=64)
def _coded(headers: Headers, name: bytes) -> Headers:
    """The fields of a coded answer: one tuple for all answers that have no tag, which are framed the faster for it."""
    return (*headers, (b"content-encoding", name), *(() if _VARY in headers else (_VARY,)))

"""GraphQL over HTTP (draft of 2026-08, compatible statuses): from an HTTP request to a GraphQL one, and back.

Everything is decided from the request's head and body alone; nothing here knows of connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import orjson

from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import (
    GraphQLRequest,
    GraphQLResponse,
    Outcome,
    decode_json,
    decode_query_string,
    with_idempotency_key,
)
from fraiseql.protocol.http11 import Request

__all__ = ["EVENT_STREAM", "Answer", "HttpRefusal", "answer", "error_answer", "negotiate", "read_request"]

EVENT_STREAM: Final = b"text/event-stream"
_JSON: Final = b"application/json"
_GRAPHQL_RESPONSE: Final = b"application/graphql-response+json"
_CONTENT_TYPES: Final = {kind: ((b"content-type", kind + b"; charset=utf-8"),) for kind in (_JSON, _GRAPHQL_RESPONSE)}
_PREFLIGHT: Final = (b"graphql-require-preflight", b"apollo-require-preflight", b"x-apollo-operation-name")
_QVALUE: Final = re.compile(rb"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")  # RFC 9110 §12.4.2
_UTF_8: Final = (b"utf-8", b"utf8")
_ALLOWED: Final = ((b"allow", b"GET, HEAD, POST"),)
_BY_STREAM: Final = ((b"allow", b"GET, POST"),)  # for events
_ONLY_POST: Final = ((b"allow", b"POST"),)  # for a mutation

_STATUS: Final[Mapping[Outcome, tuple[int, int]]] = {
    # as application/graphql-response+json, as application/json
    Outcome.NOT_PARSED: (400, 200),
    Outcome.NOT_VALID: (400, 200),
    Outcome.OPERATION_UNKNOWN: (400, 200),
    Outcome.VARIABLES_INVALID: (400, 200),
    Outcome.CALLER_REFUSED: (403, 200),
    Outcome.METHOD_NOT_ALLOWED: (405, 405),
    Outcome.KEY_REUSED: (422, 422),
    Outcome.DATA: (200, 200),
    Outcome.DATA_AND_ERRORS: (200, 200),
    Outcome.FAILED: (500, 200),
    Outcome.UNAVAILABLE: (503, 200),
    Outcome.TIMED_OUT: (504, 200),
}


@dataclass(slots=True)  # not frozen: made for each request, in a third of the time
class Answer:
    """An HTTP answer before it is framed."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class HttpRefusal(Exception):
    """The request gets this answer, and nothing of it runs."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def error_answer(status: int, message: str, code: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Answer:
    """An answer from before a GraphQL response exists: always application/json."""
    body = orjson.dumps({"errors": [{"message": message, "extensions": {"code": code}}]})
    return Answer(status, _CONTENT_TYPES[_JSON] + headers, body)


def negotiate(request: Request) -> bytes:
    """The media type to answer in: the supported one that Accept ranks highest, application/json where it does not say.

    text/event-stream is chosen only where it is asked for by name.

    Raises:
        HttpRefusal: 406, no supported type is acceptable; 405, events are asked for by HEAD.
    """
    accept = request.get(b"accept")
    chosen = _JSON if not accept or accept == b"*/*" else _choose(accept)
    if chosen is None:
        message = f"Answers come as {_JSON.decode()}, {_GRAPHQL_RESPONSE.decode()} or {EVENT_STREAM.decode()}."
        raise HttpRefusal(error_answer(406, message, "NOT_ACCEPTABLE"))
    if chosen is EVENT_STREAM and request.method == b"HEAD":
        message = "Events are served by GET and POST."
        raise HttpRefusal(error_answer(405, message, "METHOD_NOT_ALLOWED", _BY_STREAM))
    return chosen


@lru_cache(maxsize=64)
def _choose(accept: bytes) -> bytes | None:
    """RFC 9110 §12.5.1: the most specific range that matches a type gives its weight; then the earlier wins."""
    ranges = list(_media_ranges(accept))
    best, best_rank = None, (0.0, 0, 0)
    for kind in (_JSON, _GRAPHQL_RESPONSE, EVENT_STREAM):
        patterns = ((2, kind),) if kind == EVENT_STREAM else ((2, kind), (1, b"application/*"), (0, b"*/*"))
        for specificity, pattern in patterns:
            matching = [(quality, -index) for index, (name, quality) in enumerate(ranges) if name == pattern]
            if matching:
                quality, position = max(matching)
                rank = (quality, specificity, position)
                if quality > 0 and (best is None or rank > best_rank):
                    best, best_rank = kind, rank
                break
    return best


def _media_ranges(accept: bytes) -> Iterator[tuple[bytes, float]]:
    """The ranges and their weights; one with a malformed weight or a charset other than UTF-8 is not acceptable."""
    for element in accept.lower().split(b","):
        media_range, *parameters = (part.strip(b" \t") for part in element.split(b";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition(b"=")
            if name == b"q":
                quality = _quality(value)
            elif name == b"charset" and value.strip(b'"') not in _UTF_8:
                quality = 0.0
        yield media_range, quality


def _quality(value: bytes) -> float:
    return float(value) if _QVALUE.fullmatch(value) else 0.0


def read_request(request: Request, body: bytes, limits: QueryLimits) -> GraphQLRequest:
    """Read the GraphQL request that an HTTP request carries.

    Raises:
        HttpRefusal: 405, 415 or 400: another method, another media type, no well-formed request, or one that a page of
            another origin could have sent without being asked first (CSRF).
    """
    if request.method not in (b"POST", b"GET", b"HEAD"):
        raise HttpRefusal(error_answer(405, "GraphQL is served by GET, HEAD and POST.", "METHOD_NOT_ALLOWED", _ALLOWED))
    content_type = _content_type(request)
    try:
        if request.method == b"POST":
            return _read_post(request, content_type, body, limits)
        if content_type is None and not any(request.get(name) for name in _PREFLIGHT) and not _from_own_page(request):
            raise RequestError(
                "A GET request needs a header that makes browsers ask first: 'graphql-require-preflight: 1', "
                "or 'content-type: application/json'.",
                code="BAD_REQUEST",
            )
        return decode_query_string(request.query, limits.max_input_depth)
    except RequestError as error:
        raise HttpRefusal(error_answer(400, error.message, error.code)) from None


def _from_own_page(request: Request) -> bool:
    """Whether a browser says that no foreign page made it ask: its EventSource cannot send headers of ours."""
    return request.get(b"accept") == EVENT_STREAM and request.get(b"sec-fetch-site") in (b"same-origin", b"none")


def _read_post(request: Request, content_type: bytes | None, body: bytes, limits: QueryLimits) -> GraphQLRequest:
    if content_type is None:
        raise RequestError("A POST request needs 'content-type: application/json'.", code="BAD_REQUEST")
    graphql = decode_json(body, limits.max_input_depth)
    key = request.get(b"idempotency-key")
    return with_idempotency_key(graphql, None if key is None else key.decode("latin-1"))


def _content_type(request: Request) -> bytes | None:
    """application/json, or None where there is no Content-Type; another one, or a charset not UTF-8, is refused."""
    given = request.get(b"content-type")
    if given is None or given == _JSON:
        return given
    kind, *parameters = (part.strip(b" \t") for part in given.lower().split(b";"))
    charsets = [parameter for parameter in parameters if parameter.startswith(b"charset=")]
    if kind != _JSON or any(charset[8:].strip(b'"') not in _UTF_8 for charset in charsets):
        message = "The body of a GraphQL request is application/json in UTF-8."
        raise HttpRefusal(error_answer(415, message, "UNSUPPORTED_MEDIA_TYPE"))
    return kind


def answer(response: GraphQLResponse, media_type: bytes) -> Answer:
    """The HTTP answer for a GraphQL response, in the negotiated media type."""
    if response.outcome is Outcome.DATA:  # an enumeration is slow to look up
        return Answer(200, _CONTENT_TYPES[media_type], response.body)
    as_graphql, as_json = _STATUS[response.outcome]
    status = as_graphql if media_type == _GRAPHQL_RESPONSE else as_json
    headers = _CONTENT_TYPES[media_type]
    return Answer(status, headers if status != 405 else headers + _ONLY_POST, response.body)

"""GraphQL over HTTP: negotiation, statuses, and what is let through."""

from __future__ import annotations

import pytest

from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome
from fraiseql.protocol.http11 import Request
from fraiseql.session.graphql_http import EVENT_STREAM, HttpRefusal, answer, negotiate, read_request

JSON = b"application/json"
GRAPHQL = b"application/graphql-response+json"


def http(method: bytes = b"POST", target: bytes = b"/graphql", **headers: bytes) -> Request:
    fields = tuple((name.replace("_", "-").encode(), value) for name, value in headers.items())
    return Request(method, target, fields)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        (b"", JSON),
        (b"*/*", JSON),
        (b"application/*", JSON),
        (b"application/json", JSON),
        (b"Application/JSON", JSON),
        (b"application/graphql-response+json", GRAPHQL),
        (b"application/graphql-response+json; charset=utf-8", GRAPHQL),
        (b"application/graphql-response+json;charset=utf-8, application/json;charset=utf-8;q=0.9", GRAPHQL),
        (b"application/json;q=0.5, application/graphql-response+json", GRAPHQL),
        (b"application/graphql-response+json;q=0.5, application/json", JSON),
        (b"application/graphql-response+json, application/json", GRAPHQL),
        (b"application/json, application/graphql-response+json", JSON),
        (b"text/html, application/xhtml+xml, */*;q=0.8", JSON),
        (b"text/html;q=0.9, application/json;q=0.1", JSON),
        (b"application/json;q=0, */*;q=0.1", GRAPHQL),
        (b"application/graphql-response+json, */*", GRAPHQL),
        (b"application/json, */*", JSON),
        (b"application/*;q=0.2, application/graphql-response+json;q=0.1", JSON),
        (b"text/event-stream", EVENT_STREAM),
        (b"text/event-stream, */*", EVENT_STREAM),
        (b"text/event-stream;q=0.5, application/json", JSON),
        (b"text/*, */*;q=0.1", JSON),
        (b"application/json;q=1.0000, application/graphql-response+json;q=0.1", GRAPHQL),
    ],
)
def test_accept(accept: bytes | None, expected: bytes) -> None:
    assert negotiate(http() if accept is None else http(accept=accept)) == expected


@pytest.mark.parametrize(
    "accept", [b"text/html", b"application/json;q=0", b"application/json; charset=latin-1", b"application/json;q=bad"]
)
def test_accept_fits_nothing(accept: bytes) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        negotiate(http(accept=accept))
    assert refusal.value.answer.status == 406


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/json", None),
        (b"application/json; charset=utf-8", None),
        (b'application/json;charset="UTF-8"', None),
        (b"application/json; profile=x", None),
        (b"application/json; charset=latin-1", 415),
        (b"text/plain", 415),
        (b"application/x-www-form-urlencoded", 415),
        (b"multipart/form-data; boundary=x", 415),
        (b"application/graphql", 415),
        (b"", 415),
        (None, 400),
    ],
)
def test_content_type_of_a_post(content_type: bytes | None, expected: int | None) -> None:
    request = http() if content_type is None else http(content_type=content_type)
    if expected is None:
        assert read_request(request, b'{"query":"{a}"}', QueryLimits()) == GraphQLRequest("{a}")
    else:
        with pytest.raises(HttpRefusal) as refusal:
            read_request(request, b'{"query":"{a}"}', QueryLimits())
        assert refusal.value.answer.status == expected


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"content_type": b"application/json"}, True),
        ({"graphql_require_preflight": b"1"}, True),
        ({"apollo_require_preflight": b"true"}, True),
        ({"x_apollo_operation_name": b"Q"}, True),
        ({"graphql_require_preflight": b""}, False),
        ({"accept": b"application/json"}, False),
        ({"accept": b"text/event-stream", "sec_fetch_site": b"same-origin"}, True),
        ({"accept": b"text/event-stream", "sec_fetch_site": b"cross-site"}, False),
        ({"accept": b"text/event-stream"}, False),
        ({"accept": b"application/json", "sec_fetch_site": b"same-origin"}, False),
        ({}, False),
    ],
)
def test_a_get_that_any_page_could_send_is_refused(headers: dict[str, bytes], allowed: bool) -> None:
    request = http(b"GET", b"/graphql?query=%7Ba%7D&variables=&operationName=", **headers)
    if allowed:
        assert read_request(request, b"", QueryLimits()) == GraphQLRequest("{a}")
    else:
        with pytest.raises(HttpRefusal) as refusal:
            read_request(request, b"", QueryLimits())
        assert refusal.value.answer.status == 400
        assert b"graphql-require-preflight" in refusal.value.answer.body


@pytest.mark.parametrize(
    ("outcome", "as_graphql", "as_json"),
    [
        (Outcome.NOT_PARSED, 400, 200),
        (Outcome.NOT_VALID, 400, 200),
        (Outcome.OPERATION_UNKNOWN, 400, 200),
        (Outcome.VARIABLES_INVALID, 400, 200),
        (Outcome.KEY_REUSED, 422, 422),
        (Outcome.DATA, 200, 200),
        (Outcome.DATA_AND_ERRORS, 200, 200),
        (Outcome.FAILED, 500, 200),
        (Outcome.UNAVAILABLE, 503, 200),
        (Outcome.TIMED_OUT, 504, 200),
    ],
)
def test_status(outcome: Outcome, as_graphql: int, as_json: int) -> None:
    response = GraphQLResponse(outcome, b"{}")
    assert answer(response, GRAPHQL).status == as_graphql
    assert answer(response, JSON).status == as_json
    assert answer(response, GRAPHQL).headers == ((b"content-type", GRAPHQL + b"; charset=utf-8"),)


def test_every_outcome_of_a_single_answer_has_a_status() -> None:
    for outcome in set(Outcome) - {Outcome.STREAM_FAILED}:
        # GraphQL over HTTP: a mutation by GET is refused whatever is asked for. A header's key is no matter of GraphQL.
        refused = {Outcome.METHOD_NOT_ALLOWED: 405, Outcome.KEY_REUSED: 422}
        assert answer(GraphQLResponse(outcome, b"{}"), JSON).status == refused.get(outcome, 200)


@pytest.mark.parametrize("media_type", [JSON, GRAPHQL])
def test_a_mutation_by_get_is_told_the_method(media_type: bytes) -> None:
    given = answer(GraphQLResponse(Outcome.METHOD_NOT_ALLOWED, b"{}"), media_type)
    assert given.status == 405
    assert (b"allow", b"POST") in given.headers

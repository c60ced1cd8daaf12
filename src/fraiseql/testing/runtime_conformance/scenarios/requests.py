"""Requests by HTTP, however their bytes arrive."""

from __future__ import annotations

from fraiseql.observations import RequestCompleted, RequestRefused
from fraiseql.testing.runtime_conformance.exchanges import (
    answer,
    failure,
    not_modified,
    post,
    refusal,
    request,
)
from fraiseql.testing.runtime_conformance.scenario import Scenario
from fraiseql.testing.runtime_conformance.steps import (
    Advance,
    Connect,
    Due,
    Expect,
    ExpectEnd,
    HalfClose,
    Observe,
    Send,
    SendBytewise,
    Step,
)

__all__ = ["REQUESTS"]

_ASKED = post("{ note(id: 1) { body } }")
_ANSWERED = answer(200, b'{"data":{"note":{"body":"one"}}}')
_TARGET = b"/graphql?query=%7Bnote(id:2)%7Bbody%7D%7D"
_PREFLIGHT = b"graphql-require-preflight: 1"
_GET = request(b"GET", _TARGET, _PREFLIGHT)
_TWO = b'{"data":{"note":{"body":"two"}}}'
_TAG = b'W/"6b612268fd861b056277a6b33a7fcdaa"'
_TAGGED = (b"cache-control: private, no-cache", b"vary: accept, accept-encoding", b"etag: " + _TAG)
_HEALTH = request(b"GET", b"/health")
_HEALTHY = answer(200, b'{"status":"ok"}')
_BODY = b'{"query":"{note(id:1){body}}"}'
_TYPE = b"content-type: application/json"


def _scenario(name: str, *steps: Step) -> Scenario:
    return Scenario(name=name, steps=(Connect(), *steps))


def _one(name: str, sent: bytes, expected: bytes) -> Scenario:
    """One request and its answer, after which the connection goes on."""
    return _scenario(name, Send(sent), Expect(expected), Send(_HEALTH), Expect(_HEALTHY))


REQUESTS = (
    _one("a query by POST", _ASKED, _ANSWERED),
    _one("a query by GET", _GET, answer(200, _TWO, *_TAGGED)),
    _one("HEAD has the fields of GET, and no body", b"HEAD" + _GET[3:], answer(200, b"", *_TAGGED, length=b"32")),
    _one(
        "a query by GET of a client that has its answer",
        request(b"GET", _TARGET, _PREFLIGHT, b"if-none-match: " + _TAG),
        not_modified(*_TAGGED),
    ),
    _one(
        "a query by GET of a client that has another answer",
        request(b"GET", _TARGET, _PREFLIGHT, b'if-none-match: W/"1"'),
        answer(200, _TWO, *_TAGGED),
    ),
    _one(
        "a query that wants the media type of GraphQL",
        post("{ note(id: 1) { body } }", b"accept: application/graphql-response+json"),
        answer(200, b'{"data":{"note":{"body":"one"}}}', kind=b"application/graphql-response+json; charset=utf-8"),
    ),
    _one(
        "a query that is not valid",
        post("{ nothing }"),
        answer(
            200,
            b'{"errors":[{"message":"Cannot query field \'nothing\' on type \'Query\'.","locations":[{"line":1,'
            b'"column":3}],"path":["nothing"],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}',
        ),
    ),
    _one("HEAD of what is no GraphQL", request(b"HEAD", b"/health"), answer(200, b"", length=b"15")),
    _one(
        "a path where nothing is",
        request(b"GET", b"/elsewhere"),
        refusal(404, "Nothing is served at this path.", "NOT_FOUND"),
    ),
    _one(
        "a method that is not served",
        request(b"PUT", b"/graphql", body=b""),
        refusal(405, "GraphQL is served by GET, HEAD and POST.", "METHOD_NOT_ALLOWED", b"allow: GET, HEAD, POST"),
    ),
    _one(
        "a media type that is not served",
        request(b"POST", b"/graphql", b"content-type: text/plain", body=b"x"),
        refusal(415, "The body of a GraphQL request is application/json in UTF-8.", "UNSUPPORTED_MEDIA_TYPE"),
    ),
    _one(
        "a body that is no JSON",
        request(b"POST", b"/graphql", _TYPE, body=b"{"),
        refusal(400, "The request body is not valid JSON.", "BAD_REQUEST"),
    ),
    _one(
        "a body in chunks",
        request(b"POST", b"/graphql", _TYPE, b"transfer-encoding: chunked")
        + b"6;name=value\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (_BODY[:6], len(_BODY) - 6, _BODY[6:]),
        _ANSWERED,
    ),
    _scenario("a request byte by byte", SendBytewise(_ASKED), Expect(_ANSWERED)),
    _scenario("two requests in one packet are answered in order", Send(_ASKED + _HEALTH), Expect(_ANSWERED + _HEALTHY)),
    _scenario(
        "two answers that come at once keep their order",
        Send(_HEALTH + request(b"GET", b"/elsewhere")),
        Expect(_HEALTHY + refusal(404, "Nothing is served at this path.", "NOT_FOUND")),
    ),
    _scenario(
        "pipelined requests are answered in order",
        *(Send(post(f'{{ greeting(name: "{number}") }}')) for number in range(5)),
        *(Expect(answer(200, b'{"data":{"greeting":"Hello, %d!"}}' % number)) for number in range(5)),
    ),
    _scenario(
        "a body that is held back is asked for",
        Send(request(b"POST", b"/graphql", _TYPE, b"expect: 100-continue", b"content-length: %d" % len(_BODY))),
        Expect(b"HTTP/1.1 100 Continue\r\n\r\n"),
        Send(_BODY),
        Expect(_ANSWERED),
    ),
    _scenario(
        "a request line that is none is refused and the connection closed",
        Send(b"NONSENSE\r\n\r\n"),
        Expect(refusal(400, "expected a method and one space, not byte 0x0d", "BAD_REQUEST", b"connection: close")),
        ExpectEnd(),
        Observe(RequestRefused, {"status": 400}),
    ),
    _scenario(
        "a client that asks to close",
        Send(post("{ note(id: 1) { body } }", b"connection: close")),
        Expect(answer(200, b'{"data":{"note":{"body":"one"}}}', b"connection: close")),
        ExpectEnd(),
        Observe(RequestCompleted, {"status": 200, "method": "POST", "path": "/graphql"}),
    ),
    _scenario(
        "a client that closes its side between requests", Send(_ASKED), Expect(_ANSWERED), HalfClose(), ExpectEnd()
    ),
    _scenario(
        "a head that comes too slowly",
        Send(b"GET /hea"),
        Due(7),
        Advance(7),
        Expect(refusal(408, "The request did not arrive in time.", "BAD_REQUEST", b"connection: close")),
        ExpectEnd(),
        Observe(RequestRefused, {"status": 408}),
    ),
    _scenario(
        "a head that trickles in gets no more time",
        Send(b"GET /hea"),
        Due(7),
        Advance(6),
        Send(b"l"),
        Advance(1),
        Expect(refusal(408, "The request did not arrive in time.", "BAD_REQUEST", b"connection: close")),
        ExpectEnd(),
    ),
    _scenario(
        "a body that comes too slowly",
        Send(request(b"POST", b"/graphql", _TYPE, b"expect: 100-continue", b"content-length: 100")),
        Expect(b"HTTP/1.1 100 Continue\r\n\r\n"),
        Advance(30),
        Expect(refusal(408, "The request did not arrive in time.", "BAD_REQUEST", b"connection: close")),
        ExpectEnd(),
    ),
    _scenario(
        "a connection that is idle is closed",
        Send(_HEALTH),
        Expect(_HEALTHY),
        Advance(74.5),
        Send(_HEALTH),
        Expect(_HEALTHY),
        Advance(75),
        ExpectEnd(),
    ),
    _one(
        "a plain function in Python",
        post('{ greeting(name: "Ada") }'),
        answer(200, b'{"data":{"greeting":"Hello, Ada!"}}'),
    ),
    _one(
        "what Python refuses", post("{ refusal }"), failure("Not today.", "NOT_TODAY", b"null", "refusal", tells=False)
    ),
)

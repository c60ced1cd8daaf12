"""Requests as JSON bodies and as parameters of a URL."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from fraiseql.errors import RequestError
from fraiseql.pipeline import GraphQLRequest, decode_json, decode_query_string

_DEPTH = 6


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        (b'{"query": "{ a }"}', GraphQLRequest("{ a }")),
        (b' {"query": ""}\n', GraphQLRequest("")),
        (b'{"query": "x", "operationName": "A"}', GraphQLRequest("x", "A")),
        (b'{"query": "x", "operationName": ""}', GraphQLRequest("x", "")),
        (b'{"query": "x", "operationName": null, "variables": null, "extensions": null}', GraphQLRequest("x")),
        (b'{"query": "x", "variables": {"a": [1, 2.5, null]}}', GraphQLRequest("x", None, {"a": [1, 2.5, None]})),
        (b'{"query": "x", "extensions": {"a": 1}}', GraphQLRequest("x", None, {}, {"a": 1})),
        (b'{"query": "x", "nonsense": 1}', GraphQLRequest("x")),
        ('{"query": "\N{STRAWBERRY} \\ud83c\\udf53"}'.encode(), GraphQLRequest("\N{STRAWBERRY} \N{STRAWBERRY}")),
    ],
)
def test_json(body: bytes, request_: GraphQLRequest) -> None:
    assert decode_json(body, _DEPTH) == request_


_WRONG_JSON: list[tuple[bytes, str]] = [
    (b"", "is not valid JSON"),
    (b"{", "is not valid JSON"),
    (b"nonsense", "is not valid JSON"),
    (b'{"query": "x"} x', "is not valid JSON"),
    (b'{"query": "x",}', "is not valid JSON"),
    (b"{'query': 'x'}", "is not valid JSON"),
    (b'{"query": NaN}', "is not valid JSON"),
    (b'{"query": "x", "variables": {"a": Infinity}}', "is not valid JSON"),
    (b'{"query": "\xff"}', "is not valid JSON"),
    (b'{"query": "\\ud800"}', "is not valid JSON"),
    (b'\xef\xbb\xbf{"query": "x"}', "is not valid JSON"),
    ('{"query": "x"}'.encode("utf-16"), "is not valid JSON"),
    (b"[" * 100_000, "is not valid JSON"),
    (b'{"query": "x", "variables": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "JSON"),
    (b"[]", "is a JSON object"),
    (b'[{"query": "x"}]', "is a JSON object"),
    (b"null", "is a JSON object"),
    (b'"x"', "is a JSON object"),
    (b"{}", "'query' must be a string"),
    (b'{"query": null}', "'query' must be a string"),
    (b'{"query": 1}', "'query' must be a string"),
    (b'{"query": {"a": 1}}', "'query' must be a string"),
    (b'{"query": "x", "operationName": 1}', "'operationName' must be a string or null"),
    (b'{"query": "x", "operationName": ["A"]}', "'operationName' must be a string or null"),
    (b'{"query": "x", "variables": []}', "'variables' must be an object or null"),
    (b'{"query": "x", "variables": "{}"}', "'variables' must be an object or null"),
    (b'{"query": "x", "variables": 0}', "'variables' must be an object or null"),
    (b'{"query": "x", "variables": false}', "'variables' must be an object or null"),
    (b'{"query": "x", "extensions": 1}', "'extensions' must be an object or null"),
    (b'{"query": "x", "extensions": []}', "'extensions' must be an object or null"),
]


@pytest.mark.parametrize(("body", "message"), _WRONG_JSON, ids=lambda value: ascii(value)[:60])
def test_wrong_json(body: bytes, message: str) -> None:
    _refused(decode_json, body, message)


def _refused(decode: Any, given: bytes, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        decode(given, _DEPTH)
    assert caught.value.code == "BAD_REQUEST"
    assert message in caught.value.message


def _nested(depth: int, brackets: str) -> str:
    """Variables that nest so deep."""
    opened, closed = brackets
    inner = ('{"a":' if opened == "{" else "[") * (depth - 1)
    return f'{{"v": {inner}1{closed * (depth - 1)}}}'


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_depth(brackets: str) -> None:
    def body(depth: int) -> bytes:
        return f'{{"query": "x", "variables": {_nested(depth, brackets)}}}'.encode()

    def query_string(depth: int) -> bytes:
        return f"query=x&variables={quote(_nested(depth, brackets))}".encode()

    for decode, made in ((decode_json, body), (decode_query_string, query_string)):
        assert decode(made(_DEPTH), _DEPTH).query == "x"
        _refused(decode, made(_DEPTH + 1), "nests deeper than")
        _refused(decode, made(200), "nests deeper than")


def test_brackets_in_texts_and_lists_side_by_side_do_not_nest() -> None:
    assert decode_json(b'{"query": "%s"}' % (b"[{" * 100), _DEPTH).query == "[{" * 100
    wide = b'{"query": "x", "variables": {"v": [%s]}}' % b",".join([b"[[1]]"] * 100)
    assert len(decode_json(wide, _DEPTH).variables["v"]) == 100


@pytest.mark.parametrize(
    ("query_string", "request_"),
    [
        (b"query={a}", GraphQLRequest("{a}")),
        (b"query=%7B+a%20%7D", GraphQLRequest("{ a }")),
        (b"query=x&operationName=A", GraphQLRequest("x", "A")),
        (b"query=x&operationName=&variables=&extensions=", GraphQLRequest("x")),
        (b"query=", GraphQLRequest("")),
        (b"query=x&variables=" + quote('{"a": [1, "&="]}').encode(), GraphQLRequest("x", None, {"a": [1, "&="]})),
        (b"query=x&variables=null", GraphQLRequest("x")),
        (b"query=x&extensions=%7B%22a%22%3A1%7D", GraphQLRequest("x", None, {}, {"a": 1})),
        (b"query=" + quote("\N{STRAWBERRY}").encode(), GraphQLRequest("\N{STRAWBERRY}")),
        (b"nonsense=1&nonsense=2&query=x", GraphQLRequest("x")),
        (b"&&query=x&", GraphQLRequest("x")),
    ],
)
def test_query_string(query_string: bytes, request_: GraphQLRequest) -> None:
    assert decode_query_string(query_string, _DEPTH) == request_


@pytest.mark.parametrize(
    ("query_string", "message"),
    [
        (b"", "'query' must be a string"),
        (b"variables={}", "'query' must be a string"),
        (b"query=x&query=y", "'query' was given twice"),
        (b"query=x&variables={}&variables={}", "'variables' was given twice"),
        (b"query=x&operationName=A&operationName=A", "'operationName' was given twice"),
        (b"query=%ff", "not URL-encoded UTF-8"),
        (b"query=%ed%a0%80", "not URL-encoded UTF-8"),  # half of a surrogate pair
        (b"query=\xc3\xa9", "not URL-encoded UTF-8"),
        (b"query=x&variables=nonsense", "'variables' is not valid JSON"),
        (b"query=x&variables=[]", "'variables' must be an object or null"),
        (b"query=x&variables=1", "'variables' must be an object or null"),
        (b"query=x&extensions={", "'extensions' is not valid JSON"),
        (b"query=x&variables=" + b"[" * 8 + b"]" * 8, "'variables' nests deeper"),
        (b"&".join(b"a%d=1" % number for number in range(200)), "parameters"),
    ],
)
def test_wrong_query_string(query_string: bytes, message: str) -> None:
    _refused(decode_query_string, query_string, message)


@pytest.mark.parametrize("body", [b'{"query": "{ a }"}', b'{"query": "{ a }", "variables": null}'])
def test_a_request_without_variables_has_no_exact_ones(body: bytes) -> None:
    assert decode_json(body, 10).exact_variables() == {}

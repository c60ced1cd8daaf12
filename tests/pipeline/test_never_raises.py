"""Whatever a client sends, a program ends with an answer: documents cut and stirred, variables of any shape."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraiseql.cli.demo.data import generate
from fraiseql.errors import RequestError
from fraiseql.pipeline import GraphQLResponse, Outcome, decode_json, decode_query_string
from golden.queries import random_queries

_BLOG = generate(users=5, posts=5, comments=5)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\w$@.]+|\S')
_FRAGMENTS = (
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "$v1",
    "null",
    "true",
    "0",
    "-1",
    '"x"',
    "id",
    "users",
    "...",
    "@skip",
    "!",
)
_CODES = {
    "BAD_USER_INPUT",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "OPERATION_RESOLUTION_FAILURE",
    "QUERY_TOO_COMPLEX",
}
_SETTINGS = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
        HealthCheck.function_scoped_fixture,
    ],
)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1", "ADMIN", "ASC", "2024-02-29"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "eq", "in", "AND", "OR", "NOT", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def stirred(draw: Any) -> tuple[str, dict[str, Any]]:
    """A valid query with a few tokens left out, doubled, replaced or moved."""
    query = draw(random_queries(_BLOG))
    tokens = _TOKEN.findall(query.query)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(tokens) - 1))
        kind = draw(st.integers(0, 3))
        if kind == 0 and len(tokens) > 1:
            del tokens[place]
        elif kind == 1:
            tokens.insert(place, tokens[place])
        elif kind == 2:
            tokens[place] = draw(st.sampled_from(_FRAGMENTS))
        else:
            tokens.insert(place, draw(st.sampled_from(tokens)))
    return " ".join(tokens), query.variables


def _check(response: GraphQLResponse, json: Any) -> None:
    if response.outcome is Outcome.DATA:
        assert json.keys() == {"data"}
        return
    assert json["errors"]
    for error in json["errors"]:
        assert error["extensions"]["code"] in _CODES
        assert error["message"]
        assert "Traceback" not in error["message"]
        assert all(isinstance(key, str) for key in error.get("path", []))


@_SETTINGS
@given(stirred())
def test_stirred_documents(execute: Any, case: tuple[str, dict[str, Any]]) -> None:
    execution = execute(*case)
    _check(execution.response, execution.json)


@_SETTINGS
@given(random_queries(_BLOG), st.data())
def test_any_variables(execute: Any, case: Any, data: st.DataObject) -> None:
    variables = {name: data.draw(json_values) for name in case.variables}
    execution = execute(case.query, variables)
    _check(execution.response, execution.json)


@_SETTINGS
@given(st.text(max_size=40), st.none() | st.text(max_size=5))
def test_any_text(execute: Any, query: str, operation: str | None) -> None:
    execution = execute(query, {}, operation)
    _check(execution.response, execution.json)


@_SETTINGS
@given(st.binary(max_size=60), st.integers(1, 4))
def test_any_bytes_as_a_request(given_bytes: bytes, depth: int) -> None:
    for decode in (decode_json, decode_query_string):
        for prefix in (b"", b'{"query":', b"query=x&variables="):
            try:
                decode(prefix + given_bytes, depth)
            except RequestError as error:
                assert error.code == "BAD_REQUEST"  # noqa: PT017 - either way is right

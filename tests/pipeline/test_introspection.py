"""Introspection switched off: `__schema` and `__type` are errors, and nothing else is another than before."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from graphql import get_introspection_query

from fraiseql.cli.demo.schema import schema
from fraiseql.pipeline import Outcome, Pipeline

ON, OFF = Pipeline(schema), Pipeline(schema, introspection=False)


@pytest.mark.parametrize(
    ("query", "name", "path"),
    [
        ("{ __schema { types { name } } }", "__schema", ["__schema"]),
        ('{ a: __type(name: "User") { name } }', "__type", ["a"]),
        ("{ users { name } ... on Query { x: __schema { description } } }", "__schema", ["x"]),
        ("{ ...F } fragment F on Query { __schema { description } }", "__schema", None),
        ("query ($n: String!) { __type(name: $n) { name } }", "__type", ["__type"]),
        ("query A { users { name } } query B { __schema { description } }", "__schema", ["__schema"]),
        (get_introspection_query(), "__schema", ["__schema"]),
    ],
)
def test_what_tells_of_the_schema_is_refused(
    execute_with: Callable[..., Any], query: str, name: str, path: list[str] | None
) -> None:
    operation = "A" if "query A" in query else None
    answer = execute_with(OFF, query, {"n": "User"} if "$n" in query else None, operation)
    assert answer.outcome is Outcome.NOT_VALID
    assert answer.fetches == ()
    assert answer.brief == ("INTROSPECTION_DISABLED", path)
    assert answer.error["message"] == f"Introspection is switched off: {name} is not served."
    assert answer.error["locations"]


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename }",
        "{ users { __typename name posts { __typename } } }",
        "{ users { nope } }",
        "{ __nope }",
        "{ users { __schema { description } } }",
        "{",
        "mutation { x }",
        "query ($a: Int) { users { name } }",
    ],
)
def test_everything_else_is_as_before(execute_with: Callable[..., Any], query: str) -> None:
    before, after = execute_with(ON, query), execute_with(OFF, query)
    assert after.fetches == before.fetches
    if "__schema" in query:  # not a field of User either way: one error more
        assert {"INTROSPECTION_DISABLED", "GRAPHQL_VALIDATION_FAILED"} == {
            error["extensions"]["code"] for error in after.json["errors"]
        }
    else:
        assert (after.outcome, json.loads(after.response.body)) == (before.outcome, before.json)

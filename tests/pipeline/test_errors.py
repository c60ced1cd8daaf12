"""What is wrong with a request is told with a code and, where there is one, the path."""

from __future__ import annotations

from typing import Any

import pytest

from fraiseql.errors import RequestError
from fraiseql.pipeline import Outcome, Pipeline, Refusal

_VALIDATION = "GRAPHQL_VALIDATION_FAILED"
_INPUT = "BAD_USER_INPUT"


@pytest.mark.parametrize(
    ("query", "message", "path"),
    [
        ("{ nonsense }", "Cannot query field 'nonsense' on type 'Query'.", ["nonsense"]),
        ("{ users { id nonsense } }", "Cannot query field 'nonsense' on type 'User'.", ["users", "nonsense"]),
        ("{ u: users { p: posts { x: nme } } }", "Cannot query field 'nme' on type 'Post'.", ["u", "p", "x"]),
        ("{ users { address { nonsense } } }", "on type 'Address'", ["users", "address", "nonsense"]),
        ("{ users { ... { nonsense } } }", "on type 'User'", ["users", "nonsense"]),
        ("{ users { ...F } } fragment F on User { nonsense }", "on type 'User'", None),
        ("{ users(nonsense: 1) { id } }", "Unknown argument 'nonsense' on field 'Query.users'.", ["users"]),
        ("{ users { posts(nonsense: 1) { id } } }", "Unknown argument", ["users", "posts"]),
        ("{ users { author(limit: 1) { id } } }", "Cannot query field 'author'", ["users", "author"]),
        ("{ posts { author(limit: 1) { id } } }", "Unknown argument 'limit'", ["posts", "author"]),
        ("{ users(where: {nonsense: {eq: 1}}) { id } }", "not to include unknown field 'nonsense'", ["users"]),
        ("{ users(where: {name: {near: 1}}) { id } }", "not to include unknown field 'near'", ["users"]),
        ("{ users(where: {active: {gt: true}}) { id } }", "not to include unknown field 'gt'", ["users"]),
        ("{ users(where: {name: {eq: 1}}) { id } }", "String cannot represent a non string value: 1", ["users"]),
        ("{ posts(where: {views: {eq: 2147483648}}) { id } }", "non 32-bit signed integer", ["posts"]),
        ("{ posts(limit: 99999999999999999999) { id } }", "non 32-bit signed integer", ["posts"]),
        ("{ posts(limit: 1.0) { id } }", "Int cannot represent non-integer value", ["posts"]),
        ('{ posts(limit: "1") { id } }', "Int cannot represent non-integer value", ["posts"]),
        ("{ posts(where: {status: {eq: NONSENSE}}) { id } }", "Value 'NONSENSE' does not exist", ["posts"]),
        ('{ posts(where: {status: {eq: "DRAFT"}}) { id } }', "cannot represent non-enum value", ["posts"]),
        ('{ posts(where: {key: {eq: "abc"}}) { id } }', "UUID cannot represent value: 'abc'", ["posts"]),
        ("{ posts(where: {key: {eq: 7}}) { id } }", "UUID cannot represent value: 7", ["posts"]),
        ('{ x: userByKey(key: "abc") { id } }', "UUID cannot represent value: 'abc'", ["x"]),
        ('{ posts(where: {publishedOn: {eq: "2023-02-29"}}) { id } }', "Date cannot represent value", ["posts"]),
        ('{ posts(where: {createdAt: {eq: "now"}}) { id } }', "DateTime cannot represent value: 'now'", ["posts"]),
        ('{ users(where: {digestAt: {eq: "25:00"}}) { id } }', "Time cannot represent value: '25:00'", ["users"]),
        ('{ posts(where: {price: {eq: "one"}}) { id } }', "Decimal cannot represent value: 'one'", ["posts"]),
        ("{ posts(where: {price: {eq: [1]}}) { id } }", "Decimal cannot represent value", ["posts"]),
        ("{ posts(orderBy: {id: ASC, views: DESC}) { id } }", "exactly one field must be specified", ["posts"]),
        ("{ posts(orderBy: {}) { id } }", "exactly one field must be specified", ["posts"]),
        ("{ posts(orderBy: {id: null}) { id } }", "must be non-null", ["posts"]),
        ("{ posts(orderBy: {id: UP}) { id } }", "Value 'UP' does not exist", ["posts"]),
        ("{ post { id } }", "of type 'ID!' is required", ["post"]),
        ("{ post(id: null) { id } }", "Expected value of non-null type 'ID!' not to be None.", ["post"]),
        ("{ users }", "must have a selection of subfields", ["users"]),
        ("{ users { id { x } } }", "must not have a selection since type 'ID!' has no subfields", ["users", "id"]),
        ("{ users { id id: name } }", "Fields 'id' conflict", ["users", "id"]),
        ("{ users(limit: 1) { id } users(limit: 2) { id } }", "Fields 'users' conflict", ["users"]),
        ("{ users { ...Nonsense } }", "Unknown fragment 'Nonsense'.", ["users"]),
        ("{ users { ... on Post { id } } }", "can never be of type 'Post'", ["users"]),
        ("{ users { id @nonsense } }", "Unknown directive '@nonsense'.", ["users", "id"]),
        ("query ($v: Nonsense) { users { id } }", "Unknown type 'Nonsense'.", None),
        ("mutation { nonsense }", "The mutation operation is not supported", None),
        ("query A { users { id } } mutation B { nonsense }", "The mutation operation is not supported", None),
        ("query ($v: Int) { users { id } }", "Variable '$v' is never used.", None),
        ("{ users(limit: $v) { id } }", "Variable '$v' is not defined", ["users"]),
        ("query ($v: String) { users(limit: $v) { id } }", "used in position expecting type 'Int'", ["users"]),
        ("query ($v: User) { users { id } }", "cannot be non-input type 'User'", None),
        ("query ($v: Date = 3) { posts(where: {publishedOn: {eq: $v}}) { id } }", "Date cannot represent value", None),
        ("{ users { ...F } } fragment F on User { posts { author { ...F } } }", "Cannot spread fragment 'F'", None),
    ],
)
def test_validation(execute: Any, query: str, message: str, path: list[str] | None) -> None:
    execution = execute(query)
    assert execution.outcome is Outcome.NOT_VALID
    assert not execution.fetches
    assert execution.json.keys() == {"errors"}
    found = {error["message"]: error for error in execution.json["errors"]}
    (error,) = [error for text, error in found.items() if message in text.replace('"', "'")]
    assert error["extensions"] == {"code": _VALIDATION}
    assert error.get("path") == path
    assert all(location.keys() == {"line", "column"} for location in error["locations"])


def test_errors_are_at_most_twenty(execute: Any) -> None:
    fields = " ".join(f"nonsense{number}" for number in range(100))
    assert len(execute(f"{{ users {{ {fields} }} }}").json["errors"]) <= 21


@pytest.mark.parametrize(
    ("query", "line", "column"),
    [
        ("", 1, 1),
        ("{", 1, 2),
        ("{ }", 1, 3),
        ("{ users { } }", 1, 11),
        ("{ users(where: ) { id } }", 1, 16),
        ("{\n  users { id }\n", 3, 1),
        ("nonsense", 1, 1),
        ("{ users(limit: 01) { id } }", 1, 17),
        ('{ post(id: "unfinished) { id } }', 1, 33),
        ('{ post(id: "\\ud800") { id } }', 1, 13),
        ("{ users { ☺ } }", 1, 11),
        ("{ users { \ud800 } }", 1, 11),
        ("{ users { \0 } }", 1, 11),
        ("{ users { id } } }", 1, 18),
        ("query ($v: ) { users { id } }", 1, 12),
    ],
    ids=ascii,
)
def test_syntax(execute: Any, query: str, line: int, column: int) -> None:
    execution = execute(query)
    assert execution.outcome is Outcome.NOT_PARSED
    assert execution.brief == ("GRAPHQL_PARSE_FAILED", None)
    assert execution.error["message"].startswith("Syntax Error: ")
    assert execution.error["locations"] == [{"line": line, "column": column}]


_TWO = "query A { users { id } } query B { posts { id } }"


@pytest.mark.parametrize(
    ("query", "operation", "message"),
    [
        (_TWO, None, "several operations"),
        (_TWO, "C", "no operation named 'C'"),
        (_TWO, "", "no operation named ''"),
        (_TWO, "\ud800" * 200, "no operation named"),
        ("{ users { id } }", "A", "no operation named 'A'"),
        ("{ users { id } }", "", "no operation named ''"),
    ],
    ids=ascii,
)
def test_operations(execute: Any, query: str, operation: str | None, message: str) -> None:
    execution = execute(query, None, operation)
    assert execution.outcome is Outcome.OPERATION_UNKNOWN
    assert execution.brief == ("OPERATION_RESOLUTION_FAILURE", None)
    assert message in execution.error["message"]


def test_operation_is_chosen_by_name(execute: Any) -> None:
    assert execute(_TWO, None, "B").json == {"data": {"posts": []}}


@pytest.mark.parametrize("query", ["fragment F on User { id }", "type T { id: ID }", "schema { query: Query }"])
def test_documents_without_operations(execute: Any, query: str) -> None:
    execution = execute(query)
    assert execution.outcome in (Outcome.NOT_VALID, Outcome.OPERATION_UNKNOWN)
    assert not execution.fetches


@pytest.mark.parametrize(
    ("arguments", "definitions", "variables", "message"),
    [
        ("limit: -1", "", {}, '"limit" must be between 0 and 1000; it is -1.'),
        ("limit: 1001", "", {}, '"limit" must be between 0 and 1000; it is 1001.'),
        ("offset: -1", "", {}, '"offset" must not be negative; it is -1.'),
        ("limit: $v", "($v: Int)", {"v": 1001}, '"limit" must be between 0 and 1000; it is 1001.'),
        ("offset: $v", "($v: Int)", {"v": -5}, '"offset" must not be negative; it is -5.'),
        ("limit: $v", "($v: Int = 5000)", {}, '"limit" must be between 0 and 1000; it is 5000.'),
        ('where: {title: {eq: "a\\u0000b"}}', "", {}, "cannot hold the character NUL"),
        ('where: {title: {in: ["x", "\\u0000"]}}', "", {}, "cannot hold the character NUL"),
        ('where: {id: {eq: "\\u0000"}}', "", {}, "cannot hold the character NUL"),
        ("where: {score: {eq: 1e999}}", "", {}, "Float cannot represent value"),
    ],
)
def test_values_that_only_we_refuse(
    execute: Any, arguments: str, definitions: str, variables: dict[str, Any], message: str
) -> None:
    for query, path in (
        (f"query {definitions} {{ x: posts({arguments}) {{ id }} }}", ["x"]),
        (f"query {definitions} {{ users {{ posts({arguments}) {{ id }} }} }}", ["users", "posts"]),
    ):
        for _ in range(2):  # what was cached by then must not change the answer
            execution = execute(query, variables)
            assert execution.brief == (_INPUT, path)
            assert message in execution.error["message"]
            assert not execution.fetches


@pytest.mark.parametrize(
    "query",
    [
        'query ($v: String = "\\u0000") { posts(where: {title: {eq: $v}}) { id } }',
        "query ($v: Float = 1e999) { posts(where: {score: {eq: $v}}) { id } }",
        'query ($v: PostWhereInput = {title: {in: ["\\u0000"]}}) { posts(where: $v) { id } }',
    ],
)
def test_defaults_that_only_we_refuse(execute: Any, query: str) -> None:
    for variables in ({}, {"v": None}):
        execution = execute(query, variables)
        assert execution.error["extensions"]["code"] == _INPUT
        assert not execution.fetches


@pytest.mark.parametrize("digits", [20, 400, 5_000])
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize(
    "place",
    [
        "posts(limit: %s)",
        "posts(where: {views: {eq: %s}})",
        "posts(where: {score: {eq: %s}})",
        "posts(where: {price: {eq: %s}})",
        "posts(where: {price: {in: [1, %s]}})",
        "posts(where: {key: {eq: %s}})",
        "posts(where: {title: {eq: %s}})",
        "posts(where: {featured: {eq: %s}})",
        "posts(where: {publishedOn: {eq: %s}})",
        "posts(where: {createdAt: {eq: %s}})",
        "posts(where: {status: {eq: %s}})",
    ],
)
def test_very_long_numbers(execute: Any, place: str, sign: str, digits: int) -> None:
    execution = execute(f"{{ {place % (sign + '9' * digits)} {{ id }} }}")
    if execution.outcome is Outcome.DATA:
        assert "score" in place or "price" in place
    else:
        assert execution.brief in ((_VALIDATION, ["posts"]), (_INPUT, ["posts"]))


def test_explain_refuses_with_the_same_errors(pipeline: Pipeline) -> None:
    with pytest.raises(Refusal, match="Cannot query field") as caught:
        pipeline.explain("{ users { nonsense } }")
    (error,) = caught.value.errors
    assert isinstance(error, RequestError)
    assert (error.code, error.path, error.locations) == (_VALIDATION, ("users", "nonsense"), ((1, 11),))


def test_conditions_of_another_operation_are_not_ours(execute: Any) -> None:
    query = """
    query A($x: Boolean) { users(where: {active: {eq: $x}}) { id } }
    query B($x: Boolean!) { users { ...F } }
    fragment F on User { name @include(if: $x) }
    """
    assert execute(query, {}, "A").json == {"data": {"users": []}}
    assert execute(query, {"x": True}, "B").json == {"data": {"users": []}}

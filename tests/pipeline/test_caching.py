"""What is prepared once: a document, its plans, and its statements by the shape of the variables."""

from __future__ import annotations

from typing import Any

import pytest

from fraiseql.cli.demo.schema import schema
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Pipeline


def _statement(execute: Any, query: str, variables: dict[str, Any] | None = None, operation: str | None = None) -> Any:
    (fetch,) = execute(query, variables, operation).fetches
    return fetch.statement


_EQUAL = "query ($v: String) { users(where: {name: {eq: $v}}) { id } }"
_WHERE = "query ($w: UserWhereInput) { users(where: $w) { id } }"
_ORDER = "query ($o: [UserOrderByInput!]) { users(orderBy: $o) { id } }"
_PAGE = "query ($l: Int, $o: Int) { users(limit: $l, offset: $o) { id } }"
_SKIP = "query ($s: Boolean!, $n: Int) { users(limit: $n) { id name @skip(if: $s) } }"
_DIRECTION = "query ($d: OrderDirection!) { users(orderBy: [{name: $d}]) { id } }"
_IN = "query ($v: [ID!]) { users(where: {id: {in: $v}}) { id } }"


@pytest.mark.parametrize(
    ("query", "first", "second"),
    [
        ("{ users { id } }", {}, {}),
        ("{ users { id } }", {}, {"unknown": 1}),
        (_EQUAL, {"v": "a"}, {"v": "b"}),
        (_WHERE, {"w": {"name": {"eq": "a"}}}, {"w": {"name": {"eq": "b"}}}),
        (_WHERE, {"w": {"karma": {"gt": 1, "lt": 2}}}, {"w": {"karma": {"lt": 3, "gt": 4}}}),  # the order is the type's
        (_WHERE, {"w": {"id": {"in": ["1"]}}}, {"w": {"id": {"in": ["1", "2", "3"]}}}),
        (_WHERE, {"w": {"AND": [{"id": {"eq": 1}}]}}, {"w": {"AND": {"id": {"eq": 2}}}}),
        (_ORDER, {"o": [{"name": "ASC"}]}, {"o": {"name": "ASC"}}),
        (_PAGE, {"l": 1, "o": 2}, {"l": 3, "o": 4}),
        (_SKIP, {"s": True, "n": 1}, {"s": True, "n": 2}),
        (_IN, {"v": ["1"]}, {"v": []}),
    ],
)
def test_one_shape_is_one_statement(execute: Any, query: str, first: dict[str, Any], second: dict[str, Any]) -> None:
    assert _statement(execute, query, first) is _statement(execute, query, second)


@pytest.mark.parametrize(
    ("query", "first", "second"),
    [
        (_EQUAL, {"v": "a"}, {"v": None}),
        (_EQUAL, {"v": "a"}, {}),
        (_EQUAL, {"v": None}, {}),
        (_WHERE, {"w": {"name": {"eq": "a"}}}, {"w": {"name": {"eq": None}}}),
        (_WHERE, {"w": {"name": {"eq": "a"}}}, {"w": {"name": {"neq": "a"}}}),
        (_WHERE, {"w": {"name": {"eq": "a"}}}, {"w": {"bio": {"eq": "a"}}}),
        (_WHERE, {"w": {"OR": [{"id": {"eq": 1}}]}}, {"w": {"OR": [{"id": {"eq": 1}}, {"id": {"eq": 1}}]}}),
        (_WHERE, {"w": {"OR": [{"id": {"eq": 1}}] * 2}}, {"w": {"AND": [{"id": {"eq": 1}}] * 2}}),
        (_WHERE, {"w": {"OR": []}}, {"w": {"OR": None}}),
        (_WHERE, {"w": {"OR": []}}, {"w": {"OR": [{}]}}),
        (_ORDER, {"o": [{"name": "ASC"}]}, {"o": [{"name": "DESC"}]}),
        (_ORDER, {"o": [{"name": "ASC"}]}, {"o": [{"email": "ASC"}]}),
        (_ORDER, {"o": [{"name": "ASC"}, {"email": "ASC"}]}, {"o": [{"email": "ASC"}, {"name": "ASC"}]}),
        (_ORDER, {"o": {"posts": {"count": "ASC"}}}, {"o": {"posts": {"count": "DESC"}}}),
        (_ORDER, {"o": {"posts": {"count": "ASC"}}}, {"o": {"comments": {"count": "ASC"}}}),
        (_DIRECTION, {"d": "ASC"}, {"d": "DESC"}),
        (_DIRECTION, {"d": "ASC"}, {"d": "ASC_NULLS_FIRST"}),
        (_SKIP, {"s": True}, {"s": False}),
        (_PAGE, {"l": 1}, {}),
    ],
)
def test_another_shape_is_another_statement(
    execute: Any, query: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    for _ in range(2):  # the second time from the cache
        assert _statement(execute, query, first).sql != _statement(execute, query, second).sql


def test_operations_of_one_document(execute: Any) -> None:
    query = "query A { users { id } } query B { posts { id } }"
    for _ in range(2):
        assert b'"v_user"' in _statement(execute, query, None, "A").sql
        assert b'"posts"' in _statement(execute, query, None, "B").sql


def test_answers_from_the_cache_are_the_same(execute_with: Any) -> None:
    pipeline = Pipeline(schema)
    query = "query ($id: ID!, $x: Boolean!) { __typename user(id: $id) { id name @include(if: $x) } }"
    for variables in ({"id": 1, "x": True}, {"id": "2", "x": False}, {"id": 1, "x": True}, {"id": 3, "x": False}):
        warm = execute_with(pipeline, query, variables, answers=((b"{}",),))
        cold = execute_with(Pipeline(schema), query, variables, answers=((b"{}",),))
        assert warm == cold


def test_documents_beyond_the_cache_are_prepared_again(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(max_cached_documents=2))

    def statement(name: str) -> Any:
        return execute_with(pipeline, f"{{ {name}: users {{ id }} }}").fetches[0].statement

    first, second = statement("a"), statement("b")
    assert statement("a") is first
    statement("c")  # b was used longest ago
    assert statement("a") is first
    assert statement("b") is not second
    assert statement("b") == second


def test_statements_beyond_the_cache_are_rendered_again(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(max_cached_statements=2))

    def statement(count: int) -> Any:
        variables = {"w": {"OR": [{"id": {"eq": 1}}] * count}}
        return execute_with(pipeline, _WHERE, variables).fetches[0].statement

    first = statement(1)
    statement(2)
    assert statement(1) is first
    statement(3)
    statement(4)
    assert statement(1) is not first
    assert statement(1) == first


def test_errors_are_not_remembered_as_answers(execute: Any) -> None:
    query = "query ($w: UserWhereInput) { users(where: $w) { id } }"
    for _ in range(2):
        assert execute(query, {"w": {"karma": {"gt": None}}}).error["path"] == ["users"]
        assert execute(query, {"w": {"karma": {"gt": 1}}}).json == {"data": {"users": []}}


def test_a_document_too_long_for_the_cache_is_answered(execute: Any) -> None:
    query = "{ users { id } }" + " " * 70_000
    first, second = _statement(execute, query), _statement(execute, query)
    assert first == second
    assert first is not second

"""The program of a request: what it asks for, and what it makes of rows and of errors."""

from __future__ import annotations

from typing import Any

import pytest

from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline

_LOST = DatabaseError("the database connection was lost: secret detail", sqlstate="08006", retryable=True)
_BROKEN = DatabaseError('column "secret" does not exist', sqlstate="42703")


def test_one_fetch_then_the_answer(pipeline: Pipeline) -> None:
    program = pipeline.execute(GraphQLRequest('{ user(id: "7") { id } users { id } }'), "r")
    effect = next(program)
    assert isinstance(effect, Fetch)
    assert effect.statement.columns == 2
    assert effect.parameters == (b"7",)
    assert effect.statement.sql.startswith(b"select ")
    with pytest.raises(StopIteration) as stop:
        program.send((b'{"id":"7"}', b'[{"id":"1"}]'))
    expected = b'{"data":{"user":{"id":"7"},"users":[{"id":"1"}]}}'
    assert stop.value.value == GraphQLResponse(Outcome.DATA, expected)


def test_the_bytes_of_the_row_pass_through(execute: Any) -> None:
    row = ('[{ "id" : "\N{STRAWBERRY}" }]'.encode(),)
    assert execute("{ users { id } }", answers=(row,)).response.body == b'{"data":{"users":' + row[0] + b"}}"


def test_a_program_can_be_closed_half_way(pipeline: Pipeline) -> None:
    program = pipeline.execute(GraphQLRequest("{ users { id } }"), "r")
    next(program)
    program.close()
    assert list(program) == []


@pytest.mark.parametrize(
    ("query", "row", "expected"),
    [
        ("{ user(id: 1) { id } }", (None,), {"user": None}),
        ("{ a: __typename user(id: 1) { id } b: __typename }", (b"{}",), {"a": "Query", "user": {}, "b": "Query"}),
        ("{ b: users { id } a: posts { id } }", (b"[1]", b"[2]"), {"b": [1], "a": [2]}),
        ("{ users { id } users { name } }", (b"[]",), {"users": []}),
    ],
)
def test_rows(execute: Any, query: str, row: tuple[bytes | None, ...], expected: dict[str, Any]) -> None:
    execution = execute(query, answers=(row,))
    assert execution.outcome is Outcome.DATA
    assert list(execution.json["data"].items()) == list(expected.items())


@pytest.mark.parametrize(
    ("query", "data"),
    [
        ("{ __typename }", {"__typename": "Query"}),
        ("query ($x: Boolean!) { a: __typename users @skip(if: $x) { id } }", {"a": "Query"}),
        ("query ($x: Boolean!) { users @skip(if: $x) { id } }", {}),
        ('{ __type(name: "Nonsense") { name } }', {"__type": None}),
        ('{ __type(name: "Role") { enumValues { name } } }', {
            "__type": {"enumValues": [{"name": name} for name in ("ADMIN", "EDITOR", "AUTHOR", "READER")]}
        }),
    ],
)  # fmt: skip
def test_no_fetch_where_nothing_needs_the_database(execute: Any, query: str, data: Any) -> None:
    execution = execute(query, {"x": True})
    assert execution.json == {"data": data}
    assert not execution.fetches


def test_introspection_reads_variables(execute: Any) -> None:
    query = "query ($n: String!, $d: Boolean = false) { t: __type(name: $n) { name ... @include(if: $d) { kind } } }"
    assert execute(query, {"n": "Role"}).json == {"data": {"t": {"name": "Role"}}}
    assert execute(query, {"n": "Date", "d": True}).json == {"data": {"t": {"name": "Date", "kind": "SCALAR"}}}


def test_introspection_beside_data_reads_variables(execute: Any) -> None:
    query = "query ($n: String!, $id: ID!) { __type(name: $n) { name } user(id: $id) { id } }"
    for name in ("Role", "Date"):
        execution = execute(query, {"n": name, "id": 7}, answers=((b"{}",),))
        assert execution.json == {"data": {"__type": {"name": name}, "user": {}}}


def test_a_null_in_a_root_field_that_may_not_be_null(execute: Any) -> None:
    execution = execute("{ u: users { id } user(id: 1) { id } }", answers=((None, b"{}"),))
    assert execution.outcome is Outcome.DATA_AND_ERRORS
    assert execution.json["data"] is None
    assert execution.brief == ("INTERNAL_SERVER_ERROR", ["u"])
    assert execution.error["message"] == "Cannot return null for non-nullable field Query.users."


@pytest.mark.parametrize(
    ("sqlstate", "message"),
    [
        *((sqlstate, "The database is not available.") for sqlstate in ("08006", "08001", "53200", "57P01", "57P03")),
        ("53300", "The server is too busy: no database connection became free in time."),
    ],
)
def test_no_database(execute: Any, sqlstate: str, message: str) -> None:
    error = DatabaseError("secret", sqlstate=sqlstate, retryable=True)
    execution = execute("{ user(id: 1) { id } }", answers=(error,))
    assert execution.outcome is Outcome.UNAVAILABLE
    assert execution.response.cause is error
    assert execution.json == {
        "errors": [
            {
                "message": message,
                "extensions": {"code": "DATABASE_UNAVAILABLE", "requestId": "request-1"},
            }
        ]
    }


@pytest.mark.parametrize(
    ("query", "paths", "data"),
    [
        ("{ user(id: 1) { id } }", [["user"]], {"user": None}),
        ("{ a: user(id: 1) { id } b: post(id: 1) { id } }", [["a"], ["b"]], {"a": None, "b": None}),
        ("{ t: __typename user(id: 1) { id } }", [["user"]], {"t": "Query", "user": None}),
        (
            '{ __type(name: "Role") { name } user(id: 1) { id } }',
            [["user"]],
            {"__type": {"name": "Role"}, "user": None},
        ),
        ("{ users { id } }", [["users"]], None),
        ("{ user(id: 1) { id } users { id } }", [["user"], ["users"]], None),
    ],
)
def test_other_failures_are_masked(execute: Any, query: str, paths: list[list[str]], data: Any) -> None:
    execution = execute(query, answers=(_BROKEN,))
    assert execution.outcome is Outcome.DATA_AND_ERRORS
    assert execution.response.cause is _BROKEN
    assert b"secret" not in execution.response.body
    assert execution.json == {
        "errors": [
            {
                "message": "Internal server error.",
                "path": path,
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"},
            }
            for path in paths
        ],
        "data": data,
    }
    assert list(execution.json) == ["errors", "data"]


@pytest.mark.parametrize(
    ("query", "number", "path", "argument"),
    [
        ('{ x: user(id: "abc") { id } }', 1, ["x"], "id"),
        ('{ users(where: {id: {eq: "abc"}}) { id } }', 1, ["users"], "where.id.eq"),
        ('{ users(where: {AND: [{}, {NOT: {id: {in: ["x"]}}}]}) { id } }', 1, ["users"], "where.AND[1].NOT.id.in"),
        (
            '{ users { p: posts(limit: 1, where: {id: {neq: "x"}}) { id } } }',
            1,
            ["users", "p"],
            "where.id.neq",
        ),
    ],
)
def test_a_value_that_does_not_fit_its_column(
    execute: Any, query: str, number: int, path: list[str], argument: str
) -> None:
    error = DatabaseError("invalid input syntax for type integer", sqlstate="22P02", parameter=number)
    execution = execute(query, answers=(error,))
    assert execution.outcome is Outcome.VARIABLES_INVALID
    assert execution.brief == ("BAD_USER_INPUT", path)
    assert f'The value of the argument "{argument}" does not fit the column' in execution.error["message"]
    assert "data" not in execution.json


def test_a_parameter_that_is_not_ours(execute: Any) -> None:
    error = DatabaseError("x", sqlstate="22P02", parameter=99)
    assert execute("{ user(id: 1) { id } }", answers=(error,)).brief == ("INTERNAL_SERVER_ERROR", ["user"])


def test_a_failed_request_leaves_nothing_behind(execute: Any) -> None:
    query = "{ user(id: 1) { id } }"
    for answer in (_LOST, _BROKEN):
        assert "errors" in execute(query, answers=(answer,)).json
        assert execute(query, answers=((b"{}",),)).json == {"data": {"user": {}}}

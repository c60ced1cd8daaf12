"""Queries that functions in Python serve in part, stepped by hand: what is asked for in which order, and what fails."""

from __future__ import annotations

import json
from typing import Any

import pytest

import fraiseql
from fraiseql import DatabaseContext
from fraiseql.context import BlockingInfo, Caller
from fraiseql.effects import CallAll, Fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLResponse, Outcome, Pipeline
from pipeline.stepping import Run, request


@fraiseql.type(sql_source="rows", jsonb_column=None)
class Row:
    id: int
    name: str | None
    others: list[Row] = fraiseql.relation(on={"parent": "id"})

    @fraiseql.field(needs=["id"])
    def twice(self) -> int:
        return 2 * self.id


@fraiseql.type
class Pair:
    left: Row | None
    right: Row | None


@fraiseql.query
def rows() -> list[Row] | None: ...


@fraiseql.query
def number(info: BlockingInfo, of: int = 1) -> int | None:
    return of


@fraiseql.query
async def made() -> list[Row]:
    return [{"id": 1, "name": "x"}, {"id": 2, "name": None}]  # type: ignore[list-item]


@fraiseql.query
async def pair() -> Pair | None:
    return {"left": {"id": 1, "name": "x"}, "right": {"id": 2, "name": 5}}  # type: ignore[return-value]


_PIPELINE = Pipeline(fraiseql.Schema(queries=[rows, number, made, pair]))
_MISFIT = DatabaseError("invalid input syntax", sqlstate="22P02")
_BROKEN = DatabaseError("broken", sqlstate="XX000")
_AWAY = DatabaseError("gone", sqlstate="08006")


def _run(query: str, pipeline: Pipeline = _PIPELINE, caller: Caller = Caller("ada")) -> Run:  # noqa: B008
    return Run(pipeline.operate(request(query), "request-1", caller))


def _body(run: Run) -> Any:
    assert isinstance(run.result, GraphQLResponse), run.effect
    return json.loads(run.result.body)


def test_the_statement_goes_first_and_then_all_calls_at_once() -> None:
    run = _run("{ a: number(of: 7) rows { id } made { twice } }")
    assert isinstance(run.effect, Fetch)
    run.send((b'[{"id":3}]',))
    assert isinstance(run.effect, CallAll)
    assert [(call.field_name, call.named, call.blocks) for call in run.effect.calls] == [
        ("number", {"of": 7}, True),
        ("made", {}, False),
    ]
    run.called()
    assert isinstance(run.effect, CallAll), "the method of what was made"
    run.called()
    assert _body(run) == {"data": {"a": 7, "rows": [{"id": 3}], "made": [{"twice": 2}, {"twice": 4}]}}


def test_relations_of_all_objects_are_one_statement() -> None:
    run = _run("{ made { id others { id } } }")
    run.called()
    assert isinstance(run.effect, Fetch)
    assert json.loads(run.effect.parameters[-1] or b"") == [{"id": 1}, {"id": 2}]
    run.fetched({"id": 1, "others": []}, {"id": 2, "others": [{"id": 5}]})
    assert _body(run) == {"data": {"made": [{"id": 1, "others": []}, {"id": 2, "others": [{"id": 5}]}]}}


def test_what_does_not_fit_inside_of_an_object_is_null_alone() -> None:
    run = _run("{ pair { left { name others { id } } right { name others { id } } } }")
    run.called()
    assert isinstance(run.effect, Fetch)
    run.fetched({"name": "x", "others": []})
    assert run.effect is None, "the statement of the other place is not needed"
    body = _body(run)
    assert body["data"] == {"pair": {"left": {"name": "x", "others": []}, "right": None}}
    assert [error["path"] for error in body["errors"]] == [["pair", "right", "name"]]


def test_where_the_statement_fails_the_functions_are_called_all_the_same() -> None:
    run = _run("{ rows { id } number }")
    run.throw(_BROKEN)
    run.called()
    body = _body(run)
    assert body["data"] == {"rows": None, "number": 1}
    assert [error["path"] for error in body["errors"]] == [["rows"]]
    assert run.result.cause is _BROKEN


def test_a_value_that_does_not_fit_is_found_by_the_checking_statement() -> None:
    run = _run("{ rows { id name } number }")
    run.throw(_MISFIT)
    assert isinstance(run.effect, Fetch)
    run.send((b'[{"id":[7],"name":"x"}]',))
    run.called()
    body = _body(run)
    assert body["data"] == {"rows": None, "number": 1}
    assert body["errors"][0]["path"] == ["rows", 0, "id"]
    run = _run("{ made { id others { id name } } }")
    run.called()
    run.throw(_MISFIT)
    run.fetched({"id": 1, "others": [{"id": 3, "name": ["bad"]}]}, {"id": 2, "others": []})
    body = _body(run)
    assert body["data"] == {"made": [{"id": 1, "others": [{"id": 3, "name": None}]}, {"id": 2, "others": []}]}
    assert body["errors"][0]["path"] == ["made", 0, "others", 0, "name"]


@pytest.mark.parametrize("query", ["{ rows { id } number }", "{ number rows { id } }"])
def test_without_a_database_nobody_is_called(query: str) -> None:
    run = _run(query)
    run.throw(_AWAY)
    assert run.result.outcome is Outcome.UNAVAILABLE


def test_functions_alone_need_no_database() -> None:
    run = _run("{ number __typename }")
    assert isinstance(run.effect, CallAll)
    run.called()
    assert _body(run) == {"data": {"number": 1, "__typename": "Query"}}


def test_a_database_that_goes_away_below_a_function_is_an_error_at_its_path() -> None:
    run = _run("{ number made { others { id } } }")
    run.called()
    run.throw(_AWAY)
    body = _body(run)
    assert body["data"] is None
    assert body["errors"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"
    assert body["errors"][0]["path"] == ["made"]


def test_the_caller_is_told_to_the_database_below_functions_too() -> None:
    schema = fraiseql.Schema(queries=[rows, made], database_context=DatabaseContext({"app.user": "user_id"}))
    run = _run("{ rows { id } made { others { id } } }", Pipeline(schema))
    for _ in range(2):
        assert isinstance(run.effect, Fetch)
        assert run.effect.settings == ((b"app.user", b"ada"),)
        if len(run.effect.parameters) and (run.effect.parameters[-1] or b"").startswith(b"["):
            break
        run.send((b"[]",))
        run.called()
    run.fetched({"others": []}, {"others": []})
    assert _body(run) == {"data": {"rows": [], "made": [{"others": []}, {"others": []}]}}

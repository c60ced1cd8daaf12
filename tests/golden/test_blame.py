"""Whose mistake an error of the database is: a value of the client's, or one in a row or a view."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.errors import DatabaseError, ValueRefused
from fraiseql.pipeline import Outcome
from golden.serving import Served, served

_DDL = b"""
create function divided(x int) returns int language plpgsql as $f$
declare found int;
begin
  execute '
    select 10 /
      $1
  ' into found using x;
  return found;
end $f$;
create table number (id int, name text);
insert into number values (0, 'zero'), (5, 'five');
create view divided as select id, name, divided(id) as quotient from number;
create table doc (id int primary key, data jsonb not null);
insert into doc values
    (1, '{"title": "one", "at": "2024-01-01T00:00:00Z", "meta": {"day": "2024-01-05", "n": 5}}'),
    (2, '{"title": "two", "at": "soon", "meta": {}}'),
    (3, '{"title": "three", "at": "2024-01-01 00:00 Nowhere/Else", "meta": {}}');
"""


@fraiseql.type(sql_source="divided", jsonb_column=None)
class Divided:
    id: ID
    name: str
    quotient: int | None


@fraiseql.type(sql_source="doc")
class Doc:
    id: ID = fraiseql.field(column="id")
    title: str
    at: dt.datetime | None
    meta: JSON


@fraiseql.query
def divided() -> list[Divided]: ...


@fraiseql.query
def docs(id: ID | None = None) -> list[Doc]: ...


_SCHEMA = fraiseql.Schema(queries=[divided, docs])


@pytest.fixture(scope="module")
def serving(module_database_url: str) -> Iterator[Served]:
    with served(module_database_url, _DDL, _SCHEMA) as opened:
        yield opened


def _codes(serving: Served, query: str) -> list[str]:
    return [each["extensions"]["code"] for each in json.loads(serving.execute(query).body).get("errors", [])]


def test_a_view_whose_function_ends_a_line_in_a_parameter(serving: Served) -> None:
    response = serving.execute('{ divided(where: {name: {eq: "zero"}}) { quotient } }')
    assert json.loads(response.body)["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert isinstance(response.cause, DatabaseError)
    assert (response.cause.sqlstate, response.cause.parameter) == ("22012", None)


@pytest.mark.parametrize(
    "where",
    [
        '{id: {eq: "one"}}',
        '{title: {matches: "["}}',
        '{meta: {pathExists: "$.day.datetime(\\"bad\\")"}}',
        '{meta: {pathMatch: "$.day.datetime() < \\"2020-01-01 00:00:00+01\\".datetime()"}}',
        '{meta: {pathExists: "$.("}}',
        '{meta: {pathExists: "$ ? (@.day like_regex \\"[\\")"}}',
    ],
)
@pytest.mark.parametrize("beside", ["at", "title"])
def test_a_value_of_the_client(serving: Served, where: str, beside: str) -> None:
    response = serving.execute(f'{{ docs(id: "1", where: {where}) {{ {beside} }} }}')
    (error,) = json.loads(response.body)["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("BAD_USER_INPUT", ["docs"])
    assert response.outcome is Outcome.VARIABLES_INVALID
    assert isinstance(response.cause, ValueRefused)
    assert isinstance(response.cause.__cause__, DatabaseError)


@pytest.mark.parametrize("id", [2, 3])
def test_a_value_of_a_row_beside_a_condition(serving: Served, id: int) -> None:
    query = f'{{ docs(id: "{id}", where: {{meta: {{pathExists: "$"}}, title: {{matches: "t"}}}}) {{ id at }} }}'
    answer: Any = json.loads(serving.execute(query).body)
    assert answer["data"] == {"docs": [{"id": str(id), "at": None}]}
    assert answer["errors"][0]["path"] == ["docs", 0, "at"]


@pytest.mark.parametrize("id", [2, 3])
@pytest.mark.parametrize("asked", ['where: {%s, at: {gt: "2020-01-01"}}', "where: {%s}, orderBy: [{at: ASC}]"])
def test_a_value_of_a_row_in_a_condition_or_an_order(serving: Served, id: int, asked: str) -> None:
    asked %= 'meta: {pathExists: "$"}'
    assert _codes(serving, f'{{ docs(id: "{id}", {asked}) {{ id }} }}') == ["INTERNAL_SERVER_ERROR"]

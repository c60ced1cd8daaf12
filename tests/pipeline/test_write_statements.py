"""The SQL of table mutations, without a database: one statement, and no value in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.pipeline import Pipeline


@fraiseql.type(sql_source="shop.orders", jsonb_column=None)
class Order:
    id: ID
    note: str | None
    lines: list[Line] = fraiseql.relation(on={"order_id": "id"})


@fraiseql.type(sql_source="v_line")
class Line:
    id: ID
    count: int


every = {"create": True, "update": True, "delete": True}
fraiseql.crud(Order, **every, upsert=True, optional=("id",), nested=("lines",))
fraiseql.crud(Line, **every, table="tb_line", columns={"count": "n"}, generated=("id",))


@fraiseql.query
def orders() -> list[Order]: ...


PIPELINE = Pipeline(fraiseql.Schema(queries=[orders]))

_ORDER, _LINE = 'row((null::"shop"."orders").*)::"shop"."orders"', 'row((null::"tb_line").*)::"tb_line"'
_ROWS = "json_array_elements(${}::json) with ordinality e(value, n)"
_FOUND = (
    'found$ as materialized (select t$0."id" as key from "shop"."orders" t$0 where t$0."note" = $1 order by 1'
    " limit 1001 for {} of t$0)"
)
_ANSWER = (
    "select json_build_array((select count(*) from found$), coalesce("
    "(select json_agg((to_json(a$.key) #>> '{{}}') order by a$.key) from {} a$), '[]'))"
)


@pytest.mark.parametrize(
    ("query", "sql", "parameters"),
    [
        (
            'createOrder(input: {note: "N", lines: [{count: 1}, {count: 2}]}) { id }',
            'with w$0 as (insert into "shop"."orders" as t$ ("note") select r."note" from '
            + _ROWS.format(1)
            + f" cross join lateral json_populate_record({_ORDER}, e.value->'v') r order by e.n"
            ' returning t$."id" as c0), k$0 as (select 0 as s, row_number() over () as n, w.* from w$0 w),'
            ' w$1 as (insert into "tb_line" as t$ ("n", "order_id") select r."n", p0.c0 from '
            + _ROWS.format(2)
            + f" cross join lateral json_populate_record({_LINE}, e.value->'v') r join k$0 p0"
            " on p0.s = (e.value->'r'->0->>0)::int4 and p0.n = (e.value->'r'->0->>1)::int8 order by e.n"
            " returning 1 as c0), k$1 as (select 0 as s, row_number() over () as n, w.* from w$1 w)"
            " select json_build_array((select json_agg(json_build_array(k.s, k.n, (to_json(k.c0) #>> '{}')))"
            " from k$0 k),"
            " json_build_array((select count(*) from w$0), (select count(*) from w$1)), '[]'::json)",
            [[{"v": {"note": "N"}}], [{"v": {"n": 1}, "r": [[0, 1]]}, {"v": {"n": 2}, "r": [[0, 1]]}]],
        ),
        (
            "createOrder(input: {}) { id }",
            'with w$0 as (insert into "shop"."orders" as t$ select  from '
            + _ROWS.format(1)
            + ' order by e.n returning t$."id" as c0),'
            " k$0 as (select 0 as s, row_number() over () as n, w.* from w$0 w)"
            " select json_build_array((select json_agg(json_build_array(k.s, k.n, (to_json(k.c0) #>> '{}')))"
            " from k$0 k),"
            " json_build_array((select count(*) from w$0)), '[]'::json)",
            [[{"v": {}}]],
        ),
        (
            'updateOrders(where: {note: {eq: "N"}}, input: {note: null}) { id }',
            f"with {_FOUND.format('no key update')},"
            ' written$ as (update "shop"."orders" w$ set "note" = r$."note" from found$ f$,'
            f' json_populate_record({_ORDER}, $2::json) r$ where w$."id" = f$.key'
            ' and (select count(*) from found$) <= 1000 returning w$."id" as key) ' + _ANSWER.format("written$"),
            ["N", {"note": None}],
        ),
        (
            'deleteOrders(where: {note: {eq: "N"}}) { id }',
            f"with {_FOUND.format('update')} {_ANSWER.format('found$')}",
            ["N"],
        ),
        (
            "deleteLine(id: 3) { id }",
            "with found$ as materialized (select"
            f" (json_populate_record({_LINE}, json_build_object('id', s$.key))).\"id\""
            ' as key from (select distinct (t$0."data"->>\'id\') as key from "v_line" t$0'
            ' where (t$0."data"->>\'id\') = $1 order by 1 limit 1001) s$), locked$ as (select w$."id" as key'
            ' from "tb_line" w$ where w$."id" in (select f$.key from found$ f$) order by w$."id" for update of w$) '
            + _ANSWER.format("locked$"),
            ["3"],
        ),
    ],
)
def test_a_statement(query: str, sql: str, parameters: list[Any]) -> None:
    explanation = PIPELINE.explain(f"mutation {{ {query} }}")
    assert explanation.sql == sql
    assert [_read(each) for each in explanation.parameters] == parameters


def _read(parameter: str | None) -> Any:
    assert parameter is not None
    return json.loads(parameter) if parameter[0] in "[{" else parameter

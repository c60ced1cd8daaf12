"""`orderBy`: what it offers, what it becomes in SQL, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLInputObjectType

import fraiseql
from fraiseql import ID, JSON
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline, print_sdl
from fraiseql.pipeline.graphql_schema import build_graphql_schema


@fraiseql.type(sql_source="node", jsonb_column=None)
class Node:
    id: ID
    name: str
    parent: Node | None = fraiseql.relation(on={"id": "parent_id"})
    children: list[Node] = fraiseql.relation(on={"parent_id": "id"})
    note: Note | None = fraiseql.relation(on={"node_id": "id"})
    blank: Blank | None = fraiseql.relation(on={"node_id": "id"})
    wrapped: Wrapped | None = fraiseql.relation(on={"node_id": "id"})


@fraiseql.type(sql_source="note", jsonb_column=None)
class Note:
    """Has no `id`."""

    text: str


@fraiseql.type(sql_source="blank", jsonb_column=None)
class Blank:
    """Has nothing to order by, and leads in a circle."""

    data: JSON
    blank: Blank | None = fraiseql.relation(on={"id": "blank_id"})


@fraiseql.type(sql_source="wrapped", jsonb_column=None)
class Wrapped:
    """Has no value of its own, but leads to one."""

    data: JSON
    blank: Blank | None = fraiseql.relation(on={"id": "id"})
    node: Node = fraiseql.relation(on={"id": "node_id"})


@fraiseql.query
def nodes(name: str | None = None) -> list[Node]: ...


@fraiseql.query
def blanks() -> list[Blank]: ...


@fraiseql.query
def all_wrapped() -> list[Wrapped]: ...


_SCHEMA = fraiseql.Schema(queries=[nodes, blanks, all_wrapped])
_PIPELINE = Pipeline(_SCHEMA)


def test_sdl() -> None:
    sdl = print_sdl(_SCHEMA)
    for part in (
        "input NodeOrderByInput @oneOf {\n  id: OrderDirection\n  name: OrderDirection\n  parent: NodeOrderByInput\n"
        "  children: NodeAggregateOrderByInput\n  note: NoteOrderByInput\n  wrapped: WrappedOrderByInput\n\n"
        '  """How well a text fits a search."""\n  searchRank: NodeSearchRankOrderByInput\n}',
        "input NodeSearchRankOrderByInput @oneOf {\n  name: TextSearchRankInput\n}",
        'input NodeAggregateOrderByInput @oneOf {\n  """How many rows there are."""\n  count: OrderDirection\n'
        "  countDistinct: NodeCountDistinctOrderByInput\n  min: NodeMinOrderByInput\n  max: NodeMaxOrderByInput\n}",
        "input NodeMinOrderByInput @oneOf {\n  name: OrderDirection\n}",
        "input WrappedOrderByInput @oneOf {\n  node: NodeOrderByInput\n}",
        '  """Smallest first; nulls last."""\n  ASC\n\n  """Largest first; nulls first."""\n  DESC\n',
        "  ASC_NULLS_FIRST\n",
        "  ASC_NULLS_LAST\n",
        "  DESC_NULLS_FIRST\n",
        "  DESC_NULLS_LAST\n",
    ):
        assert part in sdl
    assert "BlankOrderByInput" not in sdl


def test_each_level_has_exactly_one_key() -> None:
    types = build_graphql_schema(_SCHEMA.model).type_map
    orders = [each for name, each in types.items() if name.endswith("OrderByInput")]
    assert len(orders) == 9
    assert all(isinstance(each, GraphQLInputObjectType) and each.is_one_of for each in orders)


def _parent(value: str) -> str:
    return f'(select {value} from "node" t$2 where t$2."id" = t$0."parent_id" order by t$2."id" limit 1)'


@pytest.mark.parametrize(
    ("order", "sql"),
    [
        ("[]", 't$0."id"'),
        ("null", 't$0."id"'),
        ("{name: ASC}", 't$0."name", t$0."id"'),
        ("{name: DESC}", 't$0."name" desc, t$0."id"'),
        ("{name: ASC_NULLS_FIRST}", 't$0."name" nulls first, t$0."id"'),
        ("{name: ASC_NULLS_LAST}", 't$0."name" nulls last, t$0."id"'),
        ("{name: DESC_NULLS_FIRST}", 't$0."name" desc nulls first, t$0."id"'),
        ("{name: DESC_NULLS_LAST}", 't$0."name" desc nulls last, t$0."id"'),
        ("[{id: DESC_NULLS_LAST}, {id: ASC}]", 't$0."id" desc nulls last'),
        (
            "{children: {max: {name: ASC}}}",
            '(select max(t$2."name"::text) from "node" t$2 where t$2."parent_id" = t$0."id"), t$0."id"',
        ),
        (
            "{parent: {children: {countDistinct: {name: DESC}}}}",
            _parent('(select count(distinct t$3."name") from "node" t$3 where t$3."parent_id" = t$2."id")')
            + ' desc, t$0."id"',
        ),
        (
            "{children: {count: DESC}}",
            '(select count(*) from "node" t$2 where t$2."parent_id" = t$0."id") desc, t$0."id"',
        ),
        ("{parent: {name: ASC}}", _parent('t$2."name"') + ', t$0."id"'),
        ("[{parent: {id: DESC}}, {parent: {id: ASC}}]", _parent('t$2."id"') + ' desc, t$0."id"'),
        ("{note: {text: ASC}}", '(select t$2."text" from "note" t$2 where t$2."node_id" = t$0."id" limit 1), t$0."id"'),
        (
            "{parent: {children: {count: ASC}}}",
            _parent('(select count(*) from "node" t$3 where t$3."parent_id" = t$2."id")') + ', t$0."id"',
        ),
    ],
)
def test_sql(order: str, sql: str) -> None:
    statement = _PIPELINE.explain(f"{{ nodes(orderBy: {order}) {{ name }} }}").sql
    _, _, found = statement.partition('from "node" t$0 order by ')
    assert found.partition(" limit 100)")[0] == sql


def test_literals_and_variables_make_the_same_statement() -> None:
    literal = "[{parent: {parent: {name: DESC_NULLS_LAST}}}, {children: {count: ASC}}]"
    value = [{"parent": {"parent": {"name": "DESC_NULLS_LAST"}}}, {"children": {"count": "ASC"}}]
    wanted = _PIPELINE.explain(f"{{ nodes(orderBy: {literal}) {{ id }} }}")
    for definition, argument, variables in (
        ("$o: [NodeOrderByInput!]", "$o", {"o": value}),
        (f"$o: [NodeOrderByInput!] = {literal}", "$o", {}),
        ("$o: NodeOrderByInput!, $p: NodeOrderByInput!", "[$o, $p]", {"o": value[0], "p": value[1]}),
        (
            "$d: OrderDirection!, $p: NodeAggregateOrderByInput!",
            "[{parent: {parent: {name: $d}}}, {children: $p}]",
            {
                "d": "DESC_NULLS_LAST",
                "p": {"count": "ASC"},
            },
        ),
    ):
        query = f"query ({definition}) {{ nodes(orderBy: {argument}) {{ id }} }}"
        assert _PIPELINE.explain(query, variables) == wanted


@pytest.mark.parametrize(
    "order",
    [
        "{parent: ASC}",
        "{parent: {}}",
        "{parent: null}",
        "{parent: {name: null}}",
        "{parent: {name: ASC, id: ASC}}",
        "{parent: {nonsense: ASC}}",
        "{parent: [{name: ASC}]}",
        "{children: {name: ASC}}",
        "{children: {count: UP}}",
        "{children: {count: ASC, max: {name: ASC}}}",
        "{children: {max: ASC}}",
        "{children: {max: {}}}",
        "{children: {max: {id: ASC}}}",
        "{children: {sum: {name: ASC}}}",
        "{children: {}}",
        "{children: ASC}",
        "{blank: {data: ASC}}",
        '{parent: {name: "ASC"}}',
    ],
)
def test_a_wrong_literal(execute_with: Any, order: str) -> None:
    execution = execute_with(_PIPELINE, f"{{ nodes(orderBy: [{order}]) {{ id }} }}")
    assert execution.outcome is Outcome.NOT_VALID
    assert not execution.fetches


@pytest.mark.parametrize(
    "order",
    [
        {"parent": "ASC"},
        {"parent": {}},
        {"parent": None},
        {"parent": {"name": None}},
        {"parent": {"name": "ASC", "id": "ASC"}},
        {"parent": {"name": "asc nulls first"}},
        {"parent": [{"name": "ASC"}]},
        {"children": {"name": "ASC"}},
        {"children": {"count": "UP"}},
        {"children": {"max": {"id": "ASC"}}},
        {"children": {"max": {"name": "ASC"}, "count": "ASC"}},
        {"children": {}},
    ],
)
def test_a_wrong_variable(execute_with: Any, order: Any) -> None:
    execution = execute_with(_PIPELINE, "query ($o: NodeOrderByInput!) { nodes(orderBy: [$o]) { id } }", {"o": order})
    assert execution.brief == ("BAD_USER_INPUT", ["nodes"])
    assert not execution.fetches


def test_a_variable_that_is_not_there(execute_with: Any) -> None:
    query = "query ($o: NodeOrderByInput) { x: nodes(orderBy: [{parent: $o}]) { id } }"
    for variables in ({}, {"o": None}):
        execution = execute_with(_PIPELINE, query, variables)
        assert execution.outcome is not Outcome.DATA
        assert not execution.fetches


def _deep(relations: int) -> str:
    return f"{{ nodes(orderBy: [{'{parent: ' * relations}{{name: ASC}}{'}' * relations}]) {{ id }} }}"


def _wide(relations: int) -> str:
    """Different values across so many relations in all."""
    entries = ["{children: {count: ASC}}", "{parent: {name: ASC}}", "{parent: {id: ASC}}", "{note: {text: ASC}}"]
    return f"{{ nodes(orderBy: [{' '.join(entries[:relations])}]) {{ id }} }}"


@pytest.mark.parametrize(
    ("limits", "make", "limit", "message"),
    [
        (QueryLimits(max_depth=3), _deep, 3, "at least 4 levels of relations; the limit is 3"),
        (QueryLimits(), _deep, 16, "at least 17 levels of relations; the limit is 16"),
        (QueryLimits(max_conditions=3), _wide, 3, "at least 4 relations; the limit is 3"),
    ],
)
def test_limits(execute_with: Any, limits: QueryLimits, make: Any, limit: int, message: str) -> None:
    pipeline = Pipeline(_SCHEMA, limits)
    assert execute_with(pipeline, make(limit)).outcome is Outcome.DATA
    refused = execute_with(pipeline, make(limit + 1))
    assert refused.brief == ("QUERY_TOO_COMPLEX", ["nodes"])
    assert message in refused.error["message"]
    assert not refused.fetches


def test_repeated_orders_count_once(execute_with: Any) -> None:
    pipeline = Pipeline(_SCHEMA, QueryLimits(max_conditions=1))
    many = "{parent: {name: ASC}} " * 50
    assert execute_with(pipeline, f"{{ nodes(orderBy: [{many}]) {{ id }} }}").outcome is Outcome.DATA

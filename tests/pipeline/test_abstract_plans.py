"""Interfaces and unions without a database: what is refused, what is counted, what introspection tells."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphql import build_client_schema, get_introspection_query, validate_schema

from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.pipeline.response import Refusal
from golden.lending import SCHEMA

FILMS = "... on Film { minutes sequels(limit: 5) { id } }"


def _answer(pipeline: Pipeline, query: str) -> Any:
    with pytest.raises(StopIteration) as stopped:
        next(pipeline.execute(GraphQLRequest(query, None, {}), "r"))
    response = stopped.value.value
    return response.outcome, json.loads(response.body)


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ media(limit: 10) { title } }", 11),
        (f"{{ media(limit: 10) {{ title ... on Book {{ pages id }} {FILMS} }} }}", 81),
        (f"{{ media(limit: 10) {{ title ... on Book {{ pages id }} ... on Node {{ {FILMS} }} }} }}", 81),
        ("{ media(limit: 10) { ... on Song { a: id b: id c: id d: id } ... on Timed { minutes } } }", 51),
        ("query ($n: Int = 9) { media(limit: $n) { ... on Film { sequels(limit: $n) { id } } } }", 91),
        ("{ shelves(limit: 3) { things { id } first { id ... on Tin { metal } } } }", 16),
    ],
)
def test_the_costliest_member_counts(query: str, cost: int) -> None:
    Pipeline(SCHEMA, QueryLimits(max_cost=cost, max_page_size=10, default_page_size=10)).explain(query)
    with pytest.raises(Refusal) as refused:
        Pipeline(SCHEMA, QueryLimits(max_cost=cost - 1, max_page_size=10, default_page_size=10)).explain(query)
    assert f"has a cost of {cost}," in str(refused.value)


def test_an_alias_is_one_for_all_members() -> None:
    query = "{ m: media { t: title ... on Book { p: pages } } }"
    Pipeline(SCHEMA, QueryLimits(max_aliases=3)).explain(query)
    with pytest.raises(Refusal, match="3 aliases; the limit is 2"):
        Pipeline(SCHEMA, QueryLimits(max_aliases=2)).explain(query)


def test_what_members_have_in_common_is_planned_and_selected_once() -> None:
    query = "{ media { sequels { sequels { sequels { sequels { sequels { author { name } } } } } } } }"
    sql = Pipeline(SCHEMA, QueryLimits(max_fields=30, max_cost=10**18)).explain(query).sql
    assert sql.count('from "author"') == 1
    assert sql.count('from "media"') == 6


@pytest.mark.parametrize(
    "query",
    [
        "{ media { pages } }",
        "{ search { id } }",
        "{ media { ... on Author { id } } }",
        "{ search { ... on Box { id } } }",
        "{ media { ... on Book { x: pages } ... on Film { x: title } } }",
        "{ media(where: {pages: {eq: 1}}) { id } }",
        "{ search(orderBy: [{id: ASC}]) { __typename } }",
        "{ search(where: {}) { __typename } }",
        "{ media }",
    ],
)
def test_what_is_not_valid(query: str) -> None:
    outcome, body = _answer(Pipeline(SCHEMA), query)
    assert outcome is Outcome.NOT_VALID
    assert body["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_one_key_may_differ_by_member() -> None:
    sql = Pipeline(SCHEMA).explain("{ media { ... on Book { x: pages } ... on Song { x: minutes } } }").sql
    assert """t$0."pages"::int4 as "x\"""" in sql
    assert """t$0."minutes"::int4 as "x\"""" in sql


def test_introspection() -> None:
    pipeline = Pipeline(SCHEMA)
    outcome, body = _answer(pipeline, get_introspection_query())
    assert outcome is Outcome.DATA
    assert validate_schema(build_client_schema(body["data"])) == []
    assert validate_schema(build_graphql_schema(SCHEMA.model)) == []
    query = '{ a: __type(name: "Media") { ...T } b: __type(name: "Found") { ...T } c: __type(name: "Song") { ...T } }'
    fragment = "fragment T on __Type { kind interfaces { name } possibleTypes { name } fields { name } }"
    _, body = _answer(pipeline, f"{query} {fragment}")
    shown = {
        key: {name: found and {each["name"] for each in found} for name, found in told.items() if name != "kind"}
        for key, told in body["data"].items()
    }
    own = {"id", "title", "what", "loud", "extra", "author", "sequels", "holdings"}
    assert shown == {
        "a": {"interfaces": {"Node"}, "possibleTypes": {"Book", "Film", "Song"}, "fields": own},
        "b": {"interfaces": None, "possibleTypes": {"Author", "Volume", "Clip"}, "fields": None},
        "c": {"interfaces": {"Media", "Node", "Timed"}, "possibleTypes": None, "fields": own | {"minutes"}},
    }

"""Sizes of pages: the nearest declaration counts, and the settings bound them all."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.schema import subscription


@fraiseql.type(sql_source="post", jsonb_column=None)
class Post:
    id: ID
    plain: list[Post] = fraiseql.relation(on={"post_id": "id"})
    few: list[Post] = fraiseql.relation(on={"post_id": "id"}, default_page_size=3, max_page_size=5)
    many: list[Post] = fraiseql.relation(on={"post_id": "id"}, max_page_size=500)
    first: list[Post] = fraiseql.relation(on={"post_id": "id"}, default_page_size=1)


@fraiseql.query
def posts() -> list[Post]: ...


@fraiseql.query(default_page_size=7, max_page_size=60)
def recent() -> list[Post]: ...


@fraiseql.query(max_page_size=2)
def top() -> list[Post]: ...


@subscription(default_page_size=4, max_page_size=6)
def live() -> list[Post]: ...


_DECLARED: dict[str, Any] = {"queries": [posts, recent, top], "subscriptions": [live]}


def _pipeline(limits: QueryLimits, **sizes: int) -> Pipeline:
    return Pipeline(fraiseql.Schema(**_DECLARED, **sizes), limits)


_DEFAULTS = QueryLimits()
_TIGHT = QueryLimits(default_page_size=40, max_page_size=50)


@pytest.mark.parametrize(
    ("limits", "sizes", "field", "default", "largest"),
    [
        (_DEFAULTS, {}, "posts", 100, 1000),
        (_DEFAULTS, {}, "recent", 7, 60),
        (_DEFAULTS, {}, "top", 2, 2),  # the settings' default, cut to the field's largest
        (_DEFAULTS, {"default_page_size": 20}, "posts", 20, 1000),
        (_DEFAULTS, {"max_page_size": 30}, "posts", 30, 30),
        (_DEFAULTS, {"default_page_size": 20, "max_page_size": 30}, "posts", 20, 30),
        (_DEFAULTS, {"default_page_size": 20, "max_page_size": 30}, "recent", 7, 60),  # the field's, though larger
        (_DEFAULTS, {"default_page_size": 20, "max_page_size": 30}, "top", 2, 2),
        (_TIGHT, {}, "posts", 40, 50),
        (_TIGHT, {"default_page_size": 200, "max_page_size": 300}, "posts", 50, 50),
        (_TIGHT, {}, "recent", 7, 50),
        (QueryLimits(max_page_size=50), {}, "posts", 50, 50),
    ],
)
def test_of_a_query(
    execute_with: Any, limits: QueryLimits, sizes: dict[str, int], field: str, default: int, largest: int
) -> None:
    pipeline = _pipeline(limits, **sizes)
    assert pipeline.explain(f"{{ {field} {{ id }} }}").sql.count(f" limit {default})") == 1
    assert pipeline.explain(f"{{ {field}(limit: null) {{ id }} }}").parameters == (str(default),)
    assert pipeline.explain(f"{{ {field}(limit: {largest}) {{ id }} }}").parameters == (str(largest),)
    for query, variables in (
        (f"{{ x: {field}(limit: {largest + 1}) {{ id }} }}", {}),
        (f"query ($n: Int) {{ x: {field}(limit: $n) {{ id }} }}", {"n": largest + 1}),
    ):
        refused = execute_with(pipeline, query, variables)
        assert refused.outcome is Outcome.VARIABLES_INVALID
        assert refused.brief == ("BAD_USER_INPUT", ["x"])
        assert refused.error["message"] == (
            f'The argument "limit" must be between 0 and {largest}; it is {largest + 1}.'
        )


@pytest.mark.parametrize(
    ("sizes", "field", "default", "largest"),
    [
        ({}, "plain", 100, 1000),
        ({}, "few", 3, 5),
        ({}, "many", 100, 500),
        ({}, "first", 1, 1000),
        ({"default_page_size": 20, "max_page_size": 30}, "plain", 20, 30),
        ({"default_page_size": 20, "max_page_size": 30}, "few", 3, 5),
        ({"default_page_size": 20, "max_page_size": 30}, "many", 20, 500),
        ({"default_page_size": 20, "max_page_size": 30}, "first", 1, 30),
    ],
)
def test_of_a_relation(execute_with: Any, sizes: dict[str, int], field: str, default: int, largest: int) -> None:
    pipeline = _pipeline(_DEFAULTS, **sizes)
    assert f" limit {default})" in pipeline.explain(f"{{ recent {{ {field} {{ id }} }} }}").sql
    query = f"{{ recent {{ {field}(limit: {largest}) {{ id }} }} }}"
    assert execute_with(pipeline, query).outcome is Outcome.DATA
    refused = execute_with(pipeline, query.replace(str(largest), str(largest + 1)))
    assert refused.brief == ("BAD_USER_INPUT", ["recent", field])
    assert f"between 0 and {largest}; it is {largest + 1}" in refused.error["message"]


def test_of_a_live_query() -> None:
    pipeline = _pipeline(_DEFAULTS)
    assert " limit 4)" in pipeline.explain("subscription { live { id } }").sql
    assert " limit 3)" in pipeline.explain("subscription { live { few { id } } }").sql


def test_of_a_module() -> None:
    module = ModuleType("declared")
    vars(module).update(posts=posts, Post=Post)
    schema = fraiseql.Schema.from_module(module, default_page_size=8, max_page_size=9)
    assert " limit 8)" in Pipeline(schema).explain("{ posts { id } }").sql
    assert Pipeline(schema).explain("{ posts(limit: 9) { id } }").parameters == ("9",)

"""Aggregates and groups: what they become in SQL, what is watched for them, and what is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import fraiseql
from fraiseql import ID, Aggregate, Group
from fraiseql.effects import EventSource, Open
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline
from pipeline.stepping import Run, stream


@fraiseql.type(sql_source="author", jsonb_column=None)
class Author:
    id: ID
    name: str
    books: list[Book] = fraiseql.relation(on={"author_id": "id"})
    summary: Aggregate[Book] = fraiseql.relation(on={"author_id": "id"})
    groups: list[Group[Book]] = fraiseql.relation(on={"author_id": "id"}, default_page_size=5, max_page_size=20)
    friends: Aggregate[Author] = fraiseql.relation(through="friend", own={"one": "id"}, on={"id": "other"})


@fraiseql.type(sql_source="shop.book", jsonb_column=None)
class Book:
    id: ID
    title: str
    pages: int
    sold: dt.date | None
    author: Author = fraiseql.relation(on={"id": "author_id"})
    reviews: list[Review] = fraiseql.relation(on={"book_id": "id"})


@fraiseql.type(sql_source="review")
class Review:
    stars: int
    words: int
    likes: int


@fraiseql.query
def authors() -> list[Author]: ...


@fraiseql.query
def summary(title: str | None) -> Aggregate[Book]: ...


@fraiseql.query(default_page_size=7)
def groups(title: str | None) -> list[Group[Book]]: ...


@fraiseql.query
def reviews() -> Aggregate[Review]: ...


@fraiseql.subscription
def live_summary() -> Aggregate[Book]: ...


@fraiseql.subscription
def live_groups() -> list[Group[Book]]: ...


@fraiseql.subscription
def live_authors() -> list[Author]: ...


_SCHEMA = fraiseql.Schema(
    queries=[authors, summary, groups, reviews], subscriptions=[live_summary, live_groups, live_authors]
)
_PIPELINE = Pipeline(_SCHEMA)


def _inner(query: str, variables: Any = None) -> str:
    """The scan of the only root field."""
    sql = _PIPELINE.explain(query, variables or {}).sql
    return sql[sql.index("(select count(") + 1 if "(select count(" in sql else sql.index("(select t$0.") + 1 :]


@pytest.mark.parametrize(
    ("query", "sql"),
    [
        ("{ summary { count } }", 'select count(*) as c$0 from "shop"."book" t$0) a$1'),
        ("{ summary { __typename } }", 'select count(*) from "shop"."book" t$0) a$1'),
        ("{ summary { sum { __typename } } }", 'select count(*) from "shop"."book" t$0) a$1'),
        (
            "{ summary { count n: count sum { pages p: pages } s: sum { q: pages } } }",
            'select count(*) as c$0, sum(t$0."pages"::int4) as c$1 from "shop"."book" t$0) a$1',
        ),
        (
            '{ summary(title: "x", where: {pages: {gt: 1}}) { count } }',
            'select count(*) as c$0 from "shop"."book" t$0 where t$0."title" = $1 and t$0."pages" > $2) a$1',
        ),
        ("{ groups { count } }", 'select count(*) as c$0 from "shop"."book" t$0 limit 7) a$1'),
        (
            "{ groups { key { title } } }",
            'select t$0."title" as k$0 from "shop"."book" t$0 group by 1 order by 1 limit 7) a$1',
        ),
        (
            "{ groups(orderBy: [{count: DESC}, {key: {title: ASC}}, {count: ASC}]) { key { pages title p: pages } } }",
            'select t$0."pages" as k$0, t$0."title" as k$1 from "shop"."book" t$0 group by 1, 2 '
            "order by count(*) desc, 2, 1 limit 7) a$1",
        ),
        (
            "{ groups(having: {count: {gt: 1}, OR: []}, orderBy: {max: {pages: ASC}}) { key { title } } }",
            'select t$0."title" as k$0 from "shop"."book" t$0 group by 1 having count(*) > $1 and false '
            'order by max(t$0."pages"::int4), 1 limit 7) a$1',
        ),
        (
            "{ reviews { count sum { stars likes } } }",
            """select count(*) as c$0, sum((t$0."data"->>'stars')::int4) as c$1, sum((t$0."data"->>'likes')::int4) """
            'as c$2 from "review" t$0) a$1',
        ),
        (
            "{ reviews(where: {stars: {gt: 1}}) { count sum { stars likes words } } }",
            """select count(*) as c$0, sum((t$0."data"->>'stars')::int4) as c$1, sum((t$0."data"->>'likes')::int4) """
            """as c$2, sum((t$0."data"->>'words')::int4) as c$3 from (select t$0."data" from "review" t$0 """
            """where (t$0."data"->>'stars')::int4 > $1 offset 0) t$0) a$1""",
        ),
    ],
)
def test_one_scan(query: str, sql: str) -> None:
    assert _inner(query).startswith(sql)


def test_conditions_of_relations_are_one_subquery() -> None:
    sql = _PIPELINE.explain(
        "{ authors(where: {books: {aggregate: {count: {gt: 1}, sum: {pages: {lt: 9}}}}}) { id } }"
    ).sql
    assert (
        'where exists (select from "shop"."book" t$1 where t$1."author_id" = t$0."id" '
        'having (count(*) > $1 and sum(t$1."pages"::int4) < $2))'
    ) in sql


@pytest.mark.parametrize(
    "query",
    [
        "{ summary }",
        "{ summary { sum } }",
        "{ summary { sum { title } } }",
        "{ summary { key { title } } }",
        "{ summary(limit: 1) { count } }",
        "{ summary(having: {count: {gt: 1}}) { count } }",
        "{ groups(having: {key: {title: {eq: 1}}}) { count } }",
        '{ groups(having: {count: {gt: "1"}}) { count } }',
        "{ groups(having: {sum: {title: {eq: 1}}}) { count } }",
        "{ groups(orderBy: {pages: ASC}) { key { pages } } }",
        "{ groups(orderBy: {count: ASC, key: {title: ASC}}) { count } }",
        "{ groups { key { title(truncatedTo: DAY) } } }",
        "{ authors(where: {summary: {count: {gt: 1}}}) { id } }",
        "{ authors(orderBy: {summary: {count: ASC}}) { id } }",
        "{ authors(where: {books: {aggregate: {some: {}}}}) { id } }",
    ],
)
def test_what_is_not_there(execute_with: Any, query: str) -> None:
    execution = execute_with(_PIPELINE, query)
    assert execution.outcome is Outcome.NOT_VALID
    assert not execution.fetches


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ groups(orderBy: {key: {pages: ASC}}) { count } }", {}),
        ("{ groups(orderBy: [{count: ASC}, {key: {pages: ASC}}]) { key { title } } }", {}),
        ("query ($o: [GroupOrder!]) { groups(orderBy: $o) { key { title } } }", {"o": [{"key": {"pages": "ASC"}}]}),
        (
            "query ($no: Boolean!) { groups(orderBy: {key: {pages: ASC}}) { key { pages @skip(if: $no) title } } }",
            {"no": True},
        ),
    ],
)
def test_an_order_by_what_is_not_selected_of_the_key(execute_with: Any, query: str, variables: Any) -> None:
    execution = execute_with(_PIPELINE, query.replace("GroupOrder", "BookGroupOrderByInput"), variables)
    assert execution.brief == ("BAD_USER_INPUT", ["groups"])
    assert execution.error["message"] == (
        'The argument "orderBy" names pages of the key, which is not selected in "key".'
    )
    assert not execution.fetches


def test_the_path_of_an_order_inside(execute_with: Any) -> None:
    execution = execute_with(_PIPELINE, "{ authors { g: groups(orderBy: {key: {pages: ASC}}) { count } } }")
    assert execution.brief == ("BAD_USER_INPUT", ["authors", "g"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ groups(limit: -1) { count } }", 'The argument "limit" must be between 0 and 1000; it is -1.'),
        ("{ groups(offset: -1) { count } }", 'The argument "offset" must not be negative; it is -1.'),
        ("{ groups(having: {count: {gt: null}}) { count } }", 'The argument "having.count.gt" must not be null'),
        (
            "{ groups(having: {OR: [{max: {title: {like: null}}}]}) { count } }",
            'The argument "having.OR[0].max.title.like" must not be null',
        ),
    ],
)
def test_wrong_values(execute_with: Any, query: str, message: str) -> None:
    execution = execute_with(_PIPELINE, query)
    assert execution.brief == ("BAD_USER_INPUT", ["groups"])
    assert execution.error["message"].startswith(message)


def test_the_page_size_of_a_relation(execute_with: Any) -> None:
    assert "limit 5)" in _PIPELINE.explain("{ authors { groups { count } } }").sql
    execution = execute_with(_PIPELINE, "{ authors { groups(limit: 21) { count } } }")
    assert execution.brief == ("BAD_USER_INPUT", ["authors", "groups"])


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ summary { count } }", 2),
        ("{ summary { count sum { pages } max { pages title } } }", 7),
        ("{ authors(limit: 3) { summary { count } } }", 1 + 3 * 2),
        ("{ groups(limit: 4) { key { title } count } }", 1 + 4 * 3),
        ("{ authors(limit: 3) { groups { count } } }", 1 + 3 * (1 + 5)),
    ],
)
def test_costs(execute_with: Any, query: str, cost: int) -> None:
    assert execute_with(Pipeline(_SCHEMA, QueryLimits(max_cost=cost)), query).outcome is Outcome.DATA
    refused = execute_with(Pipeline(_SCHEMA, QueryLimits(max_cost=cost - 1)), query)
    assert refused.brief == ("QUERY_TOO_COMPLEX", None)
    assert f"a cost of {cost}," in refused.error["message"]


def _conditions(count: int) -> str:
    return f"{{ groups(having: {{AND: [{'{count: {gt: 1}}' * count}]}}) {{ count }} }}"


def _relations(count: int) -> str:
    """One for the relation itself."""
    inner = "{sum: {pages: {gt: 1}}}" * (count - 1)
    return f"{{ authors(where: {{books: {{aggregate: {{AND: [{inner}]}}}}}}) {{ id }} }}"


@pytest.mark.parametrize("make", [_conditions, _relations])
def test_conditions_are_bounded(execute_with: Any, make: Any) -> None:
    pipeline = Pipeline(_SCHEMA, QueryLimits(max_conditions=9))
    assert execute_with(pipeline, make(9)).outcome is Outcome.DATA
    refused = execute_with(pipeline, make(10))
    assert "at least 10 conditions; the limit is 9" in refused.error["message"]


def test_a_statement_for_each_unit() -> None:
    query = "query ($unit: DateUnit) { groups { key { sold(truncatedTo: $unit) } } }"
    truncated = """date_trunc('{}', t$0."sold"::timestamp)::date as k$0"""
    assert truncated.format("week") in _PIPELINE.explain(query, {"unit": "WEEK"}).sql
    assert truncated.format("year") in _PIPELINE.explain(query, {"unit": "YEAR"}).sql
    assert 't$0."sold" as k$0' in _PIPELINE.explain(query, {"unit": None}).sql
    assert 't$0."sold" as k$0' in _PIPELINE.explain(query).sql


@pytest.mark.parametrize(
    ("query", "topics"),
    [
        ("{ liveSummary { count } }", {"shop.book"}),
        ('{ liveSummary(where: {author: {name: {eq: "x"}}}) { count } }', {"shop.book", "author"}),
        ("{ liveGroups(having: {count: {gt: 1}}) { key { title } } }", {"shop.book"}),
        ("{ liveAuthors { summary { count } } }", {"author", "shop.book"}),
        ("{ liveAuthors { groups { count } } }", {"author", "shop.book"}),
        ("{ liveAuthors { friends { count } } }", {"author", "friend"}),
        ("{ liveAuthors { groups(where: {reviews: {some: {}}}) { count } } }", {"author", "shop.book", "review"}),
        ("{ liveAuthors(where: {books: {aggregate: {count: {gt: 1}}}}) { id } }", {"author", "shop.book"}),
        ("{ liveAuthors(orderBy: {books: {sum: {pages: ASC}}}) { id } }", {"author", "shop.book"}),
    ],
)
def test_what_is_watched(query: str, topics: set[str]) -> None:
    run = Run(stream(f"subscription {query}", of=_PIPELINE).begin())
    assert run.effect == Open(EventSource(frozenset(f"fraiseql.changed.{topic}" for topic in topics), None))


def test_what_must_be_watched() -> None:
    assert _SCHEMA.model.watched_sources == {"shop.book", "author", "friend", "review"}

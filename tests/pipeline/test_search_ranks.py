"""How well a row fits a search: conditions on it, and orders by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.errors import SchemaError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline


@fraiseql.type
class Address:
    city: str | None


@fraiseql.type(sql_source="author", jsonb_column=None)
class Author:
    id: ID
    name: str
    home: Address | None


@fraiseql.type(sql_source="book", jsonb_column=None)
class Book:
    id: ID
    title: str
    words: fraiseql.TSVector | None
    author: Author | None = fraiseql.relation(on={"id": "author_id"})


@fraiseql.type(sql_source="only", jsonb_column=None)
class OnlyWords:
    """Has nothing else to order by."""

    words: fraiseql.TSVector


@fraiseql.query
def books() -> list[Book]: ...


@fraiseql.query
def only() -> list[OnlyWords]: ...


_SCHEMA = fraiseql.Schema(queries=[books, only])
_PIPELINE = Pipeline(_SCHEMA)


@pytest.fixture
def ask(execute_with: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: execute_with(_PIPELINE, *arguments)


_TITLE = "to_tsvector('simple', t$0.\"title\")"


@pytest.mark.parametrize(
    ("order", "sql", "parameters"),
    [
        (
            '{searchRank: {title: {plain: "a"}}}',
            f"ts_rank({_TITLE}, plainto_tsquery('simple', $1)) desc nulls last",
            ("a",),
        ),
        (
            '{searchRank: {title: {phrase: "a", direction: ASC}}}',
            f"ts_rank({_TITLE}, phraseto_tsquery('simple', $1))",
            ("a",),
        ),
        (
            '{searchRank: {words: {websearch: "a or b", config: FRENCH, direction: DESC}}}',
            "ts_rank(t$0.\"words\", websearch_to_tsquery('french', $1)) desc",
            ("a or b",),
        ),
        (
            '{author: {searchRank: {name: {plain: "a", config: null}}}}',
            "(select ts_rank(to_tsvector('simple', t$2.\"name\"), plainto_tsquery('simple', $1)) from \"author\" t$2"
            ' where t$2."id" = t$0."author_id" order by t$2."id" limit 1) desc nulls last',
            ("a",),
        ),
        (
            '{author: {home: {searchRank: {city: {plain: "a"}}}}}',
            "(select ts_rank(to_tsvector('simple', (to_jsonb(t$2.\"home\")->>'city')), plainto_tsquery('simple', $1))"
            ' from "author" t$2 where t$2."id" = t$0."author_id" order by t$2."id" limit 1) desc nulls last',
            ("a",),
        ),
        (
            '{searchRank: {title: {plain: "a"}}}, {searchRank: {title: {plain: "b"}}}',
            f"ts_rank({_TITLE}, plainto_tsquery('simple', $1)) desc nulls last,"
            f" ts_rank({_TITLE}, plainto_tsquery('simple', $2)) desc nulls last",
            ("a", "b"),
        ),
    ],
)
def test_order(order: str, sql: str, parameters: tuple[str, ...]) -> None:
    explanation = _PIPELINE.explain(f"{{ books(orderBy: [{order}]) {{ id }} }}")
    assert f' order by {sql}, t$0."id" limit 100' in explanation.sql
    assert explanation.parameters == parameters


def test_a_vector_is_enough_to_order_by() -> None:
    explanation = _PIPELINE.explain('{ only(orderBy: {searchRank: {words: {plain: "a"}}}) { words } }')
    assert " order by ts_rank(t$0.\"words\", plainto_tsquery('simple', $1)) desc nulls last limit" in explanation.sql


def test_variables_give_the_same_statement() -> None:
    written = _PIPELINE.explain('{ books(orderBy: [{searchRank: {title: {plain: "a", config: ENGLISH}}}]) { id } }')
    search = {"plain": "a", "config": "ENGLISH"}
    for kind, value, place in (
        ("String!", "a", "[{searchRank: {title: {plain: $v, config: ENGLISH}}}]"),
        ("TextSearchRankInput!", search, "[{searchRank: {title: $v}}]"),
        ("BookSearchRankOrderByInput!", {"title": search}, "[{searchRank: $v}]"),
        ("BookOrderByInput!", {"searchRank": {"title": search}}, "[$v]"),
        ("[BookOrderByInput!]", {"searchRank": {"title": search}}, "$v"),
    ):
        assert _PIPELINE.explain(f"query ($v: {kind}) {{ books(orderBy: {place}) {{ id }} }}", {"v": value}) == written


_NEEDS_ONE = "needs exactly one of plain, phrase and websearch, and not as null"


@pytest.mark.parametrize(
    "search",
    [{}, {"config": "ENGLISH"}, {"plain": None}, {"plain": "a", "phrase": "b"}, {"plain": "a", "websearch": None}],
)
def test_an_order_is_by_one_search(ask: Callable[..., Any], search: dict[str, Any]) -> None:
    literal = ", ".join(
        f"{key}: {value if key == 'config' else 'null' if value is None else repr(value)}".replace("'", '"')
        for key, value in search.items()
    )
    document = f"{{ b: books(orderBy: [{{id: ASC}}, {{searchRank: {{title: {{{literal}}}}}}}]) {{ id }} }}"
    variable = "query ($v: TextSearchRankInput!) { b: books(orderBy: [{id: ASC}, {searchRank: {title: $v}}]) { id } }"
    for answer in (ask(document), ask(variable, {"v": search})):
        assert answer.outcome is Outcome.VARIABLES_INVALID
        assert answer.brief == ("BAD_USER_INPUT", ["b"])
        assert answer.error["message"] == f'The argument "orderBy[1].searchRank.title" {_NEEDS_ONE}.'
        assert not answer.fetches


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ("{searchRank: {}}", "exactly one field"),
        ("{searchRank: null}", "non-null"),
        ("{searchRank: {title: null}}", "non-null"),
        ('{searchRank: {title: {plain: "a"}, words: {plain: "a"}}}', "exactly one field"),
        ('{searchRank: {id: {plain: "a"}}}', "'id'"),
        ("{searchRank: {title: {plain: 1}}}", "String cannot represent"),
        ('{searchRank: {title: {plain: "a", direction: null}}}', "OrderDirection!"),
        ('{searchRank: {title: {plain: "a", config: KLINGON}}}', "KLINGON"),
        ('{searchRank: {title: {plain: "a", rank: {gt: 1}}}}', "'rank'"),
        ('{author: {searchRank: {title: {plain: "a"}}}}', "'title'"),
    ],
)
def test_orders_are_validated(ask: Callable[..., Any], order: str, message: str) -> None:
    answer = ask(f"{{ books(orderBy: [{order}]) {{ id }} }}")
    assert answer.outcome is Outcome.NOT_VALID
    first = answer.json["errors"][0]
    assert (first["extensions"]["code"], first["path"]) == ("GRAPHQL_VALIDATION_FAILED", ["books"])
    assert message in " ".join(error["message"] for error in answer.json["errors"])


@pytest.mark.parametrize(
    ("search", "sql", "parameters"),
    [
        (
            '{plain: "a", rank: {gt: 0.1, lte: 1}}',
            f"{_TITLE} @@ plainto_tsquery('simple', $1)"
            f" and ts_rank({_TITLE}, plainto_tsquery('simple', $1)) > $2"
            f" and ts_rank({_TITLE}, plainto_tsquery('simple', $1)) <= $3",
            ("a", "0.1", "1.0"),
        ),
        (
            '{rank: {gt: 0.1}, websearch: "b", plain: "a"}',
            f"{_TITLE} @@ plainto_tsquery('simple', $1) and {_TITLE} @@ websearch_to_tsquery('simple', $2)"
            f" and ts_rank({_TITLE}, (plainto_tsquery('simple', $1) && websearch_to_tsquery('simple', $2))) > $3",
            ("a", "b", "0.1"),
        ),
        ('{plain: "a", rank: null}', f"{_TITLE} @@ plainto_tsquery('simple', $1)", ("a",)),
        ('{plain: "a", rank: {}}', f"{_TITLE} @@ plainto_tsquery('simple', $1)", ("a",)),
    ],
)
def test_conditions(search: str, sql: str, parameters: tuple[str, ...]) -> None:
    explanation = _PIPELINE.explain(f"{{ books(where: {{title: {{search: {search}}}}}) {{ id }} }}")
    assert f" where {sql} order by" in explanation.sql
    assert explanation.parameters == parameters


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("{rank: {gt: 0.1}}", '"where.title.search.rank" needs plain, phrase or websearch beside it'),
        ("{rank: {}, config: ENGLISH}", '"where.title.search.rank" needs plain, phrase or websearch beside it'),
        ('{plain: "a", rank: {gt: null}}', '"where.title.search.rank.gt" must not be null'),
        ("{plain: null, rank: {gt: 0.1}}", '"where.title.search.plain" must not be null'),
    ],
)
def test_wrong_conditions(ask: Callable[..., Any], search: str, message: str) -> None:
    answer = ask(f"{{ b: books(where: {{title: {{search: {search}}}}}) {{ id }} }}")
    assert answer.brief == ("BAD_USER_INPUT", ["b"])
    assert message in answer.error["message"]
    assert not answer.fetches


def test_searches_in_orders_are_limited(execute_with: Callable[..., Any]) -> None:
    pipeline = Pipeline(_SCHEMA, QueryLimits(max_conditions=2))
    for count in (2, 3):
        orders = '{searchRank: {title: {plain: "a"}}} ' * count
        answer = execute_with(pipeline, f"{{ books(orderBy: [{orders}]) {{ id }} }}")
        assert (answer.outcome is Outcome.DATA) is (count == 2)
    assert answer.brief == ("QUERY_TOO_COMPLEX", ["books"])
    assert "at least 3 relations and searches; the limit is 2" in answer.error["message"]


def test_the_name_is_taken() -> None:
    taken = fraiseql.type(sql_source="x")(type("Taken", (), {"__annotations__": {"search_rank": str}}))
    with pytest.raises(
        SchemaError, match=r"Taken.searchRank: found a field named searchRank; expected name="
    ) as raised:
        fraiseql.Schema(types=[taken], queries=[books])
    assert "`orderBy` has this one itself" in str(raised.value)
    embedded = fraiseql.type(type("Embedded", (), {"__annotations__": {"search_rank": str}}))
    fraiseql.Schema(types=[embedded], queries=[books])

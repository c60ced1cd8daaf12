"""No value of a request becomes SQL text: the statement is the same whatever the values hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraiseql.pipeline import Pipeline

_ATTACKS = [
    "'; drop table users; --",
    "' or '1'='1",
    "\\'; select 1; --",
    '"; drop table users; --',
    "$1",
    "$$; drop table users; $$",
    "\\",
    "%s",
    "{0}",
    "/* */",
    "}; select 1",
    '{"a","b"}',
    'a","b',
    "NULL",
    "1) or (1=1",
    "E'\\x41'",
    "\u2019 or 1=1",
    "line\nbreak",
    ":name",
]
_PLACES = [
    ("ID!", "post(id: %s) { id }"),
    ("ID", "users(where: {id: {eq: %s}}) { id }"),
    ("ID", "users(where: {id: {neq: %s}}) { id }"),
    ("String", "users(where: {name: {eq: %s}}) { id }"),
    ("String", "users(where: {name: {gte: %s, lt: %s}}) { id }"),
    ("String", "users(where: {NOT: {OR: [{email: {neq: %s}}]}}) { id }"),
    ("[String!]", "users(where: {name: {in: %s}}) { id }"),
    ("[String!]", "posts(where: {text: {in: %s}}) { id }"),
    ("[String!]", "posts(where: {text: {nin: %s}}) { id }"),
    ("[String!]", "users(where: {tags: {contains: %s}}) { id }"),
    ("[String!]", "users(where: {tags: {any: {in: %s}}}) { id }"),
    ("[String!]", "posts(where: {metadata: {hasAnyKeys: %s}}) { id }"),
    ("String", "posts(where: {metadata: {hasKey: %s}}) { id }"),
    ("String", "posts(where: {text: {matches: %s, imatches: %s}}) { id }"),
    ("String", "posts(where: {text: {search: {plain: %s, phrase: %s, websearch: %s, config: ENGLISH}}}) { id }"),
    ("String", "posts(where: {text: {search: {plain: %s, rank: {neq: null}}}}) { id }"),
    ("String", "posts(orderBy: [{searchRank: {text: {websearch: %s}}}, {searchRank: {title: {plain: %s}}}]) { id }"),
    ("String", "posts(orderBy: {author: {searchRank: {name: {phrase: %s, config: ENGLISH}}}}) { id }"),
    ("String", "users(where: {posts: {some: {author: {name: {eq: %s}}}}}) { id }"),
    ("String", "users { posts(where: {title: {eq: %s}}) { comments(where: {body: {lt: %s}}) { id } } }"),
]


@pytest.mark.parametrize("attack", _ATTACKS, ids=ascii)
@pytest.mark.parametrize(("type_name", "place"), _PLACES)
def test_values_are_parameters(pipeline: Pipeline, type_name: str, place: str, attack: str) -> None:
    def explained(value: str) -> list[Any]:
        literal = json.dumps(value)
        sent: Any = [value] if type_name.startswith("[") else value
        field = place.replace("%s", "$v")
        return [
            pipeline.explain(f"{{ {place.replace('%s', literal)} }}"),
            pipeline.explain(f"query ($v: {type_name}) {{ {field} }}", {"v": sent}),
            pipeline.explain(f"query ($v: {type_name} = {literal}) {{ {field} }}"),
        ]

    harmless, attacked = explained("harmless"), explained(attack)
    assert {one.sql for one in attacked} == {one.sql for one in harmless}
    count = place.count("%s")
    if type_name.startswith("["):
        escaped = attack.replace("\\", "\\\\").replace('"', '\\"')
        assert {one.parameters for one in attacked} == {(f'{{"{escaped}"}}',) * count}
    else:
        assert {one.parameters for one in attacked} == {(attack,) * count}


@pytest.mark.parametrize("attack", _ATTACKS, ids=ascii)
def test_a_whole_filter_as_a_variable(pipeline: Pipeline, attack: str) -> None:
    query = "query ($w: UserWhereInput) { users(where: $w) { id } }"

    def where(text: str) -> dict[str, Any]:
        return {"w": {"name": {"eq": text, "in": [text]}, "OR": [{"email": {"neq": text}}, {"bio": {"gt": text}}]}}

    attacked, harmless = pipeline.explain(query, where(attack)), pipeline.explain(query, where("harmless"))
    assert attacked.sql == harmless.sql
    assert attacked.parameters[0] == attacked.parameters[2] == attacked.parameters[3] == attack


@pytest.mark.parametrize("attack", _ATTACKS, ids=ascii)
@pytest.mark.parametrize(
    ("type_name", "place"),
    [
        ("PostStatus", "posts(where: {status: {eq: $v}}) { id }"),
        ("PostStatus!", "postsByStatus(status: $v) { id }"),
        ("[PostStatus!]", "posts(where: {status: {in: $v}}) { id }"),
        ("[UserOrderByInput!]", "users(orderBy: $v) { id }"),
        ("OrderDirection!", "users(orderBy: [{id: $v}]) { id }"),
        ("OrderDirection!", "posts(orderBy: [{author: {name: $v}}]) { id }"),
        ("UserOrderByInput!", "posts(orderBy: [{author: $v}]) { id }"),
        ("CommentAggregateOrderByInput!", "posts(orderBy: [{comments: $v}]) { id }"),
        ("UserWhereInput", "users(where: $v) { id }"),
        ("PostSearchRankOrderByInput!", "posts(orderBy: [{searchRank: $v}]) { id }"),
        ("TextSearchRankInput!", "posts(orderBy: [{searchRank: {text: $v}}]) { id }"),
        ("TextSearchConfig", 'posts(orderBy: [{searchRank: {text: {plain: "a", config: $v}}}]) { id }'),
        ("OrderDirection!", 'posts(orderBy: [{searchRank: {text: {plain: "a", direction: $v}}}]) { id }'),
        ("FloatFilter", 'posts(where: {text: {search: {plain: "a", rank: $v}}}) { id }'),
        ("Int", "users(limit: $v) { id }"),
        ("Date", "users(where: {birthday: {eq: $v}}) { id }"),
        ("Boolean!", "users { id name @include(if: $v) }"),
    ],
)
def test_what_is_no_text_takes_none(execute: Any, type_name: str, place: str, attack: str) -> None:
    for value in (attack, {attack: "ASC"}, [attack], {"id": attack}):
        execution = execute(f"query ($v: {type_name}) {{ {place} }}", {"v": value})
        assert execution.error["extensions"]["code"] == "BAD_USER_INPUT"
        assert not execution.fetches


def test_aliases_are_names(pipeline: Pipeline, execute: Any) -> None:
    """Syntax leaves an alias letters, digits and `_`; even words of SQL are only names."""
    explanation = pipeline.explain("{ drop: users { table: id select: name NULL: email _: role } }")
    assert '"table", ' in explanation.sql
    assert '"NULL", ' in explanation.sql
    for alias in ('"a"', "a$b", "a-b", "a b", "é", "'a'"):
        assert execute(f"{{ users {{ {alias}: id }} }}").json.keys() == {"errors"}

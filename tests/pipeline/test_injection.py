"""No value of a request becomes SQL text: the statement is the same whatever the values hold."""

from __future__ import annotations

import re
from typing import Any

import pytest
from graphql import is_leaf_type

from fraiseql.pipeline import Pipeline
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.pipeline.operation import Explanation
from fraiseql.pipeline.response import Refusal
from fraiseql.schema.aggregates import DATE_UNITS
from golden import every_type
from golden.places import every_place

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
_SCHEMA = build_graphql_schema(every_type.schema.model)
_EVERY_PLACE = every_place(_SCHEMA)
_TAKES_TEXT = ("String", "ID", "JSON", "Email")


@pytest.fixture(scope="module")
def every() -> Pipeline:
    return Pipeline(every_type.schema)


def test_the_places_are_those_of_every_type_of_argument() -> None:
    leaves = {name for name, declared in _SCHEMA.type_map.items() if is_leaf_type(declared) and name[:2] != "__"}
    assert leaves - {place.scalar for place in _EVERY_PLACE} <= {"TSVector", *DATE_UNITS}  # fixed enums
    documents = {place.document for place in _EVERY_PLACE}
    assert "cell(id: %s) { __typename }" in documents
    assert "cells(where: {text: {in: [%s]}}) { __typename }" in documents
    assert "cells(where: {AND: [{text: {eq: %s}}]}) { __typename }" in documents
    assert "cells(where: {children: {some: {text: {eq: %s}}}}) { __typename }" in documents
    assert "documents(where: {text: {eq: %s}}) { __typename }" in documents
    assert len(documents) > 1_000


@pytest.mark.parametrize("scalar", _TAKES_TEXT)
def test_texts_are_parameters(every: Pipeline, scalar: str) -> None:
    """As variables all of the attacks, and one of them written out."""
    end = "@" if scalar == "Email" else ""
    for number, place in enumerate(_EVERY_PLACE):
        if place.scalar == scalar:
            attacks = [f"{attack}{end}" for attack in _ATTACKS]
            written = place.literal(attacks[number % len(attacks)])
            if re.search(r"\b(?:after|before): %s", place.document):
                for query, attack in ((place.variable(), attacks[0]), (written, "")):
                    with pytest.raises(Refusal, match="is not a cursor of this list"):
                        every.explain(query, {"v": attack} if attack else {})
                continue
            harmless = every.explain(place.variable(), {"v": f"7{end}"})
            taken = [_taken(every, harmless, place.variable(), {"v": attack}) for attack in attacks]
            taken.append(_taken(every, harmless, written, {}))
            # Some attacks are no patterns and no paths.
            assert any(taken) if re.search(r"\b(?:i?like|path\w+):", place.document) else all(taken), place


def _taken(every: Pipeline, harmless: Explanation, query: str, variables: dict[str, str]) -> bool:
    """Whether a value is a parameter of the same SQL as another's; otherwise it is refused, before any SQL."""
    try:
        found = every.explain(query, variables)
    except Refusal as refusal:
        return _is_refused(refusal)
    assert found.sql == harmless.sql
    assert len(found.parameters) == len(harmless.parameters)
    assert found.parameters != harmless.parameters
    return True


def _is_refused(refusal: Refusal) -> bool:
    assert {error.code for error in refusal.errors} <= {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}
    return False


@pytest.mark.parametrize("scalar", sorted({place.scalar for place in _EVERY_PLACE} - set(_TAKES_TEXT)))
def test_what_is_no_text_takes_no_text(every: Pipeline, scalar: str) -> None:
    for place in _EVERY_PLACE:
        if place.scalar == scalar:
            for attack in _ATTACKS:
                if (scalar, attack) != ("Bytes", "NULL"):  # which is base64
                    with pytest.raises(Refusal) as refused:
                        every.explain(place.variable(), {"v": attack})
                    assert [error.code for error in refused.value.errors] == ["BAD_USER_INPUT"]
            with pytest.raises(Refusal) as refused:
                every.explain(place.literal("$1"))
            assert [error.code for error in refused.value.errors] == ["GRAPHQL_VALIDATION_FAILED"]


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

"""An interface over a source with a jsonb column, whose discriminator is a number; types in a module of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from golden.serving import Served, served

_DDL = b"""
create table doc (id int primary key, "Sort of" int not null, by int, data jsonb not null);
create view v_note as select id, jsonb_build_object('id', id, 'name', upper(data->>'name'), 'text', 'own') as data
    from doc where "Sort of" = 1;
insert into doc values
    (1, 1, null, '{"id": 1, "name": "a", "text": "x"}'), (2, 2, 1, '{"id": 2, "name": "b", "to": "me"}'),
    (3, 1, 2, '{"id": 3, "name": "c", "text": "y"}'), (4, 2, 4, '{"id": 4, "name": "d", "to": "you"}');
"""


@fraiseql.interface(sql_source="doc", discriminator="Sort of")
class Doc:
    id: ID = fraiseql.field(column="id")
    name: str
    answers: list[Doc] = fraiseql.relation(on={"by": "id"})


@fraiseql.type(when="1", sql_source="v_note")
class Note(Doc):
    text: str
    answers: list[Doc] = fraiseql.relation(on={"by": "id"})


@fraiseql.type(when="2")
class Mail(Doc):
    to: str
    about: Mail | None = fraiseql.relation(on={"id": "by"})
    notes: list[Note] = fraiseql.relation(on={"id": "by"})


@fraiseql.type
class Told:
    id: ID = fraiseql.field(column="id")
    label: str = fraiseql.field(sql="'told ' || {id}")


@fraiseql.type
class Sent:
    id: ID = fraiseql.field(column="id")
    to: str
    label: str = fraiseql.field(sql="'sent ' || coalesce({by}::text, '-')")


@fraiseql.union(sql_source="doc", discriminator="Sort of", types={"1": Told, "2": Sent})
class Paper:
    """Members without a source, whose expressions are computed from the union's columns."""


@fraiseql.query
def any_docs() -> list[Paper]: ...


@fraiseql.query
def docs() -> list[Doc]: ...


@fraiseql.query
def mails(to: str | None) -> list[Mail]: ...


@fraiseql.query
def notes() -> list[Note]: ...


_SCHEMA = fraiseql.Schema.from_module(sys.modules[__name__])


@pytest.fixture(scope="module")
def serving(module_database_url: str) -> Iterator[Served]:
    with served(module_database_url, _DDL, _SCHEMA) as opened:
        yield opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "{ docs { id name ... on Note { text } ... on Mail { to } } }",
            [
                {"id": "1", "name": "a", "text": "x"},
                {"id": "2", "name": "b", "to": "me"},
                {"id": "3", "name": "c", "text": "y"},
                {"id": "4", "name": "d", "to": "you"},
            ],
        ),
        (
            "{ anyDocs(limit: 2) { ... on Told { id label } ... on Sent { label to } } }",
            [{"id": "1", "label": "told 1"}, {"label": "sent 1", "to": "me"}],
        ),
        ("{ notes { name text } }", [{"name": "A", "text": "own"}, {"name": "C", "text": "own"}]),
        ('{ mails(to: "you") { id } }', [{"id": "4"}]),
        (
            '{ mails(where: {OR: [{to: {like: "m%"}}, {about: {}}]}, orderBy: [{to: DESC}]) { id } }',
            [{"id": "4"}, {"id": "2"}],
        ),
        ('{ mails(where: {about: {name: {neq: "x"}}}) { id about { id } } }', [{"id": "4", "about": {"id": "4"}}]),
        ("{ mails { notes { name } } }", [{"notes": [{"name": "A"}]}, {"notes": []}]),
        ('{ docs(where: {answers: {some: {name: {eq: "c"}}}}) { id } }', [{"id": "2"}]),
        (
            "{ docs(limit: 1) { answers { id ... on Mail { notes { answers { __typename } } } } } }",
            [{"answers": [{"id": "2", "notes": [{"answers": [{"__typename": "Mail"}]}]}]}],
        ),
    ],
)
def test_rows(serving: Served, query: str, expected: Any) -> None:
    assert next(iter(serving.data(query).values())) == expected


@fraiseql.interface(sql_source="medium", discriminator="kind")
class Medium:
    """Whose documents repeat what the column of the discriminator says."""

    id: ID
    kind: str


@fraiseql.type(when="book")
class Tome(Medium):
    pages: int


@fraiseql.query
def mediums() -> list[Medium]: ...


@fraiseql.query
def medium_pages() -> fraiseql.Connection[Medium]: ...


_MEDIUM = b"""
create table medium (id int primary key, kind text not null, data jsonb not null);
insert into medium values (1, 'book', '{"id": 1, "kind": "a book", "pages": 5}');
"""


def test_a_field_with_the_name_of_the_discriminator(module_database_url: str) -> None:
    schema = fraiseql.Schema(types=[Tome], queries=[mediums, medium_pages])
    with served(module_database_url, _MEDIUM, schema) as serving:
        row = {"id": "1", "kind": "a book"}
        assert serving.data("{ mediums { id kind } }") == {"mediums": [row]}
        assert serving.data("{ mediumPages(first: 1) { nodes { id kind ... on Tome { pages } } } }") == {
            "mediumPages": {"nodes": [{**row, "pages": 5}]}
        }

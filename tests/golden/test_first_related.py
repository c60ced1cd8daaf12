"""Conditions on a relation to one row where several are related: they are of the row that is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from golden.serving import Served, served

_DDL = b"""
create table post (id int primary key, n int not null);
create table tag (id int primary key, name text not null, kind text not null);
create table post_tag (post int not null, tag int not null);
create table note (id int, post int not null, text text);
create table doc (post int not null, data jsonb not null);
create view post_doc as select id, jsonb_build_object('id', id::text, 'n', n) as data from post;
insert into post select i, i % 3 from generate_series(1, 6) i;
insert into tag values (1, 'a', 'x'), (2, 'b', 'y'), (3, 'a', 'y'), (4, 'b', 'x');
insert into post_tag values (1, 1), (1, 2), (1, 3), (1, 3), (2, 2), (3, 4), (3, 3), (4, 4), (4, 4), (5, 9);
insert into note values (2, 1, 'a'), (1, 1, 'b'), (null, 2, 'b'), (3, 2, 'a'), (null, 3, 'b'),
    (4, 4, null), (5, 4, 'a');
insert into doc values
    (1, '{"id": "9", "text": "a"}'), (1, '{"id": "10", "text": "b"}'), (2, '{"id": "1", "text": "a"}'),
    (3, '{"id": "1", "text": "b"}'), (3, '{"id": "2", "text": "a"}');
"""


@fraiseql.interface(sql_source="tag", jsonb_column=None, discriminator="kind")
class Tag:
    id: ID
    name: str


@fraiseql.type(when="x")
class TagX(Tag):
    posts: list[Post] = fraiseql.relation(through="post_tag", own={"tag": "id"}, on={"id": "post"})


@fraiseql.type(when="y")
class TagY(Tag): ...


@fraiseql.type(sql_source="note", jsonb_column=None)
class Note:
    id: ID | None
    post: Post = fraiseql.relation(on={"id": "post"})
    text: str | None


@fraiseql.type(sql_source="doc")
class Doc:
    id: ID
    text: str


@fraiseql.type(sql_source="post", jsonb_column=None)
class Post:
    id: ID
    n: int
    tag: Tag | None = fraiseql.relation(through="post_tag", own={"post": "id"}, on={"id": "tag"})
    tag_y: TagY | None = fraiseql.relation(through="post_tag", own={"post": "id"}, on={"id": "tag"})
    note: Note | None = fraiseql.relation(on={"post": "id"})
    doc: Doc | None = fraiseql.relation(on={"post": "id"})
    same: Post | None = fraiseql.relation(on={"n": "n"})
    itself: PostDoc = fraiseql.relation(on={"id": "id"})


@fraiseql.type(sql_source="post_doc")
class PostDoc:
    id: ID
    n: int


@fraiseql.query
def posts() -> list[Post]: ...


_SCHEMA = fraiseql.Schema(queries=[posts], types=[TagX, TagY])


@pytest.fixture(scope="module")
def serving(module_database_url: str) -> Iterator[Served]:
    with served(module_database_url, _DDL, _SCHEMA) as opened:
        yield opened


_CASES = [
    (*names, given)
    for names, values in [
        (("tag", "name"), '"a" "b" "c"'),
        (("tagY", "name"), '"a" "b"'),
        (("note", "text"), '"a" "b"'),
        (("doc", "text"), '"a" "b"'),
        (("same", "id"), "1 2 4"),
        (("same", "tag", "name"), '"a" "b"'),
        (("note", "post", "note", "text"), '"a" "b"'),
        (("itself", "n"), "0 1"),
    ]
    for given in values.split()
]


def _nested(names: list[str], inmost: str) -> str:
    return inmost if not names else f"{names[0]}: {{{_nested(names[1:], inmost)}}}"


def _shown(row: Any, names: list[str]) -> Any:
    for name in names:
        row = row and row[name]
    return row


@pytest.mark.parametrize("case", _CASES, ids=".".join)
def test_conditions_are_of_the_row_that_is_shown(serving: Served, case: tuple[str, ...]) -> None:
    *names, given = case
    selected, held = " { ".join(names) + " }" * (len(names) - 1), _nested(names, f"eq: {given}")
    rows = serving.data(f"{{ posts {{ id {selected} }} }}")["posts"]
    meeting = [row["id"] for row in rows if str(_shown(row, names)) == given.strip('"')]
    found = serving.data(
        f"{{ held: posts(where: {{{held}}}) {{ id {selected} }} denied: posts(where: {{NOT: {{{held}}}}}) {{ id }}"
        f" one: posts(where: {{OR: [{{{held}}}, {{{held}}}]}}) {{ id }} }}"
    )
    assert found["held"] == [row for row in rows if row["id"] in meeting]
    assert [row["id"] for row in found["denied"]] == [row["id"] for row in rows if row["id"] not in meeting]
    assert [row["id"] for row in found["one"]] == meeting


def test_only_that_it_is_there(serving: Served) -> None:
    found = serving.data("{ held: posts(where: {tag: {}}) { id } denied: posts(where: {NOT: {tag: {}}}) { id } }")
    assert [[row["id"] for row in rows] for rows in found.values()] == [["1", "2", "3", "4"], ["5", "6"]]

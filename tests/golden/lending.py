"""A schema with interfaces and unions of each kind, and the SQL of its database."""

from __future__ import annotations

from enum import Enum

import fraiseql
from fraiseql import ID, JSON

__all__ = [
    *(
        "DDL",
        "SCHEMA",
        "Anything",
        "Author",
        "Book",
        "Box",
        "Clip",
        "Film",
        "Found",
        "Holding",
        "Kind",
        "Media",
        "Node",
        "Shelf",
    ),
    *("Song", "Thing", "Timed", "Tin", "Volume", "Wild"),
]

DDL = b"""
create table author (id int primary key, name text not null);
create type medium as enum ('book', 'film', 'song', 'radio');
create table media (
    id int primary key, kind medium, title text not null, author_id int references author,
    sequel_of int references media, pages int, minutes int, extra jsonb
);
create table holding (media_id int, place text not null, copies int not null);
create view v_all as
    select id, 'writer' as kind, null::int as author_id, jsonb_build_object('id', id, 'name', name) as data from author
    union all
    select id + 100, case kind when 'book' then 'volume' else kind::text end, author_id,
        jsonb_build_object('id', id + 100, 'title', title, 'pages', pages) from media;
create view v_search as select * from v_all where kind <> 'song';
create table shelf (id int primary key, data jsonb not null);
insert into author values (1, 'Ada'), (2, 'Bob');
insert into media values
    (1, 'book', 'One', 1, null, 100, null, '{"type$": "x", "n": 12345678901234567890.10}'),
    (2, 'film', 'Two', 2, 1, null, 90, '[null]'), (3, 'book', 'Three', 2, 1, 300, null, null),
    (4, 'song', 'Four', null, 2, null, 3, '"\\u0022type$\\u0022:"'), (5, 'book', 'Five', 1, null, null, null, '1.50');
insert into holding values (1, 'here', 2), (1, 'there', 1), (2, 'here', 9);
insert into shelf values
    (1, '{"first": {"kind": "box", "id": "b1", "width": 7}, "things": [
      {"kind": "tin", "id": "t1", "metal": "zinc", "labels": [{"text": "x"}, {"text": "y"}]}, null,
      {"kind": "box", "id": "b2", "width": null}], "found": {"type": "tin", "id": "t2", "metal": "lead"}}'),
    (2, '{"first": null, "things": [], "found": null}');
"""


@fraiseql.enum
class Kind(Enum):
    BOOK = "book"
    FILM = "film"
    SONG = "song"


@fraiseql.interface
class Node:
    """Anything with an id."""

    id: ID


@fraiseql.interface
class Timed:
    minutes: int | None


@fraiseql.interface(sql_source="media", jsonb_column=None, discriminator="kind")
class Media(Node):
    """What can be lent."""

    id: ID
    title: str
    what: Kind = fraiseql.field(column="kind")
    loud: str = fraiseql.field(sql="upper({title})")
    extra: JSON | None
    author: Author | None = fraiseql.relation(on={"id": "author_id"})
    sequels: list[Media] = fraiseql.relation(on={"sequel_of": "id"})
    holdings: list[Holding] = fraiseql.relation(on={"media_id": "id"})


@fraiseql.type(when="book")
class Book(Media):
    pages: int
    sequel_of: Book | None = fraiseql.relation(on={"id": "sequel_of"})


@fraiseql.type(when="film")
class Film(Media, Timed):
    sequel_of: Media | None = fraiseql.relation(on={"id": "sequel_of"})


@fraiseql.type(when="song")
class Song(Media, Timed):
    minutes: int


@fraiseql.type(sql_source="holding", jsonb_column=None)
class Holding:
    place: str
    copies: int
    media: Media = fraiseql.relation(on={"id": "media_id"})


@fraiseql.type(sql_source="author", jsonb_column=None)
class Author(Node):
    name: str
    media: list[Media] = fraiseql.relation(on={"author_id": "id"})
    books: list[Book] = fraiseql.relation(on={"author_id": "id"})
    finds: list[Found] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.type
class Volume(Node):
    title: str
    pages: int | None
    author: Author | None = fraiseql.relation(on={"id": "author_id"})


@fraiseql.type
class Clip(Node):
    title: str


@fraiseql.union(sql_source="v_search", discriminator="kind", types={"writer": Author, "volume": Volume, "film": Clip})
class Found:
    """What a search finds."""


@fraiseql.union(sql_source="v_all", discriminator="kind", types={"writer": Author, "volume": Volume})
class Wild:
    """Rows of which some are of no type."""


@fraiseql.interface(discriminator="kind")
class Thing(Node):
    pass


@fraiseql.type(when="box")
class Box(Thing):
    width: int


@fraiseql.type(when="tin")
class Tin(Thing):
    metal: str
    labels: list[Label] | None


@fraiseql.type
class Label:
    text: str


@fraiseql.union(discriminator="type", types={"box": Box, "tin": Tin})
class Anything:
    pass


@fraiseql.type(sql_source="shelf")
class Shelf:
    id: ID = fraiseql.field(column="id")
    first: Thing | None
    things: list[Thing | None]
    found: Anything | None


@fraiseql.query
def media(what: Kind | None) -> list[Media]: ...


@fraiseql.query
def medium(id: ID) -> Media | None: ...


@fraiseql.query
def books() -> list[Book]: ...


@fraiseql.query
def film(id: ID) -> Film | None: ...


@fraiseql.query
def authors() -> list[Author]: ...


@fraiseql.query
def holdings() -> list[Holding]: ...


@fraiseql.query
def search() -> list[Found]: ...


@fraiseql.query
def hit(id: ID) -> Found | None: ...


@fraiseql.query
def wild(id: ID) -> Wild | None: ...


@fraiseql.query
def wilds() -> list[Wild]: ...


@fraiseql.query
def wilds_or_null() -> list[Wild] | None: ...


@fraiseql.query
def hits(kind: str) -> fraiseql.Connection[Found]: ...


@fraiseql.query
def shelves() -> list[Shelf]: ...


@fraiseql.query
def media_pages() -> fraiseql.Connection[Media]: ...


@fraiseql.query
def book_pages() -> fraiseql.Connection[Book]: ...


_QUERIES = [media, medium, books, film, authors, holdings, shelves, media_pages, book_pages]
SCHEMA = fraiseql.Schema(
    types=[Book, Film, Song, Box, Tin], queries=[*_QUERIES, search, hit, hits, wild, wilds, wilds_or_null]
)

"""From what PostgreSQL refuses to the client's code, message and fields: for tables, functions, queries and Python."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

import fraiseql
from fraiseql import ID, ErrorRule
from fraiseql.errors import DatabaseError, ErrorPlace
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from scenarios.clients import Client, connected

pytestmark = pytest.mark.anyio

SQL = """
create table author (
    id int generated always as identity primary key,
    "Full name" text not null check ("Full name" <> ''),
    mail text constraint one_mail unique,
    code varchar(3)
);
create table book (
    id int generated always as identity primary key,
    title text not null,
    pages int constraint "has pages" check (pages > 0),
    author_id int not null references author,
    sequel_of int unique references book
);
create table review (
    id int generated always as identity primary key,
    book_id int not null references book deferrable initially deferred
);
create unique index one_title on book (lower(title));
insert into author ("Full name", mail) values ('Ada', 'ada@x'), ('Bob', null);
insert into book (title, pages, author_id, sequel_of) values ('One', 1, 1, null), ('Two', 1, 1, 1);

create function fn_add(input jsonb) returns author language plpgsql as $$
declare added author;
begin
    if input ->> 'mail' = 'raise' then
        raise exception 'The cellar is full of %.', input ->> 'fullName' using errcode = 'P0001';
    elsif input ->> 'mail' = 'chosen' then
        raise exception 'secret' using errcode = '45001', column = 'mail';
    elsif input ->> 'mail' = 'masked' then
        raise exception 'secret' using errcode = '45999';
    end if;
    insert into author ("Full name", mail) values (input ->> 'Full name', input ->> 'mail') returning * into added;
    return added;
end $$;
create view v_raising as select 1 as id, 1 / (select 0 from author limit 1) as n;
create function refuse() returns int language plpgsql as $$
begin raise exception 'Not on Sundays.' using errcode = '45002'; end $$;
create view v_refusing as select 1 as id, refuse() as n;
"""


@fraiseql.type(sql_source="author", jsonb_column=None)
class Author:
    id: ID
    full_name: str = fraiseql.field(column="Full name")
    mail: str | None
    code: str | None
    books: list[Book] = fraiseql.relation(on={"author_id": "id"})

    @fraiseql.field
    def duplicate(self) -> str | None:
        """It lets an error of the database pass."""
        place = ErrorPlace("public", "author", "", "one_mail")
        raise DatabaseError("secret", sqlstate="23505", said="secret", place=place)


@fraiseql.type(sql_source="book", jsonb_column=None)
class Book:
    id: ID
    title: str
    pages: int | None
    author_id: int
    sequel_of: int | None
    sequels: list[Book] = fraiseql.relation(on={"sequel_of": "id"})
    original: Book | None = fraiseql.relation(on={"id": "sequel_of"})


@fraiseql.type(sql_source="review", jsonb_column=None)
class Review:
    id: ID
    book_id: int


@fraiseql.type(sql_source="v_raising", jsonb_column=None)
class Raising:
    id: ID
    n: int


@fraiseql.type(sql_source="v_refusing", jsonb_column=None)
class Refusing:
    id: ID
    n: int


@fraiseql.query
def authors() -> list[Author]: ...


@fraiseql.query
def raising() -> list[Raising] | None: ...


@fraiseql.query
def refusing() -> list[Refusing] | None: ...


@fraiseql.input
class AddInput:
    full_name: str | None = fraiseql.field(column="Full name")
    mail: str | None


@fraiseql.mutation(function="fn_add", returns="row")
def add(input: AddInput) -> Author | None: ...


fraiseql.crud(Author, create=True, update=True, delete=True, optional=["id"], nested=["books"])
fraiseql.crud(Book, create=True, optional=["id"], nested=["sequels", "original"])
fraiseql.crud(Review, create=True, optional=["id"])
schema = fraiseql.Schema(
    types=[Book, Review],
    queries=[authors, raising, refusing],
    mutations=[add],
    errors={
        "P0001": ErrorRule("REFUSED", show_message=True),
        "45001": ErrorRule("CHOSEN", "Choose another."),
        "45002": ErrorRule("SUNDAY", show_message=True),
        "one_title": ErrorRule("TITLE_TAKEN"),
    },
)


@pytest.fixture
def url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SQL.encode())
    return database_url


@asynccontextmanager
async def asked(url: str, observe: list[Any]) -> AsyncIterator[Client]:
    app = FraiseQLApp(schema, url, FraiseQLConfig(port=0, event_bus="memory"), observe=observe.append)
    async with app, connected(app.port) as client:
        yield client


IN_USE = "A value that must be unique is in use already: mail."
TAKEN = "A value that must be unique is in use already:"
MISSING = "A value refers to something that is not there:"
CASES = [
    ('createAuthor(input: {fullName: "X", mail: "ada@x"}) { id }', "UNIQUE_VIOLATION", ["mail"], IN_USE),
    (
        'createAuthor(input: {fullName: ""}) { id }',
        "CHECK_VIOLATION",
        ["fullName"],
        "A value is not allowed: fullName.",
    ),
    ('createAuthor(input: {fullName: "X", code: "1234"}) { id }', "BAD_USER_INPUT", None, "A value is too long."),
    ('updateAuthor(id: 2, input: {mail: "ada@x"}) { id }', "UNIQUE_VIOLATION", ["mail"], IN_USE),
    ("deleteAuthor(id: 1) { id }", "RESTRICT_VIOLATION", None, "This is still in use."),
    (
        'createAuthor(input: {fullName: "X", books: [{title: "Two", pages: 0}]}) { id }',
        *("CHECK_VIOLATION", ["books.pages"], "A value is not allowed: books.pages."),
    ),
    (
        'createBook(input: {title: "ONE", authorId: 1}) { id }',
        *("TITLE_TAKEN", ["title"], "A value that must be unique is in use already: title."),
    ),
    (
        'createBook(input: {title: "X", authorId: 77}) { id }',
        *("FOREIGN_KEY_VIOLATION", ["authorId"], "A value refers to something that is not there: authorId."),
    ),
    *(
        (
            f'createBook(input: {{title: "N", authorId: 1, {more}}}) {{ id }}',
            code,
            fields,
            f"{text} {', '.join(fields)}.",
        )
        for more, code, fields, text in (
            # rows of one table in several places: PostgreSQL does not say which
            (
                'original: {create: {title: "one", authorId: 1}}',
                "TITLE_TAKEN",
                ["title", "original.create.title"],
                TAKEN,
            ),
            ('sequels: [{title: "one", authorId: 1}]', "TITLE_TAKEN", ["title", "sequels.title"], TAKEN),
            ("original: {connect: 1}", "UNIQUE_VIOLATION", ["original.connect"], TAKEN),
            ("sequelOf: 1", "UNIQUE_VIOLATION", ["sequelOf"], TAKEN),
            ("sequelOf: 99", "FOREIGN_KEY_VIOLATION", ["sequelOf"], MISSING),
            (
                'original: {connect: 1}, sequels: [{title: "S", authorId: 1}]',
                *("UNIQUE_VIOLATION", ["original.connect"], TAKEN),
            ),
        )
    ),
    ('add(input: {fullName: "X", mail: "ada@x"}) { id }', "UNIQUE_VIOLATION", ["mail"], IN_USE),
    ('add(input: {mail: "y"}) { id }', "NOT_NULL_VIOLATION", ["fullName"], "A value is missing: fullName."),
    ('add(input: {mail: "raise"}) { id }', "REFUSED", None, "The cellar is full of <NULL>."),
    ('add(input: {mail: "chosen"}) { id }', "CHOSEN", ["mail"], "Choose another."),
    ('add(input: {mail: "masked"}) { id }', "INTERNAL_SERVER_ERROR", None, "Internal server error."),
]


@pytest.mark.parametrize(("field", "code", "fields", "message"), CASES)
async def test_mutations(url: str, field: str, code: str, fields: list[str] | None, message: str) -> None:
    async with asked(url, []) as client:
        for _ in range(2):  # and the second time without asking the catalog
            answer = await client.ask(f"mutation {{ it: {field} }}")
            (error,) = answer.json["errors"]
            assert (error["extensions"]["code"], error["message"], error["path"]) == (code, message, ["it"])
            assert error["extensions"].get("fields") == fields
            assert error["extensions"]["requestId"]
            assert b"secret" not in answer.body


async def test_what_is_deferred_is_told_of_each_field_and_blamed_on_those_that_may_have_broken_it(url: str) -> None:
    query = """mutation {
        a: createAuthor(input: {fullName: "X"}) { id }
        b: createReview(input: {bookId: 99}) { id }
        c: createReview(input: {bookId: 1}) { id }
    }"""
    async with asked(url, []) as client:
        errors = (await client.ask(query)).json["errors"]
    told = {error["path"][0]: error["extensions"].get("fields") for error in errors}
    assert told == {"a": None, "b": ["bookId"], "c": ["bookId"]}
    assert {error["extensions"]["code"] for error in errors} == {"FOREIGN_KEY_VIOLATION"}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("{ it: refusing { n } }", "SUNDAY", "Not on Sundays."),
        ("{ it: raising { n } }", "INTERNAL_SERVER_ERROR", "Internal server error."),
        (
            "{ it: authors(limit: 1) { duplicate } }",
            "UNIQUE_VIOLATION",
            "A value that must be unique is in use already.",
        ),
    ],
)
async def test_queries_and_python(url: str, query: str, code: str, message: str) -> None:
    seen: list[Any] = []
    async with asked(url, seen) as client:
        (error,) = (await client.ask(query)).json["errors"]
        assert (error["extensions"]["code"], error["message"]) == (code, message)
        assert "fields" not in error["extensions"]
    (told,) = [each for each in seen if type(each).__name__ == "InternalErrorMasked"]
    assert told.request_id == error["extensions"]["requestId"]

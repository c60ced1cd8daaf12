"""A blog over PostgreSQL: authors from a view with jsonb documents, posts from a table.

FRAISEQL_DATABASE_URL=postgresql:///blog python examples/blog.py
"""

from __future__ import annotations

from datetime import datetime

import anyio

import fraiseql
from fraiseql import ID


@fraiseql.type
class Contact:
    """How to reach somebody; it lives inside the author's document."""

    email: str | None


@fraiseql.type(sql_source="v_author")
class Author:
    """Somebody who writes."""

    id: ID = fraiseql.field(column="id")  # the real column: it sorts as a number and has an index
    name: str
    contact: Contact
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.type(sql_source="posts", jsonb_column=None)
class Post:
    """What an author wrote."""

    id: ID
    title: str
    created_at: datetime
    author: Author = fraiseql.relation(on={"id": "author_id"})


@fraiseql.query
def authors() -> list[Author]:
    """All authors."""


@fraiseql.query
def author(id: ID) -> Author | None:
    """One author."""


@fraiseql.query
def posts() -> list[Post]:
    """All posts."""


schema = fraiseql.Schema(types=[Author, Post], queries=[authors, author, posts])

if __name__ == "__main__":
    anyio.run(fraiseql.serve, schema)

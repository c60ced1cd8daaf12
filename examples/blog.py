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


@fraiseql.input
class AddPostInput:
    """A new post."""

    author_id: ID
    title: str


@fraiseql.type
class PostAdded:
    """The post is there."""

    post: Post


@fraiseql.type
class Refused:
    """Nothing was written, and why."""

    code: str
    message: str
    fields: list[str]


@fraiseql.mutation(function="add_post")
class AddPost:
    """Write a post."""

    input: AddPostInput
    success: PostAdded
    error: Refused


@fraiseql.mutation(function="rename_author", arguments="named")
def rename_author(id: ID, name: str) -> Author | None:
    """Give an author another name."""


schema = fraiseql.Schema(types=[Author, Post], queries=[authors, author, posts], mutations=[AddPost, rename_author])

if __name__ == "__main__":
    anyio.run(fraiseql.serve, schema)

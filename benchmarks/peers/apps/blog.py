"""Our contender's schema, over the columns of the tables; `fraiseql serve apps.blog:schema` serves it."""

from __future__ import annotations

import datetime as dt

import fraiseql
from fraiseql import ID

__all__ = ["schema"]


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    """Somebody who writes."""

    id: ID
    name: str
    email: str
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.type(sql_source="posts", jsonb_column=None)
class Post:
    """What a user wrote."""

    id: ID
    title: str
    created_at: dt.datetime
    comments: list[Comment] = fraiseql.relation(on={"post_id": "id"})


@fraiseql.type(sql_source="comments", jsonb_column=None)
class Comment:
    """What a user answered to a post."""

    id: ID
    body: str
    author: User = fraiseql.relation(on={"id": "author_id"})


@fraiseql.query
def users() -> list[User]:
    """All users."""


@fraiseql.query
def user(id: ID) -> User | None:
    """One user."""


schema = fraiseql.Schema(types=[User, Post, Comment], queries=[users, user])

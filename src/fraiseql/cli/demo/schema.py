"""The GraphQL schema of the sample blog: users from a view's jsonb document, posts and comments from their columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from uuid import UUID

import fraiseql
from fraiseql import ID

__all__ = ["Address", "Comment", "Country", "Link", "Post", "PostStatus", "Role", "User", "schema"]


@fraiseql.enum
class Role(Enum):
    """What a user may do."""

    ADMIN = "admin"
    EDITOR = "editor"
    AUTHOR = "author"
    READER = "reader"


@fraiseql.enum
class PostStatus(Enum):
    """Where a post is in its life."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


@fraiseql.type
class Country:
    """A country and its ISO 3166 code."""

    code: str
    name: str


@fraiseql.type
class Address:
    """Where somebody lives."""

    street: str
    city: str
    postcode: str | None
    country: Country


@fraiseql.type
class Link:
    """A page elsewhere."""

    label: str
    url: str


@fraiseql.type(sql_source="v_user")
class User:
    """Somebody who writes or reads."""

    id: ID = fraiseql.field(column="id")  # the real column: it sorts as a number and has an index
    key: UUID
    name: str
    email: str | None
    role: Role
    active: bool = fraiseql.field(key="is_active", description="Whether the user may log in.")
    karma: int
    rating: float | None
    balance: Decimal
    birthday: dt.date | None
    digest_at: dt.time | None = fraiseql.field(description="When the daily digest is sent, in UTC.")
    created_at: dt.datetime
    bio: str | None
    address: Address | None
    links: list[Link]
    tags: list[str]
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})
    comments: list[Comment] = fraiseql.relation(on={"author_id": "id"})
    post_summary: fraiseql.Aggregate[Post] = fraiseql.relation(on={"author_id": "id"})
    post_groups: list[fraiseql.Group[Post]] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.type(sql_source="posts", jsonb_column=None)
class Post:
    """What a user wrote."""

    id: ID
    key: UUID
    title: str
    text: str = fraiseql.field(column="body", description="The whole post.")
    status: PostStatus
    featured: bool
    views: int
    score: float | None
    price: Decimal | None
    published_on: dt.date | None
    created_at: dt.datetime
    metadata: fraiseql.JSON | None
    author: User = fraiseql.relation(on={"id": "author_id"})
    comments: list[Comment] = fraiseql.relation(on={"post_id": "id"})
    discussion: fraiseql.Connection[Comment] = fraiseql.relation(
        on={"post_id": "id"}, description="The comments, page by page."
    )
    commenters: list[User] = fraiseql.relation(
        through="comments", own={"post_id": "id"}, on={"id": "author_id"}, description="Each who commented, once."
    )
    commenter_summary: fraiseql.Aggregate[User] = fraiseql.relation(
        through="comments", own={"post_id": "id"}, on={"id": "author_id"}
    )


@fraiseql.type(sql_source="comments", jsonb_column=None)
class Comment:
    """What somebody answered to a post."""

    id: ID
    body: str
    likes: int
    created_at: dt.datetime
    post_id: ID
    post: Post = fraiseql.relation(on={"id": "post_id"})
    author: User | None = fraiseql.relation(on={"id": "author_id"})


@fraiseql.query
def users() -> list[User]:
    """All users."""


@fraiseql.query
def user(id: ID) -> User | None:
    """One user."""


@fraiseql.query
def user_by_key(key: UUID) -> User | None:
    """The user who has this key."""


@fraiseql.query
def users_by_role(role: Role) -> list[User]:
    """All users of one role."""


@fraiseql.query
def posts() -> list[Post]:
    """All posts."""


@fraiseql.query
def post(id: ID) -> Post | None:
    """One post."""


@fraiseql.query
def posts_by_status(status: PostStatus) -> list[Post]:
    """All posts of one status."""


@fraiseql.query
def feed() -> fraiseql.Connection[Post]:
    """All posts, page by page."""


@fraiseql.query
def post_summary(status: PostStatus | None) -> fraiseql.Aggregate[Post]:
    """Figures about all posts, or about those of one status."""


@fraiseql.query
def post_groups() -> list[fraiseql.Group[Post]]:
    """Figures about the posts of each status, month, author or whatever is selected in `key`."""


@fraiseql.query
def user_summary() -> fraiseql.Aggregate[User]:
    """Figures about all users."""


@fraiseql.query
def user_groups() -> list[fraiseql.Group[User]]:
    """Figures about the users of each role, or whatever is selected in `key`."""


@fraiseql.query
def comments() -> list[Comment]:
    """All comments."""


@fraiseql.subscription(topic="comment_added")
def comment_added(post_id: ID | None) -> Comment:
    """Each new comment, or each of one post."""


@fraiseql.subscription(name="post")
def live_post(id: ID) -> Post | None:
    """One post, and again whenever it or what is selected below it has changed."""


@fraiseql.subscription(name="posts")
def live_posts() -> list[Post]:
    """All posts, and again whenever they have changed."""


schema = fraiseql.Schema(
    types=[User, Post, Comment],
    queries=[
        *(users, user, user_by_key, users_by_role, user_summary, user_groups),
        *(posts, post, posts_by_status, feed, post_summary, post_groups),
        comments,
    ],
    subscriptions=[comment_added, live_post, live_posts],
)

"""Fills a PostgreSQL database with the sample blog."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import resources
from operator import attrgetter
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from fraiseql.bus import EventBus, outbox_sql, watch_sql
from fraiseql.cli.demo.data import Blog, CommentRow, PostRow, UserRow, generate

__all__ = ["load"]

# What `fraiseql outbox` prints for the schema, and the trigger that it asks for.
_BUS = EventBus.postgresql()
_EVENTS = "".join(
    [
        outbox_sql(_BUS),
        *(watch_sql(_BUS, source) for source in ("v_user", "posts", "comments")),
        "create trigger comment_added after insert on comments for each row",
        " execute function fraiseql_publish_row('comment_added');",
        "select setval(pg_get_serial_sequence('comments', 'id'), coalesce(max(id), 0) + 1, false) from comments;",
    ]
)


def load(conninfo: str, blog: Blog | None = None) -> None:
    """Create the blog's tables, view and outbox in an empty database and fill them, in one transaction.

    Args:
        conninfo: a libpq connection string or URL.
        blog: the rows; by default 1,000 users, 10,000 posts and 20,000 comments.

    Raises:
        psycopg.Error: the database cannot be reached, or holds such tables already.
    """
    blog = blog or generate()
    definition = resources.files("fraiseql.cli.demo").joinpath("schema.sql").read_bytes()
    with psycopg.connect(conninfo) as connection:
        connection.execute("set client_encoding to 'UTF8'")
        connection.execute(definition)
        _copy(connection, "users", UserRow, blog.users)
        _copy(connection, "posts", PostRow, blog.posts)
        _copy(connection, "comments", CommentRow, blog.comments)
        connection.execute(_EVENTS.encode())
        connection.execute("analyze users, posts, comments")


def _copy(connection: psycopg.Connection[Any], table: str, row_type: type[Any], rows: Iterable[Any]) -> None:
    values: Callable[[Any], tuple[Any, ...]] = attrgetter(*row_type.__slots__)
    with connection.cursor().copy(f"copy {table} from stdin".encode()) as copy:
        for row in rows:
            copy.write_row([Jsonb(value) if isinstance(value, dict) else value for value in values(row)])

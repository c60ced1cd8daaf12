"""The sample blog's rows: the same everywhere, consistent, and with the values that break careless code."""

from __future__ import annotations

import hashlib

import psycopg
import pytest

from fraiseql.cli.demo.data import generate
from fraiseql.cli.demo.database import load

SMALL = generate(users=60, posts=200, comments=300)


def test_the_default_blog_has_the_promised_counts() -> None:
    blog = generate()
    assert (len(blog.users), len(blog.posts), len(blog.comments)) == (1_000, 10_000, 20_000)


def test_the_rows_are_the_same_on_every_machine() -> None:
    assert generate(users=60, posts=200, comments=300) == SMALL
    digest = hashlib.sha256(repr(SMALL).encode()).hexdigest()
    assert digest[:16] == "bb7ce7f37770bfbc", "the sample changed: golden answers made from it change too"


def test_every_reference_leads_to_a_row() -> None:
    users, posts = {user.id for user in SMALL.users}, {post.id for post in SMALL.posts}
    assert {post.author_id for post in SMALL.posts} <= users
    assert {comment.post_id for comment in SMALL.comments} <= posts
    assert {comment.author_id for comment in SMALL.comments} - {None} <= users


def test_some_relations_are_empty() -> None:
    assert {user.id for user in SMALL.users} - {post.author_id for post in SMALL.posts}
    assert {post.id for post in SMALL.posts} - {comment.post_id for comment in SMALL.comments}
    assert any(comment.author_id is None for comment in SMALL.comments)


@pytest.mark.parametrize(
    "values",
    [
        [user.email for user in SMALL.users],
        [user.rating for user in SMALL.users],
        [user.birthday for user in SMALL.users],
        [user.digest_at for user in SMALL.users],
        [user.profile["bio"] for user in SMALL.users],
        [user.profile.get("address") for user in SMALL.users],
        [post.price for post in SMALL.posts],
        [post.metadata for post in SMALL.posts],
    ],
)
def test_a_nullable_column_has_nulls_and_values(values: list[object]) -> None:
    assert 0 < values.count(None) < len(values)


@pytest.mark.parametrize("hard", ['"', "'", "\\", "\n", "\t", "\u0001", "\u2028", "é", "🍓", "$1"])
def test_texts_hold_what_is_hard_to_quote(hard: str) -> None:
    texts = [user.name for user in SMALL.users] + [post.body for post in SMALL.posts]
    assert any(hard in text for text in texts)


def test_keys_are_unique_version_four_uuids() -> None:
    keys = [user.key for user in SMALL.users] + [post.key for post in SMALL.posts]
    assert len(set(keys)) == len(keys)
    assert {key.version for key in keys} == {4}


def test_the_database_holds_exactly_the_rows(database_url: str) -> None:
    load(database_url, SMALL)
    with psycopg.connect(database_url) as connection:
        connection.execute("set timezone to 'UTC'")
        stored = {
            table: connection.execute(f"select * from {table} order by id".encode()).fetchall()
            for table in ("users", "posts", "comments")
        }
        documents = connection.execute("select id, data from v_user order by id").fetchall()
    for table, rows in stored.items():
        assert rows == [tuple(getattr(row, name) for name in row.__slots__) for row in getattr(SMALL, table)]
    assert [(number, document["name"]) for number, document in documents] == [(u.id, u.name) for u in SMALL.users]


def test_a_second_load_changes_nothing(database_url: str) -> None:
    load(database_url, generate(users=2, posts=2, comments=2))
    with pytest.raises(psycopg.Error, match="already exists"):
        load(database_url, SMALL)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from users").fetchone() == (2,)

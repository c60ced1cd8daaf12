"""`fraiseql outbox`: what it prints, and that PostgreSQL takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from fraiseql.cli import main

APP = '''
import fraiseql
from collections.abc import AsyncIterator


@fraiseql.type(sql_source="tb_post", jsonb_column=None)
class Post:
    """What somebody wrote."""

    id: int
    user_id: int


@fraiseql.type(sql_source="v user", jsonb_column=None)
class User:
    """Somebody."""

    id: int
    posts: list[Post] = fraiseql.relation(on={"user_id": "id"})
    liked: list[Post] = fraiseql.relation(through="blog.like", own={"user_id": "id"}, on={"id": "post_id"})


@fraiseql.query
def users() -> list[User]: ...


@fraiseql.subscription
def all_users() -> list[User]: ...


@fraiseql.subscription(topic="it's new")
def post_created() -> Post: ...


schema = fraiseql.Schema(queries=[users], subscriptions=[all_users, post_created])
'''


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "outbox_app.py").write_text(APP)
    monkeypatch.syspath_prepend(tmp_path)
    return "outbox_app:schema"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["outbox", *arguments]) == 0
    return capsys.readouterr().out


def run(conninfo: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


TABLES = (
    'create table tb_user (id int); create view "v user" as table tb_user; create table tb_post (id int, user_id int);'
    "create schema blog; create table blog.like (user_id int, post_id int)"
)


def test_the_sql_for_a_schema_watches_what_its_live_queries_read(
    app: str, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    sql = printed(capsys, app)
    run(database_url, TABLES)
    for _ in range(2):  # again and again
        run(database_url, sql)
    run(
        database_url,
        "insert into tb_user values (1); insert into tb_post values (1, 1); insert into blog.like values (1, 1)",
    )
    topics = run(database_url, "select topic from fraiseql_outbox order by xid, id")
    assert topics == [("fraiseql.changed.v user",), ("fraiseql.changed.tb_post",), ("fraiseql.changed.blog.like",)]


def test_event_subscriptions_are_shown_a_trigger_that_works(
    app: str, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    sql = printed(capsys, app)
    run(database_url, TABLES)
    run(database_url, sql)
    _, _, example = sql.rpartition("-- create trigger")
    trigger = ("create trigger" + example).replace("--", "").replace("your_table", "tb_post")
    run(database_url, trigger)
    run(database_url, "insert into tb_post values (7, 1)")
    rows = run(database_url, "select payload from fraiseql_outbox where topic = 'it''s new'")
    assert rows == [({"id": 7, "user_id": 1},)]


def test_without_a_schema_there_are_the_outbox_and_what_is_named(
    capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    run(database_url, 'create table t1 (id int); create schema app; create table app."T 2" (id int)')
    arguments = ["--watch", "t1", "--watch", "app.T 2", "--schema", "app", "--table", "My events", "--channel", "news"]
    sql = printed(capsys, *arguments)
    run(database_url, sql)
    run(database_url, 'insert into t1 values (1); delete from app."T 2"')
    topics = run(database_url, 'select topic from app."My events" order by xid, id')
    assert topics == [("fraiseql.changed.t1",), ("fraiseql.changed.app.T 2",)]
    assert run(database_url, "select to_regclass('fraiseql_outbox')") == [(None,)]


def test_what_cannot_be_watched_leaves_nothing_half_done(capsys: pytest.CaptureFixture[str], database_url: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match="there is no table or view nowhere"):
        run(database_url, printed(capsys, "--watch", "nowhere"))
    assert run(database_url, "select to_regclass('fraiseql_outbox')") == [(None,)]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--table", ""], 1, "table is ''"),
        (["--channel", "c" * 64], 1, "channel is"),
        (["nowhere"], 2, "not of the form module:schema"),
        (["no_such_module:schema"], 1, "there is no module 'no_such_module'"),
        (["--watched=x"], 2, "unrecognized arguments"),
    ],
)
def test_mistakes(arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        actual = main(["outbox", *arguments])
    except SystemExit as left:
        actual = int(left.code or 0)
    assert actual == code
    assert sentence in capsys.readouterr().err

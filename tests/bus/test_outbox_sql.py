"""The outbox in a real PostgreSQL: what its functions and triggers publish, whom they serve, and what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from fraiseql.bus import EventBus, outbox_sql, watch_sql
from fraiseql.testing.embedded import EmbeddedPostgres

BUS = EventBus.postgresql(schema='the "events"', table="it's out", channel="it's news")
S = '"the ""events"""'
OUTBOX = f'{S}."it\'s out"'

Connection = psycopg.Connection[Any]


@pytest.fixture
def db(database_url: str) -> Iterator[Connection]:
    """A connection; each statement is a transaction of its own unless it begins one."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create schema {S}")
        connection.execute(outbox_sql(BUS).encode())
        yield connection


def topics(db: Connection) -> list[str]:
    """The topics of all events, which are then gone."""
    found = [topic for (topic,) in db.execute(f"select topic from {OUTBOX} order by xid, id".encode())]
    db.execute(f"delete from {OUTBOX}".encode())
    return [topic.removeprefix("fraiseql.changed.") for topic in found]


def watch(db: Connection, source: str) -> list[str]:
    return [name for (name,) in db.execute(watch_sql(BUS, source).encode())]


def test_it_can_be_made_again_and_keeps_what_is_there(db: Connection) -> None:
    db.execute(f"select {S}.fraiseql_publish('a')".encode())
    before = db.execute(f'select * from {OUTBOX}, {S}."it\'s out_floor"'.encode()).fetchall()
    db.execute(outbox_sql(BUS).encode())
    assert db.execute(f'select * from {OUTBOX}, {S}."it\'s out_floor"'.encode()).fetchall() == before


def test_it_leaves_the_search_path_as_it_was(db: Connection) -> None:
    with db.transaction():
        db.execute("set local search_path = pg_temp, public")
        db.execute(outbox_sql(BUS).encode())
        assert db.execute("show search_path").fetchone() == ("pg_temp, public",)
    assert db.execute("show search_path").fetchone() == ('"$user", public',)


def test_an_outbox_that_is_made_anew_expires_the_cursors_of_the_old_one(db: Connection) -> None:
    (xid,) = db.execute(f"select {S}.fraiseql_publish('a')".encode()).fetchone() or ("",)
    db.execute(f"drop table {OUTBOX}".encode())
    db.execute(outbox_sql(BUS).encode())
    ((floor,),) = db.execute(f'select xid::text from {S}."it\'s out_floor"'.encode())
    assert int(floor) > int(xid.partition(".")[0])


def test_several_sources_can_be_beneath_one_view_and_several_views_above_one_table(db: Connection) -> None:
    db.execute(
        'create table "Tb User" (id int); create table tb_post (id int); create table other (id int);'
        'create view v_user as select * from "Tb User" where exists (select from tb_post);'
        "create view v_top as select * from v_user; create view v_post as table tb_post"
    )
    assert watch(db, "v_top") == watch(db, "v_top") == ['"Tb User"', "tb_post"]
    assert watch(db, "v_post") == ["tb_post"]
    assert watch(db, "Tb User") == ['"Tb User"']
    db.execute('insert into "Tb User" values (1)')
    assert topics(db) == ["Tb User", "v_top"]
    db.execute("truncate tb_post")
    assert topics(db) == ["v_post", "v_top"]
    db.execute("insert into other values (1)")
    assert topics(db) == []


def test_a_schema_may_be_named(db: Connection) -> None:
    db.execute('create schema "A"; create table "A"."T" (id int); create table "T" (id int)')
    assert watch(db, "A.T") == ['"A"."T"']
    db.execute('insert into "A"."T" values (1)')
    assert topics(db) == ["A.T"]


def test_two_outboxes_watch_the_same_table(db: Connection) -> None:
    other = EventBus.postgresql(schema="other", channel="other")
    db.execute("create schema other; create table t (id int); create view v as table t")
    db.execute(outbox_sql(other).encode())
    for _ in range(2):
        for source in ("t", "v"):
            assert watch(db, source) == ["t"]
            assert db.execute(watch_sql(other, source).encode()).fetchall() == [("t",)]
    assert db.execute("select count(*) from pg_trigger where tgrelid = 't'::regclass").fetchone() == (4,)
    db.execute("insert into t values (1)")
    assert sorted(topics(db)) == ["t", "v"]
    assert len(db.execute("select from other.fraiseql_outbox").fetchall()) == 2


def test_a_long_name_can_be_watched(db: Connection) -> None:
    first, second = "t" * 62 + "1", "t" * 62 + "2"
    for name in (first, second):
        db.execute(f"create table {name} (id int)".encode())
    db.execute(f"create view v as select a.id from {first} a, {second} b".encode())
    assert watch(db, first) == [first]
    assert watch(db, second) == [second]
    assert len(watch(db, "v")) == 2
    db.execute(f"insert into {first} values (1)".encode())
    assert topics(db) == [first, "v"]


def test_partitions_are_watched_however_they_are_written_to(db: Connection) -> None:
    db.execute(
        "create table whole (id int) partition by range (id);"
        "create table part partition of whole for values from (0) to (10)"
    )
    assert watch(db, "whole") == ["whole", "part"]
    for table in ("whole", "part"):
        db.execute(f"insert into {table} values (1)".encode())
        assert topics(db) == ["whole"]


def test_what_cannot_be_watched_is_warned_of(db: Connection) -> None:
    warnings: list[str] = []
    db.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
    db.execute(
        "create table t (id int); create materialized view m as table t;"
        "create view v as select m.id from m, t, pg_class c; create view nothing as table pg_class"
    )
    assert watch(db, "v") == ["t"]
    assert any("changes of m cannot" in text and "fraiseql_invalidate('v')" in text for text in warnings)
    warnings.clear()
    assert watch(db, "nothing") == []
    assert any("no table beneath nothing" in text for text in warnings)


def test_a_function_beneath_a_view_is_warned_of(db: Connection) -> None:
    """Nobody sees what it reads."""
    warnings: list[str] = []
    db.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
    db.execute(
        "create table t (id int); create table secret (id int);"
        "create function elsewhere() returns bigint stable language sql as 'select count(*) from secret';"
        "create function twice(n int) returns int immutable language sql as 'select 2 * n';"
        "create view inner_v as select id, elsewhere() as n from t;"
        "create view v as select twice(id) as id, n, now() as at from inner_v;"
        "create view pure as select twice(id) from t"
    )
    assert watch(db, "v") == ["t"]
    (text,) = warnings
    assert "elsewhere() beneath v" in text
    assert "fraiseql_invalidate('v')" in text
    warnings.clear()
    assert watch(db, "pure") == ["t"]
    assert warnings == []


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("insert into t values (1); insert into t values (2)", ["t"]),
        ("savepoint s; insert into t values (1); rollback to s; insert into t values (2)", ["t"]),
        ("savepoint s; insert into t values (1); release s; insert into t values (2)", ["t"]),
        ("insert into t values (1); savepoint s; insert into t values (1); rollback to s", ["t"]),
        ("savepoint s; insert into t values (1); rollback to s", []),
        (f"insert into t values (1); select {S}.fraiseql_invalidate('t'), {S}.fraiseql_invalidate('u')", ["t", "u"]),
    ],
)
def test_a_transaction_says_once_what_has_changed(db: Connection, statements: str, expected: list[str]) -> None:
    db.execute("create table t (id int)")
    watch(db, "t")
    for _ in range(2):
        with db.transaction():
            db.execute(statements.encode())
        assert topics(db) == expected


ROW_TRIGGER = f"create trigger r after insert or update or delete on t for each row execute function {S}."


@pytest.mark.parametrize(
    ("arguments", "tenant", "user"),
    [
        ("'x'", None, None),
        ("'x', 'owner'", "ann", None),
        ("'x', 'owner', 'id'", "ann", "1"),
        ("'x', '', 'owner'", None, "ann"),
        ("'x', '', ''", None, None),
        ("'x', 'owner', ''", "ann", None),
    ],
)
def test_rows_are_published(db: Connection, arguments: str, tenant: str | None, user: str | None) -> None:
    db.execute("create table t (id int, owner text)")
    db.execute(f"{ROW_TRIGGER}fraiseql_publish_row({arguments})".encode())
    db.execute("insert into t values (1, 'ann'); update t set owner = 'ann'; delete from t")
    rows = db.execute(f"select topic, payload, tenant_id, user_id from {OUTBOX} order by xid, id".encode()).fetchall()
    assert rows == [("x", {"id": 1, "owner": "ann"}, tenant, user)] * 3


@pytest.mark.parametrize("arguments", ["'x', 'tenant'", "'x', '', 'tenant'", "'x', 'owner', 'tenant'"])
def test_a_row_is_not_published_to_everybody_by_mistake(db: Connection, arguments: str) -> None:
    db.execute("create table t (id int, owner text)")
    db.execute(f"{ROW_TRIGGER}fraiseql_publish_row({arguments})".encode())
    with pytest.raises(psycopg.errors.UndefinedColumn):
        db.execute("insert into t values (1, 'ann')")


@pytest.mark.parametrize(
    ("trigger", "arguments", "message"),
    [
        ("before insert on t for each row", "'x'", "AFTER .* not BEFORE FOR EACH ROW"),
        ("after insert on t for each statement", "'x'", "FOR EACH ROW, not AFTER FOR EACH STATEMENT"),
        ("before insert on t for each statement", "'x'", "not BEFORE FOR EACH STATEMENT"),
        ("instead of insert on t_view for each row", "'x'", "not INSTEAD OF FOR EACH ROW"),
        ("after insert on t for each row", "", "the first argument of fraiseql_publish_row is the topic"),
        ("after insert on t for each row", "''", "the first argument of fraiseql_publish_row is the topic"),
    ],
)
def test_a_trigger_that_would_publish_nothing_or_take_rows_away(
    db: Connection, trigger: str, arguments: str, message: str
) -> None:
    db.execute("create table t (id int); create view t_view as table t")
    db.execute(f"create trigger r {trigger} execute function {S}.fraiseql_publish_row({arguments})".encode())
    with pytest.raises(psycopg.Error, match=message):
        db.execute(b"insert into " + (b"t_view" if "t_view" in trigger else b"t") + b" values (1)")


@pytest.mark.parametrize("call", ["publish('')", "publish(null)", "invalidate('')", "invalidate(null)"])
def test_an_event_needs_a_topic(db: Connection, call: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="needs a"):
        db.execute(f"select {S}.fraiseql_{call}".encode())


def test_a_purge_without_a_floor_says_so(db: Connection) -> None:
    db.execute(f'delete from {S}."it\'s out_floor"'.encode())
    with pytest.raises(psycopg.Error, match="has lost its row; run fraiseql outbox again"):
        db.execute(f"select {S}.fraiseql_purge('0')".encode())
    db.execute(outbox_sql(BUS).encode())
    assert db.execute(f"select {S}.fraiseql_purge('0')".encode()).fetchone() == (0,)


def test_a_role_changes_tables_without_any_right_on_the_outbox(db: Connection, postgres: EmbeddedPostgres) -> None:
    db.execute("create table t (id int)")
    watch(db, "t")
    db.execute(f"{ROW_TRIGGER}fraiseql_publish_row('row')".encode())
    db.execute("create role writer_of_t; grant insert on t to writer_of_t")
    try:
        db.execute("set role writer_of_t; insert into t values (1)")
        for call in ("fraiseql_publish('a')", "fraiseql_invalidate('a')", "fraiseql_purge('0')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(f"select {S}.{call}".encode())
        db.execute("reset role")
        assert topics(db) == ["row", "t"]
    finally:
        db.execute("reset role; drop owned by writer_of_t; drop role writer_of_t")


def test_purging_goes_in_steps_and_moves_the_floor(db: Connection) -> None:
    cursors = [
        cursor for (cursor,) in db.execute(f"select {S}.fraiseql_publish('a') from generate_series(1, 25)".encode())
    ]

    def purge(age: str) -> int:
        ((count,),) = db.execute(f"select {S}.fraiseql_purge('{age}', 10)".encode())
        return int(count)

    def floor() -> str:
        ((cursor,),) = db.execute(f"select xid::text || '.' || id from {S}.\"it's out_floor\"".encode())
        return str(cursor)

    start = floor()
    assert purge("1 hour") == 0
    assert floor() == start
    assert purge("0") == 10
    assert floor() == cursors[9]
    assert [purge("0"), purge("0"), purge("0")] == [10, 5, 0]
    assert floor() == cursors[-1]


def test_purging_leaves_what_readers_cannot_see_yet_and_never_waits(db: Connection, database_url: str) -> None:
    with psycopg.connect(database_url) as writer, psycopg.connect(database_url) as purger:
        writer.execute("select pg_current_xact_id()")
        db.execute(f"select {S}.fraiseql_publish('a')".encode())
        assert db.execute(f"select {S}.fraiseql_purge('0')".encode()).fetchone() == (0,)
        writer.rollback()
        assert purger.execute(f"select {S}.fraiseql_purge('0')".encode()).fetchone() == (1,)
        db.execute(f"insert into {OUTBOX} (topic, xid) values ('old', '1')".encode())
        db.execute("set statement_timeout = '2s'")
        assert db.execute(f"select {S}.fraiseql_purge('0')".encode()).fetchone() == (0,), "somebody else is at it"

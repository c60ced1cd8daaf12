"""A user's own statements: values both ways, what is refused, and what they leave in the session."""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import uuid
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import pytest

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Statement
from fraiseql.errors import DatabaseError, SettingRefused
from fraiseql.postgres import Connection, Transaction, execute_alone, run, wind_up
from fraiseql.testing.embedded import EmbeddedPostgres

Open = Callable[..., Connection]
Drive = Callable[..., Any]


@pytest.fixture
def execute(drive: Drive, open_connection: Open) -> Iterator[Callable[..., ResultSet]]:
    connection = open_connection()

    def execute_(sql: str, *parameters: Any) -> ResultSet:
        try:
            return drive(execute_alone(connection, Execute(sql, parameters)))  # type: ignore[no-any-return]
        finally:
            drive(wind_up(connection))
            assert connection.is_idle
            assert not connection.unclean

    return execute_


class Colour(Enum):
    RED = "red"


UTC = dt.UTC
VALUES = [
    (1, "int"),
    (2**40, "bigint"),
    (2**70, "numeric"),
    (-1.5, "float8"),
    (True, "bool"),
    (None, "text"),
    ("é ' \" \\", "text"),
    (b"\x00\xff", "bytea"),
    (decimal.Decimal("1.50"), "numeric"),
    (uuid.UUID(int=5), "uuid"),
    (dt.date(2024, 2, 29), "date"),
    (dt.time(12, 30, 1, 5), "time"),
    (dt.datetime(2024, 2, 29, 12), "timestamp"),
    (dt.datetime(2024, 2, 29, 12, tzinfo=UTC), "timestamptz"),
    (dt.timedelta(days=-3, seconds=5, microseconds=7), "interval"),
    (dt.timedelta(seconds=-1, microseconds=500_000), "interval"),
    (dt.timedelta(days=400), "interval"),
    ({"a": [1, None, "x"]}, "jsonb"),
    ([1, 2, 3], "int[]"),
    (["a", None, "b,c"], "text[]"),
    ([dt.date(2024, 1, 1)], "date[]"),
    ([dt.timedelta(days=1)], "interval[]"),
    ([uuid.UUID(int=7)], "uuid[]"),
]


@pytest.mark.parametrize(("value", "type_"), VALUES, ids=lambda value: str(value)[:20])
def test_a_value_comes_back_as_it_went(execute: Callable[..., ResultSet], value: Any, type_: str) -> None:
    result = execute(f"SELECT $1::{type_} AS it", value)
    assert (result.columns, result.rows, result.affected) == (("it",), [(value,)], 1)


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("interval '1 year 2 mons 3 days 04:05:06.7'", dt.timedelta(days=428, hours=4, minutes=5, seconds=6.7)),
        ("interval '-1 days +02:03'", dt.timedelta(days=-1, hours=2, minutes=3)),
        ("interval '-0.000001 s'", dt.timedelta(microseconds=-1)),
        ("interval '0'", dt.timedelta()),
        ("timestamptz '2024-01-01 12:00+09'", dt.datetime(2024, 1, 1, 3, tzinfo=UTC)),
        ("json '[1]'", [1]),
        ("inet '::1'", ipaddress.ip_address("::1")),
        ("row(1, 'a')::text", "(1,a)"),
        ("'x'::\"char\"", "x"),
        ("money '1.50'::numeric", decimal.Decimal("1.50")),
        ("to_tsvector('simple', 'a')", "'a':1"),
    ],
)
def test_a_value_in_python(execute: Callable[..., ResultSet], sql: str, value: Any) -> None:
    assert execute(f"SELECT {sql}").rows == [(value,)]


def test_types_of_a_users_own(execute: Callable[..., ResultSet]) -> None:
    execute("CREATE TYPE colour AS ENUM ('red', 'green')")
    execute("CREATE DOMAIN small AS int CHECK (value < 10)")
    assert execute("SELECT $1::colour, $2::small", "red", 5).rows == [("red", 5)]


def test_what_is_affected(execute: Callable[..., ResultSet]) -> None:
    assert execute("CREATE TABLE t (id int)").affected == 0
    assert execute("INSERT INTO t SELECT generate_series(1, 5)").affected == 5
    result = execute("UPDATE t SET id = id + 1 WHERE id > $1 RETURNING id", 3)
    assert (result.columns, sorted(result.rows), result.affected) == (("id",), [(5,), (6,)], 2)
    assert execute("DELETE FROM t").affected == 5
    assert execute("SELECT FROM t").rows == []
    assert execute("DROP TABLE t").columns == ()


@pytest.mark.parametrize(
    ("sql", "parameters", "sqlstate", "parameter", "words"),
    [
        ("SELECT 1; SELECT 2", (), "42601", None, "multiple commands"),
        ("", (), "42601", None, "no statement"),
        ("-- nothing", (), "42601", None, "no statement"),
        ("SELEC 1", (), "42601", None, "syntax"),
        ("SELECT 1 \0", (), "22021", None, "NUL"),
        ("SELECT '\ud800'", (), "22021", None, "Unicode"),
        ("SELECT $1::text", ("a\0b",), "22021", 1, "NUL"),
        ("SELECT $1::int, $2::text", (1, "\ud800"), "22021", 2, "str"),
        ("SELECT $1::int, $2::text", (1, object()), "42804", 2, "object"),
        ("SELECT $1::text[]", ([1, "a"],), "42804", 1, "list"),
        ("SELECT $1::int", (), "08P01", None, "parameters"),
        ("SELECT 'infinity'::date", (), "22000", None, "no like in Python"),
        ("SELECT $1::uuid", ("nope",), "22P02", 1, "uuid"),
        ("SELECT 1", (1,) * 65_536, "54000", None, "65,535"),
    ],
)
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_clear_error(
    drive: Drive,
    open_connection: Open,
    sql: str,
    parameters: tuple[Any, ...],
    sqlstate: str,
    parameter: int | None,
    words: str,
    in_transaction: bool,
) -> None:
    connection = open_connection()
    effect = Execute(sql, parameters)
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    with pytest.raises(DatabaseError, match=words) as caught:
        drive(transaction.execute(effect) if in_transaction else execute_alone(connection, effect))
    assert (caught.value.sqlstate, caught.value.parameter) == (sqlstate, parameter)
    drive(wind_up(connection))
    assert connection.is_idle
    assert not connection.unclean
    assert drive(execute_alone(connection, Execute("SELECT 1"))).rows == [(1,)]


def test_a_list_of_what_cannot_be_told(execute: Callable[..., ResultSet]) -> None:
    with pytest.raises(DatabaseError, match=r"^\$2: a value of list"):
        execute("SELECT $1, $2", 1, [object()])


@pytest.mark.parametrize("sql", ["COPY (SELECT 1) TO STDOUT", "COPY things FROM STDIN"])
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_copy(drive: Drive, open_connection: Open, sql: str, in_transaction: bool) -> None:
    connection, other = open_connection(), open_connection()
    drive(execute_alone(other, Execute("CREATE TABLE IF NOT EXISTS things (id int)")))
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    with pytest.raises(DatabaseError) as caught:
        drive(transaction.execute(Execute(sql)) if in_transaction else execute_alone(connection, Execute(sql)))
    assert caught.value.sqlstate == "0A000"
    assert not connection.is_idle, "it is discarded"


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN",
        "START TRANSACTION READ ONLY",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "COMMIT AND CHAIN",
        "/* x */ rollback AND CHAIN",
    ],
)
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_statement_that_begins_or_ends_a_transaction(
    drive: Drive, open_connection: Open, sql: str, in_transaction: bool
) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    if in_transaction:
        drive(transaction.execute(Execute("SELECT 1")))
    with pytest.raises(DatabaseError) as caught:
        drive(transaction.execute(Execute(sql)) if in_transaction else execute_alone(connection, Execute(sql)))
    assert caught.value.sqlstate in {"2D000", "25P01"}
    assert transaction.is_spoilt is in_transaction
    drive(wind_up(connection))
    assert connection.is_idle
    assert not connection.unclean


def test_savepoints_are_a_users_own(drive: Drive, open_connection: Open) -> None:
    transaction = Transaction(open_connection(), Isolation.READ_COMMITTED)
    for sql in ("SAVEPOINT a", "ROLLBACK TO a", "-- x\n ROLLBACK /**/ TO SAVEPOINT a", "RELEASE a"):
        drive(transaction.execute(Execute(sql)))
    drive(transaction.commit())


def test_a_setting_that_is_refused(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    with pytest.raises(SettingRefused):
        drive(execute_alone(connection, Execute("SELECT 1", settings=((b"role", b"nobody_at_all"),))))
    drive(wind_up(connection))
    result = drive(execute_alone(connection, Execute("SELECT current_setting('app.x')", settings=((b"app.x", b"1"),))))
    assert result.rows == [("1",)]


LEAKS = [
    ("SET work_mem = '123kB'", "SELECT current_setting('work_mem') = '123kB'"),
    ("SELECT set_config('app.secret', 'x', false)", "SELECT coalesce(current_setting('app.secret', true), '') = 'x'"),
    ("SET TimeZone = 'Asia/Tokyo'", "SELECT current_setting('timezone') <> 'UTC'"),
    ("SET DateStyle = german", "SELECT current_setting('datestyle') !~ 'ISO'"),
    ("SET client_encoding = latin1", "SELECT current_setting('client_encoding') <> 'UTF8'"),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SELECT current_setting('transaction_read_only') = 'on'"),
    ("SET search_path = pg_temp", "SELECT current_setting('search_path') = 'pg_temp'"),
    ("SELECT pg_advisory_lock(42)", "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 42)"),
    ("LISTEN gossip", "SELECT EXISTS (SELECT FROM pg_listening_channels())"),
    ("CREATE TEMP TABLE mine AS SELECT 1 AS a", "SELECT to_regclass('pg_temp.mine') IS NOT NULL"),
    (
        "CREATE FUNCTION pg_temp.f() RETURNS int RETURN 1",
        "SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = pg_my_temp_schema())",
    ),
    ("SET SESSION AUTHORIZATION leaker", "SELECT session_user = 'leaker'"),
    ("SET ROLE leaker", "SELECT current_user = 'leaker'"),
    ("DECLARE held CURSOR WITH HOLD FOR SELECT 1", "SELECT EXISTS (SELECT FROM pg_cursors WHERE name = 'held')"),
]


@pytest.fixture
def leaker(postgres: EmbeddedPostgres) -> Iterator[None]:
    postgres.execute("CREATE ROLE leaker")
    yield
    postgres.execute("DROP ROLE leaker")


@pytest.mark.parametrize(("sql", "left"), LEAKS, ids=[sql[:30] for sql, _ in LEAKS])
@pytest.mark.parametrize("how", ["alone", "committed", "rolled back", "failed"])
@pytest.mark.parametrize("options", ["", "options='-c intervalstyle=postgres -c datestyle=sql -c timezone=UTC'"])
def test_what_a_statement_leaves_in_the_session_is_undone(
    drive: Drive, open_connection: Open, leaker: None, sql: str, left: str, how: str, options: str
) -> None:
    connection = open_connection(options)
    drive(run(connection, query("SELECT 'ours'")))
    if how == "alone":
        drive(execute_alone(connection, Execute(sql)))
    else:
        transaction = Transaction(connection, Isolation.READ_COMMITTED)
        drive(transaction.execute(Execute(sql)))
        if how == "failed":
            with pytest.raises(DatabaseError):
                drive(transaction.execute(Execute("nonsense")))
        if how == "committed":
            drive(transaction.commit())
    drive(wind_up(connection))
    assert connection.is_idle
    assert not connection.unclean
    assert drive(run(connection, query(left))) == (b"f",)
    style = "SELECT current_setting('intervalstyle') || current_setting('jit') || current_setting('datestyle')"
    assert drive(run(connection, query(style)))[0].startswith(b"iso_8601offISO"), "what is ours holds again"
    kept = query("SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT ''ours'''")
    assert drive(run(connection, kept)) == (b"1",)


def query(sql: str) -> Fetch:
    return Fetch(Statement(sql.encode(), 1), ())


@pytest.mark.parametrize(
    "sql",
    ["PREPARE theirs AS SELECT 1", "DO $$ BEGIN EXECUTE 'PREPARE theirs AS SELECT 1'; END $$"],
)
@pytest.mark.parametrize("how", ["alone", "committed", "rolled back"])
def test_a_session_with_prepared_statements_of_a_user_is_not_clean(
    drive: Drive, open_connection: Open, sql: str, how: str
) -> None:
    connection = open_connection()
    if how == "alone":
        drive(execute_alone(connection, Execute(sql)))
    else:
        transaction = Transaction(connection, Isolation.READ_COMMITTED)
        drive(transaction.execute(Execute(sql)))
        if how == "committed":
            drive(transaction.commit())
    drive(wind_up(connection))
    assert connection.unclean


def test_a_block_that_prepares_nothing(execute: Callable[..., ResultSet]) -> None:
    execute("DO $$ BEGIN PERFORM 1; END $$")


def test_statements_that_need_to_be_alone(execute: Callable[..., ResultSet]) -> None:
    execute("CREATE TABLE IF NOT EXISTS swept (id int)")
    execute("VACUUM swept")
    execute("CREATE INDEX CONCURRENTLY ON swept (id)")
    execute("DISCARD ALL")
    assert execute("SELECT 1").rows == [(1,)]

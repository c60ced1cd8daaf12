"""Conversations with a real PostgreSQL, waited for in the simplest way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from fraiseql.effects import Fetch, Statement
from fraiseql.errors import DatabaseError
from fraiseql.postgres import Connection, cancel, connect, conversation, drain, run
from fraiseql.postgres.conninfo import ConnectionString
from fraiseql.testing.embedded import EmbeddedPostgres

Open = Callable[..., Connection]
Drive = Callable[..., Any]


def fetch(sql: str, *parameters: bytes | None, columns: int = 1) -> Fetch:
    return Fetch(Statement(sql.encode(), columns), parameters)


def test_a_row_comes_in_text_format_with_nulls(drive: Drive, open_connection: Open) -> None:
    row = drive(run(open_connection(), fetch("SELECT $1::int + 1, NULL, 'é'", b"41", columns=3)))
    assert row == (b"42", None, "é".encode())


def test_a_null_parameter(drive: Drive, open_connection: Open) -> None:
    assert drive(run(open_connection(), fetch("SELECT $1::int IS NULL", None))) == (b"t",)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("jit", b"off"),
        ("timezone", b"UTC"),
        ("plan_cache_mode", b"force_generic_plan"),
        ("client_encoding", b"UTF8"),
        ("application_name", b"fraiseql"),
    ],
)
def test_the_session_begins_with_our_settings(drive: Drive, open_connection: Open, setting: str, value: bytes) -> None:
    assert drive(run(open_connection(), fetch("SELECT current_setting($1)", setting.encode()))) == (value,)


def test_the_settings_of_the_connection_string_win(drive: Drive, open_connection: Open) -> None:
    connection = open_connection("options='-c timezone=Europe/Paris' application_name=mine")
    row = drive(
        run(connection, fetch("SELECT current_setting('timezone'), current_setting('application_name')", columns=2))
    )
    assert row == (b"Europe/Paris", b"mine")


@pytest.mark.parametrize(
    ("options", "environment", "wanted"),
    [
        ("", {"PGTZ": "Asia/Tokyo"}, "UTC"),
        ("", {"PGTZ": "utc"}, "UTC"),
        ("-c timezone=Europe/Paris", {"PGTZ": "Asia/Tokyo"}, "Europe/Paris"),
        ("--TimeZone=<+01>-01 -c work_mem=1MB", {"PGTZ": "Asia/Tokyo"}, "<+01>-01"),
        ("", {"PGOPTIONS": "-c timezone=Europe/Paris"}, "Europe/Paris"),
        ("", {"PGCLIENTENCODING": "LATIN1"}, "UTC"),
        ("-c intervalstyle=postgres", {}, "UTC"),
        ("", {"PGOPTIONS": "-c intervalstyle=sql_standard"}, "UTC"),
        ("-c datestyle=german", {}, "UTC"),
        ("", {"PGDATESTYLE": "SQL, DMY"}, "UTC"),
    ],
)
def test_the_environment_does_not_change_what_answers_say(
    drive: Drive,
    open_connection: Open,
    monkeypatch: pytest.MonkeyPatch,
    options: str,
    environment: dict[str, str],
    wanted: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    connection = open_connection(f"options='{options}'" if options else "")
    sql = "SELECT current_setting('timezone'), 'é', interval '1 day', date '2024-02-01'"
    row = drive(run(connection, fetch(sql, columns=4)))
    assert row == (wanted.encode(), "é".encode(), b"P1D", b"2024-02-01")


def test_a_time_zone_of_the_role_or_the_database_does_not_win(
    drive: Drive, open_connection: Open, postgres: EmbeddedPostgres, module_database_url: str
) -> None:
    name = module_database_url.rpartition("=")[2]
    postgres.execute(f"ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'")
    postgres.execute(f"ALTER ROLE postgres IN DATABASE {name} SET timezone = 'Asia/Tokyo'")
    try:
        assert drive(run(open_connection(), fetch("SELECT current_setting('timezone')"))) == (b"UTC",)
    finally:
        postgres.execute(f"ALTER DATABASE {name} RESET timezone")
        postgres.execute(f"ALTER ROLE postgres IN DATABASE {name} RESET timezone")


def test_the_usual_connection_costs_no_statement(
    drive: Drive, open_connection: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "_set", None)
    open_connection()
    open_connection("options='-c timezone=europe/paris'")


def test_a_statement_is_prepared_once(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    for _ in range(3):
        drive(run(connection, fetch("SELECT 1")))
    row = drive(run(connection, fetch("SELECT count(*), sum(generic_plans) FROM pg_prepared_statements", columns=2)))
    assert row == (b"2", b"4")


def test_a_very_long_statement_is_not_kept(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    assert drive(run(connection, fetch(f"SELECT 1 -- {'x' * 20_000}"))) == (b"1",)
    assert drive(run(connection, fetch("SELECT count(*) FROM pg_prepared_statements"))) == (b"1",)


def test_nothing_is_prepared_where_that_is_switched_off(drive: Drive, open_connection: Open) -> None:
    connection = open_connection(max_prepared=0)
    assert drive(run(connection, fetch("SELECT $1::int", b"1"))) == (b"1",)
    assert drive(run(connection, fetch("SELECT count(*) FROM pg_prepared_statements"))) == (b"0",)


def test_the_least_recently_used_statement_is_closed(drive: Drive, open_connection: Open) -> None:
    connection = open_connection(max_prepared=3)
    for sql in ("SELECT 1", "SELECT 2", "SELECT 3", "SELECT 1", "SELECT 4"):
        drive(run(connection, fetch(sql)))
    names = fetch("SELECT string_agg(statement, '|' ORDER BY statement) FROM pg_prepared_statements")
    (left,) = drive(run(connection, names))
    assert left == b"SELECT 1|SELECT 4|" + names.statement.sql
    assert drive(run(connection, fetch("SELECT 2"))) == (b"2",)


def test_with_an_older_libpq_a_statement_is_closed_by_sql(
    drive: Drive, open_connection: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "CLOSES_BY_MESSAGE", False)
    connection = open_connection(max_prepared=2)
    for sql in ("SELECT 1", "SELECT 2", "SELECT 3"):
        drive(run(connection, fetch(sql)))
    assert drive(run(connection, fetch("SELECT count(*) FROM pg_prepared_statements"))) == (b"2",)


def test_a_changed_result_type_prepares_again(drive: Drive, open_connection: Open, postgres: EmbeddedPostgres) -> None:
    connection, other = open_connection(), open_connection()
    make_table(drive, other, "CREATE TABLE t AS SELECT 1 AS a")
    assert drive(run(connection, fetch("SELECT * FROM t"))) == (b"1",)
    make_table(drive, other, "ALTER TABLE t ALTER a TYPE text USING 'now text'")
    assert drive(run(connection, fetch("SELECT * FROM t"))) == (b"now text",)
    assert drive(run(connection, fetch("SELECT count(*) FROM pg_prepared_statements"))) == (b"2",)


def make_table(drive: Drive, connection: Connection, sql: str) -> None:
    """Run a statement that gives no row."""
    with pytest.raises(DatabaseError, match="COMMAND_OK"):
        drive(run(connection, fetch(sql)))


def test_a_statement_that_somebody_deallocated_is_prepared_again(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    assert drive(run(connection, fetch("SELECT 1"))) == (b"1",)
    make_table(drive, connection, "DEALLOCATE ALL")
    assert drive(run(connection, fetch("SELECT 1"))) == (b"1",)


def test_cancelled_while_preparing_the_statement_still_works_later(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    talk = run(connection, fetch("SELECT 1"))
    next(talk)
    talk.close()
    drive(drain(connection))
    assert connection.is_idle
    assert drive(run(connection, fetch("SELECT 1"))) == (b"1",)


@pytest.mark.parametrize(
    ("sql", "parameters", "sqlstate", "parameter"),
    [
        ("SELEC 1", (), "42601", None),
        ("SELECT x", (), "42703", None),
        ("SELECT 1 / $1::int", (b"0",), "22012", None),
        ("SELECT $1::text || $2::int", (b"1", b"one"), "22P02", 2),
        ("SELECT $1::uuid", (b"nope",), "22P02", 1),
        ("SELECT $1::jsonb", (b'{"a": $7',), "22P02", 1),
        ("SELECT $1::text, $2::date", (b"1", b"2024-02-30"), "22008", 2),
        ("SELECT $1::int", (b"99999999999",), "22003", 1),
        ("SELECT $1::text", (b"\xff",), "22021", 1),
        ("SELECT $1::text", (b"a\0b",), "22021", 1),
        ("SELECT 1", (b"1",), "08P01", None),
        ("SELECT 1 WHERE false", (), "21000", None),
        ("SELECT generate_series(1, 2)", (), "21000", None),
        ("SELECT 1, 2", (), "21000", None),
    ],
)
def test_a_statement_in_error_says_so_and_leaves_the_connection_usable(
    drive: Drive, open_connection: Open, sql: str, parameters: tuple[bytes, ...], sqlstate: str, parameter: int | None
) -> None:
    connection = open_connection()
    with pytest.raises(DatabaseError) as caught:
        drive(run(connection, fetch(sql, *parameters)))
    assert (caught.value.sqlstate, caught.value.parameter, caught.value.retryable) == (sqlstate, parameter, False)
    assert connection.is_idle
    assert drive(run(connection, fetch("SELECT 1"))) == (b"1",)


def test_a_statement_that_wants_to_copy_spoils_the_connection(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    with pytest.raises(DatabaseError) as caught:
        drive(run(connection, fetch("COPY (SELECT 1) TO STDOUT")))
    assert caught.value.sqlstate == "21000"
    assert not connection.is_idle


def test_parameters_listed_in_the_context_are_not_taken_for_the_one_in_error(
    drive: Drive, open_connection: Open
) -> None:
    connection = open_connection("options='-c log_parameter_max_length_on_error=100'")
    with pytest.raises(DatabaseError) as caught:
        drive(run(connection, fetch("SELECT 1 / $1::int", b"0")))
    assert (caught.value.sqlstate, caught.value.parameter) == ("22012", None)
    for value in (b"one\n $1", b"one\nparameter $1 = 'x", b"'\n x $1 = ", b"x" * 1000):
        with pytest.raises(DatabaseError) as caught:
            drive(run(connection, fetch("SELECT $1::text, $2::int", b"0", value, columns=2)))
        assert (caught.value.sqlstate, caught.value.parameter) == ("22P02", 2)
    with pytest.raises(DatabaseError) as caught:
        drive(run(connection, fetch("SELECT $1::text::jsonb", b"{\n$7")))
    assert (caught.value.sqlstate, caught.value.parameter, caught.value.source_file) == ("22P02", None, "jsonfuncs.c")


def test_thirty_megabytes_both_ways(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    value = os.urandom(15_000_000).hex().encode()
    assert drive(run(connection, fetch("SELECT $1::text", value))) == (value,)
    assert connection.outgrown
    assert connection.is_idle


def test_a_running_statement_is_cancelled_and_the_connection_used_again(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    began = time.monotonic()
    talk = run(connection, fetch("SELECT pg_sleep(60)"))
    next(talk)
    talk.close()
    drive(cancel(connection))
    drive(drain(connection))
    assert connection.is_idle
    assert drive(run(connection, fetch("SELECT 1"))) == (b"1",)
    assert time.monotonic() - began < 5


def test_a_late_cancel_does_not_reach_the_next_statement(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    for _ in range(20):
        assert drive(run(connection, fetch("SELECT 1"))) == (b"1",)
        drive(cancel(connection))
    assert drive(run(connection, fetch("SELECT 1"))) == (b"1",)


@pytest.mark.parametrize(
    ("ending", "sqlstates"), [("terminate", {"57P01"}), ("kill", {"08006"})], ids=["terminated", "killed"]
)
def test_a_lost_connection(
    drive: Drive, open_connection: Open, postgres: EmbeddedPostgres, ending: str, sqlstates: set[str]
) -> None:
    connection = open_connection(max_prepared=0)
    talk = run(connection, fetch("SELECT pg_sleep(60)"))
    first = next(talk)
    if ending == "kill":
        postgres.kill_backend(connection.backend_pid)
    else:
        postgres.execute(f"SELECT pg_terminate_backend({connection.backend_pid})")
    with pytest.raises(DatabaseError) as caught:
        drive(talk, first=first)
    assert caught.value.sqlstate in sqlstates
    assert caught.value.unavailable
    assert caught.value.retryable
    assert not connection.is_idle
    with pytest.raises(DatabaseError) as caught:
        drive(run(connection, fetch("SELECT 1")))
    assert caught.value.sqlstate == "08006"
    wait_until_up(postgres)


def wait_until_up(postgres: EmbeddedPostgres) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            postgres.execute("SELECT 1")
        except Exception:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def test_an_idle_connection_knows_when_the_server_has_left(
    drive: Drive, open_connection: Open, postgres: EmbeddedPostgres
) -> None:
    connection = open_connection()
    drive(run(connection, fetch("SELECT 1")))
    assert connection.is_alive()
    assert connection.is_alive()
    postgres.restart()
    assert not connection.is_alive()


@pytest.mark.parametrize(
    ("change", "sqlstate", "retryable"),
    [
        ("dbname=nowhere", "3D000", False),
        ("user=nobody_knows", "28000", False),
        ("host=/nonexistent", "08001", True),
        ("host=127.0.0.1 port=1", "08001", True),
        ("options='-c nonsense=1'", "22023", False),
        ("options='-c work_mem=lots'", "22023", False),
        ("port=99999", "08P01", False),
        ("sslmode=nonsense", "08P01", False),
    ],
)
def test_a_failed_connection_says_whether_to_try_again(
    drive: Drive, module_database_url: str, change: str, sqlstate: str, retryable: bool
) -> None:
    string = ConnectionString(f"{module_database_url} password=secret {change}")
    with pytest.raises(DatabaseError) as caught:
        drive(connect(string.attempts(string.hosts())[0], max_prepared=1))
    assert (caught.value.sqlstate, caught.value.retryable) == (sqlstate, retryable)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_connection_given_up_half_way_leaves_no_descriptor(drive: Drive, module_database_url: str) -> None:
    string = ConnectionString(module_database_url)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(5):
        talk = connect(string.attempts(string.hosts())[0], max_prepared=1)
        next(talk)
        talk.close()
    assert (len(os.listdir("/proc/self/fd")) if before else 0) == before

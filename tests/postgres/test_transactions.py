"""Transactions, settings and users' statements on a real PostgreSQL: what is sent, what comes back, what is left."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg.pq import Trace

from fraiseql.effects import Execute, Fetch, Isolation, Settings, Statement
from fraiseql.errors import DatabaseError, SettingRefused
from fraiseql.postgres import Connection, Transaction, cancel, exchange, run, wind_up
from fraiseql.testing.embedded import EmbeddedPostgres

Open = Callable[..., Connection]
Drive = Callable[..., Any]

TWO: Settings = ((b"app.tenant", b"acme"), (b"app.user", b"ada"))
TENANT = "SELECT coalesce(current_setting('app.tenant', true), '')"


def fetch(
    sql: str, *parameters: bytes | None, columns: int = 1, settings: Settings = (), guarded: bool = False
) -> Fetch:
    return Fetch(Statement(sql.encode(), columns), parameters, settings=settings, guarded=guarded)


@contextmanager
def traced(connection: Connection) -> Iterator[list[str]]:
    """What libpq says and hears meanwhile, as `F Parse`, `B DataRow`."""
    messages: list[str] = []
    read, write = os.pipe()
    connection.pgconn.trace(write)
    connection.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS | Trace.REGRESS_MODE)
    try:
        yield messages
    finally:
        connection.pgconn.untrace()
        os.close(write)
        with os.fdopen(read) as lines:
            messages += [" ".join(line.rstrip("\n").split("\t")[0:3:2]) for line in lines]


def round_trips(messages: list[str]) -> int:
    """How often the server was heard after something was said."""
    sides = [message[0] for message in messages]
    return sum(before == "F" and after == "B" for before, after in itertools.pairwise(sides))


def kinds(messages: list[str], side: str) -> list[str]:
    return [message[2:] for message in messages if message[0] == side]


@pytest.fixture
def role(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"clerk_{os.getpid()}"
    postgres.execute(f"CREATE ROLE {name}")
    yield name
    postgres.execute(f"DROP ROLE {name}")


@pytest.fixture
def table(postgres: EmbeddedPostgres, module_database_url: str) -> Iterator[str]:
    database = module_database_url.rpartition("=")[2]
    postgres.execute("CREATE TABLE notes (id int PRIMARY KEY, text text)", database)
    postgres.execute("CREATE TABLE links (note int REFERENCES notes DEFERRABLE INITIALLY DEFERRED)", database)
    yield "notes"
    postgres.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'")
    postgres.execute("DROP TABLE notes, links", database)


@pytest.fixture
def heard(postgres: EmbeddedPostgres, module_database_url: str, table: str) -> Iterator[Callable[[], list[Any]]]:
    """Whom deferred triggers of `links` took for the tenant; triggers of `notes` change the tenant to their text."""
    database = module_database_url.rpartition("=")[2]
    for sql in (
        "CREATE TABLE heard (tenant text)",
        "CREATE OR REPLACE FUNCTION switch() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM set_config('app.tenant', NEW.text, true); RETURN NEW; END $$",
        "CREATE TRIGGER switch BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION switch()",
        "CREATE OR REPLACE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO heard VALUES (current_setting('app.tenant', true)); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER hear AFTER INSERT ON links DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION hear()",
    ):
        postgres.execute(sql, database)
    yield lambda: postgres.execute("SELECT tenant FROM heard", database)
    postgres.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'")
    postgres.execute("DROP TABLE heard", database)


INSERT = "INSERT INTO notes VALUES ($1::int, 'n') RETURNING id"
COUNT = "SELECT count(*) FROM notes"


# -- settings without a transaction ------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_prepared", [200, 1, 0])
def test_settings_take_no_round_trip_more_and_end_with_the_statement(
    drive: Drive, open_connection: Open, max_prepared: int
) -> None:
    connection = open_connection(max_prepared=max_prepared)
    for _ in range(3):  # also at first use
        with traced(connection) as messages:
            assert drive(run(connection, fetch(TENANT, settings=TWO))) == (b"acme",)
        assert (round_trips(messages), kinds(messages, "F").count("Sync")) == (1, 1)
        assert connection.is_idle
        assert drive(run(connection, fetch(TENANT))) == (b"",)


def test_once_prepared_nothing_is_parsed_again(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    drive(run(connection, fetch(TENANT, settings=TWO)))
    with traced(connection) as messages:
        drive(run(connection, fetch(TENANT, settings=TWO)))
    assert kinds(messages, "F") == ["Bind", "Describe", "Execute"] * 4 + ["Sync"]


def test_a_statement_without_settings_is_sent_as_ever(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    drive(run(connection, fetch("SELECT 1")))
    with traced(connection) as messages:
        drive(run(connection, fetch("SELECT 1")))
    assert kinds(messages, "F") == ["Bind", "Describe", "Execute", "Sync"]


def test_the_role_is_one_of_the_settings(drive: Drive, open_connection: Open, role: str) -> None:
    connection = open_connection()
    who = fetch("SELECT current_user", settings=((b"role", role.encode()),))
    assert drive(run(connection, who)) == (role.encode(),)
    assert drive(run(connection, fetch("SELECT current_user"))) != (role.encode(),)


@pytest.mark.parametrize(
    ("settings", "sqlstate"),
    [
        (((b"role", b"nobody_at_all"),), "22023"),
        (((b"nonsense", b"1"),), "42704"),
        (((b"work_mem", b"lots"),), "22023"),
        (((b"app.x", b"a\0b"),), "22021"),
        (((b"app.x\0", b"a"),), "22021"),
        (((b"app.x", b"\xff"),), "22021"),
        (((b"app.good", b"1"), (b"max_connections", b"5")), "55P02"),
    ],
)
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_setting_that_is_refused_keeps_the_statement_from_running(
    drive: Drive, open_connection: Open, table: str, settings: Settings, sqlstate: str, in_transaction: bool
) -> None:
    connection = open_connection()
    effect = fetch(INSERT, b"1", settings=settings)
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    with pytest.raises(SettingRefused) as caught:
        drive(transaction.fetch(effect) if in_transaction else run(connection, effect))
    error = caught.value
    assert (error.sqlstate, error.parameter, error.said) == (sqlstate, None, "")
    drive(wind_up(connection))
    assert connection.is_idle
    assert drive(run(connection, fetch(COUNT))) == (b"0",)
    assert drive(run(connection, fetch(TENANT, settings=TWO))) == (b"acme",)


def test_an_error_of_the_statement_is_told_as_ever(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    for sql, values, sqlstate, parameter in (
        ("SELECT $1::uuid", (b"nope",), "22P02", 1),
        ("SELECT nonsense", (), "42703", None),
        ("SELECT 1 WHERE false", (), "21000", None),
    ):
        with pytest.raises(DatabaseError) as caught:
            drive(run(connection, fetch(sql, *values, settings=TWO)))
        assert not isinstance(caught.value, SettingRefused)
        assert (caught.value.sqlstate, caught.value.parameter) == (sqlstate, parameter)
        assert connection.is_idle
    assert drive(run(connection, fetch(TENANT, settings=TWO))) == (b"acme",)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT set_config('app.cache', 'kept', false)",
        "SELECT set_config('search_path', 'pg_catalog', false)",
        "SELECT set_config('statement_timeout', '1s', false)",
        "SELECT set_config('default_transaction_read_only', 'on', false)",
        "SELECT set_config('role', 'pg_read_all_data', false)",
        "SELECT set_config('session_authorization', 'pg_read_all_data', false)",
        "SELECT leave('DECLARE held CURSOR WITH HOLD FOR SELECT 1')",
        "SELECT leave('LISTEN gossip')",
        "SELECT leave('SET work_mem = 1024')",
    ],
)
def test_what_a_query_leaves_in_the_session_goes_with_its_transaction(
    drive: Drive, open_connection: Open, postgres: EmbeddedPostgres, module_database_url: str, sql: str
) -> None:
    postgres.execute(
        "CREATE OR REPLACE FUNCTION leave(sql text) RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN EXECUTE sql; RETURN 'done'; END $$",
        module_database_url.rpartition("=")[2],
    )
    look = fetch(
        "SELECT (SELECT json_agg(json_build_array(name, setting) ORDER BY name) FROM pg_settings"
        " WHERE name NOT LIKE '%.%'), current_user,"
        " session_user, coalesce(current_setting('app.cache', true), ''), (SELECT json_agg(name) FROM pg_cursors),"
        " (SELECT json_agg(c) FROM pg_listening_channels() c)",
        columns=6,
    )
    connection = open_connection()
    before = drive(run(connection, look))
    drive(run(connection, fetch(sql, settings=TWO)))
    assert drive(run(connection, look)) == before
    assert not connection.unclean


@pytest.mark.parametrize("settings", [TWO, ()])
def test_under_settings_a_statement_only_reads(
    drive: Drive, open_connection: Open, table: str, settings: Settings
) -> None:
    connection = open_connection()
    if settings:
        with pytest.raises(DatabaseError) as caught:
            drive(run(connection, fetch(INSERT, b"1", settings=settings)))
        assert caught.value.sqlstate == "25006"
    else:
        drive(run(connection, fetch(INSERT, b"1")))
    assert connection.is_idle
    assert drive(run(connection, fetch(COUNT))) == (b"0" if settings else b"1",)


def test_an_error_under_settings_takes_a_round_trip_more(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    with traced(connection) as messages, pytest.raises(DatabaseError, match="division"):
        drive(run(connection, fetch("SELECT 1 / 0", settings=TWO)))
    assert round_trips(messages) == 2
    assert connection.is_idle


def command(drive: Drive, connection: Connection, sql: str) -> None:
    with pytest.raises(DatabaseError, match="COMMAND_OK"):
        drive(run(connection, fetch(sql)))


@pytest.mark.parametrize("damage", ["DEALLOCATE ALL", "ALTER TABLE notes ALTER text TYPE bytea USING NULL"])
def test_a_prepared_statement_that_is_of_no_use_any_more_is_prepared_anew(
    drive: Drive, open_connection: Open, table: str, damage: str
) -> None:
    connection = open_connection()
    whole = "SELECT max(n.text) FROM notes n" if "ALL" in damage else "SELECT (SELECT n FROM notes n LIMIT 1).*"
    columns = 1 if "ALL" in damage else 2
    settings = TWO
    drive(run(connection, fetch(whole, columns=columns, settings=settings)))
    command(drive, connection, damage)
    drive(run(connection, fetch(whole, columns=columns, settings=settings)))
    first = Transaction(connection, Isolation.READ_COMMITTED)
    command(drive, connection, "DEALLOCATE ALL")
    drive(first.fetch(fetch(whole, columns=columns, settings=settings)))
    drive(first.commit())
    drive(wind_up(connection))
    assert connection.is_idle
    assert not connection.unclean


def test_with_an_older_libpq_no_more_are_prepared_than_there_is_room_for(
    drive: Drive, open_connection: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "CLOSES_BY_MESSAGE", False)
    connection = open_connection(max_prepared=3)
    for number in (1, 2, 3, 4, 1, 4):
        assert drive(run(connection, fetch(f"SELECT {number}", settings=TWO))) == (b"%d" % number,)
    assert drive(run(connection, fetch("SELECT count(*) FROM pg_prepared_statements", settings=TWO))) == (b"3",)


def test_the_least_recently_used_is_closed_in_the_same_round_trip(drive: Drive, open_connection: Open) -> None:
    connection = open_connection(max_prepared=3)
    for number in (1, 2, 3, 4, 1, 4):
        with traced(connection) as messages:
            assert drive(run(connection, fetch(f"SELECT {number}", settings=TWO))) == (b"%d" % number,)
        assert round_trips(messages) == 1
    assert drive(run(connection, fetch("SELECT count(*) FROM pg_prepared_statements", settings=TWO))) == (b"3",)


def test_a_name_of_ours_that_somebody_took(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    for settings in ((), TWO):
        for number in (1, 2, 3):
            drive(run(connection, fetch(TENANT, settings=settings)))
            command(drive, connection, f"PREPARE fraiseql_{connection._names + 2} AS SELECT 'theirs'")
            sql = f"SELECT {number} -- {len(settings)}"
            assert drive(run(connection, fetch(sql, settings=settings))) == (b"%d" % number,)


def test_cancelled_in_the_midst_of_a_pipeline(drive: Drive, open_connection: Open, postgres: EmbeddedPostgres) -> None:
    connection = open_connection()
    sleeps = f"SELECT 1 FROM pg_stat_activity WHERE pid = {connection.backend_pid} AND wait_event = 'PgSleep'"
    for _ in range(3):
        talk = run(connection, fetch("SELECT pg_sleep(60)", settings=TWO))
        next(talk)
        talk.close()
        while not postgres.execute(sleeps):  # a backend that does nothing yet passes over the cancel
            pass
        assert connection.is_busy
        drive(cancel(connection))
        drive(wind_up(connection))
        assert connection.is_idle
        assert drive(run(connection, fetch(TENANT, settings=TWO))) == (b"acme",)


def test_a_copy_in_a_pipeline_spoils_the_connection(drive: Drive, open_connection: Open) -> None:
    connection = open_connection()
    with pytest.raises(DatabaseError) as caught:
        drive(run(connection, fetch("COPY (SELECT 1) TO STDOUT", settings=TWO)))
    assert caught.value.sqlstate == "0A000"
    assert not connection.is_idle


# -- transactions ------------------------------------------------------------------------------------------------------


def test_begin_and_settings_go_out_with_the_first_statement(drive: Drive, open_connection: Open, table: str) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    with traced(connection) as messages:
        assert drive(transaction.fetch(fetch(INSERT, b"1", settings=TWO))) == (b"1",)
    assert (round_trips(messages), kinds(messages, "F").count("Sync")) == (1, 1)
    with traced(connection) as messages:
        assert drive(transaction.fetch(fetch(TENANT, settings=TWO))) == (b"acme",)
    assert round_trips(messages) == 1
    ran = ["Bind", "Describe", "Execute"]
    assert kinds(messages, "F") == [*ran, "Parse", *ran, "Sync"], "the settings again, prepared"
    other = ((b"app.tenant", b"other"), TWO[1])
    assert drive(transaction.fetch(fetch(TENANT, settings=other))) == (b"other",)
    assert drive(transaction.fetch(fetch(TENANT, settings=TWO))) == (b"acme",)
    with traced(connection) as messages:
        drive(transaction.commit())
        drive(wind_up(connection))
    assert round_trips(messages[: messages.index("B ReadyForQuery") + 1]) == 1
    sent = [place for place, message in enumerate(messages) if message[0] == "F"]
    assert sent[-1] < messages.index("B CommandComplete"), "all is sent before the first answer"
    assert connection.is_idle
    assert not connection.unclean
    assert drive(run(connection, fetch(COUNT))) == (b"1",)


OTHER = "SELECT set_config('app.tenant', 'other', true)"
CHANGES = {
    "a function": [fetch(OTHER, settings=TWO)],
    "behind a savepoint of ours": [fetch(OTHER, settings=TWO, guarded=True)],
    "for the session": [fetch(OTHER.replace("true", "false"), settings=TWO)],
    "a trigger": [fetch("INSERT INTO notes VALUES (1, 'other') RETURNING id", settings=TWO)],
    "a user's statement": [Execute(OTHER, settings=TWO)],
    "SET": [Execute("SET LOCAL app.tenant = 'other'", settings=TWO)],
    "RESET": [Execute("RESET ALL", settings=TWO)],
    "a savepoint, rolled back": [
        fetch(OTHER, settings=TWO),
        Execute("SAVEPOINT a"),
        fetch("SELECT 1", settings=TWO),
        Execute("ROLLBACK TO a"),
    ],
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_what_was_told_holds_again_whatever_a_users_sql_did_to_it(
    drive: Drive, open_connection: Open, heard: Callable[[], list[Any]], changes: list[Fetch | Execute]
) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)

    def change() -> None:
        for effect in changes:
            drive(transaction.fetch(effect) if isinstance(effect, Fetch) else transaction.execute(effect))

    drive(transaction.fetch(fetch("INSERT INTO links VALUES (NULL) RETURNING 1", settings=TWO)))
    change()
    with traced(connection) as messages:
        assert drive(transaction.fetch(fetch(TENANT, settings=TWO))) == (b"acme",)
    assert round_trips(messages) == 1
    drive(transaction.execute(Execute("DELETE FROM notes", settings=TWO)))
    change()
    with traced(connection) as messages:
        drive(transaction.commit(TWO))
        drive(wind_up(connection))
    assert round_trips(messages[: messages.index("B ReadyForQuery") + 1]) == 1
    assert not connection.unclean
    assert heard() == [("acme",)], "what is deferred is told it too"


def test_a_user_goes_back_to_a_savepoint_though_nothing_can_be_told_meanwhile(
    drive: Drive, open_connection: Open
) -> None:
    transaction = Transaction(open_connection(), Isolation.READ_COMMITTED)
    drive(transaction.execute(Execute("SAVEPOINT a", settings=TWO)))
    for _ in range(2):
        with pytest.raises(DatabaseError) as caught:
            drive(transaction.execute(Execute("SELECT 1 / 0", settings=TWO)))
        assert caught.value.sqlstate == "22012"
        with pytest.raises(DatabaseError) as caught:
            drive(transaction.fetch(fetch("SELECT 1", settings=TWO)))
        assert (caught.value.sqlstate, isinstance(caught.value, SettingRefused)) == ("25P02", False)
        drive(transaction.execute(Execute("ROLLBACK TO a", settings=TWO)))
        assert drive(transaction.fetch(fetch(TENANT, settings=TWO))) == (b"acme",)
    drive(transaction.commit(TWO))


def test_a_setting_that_is_refused_at_the_commit(drive: Drive, open_connection: Open, table: str) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    drive(transaction.fetch(fetch(INSERT, b"1")))
    with pytest.raises(SettingRefused) as caught:
        drive(transaction.commit(((b"role", b"nobody_at_all"),)))
    assert caught.value.sqlstate == "22023"
    drive(wind_up(connection))
    assert connection.is_idle
    assert not connection.unclean
    assert drive(run(connection, fetch(COUNT))) == (b"0",)


@pytest.mark.parametrize("isolation", list(Isolation))
def test_the_isolation(drive: Drive, open_connection: Open, isolation: Isolation) -> None:
    connection = open_connection()
    transaction = Transaction(connection, isolation)
    level = fetch("SELECT current_setting('transaction_isolation')")
    assert drive(transaction.fetch(level)) == (isolation.value.encode(),)
    drive(wind_up(connection))
    assert connection.is_idle


def test_a_guarded_statement_takes_one_round_trip_and_its_error_another(
    drive: Drive, open_connection: Open, table: str
) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    with traced(connection) as messages:
        drive(transaction.fetch(fetch(INSERT, b"1", settings=TWO, guarded=True)))
    assert round_trips(messages) == 1
    for _ in range(2):
        with pytest.raises(DatabaseError) as caught:
            drive(transaction.fetch(fetch(INSERT, b"1", settings=TWO, guarded=True)))
        assert caught.value.sqlstate == "23505"
        assert drive(transaction.fetch(fetch(TENANT))) == (b"acme",)
    drive(transaction.fetch(fetch(INSERT, b"2", guarded=True)))
    drive(transaction.commit())
    drive(wind_up(connection))
    assert drive(run(connection, fetch(COUNT))) == (b"2",)


def test_a_guarded_first_statement_in_error(drive: Drive, open_connection: Open, table: str) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    with pytest.raises(DatabaseError):
        drive(transaction.fetch(fetch("SELECT $1::int", b"x", settings=TWO, guarded=True)))
    assert drive(transaction.fetch(fetch(TENANT, settings=TWO))) == (b"acme",)
    drive(transaction.commit())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 / 0",
        "INSERT INTO notes VALUES (1, 'again')",
        "DO $$ BEGIN INSERT INTO notes VALUES (2, 'm'); RAISE EXCEPTION 'no'; END $$",
        "no SQL at all",
    ],
)
def test_a_users_guarded_statement_fails_alone(drive: Drive, open_connection: Open, table: str, sql: str) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    drive(transaction.fetch(fetch(INSERT, b"1", settings=TWO)))
    with pytest.raises(DatabaseError):
        drive(transaction.execute(Execute(sql, settings=TWO, guarded=True)))
    with traced(connection) as messages:
        drive(transaction.execute(Execute("INSERT INTO notes VALUES (3, 'm')", settings=TWO, guarded=True)))
    assert round_trips(messages) == 1
    drive(transaction.commit())
    drive(wind_up(connection))
    assert drive(run(connection, fetch("SELECT json_agg(id) FROM notes"))) == (b"[1, 3]",)


@pytest.mark.parametrize("savepoint", ["SAVEPOINT mine", "/* a */ savepoint mine -- b"])
@pytest.mark.parametrize("back", ["ROLLBACK TO mine", " -- now\nrollback work to savepoint mine"])
def test_a_users_savepoints_among_guarded_statements(
    drive: Drive, open_connection: Open, table: str, savepoint: str, back: str
) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    for sql in (
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "INSERT INTO notes VALUES (1, 'm')",
        savepoint,
        "INSERT INTO notes VALUES (2, 'm')",
        back,
        "INSERT INTO notes VALUES (3, 'm')",
        "RELEASE mine",
    ):
        drive(transaction.execute(Execute(sql, guarded=True)))
    drive(transaction.commit())
    drive(wind_up(connection))
    assert drive(run(connection, fetch("SELECT json_agg(id) FROM notes"))) == (b"[1, 3]",)


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("sql", ["PREPARE TRANSACTION 'x'", "COMMIT", "COMMIT AND CHAIN", "END"])
@pytest.mark.parametrize("before", ["INSERT INTO links VALUES (5)", None])
def test_a_transaction_that_an_error_has_ended_is_not_begun_again(
    drive: Drive, open_connection: Open, table: str, before: str | None, sql: str, guarded: bool
) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    if before is not None:  # what is deferred refuses the COMMIT
        drive(transaction.execute(Execute(before)))
    with pytest.raises(DatabaseError):
        drive(transaction.execute(Execute(sql, guarded=guarded)))
    assert transaction.is_spoilt


@pytest.mark.parametrize("settings", [(), TWO])
def test_a_failed_transaction_is_not_taken_for_a_committed_one(
    drive: Drive, open_connection: Open, table: str, settings: Settings
) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    drive(transaction.fetch(fetch(INSERT, b"1")))
    for sqlstate in ("23505", "25P02"):
        with pytest.raises(DatabaseError) as caught:
            drive(transaction.fetch(fetch(INSERT, b"1")))
        assert caught.value.sqlstate == sqlstate
    with pytest.raises(DatabaseError) as caught:
        drive(transaction.commit(settings))
    assert caught.value.sqlstate == "25P02"
    drive(wind_up(connection))
    assert connection.is_idle
    assert not connection.unclean
    assert drive(run(connection, fetch(COUNT))) == (b"0",)


def test_what_is_deferred_fails_at_the_commit(drive: Drive, open_connection: Open, table: str) -> None:
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    drive(transaction.fetch(fetch("INSERT INTO links VALUES (5) RETURNING note")))
    with pytest.raises(DatabaseError) as caught:
        drive(transaction.commit())
    assert (caught.value.sqlstate, caught.value.place.table) == ("23503", "links")
    drive(wind_up(connection))
    assert connection.is_idle
    assert not connection.unclean


def test_a_serialisation_failure_at_the_commit_can_be_retried(drive: Drive, open_connection: Open, table: str) -> None:
    connections = [open_connection(), open_connection()]
    both = [Transaction(connection, Isolation.SERIALIZABLE) for connection in connections]
    for number, transaction in enumerate(both):
        drive(transaction.fetch(fetch(COUNT)))
        drive(transaction.fetch(fetch(INSERT, b"%d" % number)))
    drive(both[0].commit())
    with pytest.raises(DatabaseError) as caught:
        drive(both[1].commit())
    assert (caught.value.sqlstate, caught.value.retryable) == ("40001", True)
    for connection in connections:
        drive(wind_up(connection))
        assert connection.is_idle
        assert not connection.unclean


@pytest.mark.parametrize("guarded", [False, True])
def test_a_prepared_statement_that_is_lost_within_a_transaction(
    drive: Drive, open_connection: Open, table: str, guarded: bool
) -> None:
    connection = open_connection()
    drive(run(connection, fetch(COUNT)))
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    drive(transaction.fetch(fetch(INSERT, b"1")))
    name = connection.prepared[COUNT.encode()].decode()
    drive(transaction.execute(Execute(f"DEALLOCATE {name}")))
    if guarded:
        assert drive(transaction.fetch(fetch(COUNT, guarded=True))) == (b"1",)
        drive(transaction.commit())
    else:
        with pytest.raises(DatabaseError) as caught:
            drive(transaction.fetch(fetch(COUNT)))
        assert (caught.value.sqlstate, caught.value.retryable) == ("40001", True)
    drive(wind_up(connection))
    assert drive(run(connection, fetch(COUNT))) == (b"1" if guarded else b"0",)


@pytest.mark.parametrize("ending", ["terminate", "kill"])
@pytest.mark.parametrize("moment", ["before", "in"])
@pytest.mark.parametrize("settings", [(), TWO])
def test_a_backend_that_dies_before_or_in_the_commit(
    drive: Drive,
    open_connection: Open,
    postgres: EmbeddedPostgres,
    module_database_url: str,
    table: str,
    ending: str,
    moment: str,
    settings: Settings,
) -> None:
    database = module_database_url.rpartition("=")[2]
    postgres.execute(
        "CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$",
        database,
    )
    postgres.execute(
        "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION dawdle()",
        database,
    )
    connection = open_connection()
    transaction = Transaction(connection, Isolation.READ_COMMITTED)
    drive(transaction.fetch(fetch(INSERT, b"1")))
    talk = transaction.commit(settings)
    first = next(talk) if moment == "in" else None
    if ending == "kill":
        postgres.kill_backend(connection.backend_pid)
    else:
        postgres.execute(f"SELECT pg_terminate_backend({connection.backend_pid}, 5000)")
    with pytest.raises(DatabaseError) as caught:
        drive(talk, first=first)
    # Before: nothing was sent if the end was seen, as it is after the orderly one.
    expected = {("08007", False)} if moment == "in" else {("08006", True), ("08007", False)}
    assert (caught.value.sqlstate, caught.value.retryable) in expected
    assert not connection.is_idle
    wait_until_up(postgres)
    assert postgres.execute("SELECT count(*) FROM notes", database) == [(0,)]


def wait_until_up(postgres: EmbeddedPostgres) -> None:
    for _ in range(1000):
        try:
            postgres.execute("SELECT pg_sleep(0.01)")
        except Exception:
            continue
        return
    raise AssertionError("the server did not come back")

"""The errors of constraints of every kind, in a real PostgreSQL, and the fields that are made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from fraiseql import ErrorRule
from fraiseql.effects import Fetch, Program, Statement
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.database_errors import constraints_cache, violated
from fraiseql.postgres import Connection, run
from fraiseql.schema.error_rules import ErrorRules, error_rules

TABLES = """
create schema "Odd ""schema";
create table "Odd ""schema"."The table" (
    id int primary key,
    gone int,
    "E mail" text,
    tenant int,
    "first" text,
    "last" text,
    code text,
    weight int constraint "weight is positive" check (weight > 0),
    "from" int,
    "to" int,
    parent int constraint "the parent's" references "Odd ""schema"."The table",
    span int4range,
    need text not null,
    constraint "in order" check ("from" < "to"),
    constraint "one mail" unique (tenant, "E mail"),
    constraint "no overlap" exclude using gist (span with &&),
    constraint "with more" unique (code) include (weight)
);
alter table "Odd ""schema"."The table" drop column gone;
create unique index "by name" on "Odd ""schema"."The table" (lower("last"), tenant, (upper("first") || "last"))
    where code is distinct from 'x';
create table "The table" (need text constraint "one mail" unique);
create table other (
    a int, b int, c int, primary key (a, b), constraint pair foreign key (c, b) references other (a, b)
);
create table other_key (id int primary key);
create table parted (
    id int, kind int, need text not null, code text, other int constraint refers references other_key,
    constraint one_each unique (kind, id), constraint coded check (code <> '')
) partition by list (kind);
create table part_1 partition of parted for values in (1) partition by list (id);
create table "part 1.1" partition of part_1 for values in (1, 2);
create table refers_to_parts (
    id int, kind int, constraint to_parts foreign key (kind, id) references parted (kind, id)
);
create domain small as int constraint "is small" check (value < 10);
create table with_domain (n small);
create function refuse() returns int language plpgsql as $$
begin
    raise exception 'The cellar is full.' using errcode = '45000', column = 'place', constraint = 'chosen';
end $$;
insert into "Odd ""schema"."The table" (id, "E mail", tenant, "first", "last", code, span, need, parent)
    values (1, 'a@b', 1, 'Ann', 'Lee', 'c', '[1,5]', 'x', null), (2, 'c@d', 1, 'Bo', 'Lee', 'd', null, 'x', 1);
insert into "The table" values ('x');
insert into other values (1, 1, null), (2, 1, 1);
insert into parted values (1, 1, 'x', 'a');
insert into refers_to_parts values (1, 1);
"""

T = '"Odd ""schema"."The table"'


@pytest.fixture(scope="module")
def filled(module_database_url: str) -> str:
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(TABLES.encode())
    return module_database_url


@pytest.fixture
def connection(filled: str, open_connection: Callable[..., Connection]) -> Connection:
    return open_connection()


def answered(connection: Connection, drive: Callable[..., Any], program: Program[Any]) -> Any:
    """Run a program that only fetches."""
    try:
        effect = next(program)
        while True:
            effect = program.send(drive(run(connection, effect)))  # type: ignore[arg-type]
    except StopIteration as stop:
        return stop.value


def refused(connection: Connection, drive: Callable[..., Any], sql: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        drive(run(connection, Fetch(Statement(sql.encode(), 1), ())))
    return caught.value


def insert(table: str, columns: str, values: str) -> str:
    return f"with made as (insert into {table} ({columns}) values ({values}) returning 1) select count(*) from made"


@pytest.mark.parametrize(
    ("sql", "code", "columns"),
    [
        pytest.param(insert(T, "id, need", "1, 'x'"), "UNIQUE_VIOLATION", ("id",), id="primary key"),
        pytest.param(
            insert(T, 'id, need, tenant, "E mail"', "9, 'x', 1, 'a@b'"),
            "UNIQUE_VIOLATION", ("tenant", "E mail"), id="composite, with names to quote",
        ),
        pytest.param(insert('"The table"', "need", "'x'"), "UNIQUE_VIOLATION", ("need",), id="another schema"),
        pytest.param(insert(T, "id, need, code", "9, 'x', 'c'"), "UNIQUE_VIOLATION", ("code",), id="include"),
        pytest.param(
            insert(T, 'id, need, tenant, "first", "last"', "9, 'x', 1, 'ann', 'Lee'"),
            "UNIQUE_VIOLATION", ("tenant", "last", "first"), id="partial index with expressions",
        ),
        pytest.param(insert(T, "id, need, weight", "9, 'x', 0"), "CHECK_VIOLATION", ("weight",), id="check"),
        pytest.param(insert(T, 'id, need, "from", "to"', "9, 'x', 2, 1"), "CHECK_VIOLATION", ("from", "to"), id="two"),
        pytest.param(insert(T, "id, need, parent", "9, 'x', 7"), "FOREIGN_KEY_VIOLATION", ("parent",), id="key"),
        pytest.param(insert("other", "a, b, c", "5, 6, 7"), "FOREIGN_KEY_VIOLATION", ("c", "b"), id="composite key"),
        pytest.param(
            insert(T, "id, need, span", "9, 'x', '[3,4]'"), "EXCLUSION_VIOLATION", ("span",), id="exclusion"
        ),
        pytest.param(
            f"with gone as (delete from {T} where id = 1 returning 1) select count(*) from gone",
            "RESTRICT_VIOLATION", ("parent",), id="still referred to, by its own table",
        ),
        pytest.param(
            "with gone as (delete from other where a = 1 returning 1) select count(*) from gone",
            "RESTRICT_VIOLATION", ("c", "b"), id="still referred to",
        ),
        pytest.param(insert("with_domain", "n", "11"), "CHECK_VIOLATION", (), id="domain"),
    ],
)  # fmt: skip
def test_constraints(
    sql: str, code: str, columns: tuple[str, ...], connection: Connection, drive: Callable[..., Any]
) -> None:
    error = refused(connection, drive, sql)
    rule = ErrorRules().find(error)
    assert rule is not None
    assert rule.code == code
    found = answered(connection, drive, violated(constraints_cache(), error.place))
    assert (found.columns, found.place) == (columns, error.place)


def test_not_null_names_its_column(connection: Connection, drive: Callable[..., Any]) -> None:
    error = refused(connection, drive, insert(T, "id", "9"))
    assert error.sqlstate == "23502"
    assert error.place.column == "need"
    assert error.place.constraint == ""


@pytest.mark.parametrize(
    ("sql", "table", "constraint", "columns"),
    [
        (insert("parted", "id, kind, need", "1, 1, 'x'"), "parted", "one_each", ("kind", "id")),
        (insert("parted", "id, kind, need, code", "2, 1, 'x', ''"), "parted", "coded", ("code",)),
        (insert("parted", "id, kind, need, other", "2, 1, 'x', 9"), "parted", "refers", ("other",)),
        (insert("parted", "id, kind", "2, 1"), "parted", "", ("need",)),
        (
            "with gone as (delete from parted returning 1) select count(*) from gone",
            *("refers_to_parts", "to_parts", ("kind", "id")),
        ),
    ],
)
def test_what_a_partition_refuses_is_of_the_whole_table(
    sql: str, table: str, constraint: str, columns: tuple[str, ...], connection: Connection, drive: Callable[..., Any]
) -> None:
    error = refused(connection, drive, sql)
    found = answered(connection, drive, violated(constraints_cache(), error.place))
    assert (found.place.schema, found.place.table, found.place.constraint) == ("public", table, constraint)
    assert found.columns == columns
    rules = error_rules({f"{table}.{constraint}": ErrorRule("A")} if constraint else {error.sqlstate: ErrorRule("A")})
    rule = rules.find(error, whole=found.place)
    assert rule is not None
    assert rule.code == "A"


def test_an_index_of_a_partition_is_one_of_the_whole_table(
    connection: Connection, drive: Callable[..., Any], filled: str
) -> None:
    with psycopg.connect(filled, autocommit=True) as writer:
        writer.execute("create unique index if not exists coded_once on parted (lower(code), kind, id)")
        writer.execute("alter table parted drop constraint if exists one_each cascade")
    error = refused(connection, drive, insert("parted", "id, kind, need, code", "1, 1, 'x', 'A'"))
    found = answered(connection, drive, violated(constraints_cache(), error.place))
    assert error.place.table == "part 1.1"
    assert (found.place.table, found.place.constraint) == ("parted", "coded_once")
    assert found.columns == ("kind", "id", "code")


def test_what_a_function_raises(connection: Connection, drive: Callable[..., Any]) -> None:
    error = refused(connection, drive, "select refuse()")
    for key in ("45000", "45", "chosen"):
        found = error_rules({key: ErrorRule("FULL", show_message=True)}).find(error)
        assert found is not None
        assert (found.code, found.message) == ("FULL", "The cellar is full.")
    assert error.place.column == "place"


@pytest.mark.parametrize(
    "does",
    [
        "secret int not null := 1; begin secret := null; end",
        "secret varchar(3); begin secret := 'secret'::int; end",
        "secret text[]; begin for secret in 1 .. null loop end loop; end",
        "secret record; begin execute null; end",
        "secret int; begin select 'secret' into strict secret from pg_class; end",
        "secret int; begin if 'secret' then null; end if; return 1; exception when others then raise; end",
    ],
)
def test_what_postgresql_itself_says_is_never_shown(
    connection: Connection, drive: Callable[..., Any], does: str
) -> None:
    """Nor what PL/pgSQL says, which is where RAISE is."""
    made = "create or replace function pg_temp.does() returns int language plpgsql as"
    connection.pgconn.exec_(f"{made} $$ declare {does}; $$".encode())
    error = refused(connection, drive, "select pg_temp.does()")
    found = error_rules({error.sqlstate: ErrorRule("ODD", show_message=True)}).find(error)
    assert found is not None
    assert (found.message, bool(error.said)) == ("The database refused this.", True)


def test_a_message_with_a_value_in_it_is_never_shown(connection: Connection, drive: Callable[..., Any]) -> None:
    error = refused(connection, drive, "select 'secret'::text::int")
    found = error_rules({"22": ErrorRule("ODD", show_message=True)}).find(error)
    assert found is not None
    assert "secret" in error.said
    assert "secret" not in found.message


@pytest.mark.parametrize(
    ("sql", "source_file"),
    [
        (insert("policed", "tenant", "2"), "execMain.c"),  # a policy's WITH CHECK
        (insert("other", "a, b", "8, 8"), "aclchk.c"),  # no privilege
    ],
)
def test_what_is_not_permitted(
    filled: str, sql: str, source_file: str, open_connection: Callable[..., Connection], drive: Callable[..., Any]
) -> None:
    """Both are FORBIDDEN; the log tells a policy from a privilege that may have been forgotten by who raised it."""
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(
            """
            drop table if exists policed; create table policed (tenant int);
            alter table policed enable row level security; create policy own on policed using (tenant = 1);
            drop role if exists somebody_weak; create role somebody_weak login;
            grant all on policed to somebody_weak;
            """
        )
        weak = open_connection("user=somebody_weak")
        error = refused(weak, drive, sql)
        weak.close()
        connection.execute("drop table policed; drop owned by somebody_weak; drop role somebody_weak")
    rule = ErrorRules().find(error)
    assert rule is not None
    assert (rule.code, error.source_file) == ("FORBIDDEN", source_file)

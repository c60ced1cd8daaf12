"""`fraiseql check` holds the functions of mutations against the database: each difference is one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from fraiseql.cli import main

HEAD = """
from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum

import fraiseql
from fraiseql import ID, JSON

@fraiseql.enum
class Mood(Enum):
    GOOD = "good"
    BAD = "bad"

@fraiseql.input
class In:
    name: str
    other: str | None

@fraiseql.type(sql_source="t", jsonb_column=None)
class T:
    id: ID
    name: str

@fraiseql.type(sql_source="v")
class V:
    id: ID

@fraiseql.type
class Done:
    message: str
    t: T | None

@fraiseql.type
class Full:
    entity_type: str
    v: V
    updated_fields: list[str]
    cascade: JSON
    figure: int

@fraiseql.type
class Refused:
    message: str
    code: str
    fields: list[str]

@fraiseql.query
def ts() -> list[T]: ...

@fraiseql.mutation(**{"function": "fn", **dict({options})})
{declaration}

schema = fraiseql.Schema(queries=[ts], mutations=[do_it])
"""
DDL = """
create table t (id int primary key, name text not null);
create view v as select id, to_jsonb(t) as data from t;
create type mood as enum ('good');
create type result as (status text, message text, entity_id text, entity_type text, entity jsonb,
    updated_fields text[], cascade jsonb, metadata jsonb);
"""
RESULT = "def do_it(input: In) -> Done | Refused: ..."
_numbers = itertools.count()

Check = Callable[[str, str, str], list[str]]


@pytest.fixture
def check(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Check:
    """Run SQL, then `fraiseql check` with a mutation; gives the lines about it."""
    monkeypatch.syspath_prepend(tmp_path)

    def call(sql: str, declaration: str, options: str = "") -> list[str]:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute((DDL + sql).encode())
        name = f"checked_functions_{next(_numbers)}"
        text = HEAD.replace("{options}", options).replace("{declaration}", declaration)
        (tmp_path / f"{name}.py").write_text(text)
        main(["check", f"{name}:schema", "--database-url", database_url])
        captured = capsys.readouterr()
        assert captured.err == ""
        return [line for line in captured.out.splitlines() if ": do_it: " in line]

    return call


def returning(parameters: str, returned: str, more: str = "") -> str:
    body = "begin return; end" if returned.startswith(("setof", "table")) else "begin return null; end"
    return f"create function fn({parameters}) returns {returned} language plpgsql {more} as '{body}';"


NAMED = 'arguments="named"'
PREFIX = 'arguments="named", prefix="p_"'


@pytest.mark.parametrize(
    ("sql", "declaration", "options"),
    [
        (returning("jsonb", "result"), RESULT, ""),
        (returning("input jsonb", "jsonb"), RESULT, ""),
        (returning("input jsonb, x int default 3", "setof result"), RESULT, ""),
        (returning("input jsonb", "table (message text, status text, entity_id int)"), RESULT, ""),
        (returning("input jsonb", "result"), "def do_it(input: In) -> Full | Refused: ...", ""),
        (returning("", "t"), "def do_it() -> T | None: ...", ""),
        (returning("", "int"), "def do_it() -> T: ...", ""),
        (returning("", "text"), "def do_it() -> T: ...", ""),
        (returning("", "setof v"), "def do_it() -> list[V]: ...", ""),
        (returning("", "jsonb"), "def do_it() -> list[T]: ...", ""),
        (returning("", "mood"), "def do_it() -> Mood: ...", ""),
        (returning("", "text[]"), "def do_it() -> list[str]: ...", ""),
        (returning("", "setof int"), "def do_it() -> list[int]: ...", ""),
        (returning("", "setof t"), "def do_it() -> list[T]: ...", ""),
        (returning("name text, other varchar default null", "result"), RESULT, NAMED),
        (returning("p_name text, p_other text default null, p_x int default 1", "result"), RESULT, PREFIX),
        (
            returning('id uuid, day date, price numeric, mood text, tags text[], "any" jsonb, ins jsonb', "t"),
            """def do_it(id: ID, day: dt.date, price: Decimal, mood: Mood, tags: list[str], any: JSON,
            ins: list[In]) -> T | None: ...""",
            NAMED,
        ),
        (returning("a bigint, b numeric, c text", "t"), "def do_it(a: int, b: int, c: dt.date) -> T: ...", NAMED),
        (returning("jsonb default null", "result"), "def do_it(input: In | None) -> Done: ...", ""),
        (returning("jsonb", "result"), "def do_it(id: ID | None, name: str | None) -> Done: ...", ""),
        (
            returning("jsonb", "result") + returning("text", "result"),
            RESULT,
            "",
        ),
    ],
)
def test_all_is_well(check: Check, sql: str, declaration: str, options: str) -> None:
    assert check(sql, declaration, options) == []


@pytest.mark.parametrize(
    ("sql", "declaration", "options", "expected"),
    [
        ("", RESULT, "", "error: do_it: there is no function fn on the search path; make it, or change function=..."),
        (
            "create schema app; create function app.fn_make(jsonb) returns jsonb language sql as 'select null::jsonb'",
            RESULT,
            'function="app.fn_mak"',
            "error: do_it: there is no function app.fn_mak; did you mean app.fn_make?",
        ),
        (
            "create procedure fn(jsonb) language sql as 'select 1'",
            RESULT,
            "",
            "error: do_it: fn(jsonb) is a procedure; make it a function",
        ),
        (
            returning("input json", "result"),
            RESULT,
            "",
            "error: do_it: fn(json) takes no jsonb; make its argument one jsonb, or declare arguments='named'",
        ),
        (returning("", "result"), RESULT, "", "error: do_it: fn() takes no jsonb; make its argument one jsonb, or"),
        (
            returning("input jsonb, x int", "result"),
            RESULT,
            "",
            "error: do_it: fn(jsonb,integer) needs x of the type integer too; give it a default, or take it out",
        ),
        (
            returning("variadic x jsonb[]", "result"),
            RESULT,
            "",
            "error: do_it: fn(jsonb[]) takes any number of values; make its last argument an array",
        ),
        (
            returning("jsonb", "result"),
            "def do_it(input: In | None) -> Done: ...",
            "",
            "error: do_it: fn(jsonb) has no default for its argument, which may be left out; give it one: default '{}'",
        ),
        (
            returning("x jsonb", "result"),
            "def do_it() -> Done: ...",
            "",
            "error: do_it: fn(jsonb) needs x of the type jsonb too; give it a default, or take it out",
        ),
        (
            returning("nme text, other text default ''", "result"),
            RESULT,
            NAMED,
            "error: do_it: fn(text,text) has no argument name; did you mean nme?",
        ),
        (
            returning("name text, other text", "result"),
            RESULT,
            NAMED,
            "error: do_it: fn(text,text) has no default for other, which may be left out; give it one, or make",
        ),
        (
            returning("name text, more int, other text default ''", "result"),
            RESULT,
            NAMED,
            "error: do_it: fn(text,integer,text) needs more, which it is not given; give it a default, or add",
        ),
        (
            returning("text, other text default ''", "result"),
            RESULT,
            NAMED,
            "error: do_it: fn(text,text) has no argument name; add it, or name another by field(column=...)",
        ),
        (
            returning("name int, other text default ''", "result"),
            RESULT,
            NAMED,
            "error: do_it: fn(integer,text) takes name as integer, name is String!; change one of them",
        ),
        (
            returning("x mood", "result"),
            "def do_it(x: Mood) -> Done: ...",
            NAMED,
            "error: do_it: fn(mood) takes x as mood, which has no 'bad'; add it, or take it out of Mood",
        ),
        (
            returning("x text", "result"),
            "def do_it(x: list[str]) -> Done: ...",
            NAMED,
            "error: do_it: fn(text) takes x as text, x is [String!]!; change one of them",
        ),
        (
            returning("x text", "result"),
            "def do_it(x: In, y: int | None) -> Done: ...",
            NAMED,
            "error: do_it: fn(text) takes x as text, x is In!; change one of them",
        ),
        (
            returning("name text, other text default ''", "result")
            + returning("name varchar, other text default ''", "result"),
            RESULT,
            NAMED,
            "error: do_it: fn(text,text) and fn(character varying,text) can both be meant; give one of them",
        ),
        (
            returning("jsonb", "result", "stable"),
            RESULT,
            "",
            "warning: do_it: fn(jsonb) is declared stable or immutable, and cannot write; declare it volatile",
        ),
        (
            returning("jsonb", "record"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns record, whose columns nobody knows; return jsonb, a table's row, or",
        ),
        (
            returning("jsonb", "void").replace("return null", "return"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns void, whose columns nobody knows; return jsonb, a table's row, or",
        ),
        (
            returning("jsonb", "int"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns integer, which is no result; return jsonb, or columns of which one is",
        ),
        (
            returning("jsonb", "t"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns no column status; add it, or declare returns='row'",
        ),
        (
            returning("jsonb", "table (status int, message text, entity_id int)"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns status as int4; make it text",
        ),
        (
            returning("jsonb", "table (status text, message text, entity text)"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns entity as text; make it jsonb",
        ),
        (
            returning("jsonb", "table (status text, message text, entity_id int, updated_fields text)"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns updated_fields as text; make it text[]",
        ),
        (
            returning("jsonb", "table (status text, message text, entity_id int, massage text)"),
            RESULT,
            "",
            "warning: do_it: fn(jsonb) returns a column massage, which nothing reads; put it into metadata",
        ),
        (
            returning("jsonb", "table (status text, entity_id int)"),
            RESULT,
            "",
            "error: do_it: fn(jsonb) returns no column message, which Done.message is read from; add it, or take",
        ),
        (
            returning("jsonb", "table (status text, message text)"),
            RESULT,
            "",
            "warning: do_it: fn(jsonb) returns no column entity_id or entity, which Done.t is read from; add it, or",
        ),
        (
            returning("", "bytea"),
            "def do_it() -> T: ...",
            "",
            "error: do_it: fn() returns bytea, the field is T!; return rows of T, or their ids",
        ),
        (
            returning("", "result"),
            "def do_it() -> T: ...",
            "",
            "error: do_it: fn() returns no column id; add it: rows are found by it",
        ),
        (
            returning("", "text"),
            "def do_it() -> int: ...",
            "",
            "error: do_it: fn() returns text, the field is Int!; change one of them",
        ),
        (
            returning("", "text"),
            "def do_it() -> list[str]: ...",
            "",
            "error: do_it: fn() returns text, the field is [String!]!; change one of them",
        ),
        (
            returning("", "int"),
            "def do_it() -> Mood: ...",
            "",
            "error: do_it: fn() returns integer, the field is Mood!; change one of them",
        ),
    ],
)
def test_what_is_wrong(check: Check, sql: str, declaration: str, options: str, expected: str) -> None:
    lines = check(sql, declaration, options)
    assert lines[0].startswith(expected), lines


def test_parts_without_their_columns(check: Check) -> None:
    lines = check(returning("", "table (status text, message text)"), "def do_it() -> Full: ...", "")
    assert [line.partition("which ")[2].partition(" is read")[0] for line in lines] == [
        "Full.entityType",
        "Full.v",
        "Full.cascade",
        "Full.figure",
    ]


def test_a_schema_that_may_not_be_used(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            DDL.encode()
            + b"""
            create schema hidden;
            create function hidden.fn(jsonb) returns jsonb language sql as 'select $1';
            revoke execute on function hidden.fn from public;
            do $$ begin create role lowly login; exception when duplicate_object then null; end $$;
            grant select on t, v to lowly;
            """
        )
    monkeypatch.syspath_prepend(tmp_path)
    name = f"checked_functions_{next(_numbers)}"
    text = HEAD.replace("{options}", 'function="hidden.fn"').replace("{declaration}", RESULT)
    (tmp_path / f"{name}.py").write_text(text)
    main(["check", f"{name}:schema", "--database-url", f"{database_url} user=lowly"])
    lines = [line for line in capsys.readouterr().out.splitlines() if ": do_it: " in line]
    assert lines == [
        'error: do_it: the role lowly may not use the schema hidden; grant usage on schema "hidden" to lowly;',
        "error: do_it: the role lowly may not execute hidden.fn(jsonb); "
        "grant execute on function hidden.fn(jsonb) to lowly;",
    ]

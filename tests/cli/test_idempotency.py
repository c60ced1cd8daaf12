"""`fraiseql idempotency`: what it prints, that PostgreSQL takes it, and that `fraiseql check` sees what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from fraiseql.cli import main

APP = '''
import fraiseql


@fraiseql.type(sql_source="thing", jsonb_column=None)
class Thing:
    """Something."""

    id: int


@fraiseql.query
def things() -> list[Thing]: ...


RULES = {"name_key": fraiseql.ErrorRule("A"), "thing.id_key": fraiseql.ErrorRule("A"), "P0001": None, "22": None,
         "other.name_key": fraiseql.ErrorRule("A"), "public.thing.by_lower": fraiseql.ErrorRule("A")}
schema = fraiseql.Schema(queries=[things], errors=RULES)
'''
TABLE = """
create table thing (id int not null constraint id_key unique, name text constraint name_key unique);
create unique index by_lower on thing (lower(name));
"""


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["idempotency", *arguments]) == 0
    return capsys.readouterr().out


def run(conninfo: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def test_the_table_can_be_made_again_and_keeps_what_is_there(
    capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    run(database_url, printed(capsys))
    run(database_url, "insert into fraiseql_idempotency (scope, key, fingerprint) values ('', 'k', '')")
    run(database_url, printed(capsys))
    assert run(database_url, "select key, body from fraiseql_idempotency") == [("k", None)]


def test_any_name_in_any_schema_for_any_role(capsys: pytest.CaptureFixture[str], database_url: str) -> None:
    run(database_url, 'create schema "My app"; create role "The ""server"')
    arguments = ["--schema", "My app", "--table", "It's a key", "--grant", 'The "server', "--grant", "postgres"]
    for _ in range(2):
        run(database_url, printed(capsys, *arguments))
    table = "'\"My app\".\"It''s a key\"'"
    rights = "select has_table_privilege('The \"server', {}, '{}')"
    assert [run(database_url, rights.format(table, right)) for right in ("insert", "delete", "truncate")] == [
        [(True,)], [(True,)], [(False,)],
    ]  # fmt: skip
    run(database_url, 'drop owned by "The ""server"; drop role "The ""server"')


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--table", ""], 1, "the table of idempotency keys is ''"),
        (["--table", "t" * 53], 1, "not a name of 1 to 52 bytes"),
        (["--schema", "s" * 64], 1, "the schema of idempotency keys is"),
        (["app:schema"], 2, "unrecognized arguments"),
    ],
)
def test_mistakes(arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        actual = main(["idempotency", *arguments])
    except SystemExit as left:
        actual = int(left.code or 0)
    assert actual == code
    assert sentence in capsys.readouterr().err


def test_introspection_leaves_the_table_out(capsys: pytest.CaptureFixture[str], database_url: str) -> None:
    run(database_url, TABLE + printed(capsys))
    assert main(["introspect", "--database-url", database_url]) == 0
    module = capsys.readouterr().out
    assert "class Thing" in module
    assert "dempotency" not in module


def test_a_rule_for_a_constraint_that_is_not_there_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "rules_app.py").write_text(APP)
    run(database_url, TABLE)
    assert main(["check", "rules_app:schema", "--database-url", database_url]) == 0
    advice = "take the rule out, unless a function names it by RAISE ... USING CONSTRAINT"
    assert capsys.readouterr().out.splitlines() == [
        "warning: Schema(errors=...): there is no constraint or unique index other.name_key; did you mean name_key?",
        "0 errors, 1 warning",
    ]
    run(database_url, "drop table thing; create table thing (id int not null)")
    assert main(["check", "rules_app:schema", "--database-url", database_url]) == 0
    assert capsys.readouterr().out.count(advice) == 4


MUTATING = """
import fraiseql


@fraiseql.type(sql_source="thing", jsonb_column=None)
class Thing:
    id: fraiseql.ID


@fraiseql.query
def things() -> list[Thing]: ...


fraiseql.crud(Thing, create=True)
schema = fraiseql.Schema(queries=[things])
"""


def test_a_table_that_is_not_there_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mutating_app.py").write_text(MUTATING)
    run(database_url, "create table thing (id int primary key); create role weak_checker login")
    run(database_url, "grant all on thing to weak_checker")

    def checked(user: str) -> list[str]:
        assert main(["check", "mutating_app:schema", "--database-url", f"{database_url} user={user}"]) == 0
        return capsys.readouterr().out.splitlines()

    found = 'the database has no table "fraiseql_idempotency": what comes with an Idempotency-Key is refused'
    advice = 'make it with: fraiseql idempotency | psql "$FRAISEQL_DATABASE_URL"'
    assert checked("postgres") == [f"warning: mutations: {found}; {advice}", "0 errors, 1 warning"]
    run(database_url, printed(capsys))
    assert checked("postgres") == ["0 errors, 0 warnings"]
    assert "may not select, insert, update and delete" in checked("weak_checker")[0]
    run(database_url, printed(capsys, "--grant", "weak_checker"))
    assert checked("weak_checker") == ["0 errors, 0 warnings"]
    run(database_url, "drop owned by weak_checker; drop role weak_checker")

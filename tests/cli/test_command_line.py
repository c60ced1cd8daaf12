"""`fraiseql` with arguments: what it prints, and its exit codes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import fraiseql
from fraiseql.cli import main

DEMO = "fraiseql.cli.demo.schema:schema"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call `fraiseql` with arguments in this process."""

    def call(*arguments: str) -> Outcome:
        try:
            code = main(arguments)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def test_the_version_is_printed(run: Run) -> None:
    outcome = run("--version")
    assert (outcome.code, outcome.out) == (0, f"fraiseql {fraiseql.__version__}\n")


def test_help_lists_every_command(run: Run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    listed = re.findall(r"^    ([a-z]+)\b", outcome.out, re.MULTILINE)
    assert listed == ["serve", "demo", "sql", "schema", "check", "introspect", "outbox", "rls", "idempotency"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "fraiseql: the following arguments are required: command"),
        (["serv"], "invalid choice: 'serv'"),
        (["--vers"], "fraiseql: the following arguments are required: command"),
        (["sql", DEMO], "fraiseql sql: the following arguments are required: query"),
        (["sql", "app", "{ users { name } }"], "'app' is not of the form module:schema"),
        (["sql", DEMO, "{ a }", "--variables", "{"], "'{' is not JSON"),
        (["sql", DEMO, "{ a }", "--variables", "[1]"], "'[1]' is not a JSON object"),
        (["sql", DEMO, "{ a }", "--operations", "A"], "unrecognized arguments: --operations A"),
        (["schema"], "the following arguments are required: module:schema"),
        (["serve", "app.py:schema"], "'app.py' is a file: name the module, as in app:schema"),
        (["demo", "--port", "many"], "argument --port"),
        (["demo", "--runtime", "gevent"], "argument --runtime"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(run: Run, arguments: list[str], sentence: str) -> None:
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 2, "the sentence, then where to find help"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["schema", "nowhere:schema"], "fraiseql: there is no module 'nowhere' in"),
        (["serve", "nowhere:schema"], "fraiseql: there is no module 'nowhere' in"),
        (["schema", "fraiseql:Schema"], "fraiseql: fraiseql:Schema is not a fraiseql.Schema but of type type"),
        (["sql", DEMO, "{ users { nam } }"], "Cannot query field 'nam' on type 'User'"),
        (["sql", DEMO, "{ users {"], "Syntax Error"),
        (["sql", DEMO, "query A { users { id } } query B { users { id } }"], "operation"),
        (["sql", DEMO, "query ($k: UUID!) { userByKey(key: $k) { id } }", "--variables", '{"k": "x"}'], "UUID"),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_1(run: Run, arguments: list[str], sentence: str) -> None:
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert sentence in outcome.err
    assert outcome.err.count("\n") == 1


def test_the_users_own_exception_keeps_its_traceback(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raising_module.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    outcome = run("schema", "raising_module:schema")
    assert outcome.code == 1
    assert outcome.err.startswith("Traceback (most recent call last):\n")
    assert outcome.err.endswith("ZeroDivisionError: division by zero\nfraiseql: importing raising_module failed\n")


def test_the_schema_is_printed_as_sdl(run: Run) -> None:
    outcome = run("schema", DEMO)
    assert outcome.code == 0
    assert '"""Somebody who writes or reads."""\ntype User {' in outcome.out
    assert "  userByKey(" in outcome.out
    assert outcome.err == ""


def test_sql_is_printed_with_its_parameters(run: Run) -> None:
    query = "query ($k: UUID!, $n: Int) { userByKey(key: $k) { name } posts(limit: $n) { title } }"
    key = "8b624e22-84df-4178-8c74-4f401026aa12"
    outcome = run("sql", DEMO, query, "--variables", f'{{"k": "{key}", "n": 3}}')
    assert outcome.code == 0
    assert outcome.out.startswith("select ")
    assert '-- $1 = "' + key + '"\n' in outcome.out
    assert '-- $2 = "3"\n' in outcome.out
    assert key not in outcome.out.partition("\n-- $1")[0], "a value is never SQL text"


def test_a_query_without_sql_says_so(run: Run) -> None:
    assert run("sql", DEMO, "{ __typename }").out == "-- no SQL: the schema alone answers this\n"


def test_what_python_serves_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """import fraiseql
from typing import Iterator
@fraiseql.type(sql_source="rows", jsonb_column=None)
class Row:
    id: int
@fraiseql.query
def rows() -> list[Row]: ...
@fraiseql.query
def told() -> int: return 1
@fraiseql.mutation
def made(id: int) -> int: return id
@fraiseql.mutation(function="fn_made")
def written(id: int) -> int: ...
@fraiseql.subscription
def ticks() -> Iterator[int]: yield 1
schema = fraiseql.Schema(queries=[rows, told], mutations=[made, written], subscriptions=[ticks])
"""
    (tmp_path / "resolving_app.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for document, begins, keys in (
        ("{ it: told }", "", ["it"]),
        ("{ rows { id } told again: told }", "select ", ["told", "again"]),
        ("mutation { a: made(id: 1) b: made(id: 2) }", "", ["a", "b"]),
        ("mutation { a: made(id: 1) written(id: 2) }", "select ", ["a"]),
        ("subscription { ticks }", "", ["ticks"]),
    ):
        outcome = run("sql", "resolving_app:schema", document)
        assert outcome.code == 0, outcome.err
        *sql, told = outcome.out.partition(f"-- {keys[0]}: a function")
        assert sql[0].startswith(begins)
        assert bool(sql[0]) == bool(begins)
        assert "".join([*sql[1:], told]) == "".join(f"-- {key}: a function in Python serves this\n" for key in keys)


def test_a_limit_from_the_environment_holds_for_sql_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAISEQL_QUERY_MAX_DEPTH", "1")
    outcome = run("sql", DEMO, "{ users { posts { id } } }")
    assert outcome.code == 1
    assert "at least 2 levels of fields; the limit is 1" in outcome.err


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("FRAISEQL_PROT", "1", "FRAISEQL_PROT is not a setting; did you mean FRAISEQL_PORT?"),
        ("FRAISEQL_PORT", "many", "FRAISEQL_PORT is 'many'; expected a whole number"),
    ],
)
def test_a_wrong_variable_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)
    outcome = run("serve", DEMO)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert sentence in outcome.err


def test_a_server_without_a_database_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAISEQL_DATABASE_URL", raising=False)
    outcome = run("serve", DEMO)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "FRAISEQL_DATABASE_URL" in outcome.err


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "threads"])
def test_a_database_that_is_not_there_is_one_sentence(run: Run, runtime: str) -> None:
    database = "host=/nowhere/at/all dbname=x password=hush"
    outcome = run("serve", DEMO, "--port", "0", "--database-url", database, "--runtime", runtime)
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert outcome.err.startswith("fraiseql: cannot connect to the database at ")
    assert "hush" not in outcome.err


def test_a_runtime_that_is_not_installed_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    outcome = run("serve", DEMO, "--runtime", "trio", "--database-url", "dbname=x")
    assert outcome.code == 1
    assert outcome.err == "fraiseql: trio is not installed; install it with: pip install '.[trio]', in a clone\n"


def test_sql_of_one_of_several_operations(run: Run) -> None:
    document = "query A { users { name } } query B { posts { title } }"
    outcome = run("sql", DEMO, document, "--operation", "B")
    assert outcome.code == 0
    assert "posts" in outcome.out
    assert "v_user" not in outcome.out


def test_a_query_is_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("{ comments { body } }"))
    outcome = run("sql", DEMO, "-")
    assert outcome.code == 0
    assert "comments" in outcome.out


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "fraiseql", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"fraiseql {fraiseql.__version__}\n")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"'{sys.executable}' -m fraiseql schema {DEMO} | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [["schema", DEMO], ["sql", DEMO, "{ users { name } }"], ["demo", "--port", "0"]])
def test_an_output_that_cannot_be_written_is_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "fraiseql", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "fraiseql: cannot write the output: No space left on device\n")


def test_a_letter_that_the_output_cannot_hold_is_one_sentence(tmp_path: Path) -> None:
    app = """
import fraiseql

@fraiseql.type(sql_source="t", jsonb_column=None)
class T:
    "Snow \u2603"
    id: int

@fraiseql.query
def ts() -> list[T]: ...

schema = fraiseql.Schema(queries=[ts])
"""
    (tmp_path / "snow.py").write_text(app)
    command = [sys.executable, "-m", "fraiseql", "schema", "snow:schema"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    sentence = "fraiseql: cannot write the output: latin-1 has no '\\u2603'; set PYTHONIOENCODING=utf-8\n"
    assert (done.returncode, done.stderr) == (1, sentence)

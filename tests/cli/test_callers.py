"""The caller on the command line: `fraiseql rls`, the setting `context`, and `fraiseql sql --context`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fraiseql import FraiseQLApp, create_fraiseql_app
from fraiseql.cli import main
from fraiseql.cli.target import UserCodeFailed, load_context
from fraiseql.errors import ConfigurationError
from fraiseql.pipeline.failures import MISSING_SETTING

APP = """
import fraiseql

@fraiseql.type(sql_source="posts", jsonb_column=None)
class Post:
    id: int

@fraiseql.query
def posts() -> list[Post]: ...

def context(request):
    return fraiseql.Caller()

class Inner:
    context = context

number = 3
schema = fraiseql.Schema(
    queries=[posts],
    database_context=fraiseql.DatabaseContext(
        {"app.tenant": "tenant_id", "app.locale": fraiseql.Setting("context.locale", required=False)},
        "roles",
        ("app_user",),
    ),
)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "callers_app.py").write_text(APP)
    (tmp_path / "raising_callers.py").write_text("1 / 0\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("schema", [None, "a schema"])
def test_the_function_tells_a_value_from_a_missing_one(
    database_url: str, capsys: pytest.CaptureFixture[str], schema: str | None
) -> None:
    assert main(["rls", *([] if schema is None else ["--schema", schema])]) == 0
    printed = capsys.readouterr().out
    function = "fraiseql_setting" if schema is None else '"a schema".fraiseql_setting'
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute('create schema "a schema"')
        for _ in range(2):  # it can be run again
            connection.execute(printed.encode())

        def ask(name: str | None) -> object:
            row = connection.execute(f"select {function}(%s)".encode(), [name]).fetchone()
            assert row is not None
            return row[0]

        def missing(name: str | None) -> None:
            with pytest.raises(psycopg.Error) as caught:
                ask(name)
            assert caught.value.sqlstate == MISSING_SETTING
            assert caught.value.diag.column_name == (name or "")

        missing("app.tenant")
        missing(None)
        with connection.transaction():
            connection.execute("select set_config('app.tenant', 'it''s', true)")
            assert ask("app.tenant") == "it's"
        row = connection.execute("select current_setting('app.tenant', true)").fetchone()
        assert row == ("",), "which is no value"
        missing("app.tenant")


@pytest.mark.parametrize("attribute", ["context", "Inner.context"])
def test_a_context_function_is_found_by_its_name(attribute: str) -> None:
    assert load_context(f"callers_app:{attribute}").__name__ == "context"


BAD = [
    ("callers_app", "expected module:function"),
    ("callers app:context", "expected module:function"),
    ("callers_app.py:context", r"callers_app\.py:context"),
    ("callers_app:", "expected module:function"),
    ("no_such_app:context", "no module 'no_such_app'"),
    ("callers_app:nothing", "nothing"),
    ("callers_app:number", "no function but of type int"),
]


@pytest.mark.parametrize(("name", "message"), BAD)
def test_a_context_function_that_is_none(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_context(name)
    import callers_app  # type: ignore[import-not-found]

    with pytest.raises(ConfigurationError, match=message):
        create_fraiseql_app(schema=callers_app.schema, database_url="postgresql:///x", context=name)


def test_a_module_of_the_context_function_that_raises() -> None:
    with pytest.raises(UserCodeFailed):
        load_context("raising_callers:context")


def test_serve_names_what_is_wrong_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "callers_app:schema", "--context", "callers_app:nothing"]) == 1
    assert capsys.readouterr().err == "fraiseql: callers_app has no attribute 'nothing'\n"


def context_of(app: FraiseQLApp) -> object:
    return app._endpoint.context


def test_the_setting_is_an_argument_and_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    import callers_app

    url, schema = "postgresql:///x", callers_app.schema
    assert context_of(create_fraiseql_app(schema=schema, database_url=url)) is None
    named = create_fraiseql_app(schema=schema, database_url=url, context="callers_app:context")
    assert context_of(named) is callers_app.context
    monkeypatch.setenv("FRAISEQL_CONTEXT", "callers_app:context")
    assert context_of(create_fraiseql_app(schema=schema, database_url=url)) is callers_app.context
    # The function itself goes before the setting.
    assert context_of(create_fraiseql_app(schema=schema, database_url=url, context=print)) is print


def test_sql_shows_what_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    who = '{"tenant_id": "acme", "roles": ["app_user", "x"], "context": {"locale": "fr"}}'
    assert main(["sql", "callers_app:schema", "{ posts { id } }", "--context", who]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ['-- app.tenant = "acme"', '-- app.locale = "fr"', '-- role = "app_user"']
    assert lines[3].startswith("select ")
    assert main(["sql", "callers_app:schema", "{ posts { id } }"]) == 0
    assert capsys.readouterr().out.startswith("select ")


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ("{}", "no value for 'app.tenant'"),
        ('{"tenant_id": 5}', "tenant_id is 5"),
        ('{"tenant": "acme"}', "'tenant'; expected user_id, tenant_id, roles, context"),
        ('{"roles": "app_user"}', "expected a list of texts"),
        ('{"tenant_id": "acme", "roles": ["postgres"]}', "no role"),
    ],
)
def test_a_caller_that_cannot_be(capsys: pytest.CaptureFixture[str], who: str, message: str) -> None:
    assert main(["sql", "callers_app:schema", "{ posts { id } }", "--context", who]) == 1
    assert message in capsys.readouterr().err


def test_a_plan_is_that_of_the_caller(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("""
            do $$ begin
                if not exists (select from pg_roles where rolname = 'app_user') then create role app_user; end if;
            end $$;
            create table posts (id int, tenant text);
            insert into posts values (1, 'acme'), (2, 'globex');
            alter table posts enable row level security;
            create policy tenant on posts using (tenant = current_setting('app.tenant'));
            grant select on posts to app_user;
        """)
    who = '{"tenant_id": "acme", "roles": ["app_user"]}'
    arguments = ["sql", "callers_app:schema", "{ posts { id } }", "--analyze", "--database-url", database_url]
    assert main([*arguments, "--context", who]) == 0
    assert "current_setting" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "current_setting" not in capsys.readouterr().out, "the connection's own role sees everything"

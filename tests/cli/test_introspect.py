"""`fraiseql introspect`: the module it prints for a database, and that this module serves."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from psycopg.waiting import wait_conn

import fraiseql
from fraiseql.cli import main
from fraiseql.cli.demo.data import generate
from fraiseql.cli.demo.database import load
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.postgres import connect, run
from fraiseql.postgres.conninfo import ConnectionString
from fraiseql.testing.embedded import EmbeddedPostgres

NASTY = (Path(__file__).parent / "nasty.sql").read_text(encoding="utf-8")
SCHEMAS = ("public", "audit", "Other Schema")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["introspect", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def nasty_url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(NASTY.encode())
    return database_url


@pytest.fixture
def nasty_text(nasty_url: str, capsys: pytest.CaptureFixture[str]) -> str:
    options = [option for name in SCHEMAS for option in ("--schema", name)]
    code, text, _ = printed(capsys, "--database-url", nasty_url, *options)
    assert code == 0
    return text


class Loader:
    """Imports texts as modules, and forgets them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.names: list[str] = []

    def load(self, text: str) -> ModuleType:
        name = f"introspected_{len(self.names)}"
        path = self._folder / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        self.names.append(name)
        spec.loader.exec_module(module)
        return module


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[Loader]:
    loader = Loader(tmp_path)
    yield loader
    for name in loader.names:
        del sys.modules[name]


def ask(url: str, schema: fraiseql.Schema, query: str, variables: dict[str, Any] | None = None) -> Any:
    """The data of a query through the whole pipeline, on a connection as the server makes them."""
    target = ConnectionString(url)
    (attempt,) = target.attempts(target.hosts())
    connection = wait_conn(connect(attempt, max_prepared=0))
    try:
        program = Pipeline(schema).execute(GraphQLRequest(query, None, variables or {}), "r")
        fetch = next(program)
        try:
            program.send(wait_conn(run(connection, fetch)))
        except StopIteration as stop:
            if stop.value.cause is not None:
                raise stop.value.cause from None
            answer = json.loads(stop.value.body)
            assert "errors" not in answer, answer
            return answer["data"]
    finally:
        connection.close()
    raise AssertionError("one statement is all")


@pytest.mark.parametrize(
    "checked",
    [["format", "--isolated", "--diff", "-"], ["check", "--isolated", "--select=E,F,I,W", "--ignore=E501", "-"]],
)
def test_the_module_is_laid_out_as_ruff_would(nasty_text: str, checked: list[str]) -> None:
    command = [sys.executable, "-m", "ruff", *checked]
    done = subprocess.run(command, input=nasty_text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_module_passes_mypy(nasty_text: str, tmp_path: Path) -> None:
    (tmp_path / "typed_app.py").write_text(nasty_text)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "typed_app.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_same_database_gives_the_same_text(
    nasty_text: str, nasty_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [option for name in reversed(SCHEMAS) for option in ("--schema", name)]
    assert printed(capsys, *options, "--database-url", nasty_url)[1] == nasty_text


def test_every_query_of_the_nasty_database_is_served(nasty_text: str, nasty_url: str, loader: Loader) -> None:
    """All scalar fields of all lists, and of all relations below them."""
    schema = loader.load(nasty_text).schema
    model = schema.model

    def leaves(name: str, below: bool) -> str:
        parts = []
        for field in model.object_type(name).fields.values():
            if field.relation is None:
                parts.append(field.name)
            elif below:
                parts.append(f"{field.name} {{ {leaves(field.type.named, False)} }}")
        return " ".join(parts)

    lists = [query for query in model.queries.values() if query.type.item is not None]
    assert len(lists) > 30
    for query in lists:
        data = ask(nasty_url, schema, f"{{ {query.name} {{ {leaves(query.type.named, True)} }} }}")
        assert isinstance(data[query.name], list)


def test_values_and_relations_arrive(nasty_text: str, nasty_url: str, loader: Loader) -> None:
    schema = loader.load(nasty_text).schema
    one = ask(
        nasty_url,
        schema,
        """{
          class(def: 1) { import orderBy sayHi column a1 a12 a13 backSlash newLine class class2 and typename }
          order(id: 10) { status billingAddress { street } shippingAddress { street }
                          orderLines { line amount shipments { id } } }
          address(id: 1) { ordersByBillingAddress { id } ordersByShippingAddress { id } }
          shipment(id: 5) { orderLine { amount order { id } } }
          orderLine(orderId: 10, line: 2) { amount }
          usersById(id: 2) { mail manager { id profile { bio } } usersByManager { id } auditUsers { id } }
          measurement(id: "9007199254740993", day: "2024-02-29") { value readings { note } }
          chicken(id: 1) { egg { id chickens { id } } eggs { id } }
          animals { id name }
          boxes { area }
          defaulted(id: 1) { count tint tags }
          status(status: UNICODE) { status }
          myTable(id: 1) { isOk }
          everything(id: 1) { cBigint cNumeric cReal cChar cJson cJsonb cTimestamp cStatus aInteger aText aNumeric
                              aStatus aMatrix aJsonb aDouble aTimestamptz aEmail }
          vUsers(where: {id: {eq: 1}}) { id shout }
          orderTotals { orderId total }
        }""",
    )
    assert one["class"] == {
        "import": "x",
        "orderBy": 3,
        "sayHi": "hi",
        "column": "n",
        "a1": 1,
        "a12": 2,
        "a13": 3,
        "backSlash": "b",
        "newLine": "l",
        "class": "c",
        "class2": "d",
        "and": True,
        "typename": "t",
    }
    assert one["order"] == {
        "status": "IN_PROGRESS",
        "billingAddress": {"street": "First"},
        "shippingAddress": {"street": "Second"},
        "orderLines": [
            {"line": 1, "amount": "9.90", "shipments": []},
            {"line": 2, "amount": "0.10", "shipments": [{"id": "5"}]},
        ],
    }
    assert one["address"] == {"ordersByBillingAddress": [{"id": "10"}, {"id": "11"}], "ordersByShippingAddress": []}
    assert one["shipment"] == {"orderLine": {"amount": "0.10", "order": {"id": "10"}}}
    assert one["orderLine"] == {"amount": "0.10"}
    assert one["usersById"] == {
        "mail": "bob@x",
        "manager": {"id": "1", "profile": {"bio": "Countess"}},
        "usersByManager": [],
        "auditUsers": [{"id": "1"}],
    }
    assert one["measurement"] == {"value": 1.5, "readings": [{"note": "leap"}]}
    assert one["chicken"] == {"egg": {"id": "1", "chickens": [{"id": "1"}]}, "eggs": [{"id": "1"}]}
    assert one["animals"] == [{"id": "7", "name": "Rex"}]
    assert one["boxes"] == [{"area": 12}]
    assert one["defaulted"] == {"count": 5, "tint": "red", "tags": ["a", "b"]}
    assert one["status"] == {"status": "UNICODE"}
    assert one["myTable"] == {"isOk": True}
    assert one["everything"] == {
        "cBigint": "9223372036854775807",
        "cNumeric": "1.50",
        "cReal": 0.5,
        "cChar": "ab",
        "cJson": {"a": 1},
        "cJsonb": [1],
        "cTimestamp": "2024-01-02T03:04:05+00:00",
        "cStatus": "TRUE",
        "aInteger": [1, None],
        "aText": [],
        "aNumeric": ["1.10"],
        "aStatus": ["NEW", "IT_S_DONE"],
        "aMatrix": [[1, 2], [3, 4]],
        "aJsonb": [{"k": 1}],
        "aDouble": [1.5],
        "aTimestamptz": ["2024-01-01T00:00:00+00:00"],
        "aEmail": ["a@b"],
    }
    assert one["vUsers"] == [{"id": "1", "shout": "ADA@X"}]
    assert one["orderTotals"] == [{"orderId": 10, "total": "10.00"}]


def test_tables_of_pairs_become_relations_between_both_ends(nasty_text: str, nasty_url: str, loader: Loader) -> None:
    query = """{
        order(id: 10) { tags { name orders { id } } orderLines { tags { id } } }
        tag(id: 2) { orders { id } orderLines { line } visits { tagId } }
        usersById(id: 2) { usersByFollowFollower { id } usersByFollowFollowed { id } }
    }"""
    one = ask(nasty_url, loader.load(nasty_text).schema, query)
    order = {"id": "10"}
    assert one["order"] == {
        "tags": [{"name": "new", "orders": [order]}, {"name": "old", "orders": [order]}],
        "orderLines": [{"tags": [{"id": "2"}]}, {"tags": [{"id": "2"}]}],
    }
    assert sorted(each["line"] for each in one["tag"].pop("orderLines")) == [1, 2]
    assert one["tag"] == {"orders": [order], "visits": []}
    assert [each["id"] for each in one["usersById"]["usersByFollowFollower"]] == ["1", "2"]
    assert [each["id"] for each in one["usersById"]["usersByFollowFollowed"]] == ["1", "2"]


def test_comments_become_descriptions(nasty_text: str, loader: Loader) -> None:
    types = loader.load(nasty_text).schema.model.types
    assert types["Class"].description == "A \"class\", of all things.\n\n  Indented, with 'quotes' and a \\ backslash."
    assert types["Class"].fields["import"].description == "Two lines:\nthe second says \"hi\" and 'ho'."
    assert types["Users"].description == "Somebody."
    assert types["Progress"].description == "How far it is."
    assert list(types["Progress"].values.values()) == [
        *("new", "in progress", 'it\'s "done"', "back\\slash", "true", "ünïcode"),
    ]


def test_what_is_left_out_is_named(nasty_text: str) -> None:
    for line in (
        '# Left out: "with.dot": sql_source has no way to spell a name with a dot',
        "# Left out: nothing: no column can be read",
        "    # c_money: no scalar for money",
        "    # c_point3: no scalar for point3",
        "    # mood: no scalar for mood",  # it has an empty label
    ):
        assert f"\n{line}\n" in nasty_text


def test_nulls_are_told_as_the_database_knows_them(nasty_text: str, loader: Loader) -> None:
    model = loader.load(nasty_text).schema.model
    shown = {
        f"{owner}.{name}": str(model.object_type(owner).fields[name].type)
        for owner, name in [
            *(("Users", "id"), ("Users", "mail"), ("Users", "managerId"), ("Users", "profile"), ("Profile", "user")),
            *(("VUser", "id"), ("VUser", "mail"), ("Defaulted", "count"), ("Everything", "aText")),
            *(("Order", "billingAddress"), ("Order", "shippingAddress"), ("Address", "ordersByBillingAddress")),
        ]
    }
    assert shown == {
        "Users.id": "ID!",
        "Users.mail": "String!",
        "Users.managerId": "ID",
        "Users.profile": "Profile",
        "Profile.user": "Users!",
        "VUser.id": "ID",
        "VUser.mail": "String",
        "Defaulted.count": "Int!",
        "Everything.aText": "[String]!",
        "Order.billingAddress": "Address!",
        "Order.shippingAddress": "Address",
        "Address.ordersByBillingAddress": "[Order!]!",
    }


def test_the_check_finds_no_error_in_what_was_generated(
    nasty_text: str, nasty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "generated_app.py").write_text(nasty_text)
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["check", "generated_app:schema", "--database-url", nasty_url]) == 0
    out = capsys.readouterr().out
    assert "\n0 errors, " in out
    assert all("no index" in line for line in out.splitlines()[:-1])


def test_the_demo(module_database_url: str, loader: Loader, capsys: pytest.CaptureFixture[str]) -> None:
    load(module_database_url, generate())
    code, text, _ = printed(capsys, "--database-url", module_database_url)
    assert code == 0
    assert "outbox" not in text, "events are nobody's business"
    data = ask(
        module_database_url,
        loader.load(text).schema,
        "{ posts(limit: 1) { author { role comments(limit: 1) { post { id } } } } user(id: 1) { posts { id } } }",
    )
    assert data["posts"][0]["author"]["role"] in ("ADMIN", "EDITOR", "AUTHOR", "READER")


def test_some_tables_only(nasty_url: str, capsys: pytest.CaptureFixture[str], loader: Loader) -> None:
    options = ("--table", "orders", "--table", "measurements_2024", "--database-url", nasty_url)
    code, text, _ = printed(capsys, *options)
    assert code == 0
    types = loader.load(text).schema.model.types
    assert "Order" in types
    assert "Measurements2024" in types or "Measurement2024" in types, "a partition that is named comes"
    assert "Address" not in types
    assert all(field.relation is None for field in types["Order"].fields.values())


def test_what_a_role_may_not_read_is_left_out(
    postgres: EmbeddedPostgres, database_url: str, capsys: pytest.CaptureFixture[str], loader: Loader
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create table open (id int primary key, secret text)")
        connection.execute("create table closed (id int primary key)")
        connection.execute("create role introspector login")
        connection.execute("grant select (id) on open to introspector")
    try:
        url = f"{database_url} user=introspector"
        code, text, _ = printed(capsys, "--database-url", url)
        assert code == 0
        assert "    # secret: the role that asked may not select it\n" in text
        assert "# Left out: closed: no column can be read\n" in text
        assert ask(url, loader.load(text).schema, "{ opens { id } }") == {"opens": []}
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("drop owned by introspector; drop role introspector")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "there is no table or view that can be served in the schema public"),
        (["--schema", "a", "--schema", "b"], "there is no table or view that can be served in the schemas a, b"),
        (["--table", "absent"], "there is no table or view absent in the schema public"),
    ],
)
def test_nothing_to_serve_is_one_sentence(
    database_url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert printed(capsys, "--database-url", database_url, *arguments) == (1, "", f"fraiseql: {sentence}\n")

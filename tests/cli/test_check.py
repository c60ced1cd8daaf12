"""`fraiseql check`: each thing that can be wrong between a schema and a database is one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from fraiseql.bus import EventBus, outbox_sql
from fraiseql.cli import main
from fraiseql.cli.demo.data import generate
from fraiseql.cli.demo.database import load

HEAD = """
from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from enum import Enum

import fraiseql
from fraiseql import ID, JSON, field, relation
"""
TAIL = """

import sys
schema = fraiseql.Schema.from_module(sys.modules[__name__])
"""
_numbers = itertools.count()

Check = Callable[[str, str], tuple[int, list[str]]]


@pytest.fixture
def check(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Check:
    """Run SQL, then `fraiseql check` with declarations; gives the exit code and the lines but for the last."""
    monkeypatch.syspath_prepend(tmp_path)

    def call(sql: str, declarations: str) -> tuple[int, list[str]]:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(sql.encode())
        name = f"checked_app_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(HEAD + declarations + TAIL)
        code = main(["check", f"{name}:schema", "--database-url", database_url])
        captured = capsys.readouterr()
        assert captured.err == ""
        *lines, counts = captured.out.splitlines()
        kinds = [line.partition(":")[0] for line in lines]
        errors, warnings = kinds.count("error"), kinds.count("warning")
        assert counts == f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
        assert code == (1 if errors else 0)
        return code, lines

    return call


def one_type(fields: str, source: str = "t", arguments: str = "jsonb_column=None") -> str:
    body = "\n".join(f"    {line}" for line in fields.split("; "))
    return f"""
@fraiseql.type(sql_source={source!r}, {arguments})
class T:
{body}

@fraiseql.query
def ts() -> list[T]: ...
"""


_INTERFACE = """
@fraiseql.interface(sql_source="t", jsonb_column=None, discriminator="kind")
class T:
    id: ID
    titel: str | None

@fraiseql.type(when="a")
class A(T):
    pages: int

@fraiseql.type(when="b")
class B(T):
    m: int
    half: int = field(sql="{n} / 2")

@fraiseql.type
class V:
    far: int

@fraiseql.union(sql_source="t", jsonb_column=None, discriminator="sort", types={"a": V})
class U: ...

@fraiseql.query
def ts() -> list[T]: ...

@fraiseql.query
def us() -> list[U]: ...
"""
TABLE = "create table t (id int primary key, name text not null, author_id int)"


@pytest.mark.parametrize(
    ("sql", "declarations", "expected"),
    [
        pytest.param(TABLE, one_type("id: ID; name: str; author_id: int | None"), [], id="all is well"),
        pytest.param(
            TABLE,
            one_type("id: ID", source="tt"),
            ["error: T: there is no table or view tt on the search path; did you mean t?"],
            id="no source",
        ),
        pytest.param(
            "create schema other; create table other.t (id int)",
            one_type("id: ID", source="some.thing"),
            ["error: T: there is no table or view some.thing; make it, or change sql_source"],
            id="no source in a schema",
        ),
        pytest.param(
            TABLE,
            one_type(
                "id: ID; loud: str = field(sql='upper({name})'); far: str = field(sql='{nam} || {name}');"
                " bad: int = field(sql='{name} + 1'); odd: dt.date = field(sql='{id}');"
                " half: int = field(sql='{id} * 0.5'); ids: list[int] = field(sql='array[{id}]');"
                " told: bool = field(sql='upper({name})'); wide: int = field(sql='{id}::int8 * 2')"
            ),
            [
                "error: T.far: t has no column nam; did you mean name?",
                "error: T.bad: PostgreSQL refuses the expression: operator does not exist: text + integer; "
                "No operator matches the given name and argument types. You might need to add explicit type casts.; "
                "change `sql=`",
                "error: T.odd: PostgreSQL refuses the expression: cannot cast type integer to date; change `sql=`",
                "warning: T.half: the expression is numeric, and is cast to the field's type, Int!; "
                "cast it in `sql=` where that is meant",
                "warning: T.told: the expression is text, and is cast to the field's type, Boolean!; "
                "cast it in `sql=` where that is meant",
                "warning: T.wide: the expression is bigint, and is cast to the field's type, Int!; "
                "cast it in `sql=` where that is meant",
            ],
            id="computed fields",
        ),
        pytest.param(
            "create table t (id int primary key, kind text check (kind in ('a', 'c')), title text, "
            "page int, n numeric)",
            _INTERFACE,
            [
                "warning: T (discriminator): t.kind may be null: such rows are errors; set the column not null",
                "error: T (discriminator): T has 'b', the check on t.kind has not; add it there, or change `when=`",
                "warning: T (discriminator): the check on t.kind has 'c', no type of T has: such rows are errors; "
                "declare a type for it",
                "error: T.titel: t has no column titel; did you mean title?",
                "error: A.pages: t has no column pages; did you mean page?",
                "error: B.m: t has no column m; name another in `column=`, or add the column",
                "warning: B.half: the expression is numeric, and is cast to the field's type, Int!; "
                "cast it in `sql=` where that is meant",
                "error: U (discriminator): t has no column sort; name another in `discriminator=`, or add the column",
                "error: V.far: t has no column far; name another in `column=`, or add the column",
            ],
            id="interfaces and unions",
        ),
        pytest.param(
            "create type kind as enum ('a', 'b'); create view t as select 1 as id, 'a'::kind as kind, "
            "'x' as title, 2 as pages, 1.5 as n, 3 as m, 'x' as titel, 'a' as sort, 4 as far",
            _INTERFACE,
            [
                "warning: B.half: the expression is numeric, and is cast to the field's type, Int!; "
                "cast it in `sql=` where that is meant",
            ],
            id="interfaces and unions that are well",
        ),
        pytest.param(
            "select 1",
            _INTERFACE,
            [
                "error: T: there is no table or view t on the search path; make it, or change sql_source",
                "error: U: there is no table or view t on the search path; make it, or change sql_source",
            ],
            id="interfaces and unions without source",
        ),
        pytest.param(
            TABLE,
            one_type("id: ID; nam: str; far_away: int"),
            [
                "error: T.nam: t has no column nam; did you mean name?",
                "error: T.far_away: t has no column far_away; name another in `column=`, or add the column",
            ],
            id="no column",
        ),
        pytest.param(
            "create view t as select 1 as id, 'x' as doc",
            one_type("id: ID = field(column='id'); name: str", arguments="jsonb_column='data'"),
            ["error: T: t has no column data; name another jsonb_column, or None where the fields are columns"],
            id="no document",
        ),
        pytest.param(
            "create view t as select 1 as id, '{}'::json as data",
            one_type("name: str", arguments="jsonb_column='data'"),
            ["error: T: t.data is json, and holds the fields; make it jsonb, or give jsonb_column=None"],
            id="a document that is no jsonb",
        ),
        pytest.param(
            "create materialized view t as select 1 as id, '{}'::jsonb as data",
            one_type("name: str; id: ID = field(column='id')", arguments="jsonb_column='data'"),
            [],
            id="the keys of a document cannot be held against anything",
        ),
        pytest.param(
            "create table t (a uuid not null, b text not null, c numeric(5,1) not null, d int8 not null, "
            "e int[] not null)",
            one_type("a: str; b: int; c: float; d: int; e: int"),
            [
                "error: T.a: t.a is uuid, the field is String!; change the annotation, or the column's type",
                "error: T.b: t.b is text, the field is Int!; change the annotation, or the column's type",
                "warning: T.c: t.c is numeric(5,1), the field is Float!: values of more than 15 digits lose some; "
                "change the annotation where that can happen",
                "warning: T.d: t.d is bigint, the field is Int!: values beyond 32 bits are errors; "
                "change the annotation where that can happen",
                "error: T.e: t.e is integer[], the field is Int!; annotate with list[...]",
            ],
            id="types",
        ),
        pytest.param(
            "create table t (a timestamp not null, b timestamptz not null, c time not null, d timetz not null)",
            one_type("a: dt.date; b: dt.datetime; c: dt.time; d: dt.time"),
            [
                "error: T.a: t.a is timestamp without time zone, the field is Date!; "
                "change the annotation, or the column's type",
                "error: T.d: t.d is time with time zone, the field is Time!; "
                "change the annotation, or the column's type",
            ],
            id="times",
        ),
        pytest.param(
            "create domain mail as varchar; create domain mails as mail[]; create table t "
            "(a mail not null, b mails not null, c int2[] not null, d jsonb not null, e point not null, "
            "f text not null)",
            one_type("a: str; b: list[str]; c: list[int]; d: list[int]; e: JSON; f: list[str]"),
            [
                "error: T.d: t.d is jsonb, the field is [Int!]!; use an array, or annotate without list",
                "error: T.f: t.f is text, the field is [String!]!; use an array, or annotate without list",
            ],
            id="domains and arrays",
        ),
        pytest.param(
            "create type pair as (x int, y int); create table t (a pair, b jsonb, c pair[], d text, e json)",
            "@fraiseql.type\nclass Pair:\n    x: int | None\n"
            + one_type("a: Pair | None; b: Pair | None; c: list[Pair] | None; d: Pair | None; e: list[Pair] | None"),
            [
                "error: T.d: t.d is text, the field is the object Pair; "
                "use a jsonb column, or relation(on=...) where it is a row of its own"
            ],
            id="objects",
        ),
        pytest.param(
            'create table t (id int primary key, "My name" text, other int); create view v as table t',
            one_type("id: ID; name: str = field(column='My name')")
            + "@fraiseql.type(sql_source='v', jsonb_column=None)\nclass V:\n    id: ID\n    other: int\n"
            + "@fraiseql.query\ndef vs() -> list[V]: ...\n",
            [
                'warning: T.name: t."My name" may be null, the field may not; '
                'alter table t alter column "My name" set not null, or annotate with `| None`'
            ],
            id="nulls, of which views tell nothing",
        ),
        pytest.param(
            "create domain sure as int not null; create table t (a sure)",
            one_type("a: int"),
            [],
            id="a domain not null",
        ),
        pytest.param(
            "create type mood as enum ('sad', 'glad'); create table t (a mood, b mood[], "
            "c text check (c in ('sad', 'it''s')), d text check (d = 'sad'), "
            "e varchar(9) check (e in ('sad', 'glad')), f text check (length(f) < 5), g int)",
            "@fraiseql.enum\nclass Mood(Enum):\n    SAD = 'sad'\n    MAD = 'mad'\n"
            + one_type(
                "a: Mood | None; b: list[Mood] | None; c: Mood | None; d: Mood | None; e: Mood | None; f: Mood | None; "
                "g: Mood | None"
            ),
            [
                line
                for name, origin, rest in [
                    ("a", "the enum mood", "'glad'"),
                    ("b", "the enum mood", "'glad'"),
                    ("c", "the check on t.c", '"it\'s"'),
                    ("d", "the check on t.d", None),
                    ("e", "the check on t.e", "'glad'"),
                ]
                for line in [
                    f"error: T.{name}: Mood has 'mad', {origin} has not; add it there, or take it out of the class",
                    rest
                    and f"warning: T.{name}: {origin} has {rest}, Mood has not: such rows are errors; "
                    "add it to the class",
                ]
                if line
            ]
            + ["error: T.g: t.g is integer, the field is the enum Mood; use an enum or a text column"],
            id="enums",
        ),
    ],
)
def test_findings(check: Check, sql: str, declarations: str, expected: list[str]) -> None:
    assert check(sql, declarations)[1] == expected


def related(their_source: str = "posts", on: str = "{'author_id': 'id'}", kind: str = "list[Post]") -> str:
    return f"""
@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: ID
    posts: {kind} = relation(on={on})

@fraiseql.type(sql_source={their_source!r}, jsonb_column=None)
class Post:
    id: ID

@fraiseql.query
def users() -> list[User]: ...
"""


RELATED = (
    "create table users (id int primary key, tenant int); create table posts (id int primary key, author_id int, t int)"
)
NO_INDEX = "warning: User.posts: no index of posts begins with author_id; create index on posts (author_id, id);"


@pytest.mark.parametrize(
    ("sql", "declarations", "expected"),
    [
        ("", related(), [NO_INDEX]),
        ("create index on posts (author_id)", related(), []),
        ("", related(kind="fraiseql.Aggregate[Post]"), [NO_INDEX.replace(", id)", ")")]),
        ("", related(kind="list[fraiseql.Group[Post]]"), [NO_INDEX.replace(", id)", ")")]),
        ("create index on posts (author_id)", related(kind="fraiseql.Aggregate[Post]"), []),
        (
            "",
            related(kind="fraiseql.Aggregate[Post]", on="{'author': 'id'}"),
            ["error: User.posts: posts has no column author; did you mean author_id?"],
        ),
        ("create index on posts (author_id, t)", related(), []),
        ("create index on posts (t, author_id)", related(), [NO_INDEX]),
        ("create index on posts (author_id) where t > 0", related(), [NO_INDEX]),
        ("create index on posts ((author_id + 1))", related(), [NO_INDEX]),
        ("create index on posts using brin (author_id)", related(), [NO_INDEX]),
        ("create index on posts using hash (author_id)", related(), []),
        ("", related(kind="Post | None", on="{'id': 'id'}"), []),
        (
            "",
            related(kind="Post", on="{'id': 'tenant'}"),
            [
                "warning: User.posts: users.tenant may be null, the field may not; "
                "annotate with `| None`, or set the column not null"
            ],
        ),
        ("create index on posts (t, author_id)", related(on="{'author_id': 'id', 't': 'tenant'}"), []),
        ("", related(on="{'id': 'id', 't': 'tenant'}"), []),
        (
            "",
            related(on="{'author_id': 'id', 't': 'tenant'}"),
            [
                "warning: User.posts: no index of posts begins with author_id, t; "
                "create index on posts (author_id, t, id);"
            ],
        ),
        # A simple view is looked through, also one of a view; of others nothing is said.
        (
            "create view p as select id, author_id from posts; create view pp as select id, author_id as a from p",
            related("pp", on="{'a': 'id'}"),
            ["warning: User.posts: no index of posts begins with author_id; create index on posts (author_id);"],
        ),
        ("create index on posts (author_id); create view p as select id, author_id from posts", related("p"), []),
        (
            "create view p as select p.id, u.tenant as author_id from posts p left join users u on u.id = p.author_id",
            related("p"),
            ["warning: User.posts: no index of users begins with tenant; create index on users (tenant);"],
        ),
        ("create view p as select author_id, max(id) as id from posts group by author_id", related("p"), []),
        ("create view p as select distinct author_id, id from posts", related("p"), []),
        ("create view p as select author_id, id from posts limit 5", related("p"), []),
        ("create view p as select author_id, id from posts union select 1, 2", related("p"), []),
        ("create view p as select author_id + 0 as author_id, id from posts", related("p"), []),
        ("create view p as with x as (select * from posts) select * from x", related("p"), []),
        (
            "create materialized view p as select * from posts",
            related("p"),
            ["warning: User.posts: no index of p begins with author_id; create index on p (author_id, id);"],
        ),
        (
            "create table p (id int primary key, author_id int) partition by range (id); "
            "create table p1 partition of p default; create index on p (author_id)",
            related("p"),
            [],
        ),
        (
            "",
            related(on="{'writer': 'idd'}"),
            [
                "error: User.posts: users has no column idd; did you mean id?",
                "error: User.posts: posts has no column writer; name another in `on=`, or add the column",
            ],
        ),
        (
            "alter table posts add writer uuid; create index on posts (writer)",
            related(on="{'writer': 'id'}"),
            [
                "error: User.posts: posts.writer is uuid, users.id is integer: they cannot be compared; "
                "use columns of one type"
            ],
        ),
    ],
)
def test_relations(check: Check, sql: str, declarations: str, expected: list[str]) -> None:
    assert check(f"{RELATED}; {sql}", declarations)[1] == expected


def between(through: str = "likes", own: str = "{'user_id': 'id'}", on: str = "{'id': 'post_id'}") -> str:
    declared = related(kind="list[Post]", on=on)
    return declared.replace("relation(on", f"relation(through={through!r}, own={own}, on")


LIKES = "create table likes (user_id int, post_id int)"


@pytest.mark.parametrize(
    ("sql", "declarations", "expected"),
    [
        (f"{LIKES}; create index on likes (user_id)", between(), []),
        ("create table likes (user_id int, post_id int, primary key (user_id, post_id))", between(), []),
        (
            LIKES,
            between(),
            ["warning: User.posts: no index of likes begins with user_id; create index on likes (user_id, post_id);"],
        ),
        (
            f"{LIKES}; create index on likes (user_id)",
            between(on="{'t': 'post_id'}"),
            ["warning: User.posts: no index of posts begins with t; create index on posts (t);"],
        ),
        (
            LIKES,
            between("like"),
            ["error: User.posts: there is no table or view like on the search path; did you mean likes?"],
        ),
        (
            LIKES,
            between("far.away"),
            ["error: User.posts: there is no table or view far.away; make it, or change through"],
        ),
        (
            f"{LIKES}; create index on likes (user_id)",
            between(own="{'userid': 'idd'}", on="{'idd': 'post'}"),
            [
                "error: User.posts: likes has no column post; did you mean post_id?",
                "error: User.posts: posts has no column idd; did you mean id?",
                "error: User.posts: users has no column idd; did you mean id?",
                "error: User.posts: likes has no column userid; did you mean user_id?",
            ],
        ),
        (
            "create table likes (user_id uuid, post_id text, primary key (user_id, post_id))",
            between(),
            [
                "error: User.posts: posts.id is integer, likes.post_id is text: they cannot be compared; "
                "use columns of one type",
                "error: User.posts: likes.user_id is uuid, users.id is integer: they cannot be compared; "
                "use columns of one type",
            ],
        ),
        (
            "create table likes (user_id int, tenant int, post_id int); create index on likes (user_id, tenant)",
            between(own="{'user_id': 'id', 'tenant': 'tenant'}"),
            [],
        ),
        (
            'create schema "S"; create table "S"."Likes" ("user" int, post_id int)',
            between("S.Likes", "{'user': 'id'}"),
            [
                'warning: User.posts: no index of "S"."Likes" begins with "user"; '
                'create index on "S"."Likes" ("user", post_id);'
            ],
        ),
        (
            f"{LIKES}; create view v as select user_id as u, post_id as p from likes",
            between("v", "{'u': 'id'}", "{'id': 'p'}"),
            ["warning: User.posts: no index of likes begins with user_id; create index on likes (user_id);"],
        ),
    ],
)
def test_relations_through_a_table(check: Check, sql: str, declarations: str, expected: list[str]) -> None:
    assert check(f"{RELATED}; {sql}", declarations)[1] == expected


def test_a_name_is_quoted_in_advice_where_it_must_be(check: Check) -> None:
    sql = 'create schema "S"; create table "S"."Order" (id int primary key, "user" int)'
    declarations = one_type("id: ID; others: list[T] = relation(on={'user': 'id'})", source="S.Order")
    assert check(sql, declarations)[1] == [
        'warning: T.others: no index of "S"."Order" begins with "user"; create index on "S"."Order" ("user", id);'
    ]


SUBSCRIBED = one_type("id: ID") + '\n@fraiseql.subscription(topic="t_added", by="key")\ndef t_added() -> T: ...\n'


def test_subscriptions_need_an_outbox_and_their_column(check: Check) -> None:
    outbox = "create table t (id int primary key, code text)"
    assert check(outbox, SUBSCRIBED)[1] == [
        "error: t_added (by): t has no column key; name another in `by=`, or add the column",
        "error: subscriptions: the database has no outbox fraiseql_outbox, which carries events to them; "
        "run what `fraiseql outbox` prints",
    ]
    assert check(outbox_sql(EventBus.postgresql()), SUBSCRIBED.replace('"key"', '"code"'))[1] == [
        "warning: t_added (by): no index of t begins with code; create index on t (code);"
    ]


def test_events_in_memory_need_no_outbox(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAISEQL_EVENT_BUS", "memory")
    assert check("create table t (id int primary key)", SUBSCRIBED.replace('"key"', '"id"')) == (0, [])


def test_privileges(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = """
    create table users (id int primary key, tenant int);
    create schema "Closed"; create table "Closed".posts (id int primary key, author_id int, secret text);
    create index on "Closed".posts (author_id);
    create role checker login; grant select (id) on users to checker; grant select (id) on "Closed".posts to checker
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.encode())
    try:
        (tmp_path / "privileges_app.py").write_text(HEAD + related("Closed.posts", on="{'author_id': 'tenant'}") + TAIL)
        monkeypatch.syspath_prepend(tmp_path)
        assert main(["check", "privileges_app:schema", "--database-url", f"{database_url} user=checker"]) == 1
        assert capsys.readouterr().out.splitlines() == [
            "error: User: the role checker may not select tenant of users; grant select on users to checker;",
            'error: Post: the role checker may not use the schema "Closed"; grant usage on schema "Closed" to checker;',
            'error: Post: the role checker may not select author_id of "Closed".posts; '
            'grant select on "Closed".posts to checker;',
            "3 errors, 0 warnings",
        ]
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("drop owned by checker; drop role checker")


def test_the_demo_is_without_a_finding(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    load(database_url, generate())
    assert main(["check", "fraiseql.cli.demo.schema:schema", "--database-url", database_url]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings\n"


DEMO = "fraiseql.cli.demo.schema:schema"


@pytest.mark.parametrize(
    "command",
    [["check", DEMO], ["introspect"], ["sql", DEMO, "{ users { name } }", "--analyze"]],
    ids=lambda each: each[0],
)
def test_no_database_is_one_sentence(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FRAISEQL_DATABASE_URL", raising=False)
    assert main(command) == 1
    captured = capsys.readouterr()
    expected = "fraiseql: database_url is not set: give --database-url, or FRAISEQL_DATABASE_URL in the environment\n"
    assert captured.err == expected
    assert captured.out.startswith("select ") is (command[0] == "sql")
    assert main([*command, "--database-url", "host=/nowhere password=hush"]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("fraiseql: cannot connect to the database at /nowhere port 5432: ")
    assert "hush" not in captured.err


def test_a_plan_is_printed_and_the_statement_rolled_back(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = """
    create table runs (n int); create table t (id int primary key, name text);
    create function note() returns text volatile language sql as 'insert into runs values (1); select ''x''';
    insert into t values (7, 'it''s');
    create view v as select id, name, note() as noted from t
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.encode())
    (tmp_path / "analysed_app.py").write_text(HEAD + one_type("id: ID; name: str | None; noted: str", "v") + TAIL)
    monkeypatch.syspath_prepend(tmp_path)
    query = "query ($n: String) { ts(where: {name: {eq: $n}}) { id noted } }"
    monkeypatch.setenv("FRAISEQL_DATABASE_URL", database_url)
    variables = ["--variables", '{"n": "it\'s"}']
    for pool in ("100", "0"):
        monkeypatch.setenv("FRAISEQL_POOL_MAX_PREPARED", pool)
        assert main(["sql", "analysed_app:schema", query, *variables, "--analyze"]) == 0
        statement, _, plan = capsys.readouterr().out.partition("\n\n")
        assert statement.endswith('-- $1 = "it\'s"')
        assert "rows=1" in plan.partition("Seq Scan on t")[2].splitlines()[0]
        assert "$1" in plan, "the generic plan, as the server has it"
        assert "Buffers: " in plan
        assert "Execution Time: " in plan
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from runs").fetchone() == (0,)
    assert main(["sql", "analysed_app:schema", "{ __typename }", "--analyze"]) == 0
    assert capsys.readouterr().out == "-- no SQL: the schema alone answers this\n"


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        ("select 1 / 0 as id", "fraiseql: PostgreSQL: division by zero (SQLSTATE 22012)\n"),
        ("select 1 as idd", 'column t$0.id does not exist; Perhaps you meant to reference the column "t$0.idd". (SQL'),
        (
            "select pg_sleep(60)::text as id",
            "the statement took longer than query_request_timeout, 0.2 s (SQLSTATE 57014)",
        ),
    ],
)
def test_a_statement_that_fails_is_one_sentence(
    view: str,
    sentence: str,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create view v as {view}".encode())
    name = f"failing_app_{next(_numbers)}"
    (tmp_path / f"{name}.py").write_text(HEAD + one_type("id: ID", "v") + TAIL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("FRAISEQL_QUERY_REQUEST_TIMEOUT", "0.2")
    assert main(["sql", f"{name}:schema", "{ ts { id } }", "--analyze", "--database-url", database_url]) == 1
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.err.count("\n") == 1
    with psycopg.connect(database_url) as connection:
        running = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
        assert connection.execute(running).fetchone() == (0,), "it was cancelled"


def test_methods_are_no_columns_but_what_they_need_is_one(check: Check) -> None:
    declarations = """
@fraiseql.type(sql_source="person", jsonb_column=None)
class Person:
    id: int
    name: str
    nick: str

    @field(needs=["nick"])
    def shout(self) -> list[str]:
        return [self.nick.upper()]


@fraiseql.query
def people() -> list[Person]: ...
"""
    code, lines = check("create table person (id int primary key, name text not null)", declarations)
    assert code == 1
    assert [line.partition(":")[2].split()[0] for line in lines] == ["Person.nick:"]

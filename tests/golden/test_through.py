"""Many-to-many through a table, and relations of a table to itself: awkward names, composite keys, pairs twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.waiting import wait_conn

import fraiseql
from fraiseql import ID
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from fraiseql.postgres import connect, run
from fraiseql.postgres.conninfo import ConnectionString

_DDL = b"""
create schema "My Schema";
create table person (id int primary key, name text not null, chief_id int references person);
create table "My Schema"."Fol""low" ("from" int not null, "to who" int);
create table project (tenant int, number int, name text not null, primary key (tenant, number));
create table project_person (tenant int, number int, person_id int, primary key (tenant, number, person_id));
insert into person values (1, 'Ada', null), (2, 'Bob', 1), (3, 'Cleo', 1), (4, 'Dan', 3);
insert into "My Schema"."Fol""low" ("from", "to who") values
    (2, 1), (2, 1), (3, 1), (1, 3), (3, 3), (4, null), (4, 9), (4, 2);
insert into project values (1, 1, 'one'), (1, 2, 'two'), (2, 1, 'other');
insert into project_person values (1, 1, 1), (1, 1, 2), (2, 1, 2), (1, 2, 4);
"""


@fraiseql.type(sql_source="person", jsonb_column=None)
class Person:
    id: ID
    name: str
    chief: Person | None = fraiseql.relation(on={"id": "chief_id"})
    reports: list[Person] = fraiseql.relation(on={"chief_id": "id"})
    follows: list[Person] = fraiseql.relation(through='My Schema.Fol"low', own={"from": "id"}, on={"id": "to who"})
    followers: list[Person] = fraiseql.relation(through='My Schema.Fol"low', own={"to who": "id"}, on={"id": "from"})
    first_follower: Person | None = fraiseql.relation(
        through='My Schema.Fol"low', own={"to who": "id"}, on={"id": "from"}
    )
    projects: list[Project] = fraiseql.relation(
        through="project_person",
        own={"person_id": "id"},
        on={"tenant": "tenant", "number": "number"},
    )


@fraiseql.type(sql_source="project", jsonb_column=None)
class Project:
    name: str
    tenant: int
    people: list[Person] = fraiseql.relation(
        through="public.project_person",
        own={"tenant": "tenant", "number": "number"},
        on={"id": "person_id"},
    )


@fraiseql.query
def people() -> list[Person]: ...


@fraiseql.query
def projects() -> list[Project]: ...


_PIPELINE = Pipeline(fraiseql.Schema(queries=[people, projects]))
Query = Callable[[str], Any]


@pytest.fixture(scope="module")
def query(module_database_url: str) -> Iterator[Query]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    string = ConnectionString(module_database_url)
    opened = wait_conn(connect(string.attempts(string.hosts())[0], max_prepared=50), interval=1.0, timeout=10.0)

    def query(text: str) -> Any:
        program = _PIPELINE.execute(GraphQLRequest(text, None, {}), "r")
        effect = next(program)
        with pytest.raises(StopIteration) as stopped:
            program.send(wait_conn(run(opened, effect), interval=1.0, timeout=10.0))
        response = stopped.value.value
        assert response.outcome is Outcome.DATA, response.body
        return json.loads(response.body)["data"]

    yield query
    opened.close()


def _names(query: Query, field: str) -> list[list[str]]:
    """Of the rows that a field of each person leads to."""
    rows = query(f"{{ people {{ f: {field} {{ name }} }} }}")["people"]
    return ["".join(each["name"][0] for each in row["f"]) for row in rows]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("reports", ["BC", "", "D", ""]),
        ("follows", ["C", "A", "AC", "B"]),  # Bob follows Ada twice; whom Dan follows may not be there
        ("followers", ["BC", "D", "AC", ""]),
        ("followers(orderBy: {name: DESC})", ["CB", "D", "CA", ""]),
        ("followers(limit: 1)", ["B", "D", "A", ""]),
        ("followers(limit: 1, offset: 1)", ["C", "", "C", ""]),
        ('followers(where: {name: {neq: "Bob"}})', ["C", "D", "AC", ""]),
        ('followers(where: {OR: [{name: {eq: "Bob"}}, {reports: {some: {}}}]})', ["BC", "", "AC", ""]),
        ("followers(where: {followers: {some: {}}}, orderBy: {id: DESC})", ["CB", "", "CA", ""]),
    ],
)
def test_rows(query: Query, field: str, expected: list[str]) -> None:
    assert _names(query, field) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('{follows: {some: {name: {eq: "Ada"}}}}', "BC"),
        ('{follows: {none: {name: {eq: "Ada"}}}}', "AD"),
        ('{follows: {every: {name: {eq: "Ada"}}}}', "B"),
        ("{followers: {none: {}}}", "D"),
        ("{followers: {some: {chief: {id: {eq: 1}}, followers: {none: {}}}}}", ""),
        ("{followers: {every: {followers: {some: {follows: {some: {id: {eq: 1}}}}}}}}", "CD"),
        ('{firstFollower: {name: {eq: "Bob"}}}', "A"),
        ('{firstFollower: {name: {eq: "Cleo"}}}', ""),  # also one of Ada's, but not the first
        ('{projects: {some: {people: {some: {name: {eq: "Ada"}}}}}}', "AB"),
        ("{NOT: {projects: {some: {tenant: {eq: 2}}}}}", "ACD"),
        ("{chief: {reports: {some: {reports: {some: {}}}}}}", "BC"),
    ],
)
def test_filters(query: Query, where: str, expected: str) -> None:
    assert "".join(each["name"][0] for each in query(f"{{ people(where: {where}) {{ name }} }}")["people"]) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("[{followers: {count: DESC}}, {id: ASC}]", "ACBD"),  # 2, 1, 2, 0: Bob follows Ada twice, and counts once
        ("[{firstFollower: {name: DESC_NULLS_LAST}}]", "BACD"),
    ],
)
def test_orders(query: Query, order: str, expected: str) -> None:
    rows = query(f"{{ people(orderBy: {order}) {{ name }} }}")["people"]
    assert "".join(each["name"][0] for each in rows) == expected


def test_at_most_one(query: Query) -> None:
    rows = query("{ people { firstFollower { name chief { name } } } }")["people"]
    assert [row["firstFollower"] and row["firstFollower"]["name"] for row in rows] == ["Bob", "Dan", "Ada", None]


def test_composite_keys(query: Query) -> None:
    rows = query("{ projects(orderBy: [{tenant: ASC}, {name: ASC}]) { name people { name projects { name } } } }")
    found = {
        row["name"]: {each["name"]: sorted(p["name"] for p in each["projects"]) for each in row["people"]}
        for row in rows["projects"]
    }
    assert found == {
        "one": {"Ada": ["one"], "Bob": ["one", "other"]},
        "two": {"Dan": ["two"]},
        "other": {"Bob": ["one", "other"]},
    }

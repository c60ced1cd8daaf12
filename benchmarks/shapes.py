"""The SQL of the pipeline beside statements written by hand that give the same JSON from the same sources.

The data are the sample blog's, grown to 1,000 users, 100,000 posts and 200,000 comments. Each shape is asked for
twice: "document" is the sample's own schema, whose users come from a view that builds a jsonb document of each;
"columns" reads users from the columns of their table. Posts and comments are columns in both.

The statements by hand are in shapes.sql, each written in three ways, with limits as parameters and as literals; the
fastest of a run counts. All are prepared, on one connection with the session's settings of a server, and run in turns.
Times are the CPU of the connection's backend for one execution; a value is the median of a run's turns.

The shape "seven types" has no target: its statements by hand pass on what is there, ours holds every value to its type.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

import fraiseql
from benchmarks.figures import Figure, Setting
from fraiseql.cli.demo import schema as demo
from fraiseql.cli.demo.data import Blog, generate
from fraiseql.cli.demo.database import load
from fraiseql.pipeline import Pipeline
from fraiseql.postgres.conninfo import ConnectionString

__all__ = ["SHAPES", "SOURCES", "Backend", "Shape", "grow", "measure", "statements"]

USERS, POSTS, COMMENTS = 1_000, 100_000, 200_000
TURNS = 11  # of one run
SECONDS = 0.01  # of one statement in one turn
TARGET = 1.1  # times the fastest by hand
OURS = "ours"


@fraiseql.type(sql_source="comments", jsonb_column=None)
class Comment:
    id: fraiseql.ID
    body: str
    likes: int


@fraiseql.type(sql_source="posts", jsonb_column=None)
class Post:
    id: fraiseql.ID
    title: str
    created_at: dt.datetime
    comments: list[Comment] = fraiseql.relation(on={"post_id": "id"})


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: fraiseql.ID
    name: str
    email: str | None
    role: demo.Role
    active: bool
    karma: int
    rating: float | None
    birthday: dt.date | None
    created_at: dt.datetime
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.query
def users() -> list[User]:
    """All users."""


@fraiseql.query
def user(id: fraiseql.ID) -> User | None:
    """One user."""


SOURCES = {
    "document": Pipeline(demo.schema),
    "columns": Pipeline(fraiseql.Schema(types=[User, Post, Comment], queries=[users, user])),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """One query.

    Attributes:
        parameters: of the statements by hand.
        target: the most that ours takes of the fastest of these.
    """

    name: str
    query: str
    parameters: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    target: float | None = TARGET


SHAPES = (
    Shape("list", "{ users(limit: 100) { id name email } }", ("100",)),
    Shape(
        "to-many",
        "{ users(limit: 20) { id name posts(limit: 5, orderBy: [{id: DESC}]) { id title createdAt } } }",
        ("5", "20"),
    ),
    Shape(
        "three levels",
        "{ users(limit: 10) { id name posts(limit: 5) { id title comments(limit: 3) { id body likes } } } }",
        ("3", "5", "10"),
    ),
    Shape("by id", "query ($id: ID!) { user(id: $id) { id name email } }", ("7",), {"id": "7"}),
    Shape(
        "seven types",
        "{ users(limit: 100) { id name role active karma rating birthday createdAt } }",
        ("100",),
        target=None,
    ),
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement of the backend with its parameters."""

    name: bytes
    parameters: list[Any]  # as psycopg types them, bytes and None


class Backend:
    """A connection as a server opens it, and the process behind it.

    Args:
        database_url: of a database on this machine.
    """

    def __init__(self, database_url: str) -> None:
        string = ConnectionString(database_url)
        self._pgconn = pq.PGconn.connect(string.attempts(string.hosts())[0].encode())
        if self._pgconn.status != pq.ConnStatus.OK:
            raise RuntimeError(self._pgconn.get_error_message())
        self._schedstat = f"/proc/{self._pgconn.backend_pid}/schedstat"
        self._numbers = count(1)

    def prepare(self, text: str, parameters: Sequence[str | None]) -> Prepared:
        name = b"shape_%d" % next(self._numbers)
        result = self._pgconn.prepare(name, text.encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise RuntimeError(f"{result.get_error_message()} in {text}")
        return Prepared(name, [None if value is None else value.encode() for value in parameters])

    def run(self, prepared: Prepared) -> bytes | None:
        """The only value of its only row."""
        result = self._pgconn.exec_prepared(prepared.name, prepared.parameters)
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise RuntimeError(result.get_error_message())
        return result.get_value(0, 0)

    def cpu(self) -> int:
        """The nanoseconds that the backend has run; exact while it waits for the next statement."""
        with open(self._schedstat, encoding="ascii") as file:
            return int(file.read().split()[0])

    def close(self) -> None:
        self._pgconn.finish()


def grow(database_url: str, blog: Blog, name: str = "shapes") -> str:
    """Make a database with these rows beside the one whose URL is given; gives its connection string."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    grown = make_conninfo(database_url, dbname=name)
    load(grown, blog)
    with psycopg.connect(grown, autocommit=True) as connection:
        connection.execute("vacuum (analyze) users, posts, comments")
    return grown


def statements(shape: Shape, source: str) -> dict[str, tuple[str, Sequence[str | None]]]:
    """Ours, and those by hand, each with its parameters."""
    explanation = SOURCES[source].explain(shape.query, shape.variables)
    found: dict[str, tuple[str, Sequence[str | None]]] = {OURS: (explanation.sql, explanation.parameters)}
    file = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    for way, text in re.findall(rf"^-- {shape.name}, {source}: (.*)\n([^;]+);$", file, re.MULTILINE):
        found[way] = (text, shape.parameters)
        literals = re.sub(r"limit \$(\d)", lambda match: f"limit {shape.parameters[int(match[1]) - 1]}", text)
        if literals != text:
            found[f"{way}, literals"] = (literals, ())
    return found


def measure(setting: Setting) -> list[Figure]:
    backend = Backend(grow(setting.database_url, generate(users=USERS, posts=POSTS, comments=COMMENTS)))
    try:
        return [
            figure
            for source in SOURCES
            for shape in SHAPES
            for figure in _compare(backend, shape, source, setting.runs)
        ]
    finally:
        backend.close()


def _compare(backend: Backend, shape: Shape, source: str, runs: int) -> list[Figure]:
    prepared = _prepare(backend, shape, source)
    started = perf_counter()
    backend.run(prepared[OURS])
    times = max(1, int(SECONDS / (perf_counter() - started)))
    ours: list[float] = []
    fastest: list[float] = []
    way = ""
    for _ in range(runs):
        turns = [_turn(backend, prepared, times, number) for number in range(TURNS)]
        medians = {name: median([turn[name] for turn in turns]) for name in prepared}
        ours.append(medians.pop(OURS))
        way = min(medians, key=lambda name: medians[name])
        fastest.append(medians[way])
    name = f"{shape.name}, {source}"
    ratios = [our / their for our, their in zip(ours, fastest, strict=True)]
    return [
        Figure(f"{name}: ours", "µs", tuple(ours)),
        Figure(f"{name}: by hand ({way})", "µs", tuple(fastest)),
        Figure(f"{name}: ours", "by hand", tuple(ratios), shape.target),
    ]


def _prepare(backend: Backend, shape: Shape, source: str) -> dict[str, Prepared]:
    """All statements of a shape, which must give equal JSON."""
    prepared = {name: backend.prepare(*each) for name, each in statements(shape, source).items()}
    answers = {name: json.loads(backend.run(each) or b"null") for name, each in prepared.items()}
    for name, answer in answers.items():
        if answer != answers[OURS]:
            raise RuntimeError(f"{shape.name}, {source}: {name} gives other JSON than ours")
    return prepared


def _turn(backend: Backend, prepared: Mapping[str, Prepared], times: int, number: int) -> dict[str, float]:
    """One measurement of each, each turn beginning with another one."""
    names = list(prepared)
    start = number % len(names)
    return {name: _time(backend, prepared[name], times) for name in names[start:] + names[:start]}


def _time(backend: Backend, prepared: Prepared, times: int) -> float:
    """Microseconds of the backend's CPU for one execution."""
    before = backend.cpu()
    for _ in range(times):
        backend.run(prepared)
    return (backend.cpu() - before) / times / 1e3

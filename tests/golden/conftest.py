"""The sample blog in a real PostgreSQL, a pipeline for it, and the oracle over the same rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fraiseql.cli.demo.data import Blog, generate
from fraiseql.cli.demo.database import load
from fraiseql.cli.demo.schema import schema
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Pipeline
from fraiseql.postgres import Connection
from golden.asking import Ask, asking, opened
from golden.oracle import Oracle, blog_rows


@pytest.fixture(scope="module")
def blog() -> Blog:
    """The rows; a module may have fewer."""
    return generate()


@pytest.fixture(scope="module")
def oracle(blog: Blog) -> Oracle:
    return Oracle(schema, blog_rows(blog))


@pytest.fixture(scope="module")
def connection(module_database_url: str, blog: Blog) -> Iterator[Connection]:
    """To a database that holds the rows."""
    load(module_database_url, blog)
    with opened(module_database_url) as connection:
        yield connection


@pytest.fixture(scope="module")
def introspection() -> bool:
    """Whether `__schema` and `__type` are served; a module may have both."""
    return True


@pytest.fixture(scope="module")
def ask(connection: Connection, introspection: bool) -> Ask:
    """Runs one request against the database, blocking; the pipeline is the same for the whole module."""
    limits = QueryLimits(max_cost=10**9)  # random queries have many lists inside each other
    return asking(Pipeline(schema, limits, introspection=introspection), connection)

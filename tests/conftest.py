"""Fixtures that several folders of tests share: the two event loops, and a PostgreSQL with fresh databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from fraiseql.testing.embedded import EmbeddedPostgres, drop_libpq_variables

_numbers = itertools.count(1)

drop_libpq_variables()  # a developer's own server is none of the tests' business


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every asynchronous test runs on both."""
    backend: str = request.param
    return backend


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One server per test process; a test may restart it, but must leave it running.

    It lives far from UTC, so that every answer with a time in it proves that sessions do not.
    """
    with EmbeddedPostgres(settings={"timezone": "Asia/Tokyo"}) as server:
        yield server


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh, empty database for one test."""
    yield from _fresh_database(postgres)


@pytest.fixture(scope="module")
def module_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A fresh database for the tests of one module, which fill it once and only read it afterwards."""
    yield from _fresh_database(postgres)


def _fresh_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
    yield postgres.conninfo_for(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")

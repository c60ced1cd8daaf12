"""A database for the suites, each of which needs one of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from fraiseql.testing.embedded import EmbeddedPostgres

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def new_database(postgres: EmbeddedPostgres) -> Iterator[Callable[[], str]]:
    """Makes an empty database, and gives its URL."""
    names: list[str] = []

    def make() -> str:
        names.append(f"conformance_{next(_numbers)}")
        postgres.execute(f"create database {names[-1]} template template0 strategy file_copy")
        return postgres.conninfo_for(names[-1])

    yield make
    for name in names:
        postgres.execute(f"drop database {name} with (force)")

"""A bank on a fresh database, and what PostgreSQL says of its connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from scenarios.bank import install, schema
from scenarios.watching import Bank


@pytest.fixture
def bank(postgres: EmbeddedPostgres, database_url: str) -> Bank:
    """With three accounts of 100."""
    install(postgres, database_url)
    made = Bank(postgres, database_url)
    made.execute("insert into accounts (owner, balance) values ('ann', 100), ('bob', 100), ('cem', 100)")
    return made


@pytest.fixture
def serve(bank: Bank) -> Callable[..., FraiseQLApp]:
    """Makes a server of it, with settings."""

    def serve(**settings: Any) -> FraiseQLApp:
        return FraiseQLApp(schema, bank.url, FraiseQLConfig(port=0, **settings), observe=bank.seen.append)

    return serve


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop: that all do the same for a client is held by tests/testing/runtime_conformance."""
    return "asyncio"

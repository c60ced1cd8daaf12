"""One server for most tests on threads, and others for those that need settings of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fraiseql import Caller, ClientRequest, EventBus
from fraiseql.observations import Observation
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.threads import ThreadedApp
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.threads.plainly import DDL, SCHEMA, Client, Make, connected, until


def allowed(request: ClientRequest) -> Caller | None:
    return None if request.header("x-stranger") else Caller("somebody")


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres, module_database_url: str) -> str:
    for sql in DDL:
        postgres.execute(sql, module_database_url.rpartition("=")[2])
    return module_database_url


@pytest.fixture(scope="module")
def make(url: str) -> Make:
    def make(seen: list[Observation] | None = None, *, clock: Any = None, **settings: Any) -> ThreadedApp:
        config = FraiseQLConfig(port=0, **settings)
        observe = [].append if seen is None else seen.append
        return ThreadedApp(SCHEMA, url, config, bus=EventBus.memory(), context=allowed, observe=observe, clock=clock)

    return make


@pytest.fixture(scope="module")
def seen() -> list[Observation]:
    """What the shared server has told."""
    return []


@pytest.fixture(scope="module")
def app(make: Make, seen: list[Observation]) -> Iterator[ThreadedApp]:
    with make(seen, pool_max_size=4) as app:
        yield app
        assert app.database.pool.granted == 0


@pytest.fixture
def client(app: ThreadedApp) -> Iterator[Client]:
    with connected(app) as client:
        yield client


@pytest.fixture
def sleepers(postgres: EmbeddedPostgres) -> Callable[[int], None]:
    """Wait until so many statements sleep in the database."""

    def wait(number: int) -> None:
        sql = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        until(lambda: len(postgres.execute(sql)) == number)

    return wait

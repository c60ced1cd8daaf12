"""Random mutations of many clients while backends are killed: what clients are told is what the tables hold.

    CHAOS_SECONDS=600 CHAOS_SEED=7 pytest tests/scenarios/test_no_lost_writes.py -n 0

runs for longer, and with the choices of a seed that a failure has printed; `make soak` does so. Clients and the killer
choose by the seed; how the machine interleaves them is its own affair.

The embedded PostgreSQL has fsync off. A killed process takes nothing with it that it has written, so what was committed
is there after a recovery all the same: only a machine that loses its power would show the difference.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import anyio
import psycopg
import pytest

from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from scenarios.bank import install, schema
from scenarios.chaos import ACCOUNTS, Killer, Server, Writer
from scenarios.clients import PATIENCE, connected
from scenarios.history import Told, violations

pytestmark = pytest.mark.anyio

SECONDS = float(os.environ.get("CHAOS_SECONDS", "5"))
SEED = os.environ.get("CHAOS_SEED")
CLIENTS = 12
BALANCE = 200

# What the servers differ in. Each has fewer connections than clients, so that some wait for one.
SERVERS: list[dict[str, Any]] = [
    {},
    {"mutation_isolation": "serializable", "mutation_max_attempts": 10},
    {"mutation_transaction": "field"},
]


async def test_no_acknowledged_write_is_lost_and_none_is_applied_twice(
    postgres: EmbeddedPostgres, database_url: str
) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**9))
    sys.stderr.write(f"CHAOS_SEED={seed}\n")
    name = database_url.rpartition("=")[2]
    install(postgres, database_url)
    postgres.execute(
        f"insert into accounts (owner, balance) select 'owner ' || i, {BALANCE} from generate_series(1, {ACCOUNTS}) i",
        name,
    )
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(make_app(database_url, **settings)) for settings in SERVERS]
        servers = [
            Server(app.port, "mutation_isolation" in settings, "mutation_transaction" not in settings)
            for app, settings in zip(apps, SERVERS, strict=True)
        ]
        writers = [Writer(f"w{number}", servers, seed) for number in range(CLIENTS)]
        killer = Killer(postgres, name, seed)
        await storm(writers, killer)
        await until_calm(apps, postgres, name)
    attempts = [attempt for writer in writers for attempt in writer.attempts]
    assert violations(attempts, ledger(postgres, name)) == [], f"CHAOS_SEED={seed}"
    check_sums(postgres, name)
    check_coverage(writers, killer)


def make_app(url: str, **settings: Any) -> FraiseQLApp:
    config = FraiseQLConfig(port=0, pool_max_size=4, pool_backoff_initial=0.02, pool_backoff_max=0.1, **settings)
    return FraiseQLApp(schema, url, config, observe=lambda seen: None)


async def storm(writers: list[Writer], killer: Killer) -> None:
    """Let them do their worst for a while; then let the writers bring to an end what they have begun."""
    async with anyio.create_task_group() as group:
        group.start_soon(killer.run)
        async with anyio.create_task_group() as writing:
            for writer in writers:
                writing.start_soon(writer.run)
            await anyio.sleep(SECONDS)
            killer.is_over = True
            for writer in writers:
                writer.is_over = True
            writing.cancel_scope.deadline = anyio.current_time() + PATIENCE
        last = [writer.attempts[-1] for writer in writers if writer.is_busy]
        assert not writing.cancel_scope.cancelled_caught, f"clients hang: {last}"


async def until_calm(apps: list[FraiseQLApp], postgres: EmbeddedPostgres, name: str) -> None:
    """Nobody holds a connection any more, none is inside of a transaction, and each server answers."""
    with anyio.fail_after(PATIENCE):
        while any(app.active_connections or app.database.pool.granted for app in apps) or states(postgres, name):
            await anyio.sleep(0.01)
        for app in apps:
            async with connected(app.port) as client:
                answer = await client.ask("{ accounts { balance } }")
                assert sum(account["balance"] for account in answer.data["accounts"]) == ACCOUNTS * BALANCE


def states(postgres: EmbeddedPostgres, name: str) -> list[Any]:
    """Of the connections that are not idle."""
    try:
        return postgres.execute(
            f"select pid, state, query from pg_stat_activity where datname = '{name}' and state <> 'idle'"
        )
    except psycopg.OperationalError as error:  # it still recovers
        return [error]


def ledger(postgres: EmbeddedPostgres, name: str) -> Counter[str]:
    return Counter(dict(postgres.execute("select token, count(*) from ledger group by token", name)))


def check_sums(postgres: EmbeddedPostgres, name: str) -> None:
    """Money is neither made nor lost, and counters have counted what is in the ledger."""
    assert postgres.execute("select sum(balance), min(balance) >= 0 from accounts", name) == [
        (ACCOUNTS * BALANCE, True)
    ]
    ((counted,),) = postgres.execute("select coalesce(sum(value), 0) from counters", name)
    assert postgres.execute("select count(*) from ledger where amount = 0 and account is null", name) == [(counted,)]


def check_coverage(writers: list[Writer], killer: Killer) -> None:
    """The storm was one: or it proves nothing."""
    told = Counter(told for writer in writers for attempt in writer.attempts for told in attempt.told)
    sys.stderr.write(f"{told}, {killer.killed} killed, {killer.ended} ended\n")
    assert killer.killed
    assert killer.ended
    assert told[Told.DONE] > 100
    assert told[Told.FAILED] > 10
    statuses = Counter(answer.status for writer in writers for answer in writer.answers)
    assert statuses.keys() <= {200, 503}, statuses

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
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import anyio
import anyio.to_thread
import pytest

from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from scenarios.bank import install, schema
from scenarios.chaos import ACCOUNTS, Killer, Server, Writer
from scenarios.clients import PATIENCE, connected
from scenarios.history import Told, violations
from scenarios.watching import Bank

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops, other than most scenarios."""
    backend: str = request.param
    return backend


SECONDS = float(os.environ.get("CHAOS_SECONDS", "5"))
SEED = os.environ.get("CHAOS_SEED")
CLIENTS = 12
BALANCE = 200

# What the servers differ in. Each has fewer connections than clients, so that some wait for one.
SERVERS: list[dict[str, Any]] = [
    {},
    {"mutation_isolation": "serializable", "mutation_max_attempts": 10},
    {"mutation_transaction": "field"},
    {"query_request_timeout": 0.3, "pool_max_prepared": 0},
]


@pytest.fixture
def bank(postgres: EmbeddedPostgres, database_url: str) -> Iterator[Bank]:
    """Some commits stall, so that a backend can be killed between what it has done and what it says."""
    install(postgres, database_url)
    bank = Bank(postgres, database_url)
    bank.execute(
        f"insert into accounts (owner, balance) select 'owner ' || i, {BALANCE} from generate_series(1, {ACCOUNTS}) i"
    )
    with bank.stalling():
        yield bank


async def test_no_acknowledged_write_is_lost_and_none_is_applied_twice(bank: Bank) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**9))
    sys.stderr.write(f"CHAOS_SEED={seed}\n")
    async with AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(make_app(bank.url, **settings)) for settings in SERVERS]
        servers = [
            Server(app.port, "mutation_isolation" in settings, "mutation_transaction" not in settings)
            for app, settings in zip(apps, SERVERS, strict=True)
        ]
        writers = [Writer(f"w{number}", servers, seed) for number in range(CLIENTS)]
        killer = Killer(bank, seed)
        await storm(writers, killer)
        await until_calm(apps, bank)
    attempts = [attempt for writer in writers for attempt in writer.attempts]
    found = bank.execute("select token, count(*) from ledger group by token")
    wrong = violations(attempts, dict(found))
    assert wrong == [], f"CHAOS_SEED={seed}\n" + "\n".join(wrong)
    check_sums(bank)
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
            with anyio.fail_after(PATIENCE):
                while not (killer.killed and killer.ended):
                    await anyio.sleep(0.05)
            killer.is_over = True
            for writer in writers:
                writer.is_over = True
            await anyio.to_thread.run_sync(killer.bank.release)
            writing.cancel_scope.deadline = anyio.current_time() + PATIENCE
        last = [writer.attempts[-1] for writer in writers if writer.is_busy]
        assert not writing.cancel_scope.cancelled_caught, f"clients hang: {last}"


async def until_calm(apps: list[FraiseQLApp], bank: Bank) -> None:
    """Nobody holds a connection any more, none is inside of a transaction, and each server answers."""
    with anyio.fail_after(PATIENCE):
        while any(app.active_connections or app.database.pool.granted for app in apps) or set(bank.states()) - {"idle"}:
            await anyio.sleep(0.01)
        for app in apps:
            async with connected(app.port) as client:
                answer = await client.ask("{ accounts { balance } }")
                assert sum(account["balance"] for account in answer.data["accounts"]) == ACCOUNTS * BALANCE


def check_sums(bank: Bank) -> None:
    """Money is neither made nor lost, and counters have counted what is in the ledger."""
    assert bank.execute("select sum(balance), min(balance) >= 0 from accounts") == [(ACCOUNTS * BALANCE, True)]
    ((counted,),) = bank.execute("select coalesce(sum(value), 0) from counters")
    assert bank.execute("select count(*) from ledger where amount = 0 and account is null") == [(counted,)]


def check_coverage(writers: list[Writer], killer: Killer) -> None:
    """The storm was one: or it proves nothing."""
    told = Counter(told for writer in writers for attempt in writer.attempts for told in attempt.told)
    answers = [answer for writer in writers for answer in writer.answers]
    unknown = sum("OUTCOME_UNKNOWN" in answer.codes.values() for answer in answers)
    ends = f"{killer.killed} killed, {killer.ended} ended, {killer.stalled} of them stalled"
    sys.stderr.write(f"{told}, {unknown} answers unknown, {ends}\n")
    assert told[Told.DONE] > 30
    assert told[Told.FAILED]
    assert {answer.status for answer in answers} <= {200, 503, 504}

"""What a statement costs with settings before it, and inside of a transaction: one after the other, on one connection.

A statement writes or reads one row by its key. "Client" is the CPU of this process, "server" that of the connection's
backend, for all that the line names; a transaction includes what proves its connection clean.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import psycopg

from benchmarks.figures import Figure, Setting
from benchmarks.server import RUNTIMES
from fraiseql.effects import Execute, Fetch, Settings, Statement
from fraiseql.runtimes.anyio.database import Database

__all__ = ["measure"]

TIMES = 2_000
TOLD: Settings = ((b"app.tenant_id", b"acme"), (b"app.user_id", b"ada"))
READ = Statement(b"SELECT json_build_object('id', id, 'name', name)::text FROM bench_row WHERE id = $1::int", 1)
WRITE = Statement(b"UPDATE bench_row SET name = $2::text WHERE id = $1::int RETURNING id", 1)


async def _plain(database: Database) -> None:
    await database.perform(Fetch(READ, (b"1",)))


async def _told(database: Database) -> None:
    await database.perform(Fetch(READ, (b"1",), settings=TOLD))


async def _transaction(database: Database) -> None:
    transaction = await database.begin()
    await database.perform(Fetch(WRITE, (b"1", b"somebody"), settings=TOLD, transaction=transaction))
    await database.perform(Fetch(READ, (b"1",), settings=TOLD, transaction=transaction))
    await transaction.commit(TOLD)


async def _execute(database: Database) -> None:
    await database.execute(Execute("SELECT id, name FROM bench_row WHERE id = $1", (1,)))


WORK: dict[str, Callable[[Database], Awaitable[None]]] = {
    "fetch": _plain,
    "fetch with two settings": _told,
    "transaction of a write and a read": _transaction,
    "a user's statement": _execute,
}


def measure(setting: Setting) -> list[Figure]:
    with psycopg.connect(setting.database_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bench_row")
        connection.execute("CREATE TABLE bench_row AS SELECT 1 AS id, 'somebody' AS name")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(setting.runs):
        for runtime in RUNTIMES:
            for name, costs in anyio.run(_run, setting.database_url, backend=runtime).items():
                found.setdefault((name, runtime), []).append(costs)
    return [
        Figure(f"{name}: {side}, {runtime}", "µs", tuple(costs[index] for costs in values))
        for (name, runtime), values in found.items()
        for index, side in enumerate(("client", "server"))
    ]


async def _run(database_url: str) -> dict[str, tuple[float, float]]:
    """Microseconds of CPU, the client's and the server's."""
    database = Database(database_url)
    await database.start()
    try:
        return {name: await _time(database, work) for name, work in WORK.items()}
    finally:
        await database.aclose()


async def _time(database: Database, work: Callable[[Database], Awaitable[None]]) -> tuple[float, float]:
    for _ in range(TIMES // 10):
        await work(database)
    (pid,) = await database.fetch(Statement(b"SELECT pg_backend_pid()::text", 1), ())
    served, began = _cpu(int(pid or b"")), time.process_time()
    for _ in range(TIMES):
        await work(database)
    client, served = time.process_time() - began, _cpu(int(pid or b"")) - served
    return client / TIMES * 1e6, served / TIMES / 1e3


def _cpu(pid: int) -> int:
    """The nanoseconds that a process has run."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])

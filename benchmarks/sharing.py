"""What shared round trips save: requests per second, and CPU of ours and of PostgreSQL, at several depths."""

from __future__ import annotations

import time
from pathlib import Path

import anyio

from benchmarks.figures import Figure, Setting
from benchmarks.server import RUNTIMES
from fraiseql.effects import Fetch, Row, Statement
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.anyio.database import Database

__all__ = ["measure"]

_SMALL = Statement(b"SELECT json_build_object('id', $1::int, 'text', repeat('x', 150))::text", 1)
_CLIENTS = 32
STATEMENTS = 16_000
DEPTHS = (1, 4, 16)


def measure(setting: Setting) -> list[Figure]:
    figures: list[Figure] = []
    for runtime in RUNTIMES:
        found: dict[int, list[tuple[float, float, float]]] = {depth: [] for depth in DEPTHS}
        for _ in range(setting.runs):
            for depth in DEPTHS:  # in turns, so that a busy moment hits all
                found[depth].append(anyio.run(_measured, setting.database_url, depth, backend=runtime))
        for depth in DEPTHS:
            name = f"statement of {_CLIENTS} clients, {depth} to a round trip, {runtime}"
            ours, theirs, rate = zip(*found[depth], strict=True)
            figures.append(Figure(f"{name}, client", "µs of CPU", ours))
            figures.append(Figure(f"{name}, server", "µs of CPU", theirs))
            figures.append(Figure(name, "per second", rate))
    return figures


async def _measured(conninfo: str, depth: int) -> tuple[float, float, float]:
    """CPU in µs of ours and of PostgreSQL's backends for each statement, and statements per second."""
    database = Database(conninfo, PoolLimits(pipeline_depth=depth))
    await database.start()
    try:
        await _all(database, STATEMENTS // 10)
        pids = [connection.backend_pid for connection in database.connections]
        began, ours, theirs = time.perf_counter(), time.process_time(), _seconds_of(pids)
        await _all(database, STATEMENTS)
        seconds = time.perf_counter() - began
        ours, theirs = time.process_time() - ours, _seconds_of(pids) - theirs
    finally:
        await database.aclose()
    return ours / STATEMENTS * 1e6, theirs / STATEMENTS * 1e6, STATEMENTS / seconds


async def _all(database: Database, statements: int) -> None:
    """Keep so many statements under way, without tasks, as clients do."""
    left, running = statements, 0
    over = anyio.Event()
    failure: Exception | None = None

    def ask() -> None:
        nonlocal left, running
        left, running = left - 1, running + 1
        database.submit(Fetch(_SMALL, (b"7",), read_only=True), told)

    def told(row: Row | None, error: Exception | None) -> None:
        nonlocal running, failure
        running, failure = running - 1, failure or error
        if left > 0:
            ask()
        elif not running:
            over.set()

    for _ in range(min(_CLIENTS, statements)):
        ask()
    await over.wait()
    if failure is not None:
        raise failure


def _seconds_of(pids: list[int]) -> float:
    """CPU time of processes, as Linux tells it."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9

"""The one PostgreSQL of all contenders: its settings, its rows, and the fastest statements by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from benchmarks.peers.queries import QUERIES
from benchmarks.shapes import Backend, Prepared
from fraiseql.testing.embedded import EmbeddedPostgres

__all__ = ["SETTINGS", "fastest_statements", "fill", "read_statements", "url", "variables"]

FOLDER = Path(__file__).parent

# All rows fit into memory, so that the figures are those of the CPU; nothing runs beside the queries.
SETTINGS = {
    "autovacuum": "off",
    "effective_cache_size": "2GB",
    "jit": "off",  # plans of a millisecond are not worth it
    "max_connections": "200",
    "max_parallel_workers_per_gather": "0",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "shared_buffers": "512MB",
    "work_mem": "16MB",
}
TURNS, SECONDS = 9, 0.05  # of choosing a statement: turns of all of them, seconds of one of them in a turn


def fill(postgres: EmbeddedPostgres) -> None:
    """Make the tables and their rows, and read all of them once."""
    postgres.execute(FOLDER.joinpath("schema.sql").read_text(encoding="utf-8"))
    postgres.execute("vacuum (analyze, freeze)")


def variables(conninfo: str) -> dict[str, str]:
    """libpq's variables for a connection string, which clients of other languages read too."""
    parts = conninfo_to_dict(conninfo)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
    return {names[name]: str(value) for name, value in parts.items() if name in names}


def url(conninfo: str) -> str:
    """A connection string with a socket's folder as a URL."""
    parts = conninfo_to_dict(conninfo)
    return f"postgresql://{parts['user']}@/{parts['dbname']}?host={quote(str(parts['host']))}&port={parts['port']}"


def read_statements() -> dict[str, dict[str, str]]:
    """The statements by hand: query -> way -> SQL."""
    text = FOLDER.joinpath("statements.sql").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = {}
    for query, way, statement in re.findall(r"^-- (\w+): (\w+)\n([^;]+);$", text, re.MULTILINE):
        found.setdefault(query, {})[way] = statement
    return found


def fastest_statements(conninfo: str) -> dict[str, tuple[str, str]]:
    """Which of the statements by hand costs the backend least: query -> its way and its SQL.

    Raises:
        RuntimeError: two of one query's statements give different answers.
    """
    backend = Backend(conninfo)
    try:
        return {query: _fastest(backend, query, ways) for query, ways in read_statements().items()}
    finally:
        backend.close()


def _fastest(backend: Backend, query: str, ways: dict[str, str]) -> tuple[str, str]:
    parameters = QUERIES[query].parameters
    prepared = {way: backend.prepare(statement, parameters) for way, statement in ways.items()}
    answers = {way: json.loads(backend.run(each) or b"null") for way, each in prepared.items()}
    if any(answer != next(iter(answers.values())) for answer in answers.values()):
        raise RuntimeError(f"the statements by hand for {query} give different answers")
    costs: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(TURNS):
        for way, each in prepared.items():
            costs[way].append(_cost(backend, each))
    way = min(costs, key=lambda way: median(costs[way]))
    return way, ways[way]


def _cost(backend: Backend, prepared: Prepared) -> float:
    """Nanoseconds of the backend's CPU for one execution."""
    before, end, times = backend.cpu(), perf_counter() + SECONDS, 0
    while perf_counter() < end:
        for _ in range(20):
            backend.run(prepared)
        times += 20
    return (backend.cpu() - before) / times

"""What is in the bank, and what PostgreSQL and the pool say of its connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import psycopg

from fraiseql.observations import Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.testing.embedded import EmbeddedPostgres
from scenarios.clients import PATIENCE, connected

__all__ = ["Bank"]


@dataclass(slots=True)
class Bank:
    """Attributes: the server, the database, and what was observed."""

    postgres: EmbeddedPostgres
    url: str
    seen: list[Observation] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the database."""
        return self.url.rpartition("=")[2]

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run SQL beside the server, once PostgreSQL lets anybody in: not so while it recovers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.postgres.execute(sql, self.name)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @property
    def tokens(self) -> list[str]:
        """In the ledger, in order."""
        return [token for (token,) in self.execute("select token from ledger order by id")]

    @property
    def balances(self) -> dict[str, int]:
        return dict(self.execute("select owner, balance from accounts order by id"))

    def states(self) -> list[str]:
        """Of the server's connections: idle, active, idle in transaction."""
        sql = "select state from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        return sorted(state for (state,) in self.execute(sql))

    async def until_left(self) -> None:
        """Wait until the server has no connection any more: PostgreSQL takes a moment to see that one was closed."""
        with anyio.fail_after(PATIENCE):
            while self.states():
                await anyio.sleep(0.005)

    async def until(self, sql: str) -> int:
        """Wait until a query gives a row; gives its first value."""
        with anyio.fail_after(PATIENCE):
            while not (rows := self.execute(sql)):
                await anyio.sleep(0.005)
        value: int = rows[0][0]
        return value

    async def until_lingering(self) -> int:
        """Wait until somebody sleeps in the database; gives the process."""
        return await self.until(
            "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
        )

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Let commits wait for a standby, where `synchronous_commit` is `on`: by default it is `local` meanwhile.

        Such a commit is done, and its client is not told so before its backend dies, or this ends.
        """
        stalling = {"synchronous_commit": "local", "synchronous_standby_names": "nobody"}
        for name, value in stalling.items():
            self.execute(f"alter system set {name} = '{value}'")
            self._reload(name, value)
        try:
            yield
        finally:
            self.release()
            self.execute("alter system reset synchronous_commit")
            self._reload("synchronous_commit", "on")

    def release(self) -> None:
        """Let no commit wait any more."""
        self.execute("alter system reset synchronous_standby_names")
        self._reload("synchronous_standby_names", "")

    def _reload(self, name: str, value: str) -> None:
        self.execute("select pg_reload_conf()")
        while self.execute(f"show {name}") != [(value,)]:  # each is a new session
            pass

    async def until_stalled(self) -> int:
        """Wait until a commit is stalled; gives the process."""
        sql = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'SyncRep'"
        return await self.until(sql)

    async def until_clean(self, app: FraiseQLApp) -> None:
        """Wait until no connection is lent or at work, and find none inside of a transaction; and use them."""
        with anyio.fail_after(PATIENCE):
            while app.database.pool.granted or set(self.states()) - {"idle"}:
                await anyio.sleep(0.005)
        assert app.database.pool.waiting == 0
        async with connected(app.port) as client:
            assert "accounts" in (await client.ask("{ accounts { id } }")).data
            before = self.tokens
            assert (await client.ask('mutation { count(name: "probe", token: "probe") }')).data["count"]
            assert self.tokens == [*before, "probe"]
        self.execute("delete from ledger where token = 'probe'")

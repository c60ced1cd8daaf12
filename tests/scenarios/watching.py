"""What is in the bank, and what PostgreSQL and the pool say of its connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anyio

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

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self.postgres.execute(sql, self.url.rpartition("=")[2])

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

"""Makes one connection to the database: resolves its names, then tries one address after the other."""

from __future__ import annotations

import ipaddress
import random
import socket

import anyio

from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.postgres import Connection, connect
from fraiseql.postgres.conninfo import ConnectionString
from fraiseql.runtimes.anyio.waits import drive, within
from fraiseql.runtimes.loop import Clock

__all__ = ["Connector"]


class Connector:
    """Knows where the database is.

    Args:
        conninfo: a libpq connection string or URI; its `connect_timeout` goes before that of the limits.
        limits: see PoolLimits.

    Raises:
        ConfigurationError: libpq cannot read the connection string.
    """

    def __init__(self, conninfo: str, limits: PoolLimits) -> None:
        self._target = ConnectionString(conninfo)
        self._target.hosts()  # raises for what does not fit together
        self._timeout = self._target.connect_timeout or limits.connect_timeout
        self._max_prepared = limits.max_prepared

    @property
    def description(self) -> str:
        """Where the database is, without the password."""
        return self._target.description

    async def connect(self, clock: Clock | None = None) -> Connection:
        """Make a connection; a refusal that no other attempt can change ends the search.

        Args:
            clock: by which each attempt has its time; the event loop's by default.

        Raises:
            DatabaseError: what the last attempt met.
        """
        failure = DatabaseError("no address to connect to", sqlstate="08001")
        for conninfo in await self._attempts(clock):
            try:
                with within(clock, self._timeout):
                    return await drive(connect(conninfo, max_prepared=self._max_prepared))
                failure = self._too_slow("no answer")
            except DatabaseError as error:
                failure = error
                if not error.retryable:
                    break
        raise failure

    async def _attempts(self, clock: Clock | None) -> list[str]:
        """The connection strings to try, all names resolved: libpq itself would block while it looks one up."""
        found: list[dict[str, str]] = []
        problem: DatabaseError | None = None
        for host in self._target.hosts():
            if host["hostaddr"] or not host["host"] or host["host"].startswith(("/", "@")):
                found.append(host)
                continue
            try:
                found += [{**host, "hostaddr": address} for address in await self._resolve(host["host"], clock)]
            except DatabaseError as error:
                problem = error
        if problem is not None and not found:
            raise problem
        if self._target.shuffled:
            random.shuffle(found)
        return self._target.attempts(found)

    async def _resolve(self, name: str, clock: Clock | None) -> list[str]:
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            pass
        try:
            with within(clock, self._timeout):
                answers = await anyio.getaddrinfo(name, None, type=socket.SOCK_STREAM)
                return list(dict.fromkeys(str(answer[4][0]) for answer in answers))
            raise self._too_slow("the name was not resolved")
        except (OSError, UnicodeError) as error:
            text = f"{self.description}: the name {name} cannot be resolved: {error}"
            raise DatabaseError(text, sqlstate="08001", retryable=True) from None

    def _too_slow(self, what: str) -> DatabaseError:
        text = f"{self.description}: {what} within {self._timeout:g} s"
        return DatabaseError(text, sqlstate="08001", retryable=True)

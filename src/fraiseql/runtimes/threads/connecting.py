"""Makes one connection to the database, in a thread: resolves its names, then tries one address after the other."""

from __future__ import annotations

import ipaddress
import queue
import random
import socket
from threading import Thread
from typing import Any

from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.postgres import Connection, connect
from fraiseql.postgres.conninfo import ConnectionString
from fraiseql.runtimes.loop import Clock
from fraiseql.runtimes.threads.waiting import Patience, TookTooLong, drive

__all__ = ["Connector"]


class Connector:
    """Knows where the database is.

    Args:
        conninfo: a libpq connection string or URI; its `connect_timeout` goes before that of the limits.
        limits: see PoolLimits.
        clock: see Poller.

    Raises:
        ConfigurationError: libpq cannot read the connection string.
    """

    def __init__(self, conninfo: str, limits: PoolLimits, clock: Clock | None = None) -> None:
        self._target = ConnectionString(conninfo)
        self._target.hosts()  # raises for what does not fit together
        self._timeout = self._target.connect_timeout or limits.connect_timeout
        self._max_prepared = limits.max_prepared
        self._clock = clock

    @property
    def description(self) -> str:
        """Where the database is, without the password."""
        return self._target.description

    def connect(self) -> Connection:
        """Make a connection; a refusal that no other attempt can change ends the search.

        Raises:
            DatabaseError: what the last attempt met.
        """
        failure = DatabaseError("no address to connect to", sqlstate="08001")
        with Patience(self._clock) as waiter:
            for conninfo in self._attempts():
                try:
                    conversation = connect(conninfo, max_prepared=self._max_prepared)
                    return drive(conversation, waiter, waiter.now() + self._timeout)
                except TookTooLong:
                    failure = self._too_slow("no answer")
                except DatabaseError as error:
                    failure = error
                    if not error.retryable:
                        break
        raise failure

    def _attempts(self) -> list[str]:
        """The connection strings to try, all names resolved: libpq itself would block while it looks one up."""
        found: list[dict[str, str]] = []
        problem: DatabaseError | None = None
        for host in self._target.hosts():
            if host["hostaddr"] or not host["host"] or host["host"].startswith(("/", "@")):
                found.append(host)
                continue
            try:
                found += [{**host, "hostaddr": address} for address in self._resolve(host["host"])]
            except DatabaseError as error:
                problem = error
        if problem is not None and not found:
            raise problem
        if self._target.shuffled:
            random.shuffle(found)
        return self._target.attempts(found)

    def _resolve(self, name: str) -> list[str]:
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            pass
        answer: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()
        # A look-up cannot be cut short: it has a thread of its own, which is left to its end.
        Thread(target=_look_up, args=(name, answer), name="fraiseql name", daemon=True).start()
        try:
            found = answer.get(timeout=self._timeout)
        except queue.Empty:
            raise self._too_slow("the name was not resolved") from None
        if isinstance(found, Exception):
            text = f"{self.description}: the name {name} cannot be resolved: {found}"
            raise DatabaseError(text, sqlstate="08001", retryable=True)
        return list(dict.fromkeys(str(each[4][0]) for each in found))

    def _too_slow(self, what: str) -> DatabaseError:
        text = f"{self.description}: {what} within {self._timeout:g} s"
        return DatabaseError(text, sqlstate="08001", retryable=True)


def _look_up(name: str, answer: queue.SimpleQueue[list[Any] | Exception]) -> None:
    try:
        answer.put(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
    except Exception as error:
        answer.put(error)

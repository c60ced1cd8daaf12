"""ThreadedApp, as the suite starts it."""

from __future__ import annotations

import threading

from fraiseql.runtimes.threads import ThreadedApp
from fraiseql.testing.runtime_conformance.scenario import SUBSCRIPTIONS, Setup

__all__ = ["ThreadsRuntime"]


class ThreadsRuntime:
    """ThreadedApp, a thread for each client."""

    provides = frozenset({SUBSCRIPTIONS})

    def start(self, setup: Setup) -> ThreadsServer:
        """Start an app whose threads go by the clock of the scenario."""
        return ThreadsServer(setup)


class ThreadsServer:
    """An app and, once it is drained, the thread that waits for that."""

    def __init__(self, setup: Setup) -> None:
        self._app = ThreadedApp(setup.schema, config=setup.config, clock=setup.clock, observe=setup.observe)
        self._app.start()
        self._stopping: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._app.addresses[0]

    @property
    def active_connections(self) -> int:
        """How many clients are connected."""
        return self._app.active_connections

    @property
    def lent_connections(self) -> int:
        """How many connections to the database are in the hands of operations."""
        return self._app.database.pool.granted

    @property
    def listening_streams(self) -> int:
        """How many streams of subscriptions wait for events or values."""
        return self._app.streams.listening

    @property
    def has_stopped(self) -> bool:
        """Whether `drain` has come to its end."""
        return self._stopping is not None and not self._stopping.is_alive()

    def drain(self) -> None:
        """Begin to stop."""
        self._stopping = threading.Thread(target=self._app.shutdown, daemon=True)
        self._stopping.start()

    def stop(self) -> None:
        """End at once."""
        self._app.shutdown(grace=0)

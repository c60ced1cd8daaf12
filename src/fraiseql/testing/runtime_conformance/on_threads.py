"""ThreadedApp, as the suite starts it."""

from __future__ import annotations

import threading

from fraiseql.runtimes.threads import ThreadedApp
from fraiseql.testing.runtime_conformance.app_server import AppServer
from fraiseql.testing.runtime_conformance.scenario import SUBSCRIPTIONS, Setup

__all__ = ["ThreadsRuntime"]


class ThreadsRuntime:
    """ThreadedApp, a thread for each client."""

    provides = frozenset({SUBSCRIPTIONS})

    def start(self, setup: Setup) -> ThreadsServer:
        """Start an app whose threads go by the clock of the scenario."""
        return ThreadsServer(setup)


class ThreadsServer(AppServer):
    """An app and, once it is drained, the thread that waits for that."""

    _app: ThreadedApp

    def __init__(self, setup: Setup) -> None:
        self._app = ThreadedApp(setup.schema, config=setup.config, clock=setup.clock, observe=setup.observe)
        self._app.start()
        self._stopping: threading.Thread | None = None

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

"""`fraiseql.serve_threads`: an application on threads that runs until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType
from typing import Any

from fraiseql.bus import EventBus
from fraiseql.context import ClientRequest
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.logs import configure_logging, logger
from fraiseql.runtimes.threads.app import ThreadedApp
from fraiseql.schema import Schema

__all__ = ["serve_threads"]


def serve_threads(
    schema: Schema,
    *,
    config: FraiseQLConfig | None = None,
    bus: EventBus | None = None,
    context: Callable[[ClientRequest], Any] | str | None = None,
    started: Callable[[ThreadedApp], None] | None = None,
    listeners: Listeners | None = None,
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
    **settings: Any,
) -> None:
    """Serve a schema with a thread for each client, until SIGINT or SIGTERM; blocks.

    The first signal lets running requests finish, the second stops at once, as does one that comes before anybody is
    served. Signals reach the main thread only: a program that serves in another one makes a ThreadedApp, which it can
    stop.

    Args:
        schema: what to serve; its functions must not be asynchronous.
        config: the settings; by default those of the environment.
        bus: what carries events to subscriptions; see ThreadedApp.
        context: says who asks, and who is let in; see ThreadedApp. Or the setting: its name, `module:function`.
        started: called with the running app once requests are answered.
        listeners: see ThreadedApp.
        signals: that end it.
        settings: single settings by name, which go before the environment.

    Raises:
        ConfigurationError: a setting is unknown, wrong or missing, or functions are asynchronous.
        StartupError: the port cannot be used, or the database cannot be reached.
    """
    if isinstance(context, str):
        context, settings = None, {**settings, "context": context}
    config = FraiseQLConfig.of(config, **settings)
    configure_logging(config.log_level)
    app = ThreadedApp(schema, config=config, bus=bus, context=context, listeners=listeners)
    with suppress(_Signalled), _signals(signals) as stop:
        try:
            app.start()
            stop.has_started()
            logger.info("serving %s", app.url)
            if started is not None:
                started(app)
            stop.wait()
            logger.info("stopping once running requests are finished; a second signal stops at once")
            stopping = threading.Thread(target=_shut_down, args=(app, stop), name="fraiseql stop", daemon=True)
            stopping.start()
            stop.wait()
        finally:
            app.shutdown(grace=0)


class _Signalled(BaseException):
    """Ends a start that nobody waits for any more."""


class _Stop:
    """Told of the signals that ask to stop."""

    def __init__(self) -> None:
        self._told: SimpleQueue[None] = SimpleQueue()  # what a handler may put something into, whatever it interrupts
        self._starting = True

    def has_started(self) -> None:
        """From now on somebody waits for what is told."""
        self._starting = False

    def tell(self) -> None:
        """There is something to wait for no longer."""
        self._told.put(None)

    def wait(self) -> None:
        """Wait until something is told."""
        self._told.get()

    def signalled(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: in the main thread, which a start holds up for as long as it waits for the database."""
        if self._starting:
            self._starting = False
            self.tell()  # what it interrupts may ignore what is raised: a weakref's callback does, of an import say
            raise _Signalled
        self.tell()


def _shut_down(app: ThreadedApp, stop: _Stop) -> None:
    try:
        app.shutdown()
    finally:
        stop.tell()


@contextmanager
def _signals(signals: Sequence[signal.Signals]) -> Iterator[_Stop]:
    """Told of the signals that ask to stop; only the main thread gets any."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before: dict[signal.Signals, Any] = {}
    try:
        for number in signals:
            before[number] = signal.getsignal(number)
            signal.signal(number, stop.signalled)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

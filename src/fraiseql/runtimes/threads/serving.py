"""`fraiseql.serve_threads`: an application on threads that runs until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import Any

from fraiseql.bus import EventBus
from fraiseql.context import ClientRequest
from fraiseql.errors import ConfigurationError
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.logs import configure_logging, logger
from fraiseql.runtimes.running import check_runtime
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

    The first signal lets running requests finish, the second stops at once. Signals reach the main thread only: a
    program that serves in another one makes a ThreadedApp, which it can stop.

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
    check_runtime("threads", uvloop=config.uvloop)
    if config.workers > 1:
        expected = 'fraiseql.serve_workers(..., runtime="threads"), or fraiseql serve on the command line'
        raise ConfigurationError(f"workers is {config.workers}, but this serves in one process; expected {expected}")
    configure_logging(config.log_level)
    app = ThreadedApp(schema, config=config, bus=bus, context=context, listeners=listeners)
    with _signals(signals) as stop:
        app.start()
        try:
            logger.info("serving %s", app.url)
            if started is not None:
                started(app)
            stop.get()
            logger.info("stopping once running requests are finished; a second signal stops at once")
            stopping = threading.Thread(target=_shut_down, args=(app, stop), name="fraiseql stop", daemon=True)
            stopping.start()
            stop.get()
        finally:
            app.shutdown(grace=0)


def _shut_down(app: ThreadedApp, stop: SimpleQueue[None]) -> None:
    try:
        app.shutdown()
    finally:
        stop.put(None)


@contextmanager
def _signals(signals: Sequence[signal.Signals]) -> Iterator[SimpleQueue[None]]:
    """Told of the signals that ask to stop; only the main thread gets any."""
    stop: SimpleQueue[None] = SimpleQueue()  # what a handler may put something into, whatever it interrupts
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def received(number: int, frame: FrameType | None) -> None:
        stop.put(None)

    before = {number: signal.signal(number, received) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

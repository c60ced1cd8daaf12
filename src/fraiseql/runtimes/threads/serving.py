"""`fraiseql.serve_threads`: an application on threads that runs until it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final, TypeAlias

from fraiseql.bus import EventBus
from fraiseql.context import ClientRequest
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.logs import configure_logging, logger
from fraiseql.runtimes.threads.app import ThreadedApp
from fraiseql.schema import Schema

__all__ = ["serve_threads"]

_MOMENT: Final = 1.0  # seconds


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
    with _signals(signals) as told:
        # In another thread: a signal is handled in this one, and would not end what it waits for.
        starting = threading.Thread(target=_start, args=(app, told), name="fraiseql start", daemon=True)
        starting.start()
        try:
            match told.get():
                case _Told.SIGNAL:
                    return
                case BaseException() as error:
                    raise error
            logger.info("serving %s", app.url)
            if started is not None:
                started(app)
            told.get()
            logger.info("stopping once running requests are finished; a second signal stops at once")
            threading.Thread(target=_shut_down, args=(app, told), name="fraiseql stop", daemon=True).start()
            told.get()
        finally:
            app.shutdown(grace=0)
            if starting.is_alive():  # perhaps it had not begun, and there was nothing to shut down
                starting.join(_MOMENT)
                app.shutdown(grace=0)


class _Told(Enum):
    """What there is to do something about."""

    SIGNAL = auto()
    STARTED = auto()
    STOPPED = auto()


_Telling: TypeAlias = "SimpleQueue[_Told | BaseException]"  # a handler may put something in, whatever it interrupts


def _start(app: ThreadedApp, told: _Telling) -> None:
    try:
        app.start()
    except BaseException as error:
        told.put(error)
    else:
        told.put(_Told.STARTED)


def _shut_down(app: ThreadedApp, told: _Telling) -> None:
    try:
        app.shutdown()
    finally:
        told.put(_Told.STOPPED)


@contextmanager
def _signals(signals: Sequence[signal.Signals]) -> Iterator[_Telling]:
    """Told of the signals that ask to stop; only the main thread gets any."""
    told: _Telling = SimpleQueue()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def received(number: int, frame: FrameType | None) -> None:
        told.put(_Told.SIGNAL)

    before: dict[signal.Signals, Any] = {}
    try:
        for number in signals:
            before[number] = signal.getsignal(number)
            signal.signal(number, received)
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

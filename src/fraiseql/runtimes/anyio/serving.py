"""`fraiseql.serve`, an application that runs until it is told to stop, and `fraiseql.create_fraiseql_app`."""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import anyio
from anyio.abc import TaskStatus

from fraiseql.bus import EventBus
from fraiseql.context import ClientRequest
from fraiseql.runtimes.anyio.app import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.logs import configure_logging, logger
from fraiseql.schema import Schema

__all__ = ["create_fraiseql_app", "serve"]


async def serve(
    schema: Schema,
    *,
    config: FraiseQLConfig | None = None,
    bus: EventBus | None = None,
    context: Callable[[ClientRequest], Any] | str | None = None,
    task_status: TaskStatus[FraiseQLApp] = anyio.TASK_STATUS_IGNORED,
    listeners: Listeners | None = None,
    signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
    **settings: Any,
) -> None:
    """Serve a schema until cancelled, or until a signal, SIGINT or SIGTERM.

    The first signal lets running requests finish, the second stops at once. `anyio.run(fraiseql.serve, schema)` is all
    that a program needs, with `FRAISEQL_DATABASE_URL` in the environment; `await group.start(fraiseql.serve, schema)`
    returns the running FraiseQLApp.

    Args:
        schema: what to serve.
        config: the settings; by default those of the environment.
        bus: what carries events to subscriptions; see FraiseQLApp.
        context: says who asks, and who is let in; see FraiseQLApp. Or the setting: its name, `module:function`.
        task_status: for `TaskGroup.start`.
        listeners: to accept clients from; see FraiseQLApp.
        signals: that end it.
        settings: single settings by name, which go before the environment.

    Raises:
        ConfigurationError: a setting is unknown, wrong or missing, or `workers` is more than 1: see serve_workers.
        StartupError: the port cannot be used, or the database cannot be reached.
    """
    if isinstance(context, str):
        context, settings = None, {**settings, "context": context}
    config = FraiseQLConfig.of(config, **settings)
    configure_logging(config.log_level)
    app = FraiseQLApp(schema, config=config, bus=bus, context=context, listeners=listeners)
    with _receive_signals(signals) as received:
        try:
            if not await _unless_signalled(received, app.start):
                return
            logger.info("serving %s", app.url)
            task_status.started(app)
            await anext(received)
            logger.info("stopping once running requests are finished; a second signal stops at once")
            await _unless_signalled(received, app.shutdown)
        finally:
            with anyio.CancelScope(shield=True):  # each step of it is bounded
                await app.shutdown(grace=0)


def create_fraiseql_app(
    *,
    schema: Schema,
    database_url: str | None = None,
    config: FraiseQLConfig | None = None,
    bus: EventBus | None = None,
    context: Callable[[ClientRequest], Any] | str | None = None,
    **settings: Any,
) -> FraiseQLApp:
    """Make a server to be started and stopped by a program of one's own.

    Args:
        schema: what to serve.
        database_url: goes before that of the settings.
        config: the settings; by default those of the environment.
        bus: what carries events to subscriptions; see FraiseQLApp.
        context: says who asks, and who is let in; see FraiseQLApp. Or the setting: its name, `module:function`.
        settings: single settings by name, which go before both.

    Raises:
        ConfigurationError: a setting is unknown, wrong or missing.
    """
    if isinstance(context, str):
        context, settings = None, {**settings, "context": context}
    return FraiseQLApp(schema, database_url, FraiseQLConfig.of(config, **settings), bus=bus, context=context)


class _NoSignals:
    """Signals where none can be received."""

    def __aiter__(self) -> AsyncIterator[signal.Signals]:
        return self

    async def __anext__(self) -> signal.Signals:
        await anyio.sleep_forever()
        raise StopAsyncIteration


def _receive_signals(signals: Sequence[signal.Signals]) -> AbstractContextManager[AsyncIterator[signal.Signals]]:
    """The signals that ask to stop; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        return nullcontext(_NoSignals())
    return anyio.open_signal_receiver(*signals)


async def _unless_signalled(signals: AsyncIterator[signal.Signals], function: Callable[[], Awaitable[None]]) -> bool:
    """Run a function, cancelled by the next signal; gives whether it came to its end, and raises what it raises."""
    error: Exception | None = None
    finished = False

    async def run() -> None:
        nonlocal error, finished
        try:
            await function()
            finished = True
        except Exception as raised:  # kept out of an exception group
            error = raised
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anext(signals)
        group.cancel_scope.cancel()
    if error is not None:
        raise error
    return finished

"""`fraiseql.serve_workers`: several processes that serve on the same port."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from fraiseql.bus import EventBus
from fraiseql.bus.description import MemoryBus
from fraiseql.context import ClientRequest
from fraiseql.errors import ConfigurationError
from fraiseql.runtimes.anyio.background import running_trio
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import Listeners, open_listeners
from fraiseql.runtimes.logs import configure_logging
from fraiseql.runtimes.running import check_runtime, run_async
from fraiseql.runtimes.supervising import STOP, Supervisor
from fraiseql.schema import Schema

__all__ = ["serve_workers"]


def serve_workers(
    schema: Schema,
    *,
    runtime: str = "asyncio",
    config: FraiseQLConfig | None = None,
    bus: EventBus | None = None,
    context: Callable[[ClientRequest], Any] | str | None = None,
    **settings: Any,
) -> None:
    """Serve a schema from several processes on one port, until SIGINT or SIGTERM; blocks.

    This process opens the listening sockets, forks the others and replaces one that dies. The first signal lets running
    requests finish, the second stops at once; SIGHUP replaces the processes one after the other. Each has a pool of
    `pool_max_size` connections to the database, and serves up to `max_connections` clients.

    Args:
        schema: what to serve.
        runtime: what each process runs: `asyncio`, `trio` or `threads`.
        config: the settings; by default those of the environment.
        bus: what carries events to subscriptions; see FraiseQLApp.
        context: says who asks, and who is let in; see FraiseQLApp. Or the setting: its name, `module:function`.
        settings: single settings by name, which go before the environment: `workers=4`.

    Raises:
        ConfigurationError: a setting is unknown, wrong or missing; or this process cannot fork: an event loop or
            another thread runs in it, or its system has no fork.
        StartupError: the port cannot be used, or the database cannot be reached.
    """
    if isinstance(context, str):
        context, settings = None, {**settings, "context": context}
    config = FraiseQLConfig.of(config, **settings)
    check_runtime(runtime, uvloop=config.uvloop)
    _check_bus(schema, config, bus)
    _check_process()
    configure_logging(config.log_level)
    work = partial(_serve, schema, runtime, replace(config, workers=1), bus, context)
    Supervisor(open_listeners(config), config.workers, work).run()


def _check_bus(schema: Schema, config: FraiseQLConfig, bus: EventBus | None) -> None:
    in_memory = config.event_bus == "memory" if bus is None else isinstance(bus, MemoryBus)
    if in_memory and config.workers > 1 and schema.model.subscriptions:
        raise ConfigurationError("workers have no memory in common for event_bus 'memory': use 'postgresql'")


def _check_process() -> None:
    if not hasattr(os, "fork"):
        raise ConfigurationError("workers need a system with fork, which this one has not: start several servers")
    if threading.current_thread() is not threading.main_thread() or threading.active_count() > 1:
        raise ConfigurationError("workers are forked, before any thread is started: call serve_workers first of all")
    if running_trio() is not None or asyncio._get_running_loop() is not None:
        raise ConfigurationError("serve_workers blocks and forks: call it outside of an event loop")


class _Announcement:
    """Told by `serve` that it serves."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ready = ready

    def started(self, value: object = None) -> None:
        self._ready()


def _serve(
    schema: Schema,
    runtime: str,
    config: FraiseQLConfig,
    bus: EventBus | None,
    context: Callable[[ClientRequest], Any] | None,
    listeners: Listeners,
    ready: Callable[[], None],
) -> None:
    """What one worker does."""
    given: dict[str, Any] = {
        "config": config,
        "bus": bus,
        "context": context,
        "listeners": listeners,
        "signals": (STOP,),
    }
    announcement = _Announcement(ready)
    if runtime == "threads":
        from fraiseql.runtimes.threads import serve_threads

        serve_threads(schema, started=lambda _: ready(), **given)
    else:
        from fraiseql.runtimes.anyio import serve

        run_async(runtime, partial(serve, schema, task_status=announcement, **given), uvloop=config.uvloop)

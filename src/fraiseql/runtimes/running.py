"""Runs an event loop for a server: of asyncio, of uvloop, or of trio."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from fraiseql.errors import ConfigurationError
from fraiseql.runtimes.config import FraiseQLConfig

__all__ = ["check_loop", "check_runtime", "check_threads", "leave_functions_behind", "run_async"]

_THREADS_END: Final = 0.5  # seconds for threads that have nothing to do to see that
_RUNTIMES: Final = ("asyncio", "trio", "threads")


def check_runtime(runtime: str, *, uvloop: bool) -> None:
    """Raise ConfigurationError where a runtime, or uvloop, is not installed, or they do not go together."""
    if runtime not in _RUNTIMES:
        raise ConfigurationError(f"runtime is {runtime!r}; expected one of {', '.join(_RUNTIMES)}")
    if uvloop and runtime != "asyncio":
        raise ConfigurationError(f"uvloop is an event loop for asyncio: it does not go with the runtime {runtime}")
    needed = [runtime] if runtime != "threads" else []
    for module in [*needed, *(["uvloop"] if uvloop else [])]:
        if importlib.util.find_spec(module) is None:
            text = f"{module} is not installed; install it with: pip install '.[{module}]', in a clone"
            raise ConfigurationError(text)


def run_async(runtime: str, function: Callable[[], Awaitable[None]], *, uvloop: bool = False) -> None:
    """Run an async function in an event loop of its own.

    Args:
        runtime: which one: asyncio or trio.
        function: takes nothing.
        uvloop: have asyncio run on uvloop's event loop.

    Raises:
        ConfigurationError: the runtime is not installed.
    """
    check_runtime(runtime, uvloop=uvloop)
    anyio.run(function, backend=runtime, backend_options={"use_uvloop": True} if uvloop else None)


def leave_functions_behind() -> None:
    """End the process, where plain functions of users still run: the interpreter would wait for them, perhaps for ever.

    To be called once the server has stopped, which gave them their time; does nothing where none is left.
    """
    until = time.monotonic() + _THREADS_END
    others = [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)


def check_loop(config: FraiseQLConfig) -> None:
    """Raise ConfigurationError where the settings ask for what the event loop that runs already cannot give."""
    if config.workers > 1:
        raise ConfigurationError(
            f"workers is {config.workers}, but where an event loop runs no other processes can be made: "
            "call fraiseql.serve_workers, or use fraiseql serve on the command line"
        )
    if config.uvloop and not _is_uvloop():
        raise ConfigurationError(
            "uvloop is set, but another event loop runs already: start it with "
            'anyio.run(fraiseql.serve, schema, backend_options={"use_uvloop": True})'
        )


def check_threads(config: FraiseQLConfig) -> None:
    """Raise ConfigurationError where the settings ask for what threads of this process cannot give."""
    check_runtime("threads", uvloop=config.uvloop)
    if config.workers > 1:
        expected = 'fraiseql.serve_workers(..., runtime="threads"), or fraiseql serve on the command line'
        raise ConfigurationError(f"workers is {config.workers}, but this serves in one process; expected {expected}")


def _is_uvloop() -> bool:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # trio
        return False
    return type(loop).__module__.partition(".")[0] == "uvloop"

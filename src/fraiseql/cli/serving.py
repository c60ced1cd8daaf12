"""Runs an event loop for a server: what `fraiseql serve` and `fraiseql demo` share."""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable

import anyio

from fraiseql.errors import ConfigurationError

__all__ = ["RUNTIMES", "THREADS", "run_async"]

RUNTIMES = ("asyncio", "trio", "threads")
THREADS = RUNTIMES[2]


def run_async(runtime: str, function: Callable[[], Awaitable[None]]) -> None:
    """Run an async function in an event loop of its own.

    Args:
        runtime: which one: asyncio or trio.
        function: takes nothing.

    Raises:
        ConfigurationError: the runtime is not installed.
    """
    if importlib.util.find_spec(runtime) is None:
        raise ConfigurationError(f"{runtime} is not installed; install it with: pip install '.[{runtime}]', in a clone")
    anyio.run(function, backend=runtime)

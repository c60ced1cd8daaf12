"""Runs a server: what `fraiseql serve` and `fraiseql demo` share."""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Any

import fraiseql
from fraiseql.errors import ConfigurationError
from fraiseql.runtimes.config import FraiseQLConfig

__all__ = ["RUNTIMES", "run_server"]

RUNTIMES = ("asyncio", "trio")


def run_server(schema: fraiseql.Schema, config: FraiseQLConfig, runtime: str, **arguments: Any) -> None:
    """Run the server in an event loop of its own, until SIGINT or SIGTERM.

    Args:
        schema: what to serve.
        config: the settings.
        runtime: the event loop: asyncio or trio.
        arguments: further ones of `fraiseql.serve`.

    Raises:
        ConfigurationError: the runtime is not installed, or a setting is missing.
        StartupError: the server cannot start.
    """
    if importlib.util.find_spec(runtime) is None:
        raise ConfigurationError(f"{runtime} is not installed; install it with: pip install 'fraiseql[{runtime}]'")
    import anyio

    from fraiseql.runtimes.anyio import serve

    anyio.run(partial(serve, schema, config=config, **arguments), backend=runtime)

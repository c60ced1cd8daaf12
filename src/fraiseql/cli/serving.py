"""Runs a server until a signal ends it: what `fraiseql serve` and `fraiseql demo` share."""

from __future__ import annotations

from fraiseql.runtimes.running import leave_functions_behind, run_async

__all__ = ["RUNTIMES", "THREADS", "leave_functions_behind", "run_async"]

RUNTIMES = ("asyncio", "trio", "threads")
THREADS = RUNTIMES[2]

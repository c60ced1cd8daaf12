"""Keeps threads on one processor.

Only one thread of CPython's runs Python at a time. Where the system spreads them over several processors, each system
call hands the interpreter to a thread on another one, which takes twice the time of what it is handed for.
"""

from __future__ import annotations

import os
import sys

from fraiseql.errors import ConfigurationError
from fraiseql.runtimes.balancing import Shares

__all__ = ["pin_this_thread", "processor_for"]


def processor_for(shares: Shares | None) -> int:
    """The processor for this process's threads: with workers each has another one, else it is where this runs now.

    Args:
        shares: of the workers, where there are several.

    Raises:
        ConfigurationError: this system cannot do that.
    """
    if sys.platform != "linux":
        raise ConfigurationError("pin_threads is set, which this system cannot do: it needs Linux")
    if shares is not None:
        allowed = sorted(os.sched_getaffinity(0))
        return allowed[shares.mine % len(allowed)]
    with open("/proc/thread-self/stat", encoding="utf-8") as file:  # proc(5): its 39th field, 36 behind the name
        return int(file.read().rpartition(")")[2].split()[36])


def pin_this_thread(processor: int) -> None:
    """Keep the thread that calls this, and those that it starts from now on, on one processor."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {processor})

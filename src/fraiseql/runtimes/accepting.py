"""What the errors of accept(2) mean, and when they are told."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final

from fraiseql.observations import AcceptFailed, Observer

__all__ = ["AcceptTrouble"]

# Those of a client that left before it was accepted, and those that were pending on its socket: Linux gives them here,
# and accept(2) has them treated like EAGAIN.
_OF_ONE_CLIENT: Final = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNABORTED", "EPERM", "EINTR", "EAGAIN", "ENETDOWN", "EPROTO", "ENOPROTOOPT", "EHOSTDOWN", "ENONET"),
        *("EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH", "ETIMEDOUT"),
    )
    if hasattr(errno, name)
)
_PAUSE: Final = 0.1  # when others are closed by then, descriptors and memory are to be had again
_QUIET: Final = 10.0


class AcceptTrouble:
    """The trouble that some listening sockets have together.

    Args:
        observe: is told of what concerns more than one client, and that at most once in ten seconds.
        time: of a clock that never goes back.
    """

    def __init__(self, observe: Observer, time: Callable[[], float]) -> None:
        self._observe = observe
        self._time = time
        self._told: float | None = None

    def pause_after(self, error: OSError) -> float:
        """Seconds until the next attempt; 0 where the next client may be accepted at once."""
        if error.errno in _OF_ONE_CLIENT:
            return 0.0
        now = self._time()
        if self._told is None or now - self._told >= _QUIET:
            self._told = now
            self._observe(AcceptFailed(str(error) if error.errno is None else os.strerror(error.errno)))
        return _PAUSE

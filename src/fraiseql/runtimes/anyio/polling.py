"""What the kernel has to watch many descriptors at once, and to be watched itself: epoll, else kqueue."""

from __future__ import annotations

import contextlib
import select
import selectors
from collections.abc import Sequence
from typing import Final, Protocol

from fraiseql.errors import StartupError

__all__ = ["READABLE", "WRITABLE", "Poller", "make_poller"]

READABLE: Final = 1  # EPOLLIN, and of no meaning elsewhere
WRITABLE: Final = 4  # EPOLLOUT


class Poller(Protocol):
    """Watches descriptors; wants READABLE, WRITABLE or both of each."""

    def fileno(self) -> int:
        """Readable while one of them is ready."""

    def register(self, fd: int, wanted: int) -> None:
        """Watch one more."""

    def modify(self, fd: int, wanted: int) -> None:
        """Watch it for something else."""

    def unregister(self, fd: int) -> None:
        """Watch it no more."""

    def poll(self) -> Sequence[tuple[int, int]]:
        """Those that are ready, and for what; never waits. Other bits than the two: it is broken, or at its end."""

    def close(self) -> None:
        """Watch nothing any more."""


def make_poller() -> Poller:
    """The best that there is; raises StartupError where there is none that can be watched itself."""
    if hasattr(select, "epoll"):
        return _Epoll()
    selector = selectors.DefaultSelector()
    if not hasattr(selector, "fileno"):
        raise StartupError("this system has neither epoll nor kqueue: use asyncio with transport=auto, or threads")
    return _Selector(selector)


class _Epoll:
    """As `select.epoll` has it."""

    def __init__(self) -> None:
        epoll = select.epoll()
        self.fileno = epoll.fileno
        self.register = epoll.register
        self.modify = epoll.modify
        self.close = epoll.close
        self._epoll = epoll

    def unregister(self, fd: int) -> None:
        with contextlib.suppress(OSError):  # whoever closed the descriptor has taken it out by that
            self._epoll.unregister(fd)

    def poll(self) -> Sequence[tuple[int, int]]:
        return self._epoll.poll(0)


class _Selector:
    """Over kqueue."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self.close = selector.close

    def fileno(self) -> int:
        number: int = self._selector.fileno()  # type: ignore[attr-defined]
        return number

    def register(self, fd: int, wanted: int) -> None:
        self._selector.register(fd, _events(wanted))

    def modify(self, fd: int, wanted: int) -> None:
        self._selector.modify(fd, _events(wanted))

    def unregister(self, fd: int) -> None:
        self._selector.unregister(fd)

    def poll(self) -> Sequence[tuple[int, int]]:
        found = self._selector.select(0)
        return [
            (key.fd, READABLE * bool(events & selectors.EVENT_READ) | WRITABLE * bool(events & selectors.EVENT_WRITE))
            for key, events in found
        ]


def _events(wanted: int) -> int:
    return selectors.EVENT_READ * bool(wanted & READABLE) | selectors.EVENT_WRITE * bool(wanted & WRITABLE)

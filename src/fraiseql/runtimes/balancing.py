"""Which of several processes takes the next client of a listening socket that they share.

The kernel wakes all who wait for the socket, and the first to accept gets the client. With connections that stay open
that is unfair for long: one process could have them all. So each process writes how many clients it has into memory
that they share, and one that has more than another gives it a head start.
"""

from __future__ import annotations

import mmap
from typing import Final

__all__ = ["Shares"]

HEAD_START: Final = 0.005  # seconds: an idle process accepts in far less; a busy one must not keep a client waiting
_AWAY: Final = 2**31 - 1  # what a process that does not serve has: more than any other


class Shares:
    """How many clients each process has; made before they are forked.

    A process writes its own count only, and one that is a moment old does no harm: no lock is needed.

    Args:
        processes: how many there are, numbered from 0.
    """

    __slots__ = ("_counts", "_mine")

    def __init__(self, processes: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * processes)).cast("i")
        self._mine = 0
        for number in range(processes):
            self.leave(number)

    @property
    def mine(self) -> int:
        """The number of this process."""
        return self._mine

    def take(self, number: int) -> None:
        """From now on this process is the one of this number."""
        self._mine = number

    def join(self) -> None:
        """This process serves from now on."""
        if self._counts[self._mine] == _AWAY:
            self._counts[self._mine] = 0

    def leave(self, number: int) -> None:
        """A process serves no more."""
        self._counts[number] = _AWAY

    def count(self, clients: int) -> None:
        """This process has so many clients."""
        self._counts[self._mine] = clients

    @property
    def head_start(self) -> float:
        """Seconds for which this process leaves the next client to others; 0 where no other has fewer."""
        fewest = min(self._counts)
        return HEAD_START if self._counts[self._mine] > fewest + fewest // 16 else 0.0

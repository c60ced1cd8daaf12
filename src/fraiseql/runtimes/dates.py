"""The wall clock as HTTP writes it."""

from __future__ import annotations

import time
from email.utils import formatdate

__all__ = ["HttpDate"]


class HttpDate:
    """Gives the current IMF-fixdate (RFC 9110 §5.6.7), formatted once per second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def __call__(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True).encode("ascii")
        return self._text

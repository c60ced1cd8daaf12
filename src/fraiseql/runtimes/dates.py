"""The wall clock as HTTP writes it."""

from __future__ import annotations

import time
from email.utils import formatdate

__all__ = ["HttpDate"]


class HttpDate:
    """Gives the current IMF-fixdate (RFC 9110 §5.6.7), formatted once per second; any thread may call it."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known = (-1, b"")  # the second and its text, replaced as one

    def __call__(self) -> bytes:
        second = int(time.time())
        known, text = self._known
        if second != known:
            text = formatdate(second, usegmt=True).encode("ascii")
            self._known = (second, text)
        return text

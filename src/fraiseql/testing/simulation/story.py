"""What everybody did, and when: kept as it happens, written out when somebody wants to read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Story"]

_LONGEST = 120  # characters of one value


class Story:
    """A timed log.

    Args:
        clock: gives the virtual time; the story begins now.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._lines: list[tuple[float, str, str, tuple[Any, ...]]] = []

    def tell(self, who: str, what: str, *values: Any) -> None:
        """Note a line; the values are put into `what` by `%`, as late as it is read: they must not change."""
        self._lines.append((self._clock(), who, what, values))

    def __len__(self) -> int:
        return len(self._lines)

    def lines(self) -> list[str]:
        """All lines: seconds since the beginning, who, and what."""
        return [f"{at - self._began:10.4f}  {who:<14} {_filled(what, values)}" for at, who, what, values in self._lines]

    def text(self) -> str:
        """All lines, as they are printed."""
        return "\n".join([*self.lines(), ""])


def _filled(what: str, values: tuple[Any, ...]) -> str:
    return what % tuple(map(_short, values)) if values else what


def _short(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return value
    text = value.encode("unicode_escape").decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(value)} in all)"

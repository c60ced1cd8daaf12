"""A bounded mapping that forgets what was used longest ago; several threads may use it."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from threading import Lock
from typing import Final, Generic, TypeVar

__all__ = ["Cache"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_LARGEST_SHARE: Final = 16  # a value heavier than this part of the whole would drive out too many others
# Under the interpreter's lock each call of an OrderedDict is done as a whole, so that what is found needs no other.
_HAS_ONE_LOCK: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()


class Cache(Generic[_Key, _Value]):
    """Keeps values while they are few and light enough; `get` and `put` both count as use.

    Args:
        size: the most values.
        max_weight: the most that they weigh together, in the unit of `put`; a value of more than a sixteenth of it is
            not kept.
    """

    __slots__ = ("_latest", "_lock", "_max_weight", "_size", "_values", "_weight")

    def __init__(self, size: int, max_weight: int) -> None:
        self._size = size
        self._max_weight = max_weight
        self._weight = 0
        self._values: OrderedDict[_Key, tuple[_Value, int]] = OrderedDict()  # the first key is the one to forget
        self._latest: tuple[_Value, int] | None = None  # what was used last, and need not be moved
        self._lock = Lock()

    def get(self, key: _Key) -> _Value | None:
        """The value of a key, or None."""
        if not _HAS_ONE_LOCK:
            with self._lock:
                return self._get(key)
        return self._get(key)

    def put(self, key: _Key, value: _Value, weight: int) -> None:
        """Keep a value, forgetting those used longest ago where there is no room."""
        if weight * _LARGEST_SHARE > self._max_weight:
            return
        with self._lock:
            _, before = self._values.pop(key, (None, 0))  # two threads may have made it at the same time
            self._latest = self._values[key] = (value, weight)
            self._weight += weight - before
            while len(self._values) > self._size or self._weight > self._max_weight:
                _, (_, forgotten) = self._values.popitem(last=False)
                self._weight -= forgotten

    def _get(self, key: _Key) -> _Value | None:
        entry = self._values.get(key)
        if entry is None:
            return None
        if entry is not self._latest:
            self._latest = entry
            with suppress(KeyError):  # another thread has forgotten it meanwhile
                self._values.move_to_end(key)
        return entry[0]

    def __len__(self) -> int:
        return len(self._values)

"""A bounded mapping that forgets what was used longest ago."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["Cache"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_LARGEST_SHARE: Final = 16  # a value heavier than this part of the whole would drive out too many others


class Cache(Generic[_Key, _Value]):
    """Keeps values while they are few and light enough; `get` and `put` both count as use.

    Args:
        size: the most values.
        max_weight: the most that they weigh together, in the unit of `put`; a value of more than a sixteenth of it is
            not kept.
    """

    __slots__ = ("_max_weight", "_size", "_values", "_weight")

    def __init__(self, size: int, max_weight: int) -> None:
        self._size = size
        self._max_weight = max_weight
        self._weight = 0
        self._values: dict[_Key, tuple[_Value, int]] = {}

    def get(self, key: _Key) -> _Value | None:
        """The value of a key, or None."""
        entry = self._values.pop(key, None)
        if entry is None:
            return None
        self._values[key] = entry  # a dict keeps insertion order: the first key is the one to forget
        return entry[0]

    def put(self, key: _Key, value: _Value, weight: int) -> None:
        """Keep a value of a new key, forgetting those used longest ago where there is no room."""
        if weight * _LARGEST_SHARE > self._max_weight:
            return
        self._values[key] = (value, weight)
        self._weight += weight
        while len(self._values) > self._size or self._weight > self._max_weight:
            _, forgotten = self._values.pop(next(iter(self._values)))
            self._weight -= forgotten

    def __len__(self) -> int:
        return len(self._values)

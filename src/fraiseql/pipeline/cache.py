"""A bounded mapping that forgets what was used longest ago."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Cache"]

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Cache(Generic[_Key, _Value]):
    """Keeps at most `size` values; `get` and `put` both count as use."""

    __slots__ = ("_size", "_values")

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[_Key, _Value] = {}

    def get(self, key: _Key) -> _Value | None:
        """The value of a key, or None."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value  # a dict keeps insertion order: the first key is the one to forget
        return value

    def put(self, key: _Key, value: _Value) -> None:
        """Keep a value, forgetting the one used longest ago where there are too many."""
        self._values[key] = value
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]

    def __len__(self) -> int:
        return len(self._values)

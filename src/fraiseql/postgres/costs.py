"""What statements cost, by what they took: which may share a round trip without one waiting long for another."""

from __future__ import annotations

from fraiseql.effects import Fetch

__all__ = ["Costs"]

_BUDGET = 0.002  # seconds that the statements of one round trip may take together
_SLOW = 0.05  # seconds after which a round trip is held against all that were in it
_RISE = 1.1  # a statement that takes longer may have waited for a processor: its estimate follows slowly
_MOST = 2_000  # statements that are remembered


class Costs:
    """Estimates of the seconds that statements take, by their text.

    Args:
        depth: how many may share a round trip.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._seconds: dict[bytes, float] = {}

    def of(self, fetch: Fetch) -> float:
        """Its estimate, no more than what fills a round trip; one that is not known does."""
        return min(self._seconds.get(fetch.statement.sql, _BUDGET), _BUDGET)

    def fits(self, count: int, seconds: float, more: float) -> bool:
        """Whether one that costs `more` may go with so many that cost `seconds` together."""
        return count == 0 or (count < self._depth and more < _BUDGET and seconds + more <= _BUDGET)

    def trips(self, count: int, seconds: float) -> int:
        """How many round trips so many statements need, that cost `seconds` together."""
        return min(count, max(-(-count // self._depth), int(seconds / _BUDGET + 0.999)))

    def note(self, fetches: list[Fetch], seconds: float) -> None:
        """What a round trip of these took."""
        known = self._seconds
        each = seconds / len(fetches) if seconds < _SLOW else seconds
        for fetch in fetches:
            sql = fetch.statement.sql
            before = known.get(sql)
            if before is None and len(known) >= _MOST:
                known.clear()
            known[sql] = each if before is None or seconds >= _SLOW else min(each, before * _RISE)

    def slow(self, fetch: Fetch) -> None:
        """It kept others waiting: it runs alone, until it has proved itself."""
        self._seconds[fetch.statement.sql] = _SLOW

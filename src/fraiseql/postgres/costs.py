"""What statements cost, by what they took: which share a round trip, and how many of these at once do any good."""

from __future__ import annotations

from collections.abc import Sequence

from fraiseql.effects import Fetch

__all__ = ["PATIENCE", "Costs", "Width"]

PATIENCE = 0.02  # seconds for which anybody waits for the end of what somebody else runs
_BUDGET = 0.002  # seconds that the statements of one round trip may take together
_SLOW = 0.05  # seconds after which a round trip is held against all that were in it
_RISE = 1.0  # a second: what takes longer may have waited for a processor, so estimates follow slowly
_MOST = 2_000  # statements that are remembered
_CROWDED = 2.0  # times what it should have taken, beyond which a round trip has waited for a processor
_FREE = 1.5  # times, below which it has not
_STEP = 0.1  # of the width, for one round trip
_NARROWEST = 2  # while what one has brought is read, the other runs
_ROUND, _LESSON = 256, 8  # of so many round trips, so many are to learn from
_LEARNT, _FORGOTTEN = 0.1, 0.000_1  # of what is usual, for one round trip


class Costs:
    """Estimates of the seconds that statements take, by their text: the least that was seen, which rises with time.

    Args:
        depth: how many may share a round trip.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._seconds: dict[bytes, tuple[float, float]] = {}  # and when that was
        self._least = (_BUDGET, 0.0)  # that any round trip took, for which the network accounts

    def of(self, fetch: Fetch) -> float:
        """Its estimate, no more than what fills a round trip; one that is not known does."""
        known = self._seconds.get(fetch.statement.sql)
        return _BUDGET if known is None else min(known[0], _BUDGET)

    def fits(self, count: int, seconds: float, more: float) -> bool:
        """Whether one that costs `more` may go with so many that cost `seconds` together."""
        return count == 0 or (count < self._depth and more < _BUDGET and seconds + more <= _BUDGET)

    def is_slow(self, fetch: Fetch) -> bool:
        """Whether it takes so long that nobody is to wait for its end; one that is not known may."""
        known = self._seconds.get(fetch.statement.sql)
        return known is None or known[0] >= PATIENCE

    def trips(self, count: int, seconds: float) -> int:
        """How many round trips so many statements need, that cost `seconds` together."""
        return min(count, max(-(-count // self._depth), int(seconds / _BUDGET + 0.999)))

    def expected(self, fetches: Sequence[Fetch]) -> float:
        """What a round trip of these takes on a server that has processors to spare, or a little more."""
        known, unknown = self._seconds, (_BUDGET, 0.0)
        return self._least[0] + sum(known.get(fetch.statement.sql, unknown)[0] for fetch in fetches)

    def note(self, fetches: Sequence[Fetch], seconds: float, now: float) -> None:
        """What a round trip of these took, that has ended now."""
        known = self._seconds
        self._least = (_followed(self._least, seconds, now), now)
        each = seconds / len(fetches) if seconds < _SLOW else seconds
        for sql in {fetch.statement.sql for fetch in fetches}:
            before = known.get(sql)
            if before is None and len(known) >= _MOST:
                known.clear()
            known[sql] = (each if before is None or seconds >= _SLOW else _followed(before, each, now), now)

    def slow(self, fetch: Fetch, now: float) -> None:
        """It kept others waiting: it runs alone, until it has proved itself."""
        self._seconds[fetch.statement.sql] = (_SLOW, now)


class Width:
    """How many round trips may be under way at once.

    Where a server has no processor left for them, further ones only take turns with those that run, and each takes
    longer: it is better to share more. Now and then only a few go, to learn what they take when there is no crowd. If
    that is long, too, it is by their arguments, and fewer at once would not help.

    Args:
        most: as many as there are connections.

    Attributes:
        value: as of now.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._least = min(_NARROWEST, most)
        self._width = float(most)
        self._usual = 1.0  # times what it should have taken, when there is no crowd
        self._noted = 0
        self.value = most

    def note(self, seconds: float, expected: float, company: int) -> None:
        """What a round trip took, what it should have taken, and how many were under way when it began, with it."""
        self._noted += 1
        if company <= self._least and expected > 0:  # it is nothing on a virtual clock
            self._usual += _LEARNT * (seconds / expected - self._usual)
        else:
            self._usual += _FORGOTTEN * (1.0 - self._usual)
        if self._usual > _FREE:
            expected *= self._usual
        if seconds > _CROWDED * expected:
            self._width = max(self._least, self._width - _STEP)
        elif seconds < _FREE * expected:
            self._width = min(self._most, self._width + _STEP)
        self.value = self._least if self._noted % _ROUND < _LESSON else int(self._width)


def _followed(before: tuple[float, float], seconds: float, now: float) -> float:
    least, then = before
    return min(seconds, least * (1.0 + _RISE * (now - then)))

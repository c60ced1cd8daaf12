"""Which statements may share a round trip, by what they cost."""

from __future__ import annotations

from fraiseql.effects import Fetch, Statement
from fraiseql.postgres.costs import Costs

QUICK, SLOW = (Fetch(Statement(sql, 1), (), read_only=True) for sql in (b"SELECT 1", b"SELECT pg_sleep(1)"))


def test_what_is_not_known_runs_alone() -> None:
    costs = Costs(8)
    assert costs.fits(0, 0.0, costs.of(QUICK))
    assert not costs.fits(1, costs.of(QUICK), costs.of(QUICK))
    assert costs.trips(5, 5 * costs.of(QUICK)) == 5


def test_what_is_quick_shares_up_to_the_depth() -> None:
    costs = Costs(8)
    costs.note([QUICK], 0.000_01)
    cost = costs.of(QUICK)
    assert cost == 0.000_01
    assert [costs.fits(count, count * cost, cost) for count in (0, 1, 7, 8)] == [True, True, True, False]
    assert [costs.trips(count, count * cost) for count in (0, 1, 8, 9, 17)] == [0, 1, 1, 2, 3]


def test_what_takes_its_time_shares_less_and_what_is_slow_not_at_all() -> None:
    costs = Costs(8)
    costs.note([QUICK, QUICK], 0.002)
    assert costs.fits(1, costs.of(QUICK), costs.of(QUICK))
    assert not costs.fits(2, 2 * costs.of(QUICK), costs.of(QUICK))
    costs.note([QUICK, SLOW], 1.0)
    for one in (QUICK, SLOW):
        assert not costs.fits(1, 0.0001, costs.of(one)), "nobody knows which of them it was"
    costs.note([QUICK], 0.0001)
    assert costs.of(QUICK) == 0.0001, "it has proved itself"


def test_one_slow_answer_changes_little() -> None:
    costs = Costs(8)
    costs.note([QUICK], 0.0001)
    costs.note([QUICK], 0.04)
    assert 0.0001 < costs.of(QUICK) < 0.0002


def test_what_kept_others_waiting_runs_alone_until_it_has_proved_itself() -> None:
    costs = Costs(8)
    costs.note([QUICK], 0.0001)
    costs.slow(QUICK)
    assert not costs.fits(1, 0.0001, costs.of(QUICK))
    costs.note([QUICK], 0.0001)
    assert costs.fits(1, 0.0001, costs.of(QUICK))


def test_no_statement_needs_more_than_one_round_trip() -> None:
    costs = Costs(8)
    costs.note([SLOW], 5.0)
    assert costs.trips(1, costs.of(SLOW)) == 1
    assert costs.trips(3, 3 * costs.of(SLOW)) == 3
    costs.slow(QUICK)
    assert costs.trips(2, costs.of(QUICK) + costs.of(SLOW)) == 2


def test_only_so_many_are_remembered() -> None:
    costs = Costs(8)
    for number in range(5_000):
        costs.note([Fetch(Statement(b"SELECT %d" % number, 1), ())], 0.001)
    assert len(costs._seconds) <= 2_000

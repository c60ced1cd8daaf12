"""Which statements may share a round trip, by what they cost."""

from __future__ import annotations

import pytest

from fraiseql.effects import Fetch, Statement
from fraiseql.postgres.costs import Costs, Width

QUICK, SLOW = (Fetch(Statement(sql, 1), (), read_only=True) for sql in (b"SELECT 1", b"SELECT pg_sleep(1)"))
NOW = 1_000.0


def test_what_is_not_known_runs_alone() -> None:
    costs = Costs(8)
    assert costs.fits(0, 0.0, costs.of(QUICK))
    assert not costs.fits(1, costs.of(QUICK), costs.of(QUICK))
    assert costs.trips(5, 5 * costs.of(QUICK)) == 5


def test_what_is_quick_shares_up_to_the_depth() -> None:
    costs = Costs(8)
    costs.note([QUICK], 0.000_01, NOW)
    cost = costs.of(QUICK)
    assert cost == 0.000_01
    assert [costs.fits(count, count * cost, cost) for count in (0, 1, 7, 8)] == [True, True, True, False]
    assert [costs.trips(count, count * cost) for count in (0, 1, 8, 9, 17)] == [0, 1, 1, 2, 3]


def test_what_takes_its_time_shares_less_and_what_is_slow_not_at_all() -> None:
    costs = Costs(8)
    costs.note([QUICK, QUICK], 0.002, NOW)
    assert costs.fits(1, costs.of(QUICK), costs.of(QUICK))
    assert not costs.fits(2, 2 * costs.of(QUICK), costs.of(QUICK))
    costs.note([QUICK, SLOW], 1.0, NOW)
    for one in (QUICK, SLOW):
        assert not costs.fits(1, 0.0001, costs.of(one)), "nobody knows which of them it was"
    costs.note([QUICK], 0.0001, NOW)
    assert costs.of(QUICK) == 0.0001, "it has proved itself"


def test_an_estimate_is_the_least_that_was_seen_and_rises_with_time() -> None:
    costs = Costs(8)
    costs.note([QUICK], 0.000_1, NOW)
    costs.note([QUICK], 0.04, NOW + 0.1)
    assert costs.of(QUICK) == pytest.approx(0.000_11), "it may have waited for a processor"
    costs.note([QUICK], 0.000_1, NOW + 0.2)
    assert costs.of(QUICK) == 0.000_1
    costs.note([QUICK], 0.001_5, NOW + 60.0)
    assert costs.of(QUICK) == 0.001_5


def test_what_is_expected_of_a_round_trip_is_the_shortest_one_and_what_is_in_it() -> None:
    costs = Costs(8)
    costs.note([QUICK], 0.000_1, NOW)
    assert costs.expected([QUICK] * 4) == pytest.approx(0.000_5)
    costs.note([SLOW], 1.0, NOW)
    assert costs.expected([SLOW]) == pytest.approx(1.000_1)


def test_who_is_slow_and_who_may_be() -> None:
    costs = Costs(8)
    assert costs.is_slow(QUICK)
    costs.note([QUICK], 0.000_1, NOW)
    assert not costs.is_slow(QUICK)
    costs.slow(QUICK, NOW)
    assert costs.is_slow(QUICK)


def test_what_kept_others_waiting_runs_alone_until_it_has_proved_itself() -> None:
    costs = Costs(8)
    costs.note([QUICK], 0.0001, NOW)
    costs.slow(QUICK, NOW)
    assert not costs.fits(1, 0.0001, costs.of(QUICK))
    costs.note([QUICK], 0.0001, NOW)
    assert costs.fits(1, 0.0001, costs.of(QUICK))


def test_no_statement_needs_more_than_one_round_trip() -> None:
    costs = Costs(8)
    costs.note([SLOW], 5.0, NOW)
    assert costs.trips(1, costs.of(SLOW)) == 1
    assert costs.trips(3, 3 * costs.of(SLOW)) == 3
    costs.slow(QUICK, NOW)
    assert costs.trips(2, costs.of(QUICK) + costs.of(SLOW)) == 2


def test_only_so_many_are_remembered() -> None:
    costs = Costs(8)
    for number in range(5_000):
        costs.note([Fetch(Statement(b"SELECT %d" % number, 1), ())], 0.001, NOW)
    assert len(costs._seconds) <= 2_000


def test_as_many_go_at_once_as_come_back_in_time() -> None:
    width = Width(10)
    assert width.value == 10
    for _ in range(200):
        width.note(0.010, 0.001, 10)
    assert width.value == 2, "while one is read, the other runs"
    for _ in range(10):
        width.note(0.001_75, 0.001, 10)
    assert width.value == 2, "neither late nor early"
    for _ in range(36):
        width.note(0.001, 0.001, 10)
    assert width.value == 5


def test_what_takes_as_long_without_a_crowd_is_no_sign_of_one() -> None:
    width = Width(10)
    for _ in range(200):
        width.note(0.010, 0.001, 10)
    assert width.value == 2
    for _ in range(200):
        width.note(0.010, 0.001, 2)
    assert width.value == 10, "it is by the arguments"
    for _ in range(200):
        width.note(0.010, 0.001, 10)
    assert width.value == 10
    for _ in range(50_000):
        width.note(0.010, 0.001, 10)
    assert width.value == 2, "that may have changed"


def test_now_and_then_only_a_few_go() -> None:
    width = Width(10)
    values = []
    for _ in range(2_560):
        width.note(0.001, 0.001, 10)
        values.append(width.value)
    assert set(values) == {2, 10}
    assert values.count(2) == 80


def test_there_are_no_more_than_there_are_connections() -> None:
    width = Width(1)
    width.note(1.0, 0.001, 10)
    assert width.value == 1
    width.note(0.001, 0.001, 10)
    assert width.value == 1

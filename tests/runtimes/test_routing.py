"""The health of a replica, as a machine: what happens goes in, what is to be done comes out, at times of our own."""

from __future__ import annotations

import pytest

from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.routing import Health, Task, Verdict, judge

GONE = DatabaseError("gone", sqlstate="08006", retryable=True)
FULL = DatabaseError("too many clients", sqlstate="53300", retryable=True)


class Replica:
    """One that is well at time 0, and what was moved away from it."""

    def __init__(self) -> None:
        self.moved: list[str] = []
        self.health: Health[str] = Health(PoolLimits(backoff_initial=0.5), self.moved.append)
        assert not self.health.is_well
        assert self.health.due(0) is Task.PROBE
        self.health.probed(None, 0)
        assert (self.health.is_well, self.health.deadline) == (True, None)


@pytest.mark.parametrize(
    ("sqlstate", "connected", "verdict"),
    [
        ("42703", True, Verdict.ANSWER),
        ("25006", True, Verdict.WRITES),
        ("40001", True, Verdict.PRIMARY),
        ("40P01", True, Verdict.PRIMARY),
        ("08006", True, Verdict.AWAY),
        ("57P01", True, Verdict.AWAY),
        ("28P01", False, Verdict.AWAY),
        ("53300", False, Verdict.ANSWER),
    ],
)
def test_what_an_error_means(sqlstate: str, connected: bool, verdict: Verdict) -> None:
    assert judge(DatabaseError("no", sqlstate=sqlstate), connected=connected) is verdict


def test_pauses_double_up_to_a_bound_and_begin_anew_after_a_success() -> None:
    health, now, pauses = Replica().health, 0.0, []
    health.failed(now)
    for _ in range(9):
        assert not health.is_well
        deadline = health.deadline
        assert deadline is not None
        assert health.due(deadline - 0.1) is None
        pauses.append(deadline - now)
        now = deadline
        assert health.due(now) is Task.PROBE
        health.failed(now)  # another one was lost: nothing is to be done, since it is asked now
        assert health.deadline is None
        health.probed(GONE, now)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert health.due(now + 30) is Task.PROBE
    health.probed(None, now + 30)
    health.failed(now + 31)
    assert health.deadline == now + 31.5


def test_one_that_says_nothing_is_asked_and_given_up() -> None:
    replica = Replica()
    health = replica.health
    assert health.ran("a", 0)
    assert not health.ran("b", 0.5)
    assert (health.due(0.9), health.due(1)) == (None, Task.REACH)
    assert health.due(1.9) is None
    assert health.is_well
    assert health.due(2) is None
    assert (health.is_well, sorted(replica.moved), health.deadline) == (False, ["a", "b"], None)
    health.reached(GONE, 5)
    assert (health.deadline, health.due(5.5)) == (5.5, Task.REACH)  # a connection that seems to be open proves nothing
    health.reached(None, 6)
    assert health.due(6) is Task.PROBE
    health.probed(None, 6)
    assert health.is_well


def test_what_was_asked_by_who_has_left_counts() -> None:
    replica = Replica()
    health = replica.health
    health.ran("a", 0)
    health.left("a", 0.1, answered=False)
    assert health.due(1) is Task.REACH
    health.reached(GONE, 1.2)
    assert (health.is_well, replica.moved, health.deadline) == (False, [], 1.7)


@pytest.mark.parametrize("error", [None, FULL])
def test_a_slow_one_is_asked_each_second_and_stays(error: DatabaseError | None) -> None:
    replica = Replica()
    health = replica.health
    health.ran("a", 0)
    for now in (1.0, 2.25, 3.5):
        assert health.due(now) is Task.REACH
        health.reached(error, now + 0.25)
        assert health.deadline == now + 1.25
    health.left("a", 4.5, answered=True)
    assert health.due(4.75) is None
    assert (health.is_well, replica.moved, health.deadline) == (True, [], None)


def test_where_answers_come_it_is_looked_at_once_a_second() -> None:
    health = Replica().health
    news = []
    for each in range(100):
        news.append(health.ran("a", each / 50))
        health.left("a", each / 50 + 0.01, answered=True)
        assert health.due(each / 50 + 0.01) is None
    assert sum(news) == 2


def test_once_stopped_it_does_nothing() -> None:
    health = Replica().health
    health.ran("a", 0)
    health.stop()
    health.left("a", 1, answered=False)
    health.failed(1)
    health.probed(None, 1)
    health.reached(GONE, 1)
    assert (health.is_well, health.deadline, health.due(100)) == (False, None, None)

"""What is tried again, how often and after which pauses; and what must not be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraiseql.errors import RequestError
from fraiseql.pipeline import Outcome
from pipeline.mutations.conftest import Mutate
from pipeline.mutations.scripted import database_error

TWO = "mutation { a: tryAdd(amount: 1) b: tryAdd(amount: 2) }"
WHOLE = ["begin", "tryAdd 1", "tryAdd 2", "commit"]
BY_FIELD = {"transaction": "field"}


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "08006", "57P01", "57P02"])
@pytest.mark.parametrize("at", [1, 2])
def test_the_whole_transaction_runs_again(mutate: Mutate, sqlstate: str, at: int) -> None:
    ran = mutate(TWO, faults={at: database_error(sqlstate)})
    assert ran.trace == [*WHOLE[: at + 1], "rollback", "sleep", *WHOLE]
    assert (ran.outcome, ran.data, ran.committed) == (Outcome.DATA, {"a": 1, "b": 2}, [1, 2])
    assert ran.response.cause is None


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_a_commit_may_meet_others_too(mutate: Mutate, sqlstate: str) -> None:
    ran = mutate(TWO, faults={3: database_error(sqlstate)})
    assert ran.trace == [*WHOLE, "rollback", "sleep", *WHOLE]
    assert (ran.data, ran.committed) == ({"a": 1, "b": 2}, [1, 2])


def test_pauses_grow_up_to_the_longest(mutate: Mutate) -> None:
    # begin, add, rollback and sleep of each attempt
    faults = {4 * attempt + 1: database_error("40001") for attempt in range(5)}
    limits = {"max_attempts": 6, "first_pause": 0.02, "longest_pause": 0.1}
    ran = mutate("mutation { tryAdd(amount: 1) }", faults=faults, limits=limits)
    pauses = ran.script.pauses
    assert len(pauses) == 5
    for pause, longest in zip(pauses, (0.02, 0.04, 0.08, 0.1, 0.1), strict=True):
        assert longest / 2 <= pause <= longest
    assert len({pause / longest for pause, longest in zip(pauses, (0.02, 0.04, 0.08, 0.1, 0.1), strict=True)}) == 5, (
        "those who met shall not meet again"
    )
    assert ran.committed == [1]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_attempts_are_bounded(mutate: Mutate, most: int) -> None:
    faults = {4 * attempt + 1: database_error("40001") for attempt in range(20)}
    ran = mutate(TWO, faults=faults, limits={"max_attempts": most})
    assert ran.trace.count("begin") == ran.trace.count("rollback") == most
    assert ran.trace[-1] == "rollback", "it does not wait for nothing"
    assert (ran.data, ran.committed) == ({"a": None, "b": None}, [])
    assert ran.codes["b"] == "ROLLED_BACK"
    assert ran.codes["a"] == "TRANSACTION_CONFLICT"
    assert ran.response.cause is not None
    assert ran.response.cause.__cause__ is faults[4 * (most - 1) + 1]


def test_attempts_are_counted_for_each_transaction(mutate: Mutate) -> None:
    # begin add rollback sleep | begin add commit | begin add rollback sleep | begin add commit
    faults = {1: database_error("40001"), 8: database_error("40P01")}
    ran = mutate(TWO, faults=faults, limits={**BY_FIELD, "max_attempts": 2})
    assert (ran.data, ran.committed) == ({"a": 1, "b": 2}, [1, 2])
    assert ran.trace.count("sleep") == 2


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("limits", [{}, BY_FIELD], ids=["in one transaction", "by field"])
def test_a_commit_that_nobody_can_tell_of_is_not_repeated(
    mutate: Mutate, applied: bool, limits: dict[str, Any]
) -> None:
    at = 2 if limits else 3
    ran = mutate(TWO, faults={at: database_error("08007")}, limits=limits, lost_commits_count=applied)
    assert ran.codes["a"] == "OUTCOME_UNKNOWN"
    assert ran.data["a"] is None
    assert ran.outcome is Outcome.DATA_AND_ERRORS
    assert not any("sleep" in word for word in ran.trace)
    assert ran.committed.count(1) == applied
    assert ran.response.cause is not None
    if not limits:
        assert ran.codes["b"] == "OUTCOME_UNKNOWN"


def test_only_a_commit_is_unknown(mutate: Mutate) -> None:
    """A function in the database may raise what it likes: it was rolled back."""
    ran = mutate(TWO, faults={2: database_error("08007")})
    assert ran.trace[-1] == "rollback"
    assert (ran.outcome, ran.committed) == (Outcome.UNAVAILABLE, [])


@pytest.mark.parametrize("sqlstate", ["08001", "08006", "53300", "57P01", "57P03"])
def test_a_database_that_is_away(mutate: Mutate, sqlstate: str) -> None:
    ran = mutate(TWO, faults={0: database_error(sqlstate)})
    assert ran.trace == ["begin"], "a handle that was never given is not rolled back"
    assert ran.outcome is Outcome.UNAVAILABLE
    (error,) = ran.json["errors"]
    assert error["extensions"] == {"code": "DATABASE_UNAVAILABLE", "requestId": "request-1"}
    assert ran.response.cause is not None


def test_a_connection_that_is_lost_again_and_again(mutate: Mutate) -> None:
    faults = {4 * attempt + 1: database_error("08006") for attempt in range(5)}
    ran = mutate(TWO, faults=faults)
    assert ran.trace.count("begin") == 5
    assert (ran.outcome, ran.committed) == (Outcome.UNAVAILABLE, [])
    assert ran.codes == {"": "DATABASE_UNAVAILABLE"}


def test_a_database_that_goes_away_between_two_transactions(mutate: Mutate) -> None:
    """What was applied is told as such: `Outcome.UNAVAILABLE` is for requests of which nothing was."""
    ran = mutate(TWO, faults={3: database_error("08001")}, limits=BY_FIELD)
    assert (ran.outcome, ran.data) == (Outcome.DATA_AND_ERRORS, {"a": 1, "b": None})
    assert ran.codes == {"b": "DATABASE_UNAVAILABLE"}
    assert ran.committed == [1]


FAULTS = st.dictionaries(
    st.integers(0, 25),
    st.sampled_from(
        [
            *map(database_error, ("40001", "40P01", "08006", "08001", "53300", "23505", "P0001", "22P02", "57014")),
            RequestError("No.", code="NO"),
            ValueError("a bug"),
        ]
    ),
    max_size=8,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    faults=FAULTS,
    unknown=st.sets(st.integers(0, 25), max_size=2),
    counts=st.booleans(),
    by_field=st.booleans(),
    keys=st.lists(st.sampled_from("abcd"), unique=True, min_size=1),
)
def test_what_is_told_is_what_was_applied(
    mutate: Mutate, faults: Any, unknown: set[int], counts: bool, by_field: bool, keys: list[str]
) -> None:
    """Whatever happens at whichever point: exactly what has data was applied, once; what is unknown at most once."""
    query = "mutation {" + " ".join(f"{key}: tryAdd(amount: {ord(key)})" for key in keys) + "}"
    # Only a COMMIT can be left unanswered in this way: find out which effects those are.
    while True:
        ran = mutate(query, faults=faults, limits=BY_FIELD if by_field else {}, lost_commits_count=counts)
        commits = [at for at, word in enumerate(ran.trace) if word == "commit" and at in unknown]
        left = [at for at in commits if at not in faults]
        if not left:
            break
        faults = {**faults, left[0]: database_error("08007")}
    for key in keys:
        applied, code = ran.committed.count(ord(key)), ran.codes.get(key, ran.codes.get(""))
        if code is None:
            assert (applied, ran.data[key]) == (1, ord(key))
        elif code == "OUTCOME_UNKNOWN":
            assert applied <= 1
        else:
            assert applied == 0
            assert ran.data is None or ran.data[key] is None
    if not by_field:
        assert ran.committed in ([], list(map(ord, keys)))

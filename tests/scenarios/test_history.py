"""The checker of histories finds every kind of lie: made-up histories, true ones and false ones."""

from __future__ import annotations

import pytest

from scenarios.history import Attempt, Told, told_by, violations

DONE, FAILED, UNKNOWN, REFUSED, AWAY = Told.DONE, Told.FAILED, Told.UNKNOWN, Told.REFUSED, Told.AWAY


def one(told: Told, key: str | None = None, answer: bytes | None = None) -> Attempt:
    return Attempt(("a",), (told,), key, answer=answer)


def two(first: Told, second: Told, *, is_whole: bool = True) -> Attempt:
    return Attempt(("a", "b"), (first, second), is_whole=is_whole)


@pytest.mark.parametrize(
    ("attempts", "ledger"),
    [
        ([one(DONE)], {"a": 1}),
        ([one(FAILED)], {}),
        ([one(UNKNOWN)], {}),
        ([one(UNKNOWN)], {"a": 1}),
        ([one(UNKNOWN, "k"), one(DONE, "k")], {"a": 1}),
        ([one(FAILED, "k"), one(DONE, "k")], {"a": 1}),
        ([one(UNKNOWN, "k"), one(FAILED, "k")], {}),
        ([one(DONE, "k"), one(AWAY, "k")], {"a": 1}),
        ([one(UNKNOWN, "k"), one(AWAY, "k")], {"a": 1}),
        ([one(AWAY)], {}),
        ([one(DONE, "k", b"{}"), one(DONE, "k", b"{}")], {"a": 1}),
        ([two(DONE, DONE)], {"a": 1, "b": 1}),
        ([two(FAILED, FAILED)], {}),
        ([two(UNKNOWN, UNKNOWN)], {"a": 1, "b": 1}),
        ([two(DONE, FAILED, is_whole=False)], {"a": 1}),
        ([two(DONE, REFUSED)], {"a": 1, "b refused": 1}),
        ([two(UNKNOWN, UNKNOWN)], {"a": 1, "b refused": 1}),
        ([], {}),
    ],
)
def test_what_is_true(attempts: list[Attempt], ledger: dict[str, int]) -> None:
    assert violations(attempts, ledger) == []


@pytest.mark.parametrize(
    ("attempts", "ledger", "expected"),
    [
        ([one(DONE)], {}, "acknowledged, and lost"),
        ([one(DONE)], {"a": 2}, "applied 2 times"),
        ([one(UNKNOWN)], {"a": 2}, "applied 2 times"),
        ([one(FAILED)], {"a": 1}, "told to have failed, and applied"),
        ([one(AWAY)], {"a": 1}, "told to have failed, and applied"),
        ([one(UNKNOWN, "k"), one(DONE, "k")], {"a": 2}, "applied 2 times"),
        ([one(UNKNOWN, "k"), one(DONE, "k")], {}, "acknowledged, and lost"),
        ([one(DONE, "k"), one(FAILED, "k")], {"a": 1}, "told to have failed after it was acknowledged"),
        ([one(DONE, "k", b"1"), one(DONE, "k", b"2")], {"a": 1}, "two answers under one key"),
        ([one(UNKNOWN), one(DONE)], {"a": 1}, "tried again without an idempotency key"),
        ([two(DONE, DONE)], {"a": 1}, "acknowledged, and lost"),
        ([two(UNKNOWN, UNKNOWN)], {"b": 1}, "applied in part"),
        ([two(DONE, FAILED)], {"a": 1}, "applied in part"),
        ([two(FAILED, DONE, is_whole=False)], {"a": 1, "b": 1}, "told to have failed, and applied"),
        ([two(DONE, REFUSED)], {"a": 1}, "told to be refused, and not so"),
        ([two(DONE, REFUSED)], {"a": 1, "b": 1}, "told to be refused, and not so"),
        ([two(DONE, FAILED)], {"a": 1, "b refused": 1}, "told to have failed, and applied"),
        ([one(UNKNOWN)], {"a": 1, "a refused": 1}, "applied 2 times"),
        ([one(REFUSED, "k"), one(FAILED, "k")], {"a refused": 1}, "told to have failed after it was acknowledged"),
        ([], {"a": 1}, "nobody has asked for it"),
    ],
)
def test_what_is_false(attempts: list[Attempt], ledger: dict[str, int], expected: str) -> None:
    assert any(expected in each for each in violations(attempts, ledger))


def error(code: str, *path: str) -> dict[str, object]:
    return {"message": "", "extensions": {"code": code}, **({"path": list(path)} if path else {})}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, (UNKNOWN, UNKNOWN)),
        ({"data": {"a": 1, "b": {"status": "updated"}}}, (DONE, DONE)),
        ({"data": {"a": {"code": "FAILED"}, "b": 1}}, (REFUSED, DONE)),
        ({"errors": [error("ROLLED_BACK", "b")], "data": {"a": {"code": "FAILED"}, "b": None}}, (FAILED, FAILED)),
        ({"data": {"a": {"code": "UNIQUE_VIOLATION"}, "b": 1}}, (FAILED, DONE)),
        ({"errors": [error("DATABASE_UNAVAILABLE")]}, (AWAY, AWAY)),
        ({"errors": [error("ROLLED_BACK", "b")], "data": {"a": {"code": "TRANSACTION_CONFLICT"}}}, (AWAY, FAILED)),
        ({"errors": [error("X", "a"), error("ROLLED_BACK", "b")], "data": {"a": None, "b": None}}, (FAILED, FAILED)),
        ({"errors": [error("OUTCOME_UNKNOWN", "b")], "data": {"a": 1, "b": None}}, (DONE, UNKNOWN)),
        ({"errors": [error("X", "b")], "data": None}, (UNKNOWN, FAILED)),
    ],
)
def test_what_an_answer_tells(answer: object, expected: tuple[Told, ...]) -> None:
    assert told_by(answer, ["a", "b"]) == expected

"""What clients were told of their writes, held against what is in the tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

__all__ = ["Attempt", "Told", "told_by", "violations"]


class Told(Enum):
    """What a client knows of one of its writes after an attempt."""

    DONE = auto()
    FAILED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request, or one of several for the same mutation.

    Attributes:
        tokens: one for each write, which is in the ledger as often as that was applied.
        told: of each of them.
        key: the idempotency key; None where there is none.
        is_whole: whether all of its writes are one transaction.
        answer: the body, where there was one.
    """

    tokens: tuple[str, ...]
    told: tuple[Told, ...]
    key: str | None = None
    is_whole: bool = True
    answer: bytes | None = None


# Of errors in an answer: after these nobody can tell. All others say that nothing was done.
_UNKNOWN = ("OUTCOME_UNKNOWN",)


def told_by(answer: Any, keys: Sequence[str]) -> tuple[Told, ...]:
    """What an answer tells of root fields: each is one write.

    Args:
        answer: the body; None where none came.
        keys: the response keys.
    """
    if answer is None:
        return (Told.UNKNOWN,) * len(keys)
    errors = {error["path"][0] if error.get("path") else None: error["extensions"]["code"] for error in _errors(answer)}
    data = answer.get("data")
    # A null that has risen to `data` hides what else was done.
    left = Told.UNKNOWN if "data" in answer and data is None else Told.FAILED
    return tuple(_told((data or {}).get(key), errors.get(key, errors.get(None)), left) for key in keys)


def _errors(answer: Any) -> list[Any]:
    found: list[Any] = answer.get("errors", [])
    return found


def _told(value: Any, code: str | None, left: Told) -> Told:
    if code is not None:
        return Told.UNKNOWN if code in _UNKNOWN else Told.FAILED
    if isinstance(value, dict) and "code" in value:  # the union's error member
        return Told.FAILED
    return left if value is None else Told.DONE


def violations(attempts: Iterable[Attempt], ledger: Mapping[str, int]) -> list[str]:
    """What is wrong; empty where all that clients were told is true.

    Args:
        ledger: how often each token is in it.
    """
    found: list[str] = []
    by_tokens: dict[tuple[str, ...], list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_tokens[attempt.tokens].append(attempt)
    for tokens, same in by_tokens.items():
        if len(same) > 1 and any(attempt.key is None for attempt in same):
            found.append(f"{tokens}: tried again without an idempotency key")
        found += _of_one(tokens, same, ledger)
    unknown = ledger.keys() - {token for tokens in by_tokens for token in tokens}
    return found + [f"{token}: nobody has asked for it" for token in sorted(unknown)]


def _of_one(tokens: tuple[str, ...], same: list[Attempt], ledger: Mapping[str, int]) -> list[str]:
    found: list[str] = []
    for index, token in enumerate(tokens):
        times, told = ledger.get(token, 0), Counter(attempt.told[index] for attempt in same)
        if times > 1:
            found.append(f"{token}: applied {times} times")
        if told[Told.DONE] and not times:
            found.append(f"{token}: acknowledged, and lost")
        if not told[Told.DONE] and not told[Told.UNKNOWN] and times:
            found.append(f"{token}: told to have failed, and applied")
        # Told of the key's own transaction: that it failed once, and is acknowledged later, is no contradiction; that
        # it is told to have failed after it was acknowledged is.
        sequence = [attempt.told[index] for attempt in same]
        if Told.DONE in sequence and Told.FAILED in sequence[sequence.index(Told.DONE) :]:
            found.append(f"{token}: told to have failed after it was acknowledged")
    if all(attempt.is_whole for attempt in same) and len({ledger.get(token, 0) > 0 for token in tokens}) > 1:
        found.append(f"{tokens}: applied in part")
    done = {a.answer for a in same if a.answer is not None and all(told is Told.DONE for told in a.told)}
    if len(done) > 1:
        found.append(f"{tokens}: two answers under one key")
    return found

"""What clients were told of their writes, held against what is in the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

__all__ = ["REFUSED", "Attempt", "Told", "told_by", "violations"]


REFUSED = " refused"
"""What the ledger has behind the token of a write that was refused."""


class Told(Enum):
    """What a client knows of one of its writes after an attempt."""

    DONE = auto()
    REFUSED = auto()
    """By an error member: the transaction was committed all the same, and the ledger has the token as refused."""
    FAILED = auto()
    AWAY = auto()
    """This attempt did nothing, for no fault of the request: it says nothing of those before it."""
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
_UNKNOWN = ("OUTCOME_UNKNOWN", "REQUEST_TIMEOUT")


_AWAY = ("DATABASE_UNAVAILABLE", "TRANSACTION_CONFLICT")

# The codes that functions answer themselves; with any other one an error was raised, and all rolled back.
_BY_FUNCTION = ("VALIDATION", "FAILED")


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
    is_rolled_back = "ROLLED_BACK" in errors.values()
    told = [_told((data or {}).get(key), errors.get(key, errors.get(None)), left) for key in keys]
    return tuple(Told.FAILED if each is Told.REFUSED and is_rolled_back else each for each in told)


def _errors(answer: Any) -> list[Any]:
    found: list[Any] = answer.get("errors", [])
    return found


def _told(value: Any, code: str | None, left: Told) -> Told:
    if code is not None:
        return Told.UNKNOWN if code in _UNKNOWN else Told.AWAY if code in _AWAY else Told.FAILED
    if isinstance(value, dict) and "code" in value:  # the union's error member
        return Told.REFUSED if value["code"] in _BY_FUNCTION else _told(None, value["code"], left)
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
    asked = {token for tokens in by_tokens for token in tokens}
    strange = {token for token in ledger if token.removesuffix(REFUSED) not in asked}
    return found + [f"{token}: nobody has asked for it" for token in sorted(strange)]


def _of_one(tokens: tuple[str, ...], same: list[Attempt], ledger: Mapping[str, int]) -> list[str]:
    found: list[str] = []
    for index, token in enumerate(tokens):
        found += _of_token(token, [attempt.told[index] for attempt in same], ledger)
    committed = {ledger.get(token, 0) + ledger.get(token + REFUSED, 0) > 0 for token in tokens}
    if all(attempt.is_whole for attempt in same) and len(committed) > 1:
        found.append(f"{tokens}: applied in part")
    ends = {a.answer for a in same if a.answer is not None and set(a.told) <= {Told.DONE, Told.REFUSED}}
    if len(ends) > 1:
        found.append(f"{tokens}: two answers under one key")
    return found


def _of_token(token: str, told: list[Told], ledger: Mapping[str, int]) -> list[str]:
    """Args: what was told of it, attempt by attempt."""
    found: list[str] = []
    done, refused = ledger.get(token, 0), ledger.get(token + REFUSED, 0)
    if done + refused > 1:
        found.append(f"{token}: applied {done + refused} times")
    if Told.DONE in told and not done:
        found.append(f"{token}: acknowledged, and lost")
    if Told.REFUSED in told and not refused:
        found.append(f"{token}: told to be refused, and not so")
    if set(told) <= {Told.FAILED, Told.AWAY} and done + refused:
        found.append(f"{token}: told to have failed, and applied")
    # That it failed once and is acknowledged later is no contradiction: a failure leaves the key free.
    ends = [index for index, each in enumerate(told) if each in (Told.DONE, Told.REFUSED)]
    if ends and Told.FAILED in told[ends[0] :]:
        found.append(f"{token}: told to have failed after it was acknowledged")
    return found

"""One operation of a client's that may be a stream, and what may be told of it."""

from __future__ import annotations

import re
from typing import Any, Final

from fraiseql.testing.simulation.questions import Mistake, Question

__all__ = ["STREAMS", "Followed"]

STREAMS: Final = ("noted", "notes", "count")
"""Those of DOCUMENTS that are subscriptions."""

_NUMBER: Final = re.compile(r"e([0-9]+)")


class Followed:
    """One operation.

    Attributes:
        last: of a stream, the number that came last.
        results: how many came.
        failed: whether one was an error.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.last: int | None = None
        self.results = 0
        self.failed = False

    @property
    def is_stream(self) -> bool:
        """Whether several results may come."""
        return self.question.what in STREAMS

    def follow(self, payload: dict[str, Any], *, faults: bool) -> None:
        """Results of a stream come in order, none doubled, and of events none is left out; raises Mistake."""
        question, last = self.question, self.last
        if payload.get("errors"):
            if not faults:
                raise Mistake(f"{question.marker} is given an error: {payload}")
            self.failed = True
            self.last = None if last is None else last + 1
            return
        data = payload["data"][question.what]
        number = data if question.what == "count" else int(data[0]["id"]) if question.what == "notes" else _event(data)
        self.last = number
        if question.what == "notes":
            if last is not None and number < last:
                raise Mistake(f"{question.marker} shows {number} after {last}")
        elif number != (last + 1 if last is not None else 0 if question.what == "count" else number):
            raise Mistake(f"{question.marker} is given {number} after {last}")

    def end(self, *, faults: bool) -> None:
        """It is complete; raises Mistake where it cannot be."""
        question = self.question
        if question.what == "count" and self.last != question.size - 1 and not faults and not self.failed:
            raise Mistake(f"{question.marker} ends after {self.last}")
        if not self.is_stream and self.results != 1:
            raise Mistake(f"{question.marker} ends without an answer")


def _event(data: dict[str, Any]) -> int:
    found = _NUMBER.fullmatch(data["id"])
    if found is None or data["text"].split() != [data["id"]] * len(data["text"].split()):
        raise Mistake(f"no event is {data}")
    return int(found[1])

"""What a query may cost: its fields times the sizes of the pages that they are on, known before any SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.response import Outcome, Refusal

__all__ = ["Cost"]


class Cost:
    """The cost of a list, or of a whole operation: its rows times its fields and the lists inside each row.

    Attributes:
        rows: the most there are; 1 for an operation and for what is no list.
        place: of the parameter that says how many there are, among those of the statement; None for none.
        fields: of one row, those of its objects that are no lists of rows included.
        lists: inside one row.
        choices: inside one row, each of them several costs of which one is the row's.
    """

    __slots__ = ("choices", "fields", "lists", "place", "rows")

    def __init__(self) -> None:
        self.rows = 1
        self.place: int | None = None
        self.fields = 0
        self.lists: list[Cost] = []
        self.choices: list[list[Cost]] = []

    def of(self, values: Sequence[Any]) -> int:
        """For one request, by the values of its parameters."""
        row = self.fields
        for each in self.lists:
            row += each.of(values)
        for choice in self.choices:
            row += max(each.of(values) for each in choice)
        cost: int = row * (self.rows if self.place is None else values[self.place])
        return cost

    def at_most(self) -> int:
        """For any request."""
        chosen = sum(max(each.at_most() for each in choice) for choice in self.choices)
        return self.rows * (self.fields + sum(each.at_most() for each in self.lists) + chosen)

    def settle(self) -> None:
        """Count what no parameter decides, so that it need not be counted for each request."""
        undecided: list[Cost] = []
        for each in self.lists:
            each.settle()
            if each.place is None and not each.lists and not each.choices:
                self.fields += each.rows * each.fields
            elif each.place is None and each.rows == 1:
                self.fields += each.fields
                undecided += each.lists
                self.choices += each.choices
            else:
                undecided.append(each)
        self.lists = undecided
        self._settle_choices()

    def _settle_choices(self) -> None:
        undecided: list[list[Cost]] = []
        for choice in self.choices:
            for each in choice:
                each.settle()
            if any(each.lists or each.choices for each in choice):
                undecided.append(choice)
            else:
                self.fields += max(each.fields for each in choice)
        self.choices = undecided

    def check(self, values: Sequence[Any], limits: QueryLimits) -> None:
        """Raise Refusal, QUERY_TOO_COMPLEX, where a request costs too much."""
        cost = self.of(values)
        if cost > limits.max_cost:
            message = f"The query has a cost of {cost}, its fields times their pages; the limit is {limits.max_cost}."
            raise Refusal(Outcome.NOT_VALID, [RequestError(message, code="QUERY_TOO_COMPLEX")])

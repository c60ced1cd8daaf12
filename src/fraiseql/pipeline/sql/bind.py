"""Parameters: where each comes from in a request's variables, and its form in PostgreSQL's text format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.arguments import Leaf, Tree
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.numbers import json_text

__all__ = ["Binding", "Bindings", "encode", "misfits"]


@dataclass(frozen=True, slots=True)
class Binding:
    """One parameter.

    Attributes:
        get: its value, from the coerced variables; may raise RequestError.
        path: the response path of the field whose argument it is.
        argument: which one, as `where.id.eq`.
        blames: as of the operator: SQLSTATEs and source files that this value can be the cause of.
    """

    get: Callable[[Variables], Any]
    path: tuple[str, ...]
    argument: str
    blames: frozenset[tuple[str, str]] = frozenset()

    def misfit(self) -> RequestError:
        """The error for a value that PostgreSQL cannot read as its column's type."""
        message = f'The value of the argument "{self.argument}" does not fit the column that it is compared with.'
        return RequestError(message, code="BAD_USER_INPUT", path=self.path)


class Bindings:
    """Collects the bindings of one statement while it is rendered; each method gives the text for its value."""

    def __init__(self, limits: QueryLimits) -> None:
        self._limits = limits
        self._bindings: list[Binding] = []
        self._conditions = 0
        self._orders = 0

    def count_condition(self, path: tuple[str, ...], depth: int = 0) -> None:
        """Take note of one more condition, which may have no parameter, inside so many relations.

        Raises:
            Refusal: there are too many, or they nest too deep.
        """
        if depth > self._limits.max_depth:
            raise _too_complex(f"at least {depth} levels of relations", self._limits.max_depth, path)
        self._conditions += 1
        if self._conditions > self._limits.max_conditions:
            raise _too_complex(f"at least {self._conditions} conditions", self._limits.max_conditions, path)

    def count_order(self, path: tuple[str, ...], depth: int = 0, of: str = "relations") -> None:
        """Take note of one more relation that an order leads across, inside so many, itself counted; or of a search.

        Raises:
            Refusal: there are too many, or they nest too deep.
        """
        if depth > self._limits.max_depth:
            raise _too_complex(f"at least {depth} levels of relations", self._limits.max_depth, path, "orders")
        self._orders += 1
        if self._orders > self._limits.max_conditions:
            raise _too_complex(f"at least {self._orders} {of}", self._limits.max_conditions, path, "orders")

    def add(
        self,
        tree: Leaf,
        path: tuple[str, ...],
        argument: str,
        prepare: Callable[[Any], Any] | None,
        blames: frozenset[tuple[str, str]],
    ) -> str:
        """A value to compare with, as `prepare` makes it, whose ValueError is the client's mistake."""
        get = _at_path(tree.get, path) if tree.may_fail else tree.get
        if prepare is not None:
            get = _prepared(get, prepare, path, argument)
        return self._add(Binding(get, path, argument, blames))

    def several(
        self, tree: Leaf, path: tuple[str, ...], argument: str, read: Callable[[Any], list[Any]], count: int
    ) -> list[str]:
        """So many values that `read` takes out of one, whose ValueError is the client's mistake."""
        get = _prepared(tree.get, read, path, argument)
        return [self._add(Binding(_item(get, place), path, argument)) for place in range(count)]

    def __len__(self) -> int:
        return len(self._bindings)

    def limit(self, tree: Tree, path: tuple[str, ...], default: int, largest: int, argument: str = "limit") -> str:
        """A page's size: null means the default."""
        return self._page(tree, path, argument, default, largest)

    def offset(self, tree: Tree, path: tuple[str, ...]) -> str:
        """A page's start: null means 0."""
        return self._page(tree, path, "offset", 0, None)

    def taken(self) -> tuple[Binding, ...]:
        """All of them, in the order of their numbers."""
        return tuple(self._bindings)

    def _page(self, tree: Tree, path: tuple[str, ...], argument: str, default: int, largest: int | None) -> str:
        assert isinstance(tree, Leaf)
        get_value = tree.get

        def get(variables: Variables) -> int:
            value: int | None = get_value(variables)
            if value is None:
                return default
            if value < 0 or (largest is not None and value > largest):
                allowed = "must not be negative" if largest is None else f"must be between 0 and {largest}"
                message = f'The argument "{argument}" {allowed}; it is {value}.'
                raise RequestError(message, code="BAD_USER_INPUT", path=path)
            return value

        return self._add(Binding(get, path, argument))

    def _add(self, binding: Binding) -> str:
        self._bindings.append(binding)
        return f"${len(self._bindings)}"


def _too_complex(what: str, limit: int, path: tuple[str, ...], where: str = "filters") -> Refusal:
    message = f"The {where} of the query have {what}; the limit is {limit}."
    return Refusal(Outcome.NOT_VALID, [RequestError(message, code="QUERY_TOO_COMPLEX", path=path)])


def _prepared(
    get_value: Callable[[Variables], Any], prepare: Callable[[Any], Any], path: tuple[str, ...], argument: str
) -> Callable[[Variables], Any]:
    def get(variables: Variables) -> Any:
        try:
            return prepare(get_value(variables))
        except ValueError as error:
            message = f'The argument "{argument}" {error}.'
            raise RequestError(message, code="BAD_USER_INPUT", path=path) from None

    return get


def _at_path(get_value: Callable[[Variables], Any], path: tuple[str, ...]) -> Callable[[Variables], Any]:
    def get(variables: Variables) -> Any:
        try:
            return get_value(variables)
        except RequestError as error:
            raise RequestError(error.message, code=error.code, path=path) from None

    return get


def _item(get: Callable[[Variables], list[Any]], place: int) -> Callable[[Variables], Any]:
    return lambda variables: get(variables)[place]


def misfits(bindings: Sequence[Binding], error: DatabaseError) -> list[RequestError]:
    """What the client is told where the database refused one of its values: one error for each path in question.

    PostgreSQL names the parameter that it cannot read. A value that it reads and then refuses, as a regular
    expression, it does not name: it is one of those that can be the cause of such an error.
    """
    if error.parameter is not None:
        return [bindings[error.parameter - 1].misfit()] if error.parameter <= len(bindings) else []
    suspects: dict[tuple[str, ...], list[str]] = {}
    for binding in bindings:
        if (error.sqlstate, error.source_file) in binding.blames:
            suspects.setdefault(binding.path, []).append(f'"{binding.argument}"')
    count = sum(map(len, suspects.values()))
    who = "The value of the argument" if count == 1 else "The value of one of the arguments"
    return [
        RequestError(f"{who} {', '.join(names)} is not valid.", code="BAD_USER_INPUT", path=path)
        for path, names in suspects.items()
    ]


def encode(value: Any) -> bytes | None:
    """A coerced value in PostgreSQL's text format; None is NULL."""
    if type(value) is int:  # most are numbers or texts
        return b"%d" % value
    if isinstance(value, str):
        return value.encode()
    if value is None:
        return None
    return (_array(value) if isinstance(value, list) else _scalar(value)).encode()


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return value if isinstance(value, str) else json_text(value)


def _array(values: list[Any]) -> str:
    """An array literal: every element quoted but NULL, `"` and the backslash escaped (PostgreSQL §8.15.6)."""
    items = []
    for value in values:
        if value is None:
            items.append("NULL")
        elif isinstance(value, list):
            items.append(_array(value))
        else:
            escaped = _scalar(value).replace("\\", "\\\\").replace('"', '\\"')
            items.append(f'"{escaped}"')
    return "{" + ",".join(items) + "}"

"""The statements of one plan: for its root fields, and for rows that keys name or that are given.

Each is kept by the shape of the variables, so that a request whose like was seen before only looks it up and binds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from fraiseql.errors import RequestError
from fraiseql.payloads import encode_number
from fraiseql.pipeline.computed.roots import GivenRows, GiveRows
from fraiseql.pipeline.computed.selections import fetched_root
from fraiseql.pipeline.document import Operation
from fraiseql.pipeline.places import inner_places, row_places
from fraiseql.pipeline.plan import RootField, Selection
from fraiseql.pipeline.planning import Planning
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.pipeline.sql import BoundStatement, render, render_given, render_keyed, render_shown
from fraiseql.pipeline.sql.bind import encode
from fraiseql.pipeline.variables import Variables, shape_of
from fraiseql.schema.model import Field

__all__ = ["Statements"]


class Statements:
    """Makes them, and binds their parameters.

    Args:
        operation: whose variables they take.
        roots: the root fields that one statement serves, as SQL is asked for them.
        is_given: whether that shows rows that it is given, those of events or of a resolver; there is one root then.
    """

    __slots__ = ("_is_given", "_planning", "_roots", "_shapes")

    def __init__(self, planning: Planning, operation: Operation, roots: Sequence[RootField], *, is_given: bool) -> None:
        self._planning = planning
        self._roots = tuple(roots)
        self._is_given = is_given
        shapes = [(name, shape_of(declared)) for name, declared in operation.types.items()]
        self._shapes = [(name, shape) for name, shape in shapes if shape is not None]

    def of_roots(self, variables: Variables, *, checking: bool = False) -> BoundStatement:
        """The statement for the root fields, or the one that finds what does not fit; raises Refusal."""
        place = self._place((self, checking), variables)
        statement = self._planning.statements.get(place)
        if statement is None:
            if self._is_given:
                make = partial(render_given, root=self._roots[0], checking=checking)
            else:
                make = partial(render, roots=self._roots, checking=checking)
            statement = self._make(place, variables, make)
        return statement

    def of_keys(
        self, selection: Selection, key: Field, variables: Variables, *, checking: bool = False
    ) -> BoundStatement:
        """The statement that shows a selection of the rows that keys name.

        Args:
            selection: one of the plan's own: its statements are kept for this very one.
            checking: for the one that finds what does not fit.

        Raises:
            Refusal: an argument does not fit, or it costs too much.
        """
        make = partial(render_keyed, selection=selection, key=key, checking=checking)
        return self._kept((selection, checking), variables, make)

    def of_rows(self, selection: Selection, variables: Variables) -> BoundStatement:
        """The statement that shows a selection of rows that it is given; as `of_keys`."""
        return self._kept((selection, "rows"), variables, partial(render_shown, selection=selection))

    def given_rows(self, root: RootField, variables: Variables) -> Mapping[int, GiveRows]:
        """What serves the relations below what a function in Python gives, by the identity of a selection.

        Raises:
            Refusal: an argument does not fit.
        """
        given: dict[int, GiveRows] = {}
        for place in row_places(root.selection):
            rows = self._given_rows(root, place, variables)  # and with them the arguments of all places inside
            given[id(place)] = partial(_same, rows)
            for inner in inner_places(place):
                given[id(inner)] = partial(self._given_rows, root, inner, variables)
        return given

    def _given_rows(self, root: RootField, place: Selection, variables: Variables) -> GivenRows:
        bound = self._of_given(root, place, variables)
        checking = partial(self._of_given, root, place, variables, checking=True)
        parameters = self.bind(bound, variables)
        return GivenRows(bound.statement, parameters, bound.bindings, lambda: checking().statement)

    def _of_given(
        self, root: RootField, place: Selection, variables: Variables, *, checking: bool = False
    ) -> BoundStatement:
        # The rows of a place have no arguments of their own.
        shown = fetched_root(self._planning.model, replace(root, selection=place), is_native=True)
        return self._kept((place, "given", checking), variables, partial(render_given, root=shown, checking=checking))

    def _kept(
        self, key: tuple[Hashable, ...], variables: Variables, make: Callable[..., BoundStatement]
    ) -> BoundStatement:
        place = self._place(key, variables)
        return self._planning.statements.get(place) or self._make(place, variables, make)

    def _place(self, key: tuple[Hashable, ...], variables: Variables) -> Hashable:
        """The key of a statement for the shape of the variables."""
        return (*key, *[shape(variables[name]) if name in variables else ... for name, shape in self._shapes])

    def _make(self, place: Hashable, variables: Variables, make: Callable[..., BoundStatement]) -> BoundStatement:
        """Make a statement and keep it; raises Refusal."""
        planning = self._planning
        try:
            statement = make(
                model=planning.model, graphql_schema=planning.schema, variables=variables, limits=planning.limits
            )
        except RequestError as error:
            raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
        planning.statements.put(place, statement, len(statement.statement.sql))
        return statement

    def bind(self, statement: BoundStatement, variables: Variables) -> tuple[bytes | None, ...]:
        """The parameters of one request; raises Refusal where a value is out of its range, or its pages too large."""
        values = _values(statement, variables)
        if statement.cost is not None:
            statement.cost.check(values, self._planning.limits)
        return tuple(map(encode, values))

    def bind_keys(
        self, statement: BoundStatement, variables: Variables, keys: Sequence[str]
    ) -> tuple[bytes | None, ...]:
        """The parameters of a statement that `of_keys` gave; raises Refusal."""
        return self._bind_many(statement, variables, len(keys), orjson.dumps(list(keys)))

    def bind_rows(
        self, statement: BoundStatement, variables: Variables, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[bytes | None, ...]:
        """The parameters of a statement that `of_rows` gave; raises Refusal."""
        return self._bind_many(statement, variables, len(rows), orjson.dumps(list(rows), default=encode_number))

    def _bind_many(
        self, statement: BoundStatement, variables: Variables, count: int, many: bytes
    ) -> tuple[bytes | None, ...]:
        values = _values(statement, variables)
        if statement.cost is not None:
            statement.cost.check([*values, count], self._planning.limits)
        return (*map(encode, values), many)


def _same(rows: GivenRows) -> GivenRows:
    return rows


def _values(statement: BoundStatement, variables: Variables) -> list[Any]:
    try:
        return [binding.get(variables) for binding in statement.bindings]
    except RequestError as error:
        raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None

"""What serving one field of a mutation has at hand: its arguments, its transaction, and the rows of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLObjectType

from fraiseql.context import Caller
from fraiseql.effects import Program, Row, Settings, Statement, fetch
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.arguments import Tree, given_arguments, value_of
from fraiseql.pipeline.misfits import Checks, may_be_misfit
from fraiseql.pipeline.plan import RootField, Selection
from fraiseql.pipeline.planning import Planning
from fraiseql.pipeline.prepared import Plan
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import Field, MutationField

__all__ = ["Asking", "Serving", "read_trees"]


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """Who asks for which mutation.

    Attributes:
        variables: coerced.
        settings: what PostgreSQL is told of the caller.
        hint: entries for the `extensions` of masked errors, the request's id.
    """

    planning: Planning
    plan: Plan
    request: GraphQLRequest
    variables: Variables
    caller: Caller
    settings: Settings
    hint: Mapping[str, Any]


class Serving:
    """One root field of a mutation while it is served.

    Attributes:
        asking: who asks for which mutation.
        root: the field as SQL is asked for it: with what computed fields need.
        trees: its present arguments, by their GraphQL names.
        transaction: what Begin gave.
        checks: what was found not to fit, once a row had to be read by a checking statement.
    """

    __slots__ = ("asking", "checks", "root", "transaction", "trees")

    def __init__(self, asking: Asking, root: RootField, trees: Mapping[str, Tree], transaction: Any) -> None:
        self.asking = asking
        self.root = root
        self.trees = trees
        self.transaction = transaction
        self.checks: Checks | None = None

    @property
    def field(self) -> MutationField:
        """What is served."""
        assert isinstance(self.root.field, MutationField)
        return self.root.field

    @property
    def path(self) -> tuple[str, ...]:
        """Of the field in the response."""
        return (self.root.key,)

    @property
    def access(self) -> DatabaseAccess:
        """The database for what is called: all of it goes through the transaction."""
        return DatabaseAccess(self.asking.planning.finder, lambda: self.asking.settings, self.transaction)

    def arguments(self) -> dict[str, Any]:
        """The values of the present arguments, as the database takes them: input objects are dicts by GraphQL names."""
        return {name: value_of(tree, self.asking.variables) for name, tree in self.trees.items()}

    def fetch(self, statement: Statement, parameters: Sequence[bytes | None], *, guarded: bool = False) -> Program[Row]:
        """Run a statement in the transaction, as the caller; raises DatabaseError."""
        return fetch(
            statement,
            tuple(parameters),
            settings=self.asking.settings,
            transaction=self.transaction,
            guarded=guarded,
        )

    def rows_by_key(self, selection: Selection, key: Field, keys: Sequence[str]) -> Program[list[bytes | None]]:
        """The JSON of a selection for the row of each key, in their order; None where there is no such row.

        Args:
            selection: of a type with a source, as `root` has it at some place: statements are kept for this very one.
            key: a scalar field of that type, which tells its rows apart.
            keys: its values, in PostgreSQL's text format.

        Raises:
            DatabaseError: the statement failed.
            Refusal: an argument inside of the selection does not fit, or it costs too much.
        """
        if not keys:
            return []
        asking = self.asking
        bound = asking.plan.statements.of_keys(selection, key, asking.variables)
        parameters = asking.plan.statements.bind_keys(bound, asking.variables, keys)
        try:
            (text,) = yield from self.fetch(bound.statement, parameters, guarded=True)
        except DatabaseError as error:
            if not may_be_misfit(error, bound.bindings):
                raise
            checking = asking.plan.statements.of_keys(selection, key, asking.variables, checking=True)
            (text,) = yield from self.fetch(checking.statement, parameters)
            self.checks = self.checks or Checks(asking.planning.model, asking.hint)
        return [None if each is None else each.encode() for each in orjson.loads(text or b"[]")]

    def rows_shown(self, selection: Selection, rows: Sequence[Mapping[str, Any]]) -> Program[list[bytes | None]]:
        """The JSON of a selection for rows that are given, and need not be there any more, in their order.

        Args:
            selection: of a type with a source, as `root` has it at some place.
            rows: objects of columns and values.

        Raises:
            DatabaseError: the statement failed.
            Refusal: an argument inside of the selection does not fit, or it costs too much.
        """
        if not rows:
            return []
        asking = self.asking
        bound = asking.plan.statements.of_rows(selection, asking.variables)
        parameters = asking.plan.statements.bind_rows(bound, asking.variables, rows)
        (text,) = yield from self.fetch(bound.statement, parameters)
        return [None if each is None else each.encode() for each in orjson.loads(text or b"[]")]


def read_trees(planning: Planning, root: RootField, variables: Variables) -> dict[str, Tree]:
    """The present arguments of a root field; raises Refusal where one does not fit."""
    owner = planning.schema.type_map[root.owner]
    assert isinstance(owner, GraphQLObjectType)
    try:
        return given_arguments(owner.fields[root.name].args, root.arguments, variables, (root.key,))
    except RequestError as error:
        raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None

"""What the operations of a pipeline share: the schema, the limits, and what is kept of one for the next."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from graphql import GraphQLSchema

from fraiseql.context import Caller
from fraiseql.effects import Settings
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.database_errors import Constraints, constraints_cache
from fraiseql.pipeline.finding import Finder
from fraiseql.pipeline.sql import BoundStatement
from fraiseql.schema.model import SchemaModel

__all__ = ["Planning"]

_MAX_SQL_BYTES: Final = 4_194_304  # of all statements kept


@dataclass(frozen=True, slots=True, eq=False)
class Planning:
    """What the operations of a pipeline share.

    Attributes:
        model: what is asked for.
        schema: the same for graphql-core.
        statements: kept by plan and the shape of its variables.
        constraints: the columns of constraints that were violated.
        finder: makes the selections that Python code asks for.
    """

    model: SchemaModel
    schema: GraphQLSchema
    limits: QueryLimits
    statements: Cache[Hashable, BoundStatement]
    constraints: Constraints
    finder: Finder

    @classmethod
    def begin(cls, model: SchemaModel, schema: GraphQLSchema, limits: QueryLimits) -> Planning:
        """With nothing kept yet."""
        statements: Cache[Hashable, BoundStatement] = Cache(limits.max_cached_statements, _MAX_SQL_BYTES)
        return cls(model, schema, limits, statements, constraints_cache(), Finder(model, limits))

    def access(self, caller: Caller, transaction: Any = None) -> DatabaseAccess:
        """The database for what is called in one operation of a caller."""
        return DatabaseAccess(self.finder, partial(_settings, self.model, caller), transaction)


def _settings(model: SchemaModel, caller: Caller) -> Settings:
    return () if model.database_context is None else model.database_context.settings_of(caller)

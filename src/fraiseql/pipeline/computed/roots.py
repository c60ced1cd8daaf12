"""Root fields that Python serves: how their functions are called, and how what these give is shown.

A value is projected in Python. Where relations are selected that it does not hold, it is shown by a statement of its
own instead, whose rows the values are; and so are the objects inside of it that do not hold theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import orjson
from graphql import GraphQLObjectType, GraphQLSchema

from fraiseql.context import Caller
from fraiseql.effects import Program, ResolverCall, Row, Statement, call_all
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.arguments import given_arguments, python_object, value_of
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.plan import RootField, Selection
from fraiseql.pipeline.project import project
from fraiseql.pipeline.records import lacks_relations, record_of, without_relations
from fraiseql.pipeline.sql.bind import Binding
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.functions import is_coroutine_function
from fraiseql.schema.model import MutationField, QueryField, Resolver, SchemaModel, SubscriptionField, SubscriptionKind

__all__ = [
    "FetchGiven",
    "GiveRows",
    "GivenRows",
    "Served",
    "call_resolver",
    "is_called",
    "python_arguments",
    "root_call",
    "show",
]


@dataclass(frozen=True, slots=True, eq=False)
class GivenRows:
    """The statement that shows Python values as rows of their type's source; the last parameter is these.

    Attributes:
        parameters: all others.
        bindings: where each of those comes from.
        checking: makes the statement that finds what does not fit, for the same parameters.
    """

    statement: Statement
    parameters: tuple[bytes | None, ...]
    bindings: tuple[Binding, ...]
    checking: Callable[[], Statement]


GiveRows: TypeAlias = Callable[[], GivenRows]
"""Makes it, where that is not done yet: few values hold relations, and lack those below."""


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """What stands for the value of a root field.

    Attributes:
        value: its JSON text, or what a Resolution took.
        checks: where the value is of the checking statement.
    """

    value: Any
    checks: Checks | None = None


FetchGiven: TypeAlias = "Callable[[GivenRows, bytes], Program[tuple[Row, Checks | None]]]"
"""Runs the statement for given rows, and where values may not fit, the checking one; raises DatabaseError."""


def is_called(field: QueryField | MutationField | SubscriptionField | None) -> bool:
    """Whether a function in Python serves a root field."""
    if isinstance(field, SubscriptionField):
        return field.kind is SubscriptionKind.RESOLVER
    return field is not None and _resolver(field) is not None


def python_arguments(
    model: SchemaModel, schema: GraphQLSchema, root: RootField, variables: Variables
) -> dict[str, Any]:
    """The present arguments of a root field as Python objects, by their parameters' names; raises RequestError."""
    owner = schema.type_map[root.owner]
    assert isinstance(owner, GraphQLObjectType)
    assert root.field is not None
    given = given_arguments(owner.fields[root.name].args, root.arguments, variables, (root.key,))
    return {
        argument.target: python_object(model, argument.type, value_of(given[name], variables))
        for name, argument in root.field.arguments.items()
        if name in given
    }


def root_call(
    model: SchemaModel,
    schema: GraphQLSchema,
    root: RootField,
    variables: Variables,
    caller: Caller,
    access: DatabaseAccess | None,
) -> ResolverCall:
    """The call of the function behind a field of Query or Mutation; raises RequestError.

    What is not given and has no default is None: a parameter cannot be absent.
    """
    field = root.field
    assert isinstance(field, (QueryField, MutationField))
    resolver = _resolver(field)
    assert resolver is not None
    named: dict[str, Any] = dict.fromkeys(argument.target for argument in field.arguments.values())
    named.update(python_arguments(model, schema, root, variables))
    blocks = not is_coroutine_function(resolver.function)
    return ResolverCall(resolver.function, (), named, resolver.takes_info, field.name, caller, access, blocks)


def call_resolver(call: ResolverCall) -> Program[Any]:
    """Make one call and return what it gives; raises what it raises."""
    (result,) = yield from call_all((call,), 1)
    if isinstance(result, Exception):
        raise result
    return result


def show(
    resolution: Resolution,
    model: SchemaModel,
    root: RootField,
    value: Any,
    given: Mapping[int, GiveRows],
    fetch_given: FetchGiven,
) -> Program[Served]:
    """What stands for the value that a root field's function gave; `resolution` computes its fields when it runs next.

    Args:
        given: what serves relations below it: of itself, or of objects inside of it, by the identity of a selection.

    Raises:
        DatabaseError: the database is not available.
    """
    if isinstance(value, Exception):
        return Served(resolution.take_failure(root, value))
    selection = root.selection
    assert root.field is not None
    is_list = root.field.type.item is not None
    values = (value if isinstance(value, (list, tuple)) else ()) if is_list else (value,)
    rows = [each for each in values if each is not None]
    if selection is None or id(selection) not in given or not _lack(selection, rows):
        parts = resolution.take_parts(root, value, given)
        return Served(parts, (yield from resolution.serve(given, fetch_given)))
    own = replace(root, selection=without_relations(selection))
    _, errors, cause = project(model, own, value, resolution.hint)
    if errors:
        return Served(resolution.take_misfits(errors, cause))
    try:
        records = b"[" + b",".join(record_of(model, selection, row) for row in rows) + b"]"
        row, checks = yield from fetch_given(given[id(selection)](), records)
    except Exception as error:  # a property of a value is a user's code
        if isinstance(error, DatabaseError) and error.unavailable:
            raise
        return Served(resolution.take_failure(root, error))
    shown = iter(orjson.loads(row[0] or b""))
    texts = ["null" if each is None else next(shown) for each in values]
    text = f"[{','.join(texts)}]" if is_list else texts[0]
    check = None if checks is None else checks.check
    return Served(resolution.take_text(root, text.encode(), value, check), checks)


def _lack(selection: Selection, rows: list[Any]) -> bool:
    try:
        return any(lacks_relations(selection, row) for row in rows)
    except Exception:  # a property's, which the projection meets again
        return False


def _resolver(field: QueryField | MutationField) -> Resolver | None:
    if isinstance(field, QueryField):
        return field.resolver
    return field.action if isinstance(field.action, Resolver) else None

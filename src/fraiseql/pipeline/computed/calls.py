"""The calls of the methods that compute fields: with what, one for each object or one for all, and what they gave."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from graphql import GraphQLObjectType, GraphQLSchema, print_ast

from fraiseql.context import Caller
from fraiseql.effects import ResolverCall
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.arguments import given_arguments, python_object, value_of
from fraiseql.pipeline.computed.slot import Place, Slot, field_of, place_of, resolver_of
from fraiseql.pipeline.plan import SelectedField
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import ObjectType, SchemaModel

__all__ = ["Arguments", "calls_of", "grouped", "read_arguments", "values_of"]

Arguments: TypeAlias = Mapping[Place, Mapping[str, Any]]
"""Of each selected field: what its method is called with, by name."""


def read_arguments(
    model: SchemaModel,
    schema: GraphQLSchema,
    computed: Sequence[tuple[ObjectType, SelectedField]],
    variables: Variables,
) -> Arguments:
    """Read the arguments of computed fields; raises RequestError.

    What is not given and has no default is None: a parameter cannot be absent.
    """
    found: dict[Place, Mapping[str, Any]] = {}
    for owner, selected in computed:
        declared_type = schema.type_map[owner.name]
        assert isinstance(declared_type, GraphQLObjectType)
        field = field_of(selected)
        args = declared_type.fields[field.name].args
        given = given_arguments(args, selected.arguments, variables, selected.path)
        named = {argument.target: None for argument in field.arguments.values()}
        for name, tree in given.items():
            argument = field.arguments[name]
            named[argument.target] = python_object(model, argument.type, value_of(tree, variables))
        found[place_of(owner, selected)] = named
    return found


def grouped(slots: list[Slot]) -> list[list[Slot]]:
    """The slots of each call: one, or all of a batch."""
    groups: list[list[Slot]] = []
    batches: dict[Hashable, list[Slot]] = {}
    by_place: dict[Place, list[Slot]] = {}
    for slot in slots:
        if not resolver_of(slot.selected).is_batch:
            groups.append([slot])
            continue
        place = place_of(slot.owner, slot.selected)
        batch = by_place.get(place)
        if batch is None:
            batch = by_place[place] = batches.setdefault(_call_key(slot.selected), [])
            if not batch:
                groups.append(batch)
        batch.append(slot)
    return groups


def _call_key(selected: SelectedField) -> Hashable:
    """Equal for the members of an abstract type whose objects one call serves: they have the method of an interface."""
    written = sorted((name, print_ast(node)) for name, node in selected.arguments.items())
    return resolver_of(selected).function, selected.path, *written


def values_of(group: list[Slot], result: Any) -> Sequence[Any]:
    """The value or the Exception of each slot of a call."""
    selected = group[0].selected
    if not resolver_of(selected).is_batch:
        return (result,)
    if isinstance(result, Exception):
        return (result,) * len(group)
    where = f"{group[0].owner.name}.{field_of(selected).attribute}"
    if not isinstance(result, (list, tuple)):
        return (TypeError(f"{where} gave {type(result).__name__}, no list"),) * len(group)
    if len(result) != len(group):
        return (ValueError(f"{where} gave {len(result)} values for {len(group)} objects"),) * len(group)
    return result


def calls_of(
    groups: Sequence[list[Slot]], arguments: Arguments, caller: Caller, access: DatabaseAccess | None = None
) -> tuple[ResolverCall, ...]:
    """The call for each group."""
    return tuple(_call(group, arguments, caller, access) for group in groups)


def _call(group: list[Slot], arguments: Arguments, caller: Caller, access: DatabaseAccess | None) -> ResolverCall:
    selected = group[0].selected
    resolver = resolver_of(selected)
    given = [slot.instance for slot in group] if resolver.is_batch else group[0].instance
    named, name = arguments[place_of(group[0].owner, selected)], field_of(selected).name
    return ResolverCall(resolver.function, (given,), named, resolver.takes_info, name, caller, access)

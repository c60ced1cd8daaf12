"""What the methods of a type need of the object that they are called with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fraiseql.errors import SchemaError
from fraiseql.schema.model import AbstractType, Field, ObjectType, Resolver, SchemaModel

__all__ = ["check_arguments", "check_resolver", "held_fields", "needed_fields", "object_types"]


def needed_fields(model: SchemaModel, owner: ObjectType, resolver: Resolver) -> tuple[Field, ...]:
    """The fields of a type that a method of it reads."""
    if resolver.needs is None:
        return tuple(held_fields(model, owner, (owner.name,)))
    by_attribute = _by_attribute(owner)
    return tuple(by_attribute[attribute] for attribute in resolver.needs)


def held_fields(model: SchemaModel, owner: ObjectType, outer: tuple[str, ...]) -> Iterator[Field]:
    """The fields that an object holds, without objects of the types around it, which would never end."""
    for field in owner.fields.values():
        if field.is_held and not (isinstance(model.types[field.type.named], ObjectType) and field.type.named in outer):
            yield field


def object_types(model: SchemaModel, field: Field) -> Iterator[ObjectType]:
    """The types that an object in a field may be of; none for scalars and enums."""
    named = model.types[field.type.named]
    if isinstance(named, AbstractType):
        yield from named.members.values()
    elif isinstance(named, ObjectType):
        yield named


def check_resolver(model: SchemaModel, owner: ObjectType, resolver: Resolver, where: str) -> None:
    """Hold what a method needs against its type; raises SchemaError."""
    by_attribute = _by_attribute(owner)
    for attribute in resolver.needs or ():
        field = by_attribute.get(attribute)
        place = f"{where} (needs)"
        if field is None:
            raise SchemaError(place, found=repr(attribute), expected=f"an attribute of {owner.name} that is a field")
        if field.relation is not None:
            raise SchemaError(place, found=f"the relation {attribute!r}", expected="attributes of its own row")
        if field.resolver is not None:
            raise SchemaError(place, found=f"the method {attribute!r}", expected="what that method needs")
    _check_instance(model, owner, needed_fields(model, owner, resolver), where, (owner.name,))


def check_arguments(field: Field, promised: Field, where: str, origin: str) -> None:
    """Hold a method's arguments against those of an interface's field (GraphQL §3.6); raises SchemaError."""
    own = {} if field.resolver is None else field.resolver.arguments
    theirs = {} if promised.resolver is None else promised.resolver.arguments
    for name, argument in theirs.items():
        if name not in own:
            raise SchemaError(where, found=f"no argument {name}", expected=f"the argument {name}, as {origin} has")
        if own[name].type != argument.type:
            found, expected = f"the type {own[name].type}", f"{argument.type}, as {origin} has"
            raise SchemaError(f"{where}({name})", found=found, expected=expected)
    for name, argument in own.items():
        if name not in theirs and not argument.type.nullable and not argument.has_default:
            found = f"the argument {name}, which must be given"
            raise SchemaError(where, found=found, expected=f"`| None` or a default: {origin} does not have it")


def _check_instance(
    model: SchemaModel, owner: ObjectType, fields: Iterable[Field], where: str, outer: tuple[str, ...]
) -> None:
    """Make an instance as for a method, here where a mistake can be told."""
    fields = tuple(fields)
    try:
        assert isinstance(owner.declared, type)
        instance: Any = object.__new__(owner.declared)
        for field in fields:
            object.__setattr__(instance, field.attribute, None)
    except (TypeError, AttributeError) as error:  # of a built-in class, abstract, or without a place for an attribute
        found = f"{owner.name}, of which no instance can be made ({error})"
        expected = "a plain class or a dataclass" if len(outer) == 1 else "another class, or needs=[...] without it"
        raise SchemaError(where, found=found, expected=expected) from None
    for field in fields:
        for below in object_types(model, field):
            inside = (*outer, field.type.named, below.name)
            _check_instance(model, below, held_fields(model, below, inside), where, inside)


def _by_attribute(owner: ObjectType) -> dict[str, Field]:
    return {field.attribute: field for field in owner.fields.values()}

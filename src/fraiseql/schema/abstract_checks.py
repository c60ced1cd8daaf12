"""Checks of interfaces and unions, which need the whole model."""

from __future__ import annotations

from collections.abc import Iterator

from fraiseql.errors import SchemaError
from fraiseql.schema.computed import check_arguments
from fraiseql.schema.model import AbstractType, Field, NamedType, ObjectType, SchemaModel, TypeReference

__all__ = ["check_implementations", "fields_inside", "read_fields", "refuse_untold"]


def read_fields(model: SchemaModel) -> Iterator[tuple[ObjectType, Field]]:
    """Each field with the type as which it is read: a member of an abstract type as that one's source holds it."""
    abstract = [each for each in model.types.values() if isinstance(each, AbstractType)]
    hosted = {name for each in abstract if each.source is not None for name in each.members}
    for named in model.types.values():
        if not isinstance(named, ObjectType) or named.derived_from is not None:
            continue
        is_hosted = named.source is None and named.name in hosted
        is_untold = isinstance(named, AbstractType) and named.discriminator is None
        if not is_hosted and not is_untold:
            yield from ((named, field) for field in named.fields.values())
    for each in abstract:
        for member in each.members.values():
            if each.source is not None and member is not model.types[member.name]:
                yield from ((member, field) for field in member.fields.values())


def fields_inside(target: ObjectType) -> Iterator[tuple[ObjectType, Field]]:
    """The fields of an object inside jsonb, those of all members of an abstract type."""
    for each in target.members.values() if isinstance(target, AbstractType) else (target,):
        yield from ((each, field) for field in each.fields.values())


def refuse_untold(target: NamedType, where: str) -> None:
    """Raise SchemaError for an interface of which nothing tells what an object of it is."""
    if isinstance(target, AbstractType) and target.discriminator is None and not target.is_union:
        found = f"the interface {target.name}, which has no discriminator"
        expected = "one with discriminator=..., or a type that implements it"
        raise SchemaError(where, found=found, expected=expected)


def check_implementations(model: SchemaModel) -> None:
    """Raise SchemaError for the first field that does not fit the same one of an interface (GraphQL §3.6, §3.7)."""
    for named in model.types.values():
        if isinstance(named, ObjectType):
            for name in named.interfaces:
                for promised in model.object_type(name).fields.values():
                    _check_field(model, named, name, promised)
    for named in model.types.values():
        if isinstance(named, AbstractType) and named.discriminator is not None:
            for member in named.members.values():
                for promised in named.fields.values():
                    _check_place(member, named, promised)


def _check_place(member: ObjectType, interface: AbstractType, promised: Field) -> None:
    """That a member's field shows what conditions and orders of the interface's field are of."""
    field, in_jsonb = member.fields[promised.name], interface.source is None
    found, expected = _place(field, in_jsonb=in_jsonb), _place(promised, in_jsonb=in_jsonb)
    if promised.resolver is None and found != expected:
        where, origin = f"{member.name}.{field.name}", f"{interface.name}.{promised.name}"
        expected = f"{expected}, as {origin} has, by which lists of {interface.name} are filtered and ordered"
        raise SchemaError(where, found=found, expected=expected)


def _place(field: Field, *, in_jsonb: bool) -> str:
    """Where a row, or an object inside jsonb, has a field's value, in words."""
    if field.resolver is not None:
        return "a method"
    if field.relation is not None:
        through, on = field.relation.through, dict(field.relation.on)
        between = "" if through is None else f"through={str(through.source)!r}, own={dict(through.own)}, "
        return f"a relation({between}on={on})"
    if field.expression is not None:
        return f"sql={field.expression.template!r}"
    is_key = in_jsonb or field.column is None
    return f"the key {field.key!r} of jsonb" if is_key else f"the column {field.column!r}"


def _check_field(model: SchemaModel, owner: ObjectType, interface: str, promised: Field) -> None:
    origin = f"{interface}.{promised.name}"
    field = owner.fields.get(promised.name)
    if field is None:
        found = f"no field {promised.name}"
        raise SchemaError(owner.name, found=found, expected=f"the field {origin}, under the same name=")
    where = f"{owner.name}.{field.name}"
    if not _is_subtype(model, field.type, promised.type):
        expected = f"{promised.type}, as {origin} has, or a type of it"
        raise SchemaError(where, found=f"the type {field.type}", expected=expected)
    check_arguments(field, promised, where, origin)
    # Lists have arguments that are named by the type of their rows, and have to be the same.
    takes_arguments = promised.type.item is not None or (
        promised.relation is not None and promised.relation.shape.is_paged
    )
    is_object = isinstance(model.types[promised.type.named], ObjectType)
    is_changed = (field.relation and (field.relation.target, field.relation.shape)) != (
        promised.relation and (promised.relation.target, promised.relation.shape)
    )
    if takes_arguments and is_object and (is_changed or field.type.named != promised.type.named):
        expected = f"rows of the type of {origin}, as its arguments are of it"
        raise SchemaError(where, found=f"the type {field.type}", expected=expected)


def _is_subtype(model: SchemaModel, given: TypeReference, promised: TypeReference) -> bool:
    if given.nullable and not promised.nullable:
        return False
    if given.item is not None or promised.item is not None:
        return given.item is not None and promised.item is not None and _is_subtype(model, given.item, promised.item)
    if given.name == promised.name:
        return True
    sub, base = model.types[given.name], model.types[promised.name]
    if not isinstance(sub, ObjectType) or not isinstance(base, AbstractType):
        return False
    return base.name in sub.interfaces or (base.is_union and sub.name in base.members)

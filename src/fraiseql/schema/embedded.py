"""Objects that rows hold inside themselves, and lists of them, in place of rows of another source."""

from __future__ import annotations

from fraiseql.schema.model import AbstractType, Field, ObjectType, SchemaModel

__all__ = ["embedded_type", "stored_types"]


def embedded_type(model: SchemaModel, field: Field) -> ObjectType | None:
    """The type of the object, or of the list of objects, that a field holds; None for any other field."""
    is_matrix = field.type.item is not None and field.type.item.item is not None
    return None if is_matrix else _held(model, field)


def stored_types(model: SchemaModel) -> frozenset[str]:
    """The types whose values the database holds: those with a source, and what is embedded in them."""
    found: set[str] = set()
    left = [each for each in model.types.values() if isinstance(each, ObjectType) and each.source is not None]
    while left:
        target = left.pop()
        if target.name not in found:
            found.add(target.name)
            left += [below for field in target.fields.values() if (below := _held(model, field)) is not None]
            if isinstance(target, AbstractType):
                left += target.members.values()
    return frozenset(found)


def _held(model: SchemaModel, field: Field) -> ObjectType | None:
    named = model.types[field.type.named]
    if not field.is_held or not isinstance(named, ObjectType) or named.derived_from is not None:
        return None
    return named

"""What the fields of success and error types show of a function's result."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fraiseql.errors import SchemaError
from fraiseql.schema.fields import Field
from fraiseql.schema.function_actions import Part
from fraiseql.schema.model import AbstractType, EnumType, NamedType, ObjectType
from fraiseql.schema.scalar import Scalar

__all__ = ["parts_of"]

_PARTS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "status": Part.STATUS,
        "message": Part.MESSAGE,
        "code": Part.CODE,
        "fields": Part.FIELDS,
        "entity": Part.ENTITY,
        "entity_id": Part.ENTITY_ID,
        "id": Part.ENTITY_ID,
        "entity_type": Part.ENTITY_TYPE,
        "updated_fields": Part.UPDATED_FIELDS,
        "cascade": Part.CASCADE,
        "metadata": Part.METADATA,
    }
)
_TEXTS: Final = (Part.STATUS, Part.MESSAGE, Part.CODE, Part.ENTITY_TYPE)
_NAMES: Final = (Part.FIELDS, Part.UPDATED_FIELDS)
_DOCUMENTS: Final = (Part.CASCADE, Part.METADATA)
_OF_ERRORS: Final = (Part.CODE,)


def parts_of(
    target: ObjectType, types: Mapping[str, NamedType], entity: str | None, *, is_error: bool
) -> Mapping[str, Part]:
    """What each field of a success or an error type shows.

    Args:
        entity: the attribute that is the entity, as `mutation(entity=...)` says.

    Raises:
        SchemaError: a field cannot be filled.
    """
    chosen = _entity(target, types, entity, is_error=is_error)
    found: dict[str, Part] = {}
    for field in target.fields.values():
        if field.resolver is not None:
            continue
        part = Part.ENTITY if field is chosen else _PARTS.get(field.attribute, Part.OTHER)
        if part is Part.ENTITY and field is not chosen:  # another one was declared to be it
            part = Part.OTHER
        _check(target, field, part, types, is_error=is_error)
        found[field.name] = part
    return MappingProxyType(found)


def _entity(target: ObjectType, types: Mapping[str, NamedType], entity: str | None, *, is_error: bool) -> Field | None:
    """The field that is the entity; None where there is none."""
    fields = [field for field in target.fields.values() if field.resolver is None]
    by_attribute = {field.attribute: field for field in fields}
    if entity is not None and entity in by_attribute:
        return by_attribute[entity]
    if entity is not None and not is_error:
        found, expected = f"entity={entity!r}", f"an attribute of {target.name}: {', '.join(by_attribute)}"
        raise SchemaError(f"{target.name} (entity)", found=found, expected=expected)
    rows = [field for field in fields if _has_source(types.get(field.type.named))]
    if len(rows) > 1:
        names = " and ".join(field.attribute for field in rows)
        expected = (
            'mutation(entity="...") to say which is the entity; the others are read from the metadata by their id'
        )
        raise SchemaError(target.name, found=f"{names}, each of a type with sql_source", expected=expected)
    return rows[0] if rows else by_attribute.get("entity")


def _has_source(named: NamedType | None) -> bool:
    return isinstance(named, ObjectType) and named.source is not None


def _check(target: ObjectType, field: Field, part: Part, types: Mapping[str, NamedType], *, is_error: bool) -> None:
    where, named, reference = f"{target.name}.{field.attribute}", types.get(field.type.named), field.type
    found = f"the type {reference}"
    if named is None or (isinstance(named, ObjectType) and named.derived_from is not None):  # a shape of rows
        raise SchemaError(where, found=found, expected="a type with sql_source, or a list of it")
    if reference.item is not None and reference.item.item is not None and _has_source(named):
        raise SchemaError(where, found=found, expected=f"{named.name}, or a list of it")
    if part in _OF_ERRORS and not is_error and not reference.nullable:
        raise SchemaError(where, found=f"{found} in a success type", expected="`| None`: only an error has it")
    is_text = isinstance(named, EnumType) or (isinstance(named, Scalar) and named.sql_type == "text")
    if part in _TEXTS and (reference.item is not None or not is_text):
        raise SchemaError(where, found=found, expected="str, or an enum")
    if part in _NAMES and (reference.item is None or reference.item.item is not None or not is_text):
        raise SchemaError(where, found=found, expected="list[str]")
    if part is Part.ENTITY_ID and (reference.item is not None or not isinstance(named, Scalar) or named.is_json):
        raise SchemaError(where, found=found, expected="ID, or another scalar")
    is_document = (isinstance(named, Scalar) and named.is_json) or (
        isinstance(named, ObjectType) and not isinstance(named, AbstractType) and named.source is None
    )
    if part in _DOCUMENTS and (reference.item is not None or not is_document):
        raise SchemaError(where, found=found, expected="JSON, or a type without sql_source")

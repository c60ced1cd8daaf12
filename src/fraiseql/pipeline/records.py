"""Python values as rows of their type's source, from which SQL serves what they do not hold: their relations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from fraiseql.pipeline.held import MISSING, held
from fraiseql.pipeline.members import member_of, member_type
from fraiseql.pipeline.plan import SelectedField, Selection
from fraiseql.pipeline.project import enum_name
from fraiseql.schema.model import AbstractType, EnumType, Field, ObjectType, SchemaModel, TypeReference
from fraiseql.schema.scalar import Scalar

__all__ = ["COMPUTED", "chooses_elements", "lacks_relations", "record_of", "without_relations"]

COMPUTED: Final = "computed$"
"""The key of a record under which a value's own computed fields are: no table has a column of that name."""


def chooses_elements(selection: Selection) -> bool:
    """Whether arguments say which elements of an embedded list are meant."""
    return any(map(chooses_elements, selection.members)) or any(
        bool(each.arguments) or (each.selection is not None and chooses_elements(each.selection))
        for each in selection.fields
        if each.field is not None and each.field.is_held
    )


def lacks_relations(selection: Selection, value: Any) -> bool:
    """Whether a relation is selected that a value does not hold, or anything not as arguments ask for it."""
    return chooses_elements(selection) or any(
        selected.arguments or held(value, selected.field.attribute) is MISSING
        for selected in member_of(selection, value).fields
        if selected.field is not None and selected.field.relation is not None
    )


def without_relations(selection: Selection) -> Selection:
    """What of a selection a row holds itself, whole embedded lists included."""
    kept = (each for each in selection.fields if each.field is None or each.field.is_held)
    members = tuple(map(without_relations, selection.members))
    return replace(selection, fields=tuple(map(_without_arguments, kept)), members=members)


def _without_arguments(selected: SelectedField) -> SelectedField:
    below = None if selected.selection is None else without_relations(selected.selection)
    return replace(selected, arguments={}, selection=below)


def record_of(model: SchemaModel, selection: Selection, value: Any) -> bytes:
    """The row that a selection is served from, as a JSON object of columns.

    Args:
        value: holds what `without_relations` leaves of the selection.

    Raises:
        LookupError: it does not hold a column that a relation begins at.
        ValueError, TypeError: what it holds there is no JSON.
    """
    abstract, selection = selection.type, member_of(selection, value)
    source = selection.type.source
    assert source is not None
    record: dict[str, Any] = dict(_told(abstract, selection.type))
    document: dict[str, Any] = {}
    computed: dict[str, Any] = {}
    for selected in selection.fields:
        field = selected.field
        if field is None or not field.is_held:
            continue
        stored = _stored(model, field.type, held(value, field.attribute))
        if field.expression is not None:
            computed[field.key] = stored
        elif field.column is not None:
            record[field.column] = stored
        else:
            document[field.key] = stored
    if source.jsonb_column is not None:
        record[source.jsonb_column] = document
    if computed:
        record[COMPUTED] = computed
    for column in _begins_at(selection.fields):
        record[column] = _column(model, selection.type, column, value)
    return json.dumps(record, allow_nan=False, default=str).encode()


def _told(abstract: ObjectType, member: ObjectType) -> Iterator[tuple[str, str]]:
    """What a row holds that tells of which type it is, where its source has several."""
    if isinstance(abstract, AbstractType) and abstract.discriminator is not None:
        column, value = abstract.discriminator.column, _value_of(abstract, member)
    elif member.membership is not None:
        column, value = member.membership.discriminator.column, member.membership.value
    else:
        return
    if column is not None:
        yield column, value


def _value_of(abstract: AbstractType, member: ObjectType) -> str:
    return next(value for value, name in abstract.values.items() if name == member.name)


def _begins_at(fields: tuple[SelectedField, ...]) -> Iterator[str]:
    for selected in fields:
        if selected.field is not None and selected.field.relation is not None:
            yield from selected.field.relation.begins_at


def _column(model: SchemaModel, target: ObjectType, column: str, value: Any) -> Any:
    """A column, by the attribute of the field that is it, or by its own name."""
    fields: list[Field] = [each for each in target.fields.values() if each.column == column and each.is_held]
    for field in fields:
        found = held(value, field.attribute)
        if found is not MISSING:
            return _stored(model, field.type, found)
    found = held(value, column)
    if found is MISSING:
        raise LookupError(f"{type(value).__name__} holds no {column!r}, at which a relation of {target.name} begins")
    return found


def _stored(model: SchemaModel, reference: TypeReference, value: Any) -> Any:
    """A value as the database holds it, in JSON."""
    if value is None:
        return None
    if reference.item is not None:
        return [_stored(model, reference.item, each) for each in value]
    named = model.types[reference.name]
    if isinstance(named, EnumType):
        return named.values[enum_name(named, value)]
    if isinstance(named, Scalar):
        found = named.serialize(value)
        return found if named.written is None else named.parse(found)
    assert isinstance(named, ObjectType)
    record: dict[str, Any] = {}
    if isinstance(named, AbstractType):
        abstract, named = named, member_type(named, value)
        assert abstract.discriminator is not None
        record[abstract.discriminator.key] = _value_of(abstract, named)
    return record | {
        each.key: _stored(model, each.type, found)
        for each in named.fields.values()
        if each.is_held and (found := held(value, each.attribute)) is not MISSING
    }

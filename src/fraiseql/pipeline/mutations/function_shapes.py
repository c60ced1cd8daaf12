"""The JSON of what is selected of a result: of its success or error type, with the rows that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from fraiseql.payloads import encode_number
from fraiseql.pipeline.members import member_of
from fraiseql.pipeline.mutations.function_names import entity_field, input_field
from fraiseql.pipeline.mutations.function_results import Defect, Result, key_of
from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, SelectedField, Selection
from fraiseql.pipeline.project import Misfit, Projection
from fraiseql.schema.function_actions import FunctionAction, Part
from fraiseql.schema.model import Field, ObjectType, TypeReference
from fraiseql.schema.scalar import Scalar

__all__ = ["Rows", "Shaping", "is_keyed", "selected_member", "with_mark"]

Rows: TypeAlias = "Mapping[str, bytes]"
"""The JSON of rows by the response key of the field that shows them."""


def selected_member(serving: Serving, name: str) -> tuple[Selection | None, str]:
    """What is selected of a type that the field gives, and the key that tells of it; empty where none has to."""
    selection = serving.root.selection
    if selection is None or selection.type.name == name:  # an interface too tells of its members by itself
        return selection, ""
    return next(member for member in selection.members if member.type.name == name), selection.type_key


def is_keyed(target: object) -> bool:
    """Whether rows of a type are selected by their ids."""
    if not isinstance(target, ObjectType) or target.source is None:
        return False
    identity = target.identity
    return identity is not None and identity.type.item is None and identity.is_held


def with_mark(text: bytes, name: str, type_key: str) -> bytes:
    """The JSON of an object that tells of its type in the hidden key, where a union needs that."""
    if type_key != HIDDEN_TYPE_KEY or text == b"null":
        return text
    mark = orjson.dumps({HIDDEN_TYPE_KEY: name})
    rest = text.lstrip()[1:].lstrip()
    return mark[:-1] + (b"," if rest != b"}" else b"") + rest


class Shaping:
    """Makes the JSON of one field; what does not fit raises Defect."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._model = serving.asking.planning.model
        action = serving.field.action
        assert isinstance(action, FunctionAction)
        self._action = action
        self._projection = Projection(self._model, serving.asking.hint)

    def member(self, name: str, result: Result, rows: Rows) -> bytes:
        """A success or an error."""
        selection, type_key = selected_member(self._serving, name)
        assert selection is not None
        parts = self._action.parts[name]
        made: dict[str, Any] = {HIDDEN_TYPE_KEY: name} if type_key == HIDDEN_TYPE_KEY else {}
        for each in selection.fetched:
            if each.field is None:
                made[each.key] = name
            elif each.key in rows:
                made[each.key] = orjson.Fragment(rows[each.key])
            else:
                part = parts[each.field.name]
                value = self._part(part, each.field, result, selection.type)
                made[each.key] = self._shown(value, each, selection.type)
        return _json(made)

    def value(self, value: Any, reference: TypeReference, selection: Selection | None) -> bytes:
        """A value that is no row: a scalar, an enum, or an object of a type without a source."""
        name, path = f"{self._serving.root.owner}.{self._serving.root.name}", self._serving.path
        return _json(self._value(value, reference, selection, name, path))

    def _part(self, part: Part, field: Field, result: Result, owner: ObjectType) -> Any:
        if part is Part.FIELDS:
            return self.blamed(result)
        if part is Part.UPDATED_FIELDS:
            return self._updated(result, owner)
        if part is Part.ENTITY_ID:
            return self._entity_id(result, owner)
        if part is Part.OTHER:
            return result.metadata.get(field.key)
        own = {Part.STATUS: result.status, Part.MESSAGE: result.message, Part.CODE: result.code}
        return own[part] if part in own else result.values.get(part.name.lower())

    def blamed(self, result: Result) -> list[str]:
        """The input fields that are to blame, in GraphQL: those that the status names, and those of the metadata."""
        if result.code is None:
            return []
        mutation = self._serving.field
        told = [input_field(self._model, mutation, name) for name in result.named]
        more = [input_field(self._model, mutation, name) or name for name in result.blamed]
        return list(dict.fromkeys([*(name for name in told if name is not None), *more]))

    def _updated(self, result: Result, owner: ObjectType) -> list[str]:
        names = result.values.get("updated_fields")
        if names is None:
            return []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise Defect("the updated_fields are no names")
        entity = self._entity(owner)
        known = (entity_field(entity, name) or input_field(self._model, self._serving.field, name) for name in names)
        return [found or name for found, name in zip(known, names, strict=True)]

    def _entity(self, owner: ObjectType) -> ObjectType | None:
        for name, part in self._action.parts[owner.name].items():
            named = self._model.types[owner.fields[name].type.named]
            if part is Part.ENTITY and isinstance(named, ObjectType):
                return named
        return None

    def _entity_id(self, result: Result, owner: ObjectType) -> Any:
        found, entity = result.values.get("entity_id"), self._entity(owner)
        held = result.values.get("entity")
        if found is None and entity is not None and is_keyed(entity) and held is not None:
            return key_of(entity, held)
        return found

    def _shown(self, value: Any, selected: SelectedField, owner: ObjectType) -> Any:
        field = selected.field
        assert field is not None
        path = (*self._serving.path, selected.key)
        return self._value(value, field.type, selected.selection, f"{owner.name}.{field.name}", path)

    def _value(
        self,
        value: Any,
        reference: TypeReference,
        selection: Selection | None,
        name: str,
        path: tuple[str | int, ...],
    ) -> Any:
        """A value as JSON shall hold it; a null that may not be one is left to rise."""
        if value is None:
            return None
        if reference.item is not None:
            if not isinstance(value, list):
                raise Defect(f"the value of {name} is no list")
            item = reference.item
            return [self._value(each, item, selection, name, (*path, place)) for place, each in enumerate(value)]
        if selection is None:
            return self._leaf(value, reference, name, path)
        if not isinstance(value, dict):
            raise Defect(f"the value of {name} is no object")
        return self._object(value, selection, name, path)

    def _object(self, value: dict[str, Any], selection: Selection, name: str, path: tuple[str | int, ...]) -> Any:
        type_key = selection.type_key
        try:
            selection = member_of(selection, value)
        except TypeError as error:
            raise Defect(f"the value of {name}: {error}") from error
        owner = selection.type
        made: dict[str, Any] = {HIDDEN_TYPE_KEY: owner.name} if type_key == HIDDEN_TYPE_KEY else {}
        for each in selection.fetched:
            field = each.field
            if field is None:
                made[each.key] = owner.name
                continue
            held = value.get(field.key) if field.is_held and field.expression is None else None
            below = f"{owner.name}.{field.name}"
            made[each.key] = self._value(held, field.type, each.selection, below, (*path, each.key))
        return made

    def _leaf(self, value: Any, reference: TypeReference, name: str, path: tuple[str | int, ...]) -> Any:
        named = self._model.types[reference.name]
        if isinstance(named, Scalar):
            value = _read(named, value)
        try:
            return self._projection.nullable(value, TypeReference(False, reference.name), None, name, path)
        except Misfit as misfit:
            raise Defect(f"{misfit}: {misfit.cause}") from misfit


def _read(named: Scalar, value: Any) -> Any:
    """A value as `serialize` takes it, from what PostgreSQL makes of it in jsonb."""
    if named.sql_type == "bytea" and isinstance(value, str) and value.startswith("\\x"):  # PostgreSQL §8.4.1
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            return value
    if named.sql_type == "int4" and isinstance(value, str) and value.removeprefix("-").isdecimal():  # an entity_id
        return int(value[:12])
    return value


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=encode_number)

"""The objects that methods are called with: instances of the declared classes, made without their `__init__`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fraiseql.pipeline.computed.selections import hidden_key
from fraiseql.pipeline.held import MISSING, held
from fraiseql.pipeline.members import member_type
from fraiseql.pipeline.nulls import Check
from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, Selection
from fraiseql.pipeline.project import enum_name
from fraiseql.pipeline.reading import TOO_DEEP
from fraiseql.schema.model import AbstractType, EnumType, Field, ObjectType, SchemaModel, TypeReference
from fraiseql.schema.scalar import Scalar

__all__ = ["Loading", "instance_of_value", "is_native"]


def is_native(owner: ObjectType, value: Any) -> bool:
    """Whether a Python value is an instance of the class that declares a type."""
    return isinstance(owner.declared, type) and isinstance(value, owner.declared)


def instance_of_value(model: SchemaModel, owner: ObjectType, fields: Iterable[Field], value: Any) -> Any:
    """An instance that holds some fields of a Python value, or that value itself where it is one.

    Raises:
        Exception: what the value holds does not fit, or cannot be had.
    """
    if is_native(owner, value):
        return value
    found = [(each, held(value, each.attribute)) for each in fields]
    return _instance(owner, [(each, _normal(model, each.type, what)) for each, what in found if what is not MISSING])


def _instance(owner: ObjectType, values: Iterable[tuple[Field, Any]]) -> Any:
    assert isinstance(owner.declared, type)
    instance: Any = object.__new__(owner.declared)
    for field, value in values:
        object.__setattr__(instance, field.attribute, value)  # a frozen dataclass refuses plain assignment
    return instance


class Loading:
    """Makes instances of rows.

    Args:
        path: of the field whose method they are for.
        check: for rows of the checking statement.
        is_cut: whether TOO_DEEP may stand in the rows.
    """

    def __init__(self, model: SchemaModel, path: tuple[str | int, ...], check: Check | None, *, is_cut: bool) -> None:
        self._model = model
        self._path = path
        self._check = check
        self._is_cut = is_cut

    def instance(self, owner: ObjectType, fields: Iterable[Field], row: Mapping[str, Any]) -> Any:
        """An instance that holds some fields of a row, which has them as JSON under their hidden keys.

        Raises:
            Rising: a value does not fit its type.
            Exception: a value cannot be had as a Python object.
        """
        return _instance(
            owner, [(each, self._loaded(each, each.type, row[hidden_key(each)], owner)) for each in fields]
        )

    def _loaded(self, field: Field, reference: TypeReference, value: Any, owner: ObjectType) -> Any:
        """A value as SQL shows it, as the Python object that its annotation names."""
        if value is None:
            return None
        named = self._model.types[reference.named]
        if self._check is not None:
            below = Selection(named, ()) if isinstance(named, ObjectType) else None
            value = self._check(value, reference, below, f"{owner.name}.{field.name}", self._path)
        if reference.item is not None:
            return [self._loaded(field, reference.item, each, owner) for each in value]
        if isinstance(named, EnumType):
            return named.load(named.values[value])
        if isinstance(named, Scalar):
            if named.is_json:
                return _whole(value, field) if self._is_cut else value
            return named.load(named.parse(value))
        assert isinstance(named, ObjectType)
        if isinstance(named, AbstractType):
            return self.member(named, value)
        return self.instance(named, [each for each in _held(named) if hidden_key(each) in value], value)

    def member(self, target: AbstractType, row: Mapping[str, Any]) -> Any:
        """The same for a row that tells of its type; holds what is there of its fields."""
        member = target.members[row[HIDDEN_TYPE_KEY]]
        return self.instance(member, [each for each in _held(member) if hidden_key(each) in row], row)


def _whole(value: Any, field: Field) -> Any:
    """A JSON value as it is; raises RecursionError where some of it could not be read."""
    level = [value]
    while level:
        if any(each is TOO_DEEP for each in level):
            raise RecursionError(f"{field.name} nests too deep to be given to a method")
        level = [below for each in level for below in _below(each)]
    return value


def _below(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _normal(model: SchemaModel, reference: TypeReference, value: Any) -> Any:
    """A value as Python code gave it, as the Python object that its annotation names."""
    if value is None:
        return None
    if reference.item is not None:
        return [_normal(model, reference.item, each) for each in value]
    named = model.types[reference.name]
    if isinstance(named, EnumType):
        return named.load(named.values[enum_name(named, value)])
    if isinstance(named, Scalar):
        return value if named.is_json else named.load(named.parse(named.serialize(value)))
    assert isinstance(named, ObjectType)
    if isinstance(named, AbstractType):
        named = member_type(named, value)
    return instance_of_value(model, named, _held(named), value)


def _held(owner: ObjectType) -> list[Field]:
    return [each for each in owner.fields.values() if each.is_held]

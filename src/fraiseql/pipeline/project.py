"""Python values as the JSON that a selection asks for, equal to what SQL gives for the same row.

A mapping holds a field under the field's attribute name, any other object has it as that attribute. What does not fit
its declared type is an error at its path, and rises as a null does (GraphQL §6.4.4); nothing is repaired or guessed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

import orjson

from fraiseql.errors import RequestError
from fraiseql.payloads import encode_number
from fraiseql.pipeline.failures import UnfitValue, cause_of, shown
from fraiseql.pipeline.held import MISSING, NO_OBJECT, held
from fraiseql.pipeline.members import member_of
from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, RootField, SelectedField, Selection
from fraiseql.schema.model import EnumType, Field, ObjectType, SchemaModel, TypeReference
from fraiseql.schema.scalar import Scalar

__all__ = ["Misfit", "Projection", "enum_name", "project"]

_Path = tuple[str | int, ...]


class Misfit(Exception):
    """A value does not fit, or is null where it may not be: on its way up to the next field that may be null."""

    def __init__(self, error: RequestError, cause: Exception | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.cause = cause


def project(
    model: SchemaModel, root: RootField, value: Any, hint: Mapping[str, Any]
) -> tuple[bytes | None, list[RequestError], Exception | None]:
    """Project the value of one root field.

    Args:
        hint: entries for the `extensions` of errors that are not meant for the client.

    Returns:
        its JSON, None where a null rises to `data`; the errors; what the log is told of them.
    """
    projection = Projection(model, hint)
    assert root.field is not None
    try:
        found = projection.nullable(value, root.field.type, root.selection, f"{root.owner}.{root.name}", (root.key,))
        text: bytes | None = orjson.dumps(found)
    except Misfit as misfit:
        projection.note(misfit)
        text = None
    return text, projection.errors, cause_of(projection.causes, projection.errors)


def enum_name(named: EnumType, value: Any) -> str:
    """The declared name for a member, its value or its name; raises ValueError."""
    text = value.value if isinstance(value, Enum) else value
    for name, held_text in named.values.items():
        if held_text == text:
            return name
    if text is value and isinstance(text, str) and text in named.values:
        return text
    raise ValueError(f"{named.name} has no value {value!r}")


class Projection:
    """Projects the values of one answer.

    Args:
        hint: entries for the `extensions` of errors that are not meant for the client.
        computed: gives what stands for a computed field: of a value, a selected field of a type, at a path. With it,
            objects of abstract types tell of their type as those do that SQL makes.
        row: gives what stands for an object of a type with a source, whose type's name may have to be told; None where
            it is projected.

    Attributes:
        errors: of fields that may be null, and are.
        causes: of those that have one.
    """

    def __init__(
        self,
        model: SchemaModel,
        hint: Mapping[str, Any],
        computed: Callable[[Any, SelectedField, ObjectType, _Path], Any] | None = None,
        row: Callable[[Any, Selection, _Path, str], Any] | None = None,
    ) -> None:
        self._model = model
        self._hint = hint
        self._computed = computed
        self._row = row
        self.errors: list[RequestError] = []
        self.causes: list[Exception] = []

    def note(self, misfit: Misfit) -> None:
        """Add an error to the others."""
        self.errors.append(misfit.error)
        self.note_cause(misfit.cause)

    def note_cause(self, cause: Exception | None) -> None:
        """Add the cause of an error that is shown elsewhere, where it has one."""
        if cause is not None:
            self.causes.append(cause)

    def misfit(self, field: str, path: _Path, cause: Exception) -> Misfit:
        message = f"The value of {field} does not fit its type."
        error = RequestError(message, code="INTERNAL_SERVER_ERROR", path=path, extensions=self._hint)
        return Misfit(error, cause)

    def nullable(
        self, value: Any, reference: TypeReference, selection: Selection | None, field: str, path: _Path
    ) -> Any:
        """A value as its type says, null where it misfits and may be null; raises Misfit."""
        try:
            if value is None:
                if reference.nullable:
                    return None
                message = f"Cannot return null for non-nullable field {field}."
                raise Misfit(UnfitValue(message, path, self._hint))
            return self._present(value, reference, selection, field, path)
        except Misfit as misfit:
            if not reference.nullable:
                raise
            self.note(misfit)
            return None

    def _present(
        self, value: Any, reference: TypeReference, selection: Selection | None, field: str, path: _Path
    ) -> Any:
        if reference.item is not None:
            if not isinstance(value, (list, tuple)):
                raise self.misfit(field, path, TypeError(f"{field}: {type(value).__name__} is no list"))
            item = reference.item
            return [self.nullable(each, item, selection, field, (*path, index)) for index, each in enumerate(value)]
        if selection is not None:
            if isinstance(value, NO_OBJECT):
                raise self.misfit(field, path, TypeError(f"{field}: {type(value).__name__} is no object"))
            try:
                key, whole, selection = selection.type_key, selection, member_of(selection, value)
            except Exception as error:  # a property is a user's code
                raise self.misfit(field, path, error) from None
            mark = {key: selection.type.name} if self._computed is not None and key == HIDDEN_TYPE_KEY else {}
            if self._row is not None:
                is_told = bool(mark) and whole.type.source is None
                row = self._row(
                    value, selection if whole.type.source is None else whole, path, selection.type.name * is_told
                )
                if row is not None:
                    return row
            fields = {
                each.key: self._field(value, each, selection.type, (*path, each.key)) for each in selection.fields
            }
            return mark | fields
        try:
            return self._leaf(value, self._model.types[reference.name])
        except Exception as error:  # a value may be of any class
            raise self.misfit(field, path, error) from None

    def _field(self, value: Any, selected: SelectedField, owner: ObjectType, path: _Path) -> Any:
        field = selected.field
        if field is None:
            return owner.name
        if field.resolver is not None:
            return None if self._computed is None else self._computed(value, selected, owner, path)
        name = f"{owner.name}.{field.name}"
        try:
            found = self._held(value, field, selected, name, path)
        except Misfit as misfit:
            if not field.type.nullable:
                raise
            self.note(misfit)
            return None
        return self.nullable(found, field.type, selected.selection, name, path)

    def _held(self, value: Any, field: Field, selected: SelectedField, name: str, path: _Path) -> Any:
        try:
            found = held(value, field.attribute)
        except Exception as error:  # a property is a user's code
            raise Misfit(shown(error, path, self._hint), error) from None
        if found is MISSING:
            missing = AttributeError(f"{name}: {type(value).__name__} holds no {field.attribute!r}")
            raise Misfit(shown(missing, path, self._hint), missing)
        if selected.arguments:  # of a relation, or of an embedded list
            ignored = ValueError(f"{name}: its arguments cannot be applied to Python values")
            raise Misfit(shown(ignored, path, self._hint), ignored)
        return found

    def _leaf(self, value: Any, named: object) -> Any:
        if isinstance(named, EnumType):
            return enum_name(named, value)
        assert isinstance(named, Scalar)
        if named.is_json:
            return _json(value)
        found = named.serialize(value)
        if isinstance(found, float):
            return orjson.Fragment(_float8(found))
        # orjson writes no integer of more than 64 bits, which a scalar of one's own may give.
        is_large = isinstance(found, int) and not -_LARGEST <= found <= _LARGEST
        return _json(found) if is_large or isinstance(found, (list, dict)) else found


_LARGEST: Final = 2**63 - 1
_JSON_ONLY: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def _json(value: Any) -> orjson.Fragment:
    """Any JSON value; numbers of any size, but no NaN."""
    try:
        return orjson.Fragment(json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode())
    except TypeError:  # a Decimal, as in payloads of events
        return orjson.Fragment(orjson.dumps(value, default=encode_number, option=_JSON_ONLY))


def _float8(value: float) -> str:
    """As PostgreSQL writes a double precision: the shortest digits, with an exponent below -4 and from 15 on."""
    number = Decimal(repr(value)).normalize()
    exponent = number.adjusted() if number else 0
    if -4 <= exponent < 15:
        return f"{number:f}"
    return f"{number.scaleb(-exponent):f}e{exponent:+03d}"

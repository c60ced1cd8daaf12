"""Variables: compiled once per operation into functions that check and coerce what a request sends.

A coerced value is canonical and JSON-like: scalars as `Scalar.parse` gives them, enums as the texts that the database
holds, input objects as dicts in the order of their declaration, with defaults filled in and absent fields absent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    is_input_type,
    type_from_ast,
)

from fraiseql.errors import RequestError
from fraiseql.pipeline.graphql_schema import scalar_of
from fraiseql.pipeline.graphql_schema.filter_inputs import SEARCH_CONFIG
from fraiseql.pipeline.graphql_schema.order_inputs import ORDER_DIRECTION
from fraiseql.schema.aggregates import DATE_UNITS
from fraiseql.schema.numbers import has_floats
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = [
    "Coercer",
    "Variables",
    "VariablesCoercer",
    "coerced_value",
    "coercer_of",
    "is_leaf",
    "shape_of",
    "variable_types",
]

Variables: TypeAlias = Mapping[str, Any]
Coercer: TypeAlias = Callable[[Any], Any]
_ABSENT: Final = "absent"
_RENDERED: Final = frozenset((ORDER_DIRECTION, SEARCH_CONFIG, *DATE_UNITS))  # enums of which SQL text is made


class _Inexact(Exception):
    """A float stands where all digits of a number count: read the variables once more."""


class _Invalid(Exception):
    """A value does not fit; `path` grows, innermost key first, as the error leaves the nested coercers."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: list[str | int] = []


def variable_types(schema: GraphQLSchema, operation: OperationDefinitionNode) -> dict[str, GraphQLInputType]:
    """The type of each variable of a validated operation."""
    found: dict[str, GraphQLInputType] = {}
    for definition in operation.variable_definitions or ():
        declared = type_from_ast(schema, definition.type)
        assert is_input_type(declared)
        found[definition.variable.name.value] = declared
    return found


class VariablesCoercer:
    """Coerces all variables of one operation.

    Args:
        operation: validated.
        types: what `variable_types` gives.
        default_of: reads the default value of a definition.
        path_of: where in the response the first field stands that uses a variable, for errors.
    """

    __slots__ = ("_entries", "_path_of")

    def __init__(
        self,
        operation: OperationDefinitionNode,
        types: Mapping[str, GraphQLInputType],
        default_of: Callable[[VariableDefinitionNode, GraphQLInputType], Any],
        path_of: Callable[[str], tuple[str, ...] | None],
    ) -> None:
        self._path_of = path_of
        self._entries: list[tuple[str, Coercer, bool, Any, VariableDefinitionNode]] = []
        for definition in operation.variable_definitions or ():
            name = definition.variable.name.value
            declared = types[name]
            default = default_of(definition, declared) if definition.default_value is not None else Undefined
            required = isinstance(declared, GraphQLNonNull)
            self._entries.append((name, coercer_of(declared), required, default, definition))

    def __call__(
        self, given: Mapping[str, Any], exact: Callable[[], Mapping[str, Any]]
    ) -> tuple[dict[str, Any], list[RequestError]]:
        """Coerce what a request sent (GraphQL §6.1.2); variables without a definition are ignored.

        Args:
            exact: gives the same with JSONFloats for floats: it is asked where digits that a float lacks count.
        """
        try:
            return self._coerced(given)
        except _Inexact:
            return self._coerced(exact())

    def _coerced(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[RequestError]]:
        coerced: dict[str, Any] = {}
        errors: list[RequestError] = []
        for name, coerce, required, default, definition in self._entries:
            if name not in given:
                if default is not Undefined:
                    coerced[name] = default
                elif required:
                    errors.append(self._error(f'Variable "${name}" of a required type was not provided.', definition))
                continue
            try:
                coerced[name] = coerce(given[name])
            except _Invalid as invalid:
                place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in reversed(invalid.path))
                at = f' at "{name}{place}"' if place else ""
                errors.append(self._error(f'Variable "${name}" got an invalid value{at}: {invalid}', definition))
        return coerced, errors

    def _error(self, message: str, definition: VariableDefinitionNode) -> RequestError:
        path = self._path_of(definition.variable.name.value)
        return RequestError(message, code="BAD_USER_INPUT", path=path, locations=_locations(definition))


def _locations(definition: VariableDefinitionNode) -> tuple[tuple[int, int], ...]:
    if definition.loc is None:
        return ()
    location = definition.loc.source.get_location(definition.loc.start)
    return ((location.line, location.column),)


def is_leaf(declared: GraphQLInputType) -> bool:
    """Whether a value of this type travels as one parameter: a scalar, an enum, or a list of them."""
    if isinstance(declared, GraphQLNonNull):
        return is_leaf(declared.of_type)
    if isinstance(declared, GraphQLList):
        return is_leaf(declared.of_type)
    return not isinstance(declared, GraphQLInputObjectType)


def coercer_of(declared: GraphQLInputType) -> Coercer:
    """Compile the input coercion of a type (GraphQL §3.5 to §3.12)."""
    if isinstance(declared, GraphQLNonNull):
        return _non_null(coercer_of(declared.of_type), str(declared))
    if isinstance(declared, GraphQLList):
        return _list(coercer_of(declared.of_type))
    if isinstance(declared, GraphQLEnumType):
        return _enum(declared)
    if isinstance(declared, GraphQLInputObjectType):
        return _LazyObject(declared)
    assert isinstance(declared, GraphQLScalarType)
    scalar = scalar_of(declared)
    return _scalar(_exact(scalar.parse) if _keeps_digits(scalar) else scalar.parse)


def _keeps_digits(scalar: Scalar) -> bool:
    return scalar.name == "Decimal" or scalar.is_json or SCALARS.get(scalar.name) is not scalar


def coerced_value(declared: GraphQLInputType, value: Any) -> Any:
    """Coerce one value, as of a variable, with JSONFloats for floats; raises ValueError."""
    try:
        return coercer_of(declared)(value)
    except _Invalid as invalid:
        place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in reversed(invalid.path))
        raise ValueError(f"{place.removeprefix('.')}: {invalid}" if place else str(invalid)) from None


def _exact(parse: Coercer) -> Coercer:
    def coerce(value: Any) -> Any:
        if has_floats(value):
            raise _Inexact
        return parse(value)

    return coerce


def _non_null(inner: Coercer, name: str) -> Coercer:
    def coerce(value: Any) -> Any:
        if value is None:
            raise _Invalid(f'Expected non-nullable type "{name}" not to be null.')
        return inner(value)

    return coerce


def _scalar(parse: Coercer) -> Coercer:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        try:
            return parse(value)
        except ValueError as error:
            raise _Invalid(str(error)) from None

    return coerce


def _enum(declared: GraphQLEnumType) -> Coercer:
    values = {name: value.value for name, value in declared.values.items()}

    def coerce(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, str):
            raise _Invalid(f'Enum "{declared.name}" cannot represent a value that is no string.')
        if value not in values:
            raise _Invalid(f'Value {value[:60]!r} does not exist in "{declared.name}" enum.')
        return values[value]

    return coerce


def _list(inner: Coercer) -> Coercer:
    def coerce(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            return [inner(value)]  # GraphQL §3.11: one value is a list of one
        coerced = []
        for index, item in enumerate(value):
            try:
                coerced.append(inner(item))
            except _Invalid as invalid:
                invalid.path.append(index)
                raise
        return coerced

    return coerce


class _LazyObject:
    """An input object's coercer, whose fields are compiled at first use since types may contain themselves.

    Filters have many fields, of which few are given: those that are absent are only looked at where that matters.
    """

    __slots__ = ("_declared", "_fields", "_places")

    def __init__(self, declared: GraphQLInputObjectType) -> None:
        self._declared = declared
        self._fields: dict[str, tuple[Coercer, bool, Any]] | None = None
        self._places: dict[str, int] | None = None  # of the fields, where all may be absent and none has a default

    def __call__(self, value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _Invalid(f'Expected type "{self._declared.name}" to be an object.')
        fields = self._fields
        if fields is None:
            fields = self._compile()
        for key in value:
            if key not in fields:
                raise _Invalid(f'Field {key[:60]!r} is not defined by type "{self._declared.name}".')
        coerced: dict[str, Any] = {}
        for key in fields if self._places is None else sorted(value, key=self._places.__getitem__):
            coerce, required, default = fields[key]
            if key in value:
                try:
                    coerced[key] = coerce(value[key])
                except _Invalid as invalid:
                    invalid.path.append(key)
                    raise
            elif default is not Undefined:
                coerced[key] = default
            elif required:
                raise _Invalid(f'Field "{key}" of a required type was not provided.')
        # GraphQL §3.10.1, OneOf Input Objects
        if self._declared.is_one_of and (len(coerced) != 1 or None in coerced.values()):
            raise _Invalid(
                f'Exactly one key must be specified for OneOf type "{self._declared.name}", and not as null.'
            )
        return coerced

    def _compile(self) -> dict[str, tuple[Coercer, bool, Any]]:
        self._fields = fields = {
            name: (coercer_of(field.type), isinstance(field.type, GraphQLNonNull), field.default_value)
            for name, field in self._declared.fields.items()
        }
        if not any(required or default is not Undefined for _, required, default in fields.values()):
            self._places = {name: place for place, name in enumerate(fields)}
        return fields


def shape_of(declared: GraphQLInputType) -> Callable[[Any], Hashable] | None:
    """Compile what of a coerced value decides the SQL text: its keys, lengths of lists of objects, nulls, some enums.

    None means: nothing of it.
    """
    if isinstance(declared, GraphQLNonNull):
        return _shape(declared.of_type) if not is_leaf(declared) or _is_rendered(declared.of_type) else None
    return _shape(declared)


def _is_rendered(declared: GraphQLInputType) -> bool:
    return isinstance(declared, GraphQLEnumType) and declared.name in _RENDERED


def _shape(declared: GraphQLInputType) -> Callable[[Any], Hashable]:
    if isinstance(declared, GraphQLNonNull):
        return _shape(declared.of_type)
    if _is_rendered(declared):
        return lambda value: value
    if is_leaf(declared):
        return lambda value: value is None
    if isinstance(declared, GraphQLList):
        item = _shape(declared.of_type)
        return lambda value: None if value is None else tuple(map(item, value))
    assert isinstance(declared, GraphQLInputObjectType)
    shapes: dict[str, Callable[[Any], Hashable]] = {}

    def shape(value: Any) -> Hashable:
        if value is None:
            return None
        if not shapes:
            shapes.update((name, _shape(field.type)) for name, field in declared.fields.items())
        return tuple([(key, shapes[key](item)) for key, item in value.items()])

    return shape

"""The types of aggregates and of groups, and which fields of a type each function takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from fraiseql.schema.model import EnumType, Field, InputField, NamedType, ObjectType, TypeReference
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = [
    "COUNT",
    "COUNT_FIELD",
    "DATE_UNITS",
    "FUNCTIONS",
    "KEY",
    "TRUNCATED_TO",
    "aggregate_types",
    "aggregated",
    "group_types",
    "key_fields",
    "part_name",
]

COUNT: Final = "count"
"""The field of an aggregate that is the number of rows."""
KEY: Final = "key"
"""The field of a group that holds what its rows have in common."""
TRUNCATED_TO: Final = "truncatedTo"
"""The argument of a date or a time in a group's key."""

_SUMS: Final = {"Int": "BigInt", "BigInt": "Decimal", "Float": "Float", "Decimal": "Decimal", "Interval": "Interval"}
_AVERAGES: Final = {**_SUMS, "Int": "Decimal"}
# What PostgreSQL has min() and max() of from version 12 on; of an ID nobody knows the column's type.
_EXTREMES: Final = frozenset(
    ("int4", "int8", "float8", "numeric", "text", "date", "time", "timestamptz", "interval", "inet", "cidr")
)

_Named = Scalar | EnumType


def _distinct(named: _Named) -> str | None:
    return "Int" if _has_equality(named) else None


def _sum(named: _Named) -> str | None:
    return _SUMS.get(named.name)


def _average(named: _Named) -> str | None:
    return _AVERAGES.get(named.name)


def _extreme(named: _Named) -> str | None:
    if isinstance(named, EnumType):
        return named.name
    has_extremes = named.name != "ID" and named.sql_type in _EXTREMES and named.sortable
    return named.name if has_extremes else None


_RESULTS: Final[Mapping[str, Callable[[_Named], str | None]]] = MappingProxyType(
    {"countDistinct": _distinct, "sum": _sum, "avg": _average, "min": _extreme, "max": _extreme}
)
_DESCRIPTIONS: Final = {
    "countDistinct": "How many different values each field has; null is none.",
    "sum": "The sum of each field; null where it has no value.",
    "avg": "The average of each field; null where it has no value.",
    "min": "The smallest value of each field; null where it has none.",
    "max": "The largest value of each field; null where it has none.",
}
FUNCTIONS: Final = tuple(_RESULTS)
"""The aggregates of fields, in the order of their types' fields."""

_DAYS: Final = {"WEEK": "week", "MONTH": "month", "QUARTER": "quarter", "YEAR": "year"}
_UNITS: Final = {
    "Date": EnumType("DateUnit", "What a date is cut to; a week begins on a Monday.", MappingProxyType(_DAYS)),
    "DateTime": EnumType(
        "DateTimeUnit",
        "What a point in time is cut to, in UTC; a week begins on a Monday.",
        MappingProxyType({"MINUTE": "minute", "HOUR": "hour", "DAY": "day", **_DAYS}),
    ),
}
DATE_UNITS: Final = frozenset(unit.name for unit in _UNITS.values())
"""The enums of the argument `truncatedTo`."""


def part_name(target: ObjectType, part: str) -> str:
    """The name of the type of a part of an aggregate: `Post` and `countDistinct` -> `PostCountDistinct`."""
    return f"{target.name}{part[0].upper()}{part[1:]}"


def aggregated(function: str, target: ObjectType, types: Mapping[str, NamedType]) -> dict[str, Field]:
    """The fields of a type that a function takes, each with the type of its result."""
    found: dict[str, Field] = {}
    for field, named in _values(target, types):
        result = _RESULTS[function](named)
        if result is not None:
            reference = TypeReference(nullable=function != "countDistinct", name=result)
            made = _field(field.name, reference, field.description, field.attribute)
            found[field.name] = replace(made, deprecated=field.deprecated)
    return found


def key_fields(target: ObjectType, types: Mapping[str, NamedType]) -> dict[str, Field]:
    """The fields of a type that its rows can be grouped by."""
    found: dict[str, Field] = {}
    for field, named in _values(target, types):
        if _has_equality(named):
            unit = _UNITS.get(named.name)
            arguments = {} if unit is None else {TRUNCATED_TO: _truncated_to(unit)}
            made = _field(field.name, field.type, field.description, field.attribute, arguments)
            found[field.name] = replace(made, deprecated=field.deprecated)
    return found


def aggregate_types(target: ObjectType, types: Mapping[str, NamedType]) -> Iterator[NamedType]:
    """Those of an aggregate of all rows of a type."""
    yield from _parts(target, types)
    yield _type(part_name(target, "aggregate"), target, f"Figures about {target.name} rows.", _figures(target, types))


def group_types(target: ObjectType, types: Mapping[str, NamedType]) -> Iterator[NamedType]:
    """Those of groups of the rows of a type."""
    yield from _parts(target, types)
    figures = _figures(target, types)
    keys = key_fields(target, types)
    if keys:
        key = part_name(target, "groupKey")
        text = f"What the {target.name} rows of a group have in common: the fields selected here are what groups them."
        yield _type(key, target, text, keys)
        reference = TypeReference(nullable=False, name=key)
        figures = {
            KEY: _field(KEY, reference, "What its rows have in common; without it, all rows are one group."),
            **figures,
        }
        used = {field.type.name for field in keys.values()}
        yield from (unit for name, unit in _UNITS.items() if name in used)
    yield _type(part_name(target, "group"), target, f"A group of {target.name} rows, and figures about it.", figures)


def _parts(target: ObjectType, types: Mapping[str, NamedType]) -> Iterator[NamedType]:
    for function in FUNCTIONS:
        fields = aggregated(function, target, types)
        if fields:
            yield _type(part_name(target, function), target, _DESCRIPTIONS[function], fields)
            results = {field.type.name for field in fields.values()}
            yield from (SCALARS[name] for name in sorted(results) if name in SCALARS)


def _figures(target: ObjectType, types: Mapping[str, NamedType]) -> dict[str, Field]:
    figures = {COUNT: COUNT_FIELD}
    for function in FUNCTIONS:
        if aggregated(function, target, types):
            reference = TypeReference(nullable=False, name=part_name(target, function))
            attribute = "count_distinct" if function == "countDistinct" else function
            figures[function] = _field(function, reference, _DESCRIPTIONS[function], attribute)
    return figures


def _values(target: ObjectType, types: Mapping[str, NamedType]) -> Iterator[tuple[Field, _Named]]:
    """The fields that hold one scalar or enum, and its type."""
    for field in target.fields.values():
        named = types.get(field.type.named)  # None for a type that is still to be made
        if field.is_held and field.type.item is None and isinstance(named, (Scalar, EnumType)):
            yield field, named


def _has_equality(named: _Named) -> bool:
    return isinstance(named, EnumType) or named.filtered


def _truncated_to(unit: EnumType) -> InputField:
    reference = TypeReference(nullable=True, name=unit.name)
    return InputField(TRUNCATED_TO, reference, "The beginning of the unit that the value lies in.", TRUNCATED_TO)


def _type(name: str, target: ObjectType, description: str, fields: Mapping[str, Field]) -> ObjectType:
    return ObjectType(name, description, None, MappingProxyType(dict(fields)), target.name)


def _field(
    name: str,
    reference: TypeReference,
    description: str | None,
    attribute: str = KEY,
    arguments: Mapping[str, InputField] = MappingProxyType({}),
) -> Field:
    return Field(name, reference, description, None, name, attribute=attribute, arguments=MappingProxyType(arguments))


COUNT_FIELD: Final = _field(COUNT, TypeReference(nullable=False, name="Int"), "How many rows there are.", COUNT)

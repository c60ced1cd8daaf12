"""The call of a PostgreSQL function: its statement, and the arguments of a field as its parameters.

Names come from the schema; every value is a parameter. What is passed by name has no cast: PostgreSQL gives it the type
of the function's own argument, so that enums, domains and identifiers of any type need no declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fraiseql.effects import Statement
from fraiseql.pipeline.sql.bind import encode
from fraiseql.pipeline.sql.quoting import identifier, literal
from fraiseql.schema.function_actions import FunctionAction, Passing, Returned
from fraiseql.schema.model import EnumType, InputField, InputType, MutationField, SchemaModel, Source, TypeReference
from fraiseql.schema.numbers import json_text, stored_number
from fraiseql.schema.scalar import Scalar

__all__ = ["FunctionCall", "function_call"]


class FunctionCall(NamedTuple):
    """A statement whose first column is a JSON array of what the function returned.

    Where the field gives a list, the second one says whether that was a set; NULL where functions of this name differ.

    Attributes:
        names: of what each parameter holds, in GraphQL.
    """

    statement: Statement
    parameters: tuple[bytes | None, ...]
    names: tuple[str, ...]


def function_call(model: SchemaModel, mutation: MutationField, arguments: Mapping[str, Any]) -> FunctionCall:
    """The call that serves a field.

    Args:
        arguments: those that are present, coerced, by their GraphQL names.
    """
    action = mutation.action
    assert isinstance(action, FunctionAction)
    passed = _by_name if action.passing is Passing.NAMED else _as_jsonb
    written, parameters, names = passed(model, mutation, arguments)
    schema = "" if action.function.schema is None else f"{identifier(action.function.schema)}."
    called = f"{schema}{identifier(action.function.name)}({', '.join(written)})"
    # A row becomes an object of its columns, and a scalar itself, whether it comes alone or in a set. NULL of a
    # composite type comes as a row of nulls where no set was declared; in a set such a row is one.
    gives_list = action.returned is Returned.ROW and action.success.item is not None
    is_set = _is_set(action.function, len(written), is_jsonb=action.passing is Passing.JSONB)
    is_there = f"not r$ is null or {is_set}" if gives_list else "not r$ is null"
    columns = [f"array_to_json(array(select case when {is_there} then to_jsonb(r$) end from {called} r$))"]
    if gives_list:
        columns.append(is_set)
    return FunctionCall(
        Statement(f"select {', '.join(columns)}".encode(), len(columns)), tuple(parameters), tuple(names)
    )


def _is_set(function: Source, count: int, *, is_jsonb: bool) -> str:
    """Whether a function returns a set, which what it returned cannot tell: one row, or an array of several.

    Args:
        count: how many arguments it is given: others of its name may take as many, and are then asked too.
        is_jsonb: whether that is one of jsonb.
    """
    place = "pg_function_is_visible(p$.oid)"
    if function.schema is not None:
        place = f"p$.pronamespace = {literal(identifier(function.schema))}::regnamespace"
    place += f" and p$.pronargs >= {count}"
    if is_jsonb and count:
        place += " and p$.proargtypes[0] = any (array['jsonb', 'json']::regtype[])"
    rows = f"from pg_catalog.pg_proc p$ where p$.proname = {literal(function.name)} and {place}"
    return f"(select case when bool_and(p$.proretset) = bool_or(p$.proretset) then bool_and(p$.proretset) end {rows})"


def _as_jsonb(
    model: SchemaModel, mutation: MutationField, arguments: Mapping[str, Any]
) -> tuple[list[str], list[bytes | None], list[str]]:
    """One jsonb; no argument at all where nothing is given, so that the function's default holds."""
    fields = mutation.arguments
    if not arguments:
        return ([], [], []) if not fields or _only_input(model, fields) else (["$1::jsonb"], [b"{}"], [""])
    only = _only_input(model, fields)
    if only is None:
        return ["$1::jsonb"], [_document(model, fields, arguments)], [next(iter(arguments)) if len(fields) == 1 else ""]
    given = arguments[only.name]
    return ["$1::jsonb"], [None if given is None else _json(_stored(model, only.type, given))], [only.name]


def _by_name(
    model: SchemaModel, mutation: MutationField, arguments: Mapping[str, Any]
) -> tuple[list[str], list[bytes | None], list[str]]:
    """An SQL argument for each value that is given; the function's defaults hold for the others."""
    action, fields = mutation.action, mutation.arguments
    assert isinstance(action, FunctionAction)
    only = _only_input(model, fields)
    if only is not None:
        fields, arguments = _input_type(model, only).fields, arguments.get(only.name) or {}
    written, parameters, names = list[str](), list[bytes | None](), list[str]()
    for name, value in arguments.items():
        field = fields[name]
        parameters.append(_parameter(model, field.type, value))
        written.append(f"{identifier(action.prefix + field.target)} => ${len(parameters)}")
        names.append(name)
    return written, parameters, names


def _only_input(model: SchemaModel, fields: Mapping[str, InputField]) -> InputField | None:
    """The only argument, where it is an input object, which then is the whole input."""
    if len(fields) != 1:
        return None
    (only,) = fields.values()
    return only if only.type.item is None and isinstance(model.types[only.type.name], InputType) else None


def _input_type(model: SchemaModel, field: InputField) -> InputType:
    named = model.types[field.type.name]
    assert isinstance(named, InputType)
    return named


def _document(model: SchemaModel, fields: Mapping[str, InputField], given: Mapping[str, Any]) -> bytes:
    return _json({fields[name].target: _stored(model, fields[name].type, value) for name, value in given.items()})


def _json(value: Any) -> bytes:
    return json_text(value).encode()


def _parameter(model: SchemaModel, reference: TypeReference, value: Any) -> bytes | None:
    """A value in the text format of an SQL argument: input objects, also in lists, and any JSON are documents."""
    named = model.types[reference.named]
    if value is None:
        return None
    if isinstance(named, InputType):
        return _json(_stored(model, reference, value))
    if isinstance(named, Scalar) and named.is_json:
        return _json(value) if reference.item is None else encode(_documents(value))
    return encode(value)


def _documents(value: Any) -> Any:
    """The elements of a list of JSON as their texts, which an SQL array holds."""
    return None if value is None else [None if each is None else json_text(each) for each in value]


def _stored(model: SchemaModel, reference: TypeReference, value: Any) -> Any:
    """A coerced value as jsonb shall hold it: by the names of columns, with numbers of all their digits."""
    if value is None:
        return None
    if reference.item is not None:
        return [_stored(model, reference.item, each) for each in value]
    named = model.types[reference.name]
    if isinstance(named, InputType):
        fields = named.fields
        return {fields[name].target: _stored(model, fields[name].type, each) for name, each in value.items()}
    assert isinstance(named, (EnumType, Scalar))
    return stored_number(named.name, value)

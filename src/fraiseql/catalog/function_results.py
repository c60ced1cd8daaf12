"""What functions return, held against what mutations read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fraiseql.catalog.facts import DataType
from fraiseql.catalog.findings import Finding, Severity
from fraiseql.catalog.functions import SqlFunction
from fraiseql.catalog.types import TEXTS, fit_of
from fraiseql.schema.function_actions import FunctionAction, Part, Returned
from fraiseql.schema.model import EnumType, MutationField, ObjectType, SchemaModel
from fraiseql.schema.scalar import Scalar

__all__ = ["check_returned"]

_DOCUMENTS: Final = ("json", "jsonb")
_COLUMNS: Final = (
    *("status", "message", "entity_id", "entity_type", "entity", "updated_fields", "cascade", "metadata"),
)
_WHOLE: Final = ("entity", "cascade", "metadata")
# The columns of which each part is made: one of them must be there.
_NEEDED: Final[Mapping[Part, tuple[str, ...]]] = {
    Part.MESSAGE: ("message",),
    Part.ENTITY: ("entity_id", "entity"),
    Part.ENTITY_ID: ("entity_id", "entity"),
    Part.ENTITY_TYPE: ("entity_type",),
    Part.CASCADE: ("cascade",),
    Part.METADATA: ("metadata",),
    Part.OTHER: ("metadata",),
}


def check_returned(
    model: SchemaModel, mutation: MutationField, action: FunctionAction, function: SqlFunction
) -> Iterator[Finding]:
    """What is wrong with what a function returns."""
    returned = function.returned.bare
    if function.columns is None and (returned.kind == "p" or returned.name in ("record", "trigger")):
        advice = "return jsonb, a table's row, or returns table (status text, ...)"
        yield _error(action, f"{function.signature} returns {function.shown}, whose columns nobody knows", advice)
    elif action.returned is Returned.RESULT:
        yield from _result(model, mutation, action, function)
    else:
        yield from _row(model, action, function)


def _error(action: FunctionAction, found: str, advice: str) -> Finding:
    return Finding(Severity.ERROR, action.where, found, advice)


def _result(
    model: SchemaModel, mutation: MutationField, action: FunctionAction, function: SqlFunction
) -> Iterator[Finding]:
    returned, columns = function.returned.bare, function.columns
    if returned.name in _DOCUMENTS:
        return
    if columns is None and _is_text(returned):  # the status alone
        columns = {"status": returned}
    if columns is None:
        advice = "return jsonb, or columns of which one is status"
        yield _error(action, f"{function.signature} returns {function.shown}, which is no result", advice)
        return
    if "status" not in columns:
        advice = "add it, or declare returns='row'"
        yield _error(action, f"{function.signature} returns no column status", advice)
        return
    yield from _columns(action, function, columns)
    for name in action.parts:
        target = model.object_type(name)
        for field_name, part in action.parts[name].items():
            field, wanted = target.fields[field_name], _NEEDED.get(part, ())
            if not wanted or any(column in columns for column in wanted):
                continue
            # An error has a message in any case, and need not have what may be null.
            if name == action.error and (part is Part.MESSAGE or field.type.nullable):
                continue
            found = (
                f"{function.signature} returns no column {' or '.join(wanted)}, which {name}.{field_name} is read from"
            )
            severity = Severity.WARNING if field.type.nullable else Severity.ERROR
            yield Finding(severity, action.where, found, "add it, or take the field out")


def _columns(action: FunctionAction, function: SqlFunction, columns: Mapping[str, DataType]) -> Iterator[Finding]:
    for name, actual in columns.items():
        found, shown = actual.bare, f"{function.signature} returns {name} as {actual.name}"
        is_document = found.name in _DOCUMENTS or found.kind == "c"
        if name not in _COLUMNS:
            text = f"{function.signature} returns a column {name}, which nothing reads"
            yield Finding(Severity.WARNING, action.where, text, "put it into metadata")
        elif name in ("status", "message", "entity_type") and not _is_text(found):
            yield _error(action, shown, "make it text")
        elif name in _WHOLE and not is_document and (name != "entity" or found.element is None):
            yield _error(action, shown, "make it jsonb")
        elif name == "updated_fields" and found.element is None and found.name not in _DOCUMENTS:
            yield _error(action, shown, "make it text[]")


def _row(model: SchemaModel, action: FunctionAction, function: SqlFunction) -> Iterator[Finding]:
    named, returned, columns = model.types[action.success.named], function.returned.bare, function.columns
    shown = f"{function.signature} returns {function.shown}, the field is {action.success}"
    if isinstance(named, ObjectType):
        if returned.name in _DOCUMENTS:
            return
        identity = named.identity
        if columns is None:
            kind = None if identity is None or named.source is None else model.types[identity.type.named]
            if not isinstance(kind, Scalar) or not fit_of(kind, returned).fits:
                yield _error(action, shown, f"return rows of {named.name}, or their ids")
        elif named.source is not None and identity is not None:
            wanted = [each for each in (identity.column, identity.key, named.source.jsonb_column) if each is not None]
            if not any(each in columns for each in wanted):
                yield _error(
                    action, f"{function.signature} returns no column {wanted[0]}", "add it: rows are found by it"
                )
        return
    found = returned.element.bare if returned.element is not None and action.success.item is not None else returned
    is_list = function.is_set or returned.element is not None
    if isinstance(named, EnumType):
        fits = _is_text(found)
    else:
        fits = isinstance(named, Scalar) and columns is None and (named.is_json or fit_of(named, found).fits)
    if not fits or (action.success.item is not None and not is_list and found.name not in _DOCUMENTS):
        yield _error(action, shown, "change one of them")


def _is_text(actual: DataType) -> bool:
    return actual.bare.name in TEXTS or actual.bare.kind == "e"

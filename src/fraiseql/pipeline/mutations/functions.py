"""Fields of Mutation that PostgreSQL functions serve.

The function is called by one statement; what it wrote is then selected like any query, by a second one in the same
transaction, since a statement does not see what it writes itself. So row-level security holds for what is shown. Only
a row that is gone is shown as the function gave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fraiseql.effects import Program
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.pipeline.mutations.function_calls import function_call
from fraiseql.pipeline.mutations.function_results import Defect, Result, key_of, read_result, read_returned
from fraiseql.pipeline.mutations.function_shapes import Rows, Shaping, is_keyed, selected_member, with_mark
from fraiseql.pipeline.mutations.serving import Serving
from fraiseql.pipeline.plan import SelectedField, Selection
from fraiseql.schema.function_actions import FunctionAction, Part, Returned
from fraiseql.schema.model import ObjectType, TypeReference

__all__ = ["call_function", "error_member"]

# What a client can do nothing about is no answer of the function.
_NO_MEMBER: Final = (
    *("INTERNAL_SERVER_ERROR", "DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN", "ROLLED_BACK", "QUERY_TOO_COMPLEX"),
)


def call_function(serving: Serving) -> Program[bytes]:
    """Serve a field by its function and return the JSON of what is selected.

    Raises:
        RequestError: the function refused, and the field has no error type.
        Defect: the function did not keep to its part.
        DatabaseError: a statement failed.
        Refusal: an argument inside of the selection does not fit.
    """
    return (yield from _Call(serving).run())


def error_member(serving: Serving, error: RequestError) -> bytes | None:
    """The JSON of the error type for an error; None where the field has none, or none for this error."""
    action = serving.field.action
    if not isinstance(action, FunctionAction) or action.error is None or error.code in _NO_MEMBER:
        return None
    if error.path is not None and len(error.path) > 1:  # it is about what is selected, not about the input
        return None
    fields = error.extensions.get("fields", [])
    values = {"message": error.message, "metadata": {"fields": fields}}
    result = Result(error.code.lower(), error.code, values=values)
    try:
        return Shaping(serving).member(action.error, result, {})
    except Defect:
        return None


class _Call:
    def __init__(self, serving: Serving) -> None:
        action = serving.field.action
        assert isinstance(action, FunctionAction)
        self._action = action
        self._serving = serving
        self._model = serving.asking.planning.model
        self._shaping = Shaping(serving)

    def run(self) -> Program[bytes]:
        call = function_call(self._model, self._serving.field, self._serving.arguments())
        try:
            text, *is_set = yield from self._serving.fetch(call.statement, call.parameters)
        except DatabaseError as error:
            if error.parameter is None or error.parameter > len(call.names):
                raise
            raise self._refused(call.names[error.parameter - 1]) from error
        try:
            returned = read_returned(text)
            if self._action.returned is Returned.ROW:
                return (yield from self._rows(returned, is_set=is_set == [b"t"]))
            result = read_result(returned)
            if result is None and self._serving.field.type.nullable:
                return b"null"
            if result is None:
                raise Defect("it returned no result")
            if result.code is not None:
                return (yield from self._refusal(result))
            return (yield from self._success(result))
        except Defect as defect:
            named = f"{self._action.where}: the function {self._action.function}"
            raise Defect(f"{named} did not keep to its part: {defect}") from defect

    def _refused(self, name: str) -> RequestError:
        """PostgreSQL could not read a value as the function's argument."""
        what = f'The value of "{name}" does' if name else "The arguments do"
        fields = {"fields": [name]} if name else {}
        return RequestError(f"{what} not fit what the function takes.", code="BAD_USER_INPUT", extensions=fields)

    def _rows(self, returned: list[Any], *, is_set: bool) -> Program[bytes]:
        """The rows that the function returned itself, selected by their ids; or its scalars."""
        only = returned[0] if len(returned) == 1 else None
        if self._action.success.item is None:
            if len(returned) > 1:
                raise Defect(f"it returned {len(returned)} rows")
            return (yield from self._entity(only))
        if not is_set and len(returned) == 1 and (only is None or isinstance(only, list)):
            return (yield from self._entity(only))  # NULL, an array, or a jsonb of several
        return (yield from self._entity(returned))

    def _success(self, result: Result) -> Program[bytes]:
        success = self._action.success
        if success.named not in self._action.parts:
            return (yield from self._entity(_of_entity(result, is_list=success.item is not None), result))
        rows = yield from self._belonging(success.name, result)
        return self._shaping.member(success.name, result, rows)

    def _refusal(self, result: Result) -> Program[bytes]:
        if self._action.error is None:
            assert result.code is not None
            fields = self._shaping.blamed(result)
            more = {"fields": fields} if fields else {}
            raise RequestError(result.message or "", code=result.code, path=self._serving.path, extensions=more)
        rows = yield from self._belonging(self._action.error, result)
        return self._shaping.member(self._action.error, result, rows)

    def _entity(self, value: Any, result: Result | None = None) -> Program[bytes]:
        """What the field gives where that is the entity itself: rows, or what is no row."""
        success = self._action.success
        selection, type_key = selected_member(self._serving, success.named)
        if selection is None or selection.type.source is None:
            return self._shaping.value(value, success, selection)
        if type_key and not selection.fetched:  # of this member of the union nothing is selected
            return with_mark(b"null" if value is None else b"{}", success.named, type_key)
        is_gone = result is not None and result.is_deleted
        text = yield from self._selected(value, success, selection, is_gone=is_gone)
        return with_mark(text, success.named, type_key)

    def _belonging(self, name: str, result: Result) -> Program[Rows]:
        """The JSON of the rows that a success or an error type shows."""
        selection, _ = selected_member(self._serving, name)
        assert selection is not None
        found: dict[str, bytes] = {}
        for each in selection.fetched:
            if each.field is not None and each.selection is not None and each.selection.type.source is not None:
                part = self._action.parts[name][each.field.name]
                value, is_gone = self._value_of(each, part, result), part is Part.ENTITY and result.is_deleted
                found[each.key] = yield from self._selected(value, each.field.type, each.selection, is_gone=is_gone)
        return found

    def _value_of(self, selected: SelectedField, part: Part, result: Result) -> Any:
        assert selected.field is not None
        if part is Part.ENTITY:
            return _of_entity(result, is_list=selected.field.type.item is not None)
        return result.metadata.get(selected.field.key)

    def _selected(self, value: Any, reference: TypeReference, selection: Selection, *, is_gone: bool) -> Program[bytes]:
        """The JSON of one row or of several, as a query has it; null for those that the caller does not see.

        Args:
            is_gone: whether they are no rows any more, and are shown as they are given.
        """
        is_list = reference.item is not None
        if is_list and value is not None and not isinstance(value, list):
            raise Defect(f"of several {selection.type.name} it gave no list")
        if value is None:
            return b"null"
        values = value if is_list else [value]
        texts = yield from self._each(values, selection, is_gone=is_gone)
        return b"[" + b",".join(texts) + b"]" if is_list else texts[0]

    def _each(self, values: Sequence[Any], selection: Selection, *, is_gone: bool) -> Program[list[bytes]]:
        target = selection.type
        if is_gone or not is_keyed(target):
            records = [_record(target, each) for each in values]
            shown = yield from self._serving.rows_shown(selection, [each for each in records if each is not None])
            left = iter(shown)
            return [b"null" if each is None else next(left) or b"null" for each in records]
        keys = [key_of(target, each) for each in values]
        identity = target.identity
        assert identity is not None
        rows = yield from self._serving.rows_by_key(selection, identity, [key for key in keys if key is not None])
        found = iter(rows)
        return [b"null" if key is None else next(found) or b"null" for key in keys]


def _of_entity(result: Result, *, is_list: bool) -> Any:
    """The entity: its id where that is told, else what the function gave of it; for what is gone, that first."""
    key, held = result.values.get("entity_id"), result.values.get("entity")
    if is_list and not isinstance(key, list):
        key = None
    first, second = (held, key) if result.is_deleted else (key, held)
    return second if first is None else first


def _record(target: ObjectType, value: Any) -> dict[str, Any] | None:
    """What is given of a row, as a row of the type's source; None for null."""
    assert target.source is not None
    if not isinstance(value, dict):
        identity = target.identity if is_keyed(target) else None
        if value is None or identity is None:
            return None
        value = {identity.column or identity.key: key_of(target, value)}
    name = target.source.jsonb_column
    # Where that has a document, either that or the row with it may be given.
    return value if name is None or isinstance(value.get(name), dict) else {**value, name: value}

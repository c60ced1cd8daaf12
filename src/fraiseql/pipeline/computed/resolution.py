"""Computes the fields of one answer: level by level, since what a method gives may have computed fields itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import orjson

from fraiseql.context import Caller
from fraiseql.effects import Program, ResolverCall, Row, call_all
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.computed.calls import Arguments, calls_of, grouped, values_of
from fraiseql.pipeline.computed.instances import Loading, instance_of_value, is_native
from fraiseql.pipeline.computed.selections import has_computed
from fraiseql.pipeline.computed.slot import Failure, Place, RowSlot, Slot, field_of, place_of, resolver_of
from fraiseql.pipeline.database_errors import told
from fraiseql.pipeline.failures import masked, shown
from fraiseql.pipeline.held import MISSING, held
from fraiseql.pipeline.marks import holds_documents
from fraiseql.pipeline.nulls import Check, Rising
from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, RootField, SelectedField, Selection
from fraiseql.pipeline.project import Misfit, Projection
from fraiseql.pipeline.reading import read, read_outer, read_row
from fraiseql.pipeline.records import lacks_relations, record_of, without_relations
from fraiseql.schema.computed import needed_fields
from fraiseql.schema.model import Field, ObjectType, SchemaModel, TypeReference

__all__ = ["Resolution"]

_Path: TypeAlias = tuple[str | int, ...]
_Rows = TypeVar("_Rows")
_Checked = TypeVar("_Checked", bound="_HasCheck")
_Places: TypeAlias = "Mapping[int, Callable[[], _Rows]]"
_FetchRows: TypeAlias = "Callable[[_Rows, bytes], Program[tuple[Row, _Checked | None]]]"


class _HasCheck(Protocol):
    def check(
        self, value: Any, reference: TypeReference, selection: Selection | None, field: str, path: _Path, /
    ) -> Any: ...


class Resolution:
    """The computed fields of one answer.

    Args:
        arguments: of the fields.
        caller: who asks.
        hint: entries for the `extensions` of masked errors.
        limit: how many asynchronous methods may be under way at once.
        access: what their `info.db` asks the database through.
    """

    def __init__(
        self,
        model: SchemaModel,
        arguments: Arguments,
        caller: Caller,
        hint: Mapping[str, Any],
        limit: int,
        access: DatabaseAccess | None = None,
    ) -> None:
        self._model = model
        self._arguments = arguments
        self._caller = caller
        self._access = access
        self._hint = hint
        self._limit = limit
        self._projection = Projection(model, hint, self._slot_in_value, self._row_slot)
        self._places: Mapping[int, Any] = {}
        self._row_slots: dict[int, list[RowSlot]] = {}
        self._slots: list[Slot] = []
        self._check: Check | None = None
        self._is_cut = False
        self._computes: dict[int, bool] = {}  # by the identity of a selection
        self._needs: dict[Place, tuple[tuple[str, ...], tuple[Field, ...]]] = {}

    @property
    def hint(self) -> Mapping[str, Any]:
        """Entries for the `extensions` of masked errors."""
        return self._hint

    @property
    def errors(self) -> list[RequestError]:
        """Those inside of values that methods gave."""
        return self._projection.errors

    @property
    def causes(self) -> list[Exception]:
        """What was raised and is not meant for the client."""
        return self._projection.causes

    def complete(
        self,
        roots: Sequence[RootField],
        row: Sequence[bytes | None],
        native: Any = MISSING,
        check: Check | None = None,
    ) -> Program[list[Any]]:
        """Compute the fields of root fields, given as JSON texts, and return what stands for these.

        Args:
            native: the Python value of the only root field, whose relations the text holds, where there is one.
            check: for the texts of the checking statement.
        """
        values = [self.take_text(root, text, native, check) for root, text in zip(roots, row, strict=True)]
        yield from self.run()
        return values

    def project(self, root: RootField, value: Any) -> Program[Any]:
        """Compute the fields of a root field's Python value, and return what stands for its text."""
        found = self.take_value(root, value)
        yield from self.run()
        return found

    def take_text(self, root: RootField, text: bytes | None, native: Any = MISSING, check: Check | None = None) -> Any:
        """What stands for a root field's JSON text, as for `complete`, once `run` has computed its fields."""
        self._check = check
        return self._root(root, text or b"null", native)

    def take_value(self, root: RootField, value: Any) -> Any:
        """What stands for a root field's Python value, once `run` has computed its fields."""
        assert root.field is not None
        try:
            name = f"{root.owner}.{root.name}"
            return self._projection.nullable(value, root.field.type, root.selection, name, (root.key,))
        except Misfit as misfit:
            return self._misfit(misfit)

    def take_parts(self, root: RootField, value: Any, places: _Places[_Rows]) -> Any:
        """As `take_value`, where SQL serves some objects inside of the value, once `serve` has asked it.

        Args:
            places: by the identity of a selection: makes what serves it.
        """
        self._places = places
        found = self.take_value(root, value)
        self._places = {}
        return found

    def serve(self, places: _Places[_Rows], fetch: _FetchRows[_Rows, _Checked]) -> Program[_Checked | None]:
        """Have SQL serve what `take_parts` has left to it, and give what checks the rows, where they need it.

        Raises:
            DatabaseError: the database is not available.
        """
        found, (waiting, self._row_slots) = None, (self._row_slots, {})
        for place, slots in waiting.items():
            try:
                records = b"[" + b",".join(each.record for each in slots) + b"]"
                row, checks = yield from fetch(places[place](), records)
            except Exception as error:
                if isinstance(error, DatabaseError) and error.unavailable:
                    raise
                for each in slots:
                    each.value = self._failure(error, each.path)
                continue
            found = found or checks
            for each, text in zip(slots, orjson.loads(row[0] or b"[]"), strict=True):
                each.value = self._served(each, text, None if checks is None else checks.check)
        return found

    def _served(self, slot: RowSlot, text: str | None, check: Check | None) -> Any:
        if text is None:
            return None
        self._check = check
        selection = slot.selection
        row, self._is_cut = read_row(text.encode())
        may_be_deep = self._is_cut or holds_documents(self._model, selection)
        shown_value = read_outer(text.encode()) if may_be_deep else read(text.encode())
        found = self._read_object(shown_value, row, selection, slot.path, slot.native)
        return {HIDDEN_TYPE_KEY: slot.type_name, **found} if slot.type_name else found

    def _row_slot(self, value: Any, selection: Selection, path: _Path, type_name: str) -> RowSlot | None:
        """For an object whose relations SQL serves; raises Misfit where what it holds itself does not fit."""
        if id(selection) not in self._places:
            return None
        try:
            if not lacks_relations(selection, value):
                return None
        except Exception:  # a property's, which the projection meets again
            return None
        own, name = Projection(self._model, self._hint), selection.type.name
        own.nullable(value, TypeReference(nullable=False, name=name), without_relations(selection), name, path)
        if own.errors:
            self._projection.errors.extend(own.errors[:-1])
            self._projection.causes.extend(own.causes)
            raise Misfit(own.errors[-1])
        try:
            record = record_of(self._model, selection, value)
        except Exception as error:  # a property of a value is a user's code
            raise Misfit(shown(error, path, self._hint), masked(error)) from None
        slot = RowSlot(selection, value, record, path, type_name)
        self._row_slots.setdefault(id(selection), []).append(slot)
        return slot

    def take_failure(self, root: RootField, error: Exception, *, reading: bool = False) -> Failure:
        """What stands for a root field that has no value.

        Args:
            reading: whether the error is of a statement that writes nothing.
        """
        return self._failure(error, (root.key,), reading=reading)

    def take_misfits(self, errors: Sequence[RequestError], cause: Exception | None) -> Failure:
        """What stands for a root field whose value does not fit; of at least one error."""
        *others, last = errors
        self._projection.errors.extend(others)
        self._projection.note_cause(cause)
        return Failure(last)

    def _root(self, root: RootField, text: bytes, native: Any) -> Any:
        if root.field is None or root.selection is None or not self._has_computed(root.selection):
            return text
        row, self._is_cut = read_row(text)
        may_be_deep = self._is_cut or holds_documents(self._model, root.selection)
        shown_value = read_outer(text) if may_be_deep else read(text)
        return self._read(shown_value, row, root.field.type, root.selection, (root.key,), native)

    def _read(
        self, out: Any, row: Any, reference: TypeReference, selection: Selection, path: _Path, native: Any
    ) -> Any:
        """What is shown of an object or a list, with slots for what is to be computed.

        Args:
            out: the value as it is shown; what is of another form than its type stays as it is.
            row: the same value, with numbers read.
            native: the Python value that it was made from; MISSING where there is none.
        """
        item = reference.item
        if item is None:
            return self._read_object(out, row, selection, path, native) if isinstance(out, dict) else out
        if not isinstance(out, list):
            return out
        natives = native if isinstance(native, (list, tuple)) and len(native) == len(out) else [MISSING] * len(out)
        return [
            self._read(each, row[index], item, selection, (*path, index), natives[index])
            for index, each in enumerate(out)
        ]

    def _read_object(
        self, out: dict[str, Any], row: dict[str, Any], selection: Selection, path: _Path, native: Any
    ) -> Any:
        shown_object: dict[str, Any] = {}
        if selection.members:
            name = out.get(selection.type_key)
            member = next((each for each in selection.members if each.type.name == name), None)
            if member is None:
                return out
            if selection.type_key == HIDDEN_TYPE_KEY:
                shown_object[HIDDEN_TYPE_KEY] = name
            selection = member
        instances: dict[tuple[str, ...], Any] = {}
        for selected in selection.fields:
            key, field = selected.key, selected.field
            here = (*path, key)
            if field is not None and field.resolver is not None:
                shown_object[key] = self._slot_in_row(row, native, selected, selection.type, here, instances)
            elif field is not None and selected.selection is not None and self._has_computed(selected.selection):
                is_own = field.relation is None and native is not MISSING and not selected.arguments
                below = _below(native, field.attribute) if is_own else MISSING
                shown_object[key] = self._read(out[key], row[key], field.type, selected.selection, here, below)
            else:
                shown_object[key] = out[key]
        return shown_object

    def _slot_in_row(
        self,
        row: Mapping[str, Any],
        native: Any,
        selected: SelectedField,
        owner: ObjectType,
        path: _Path,
        instances: dict[tuple[str, ...], Any],
    ) -> Slot | Failure:
        """A field of an object from SQL; methods that need the same share an instance."""
        if native is not MISSING and native is not None:
            return self._slot_in_value(native, selected, owner, path)
        attributes, fields = self._needed(selected, owner)
        try:
            if attributes not in instances:
                loading = Loading(self._model, path, self._check, is_cut=self._is_cut)
                instances[attributes] = loading.instance(owner, fields, row)
        except Rising as misfit:
            return Failure(misfit.error)
        except Exception as error:  # what is stored may be more than Python can hold: the year 10,000
            return self._failure(error, path)
        return self._slot(Slot(selected, owner, instances[attributes], path, is_native=False))

    def _slot_in_value(self, value: Any, selected: SelectedField, owner: ObjectType, path: _Path) -> Slot | Failure:
        """A field of an object from Python."""
        try:
            instance = instance_of_value(self._model, owner, self._needed(selected, owner)[1], value)
        except Exception as error:  # a value may be of any class
            return self._failure(error, path)
        return self._slot(Slot(selected, owner, instance, path, is_native(owner, value)))

    def _slot(self, slot: Slot) -> Slot:
        self._slots.append(slot)
        return slot

    def run(self) -> Program[None]:
        """Compute the fields of all that was taken."""
        while self._slots:
            slots, self._slots = self._slots, []
            groups = grouped(slots)
            results = yield from call_all(self._calls(groups), self._limit)
            for group, result in zip(groups, results, strict=True):
                for slot, value in zip(group, values_of(group, result), strict=True):
                    self._fill(slot, value)

    def _calls(self, groups: Sequence[list[Slot]]) -> tuple[ResolverCall, ...]:
        return calls_of(groups, self._arguments, self._caller, self._access)

    def _fill(self, slot: Slot, value: Any) -> None:
        if isinstance(value, Exception):
            slot.value = self._failure(self._explained(slot, value), slot.path)
            return
        field = field_of(slot.selected)
        name = f"{slot.owner.name}.{field.name}"
        try:
            slot.value = self._projection.nullable(value, field.type, slot.selected.selection, name, slot.path)
        except Misfit as misfit:
            slot.value = self._misfit(misfit)

    def _explained(self, slot: Slot, error: Exception) -> Exception:
        """The same, or where a method reads what it did not ask for, what to do about it."""
        if not isinstance(error, AttributeError) or slot.is_native or not is_native(slot.owner, error.obj):
            return error
        field = next((each for each in slot.owner.fields.values() if each.attribute == error.name), None)
        if field is None or (not field.is_held and field.relation is None):
            return error
        where = f"{slot.owner.name}.{field_of(slot.selected).attribute}"
        if field.relation is not None:
            explained = AttributeError(f"{where} reads the relation {error.name!r}, which no method is given")
        else:
            advice = f"put it into needs=[...] of its @fraiseql.field: needs={[*self._needed_names(slot), error.name]}"
            explained = AttributeError(f"{where} reads {error.name!r}, which was not fetched: {advice}")
        explained.__cause__ = error
        return explained

    def _failure(self, error: Exception, path: _Path, *, reading: bool = False) -> Failure:
        entry, cause = told(self._model, error, self._hint, reading=reading) or (error, masked(error))
        self._projection.note_cause(cause)
        return Failure(shown(entry, path, self._hint))

    def _misfit(self, misfit: Misfit) -> Failure:
        self._projection.note_cause(misfit.cause)
        return Failure(misfit.error)

    def _has_computed(self, selection: Selection) -> bool:
        found = self._computes.get(id(selection))
        if found is None:
            found = self._computes[id(selection)] = has_computed(selection)
        return found

    def _needed(self, selected: SelectedField, owner: ObjectType) -> tuple[tuple[str, ...], tuple[Field, ...]]:
        place = place_of(owner, selected)
        found = self._needs.get(place)
        if found is None:
            fields = needed_fields(self._model, owner, resolver_of(selected))
            found = self._needs[place] = (tuple(each.attribute for each in fields), fields)
        return found

    def _needed_names(self, slot: Slot) -> tuple[str, ...]:
        return self._needed(slot.selected, slot.owner)[0]


def _below(native: Any, attribute: str) -> Any:
    try:
        return held(native, attribute)
    except Exception:  # a property's, which then holds nothing
        return MISSING

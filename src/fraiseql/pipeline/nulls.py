"""Finds nulls where the schema allows none, and lets them rise (GraphQL §6.4.4).

PostgreSQL's JSON passes through unread unless a null is in it that may be one of these: one behind a key that always
may be null is not. So is an object that is of no member of its abstract type, which has null for its type's name.
Hidden keys, by which objects tell of their types, are taken out; only where a JSON scalar could hold the like of them,
or for a null, the JSON is read for that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson

from fraiseql.errors import RequestError
from fraiseql.pipeline.computed.slot import Failure, RowSlot, Slot
from fraiseql.pipeline.failures import UnfitValue
from fraiseql.pipeline.marks import has_marks, holds_documents, without_marks
from fraiseql.pipeline.members import made_member
from fraiseql.pipeline.plan import RootField, Selection
from fraiseql.pipeline.reading import read, read_outer
from fraiseql.schema.model import SchemaModel, TypeReference

__all__ = ["Check", "Completion", "Rising"]

_Path: TypeAlias = tuple[str | int, ...]
Check: TypeAlias = "Callable[[Any, TypeReference, Selection | None, str, tuple[str | int, ...]], Any]"
"""Given a value that is not null, its type, its selection, its field as `User.age` and its path, gives what it is shown
as; raises Rising."""


class Completion:
    """Checks the values of one root field."""

    __slots__ = ("_is_marked", "_is_opaque", "_root", "_suspicious")

    def __init__(self, root: RootField, model: SchemaModel) -> None:
        self._root = root
        self._is_marked = has_marks(root.selection)
        self._is_opaque = self._is_marked and holds_documents(model, root.selection)
        self._suspicious: re.Pattern[bytes] | None = None  # compiled for the first answer that has a null

    def __call__(
        self, text: Any, errors: list[RequestError], hint: Mapping[str, Any], check: Check | None = None
    ) -> bytes | None:
        """Check one value.

        Args:
            text: its JSON; or what was read from it, with computed fields.
            errors: is given an entry for each null that rose.
            hint: entries for the `extensions` of these.
            check: for values that may not fit their types.

        Returns:
            the JSON to answer with: `text` itself where all is well; None where the null rises to `data`.
        """
        if check is not None or self._is_opaque or not isinstance(text, bytes):
            return self._complete(text, errors, hint, check)
        if b"null" in text and self._may_rise(text):
            return self._complete(text, errors, hint, None)
        return without_marks(text) if self._is_marked else text

    def _may_rise(self, text: bytes) -> bool:
        if self._suspicious is None:
            self._suspicious = _suspicious_null(self._root.selection)
        return self._suspicious.search(text) is not None

    def _complete(
        self, text: Any, errors: list[RequestError], hint: Mapping[str, Any], check: Check | None
    ) -> bytes | None:
        root, before, told = self._root, len(errors), ""
        assert root.field is not None
        for read_json in (read, read_outer) if isinstance(text, bytes) else (read,):
            try:
                return self._walked(text, read_json, errors, hint, check)
            except Rising as null:
                errors.append(null.error)
                return None
            except (RecursionError, orjson.JSONEncodeError) as error:
                # A JSON scalar nests too deep, or has half a surrogate pair.
                told = f"the value of {root.owner}.{root.name} cannot be read, or written again: {error}"
                del errors[before:]
        errors.append(UnfitValue("Internal server error.", (root.key,), hint, told))
        return b"null" if root.field.type.nullable else None

    def _walked(
        self,
        text: Any,
        read_json: Callable[[bytes], Any],
        errors: list[RequestError],
        hint: Mapping[str, Any],
        check: Check | None,
    ) -> bytes:
        root, before = self._root, len(errors)
        assert root.field is not None
        value = read_json(text) if isinstance(text, bytes) else text
        walk = _Walk(errors, hint, check)
        value = walk.nullable(value, root.field.type, root.selection, f"{root.owner}.{root.name}", (root.key,))
        if isinstance(text, bytes) and check is None and not self._is_marked and len(errors) == before:
            return text
        return orjson.dumps(value)


def _suspicious_null(selection: Selection | None) -> re.Pattern[bytes]:
    """Finds a null, or a text that looks like one, that may stand where none is allowed.

    No text in JSON looks like a key with its quotes and a null behind it, and inside of JSON scalars all is allowed.
    """
    nullable: set[str] = set()
    others: set[str] = set()
    if selection is not None:
        _sort_keys(selection, nullable, others)
    allowed = [f'(?<!"{key}":null)' for key in sorted(nullable - others)]
    return re.compile("".join(["null", *allowed]).encode())


def _sort_keys(selection: Selection, nullable: set[str], others: set[str]) -> None:
    for member in selection.members:
        _sort_keys(member, nullable, others)
    for selected in selection.fields:
        may_be_null = selected.field is not None and selected.field.type.nullable
        (nullable if may_be_null else others).add(selected.key)
        if selected.selection is not None:
            _sort_keys(selected.selection, nullable, others)


class Rising(Exception):
    """What takes a value away, on its way up to the next field that may be null.

    A null where none may be, a value that does not fit, one of no type, or what a method raised.
    """

    def __init__(self, error: RequestError) -> None:
        super().__init__(error.message)
        self.error = error


class _Walk:
    """Through one value.

    Args:
        errors: is given an entry for each null that rose.
        hint: entries for the `extensions` of these.
        check: for values that may not fit their types.
    """

    __slots__ = ("_check", "_errors", "_hint")

    def __init__(self, errors: list[RequestError], hint: Mapping[str, Any], check: Check | None) -> None:
        self._errors = errors
        self._hint = hint
        self._check = check

    def nullable(
        self, value: Any, reference: TypeReference, selection: Selection | None, field: str, path: _Path
    ) -> Any:
        try:
            if isinstance(value, (Slot, RowSlot)):
                value = value.value
            if isinstance(value, Failure):
                raise Rising(value.error)
            if value is None:
                if reference.nullable:
                    return None
                message = f"Cannot return null for non-nullable field {field}."
                raise Rising(UnfitValue(message, path, self._hint))
            return self._present(value, reference, selection, field, path)
        except Rising as null:
            if not reference.nullable:
                raise
            self._errors.append(null.error)
            return None

    def _present(
        self, value: Any, reference: TypeReference, selection: Selection | None, field: str, path: _Path
    ) -> Any:
        if self._check is not None:
            value = self._check(value, reference, selection, field, path)
        if reference.item is not None:
            item = reference.item
            return [self.nullable(each, item, selection, field, (*path, index)) for index, each in enumerate(value)]
        if selection is not None:
            if selection.members:
                member = made_member(selection, value)
                if member is None:
                    message = f"The value of {field} is of no type of {selection.type.name}."
                    raise Rising(UnfitValue(message, path, self._hint))
                selection = member
            owner = selection.type.name
            for selected in selection.fields:
                if selected.field is not None:
                    key, below = selected.key, selected.field
                    name = f"{owner}.{below.name}"
                    value[key] = self.nullable(value[key], below.type, selected.selection, name, (*path, key))
        return value

"""Finds nulls where the schema allows none, and lets them rise (GraphQL §6.4.4).

PostgreSQL's JSON passes through unread unless a null is in it that may be one of these: one behind a key that always
may be null is not.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from fraiseql.errors import RequestError
from fraiseql.pipeline.plan import RootField, Selection
from fraiseql.schema.model import TypeReference

__all__ = ["Completion"]


class Completion:
    """Checks the values of one root field."""

    __slots__ = ("_root", "_suspicious")

    def __init__(self, root: RootField) -> None:
        self._root = root
        self._suspicious: re.Pattern[bytes] | None = None  # compiled for the first answer that has a null

    def __call__(self, text: bytes, errors: list[RequestError]) -> bytes | None:
        """Check one value.

        Args:
            text: its JSON.
            errors: is given an entry for each null that rose.

        Returns:
            the JSON to answer with: `text` itself where all is well; None where the null rises to `data`.
        """
        if b"null" not in text:
            return text
        if self._suspicious is None:
            self._suspicious = _suspicious_null(self._root.selection)
        return text if self._suspicious.search(text) is None else _complete(self._root, text, errors)


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
    for selected in selection.fields:
        may_be_null = selected.field is not None and selected.field.type.nullable
        (nullable if may_be_null else others).add(selected.key)
        if selected.selection is not None:
            _sort_keys(selected.selection, nullable, others)


def _complete(root: RootField, text: bytes, errors: list[RequestError]) -> bytes | None:
    assert root.field is not None
    before = len(errors)
    try:
        # Numbers stay as they are written: they may have more digits than Python reads, or than a float keeps.
        value = json.loads(text, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
        value = _nullable(value, root.field.type, root.selection, f"{root.owner}.{root.name}", (root.key,), errors)
        return text if len(errors) == before else orjson.dumps(value)
    except _NullFound as null:
        errors.append(null.error)
        return None
    except (RecursionError, orjson.JSONEncodeError):  # a JSON scalar nests too deep, or holds half a surrogate pair
        errors[before:] = [RequestError("Internal server error.", code="INTERNAL_SERVER_ERROR", path=(root.key,))]
        return b"null" if root.field.type.nullable else None


class _NullFound(Exception):
    """A null where none may be, on its way up to the next field that may be null."""

    def __init__(self, field: str, path: tuple[str | int, ...]) -> None:
        super().__init__(field)
        message = f"Cannot return null for non-nullable field {field}."
        self.error = RequestError(message, code="INTERNAL_SERVER_ERROR", path=path)


def _nullable(
    value: Any,
    reference: TypeReference,
    selection: Selection | None,
    field: str,
    path: tuple[str | int, ...],
    errors: list[RequestError],
) -> Any:
    if value is None:
        if reference.nullable:
            return None
        raise _NullFound(field, path)
    try:
        return _present(value, reference, selection, field, path, errors)
    except _NullFound as null:
        if not reference.nullable:
            raise
        errors.append(null.error)
        return None


def _present(
    value: Any,
    reference: TypeReference,
    selection: Selection | None,
    field: str,
    path: tuple[str | int, ...],
    errors: list[RequestError],
) -> Any:
    if reference.item is not None:
        item = reference.item
        return [
            _nullable(element, item, selection, field, (*path, index), errors) for index, element in enumerate(value)
        ]
    if selection is not None:
        owner = selection.type.name
        for selected in selection.fields:
            if selected.field is not None:
                key, below = selected.key, selected.field
                name = f"{owner}.{below.name}"
                value[key] = _nullable(value[key], below.type, selected.selection, name, (*path, key), errors)
    return value

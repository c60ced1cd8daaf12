"""Finds nulls where the schema allows none, and lets them rise (GraphQL §6.4.4).

PostgreSQL's JSON passes through unread unless the word null is in it: only then can a field be null that must not be.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

from fraiseql.errors import RequestError
from fraiseql.pipeline.plan import RootField, Selection
from fraiseql.schema.model import TypeReference

__all__ = ["Check", "Rising", "complete"]

Check: TypeAlias = "Callable[[Any, TypeReference, Selection | None, str, tuple[str | int, ...]], Any]"
"""Given a value that is not null, its type, its selection, its field as `User.age` and its path, gives what it is shown
as; raises Rising."""


def complete(root: RootField, text: bytes, errors: list[RequestError], check: Check | None = None) -> bytes | None:
    """Check one root field's value.

    Args:
        text: its JSON.
        errors: is given an entry for each null that rose.
        check: for values that may not fit their types.

    Returns:
        the JSON to answer with: `text` itself where all is well; None where the null rises to `data`.
    """
    if check is None and b"null" not in text:
        return text
    assert root.field is not None
    before = len(errors)
    try:
        # Numbers stay as they are written: they may have more digits than Python reads, or than a float keeps.
        value = json.loads(text, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
        name = f"{root.owner}.{root.name}"
        value = _nullable(value, root.field.type, root.selection, name, (root.key,), errors, check)
        return text if check is None and len(errors) == before else orjson.dumps(value)
    except Rising as null:
        errors.append(null.error)
        return None
    except (RecursionError, orjson.JSONEncodeError):  # a JSON scalar nests too deep, or holds half a surrogate pair
        errors[before:] = [RequestError("Internal server error.", code="INTERNAL_SERVER_ERROR", path=(root.key,))]
        return b"null" if root.field.type.nullable else None


class Rising(Exception):
    """A null where none may be, or a value that does not fit, on its way up to the next field that may be null."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(error.message)
        self.error = error


def _nullable(
    value: Any,
    reference: TypeReference,
    selection: Selection | None,
    field: str,
    path: tuple[str | int, ...],
    errors: list[RequestError],
    check: Check | None,
) -> Any:
    if value is None:
        if reference.nullable:
            return None
        message = f"Cannot return null for non-nullable field {field}."
        raise Rising(RequestError(message, code="INTERNAL_SERVER_ERROR", path=path))
    try:
        return _present(value, reference, selection, field, path, errors, check)
    except Rising as null:
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
    check: Check | None,
) -> Any:
    if check is not None:
        value = check(value, reference, selection, field, path)
    if reference.item is not None:
        item = reference.item
        return [
            _nullable(element, item, selection, field, (*path, index), errors, check)
            for index, element in enumerate(value)
        ]
    if selection is not None:
        owner = selection.type.name
        for selected in selection.fields:
            if selected.field is not None:
                key, below = selected.key, selected.field
                name = f"{owner}.{below.name}"
                value[key] = _nullable(value[key], below.type, selected.selection, name, (*path, key), errors, check)
    return value

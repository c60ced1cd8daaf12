"""The hidden keys by which objects of abstract types tell of their types: where there are any, and how they go away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, Selection
from fraiseql.schema.model import SchemaModel
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = ["has_marks", "holds_documents", "without_marks"]

# The key comes first. `to_json` of a row writes no spaces, `json_object_agg` does.
_MARK: Final = re.compile(rb'"%b" ?: ?"\w+"(?:, ?)?' % re.escape(HIDDEN_TYPE_KEY).encode())


def has_marks(selection: Selection | None) -> bool:
    """Whether any object has the hidden key."""
    return any(each.type_key == HIDDEN_TYPE_KEY for each in _selections(selection))


def holds_documents(model: SchemaModel, selection: Selection | None) -> bool:
    """Whether a value may be an object with keys of its own, which could be any."""
    for each in _selections(selection):
        for selected in each.fields:
            named = None if selected.field is None else model.types[selected.field.type.named]
            if isinstance(named, Scalar) and (named.is_json or SCALARS.get(named.name) is not named):
                return True
    return False


def without_marks(text: bytes) -> bytes:
    """JSON without its hidden keys; no value in it may be an object with keys of its own.

    A quote inside of a text has a backslash before it, and a text that is no key has no colon behind it: so what looks
    like the key is the key.
    """
    return _MARK.sub(b"", text)


def _selections(selection: Selection | None) -> Iterator[Selection]:
    if selection is not None:
        yield selection
        for below in (*selection.members, *(each.selection for each in selection.fields)):
            yield from _selections(below)

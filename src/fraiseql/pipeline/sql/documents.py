"""The jsonb document of a row, which must be an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fraiseql.pipeline.plan import Selection
from fraiseql.pipeline.sql.values import Base

if TYPE_CHECKING:
    from fraiseql.pipeline.sql.rendering import Rendering

__all__ = ["inside_document"]


def inside_document(
    rendering: Rendering, selection: Selection, base: Base, pairs: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The keys and values fetched for a selection, where one that is read from a row's jsonb makes sure of an object.

    What lies inside an object of jsonb is not a row, and needs no such care.
    """
    if not base.alias or not base.jsonb:
        return pairs
    read = {
        index: each.field.type
        for index, each in enumerate(selection.fetched)
        if each.field is not None and each.field.relation is None and base.column(each.field) is None
    }
    # One that can be shown as wrong, if there is one: any JSON is right.
    index = min(read, key=lambda index: rendering.values.is_json(read[index]), default=None)
    if index is not None:
        key, value = pairs[index]
        pairs[index] = key, rendering.values.inside_document(base.jsonb, value, read[index])
    return pairs

"""Which objects that Python gives are rows of a source, and what of them SQL must serve."""

from __future__ import annotations

from collections.abc import Iterator

from fraiseql.pipeline.plan import Selection
from fraiseql.pipeline.records import chooses_elements

__all__ = ["inner_places", "needs_sql", "row_places"]


def row_places(selection: Selection | None) -> Iterator[Selection]:
    """What is selected, with relations, of objects from Python that are rows of a source; the outermost of them."""
    if selection is None:
        return
    if selection.type.source is not None:
        if needs_sql(selection):
            yield selection
        return
    for member in selection.members:
        yield from row_places(member)
    for each in selection.fields:
        if each.field is not None and each.field.resolver is None:
            yield from row_places(each.selection)


def inner_places(place: Selection) -> Iterator[Selection]:
    """The same of the objects below such an object, where that holds them itself."""
    for each in (*place.members, place):
        for selected in each.fields:
            if selected.field is not None and selected.field.resolver is None:
                for inner in row_places(selected.selection):
                    yield inner
                    yield from inner_places(inner)


def needs_sql(selection: Selection | None) -> bool:
    """Whether a Python value does not do: rows of other sources, or some elements of lists, are selected."""
    if selection is None or selection.type.source is None:
        return False
    return _has_relations(selection) or chooses_elements(selection)


def _has_relations(selection: Selection) -> bool:
    return any(map(_has_relations, selection.members)) or any(
        each.field and each.field.relation for each in selection.fields
    )

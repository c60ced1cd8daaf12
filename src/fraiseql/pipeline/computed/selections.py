"""What SQL is asked for where computed fields are selected: beside the rest, what their methods need.

That stands in the rows under keys with a `$`, which no response key can have, and is taken out again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fraiseql.pipeline.plan import RootField, SelectedField, Selection
from fraiseql.schema.computed import held_fields, needed_fields
from fraiseql.schema.model import Field, ObjectType, SchemaModel

__all__ = ["computed_fields", "fetched_root", "has_computed", "hidden_key"]


def has_computed(selection: Selection | None) -> bool:
    """Whether computed fields are selected, at any depth."""
    return selection is not None and any(True for _ in computed_fields(selection))


def computed_fields(selection: Selection) -> Iterator[tuple[ObjectType, SelectedField]]:
    """The selected fields that are computed, with the types that have them, those of their values included."""
    for selected in selection.fields:
        if selected.field is not None and selected.field.resolver is not None:
            yield selection.type, selected
        if selected.selection is not None:
            yield from computed_fields(selected.selection)


def hidden_key(field: Field) -> str:
    """The key of a field that a method needs."""
    return f"needs${field.name}"


def fetched_root(model: SchemaModel, root: RootField, *, is_native: bool) -> RootField:
    """A root field as SQL is asked for it: the same where nothing is computed.

    Args:
        is_native: whether its objects are there in Python, and SQL serves only their relations.
    """
    if root.selection is None or not has_computed(root.selection):
        return root
    return replace(root, selection=_fetched(model, root.selection, is_native=is_native))


def _fetched(model: SchemaModel, selection: Selection, *, is_native: bool) -> Selection:
    fields: list[SelectedField] = []
    hidden: dict[str, SelectedField] = {}
    for selected in selection.fields:
        field = selected.field
        if field is not None and field.resolver is not None:
            if not is_native:
                for needed in needed_fields(model, selection.type, field.resolver):
                    hidden[needed.name] = _hidden(model, needed, selected.path, (selection.type.name,))
            fields.append(selected)  # counts for what the operation costs
        elif selected.selection is None:
            fields.append(selected)
        else:
            is_own = is_native and field is not None and field.relation is None
            below = _fetched(model, selected.selection, is_native=is_own)
            fields.append(replace(selected, selection=below))
    if all(each.field is not None and each.field.resolver is not None for each in fields) and not hidden:
        hidden[""] = SelectedField("needs$", None, {}, None, ())  # a row needs a column
    return Selection(selection.type, (*fields, *hidden.values()))


def _hidden(model: SchemaModel, field: Field, path: tuple[str, ...], outer: tuple[str, ...]) -> SelectedField:
    key = hidden_key(field)
    here = (*path, key)
    target = model.types[field.type.named]
    below = None
    if isinstance(target, ObjectType):
        inside = (*outer, target.name)
        inner = [_hidden(model, each, here, inside) for each in held_fields(model, target, inside)]
        below = Selection(target, tuple(inner) or (SelectedField("needs$", None, {}, None, here),))
    return SelectedField(key, field, {}, below, here)

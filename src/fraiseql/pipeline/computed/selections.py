"""What SQL is asked for where computed fields are selected: beside the rest, what their methods need.

That stands in the rows under keys with a `$`, which no response key can have, and is taken out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, RootField, SelectedField, Selection
from fraiseql.schema.computed import held_fields, needed_fields, object_types
from fraiseql.schema.model import AbstractType, Field, ObjectType, SchemaModel

__all__ = ["computed_fields", "fetched_root", "has_computed", "held_selection", "hidden_key"]


_NOTHING: Final = SelectedField("needs$", None, {}, None, ())
"""Selected where only computed fields are that need nothing: a row needs a column."""


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
    for member in selection.members:
        yield from computed_fields(member)


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
    return replace(root, selection=_Fetched(model).selection(root.selection, is_native=is_native))


def held_selection(model: SchemaModel, target: ObjectType, fields: Iterable[Field] | None = None) -> Selection:
    """What instances of a type are made of: some fields, or all that an object of it holds, under hidden keys."""
    fetched = _Fetched(model)
    if isinstance(target, AbstractType):
        members = tuple(fetched.whole(member, (), (target.name, member.name)) for member in target.members.values())
        return Selection(target, (), members, HIDDEN_TYPE_KEY)
    if fields is None:
        return fetched.whole(target, (), (target.name,))
    return Selection(target, tuple(fetched.hidden(each, (), (target.name,)) for each in fields) or (_NOTHING,))


class _Fetched:
    def __init__(self, model: SchemaModel) -> None:
        self._model = model
        self._below: dict[int, SelectedField] = {}  # what members of an abstract type have in common, they share

    def selection(self, selection: Selection, *, is_native: bool) -> Selection:
        if selection.members:
            members = tuple(self.selection(member, is_native=is_native) for member in selection.members)
            return replace(selection, members=members)
        owner, hidden = selection.type, dict[str, SelectedField]()
        for selected in selection.fields:
            field = selected.field
            if field is not None and field.resolver is not None and not is_native:
                for needed in needed_fields(self._model, owner, field.resolver):
                    hidden[needed.name] = self.hidden(needed, selected.path, (owner.name,))
        if selection.fields and not selection.fetched and not hidden:  # what selects nothing at all is shown as it is
            hidden[""] = _NOTHING
        # Those that are computed stay: they count for what the operation costs.
        fields = [self._field(selected, is_native=is_native) for selected in selection.fields]
        return replace(selection, fields=(*fields, *hidden.values()))

    def _field(self, selected: SelectedField, *, is_native: bool) -> SelectedField:
        field = selected.field
        if selected.selection is None or (field is not None and field.resolver is not None):
            return selected
        if id(selected) not in self._below:
            # Arguments choose among the elements of a list, which are then those of the row.
            is_own = is_native and field is not None and field.relation is None and not selected.arguments
            below = self.selection(selected.selection, is_native=is_own)
            self._below[id(selected)] = replace(selected, selection=below)
        return self._below[id(selected)]

    def hidden(self, field: Field, path: tuple[str, ...], outer: tuple[str, ...]) -> SelectedField:
        key = hidden_key(field)
        here = (*path, key)
        target = self._model.types[field.type.named]
        below = None
        if isinstance(target, ObjectType):
            inside = (*outer, target.name)
            several = tuple(self.whole(each, here, inside) for each in object_types(self._model, field))
            is_abstract = isinstance(target, AbstractType)
            below = Selection(target, (), several, HIDDEN_TYPE_KEY) if is_abstract else several[0]
        return SelectedField(key, field, {}, below, here)

    def whole(self, target: ObjectType, path: tuple[str, ...], outer: tuple[str, ...]) -> Selection:
        inside = (*outer, target.name)
        fields = tuple(self.hidden(each, path, inside) for each in held_fields(self._model, target, inside))
        return Selection(target, fields or (_NOTHING,))

"""What is selected of one object: columns for its response keys, and what lies inside its jsonb."""

from __future__ import annotations

from typing import Final, NamedTuple

from fraiseql.pipeline.plan import SelectedField, Selection
from fraiseql.pipeline.sql.abstract import abstract_object
from fraiseql.pipeline.sql.documents import inside_document
from fraiseql.pipeline.sql.elements import chosen_elements
from fraiseql.pipeline.sql.rendering import Rendering, Site
from fraiseql.pipeline.sql.values import Base, identifier, literal, related
from fraiseql.schema.model import ObjectType, Relation, TypeReference

__all__ = ["Columns", "columns_of", "object_of"]

_MAX_KEY: Final = 63  # PostgreSQL cuts longer identifiers
_MAX_COLUMNS: Final = 1_600  # PostgreSQL's target lists hold 1,664


class Columns(NamedTuple):
    """A target list for an object, an alias for its rows, and the expression for one of them outside."""

    list: str
    alias: str
    element: str


def columns_of(rendering: Rendering, selection: Selection, base: Base) -> Columns:
    """The columns for a selection of an object."""
    if selection.members:
        alias = f"r${next(rendering.numbers)}"
        text = abstract_object(rendering, selection, base, _field, _object)
        return Columns(f"{text} as object", alias, f"{alias}.object")
    rendering.cost.fields += len(selection.fields)
    pairs = [(each.key, _field(rendering, each, base, selection.type)) for each in selection.fetched]
    return object_of(rendering, inside_document(rendering, selection, base, pairs))


def _object(rendering: Rendering, pairs: list[tuple[str, str]]) -> str:
    """One object as an expression."""
    columns = object_of(rendering, pairs)
    return f"(select {columns.element} from (select {columns.list}) {columns.alias})"


def object_of(rendering: Rendering, pairs: list[tuple[str, str]]) -> Columns:
    """The columns for keys and their values; where columns cannot hold the keys, one JSON object."""
    alias = f"r${next(rendering.numbers)}"
    if len(pairs) <= _MAX_COLUMNS and all(len(key) <= _MAX_KEY for key, _ in pairs):
        return Columns(", ".join(f"{value} as {identifier(key)}" for key, value in pairs), alias, alias)
    values = ", ".join(f"({literal(key)}, to_json({value}))" for key, value in pairs)
    made = f"(select json_object_agg({alias}.key, {alias}.value) from (values {values}) {alias}(key, value))"
    return Columns(f"{made} as object", alias, f"{alias}.object")


def _field(rendering: Rendering, selected: SelectedField, base: Base, owner: ObjectType) -> str:
    field = selected.field
    if field is None:
        return f"{literal(owner.name)}::text"
    if field.relation is not None:
        return _related(rendering, selected, field.relation, base, owner)
    if selected.selection is not None:
        jsonb = base.element(field)
        with chosen_elements(rendering, selected, owner, jsonb) as rows:
            return _embedded(rendering, jsonb, field.type, selected.selection, rows)
    return rendering.values.shown(field, base)


def _related(rendering: Rendering, selected: SelectedField, relation: Relation, ours: Base, owner: ObjectType) -> str:
    assert selected.field is not None
    assert selected.selection is not None
    target = rendering.model.object_type(relation.target)
    assert target.source is not None
    theirs = rendering.base(target.source)
    conditions = related(relation, theirs.alias, ours.alias, rendering.numbers)
    given = rendering.arguments(owner.name, selected.field.name, selected.arguments, selected.path)
    sizes = (relation.page_sizes, rendering.model.page_sizes)
    is_single = relation.through is None and target.has_one_of(column for column, _ in relation.on)
    site = Site(target, theirs, conditions, given, selected.path, selected.selection, sizes, is_single=is_single)
    return rendering.shaped(relation.shape, site)


def _embedded(rendering: Rendering, jsonb: str, reference: TypeReference, selection: Selection, rows: str = "") -> str:
    """An object, or a list of objects, inside jsonb."""
    if reference.item is not None:
        return rendering.values.each(
            jsonb, lambda element, item: _embedded(rendering, element, item, selection), reference.item, rows
        )
    columns = columns_of(rendering, selection, Base("", jsonb))
    made = f"(select {columns.element} from (select {columns.list}) {columns.alias})"
    return rendering.values.embedded(jsonb, made)

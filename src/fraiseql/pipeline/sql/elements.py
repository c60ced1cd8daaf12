"""The elements of a list of embedded objects that its arguments ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fraiseql.pipeline.arguments import Leaf, Tree
from fraiseql.pipeline.plan import SelectedField
from fraiseql.pipeline.sql.pages import page_bounds
from fraiseql.pipeline.sql.rendering import Rendering
from fraiseql.pipeline.sql.values import Base
from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import ObjectType

__all__ = ["chosen_elements"]


@contextmanager
def chosen_elements(rendering: Rendering, selected: SelectedField, owner: ObjectType, jsonb: str) -> Iterator[str]:
    """What FROM has for the elements of a jsonb list that a field asks for, empty for all of them.

    What is rendered meanwhile is counted once for each element that `limit` allows; without `limit`, once.
    """
    assert selected.field is not None
    target = embedded_type(rendering.model, selected.field)
    given = rendering.arguments(owner.name, selected.field.name, selected.arguments, selected.path)
    given = {name: tree for name, tree in given.items() if tree.value is not None}
    if target is None or not given:
        yield ""
        return
    rows = _rows(rendering, given, target, jsonb, selected.path)
    limit = given.get("limit")
    if limit is None:
        yield f"({rows})"
        return
    assert isinstance(limit, Leaf)
    _, largest = page_bounds(rendering.limits, rendering.model.page_sizes)
    size = rendering.bindings.limit(limit, selected.path, largest, largest)
    with rendering.inside() as cost:
        cost.rows, cost.place = (limit.value, None) if limit.is_literal else (largest, len(rendering.bindings) - 1)
        yield f"({rows} limit {size})"


def _rows(
    rendering: Rendering, given: Mapping[str, Tree], target: ObjectType, jsonb: str, path: tuple[str, ...]
) -> str:
    """A SELECT of them; `limit` goes behind it."""
    alias = f"j${next(rendering.numbers)}"
    base = Base("", f"{alias}.value")
    elements = f"jsonb_array_elements({jsonb})"
    where = order = ""
    if "where" in given:
        where = f" where {rendering.filters.on_element(target, base.jsonb, given['where'], path)}"
    terms = rendering.orders.asked(target, base, given.get("orderBy"), path)
    if terms:  # those that are equal stay in the order of the list
        order = f" order by {', '.join(map(str, terms))}, {alias}.place"
        source = f"{elements} with ordinality {alias}(value, place)"
    else:
        source = f"{elements} {alias}(value)"
    offset = given.get("offset")
    start = "" if offset is None else f" offset {rendering.bindings.offset(offset, path)}"
    return f"select {alias}.value from {source}{where}{order}{start}"

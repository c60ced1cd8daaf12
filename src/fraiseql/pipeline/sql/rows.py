"""SELECTs of rows, one or a page of them, each an object of its selection.

Lists are `array(select r from (select ...) r)`: arrays of rows, which PostgreSQL turns into JSON once, at the root.
"""

from __future__ import annotations

from fraiseql.pipeline.arguments import Leaf
from fraiseql.pipeline.sql.cost import Cost
from fraiseql.pipeline.sql.objects import columns_of
from fraiseql.pipeline.sql.orders import ordered
from fraiseql.pipeline.sql.pages import page_bounds
from fraiseql.pipeline.sql.rendering import Rendering, Site

__all__ = ["list_of_rows", "one_row", "page_bounds", "page_of", "page_size", "read_once"]


def one_row(rendering: Rendering, site: Site) -> str:
    """The first of the rows, null where there is none."""
    return f"({_each(rendering, site, many=False)})"


def list_of_rows(rendering: Rendering, site: Site) -> str:
    """A page of the rows, as an array."""
    return f"array({_each(rendering, site, many=True)})"


def _each(rendering: Rendering, site: Site, *, many: bool) -> str:
    conditions = rendering.conditions(site)
    with rendering.inside() as cost:
        columns = columns_of(rendering, site.selection, site.base)
    rows = f"from {site.rows}"
    if conditions:
        rows += f" where {' and '.join(conditions)}"
    if many or not site.is_single:
        rows += ordered(rendering.orders.terms(site.target, site.base, site.given.get("orderBy"), site.path))
    if many:
        rows += page_of(rendering, site, cost)
    elif not site.is_single or site.base.jsonb:  # two rows with one id are an error, where that is a column
        rows += " limit 1"
    rows = read_once(rows, site, columns.list)
    return f"select {columns.element} from (select {columns.list} {rows}) {columns.alias}"


def read_once(rows: str, site: Site, columns: str) -> str:
    """FROM and all behind it, with a LIMIT, such that the document of a row is made once for all columns.

    A view may build it by functions, and PostgreSQL would run them for each field, unless a LIMIT stands between.
    """
    base = site.base
    if not base.jsonb or columns.count(base.jsonb) < 2:
        return rows
    used = [column for column in map(base.named, site.target.columns) if column in columns and column != base.jsonb]
    return f"from (select {', '.join([base.jsonb, *used])} {rows}) {base.alias}"


def page_of(rendering: Rendering, site: Site, cost: Cost) -> str:
    """The LIMIT and OFFSET of a site; the cost is told how many rows that are."""
    size = page_size(rendering, site, cost, "limit")
    offset = site.given.get("offset")
    start = "" if offset is None else f" offset {rendering.bindings.offset(offset, site.path)}"
    return f" limit {size}{start}"


def page_size(rendering: Rendering, site: Site, cost: Cost, argument: str) -> str:
    """The most rows that a page has, by its argument; the cost is told how many rows that are."""
    given = site.given.get(argument)
    default, largest = page_bounds(rendering.limits, *site.sizes)
    if given is None:
        cost.rows = default
        return str(default)
    assert isinstance(given, Leaf)
    size = rendering.bindings.limit(given, site.path, default, largest, argument)
    if given.is_literal:
        cost.rows = given.value
    else:
        cost.rows, cost.place = max(default, largest), len(rendering.bindings) - 1
    return size

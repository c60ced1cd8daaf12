"""SELECTs of figures about rows: about all of them, or about each group of them.

All figures of a selection are columns of one scan of the rows, each there once; outside of it they are arranged as the
selection has them: `select r from (select a.c0 as "count", ... from (select count(*) as c0, ... from posts t) a) r`.
"""

from __future__ import annotations

from typing import Final

from fraiseql.errors import RequestError
from fraiseql.pipeline.arguments import Items, Leaf
from fraiseql.pipeline.graphql_schema.order_inputs import DIRECTIONS
from fraiseql.pipeline.plan import SelectedField, Selection
from fraiseql.pipeline.sql.objects import Columns, object_of
from fraiseql.pipeline.sql.orders import entry_of
from fraiseql.pipeline.sql.rendering import Rendering, Site
from fraiseql.pipeline.sql.rows import page_of
from fraiseql.pipeline.sql.values import literal
from fraiseql.schema.aggregates import COUNT, KEY, TRUNCATED_TO
from fraiseql.schema.model import Field

__all__ = ["aggregate_of_rows", "page_of_groups"]

# A view makes its document again for each field of it that is read: 4 fields of 1,000 rows took 39 ms, from documents
# made once 12 ms. But then the scan of a table runs in one process only, and for one field nothing is gained.
_MANY: Final = 3

_TRUNCATED: Final = {
    "Date": "date_trunc({unit}, {value}::timestamp)::date",
    "DateTime": "date_trunc({unit}, {value}::timestamptz, 'UTC')",
}


def aggregate_of_rows(rendering: Rendering, site: Site) -> str:
    """The figures about all of the rows."""
    figures = _Figures(rendering, site)
    columns = figures.arranged(site.selection)
    return f"({_outside(columns, figures.scan(), figures.alias)})"


def page_of_groups(rendering: Rendering, site: Site) -> str:
    """A page of the groups of the rows, as an array."""
    figures = _Figures(rendering, site)
    with rendering.inside() as cost:
        columns = figures.arranged(site.selection)
    text = figures.scan()
    wanted = rendering.filters.having(site.target, site.base, site.given.get("having"), site.path)
    if wanted:
        text += f" having {' and '.join(wanted)}"
    order = _order(rendering, site, figures)
    if order:
        text += f" order by {', '.join(order)}"
    return f"array({_outside(columns, text + page_of(rendering, site, cost), figures.alias)})"


def _outside(columns: Columns, scan: str, alias: str) -> str:
    return f"select {columns.element} from (select {columns.list} from ({scan}) {alias}) {columns.alias}"


class _Figures:
    """The columns of one scan, and what is made of them outside.

    Attributes:
        alias: of the scan's rows.
        keys: the names of the fields that they are grouped by, in the order of their columns.
    """

    def __init__(self, rendering: Rendering, site: Site) -> None:
        self.alias = f"a${next(rendering.numbers)}"
        self.keys: list[str] = []
        self._columns: dict[str, dict[str, int]] = {"k$": {}, "c$": {}}  # of the key, and all others
        self._documented: set[str] = set()  # the fields that are read from jsonb
        self._rendering = rendering
        self._site = site

    def scan(self) -> str:
        """The SELECT of all columns, without conditions on groups, order and page."""
        conditions = self._rendering.conditions(self._site)
        columns = [f"{value} as {name}{n}" for name, found in self._columns.items() for value, n in found.items()]
        rows = self._site.rows + f" where {' and '.join(conditions)}" * bool(conditions)
        if len(self._documented) >= _MANY:
            rows = f"({self._documents(rows)}) {self._site.base.alias}"
        text = f"select {', '.join(columns) or 'count(*)'} from {rows}"
        places = ", ".join(str(place + 1) for place in range(len(self.keys)))
        return text + f" group by {places}" * bool(places)

    def _documents(self, rows: str) -> str:
        """A SELECT of the rows that makes each document once; `offset 0` keeps it from being merged with ours."""
        base = self._site.base
        columns = {base.jsonb: None, **dict.fromkeys(map(base.named, self._site.target.columns))}
        return f"select {', '.join(columns)} from {rows} offset 0"

    def _source(self, name: str) -> Field:
        """The field of a row that is read."""
        field = self._site.target.row_fields[name]
        if self._site.base.column(field) is None:
            self._documented.add(name)
        return field

    def arranged(self, selection: Selection) -> Columns:
        """The columns outside for a selection of an aggregate or a group."""
        self._rendering.cost.fields += len(selection.fields)
        return object_of(self._rendering, [(each.key, self._member(each, selection)) for each in selection.fields])

    def _member(self, selected: SelectedField, owner: Selection) -> str:
        if selected.field is None:
            return f"{literal(owner.type.name)}::text"
        name = selected.field.name
        if selected.selection is None:
            assert name == COUNT
            return self._shown(selected.field, "count(*)")
        self._rendering.cost.fields += len(selected.selection.fields)
        pairs = [(each.key, self._part(name, each, selected.selection)) for each in selected.selection.fields]
        columns = object_of(self._rendering, pairs)
        return f"(select {columns.element} from (select {columns.list}) {columns.alias})"

    def _part(self, function: str, selected: SelectedField, owner: Selection) -> str:
        field = selected.field
        if field is None:
            return f"{literal(owner.type.name)}::text"
        if function == KEY:
            return self._key(field, selected, owner.type.name)
        value = self._rendering.values.aggregate(function, self._source(field.name), self._site.base)
        return self._shown(field, value)

    def _shown(self, field: Field, value: str, name: str = "c$") -> str:
        """A column of the scan, as JSON shall hold it."""
        columns = self._columns[name]
        place = columns.setdefault(value, len(columns))
        return self._rendering.values.from_column(field.type.name, f"{self.alias}.{name}{place}")

    def _key(self, field: Field, selected: SelectedField, owner: str) -> str:
        value = self._rendering.values.grouped(self._source(field.name), self._site.base)
        given = self._rendering.arguments(owner, field.name, selected.arguments, selected.path)
        unit = given.get(TRUNCATED_TO)
        if isinstance(unit, Leaf) and unit.value is not None:
            value = _TRUNCATED[field.type.name].format(unit=literal(unit.value), value=value)
        if value not in self._columns["k$"]:
            self.keys.append(field.name)
        return self._shown(field, value, "k$")


def _order(rendering: Rendering, site: Site, figures: _Figures) -> list[str]:
    """As asked for, then by all of the key, so that pages are stable."""
    terms: dict[str, str] = {}
    tree = site.given.get("orderBy")
    for item in tree.items if isinstance(tree, Items) else ():
        asked = entry_of(item, "orderBy")
        for value in _ordered_by(rendering, site, figures.keys, asked.names):
            terms.setdefault(value, DIRECTIONS[asked.direction])
    for place in range(len(figures.keys)):
        terms.setdefault(str(place + 1), "")
    return [f"{value}{direction}" for value, direction in terms.items()]


def _ordered_by(rendering: Rendering, site: Site, keys: list[str], names: tuple[str, ...]) -> list[str]:
    if names[0] != KEY:
        return [rendering.orders.figure(site.target, site.base, names)]
    places = [str(place + 1) for place, name in enumerate(keys) if name == names[1]]
    if not places:
        message = f'The argument "orderBy" names {names[1]} of the key, which is not selected in "key".'
        raise RequestError(message, code="BAD_USER_INPUT", path=site.path)
    return places

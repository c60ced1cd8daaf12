"""Connections: pages of rows by cursors, in both directions (GraphQL Cursor Connections Specification).

The page is selected once. Where more than one thing is asked of it, it is a common table expression with a column for
each selection of its rows; whether rows lie beyond it, and how many there are in all, is asked of the source itself,
and only if it is selected.
"""

from __future__ import annotations

from collections.abc import Iterator

from fraiseql.errors import RequestError
from fraiseql.pipeline.arguments import Leaf
from fraiseql.pipeline.plan import SelectedField, Selection
from fraiseql.pipeline.sql.cursors import behind, cursor_of, cursor_reader, order_name
from fraiseql.pipeline.sql.objects import Columns, columns_of, object_of
from fraiseql.pipeline.sql.orders import Term, ordered
from fraiseql.pipeline.sql.rendering import Rendering, Site
from fraiseql.pipeline.sql.rows import page_size, read_once
from fraiseql.pipeline.sql.values import literal

__all__ = ["connection"]


def connection(rendering: Rendering, site: Site) -> str:
    """The object of a connection."""
    return _Connection(rendering, site).object()


class _Connection:
    def __init__(self, rendering: Rendering, site: Site) -> None:
        self._rendering = rendering
        self._site = site
        self._backward = self._is_given("last")
        if self._backward and self._is_given("first"):
            message = 'The arguments "first" and "last" must not be given together.'
            raise RequestError(message, code="BAD_USER_INPUT", path=site.path)
        is_counted = any(each.field is not None and each.field.name == "totalCount" for each in site.selection.fields)
        bound = len(rendering.bindings)
        self._conditions = rendering.conditions(site)
        self._read = len(rendering.bindings) if is_counted else bound  # the parameters that are read in any case
        before = len(rendering.bindings)
        self._terms: list[Term] = rendering.orders.terms(site.target, site.base, site.given.get("orderBy"), site.path)
        self._is_order_bound = len(rendering.bindings) > before
        self._order_name = order_name(site.target.name, self._terms)
        self._after, self._before = self._bound("after"), self._bound("before")
        self._size = ""
        self._has_all = False  # whether some of the SQL has every parameter in it
        self._page = f"p${next(rendering.numbers)}"
        self._columns: list[str] = []  # of the shared page: what is selected of each of its rows
        self._has_cursor = False
        uses = list(self._uses(site.selection))
        # Alone, edges or nodes are a SELECT of their own.
        self._is_shared = len(uses) > 1 or self._backward or any(each.selection is None for each in uses)

    def object(self) -> str:
        """The expression for the whole connection."""
        rendering, selection = self._rendering, self._site.selection
        rendering.cost.fields += len(selection.fields)
        with rendering.inside() as cost:
            self._size = page_size(rendering, self._site, cost, "last" if self._backward else "first")
            columns = object_of(rendering, [(each.key, self._field(each)) for each in selection.fields])
        page = f"with {self._page} as ({self._select(', '.join(self._page_columns()))}) " if self._is_shared else ""
        return f"({page}select {columns.element} from (select {columns.list}) {columns.alias}{self._unread()})"

    def _unread(self) -> str:
        """What reads the parameters that nothing selected reads, as PostgreSQL asks for; it never runs."""
        if self._has_all or len(self._rendering.bindings) == self._read:
            return ""
        return f" where true or exists ({self._select('1')})"

    def _uses(self, selection: Selection) -> Iterator[SelectedField]:
        """What needs the rows of the page."""
        for selected in selection.fields:
            name = selected.field and selected.field.name
            if name in ("edges", "nodes", "startCursor", "endCursor"):
                yield selected
            elif name == "pageInfo" and selected.selection is not None:
                yield from self._uses(selected.selection)

    def _is_given(self, argument: str) -> bool:
        given = self._site.given.get(argument)
        return given is not None and given.value is not None

    def _bound(self, argument: str) -> str:
        """The condition that a row lies on the right side of a cursor; empty for none."""
        cursor = self._site.given.get(argument)
        if cursor is None or cursor.value is None:
            return ""
        assert isinstance(cursor, Leaf)
        count = len(self._terms)
        read = cursor_reader(self._order_name, count)
        parameters = self._rendering.bindings.several(cursor, self._site.path, argument, read, count)
        return behind(self._terms, parameters, backward=argument == "before")

    def _field(self, selected: SelectedField) -> str:
        if selected.field is None:
            return f"{literal(self._site.selection.type.name)}::text"
        if selected.field.name == "totalCount":
            return f"(select count(*)::int4 from {self._site.rows}{_where(*self._conditions)})"
        assert selected.selection is not None
        if selected.field.name == "pageInfo":
            return _object(self._page_info(selected.selection))
        is_edge = selected.field.name == "edges"
        return self._list(self._edge(selected.selection) if is_edge else self._node(selected.selection))

    def _list(self, columns: Columns) -> str:
        """What is selected of each row, in order."""
        if not self._is_shared:
            return f"array(select {columns.element} from ({self._select(columns.list)}) {columns.alias})"
        name = f"e${len(self._columns)}"
        self._columns.append(f"{_object(columns)} as {name}")
        return f"array(select {name} from {self._page} order by place${' desc' if self._backward else ''})"

    def _edge(self, selection: Selection) -> Columns:
        def field(selected: SelectedField) -> str:
            if selected.field is None:
                return f"{literal(selection.type.name)}::text"
            if selected.field.name == "cursor":
                return cursor_of(self._order_name, self._terms)
            assert selected.selection is not None
            return _object(self._node(selected.selection))

        self._rendering.cost.fields += len(selection.fields)
        return object_of(self._rendering, [(each.key, field(each)) for each in selection.fields])

    def _node(self, selection: Selection) -> Columns:
        return columns_of(self._rendering, selection, self._site.base)

    def _page_info(self, selection: Selection) -> Columns:
        def field(selected: SelectedField) -> str:
            if selected.field is None:
                return f"{literal(selection.type.name)}::text"
            name = selected.field.name
            if name in ("hasNextPage", "hasPreviousPage"):
                return self._has_more(following=name == "hasNextPage")
            return self._end((name == "startCursor") is not self._backward)

        self._rendering.cost.fields += len(selection.fields)
        return object_of(self._rendering, [(each.key, field(each)) for each in selection.fields])

    def _has_more(self, *, following: bool) -> str:
        """Whether rows lie on one side of the page.

        In the page's own direction they are those beyond its size; in the other one those that a cursor cuts off.
        """
        if following is not self._backward:
            self._has_all |= not self._is_order_bound
            return f"exists (select from {self._site.rows}{self._where()} offset {self._size})"
        cut_off = self._before if following else self._after
        if not cut_off:
            return "false"
        return f"exists (select from {self._site.rows}{_where(*self._conditions, f'({cut_off}) is not true')})"

    def _end(self, is_first: bool) -> str:
        """The cursor of the first row that was selected, or of the last."""
        self._has_cursor = True
        return f"(select c$ from {self._page} order by place${'' if is_first else ' desc'} limit 1)"

    def _page_columns(self) -> list[str]:
        place = f"row_number() over ({ordered(self._direction()).lstrip()}) as place$"
        cursor = [f"{cursor_of(self._order_name, self._terms)} as c$"] if self._has_cursor else []
        return [*self._columns, *cursor, place]

    def _where(self) -> str:
        return _where(*self._conditions, *filter(None, (self._after, self._before)))

    def _direction(self) -> list[Term]:
        return [term.reversed for term in self._terms] if self._backward else self._terms

    def _select(self, columns: str) -> str:
        """The rows of the page."""
        self._has_all = True
        base, order = self._site.base, ordered(self._direction())
        rows = f"from {self._site.rows}{self._where()}{order} limit {self._size}"
        # A shared page has row_number() over the same order, which keeps its columns to the rows of the page too; with
        # a subquery each document of the source would be built twice, for the order and for its row.
        if not (self._is_shared and base.jsonb in order):
            rows = read_once(rows, self._site, columns)
        return f"select {columns} {rows}"


def _object(columns: Columns) -> str:
    return f"(select {columns.element} from (select {columns.list}) {columns.alias})"


def _where(*conditions: str) -> str:
    return f" where {' and '.join(conditions)}" if conditions else ""

"""The order of lists, and their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Final

from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import Field, ObjectType, PageSizes, SchemaModel
from golden.oracle.embedded import embedded_value
from golden.oracle.texts import search_rank
from golden.oracle.values import Record, Values

__all__ = ["DEFAULT_PAGE_SIZE", "MAX_PAGE_SIZE", "Orders", "in_order", "order_entry", "order_names", "page_bounds"]

DEFAULT_PAGE_SIZE: Final = 100
MAX_PAGE_SIZE: Final = 1_000


def page_bounds(*declared: PageSizes) -> tuple[int, int]:
    """How many rows there are without `limit`, and the largest `limit`: the nearest declaration first."""
    largest = min(
        [*(sizes.largest for sizes in declared if sizes.largest is not None), MAX_PAGE_SIZE][0], MAX_PAGE_SIZE
    )
    default = [*(sizes.default for sizes in declared if sizes.default is not None), DEFAULT_PAGE_SIZE][0]
    return min(default, largest), largest


class Orders:
    """Sorts records as `orderBy` asks for it."""

    def __init__(
        self,
        model: SchemaModel,
        values: Values,
        related: Callable[[ObjectType, Field, Record], list[Record]],
        figure_key: Callable[[ObjectType, Sequence[str], Sequence[Record]], Any],
    ) -> None:
        self._model = model
        self._values = values
        self._related = related
        self._figure_key = figure_key

    def sorted(
        self, target: ObjectType, records: Iterable[Record], order_by: Sequence[Mapping[str, Any]] | None = None
    ) -> list[Record]:
        last = [{"id": "asc"}] if "id" in target.fields else []
        return self.asked(target, records, [*(order_by or ()), *last])

    def asked(
        self, target: ObjectType, records: Iterable[Record], order_by: Sequence[Mapping[str, Any]]
    ) -> list[Record]:
        """Equal ones stay as they are; so may records be None, which have no values."""
        found = list(records)
        for order in reversed(order_by):
            names, direction, search = _entry(order)
            key = partial(self._key, target, names, search=search)
            found = in_order(found, lambda record, key=key: record and key(record), direction)
        return found

    def _key(self, target: ObjectType, names: Sequence[str], record: Record, search: Mapping[str, Any]) -> Any:
        if names[0] == "searchRank":
            return search_rank(self._values.native(target.fields[names[1]], record), search)
        field, below = target.fields[names[0]], names[1:]
        embedded = embedded_type(self._model, field)
        if embedded is not None:
            key = partial(self._key, embedded, search=search)
            return embedded_value(self._values.embedded(field, record), below, key)
        if field.relation is None:
            value = self._values.native(field, record)
            return None if value is None else self._values.order_key(field, value)
        related = self._related(target, field, record)
        child = self._model.object_type(field.relation.target)
        if field.relation.shape.is_to_many:
            return self._figure_key(child, below, related)
        return self._key(child, below, related[0], search) if related else None


def in_order(items: Iterable[Any], key: Callable[[Any], Any], direction: str) -> list[Any]:
    """Items by their keys, None being null."""
    valued = [(key(item), item) for item in items]
    nulls = [item for value, item in valued if value is None]
    rest = [pair for pair in valued if pair[0] is not None]
    # Nulls count as larger than all values; a reversed sort keeps the order of equal rows too.
    rest.sort(key=itemgetter(0), reverse=direction.startswith("desc"))
    others = [item for _, item in rest]
    is_first = direction.endswith("nulls_first") or direction == "desc"
    return nulls + others if is_first else others + nulls


def order_names(entry: Any) -> list[str]:
    """The names of an entry of `orderBy` down to a value."""
    return order_entry(entry)[0]


def order_entry(entry: Any) -> tuple[list[str], str]:
    """The names down to a value, and the direction."""
    return _entry(entry)[:2]


def _entry(entry: Any) -> tuple[list[str], str, Mapping[str, Any]]:
    """The names down to a value, the direction, and for a rank the search."""
    names: list[str] = []
    while isinstance(entry, Mapping):
        if names[-2:-1] == ["searchRank"]:
            return names, entry["direction"], entry
        ((name, entry),) = entry.items()
        names.append(name)
    return names, entry, {}

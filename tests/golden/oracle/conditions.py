"""Conditions in SQL's three values: None is unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import Field, ObjectType, SchemaModel, TypeReference
from fraiseql.schema.scalar import FilterFamily, Scalar
from golden.oracle.documents import document_condition
from golden.oracle.embedded import embedded_conditions
from golden.oracle.figures import FIGURES, result_type
from golden.oracle.networks import SPECIAL, is_within, read_interface
from golden.oracle.texts import TEXT_CONDITIONS, has_words
from golden.oracle.values import KINDS, Kind, Record, Values, in_utc

__all__ = ["Conditions", "Truth", "all_of", "any_of", "opposite"]

Truth = bool | None
Related = Callable[[ObjectType, Field, Record], list[Record]]
"""The rows that a relation leads to."""

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": eq, "neq": ne, "gt": gt, "gte": ge, "lt": lt, "lte": le,
}  # fmt: skip
_QUANTIFIERS: Final[Mapping[str, Callable[[Iterable[bool]], bool]]] = {
    "some": any,
    "none": lambda found: not any(found),
    "every": all,
}
_RANGES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "contains": lambda value, given: value.contains(given),
    "containedBy": lambda value, given: given.contains(value),
    "overlaps": lambda value, given: value.overlaps(given),
    "adjacent": lambda value, given: value.touches(given),
    "strictlyLeft": lambda value, given: value.before(given),
    "strictlyRight": lambda value, given: given.before(value),
    "notExtendsLeft": lambda value, given: not (value.is_empty or given.is_empty) and value.start() >= given.start(),
    "notExtendsRight": lambda value, given: not (value.is_empty or given.is_empty) and value.end() <= given.end(),
}
_LISTS: Final[Mapping[str, Callable[[list[Any], list[Any]], bool]]] = {
    "eq": eq,
    "neq": ne,
    "contains": lambda values, given: all(each in values for each in given),
    "containedBy": lambda values, given: all(each in given for each in values),
    "overlaps": lambda values, given: any(each in values for each in given),
}


def all_of(truths: Iterable[Truth]) -> Truth:
    is_known = True
    for truth in truths:
        if truth is False:
            return False
        is_known = is_known and truth is not None
    return True if is_known else None


def any_of(truths: Iterable[Truth]) -> Truth:
    return opposite(all_of(opposite(truth) for truth in truths))


def opposite(truth: Truth) -> Truth:
    return None if truth is None else not truth


class Conditions:
    """Decides `where` for one record after the other."""

    def __init__(self, model: SchemaModel, values: Values, related: Related) -> None:
        self._model = model
        self._values = values
        self._related = related

    def hold(self, target: ObjectType, where: Mapping[str, Any], record: Record) -> Truth:
        return all_of(self._entry(target, key, below, record) for key, below in where.items() if below is not None)

    def equal(self, field: Field, record: Record, given: Any) -> Truth:
        """A query's own argument; null asks for nulls."""
        return self._compared(field, record, self._values.native(field, record), "eq", given)

    def figure(self, target: ObjectType, names: Sequence[str], records: Sequence[Record]) -> tuple[Field, Any]:
        """An aggregate of records, the count or a function of a field, and what takes its place as a field."""
        if list(names) == ["count"]:
            return _figure_field("count", "Int"), len(records)
        function, name = names
        field = target.fields[name]
        natives = [self._values.native(field, record) for record in records]
        present = [native for native in natives if native is not None]
        if function == "countDistinct":
            value = len({self._values.same_key(field, native) for native in present})
        else:
            value = FIGURES[function](present, lambda native: self._values.order_key(field, native))
        result = result_type(function, field.type.name)
        return _figure_field(name, result), Decimal(value) if result == "Decimal" and value is not None else value

    def figure_key(self, target: ObjectType, names: Sequence[str], records: Sequence[Record]) -> Any:
        """What to order by an aggregate."""
        field, value = self.figure(target, names, records)
        return None if value is None else self._values.order_key(field, value)

    def figures_hold(self, target: ObjectType, where: Mapping[str, Any], records: Sequence[Record]) -> Truth:
        """Whether aggregates of records meet conditions."""
        truths: list[Truth] = []
        for key, below in where.items():
            if below is None:
                continue
            if key in ("AND", "OR"):
                every = (self.figures_hold(target, item, records) for item in below)
                truths.append(all_of(every) if key == "AND" else any_of(every))
            elif key == "NOT":
                truths.append(opposite(self.figures_hold(target, below, records)))
            else:
                parts = {(key,): below} if key == "count" else {(key, name): each for name, each in below.items()}
                for names, conditions in parts.items():
                    field, value = self.figure(target, names, records)
                    for operator, given in (conditions or {}).items():
                        truths.append(self._compared(field, Record(None, {}), value, operator, given))
        return all_of(truths)

    def _entry(self, target: ObjectType, key: str, below: Any, record: Record) -> Truth:
        if key == "AND":
            return all_of(self.hold(target, item, record) for item in below)
        if key == "OR":
            return any_of(self.hold(target, item, record) for item in below)
        if key == "NOT":
            return opposite(self.hold(target, below, record))
        field = target.fields[key]
        if field.relation is not None:
            return self._across(target, field, below, record)
        embedded = embedded_type(self._model, field)
        if embedded is not None:
            return self._inside(embedded, field, self._values.embedded(field, record), below)
        value = self._values.native(field, record)
        if field.type.item is not None:
            return all_of(self._listed(field, record, value, name, given) for name, given in below.items())
        return all_of(self._compared(field, record, value, name, given) for name, given in below.items())

    def _inside(self, target: ObjectType, field: Field, held: Any, below: Mapping[str, Any]) -> Truth:
        """Conditions on an embedded object, or on a list of them."""
        if field.type.item is None:
            return held is not None and self.hold(target, below, held) is True
        return all_of(embedded_conditions(held, below, partial(self.hold, target), _counted))

    def _across(self, target: ObjectType, field: Field, below: Mapping[str, Any], record: Record) -> Truth:
        child, related = self._model.object_type(field.relation.target), self._related(target, field, record)
        if not field.relation.shape.is_to_many:
            return any(self.hold(child, below, each) is True for each in related[:1])
        found = {
            name: [self.hold(child, where, each) is True for each in related]
            for name, where in below.items()
            if where is not None and name != "aggregate"
        }
        figures = below.get("aggregate")
        if figures is not None and self.figures_hold(child, figures, related) is not True:
            return False
        return all_of(_QUANTIFIERS[name](each) for name, each in found.items())

    def _compared(self, field: Field, record: Record, value: Any, operator: str, given: Any) -> Truth:
        """One condition on a single value."""
        named = self._values.scalar(field.type.named)
        family = named.family if isinstance(named, Scalar) else FilterFamily.EQUALITY
        if operator == "search":
            return given is None or has_words(value, given)
        if family is FilterFamily.JSON:
            return document_condition(value, operator, given)
        if operator == "distinctFrom":
            return self._compared(field, record, value, "eq", given) is not True
        if operator in ("lower", "upper"):
            return self._bounded(field, value, operator, given)
        if operator == "isnull":
            return (value is None) is given
        if operator in ("in", "nin"):
            found = any_of(self._compared(field, record, value, "eq", item) for item in given)
            return found if operator == "in" else opposite(found)
        if given is None:
            return (value is None) is (operator == "eq")
        return None if value is None else self._known(field, record, value, operator, given, family)

    def _bounded(self, field: Field, value: Any, operator: str, given: Any) -> Truth:
        """Conditions on a bound, which is null where there is none."""
        named = self._values.scalar(field.type.named)
        assert isinstance(named, Scalar)
        assert named.element is not None
        bound = None if value is None or value.is_empty else getattr(value, operator)
        kind = KINDS[named.element]
        return all_of(_compared_bound(named, kind, bound, *condition) for condition in (given or {}).items())

    def _known(
        self, field: Field, record: Record, value: Any, operator: str, given: Any, family: FilterFamily
    ) -> Truth:
        kind = self._values.kind(field.type.named)
        if operator in _COMPARISONS:
            return _COMPARISONS[operator](kind.key(value), kind.key(self._values.given(field, record, given)))
        if family is FilterFamily.TEXT:
            return TEXT_CONDITIONS[operator](value, given)
        if family is FilterFamily.NETWORK:
            return _networked(value, operator, given)
        assert family is FilterFamily.RANGE
        if operator == "isEmpty":
            return value.is_empty is given
        if operator == "containsElement":
            named = self._values.scalar(field.type.named)
            assert isinstance(named, Scalar)
            return bool(value.has(_element(named, given)))
        return _RANGES[operator](value, kind.given(given))

    def _listed(self, field: Field, record: Record, values: list[Any] | None, operator: str, given: Any) -> Truth:
        if operator == "isnull":
            return (values is None) is given
        if operator == "length":
            length = None if values is None else len(values)
            return all_of(_counted(length, *condition) for condition in (given or {}).items())
        if operator == "any":  # of no list, there is no item
            return given is None or True in [
                all_of(self._compared(field, record, value, *condition) for condition in given.items())
                for value in values or ()
            ]
        if operator == "distinctFrom":
            return self._listed(field, record, values, "eq", given) is not True
        if given is None:
            return (values is None) is (operator == "eq")
        kind = self._values.kind(field.type.named)
        wanted = [kind.key(kind.given(item)) for item in given]
        return None if values is None else _LISTS[operator](_keys(kind, values), wanted)


def _figure_field(name: str, type_name: str) -> Field:
    return Field(name, TypeReference(nullable=True, name=type_name), None, None, name)


def _keys(kind: Kind, values: list[Any]) -> list[Any]:
    return [None if value is None else kind.key(value) for value in values]


def _counted(count: int | None, operator: str, given: Any) -> Truth:
    if operator == "isnull":
        return (count is None) is given
    if operator in ("in", "nin"):
        found = any_of(_counted(count, "eq", item) for item in given)
        return found if operator == "in" else opposite(found)
    if operator == "distinctFrom":
        return _counted(count, "eq", given) is not True
    if given is None:
        return (count is None) is (operator == "eq")
    return None if count is None else _COMPARISONS[operator](count, given)


def _compared_bound(named: Scalar, kind: Kind, bound: Any, operator: str, given: Any) -> Truth:
    if operator == "isnull":
        return (bound is None) is given
    if operator in ("in", "nin"):
        found = any_of(_compared_bound(named, kind, bound, "eq", item) for item in given)
        return found if operator == "in" else opposite(found)
    if operator == "distinctFrom":
        return _compared_bound(named, kind, bound, "eq", given) is not True
    if given is None:
        return (bound is None) is (operator == "eq")
    return None if bound is None else _COMPARISONS[operator](kind.key(bound), kind.key(_element(named, given)))


def _networked(value: Any, operator: str, given: Any) -> Truth:
    if operator == "inSubnet":
        return is_within(value, read_interface(given))
    if operator == "contains":
        return is_within(read_interface(given), value)
    if operator == "overlaps":
        network = read_interface(given)
        return is_within(value, network) or is_within(network, value)
    if operator in SPECIAL:
        return any(is_within(value, network) for network in SPECIAL[operator]) is given
    return (value.version == int(operator[-1])) is given


def _element(named: Scalar, given: Any) -> Any:
    assert named.element is not None
    element = KINDS[named.element].given(given)
    return in_utc(element).replace(tzinfo=None) if named.name == "TsRange" else element

"""The judge of aggregates and groups: what they are of rows in Python, from the rules that the documentation gives.

It knows no sample and no pipeline: it is given rows, the fields of their type, and how single values are shown and
compared.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo, get_named_type
from graphql.execution.values import get_argument_values, get_directive_values
from graphql.language import FieldNode, FragmentSpreadNode, InlineFragmentNode
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

__all__ = ["Aggregates"]

Truth = bool | None  # SQL's three values; None is unknown
Getter = Callable[[Any], Any]

_SUMS = {"Int": "BigInt", "BigInt": "Decimal", "Float": "Float", "Decimal": "Decimal"}
_AVERAGES = {**_SUMS, "Int": "Decimal"}
_EXACT = Context(prec=2_000, rounding=ROUND_HALF_UP)


@dataclass(frozen=True)
class Aggregates:
    """What is made of rows of one type.

    Args:
        fields: their scalar and enum fields: the GraphQL type, and the row's value as a native Python one.
        shown: what JSON holds for such a value.
        compared: whether a value of a GraphQL type meets an operator of `where` with what it is given.
    """

    fields: Mapping[str, tuple[str, Getter]]
    shown: Callable[[Any], Any]
    compared: Callable[[str, Any, str, Any], Truth]

    def aggregate(self, rows: Sequence[Any]) -> dict[str, Any]:
        """For graphql-core's own resolvers."""
        return {"count": len(rows), **{name: self._part(name, rows) for name in _FUNCTIONS}}

    def groups(
        self,
        rows: Sequence[Any],
        info: GraphQLResolveInfo,
        having: Mapping[str, Any] | None = None,
        orderBy: Sequence[Mapping[str, Any]] | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[dict[str, Any]]:
        """A page of groups, by what is selected in `key`."""
        keys = _selected_keys(info)
        found: dict[tuple[Any, ...], list[Any]] = {} if keys else {(): []}
        for row in rows:
            key = tuple(_truncated(self.fields[name][1](row), unit) for name, unit in keys)
            found.setdefault(key, []).append(row)
        groups = [(key, members) for key, members in found.items() if self.holds(members, having or {}) is True]
        for value, direction in reversed([*self._orders(keys, orderBy or ()), *_by(range(len(keys)), "asc")]):
            groups = _sorted(groups, value, direction)
        start = offset or 0
        page = groups[start : start + (100 if limit is None else limit)]
        return [{"key": self._key(keys, key), **self.aggregate(members)} for key, members in page]

    def value(self, rows: Sequence[Any], names: Sequence[str]) -> Any:
        """One aggregate: `["count"]`, or a function and a field."""
        if list(names) == ["count"]:
            return len(rows)
        function, name = names
        values = [value for value in map(self.fields[name][1], rows) if value is not None]
        return _FUNCTIONS[function](self.fields[name][0], values)

    def holds(self, rows: Sequence[Any], where: Mapping[str, Any]) -> Truth:
        """Whether the aggregates of rows meet conditions."""
        truths: list[Truth] = []
        for key, below in where.items():
            if below is None:
                continue
            if key == "AND":
                truths.append(_all(self.holds(rows, item) for item in below))
            elif key == "OR":
                truths.append(_not(_all(_not(self.holds(rows, item)) for item in below)))
            elif key == "NOT":
                truths.append(_not(self.holds(rows, below)))
            elif key == "count":
                truths += [self.compared("Int", len(rows), *each) for each in below.items()]
            else:
                for name, conditions in below.items():
                    value, result = self.value(rows, [key, name]), _result(key, self.fields[name][0])
                    truths += [self.compared(result, value, *each) for each in (conditions or {}).items()]
        return _all(truths)

    def _part(self, function: str, rows: Sequence[Any]) -> dict[str, Any]:
        def shown(name: str) -> Any:
            value = self.value(rows, [function, name])
            if function == "countDistinct" or value is None:
                return value
            if function == "avg" and isinstance(value, Decimal):
                return f"{value:f}"  # with all digits
            return str(value) if _result(function, self.fields[name][0]) == "BigInt" else self.shown(value)

        return {name: lambda _info, name=name: shown(name) for name in self.fields}

    def _key(self, keys: Sequence[tuple[str, str | None]], key: tuple[Any, ...]) -> dict[str, Any]:
        def resolver(name: str) -> Callable[..., Any]:
            return lambda _info, truncatedTo=None: self.shown(key[keys.index((name, truncatedTo))])

        return {name: resolver(name) for name, _ in keys}

    def _orders(self, keys: Sequence[tuple[str, str | None]], orders: Iterable[Mapping[str, Any]]) -> list[Any]:
        found: list[Any] = []
        for order in orders:
            names, direction = _entry(order)
            if names[0] == "key":
                found += _by([place for place, (name, _) in enumerate(keys) if name == names[1]], direction)
            else:
                found.append((lambda group, names=names: self.value(group[1], names), direction))
        return found


def _entry(order: Any) -> tuple[list[str], str]:
    names: list[str] = []
    while isinstance(order, Mapping):
        ((name, order),) = order.items()
        names.append(name)
    return names, order


def _by(places: Iterable[int], direction: str) -> list[Any]:
    return [(lambda group, place=place: group[0][place], direction) for place in places]


def _sorted(groups: list[Any], value: Getter, direction: str) -> list[Any]:
    nulls = [group for group in groups if value(group) is None]
    rest = sorted(
        (group for group in groups if value(group) is not None), key=value, reverse=direction.startswith("desc")
    )
    is_first = direction.endswith("nulls_first") or direction == "desc"
    return nulls + rest if is_first else rest + nulls


def _result(function: str, type_name: str) -> str:
    if function == "countDistinct":
        return "Int"
    return {"sum": _SUMS, "avg": _AVERAGES}.get(function, {}).get(type_name, type_name)


def _sum(_type: str, values: list[Any]) -> Any:
    if not values:
        return None
    total = values[0]
    for value in values[1:]:  # one after the other, as floats depend on it
        total += value
    return total


def _average(type_name: str, values: list[Any]) -> Any:
    if not values:
        return None
    total = _sum(type_name, values)
    return total / len(values) if type_name == "Float" else _divided(Decimal(total), len(values))


def _divided(total: Decimal, count: int) -> Decimal:
    """As PostgreSQL divides numerics: at least 16 significant digits, reckoned in groups of four."""
    (weight, first), (other_weight, other_first) = _leading(total), _leading(Decimal(count))
    quotient = weight - other_weight - (first <= other_first)
    scale = max(16 - quotient * 4, -int(total.as_tuple().exponent), 0)
    return _EXACT.quantize(_EXACT.divide(total, Decimal(count)), Decimal(1).scaleb(-scale))


def _leading(value: Decimal) -> tuple[int, int]:
    """The place and the value of the first group of four digits that is not zero."""
    if not value:
        return 0, 0
    place = value.adjusted() // 4
    return place, int(abs(value).scaleb(-4 * place, _EXACT))


_FUNCTIONS: Mapping[str, Callable[[str, list[Any]], Any]] = {
    "countDistinct": lambda _type, values: len(set(values)),
    "sum": _sum,
    "avg": _average,
    "min": lambda _type, values: min(values, default=None),
    "max": lambda _type, values: max(values, default=None),
}


def _truncated(value: Any, unit: str | None) -> Any:
    if value is None or unit is None:
        return value
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC).replace(second=0, microsecond=0)
        if unit == "minute":
            return value
        value = value.replace(minute=0)
        if unit == "hour":
            return value
        value = value.replace(hour=0)
    if unit == "week":
        return value - dt.timedelta(days=value.weekday())
    month = {"month": value.month, "quarter": (value.month - 1) // 3 * 3 + 1, "year": 1}.get(unit)
    return value if month is None else value.replace(month=month, day=1)


def _selected_keys(info: GraphQLResolveInfo) -> list[tuple[str, str | None]]:
    """The fields selected in all `key`s of a list of groups, with what each is truncated to; each once."""
    group = get_named_type(info.return_type)
    assert isinstance(group, GraphQLObjectType)
    if "key" not in group.fields:
        return []
    key_type = get_named_type(group.fields["key"].type)
    assert isinstance(key_type, GraphQLObjectType)
    keys = [node for node in _fields(info, info.field_nodes) if node.name.value == "key"]
    found: dict[tuple[str, str | None], None] = {}
    for node in _fields(info, keys):
        if node.name.value != "__typename":
            arguments = get_argument_values(key_type.fields[node.name.value], node, info.variable_values)
            found.setdefault((node.name.value, arguments.get("truncatedTo")))
    return list(found)


def _fields(info: GraphQLResolveInfo, parents: Iterable[Any]) -> list[FieldNode]:
    """The fields below nodes by response key, as GraphQL §6.3.2 collects them."""
    grouped: dict[str, list[FieldNode]] = {}

    def collect(nodes: Iterable[Any]) -> None:
        for node in nodes:
            skip = get_directive_values(GraphQLSkipDirective, node, info.variable_values) or {}
            include = get_directive_values(GraphQLIncludeDirective, node, info.variable_values) or {}
            if skip.get("if") or include.get("if") is False:
                continue
            if isinstance(node, FieldNode):
                grouped.setdefault((node.alias or node.name).value, []).append(node)
            elif isinstance(node, InlineFragmentNode):
                collect(node.selection_set.selections)
            elif isinstance(node, FragmentSpreadNode):
                collect(info.fragments[node.name.value].selection_set.selections)

    for parent in parents:
        collect(parent.selection_set.selections)
    return [node for nodes in grouped.values() for node in nodes]


def _all(truths: Iterable[Truth]) -> Truth:
    found = list(truths)
    if any(truth is False for truth in found):
        return False
    return None if None in found else True


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth

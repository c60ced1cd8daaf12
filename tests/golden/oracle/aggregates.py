"""Aggregates and groups of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSkipDirective,
    InlineFragmentNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
)

from fraiseql.schema.model import ObjectType, SchemaModel, TypeReference
from golden.oracle.conditions import Conditions
from golden.oracle.figures import FIGURES, truncated
from golden.oracle.orders import in_order, order_entry
from golden.oracle.values import Record, Values

__all__ = ["Aggregates", "Key", "selected_keys"]

Key = tuple[str, str | None]
"""A field of a key, and the unit that it is truncated to."""


class Aggregates:
    """Makes figures of records."""

    def __init__(self, model: SchemaModel, values: Values, conditions: Conditions) -> None:
        self._model = model
        self._values = values
        self._conditions = conditions

    def aggregate(self, target: ObjectType, records: Sequence[Record]) -> dict[str, Any]:
        """The object of an aggregate; its figures are functions, lest all are made of each of thousands of groups."""

        def figures(name: str) -> Callable[..., dict[str, Any]]:
            return lambda: {field: self._shown_figure(target, records, name, field) for field in target.fields}

        return {"count": len(records), **{name: figures(name) for name in ("countDistinct", *FIGURES)}}

    def groups(
        self,
        target: ObjectType,
        records: Sequence[Record],
        keys: Sequence[Key],
        having: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """All groups by the fields of a key, in order."""
        found: dict[tuple[Any, ...], tuple[list[Any], list[Record]]] = {} if keys else {(): ([], [])}
        for record in records:
            values = [truncated(self._values.native(target.fields[name], record), unit) for name, unit in keys]
            place = tuple(self._same(target, name, value) for (name, _), value in zip(keys, values, strict=True))
            found.setdefault(place, (values, []))[1].append(record)
        groups = [
            group for group in found.values() if self._conditions.figures_hold(target, having or {}, group[1]) is True
        ]
        for entry in reversed([*(order_by or ()), *({"key": {place: "asc"}} for place in range(len(keys)))]):
            for names, direction in reversed(list(self._entries(keys, entry))):
                groups = in_order(
                    groups, lambda group, names=names: self._order_key(target, keys, names, group), direction
                )
        return [self._group(target, keys, *group) for group in groups]

    def _group(
        self, target: ObjectType, keys: Sequence[Key], values: Sequence[Any], members: Sequence[Record]
    ) -> dict[str, Any]:
        def resolver(name: str) -> Callable[..., Any]:
            def shown(truncatedTo: str | None = None) -> Any:
                return self._values.shown(target.fields[name].type, values[keys.index((name, truncatedTo))])

            return shown

        return {"key": {name: resolver(name) for name, _ in keys}, **self.aggregate(target, members)}

    def _entries(self, keys: Sequence[Key], entry: Mapping[str, Any]) -> Iterator[tuple[list[Any], str]]:
        """An entry of `orderBy`: of a field of the key, one for each place where that is selected."""
        names, direction = order_entry(entry)
        if names[0] != "key" or isinstance(names[1], int):
            yield names, direction
        else:
            yield from ((["key", place], direction) for place, (name, _) in enumerate(keys) if name == names[1])

    def _order_key(self, target: ObjectType, keys: Sequence[Key], names: list[Any], group: Any) -> Any:
        values, members = group
        if names[0] != "key":
            return self._conditions.figure_key(target, names, members)
        value, field = values[names[1]], target.fields[keys[names[1]][0]]
        return None if value is None else self._values.order_key(field, value)

    def _same(self, target: ObjectType, name: str, value: Any) -> Any:
        return None if value is None else self._values.same_key(target.fields[name], value)

    def _shown_figure(
        self, target: ObjectType, records: Sequence[Record], function: str, name: str
    ) -> Callable[[], Any]:
        def shown() -> Any:
            field, value = self._conditions.figure(target, [function, name], records)
            return self._values.shown(TypeReference(nullable=True, name=field.type.name), value)

        return shown


def selected_keys(info: GraphQLResolveInfo) -> list[Key]:
    """The fields selected in all `key`s of a list of groups, each once."""
    group = get_named_type(info.return_type)
    assert isinstance(group, GraphQLObjectType)
    if "key" not in group.fields:
        return []
    key_type = get_named_type(group.fields["key"].type)
    assert isinstance(key_type, GraphQLObjectType)
    keys = [node for node in _fields(info, info.field_nodes) if node.name.value == "key"]
    found: dict[Key, None] = {}
    for node in _fields(info, keys):
        if node.name.value != "__typename":
            arguments = get_argument_values(key_type.fields[node.name.value], node, info.variable_values)
            found.setdefault((node.name.value, arguments.get("truncatedTo")))
    return list(found)


def _fields(info: GraphQLResolveInfo, parents: Iterable[FieldNode]) -> list[FieldNode]:
    """The fields below nodes by response key (GraphQL §6.3.2)."""
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
        assert parent.selection_set is not None
        collect(parent.selection_set.selections)
    return [node for nodes in grouped.values() for node in nodes]

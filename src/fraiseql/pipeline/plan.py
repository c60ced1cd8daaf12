"""From an operation to a plan: what is selected from which source, fragments merged, @skip and @include decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.document import Operation
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import Field, ObjectType, QueryField, SchemaModel, SubscriptionField

__all__ = ["RootField", "SelectedField", "Selection", "plan_selection"]


@dataclass(frozen=True, slots=True)
class SelectedField:
    """One key of an object in the response.

    Attributes:
        key: the alias or the name.
        field: None for `__typename`.
        selection: what is selected below, for an object or a list of objects.
        path: the response keys down to here.
    """

    key: str
    field: Field | None
    arguments: Mapping[str, ValueNode]
    selection: Selection | None
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected of one object type."""

    type: ObjectType
    fields: tuple[SelectedField, ...]


@dataclass(frozen=True, slots=True)
class RootField:
    """One key of `data`.

    Attributes:
        owner: the root type's name.
        field: None for `__typename`, `__schema` and `__type`.
        selection: None where the field's type has no fields.
    """

    key: str
    owner: str
    name: str
    field: QueryField | SubscriptionField | None
    arguments: Mapping[str, ValueNode]
    selection: Selection | None
    nodes: tuple[FieldNode, ...]


def plan_selection(
    model: SchemaModel, operation: Operation, variables: Variables, limits: QueryLimits
) -> tuple[RootField, ...]:
    """Plan the root fields of an operation.

    Args:
        variables: coerced; only those that @skip and @include read are looked at.

    Raises:
        Refusal: QUERY_TOO_COMPLEX, with the figure and the limit.
    """
    return _Planner(model, operation, variables, limits).roots()


class _Planner:
    def __init__(self, model: SchemaModel, operation: Operation, variables: Variables, limits: QueryLimits) -> None:
        self._model = model
        self._operation = operation
        self._variables = variables
        self._limits = limits
        self._count = 0
        self._aliases = 0
        self._owner: tuple[str, Mapping[str, QueryField | SubscriptionField]] = (
            ("Subscription", model.subscriptions) if operation.is_subscription else ("Query", model.queries)
        )

    def roots(self) -> tuple[RootField, ...]:
        collected = self._collect([self._operation.node.selection_set])
        if len(collected) > self._limits.max_root_fields:
            raise self._too_complex(f"{len(collected)} root fields; the limit is {self._limits.max_root_fields}")
        roots = tuple(self._root(key, nodes) for key, nodes in collected.items())
        if self._aliases > self._limits.max_aliases:
            raise self._too_complex(f"{self._aliases} aliases; the limit is {self._limits.max_aliases}")
        return roots

    def _root(self, key: str, nodes: list[FieldNode]) -> RootField:
        name = nodes[0].name.value
        owner, fields = self._owner
        field = fields.get(name)
        selection = None
        if field is None:
            self._spend_below(nodes)
        else:
            target = self._model.types[field.type.named]
            selection = self._selection(target, nodes, (key,)) if isinstance(target, ObjectType) else None
        return RootField(key, owner, name, field, _arguments(nodes[0]), selection, tuple(nodes))

    def _selection(self, target: ObjectType, parents: list[FieldNode], path: tuple[str, ...]) -> Selection:
        if len(path) >= self._limits.max_depth:
            raise self._too_complex(f"at least {len(path) + 1} levels of fields; the limit is {self._limits.max_depth}")
        collected = self._collect([node.selection_set for node in parents if node.selection_set is not None])
        fields = [self._field(target, key, nodes, (*path, key)) for key, nodes in collected.items()]
        return Selection(target, tuple(fields))

    def _field(self, target: ObjectType, key: str, nodes: list[FieldNode], path: tuple[str, ...]) -> SelectedField:
        name = nodes[0].name.value
        if name == "__typename":
            return SelectedField(key, None, {}, None, path)
        field = target.fields[name]
        below = self._model.types[field.type.named]
        selection = self._selection(below, nodes, path) if isinstance(below, ObjectType) else None
        return SelectedField(key, field, _arguments(nodes[0]), selection, path)

    def _collect(self, selection_sets: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """GraphQL §6.3.2; all types are concrete, so that a validated fragment always applies."""
        collected: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for selection_set in selection_sets:
            for node in self._fields_of(selection_set, visited):
                key = (node.alias or node.name).value
                if key not in collected:
                    self._spend()
                    self._aliases += key != node.name.value
                collected.setdefault(key, []).append(node)
        return collected

    def _fields_of(self, selection_set: SelectionSetNode, visited: set[str]) -> Iterator[FieldNode]:
        for node in selection_set.selections:
            if not self._included(node.directives or ()):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields_of(node.selection_set, visited)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                yield from self._fields_of(self._operation.fragments[node.name.value].selection_set, visited)

    def _included(self, directives: Any) -> bool:
        return all(
            self._condition(directive) is (directive.name.value == "include")
            for directive in directives
            if directive.name.value in ("skip", "include")
        )

    def _condition(self, directive: DirectiveNode) -> bool:
        (argument,) = directive.arguments or ()
        if isinstance(argument.value, BooleanValueNode):
            return argument.value.value
        assert isinstance(argument.value, VariableNode)
        name = argument.value.name.value
        value = self._variables[name]
        if value is None:  # GraphQL §5.8.5 lets a nullable variable with a default pass
            error = RequestError(f'Variable "${name}" must not be null in a condition.', code="BAD_USER_INPUT")
            raise Refusal(Outcome.VARIABLES_INVALID, [error])
        return bool(value)

    def _spend_below(self, parents: list[FieldNode]) -> None:
        """Introspection is bounded too: a short document can ask for every name a million times."""
        for nodes in self._collect([node.selection_set for node in parents if node.selection_set is not None]).values():
            self._spend_below(nodes)

    def _spend(self) -> None:
        self._count += 1
        if self._count > self._limits.max_fields:  # what is left may be exponentially many
            fields = f"at least {self._count} fields, fragments expanded"
            raise self._too_complex(f"{fields}; the limit is {self._limits.max_fields}")

    @staticmethod
    def _too_complex(what: str) -> Refusal:
        error = RequestError(f"The query has {what}.", code="QUERY_TOO_COMPLEX")
        return Refusal(Outcome.NOT_VALID, [error])


def _arguments(node: FieldNode) -> dict[str, ValueNode]:
    # Validation made sure that all nodes of one key have the same arguments (GraphQL §5.3.2).
    return {argument.name.value: argument.value for argument in node.arguments or ()}

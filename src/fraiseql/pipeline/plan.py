"""From an operation to a plan: what is selected from which source, fragments merged, @skip and @include decided."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    NamedTypeNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_location,
)

from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.document import Operation
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import (
    AbstractType,
    Field,
    MutationField,
    ObjectType,
    QueryField,
    SchemaModel,
    SubscriptionField,
)

__all__ = ["HIDDEN_TYPE_KEY", "RootField", "SelectedField", "Selection", "plan_selection"]

HIDDEN_TYPE_KEY: Final = "type$"
"""No response key: those hold no `$`."""


RootFieldType: TypeAlias = QueryField | MutationField | SubscriptionField


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


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What is selected of one object type; equal to itself alone, so that it can be a key.

    Attributes:
        fields: none of an abstract type.
        members: of an abstract type, what is selected of each of its members.
        type_key: of an abstract type, the key of each object that holds its member's name; `HIDDEN_TYPE_KEY` where
            none that was asked for does.
    """

    type: ObjectType
    fields: tuple[SelectedField, ...]
    members: tuple[Selection, ...] = ()
    type_key: str = ""

    @property
    def fetched(self) -> list[SelectedField]:
        """The fields without those that Python computes."""
        return [each for each in self.fields if each.field is None or each.field.resolver is None]


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
    field: RootFieldType | None
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
        self._aliases: set[tuple[str, ...]] = set()  # by their paths, which members of an abstract type share
        self._conditions: dict[str, frozenset[str]] = {}
        self._owner = _owner_of(model, operation.kind)

    def roots(self) -> tuple[RootField, ...]:
        collected = self._collect([self._operation.node.selection_set], None, ())
        if len(collected) > self._limits.max_root_fields:
            raise self._too_complex(f"{len(collected)} root fields; the limit is {self._limits.max_root_fields}")
        roots = tuple(self._root(key, nodes) for key, nodes in collected.items())
        if len(self._aliases) > self._limits.max_aliases:
            raise self._too_complex(f"{len(self._aliases)} aliases; the limit is {self._limits.max_aliases}")
        return roots

    def _root(self, key: str, nodes: list[FieldNode]) -> RootField:
        name = nodes[0].name.value
        owner, fields = self._owner
        field = fields.get(name)
        selection = None
        if field is None:
            self._spend_below(nodes, (key,))
        else:
            target = self._model.types[field.type.named]
            selection = self._selection(target, nodes, (key,)) if isinstance(target, ObjectType) else None
        return RootField(key, owner, name, field, _arguments(nodes[0]), selection, tuple(nodes))

    def _selection(
        self,
        target: ObjectType,
        parents: list[FieldNode],
        path: tuple[str, ...],
        planned: dict[Hashable, SelectedField] | None = None,
    ) -> Selection:
        """What is selected of a type.

        Args:
            planned: for a member of an abstract type, what was planned for the others: what they have in common, and
                all below it, is planned once.
        """
        if len(path) >= self._limits.max_depth:
            raise self._too_complex(f"at least {len(path) + 1} levels of fields; the limit is {self._limits.max_depth}")
        if isinstance(target, AbstractType):
            common: dict[Hashable, SelectedField] = {}
            members = tuple(self._selection(member, parents, path, common) for member in target.members.values())
            return Selection(target, (), members, _type_key(members))
        sets = [node.selection_set for node in parents if node.selection_set is not None]
        collected = self._collect(sets, self._conditions_of(target), path)
        shared = {} if planned is None else planned
        fields = [self._field(target, key, nodes, (*path, key), shared) for key, nodes in collected.items()]
        return Selection(target, tuple(fields))

    def _conditions_of(self, target: ObjectType) -> frozenset[str]:
        """The type conditions that hold for an object of a type (GraphQL §6.3.2, DoesFragmentTypeApply)."""
        name = target.name
        if name not in self._conditions:
            unions = (
                each.name
                for each in self._model.types.values()
                if isinstance(each, AbstractType) and each.is_union and name in each.members
            )
            self._conditions[name] = frozenset({name, *target.interfaces, *unions})
        return self._conditions[name]

    def _field(
        self,
        target: ObjectType,
        key: str,
        nodes: list[FieldNode],
        path: tuple[str, ...],
        planned: dict[Hashable, SelectedField],
    ) -> SelectedField:
        name = nodes[0].name.value
        if name == "__typename":
            return SelectedField(key, None, {}, None, path)
        field = target.fields[name]
        below = self._model.types[field.type.named]
        if not isinstance(below, ObjectType):
            return SelectedField(key, field, _arguments(nodes[0]), None, path)
        place = (key, field.name, field.place, *map(id, nodes))
        if place not in planned:
            selection = self._selection(below, nodes, path)
            planned[place] = SelectedField(key, field, _arguments(nodes[0]), selection, path)
        return planned[place]

    def _collect(
        self, selection_sets: list[SelectionSetNode], conditions: frozenset[str] | None, path: tuple[str, ...]
    ) -> dict[str, list[FieldNode]]:
        """The fields by their keys (GraphQL §6.3.2).

        Args:
            conditions: the type conditions that hold; None where a validated fragment always applies.
        """
        collected: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for selection_set in selection_sets:
            for node in self._fields_of(selection_set, conditions, visited, path):
                key = (node.alias or node.name).value
                if key not in collected:
                    self._spend()
                    if key != node.name.value:
                        self._aliases.add((*path, key))
                collected.setdefault(key, []).append(node)
        return collected

    def _fields_of(
        self,
        selection_set: SelectionSetNode,
        conditions: frozenset[str] | None,
        visited: set[str],
        path: tuple[str, ...],
    ) -> Iterator[FieldNode]:
        for node in selection_set.selections:
            if node.directives and not self._included(node, path):
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                if node.type_condition is None or _holds(node.type_condition, conditions):
                    yield from self._fields_of(node.selection_set, conditions, visited, path)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
                visited.add(node.name.value)
                fragment = self._operation.fragments[node.name.value]
                if _holds(fragment.type_condition, conditions):
                    yield from self._fields_of(fragment.selection_set, conditions, visited, path)

    def _included(self, node: SelectionNode, path: tuple[str, ...]) -> bool:
        """What its conditions say.

        Args:
            path: of the object that has it.
        """
        here = (*path, (node.alias or node.name).value) if isinstance(node, FieldNode) else path
        return all(
            self._condition(directive, here) is (directive.name.value == "include")
            for directive in node.directives or ()
            if directive.name.value in ("skip", "include")
        )

    def _condition(self, directive: DirectiveNode, path: tuple[str, ...]) -> bool:
        (argument,) = directive.arguments or ()
        if isinstance(argument.value, BooleanValueNode):
            return argument.value.value
        assert isinstance(argument.value, VariableNode)
        name = argument.value.name.value
        value = self._variables[name]
        if value is None:  # GraphQL §5.8.5 lets a nullable variable with a default pass
            message, where = f'Variable "${name}" must not be null in a condition.', argument.value.loc
            place = () if where is None else (get_location(where.source, where.start),)
            locations = [(each.line, each.column) for each in place]
            error = RequestError(message, code="BAD_USER_INPUT", path=path or None, locations=locations)
            raise Refusal(Outcome.VARIABLES_INVALID, [error])
        return bool(value)

    def _spend_below(self, parents: list[FieldNode], path: tuple[str, ...]) -> None:
        """Introspection is bounded too: a short document can ask for every name a million times."""
        sets = [node.selection_set for node in parents if node.selection_set is not None]
        for key, nodes in self._collect(sets, None, path).items():
            self._spend_below(nodes, (*path, key))

    def _spend(self) -> None:
        self._count += 1
        if self._count > self._limits.max_fields:  # what is left may be exponentially many
            fields = f"at least {self._count} fields, fragments expanded"
            raise self._too_complex(f"{fields}; the limit is {self._limits.max_fields}")

    @staticmethod
    def _too_complex(what: str) -> Refusal:
        error = RequestError(f"The query has {what}.", code="QUERY_TOO_COMPLEX")
        return Refusal(Outcome.NOT_VALID, [error])


def _owner_of(model: SchemaModel, kind: OperationType) -> tuple[str, Mapping[str, RootFieldType]]:
    """The root type's name and its fields."""
    if kind is OperationType.QUERY:
        return "Query", model.queries
    return ("Mutation", model.mutations) if kind is OperationType.MUTATION else ("Subscription", model.subscriptions)


def _holds(condition: NamedTypeNode, conditions: frozenset[str] | None) -> bool:
    return conditions is None or condition.name.value in conditions


def _type_key(members: tuple[Selection, ...]) -> str:
    """A key under which `__typename` is selected of every member, or the hidden one."""
    first, *others = [[each.key for each in member.fields if each.field is None] for member in members]
    return next((key for key in first if all(key in keys for keys in others)), HIDDEN_TYPE_KEY)


def _arguments(node: FieldNode) -> dict[str, ValueNode]:
    # Validation made sure that all nodes of one key have the same arguments (GraphQL §5.3.2).
    return {argument.name.value: argument.value for argument in node.arguments or ()}

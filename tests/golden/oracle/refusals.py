"""What a request must be refused for: by the language, or by our rules on the values of arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSkipDirective,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_argument_values,
    get_directive_values,
    get_named_type,
    get_variable_values,
    parse,
    validate,
)
from graphql.execution.values import VariableValues

from fraiseql.schema.embedded import embedded_type
from fraiseql.schema.model import Argument, Field, InputType, ObjectType, QueryField, Relation
from golden.oracle.documents import PATHS
from golden.oracle.oracle import Oracle
from golden.oracle.orders import order_names, page_bounds
from golden.oracle.texts import is_pattern, is_regular_expression

__all__ = ["BAD_USER_INPUT", "Refusals", "Verdict"]

BAD_USER_INPUT: Final = "BAD_USER_INPUT"
Path = tuple[str, ...]
_ASKS_FOR_NULLS: Final = ("eq", "neq", "distinctFrom", "search", "any", "length", "lower", "upper", "config")
"""The conditions that take a null; of an object of conditions, it is as if it were absent."""


@dataclass(slots=True)
class Verdict:
    """Why a request must be refused.

    Attributes:
        invalid: what the language has against the document.
        must: the paths of fields with a value that is refused whatever the rows are.
        may: those of fields with a value that PostgreSQL refuses only where it compares a row with it; it does not say
            which of several values it was.
    """

    invalid: list[str] = field(default_factory=list)
    must: set[Path] = field(default_factory=set)
    may: set[Path] = field(default_factory=set)


class Refusals:
    """Reads requests for the schema and the rows of an oracle."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self._model = oracle.model

    def of(self, query: str, variables: Mapping[str, Any]) -> Verdict:
        """The verdict on a request with one operation."""
        document = parse(query)
        errors = validate(self._oracle.schema, document)
        if errors:
            return Verdict([error.message for error in errors])
        return _Walk(self._oracle, document, variables).verdict


class _Walk:
    """Of one request."""

    def __init__(self, oracle: Oracle, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._oracle = oracle
        self._model = oracle.model
        self.verdict = Verdict()
        self._patterns: set[Path] = set()
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        self._refused = set()
        self._values = VariableValues({}, {})
        for definition in operation.variable_definitions or ():
            name = definition.variable.name.value
            given = {name: variables[name]} if name in variables else {}
            read = get_variable_values(oracle.schema, [definition], given)
            if isinstance(read, list):
                self._refused.add(name)
            else:
                self._values = VariableValues(
                    {**self._values.sources, **read.sources}, {**self._values.coerced, **read.coerced}
                )
        query = oracle.schema.query_type
        assert query is not None
        self._selections(query, operation.selection_set, ())
        if self.verdict.may:
            self.verdict.may |= self._patterns

    def _selections(self, owner: GraphQLObjectType, selections: SelectionSetNode, path: Path) -> None:
        for node in self._fields(selections):
            if not node.name.value.startswith("__"):
                here = (*path, (node.alias or node.name).value)
                self._field(owner, node, here)

    def _fields(self, selections: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selections.selections:
            skipped = get_directive_values(GraphQLSkipDirective, node, self._values) or {}
            included = get_directive_values(GraphQLIncludeDirective, node, self._values) or {}
            if skipped.get("if") or included.get("if") is False:
                continue
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from self._fields(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                yield from self._fields(self._fragments[node.name.value].selection_set)

    def _field(self, owner: GraphQLObjectType, node: FieldNode, path: Path) -> None:
        declared = owner.fields[node.name.value]
        arguments = [argument.value for argument in node.arguments or ()]
        if any(isinstance(value, VariableNode) and value.name.value in self._refused for value in arguments):
            self.verdict.must.add(path)
        else:
            try:
                given = get_argument_values(declared, node, self._values)
                self._arguments(owner.name, node.name.value, given, path)
                self._group_orders(node, given, path)
            except GraphQLError:  # a key's variable that has no value, where there must be one
                self.verdict.must.add(path)
        below = get_named_type(declared.type)
        if isinstance(below, GraphQLObjectType):
            assert node.selection_set is not None
            self._selections(below, node.selection_set, path)

    def _arguments(self, owner: str, name: str, given: dict[str, Any], path: Path) -> None:
        if any("\0" in text for text in _texts(given)):
            self.verdict.must.add(path)
        source: Relation | QueryField
        if owner == "Query":
            source = self._model.queries[name]
            sizes = (source.page_sizes, self._model.page_sizes)
            self._equal(self._model.object_type(source.target), source.arguments, given, path)
        else:
            found = self._model.object_type(owner).fields[name]
            if found.relation is None:
                self._embedded(found, given, path)
                return
            source = found.relation
            sizes = (source.page_sizes, self._model.page_sizes)
        if self._is_no_page(given, page_bounds(*sizes)[1]):
            self.verdict.must.add(path)
        target = self._model.object_type(source.target)
        self._where(target, given.get("where") or {}, path)
        self._figures(target, given.get("having") or {}, path)

    def _group_orders(self, node: FieldNode, given: Mapping[str, Any], path: Path) -> None:
        """A field of a key that groups are ordered by must be selected."""
        names = [order_names(entry) for entry in given.get("orderBy") or ()]
        wanted = {each[1] for each in names if each[0] == "key" and len(each) > 1}
        if wanted and node.selection_set is not None:
            keys = [below for below in self._fields(node.selection_set) if below.name.value == "key"]
            selections = [below.selection_set for below in keys if below.selection_set is not None]
            selected = {each.name.value for below in selections for each in self._fields(below)}
            is_group = not isinstance(given.get("first", given.get("last")), int)
            if is_group and not wanted <= selected:
                self.verdict.must.add(path)

    @staticmethod
    def _is_no_page(given: Mapping[str, Any], largest: int) -> bool:
        sizes = [given[name] for name in ("limit", "first", "last") if given.get(name) is not None]
        if not all(0 <= size <= largest for size in sizes) or (given.get("offset") or 0) < 0:
            return True
        cursors = [given[name] for name in ("after", "before") if given.get(name) is not None]
        # The generator makes no cursors.
        return bool(cursors) or (given.get("first") is not None and given.get("last") is not None)

    def _equal(
        self, target: ObjectType, declared: Mapping[str, Argument], given: Mapping[str, Any], path: Path
    ) -> None:
        for name, argument in declared.items():
            named = self._model.types[argument.type.named]
            if isinstance(named, InputType):
                self._equal(target, named.fields, given.get(name) or {}, path)
            elif given.get(name) is not None:
                self._value(target, self._oracle.argument_field(target, argument), given[name], path)

    def _where(self, target: ObjectType, where: Mapping[str, Any], path: Path) -> None:
        for key, below in where.items():
            if below is None:
                continue
            if key in ("AND", "OR", "NOT"):
                for item in [below] if key == "NOT" else below:
                    self._where(target, item, path)
                continue
            field = target.fields[key]
            embedded = embedded_type(self._model, field)
            if embedded is not None:
                self._inside(embedded, field, below, path)
            elif field.relation is None:
                self._conditions(target, field, below, path)
            elif not field.relation.shape.is_to_many:
                self._where(self._model.object_type(field.relation.target), below, path)
            else:
                child = self._model.object_type(field.relation.target)
                for name, item in below.items():
                    (self._figures if name == "aggregate" else self._where)(child, item or {}, path)

    def _figures(self, target: ObjectType, where: Mapping[str, Any], path: Path) -> None:
        """Conditions on aggregates, which any value of their types fits."""
        for key, below in where.items():
            if key in ("AND", "OR", "NOT"):
                for item in [below or {}] if key == "NOT" else below or ():
                    self._figures(target, item, path)
            else:
                for conditions in [below or {}] if key == "count" else (below or {}).values():
                    for operator, given in (conditions or {}).items():
                        self._figure(operator, given, path)

    def _figure(self, operator: str, given: Any, path: Path) -> None:
        if given is None:
            if operator not in _ASKS_FOR_NULLS:
                self.verdict.must.add(path)
        elif operator == "search":
            if any(text is None for name, text in given.items() if name != "config"):
                self.verdict.must.add(path)
        elif operator in ("like", "ilike") and not is_pattern(given):
            self.verdict.must.add(path)
        elif operator in ("matches", "imatches"):
            self._patterns.add(path)
            if not is_regular_expression(given):
                self.verdict.may.add(path)

    def _embedded(self, field: Field, given: Mapping[str, Any], path: Path) -> None:
        target = embedded_type(self._model, field)
        if target is not None:
            if self._is_no_page(given, page_bounds(self._model.page_sizes)[1]):
                self.verdict.must.add(path)
            self._where(target, given.get("where") or {}, path)

    def _inside(self, target: ObjectType, field: Field, below: Mapping[str, Any], path: Path) -> None:
        """Conditions on an embedded object, or on a list of them."""
        if field.type.item is None:
            self._where(target, below, path)
            return
        for name, item in below.items():
            if name in ("some", "none", "every"):
                self._where(target, item or {}, path)
            else:
                self._count(name, item, path)

    def _count(self, name: str, given: Any, path: Path) -> None:
        """A null in what an embedded list has beside conditions on its elements."""
        if name == "count":
            nulls = [key for key, value in (given or {}).items() if value is None]
            is_wrong = any(key not in _ASKS_FOR_NULLS for key in nulls)
        else:
            is_wrong = given is None
        if is_wrong:
            self.verdict.must.add(path)

    def _conditions(self, target: ObjectType, field: Field, conditions: Mapping[str, Any], path: Path) -> None:
        for operator, given in conditions.items():
            if given is None:
                if operator not in _ASKS_FOR_NULLS:
                    self.verdict.must.add(path)
            elif operator == "search":
                if any(text is None for name, text in given.items() if name != "config"):
                    self.verdict.must.add(path)
            elif operator == "any":
                self._conditions(target, field, given, path)
            elif operator in ("length", "lower", "upper"):
                if any(value is None for name, value in given.items() if name not in _ASKS_FOR_NULLS):
                    self.verdict.must.add(path)
            else:
                self._condition(target, field, operator, given, path)

    def _condition(self, target: ObjectType, field: Field, operator: str, given: Any, path: Path) -> None:
        is_refused = operator in ("like", "ilike") and not is_pattern(given)
        if is_refused or (operator in ("pathExists", "pathMatch") and given not in PATHS):
            self.verdict.must.add(path)
        elif operator in ("matches", "imatches"):
            self._patterns.add(path)
            if not is_regular_expression(given):
                self.verdict.may.add(path)
        elif operator in (
            "eq",
            "neq",
            "distinctFrom",
            "gt",
            "gte",
            "lt",
            "lte",
            "in",
            "nin",
            "contains",
            "containedBy",
            "overlaps",
        ):
            for value in given if isinstance(given, list) else [given]:
                self._value(target, field, value, path)

    def _value(self, target: ObjectType, field: Field, given: Any, path: Path) -> None:
        """A value to compare with, which the field's column may have no place for."""
        try:
            self._oracle.values.given(field, self._oracle.sample(target, field), given)
        except ValueError:
            self.verdict.must.add(path)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from _texts(key)
            yield from _texts(below)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)

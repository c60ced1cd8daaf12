"""From a document's text to operations that are ready to plan: parsed, validated, with compiled variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.rules import max_introspection_depth_rule, overlapping_fields_can_be_merged

from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.arguments import default_value
from fraiseql.pipeline.directives import own_directives
from fraiseql.pipeline.nesting import nests_too_deep
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.pipeline.rules import NoIntrospection, OneOfVariables
from fraiseql.pipeline.variables import VariablesCoercer, variable_types

__all__ = ["Document", "Operation", "prepare_document"]

_MAX_MESSAGE: Final = 300  # characters: graphql-core quotes literals in full
_MAX_STEPS: Final = getattr(overlapping_fields_can_be_merged, "MAX_COMPLEXITY_BUDGET", 500_000)
_MAX_LISTS: Final = max_introspection_depth_rule.MAX_LIST_DEPTH - 1
_MAX_ERRORS: Final = 20  # more of them help nobody, and a hostile document has thousands


class Operation:
    """One operation of a validated document.

    Attributes:
        kind: query, mutation or subscription.
        node: its syntax tree.
        fragments: of the whole document, by name.
        types: of its variables, by name.
        coerce: its variables' coercion.
        conditions: the variables that @skip and @include read; their values choose the plan.
        directives: the schema's own ones in it.
    """

    __slots__ = ("coerce", "conditions", "directives", "fragments", "kind", "node", "types")

    def __init__(
        self, schema: GraphQLSchema, node: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> None:
        self.node = node
        self.kind: OperationType = node.operation
        self.fragments = fragments
        self.types: Mapping[str, GraphQLInputType] = variable_types(schema, node)
        self.coerce = VariablesCoercer(node, self.types, default_value, self._path_of)
        read = _condition_variables([node, *fragments.values()])
        self.conditions = tuple(name for name in self.types if name in read)
        self.directives = tuple(own_directives(schema, node, fragments))

    @property
    def is_subscription(self) -> bool:
        """Whether it goes on, and is answered by a stream."""
        return self.kind is OperationType.SUBSCRIPTION

    @property
    def is_mutation(self) -> bool:
        """Whether it changes something."""
        return self.kind is OperationType.MUTATION

    def _path_of(self, variable: str) -> tuple[str, ...] | None:
        def uses(node: Node) -> bool:
            return isinstance(node, VariableNode) and node.name.value == variable

        return _search(self.node.selection_set, uses, ())


class Document:
    """A validated document: its operations by name."""

    __slots__ = ("_operations",)

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations

    def operation(self, name: str | None) -> Operation:
        """The operation to run (GraphQL §6.1); Refusal where it is not clear which."""
        if name is None and len(self._operations) == 1:
            return next(iter(self._operations.values()))
        if name is None:
            message = "The document holds several operations; 'operationName' must name one."
        elif name in self._operations and name:
            return self._operations[name]
        else:
            message = f"The document holds no operation named {name[:100]!r}."
        raise Refusal(Outcome.OPERATION_UNKNOWN, [RequestError(message, code="OPERATION_RESOLUTION_FAILURE")])


def prepare_document(schema: GraphQLSchema, text: str, limits: QueryLimits, *, introspection: bool = True) -> Document:
    """Parse and validate a document and compile its operations.

    Args:
        introspection: whether `__schema` and `__type` are served.

    Raises:
        Refusal: with every error found, up to 20.
    """
    try:
        document = _parse(text, limits)
        rules: list[Any] = [*([] if introspection else [NoIntrospection]), *specified_rules, OneOfVariables]
        errors = validate(schema, document, rules, max_errors=_MAX_ERRORS)
    except RecursionError:
        # A limit on tokens cannot bound how deep they nest, and the rules recurse.
        raise nests_too_deep(text, limits.max_depth) from None
    if errors:
        raise Refusal(Outcome.NOT_VALID, [_validation_error(document, error) for error in errors])
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    try:
        operations = {
            node.name.value if node.name else "": Operation(schema, node, fragments)
            for node in document.definitions
            if isinstance(node, OperationDefinitionNode)
        }
    except RequestError as error:  # a variable's default that validation let pass
        raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
    if not operations:
        message = "The document holds no operation."
        raise Refusal(Outcome.OPERATION_UNKNOWN, [RequestError(message, code="OPERATION_RESOLUTION_FAILURE")])
    return Document(operations)


def _parse(text: str, limits: QueryLimits) -> DocumentNode:
    try:
        return parse(text, max_tokens=limits.max_tokens, allow_empty_selection_sets=False)
    except GraphQLSyntaxError as error:
        if f"more than {limits.max_tokens} tokens" in error.message:
            message = f"The document has at least {limits.max_tokens + 1} tokens; the limit is {limits.max_tokens}."
            refused = RequestError(message, code="QUERY_TOO_COMPLEX")
            raise Refusal(Outcome.NOT_VALID, [refused]) from None
        if "nested too deeply" in error.message:  # the parser's own RecursionError
            raise nests_too_deep(text, limits.max_depth) from None
        raise Refusal(
            Outcome.NOT_PARSED,
            [RequestError(error.message, code="GRAPHQL_PARSE_FAILED", locations=_locations(error))],
        ) from None


def _validation_error(document: DocumentNode, error: GraphQLError) -> RequestError:
    if error.message == "Validation aborted.":  # the rule that compares fields has a budget of its own
        steps = f"at least {_MAX_STEPS + 1} steps; the limit is {_MAX_STEPS}"
        return RequestError(f"To compare the document's fields takes {steps}.", code="QUERY_TOO_COMPLEX")
    paths = (response_path(document, node) for node in error.nodes or ())
    path = next((path for path in paths if path), None)
    if error.message == "Maximum introspection depth exceeded":
        lists = f"at least {_MAX_LISTS + 1} lists of types or fields one inside of the other; the limit is {_MAX_LISTS}"
        message = f"Introspection asks for {lists}."
        return RequestError(message, code="QUERY_TOO_COMPLEX", path=path, locations=_locations(error))
    message = error.message if len(error.message) <= _MAX_MESSAGE else f"{error.message[:_MAX_MESSAGE]}..."
    code = (error.extensions or {}).get("code", "GRAPHQL_VALIDATION_FAILED")
    return RequestError(message, code=code, path=path, locations=_locations(error))


def _locations(error: GraphQLError) -> list[tuple[int, int]]:
    return [(location.line, location.column) for location in error.locations or ()]


def response_path(document: DocumentNode, wanted: Node) -> tuple[str, ...] | None:
    """Where in the response the field stands that holds a node of the document, as far as the document alone can tell.

    Inside a fragment definition that is not known, since it may be spread in several places.
    """
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            path = _search(definition.selection_set, lambda node: node is wanted, ())
            if path:
                return path
    return None


def _search(node: Node, wanted: Callable[[Node], bool], path: tuple[str, ...]) -> tuple[str, ...] | None:
    if isinstance(node, FieldNode):
        path = (*path, (node.alias or node.name).value)
    if wanted(node):
        return path
    for key in node.keys:
        below = getattr(node, key, None)
        for child in below if isinstance(below, (tuple, list)) else (below,):
            if isinstance(child, Node):
                found = _search(child, wanted, path)
                if found is not None:
                    return found
    return None


def _condition_variables(nodes: list[Node]) -> set[str]:
    """The variables that @skip and @include read anywhere below."""
    found: set[str] = set()
    while nodes:
        node = nodes.pop()
        for directive in getattr(node, "directives", None) or ():
            if directive.name.value in ("skip", "include"):
                found.update(
                    argument.value.name.value for argument in directive.arguments if argument.value.kind == "variable"
                )
        selection_set: SelectionSetNode | None = getattr(node, "selection_set", None)
        if selection_set is not None:
            nodes.extend(selection_set.selections)
    return found

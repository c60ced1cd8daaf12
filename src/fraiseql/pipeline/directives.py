"""The directives in a document that the schema declares: checked, and without an effect on what is served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLDirective,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    ValueNode,
    is_specified_directive,
)

from fraiseql.errors import RequestError
from fraiseql.pipeline.arguments import given_arguments
from fraiseql.pipeline.variables import Variables

__all__ = ["OwnDirective", "own_directives"]

_Path: TypeAlias = tuple[str, ...]


class OwnDirective:
    """One use, whose arguments are held against their types where validation could not."""

    __slots__ = ("_declared", "_path", "_written")

    def __init__(self, declared: GraphQLDirective, written: Mapping[str, ValueNode], path: _Path) -> None:
        self._declared = declared
        self._written = written
        self._path = path or None

    def misfits(self, variables: Variables) -> Iterator[RequestError]:
        """What does not coerce (GraphQL §6.4.1), with coerced variables."""
        for name, argument in self._declared.args.items():
            try:
                given_arguments({name: argument}, self._written, variables, ())
            except RequestError as error:
                message = f"@{self._declared.name}({name}:): {error.message}"
                yield RequestError(message, code=error.code, path=self._path)


def own_directives(
    schema: GraphQLSchema, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[OwnDirective]:
    """Those with arguments in a validated operation and in the fragments that it reaches."""
    if all(map(is_specified_directive, schema.directives)):
        return
    reached: set[str] = set()
    waiting: list[tuple[Node, _Path]] = [(operation, ())]
    while waiting:
        node, path = waiting.pop()
        if isinstance(node, DirectiveNode):
            declared = schema.get_directive(node.name.value)
            if declared is not None and node.arguments and not is_specified_directive(declared):
                written = {argument.name.value: argument.value for argument in node.arguments}
                yield OwnDirective(declared, written, path)
            continue
        if isinstance(node, FieldNode):
            path = (*path, (node.alias or node.name).value)
        if isinstance(node, FragmentSpreadNode) and node.name.value not in reached:
            reached.add(node.name.value)
            waiting.append((fragments[node.name.value], path))
        for key in ("selection_set", "selections", "variable_definitions", "directives"):
            below = getattr(node, key, None) or ()
            waiting += [(each, path) for each in ((below,) if isinstance(below, Node) else below)]

"""The schema in GraphQL's schema definition language, with the directives that are applied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from graphql import (
    DirectiveDefinitionNode,
    GraphQLSchema,
    Node,
    SchemaDefinitionNode,
    parse,
    print_ast,
    print_schema,
)

from fraiseql.pipeline.graphql_schema.builder import build_graphql_schema
from fraiseql.pipeline.graphql_schema.literals import literal_of
from fraiseql.schema import Schema
from fraiseql.schema.model import AppliedDirective, SchemaModel

__all__ = ["print_sdl"]

_Place: TypeAlias = tuple[int, str]  # where in the text something ends, and its schema coordinate


def print_sdl(schema: Schema) -> str:
    """The schema in GraphQL's schema definition language."""
    model = schema.model
    built = build_graphql_schema(model)
    text = print_schema(built)
    if not model.applied:
        return f"{text}\n"
    # graphql-core prints no directives of a schema's own: each is put behind what it is applied to.
    definitions = parse(text).definitions
    places = [place for node in definitions for place in _places(node)]
    for end, coordinate in sorted(places, reverse=True):
        text = f"{text[:end]}{_written(built, model, coordinate)}{text[end:]}"
    if not isinstance(definitions[0], SchemaDefinitionNode):
        text = _schema_definition(built, _written(built, model, "")) + text
    return f"{text}\n"


def _places(definition: Any) -> Iterator[_Place]:
    if isinstance(definition, SchemaDefinitionNode):
        assert definition.loc is not None
        yield definition.loc.start + len("schema"), ""
        return
    name = definition.name.value
    if isinstance(definition, DirectiveDefinitionNode):
        yield from _arguments(definition, f"@{name}")
        return
    yield _end((definition.name, *_below(definition, "interfaces"), *_below(definition, "directives"))[-1]), name
    for member in (*_below(definition, "fields"), *_below(definition, "values")):
        coordinate = f"{name}.{member.name.value}"
        yield _end(member), coordinate
        yield from _arguments(member, coordinate)


def _arguments(node: Any, coordinate: str) -> Iterator[_Place]:
    for argument in _below(node, "arguments"):
        yield _end(argument), f"{coordinate}({argument.name.value}:)"


def _below(node: Any, key: str) -> Iterable[Any]:
    return getattr(node, key, None) or ()


def _end(node: Node) -> int:
    assert node.loc is not None
    return node.loc.end


def _written(schema: GraphQLSchema, model: SchemaModel, coordinate: str) -> str:
    """What is applied to something, each behind a space."""
    return "".join(f" {_use(schema, each)}" for each in model.applied.get(coordinate, ()))


def _use(schema: GraphQLSchema, applied: AppliedDirective) -> str:
    directive = schema.get_directive(applied.name)
    assert directive is not None
    arguments = [
        f"{name}: {print_ast(literal_of(value, directive.args[name].type))}"
        for name, value in applied.arguments.items()
    ]
    return f"@{applied.name}" + (f"({', '.join(arguments)})" if arguments else "")


def _schema_definition(schema: GraphQLSchema, uses: str) -> str:
    """The definition that may be left out where it says nothing (GraphQL §3.3.1)."""
    if not uses:
        return ""
    roots = (("query", schema.query_type), ("mutation", schema.mutation_type))
    lines = [
        f"  {operation}: {root.name}\n"
        for operation, root in (*roots, ("subscription", schema.subscription_type))
        if root is not None
    ]
    return f"schema{uses} {{\n{''.join(lines)}}}\n\n"

"""Random requests from `hypothesis-graphql`, with values that the rows have or that lie beside them.

It fills every argument and half a dozen keys of every object, each with a null as often as not: hardly a request would
be without a mistake, and hardly a row meet it. So each request is made from a part of the schema, whose types have a
few of their fields only, and most nulls that no condition takes are left out afterwards. In half of the requests,
arguments become variables.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import hypothesis_graphql
from graphql import (
    ArgumentNode,
    DefinitionNode,
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectTypeDefinitionNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeNode,
    ValueNode,
    VariableNode,
    build_ast_schema,
    get_named_type,
    get_nullable_type,
    parse,
    print_ast,
    value_from_ast_untyped,
)
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from fraiseql.pipeline.graphql_schema import print_sdl
from fraiseql.schema import Schema
from fraiseql.schema.model import ObjectType
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import PYTHON_SCALARS
from golden.every_scalar import SCALARS
from golden.oracle import Oracle
from golden.oracle.documents import PATHS

__all__ = ["Request", "requests"]


@dataclass(frozen=True, slots=True)
class Request:
    """A document with one operation, and its variables."""

    query: str
    variables: Mapping[str, Any]


_PLACES: Final = {
    r"^  (AND|OR): \[(\w+)!\]$": r"\2",  # a list of them would be endless
    r"\b(id): ID\b": "RowId",
    r"\b(limit|first|last): Int$": "Limit",
    r"\b(offset): Int$": "Offset",
    r"^  (i?matches): String$": "RegularExpression",
    r"^  (plain|phrase|websearch): String$": "Words",
    r"^  (pathExists): String$": "Path",
    r"^  (pathMatch): String$": "Predicate",
    r"^  (hasKey): String$": "Key",
}
"""Places for values of a kind of their own, and what we name it: the generator knows places by their types only."""

_VALUES: Final[Mapping[str, tuple[Any, ...]]] = {
    "RowId": (1, "2", "5", 7, "007", "11", 12, "x"),
    "Limit": (*(1, 2, 3, 4, 5, 7, 10, 30) * 3, 0, 31, 1_001, -1),
    "Offset": (*(0,) * 12, 1, 1, 1, 2, 2, 5, 50, -1),
    "RegularExpression": ("", "w1", "^w", "B$", "[ab]+.", "^$", "é", "w1 w[0-9]", "(", "[a"),
    "Words": ("w1", "w2 w1", "w3 w9", "", "w1 or w3", "w1 -w3", '"w1 w2"', '-"w1 w2"'),
    "Path": (*PATHS, *PATHS, "$.(", "$x"),
    "Predicate": ("exists($.words)", "$.words > 1000", "exists($.words)", "$.words > 1000", "no path"),
    "Key": ("a", "x", "words", "tags", "it's"),
}
"""Regular expressions, paths and words are some that Python can decide as PostgreSQL does."""

_FORMS: Final = {"JSON": ({"words": 5}, {"sources": [1.5]}, []), "Boolean": (True, False)}
_SHARE: Final = 30  # one value in so many is not of its type
_REFUSES_NULL: Final = re.compile(r"(?!eq$|neq$|distinctFrom$|search$|any$|length$|lower$|upper$|count$|config$)")


def requests(schema: Schema, oracle: Oracle, count: int) -> st.SearchStrategy[Request]:
    """Requests for a schema, with values of an oracle's rows.

    Args:
        count: how many will be drawn: for every tenth there is another part of the schema.
    """
    sdl = print_sdl(schema)
    # The oracle knows the ranks of single words only.
    sdl = re.sub(r'^  """[^"]+"""\n  (?:rank: FloatFilter|searchRank: \w+)\n', "", sdl, flags=re.MULTILINE)
    for place, name in _PLACES.items():
        sdl = re.sub(place, rf"\1: {name}", sdl, flags=re.MULTILINE)
    whole = parse(sdl + "".join(f"\nscalar {name}" for name in _VALUES), no_location=True)
    scalars = {name: st.sampled_from(list(map(_node, values))) for name, values in _VALUES.items()}
    scalars |= {name: _strategy(name, values) for name, values in _pools(oracle).items()}

    @lru_cache(maxsize=32)
    def documents(number: int) -> st.SearchStrategy[DocumentNode]:
        part = _with_few_fields(whole, random.Random(number))
        return hypothesis_graphql.queries(
            part, custom_scalars=scalars, allow_null=number % 3 == 0, print_ast=lambda document: document
        )

    return st.builds(
        lambda document, keep, wild, moved: _Thinned(oracle.schema, keep, wild == 7, moved).request(document),
        st.integers(0, count // 10).flatmap(documents),
        st.integers(1, 3),
        st.integers(0, 7),
        st.booleans(),
    )


def _with_few_fields(whole: DocumentNode, choice: random.Random) -> GraphQLSchema:
    """A part of a schema, so small that an object of it is soon drawn."""
    objects = {each.name.value for each in whole.definitions if isinstance(each, ObjectTypeDefinitionNode)}
    made: list[DefinitionNode] = []
    for definition in whole.definitions:
        if isinstance(definition, InputObjectTypeDefinitionNode):
            fields = _few(definition.fields, lambda name: name.endswith(("Input", "RelationFilter")), 3, 1, choice)
            definition = replace(definition, fields=fields)
        elif isinstance(definition, ObjectTypeDefinitionNode):
            definition = replace(definition, fields=_few(definition.fields, objects.__contains__, 10, 4, choice))
        made.append(definition)
    return build_ast_schema(DocumentNode(definitions=tuple(made)), assume_valid=True)


def _few(
    fields: Iterable[Any], is_object: Callable[[str], bool], leaves: int, objects: int, choice: random.Random
) -> tuple[Any, ...]:
    """So many of each kind, and those that must not be left out."""
    every = list(fields)
    kinds: tuple[list[Any], list[Any]] = ([], [])
    for each in every:
        kinds[is_object(_named(each.type))].append(each)
    kept = [
        each
        for kind, most in zip(kinds, (leaves, objects), strict=True)
        for each in choice.sample(kind, min(most, len(kind)))
    ]
    is_required = [
        isinstance(each, InputValueDefinitionNode) and isinstance(each.type, NonNullTypeNode) for each in every
    ]
    return tuple(each for each, required in zip(every, is_required, strict=True) if required or each in kept)


def _named(node: TypeNode) -> str:
    while not isinstance(node, NamedTypeNode):
        node = node.type  # type: ignore[attr-defined]
    return node.name.value


def _pools(oracle: Oracle) -> dict[str, list[Any]]:
    """What rows hold of each scalar, as JSON shows it."""
    found: dict[str, list[Any]] = {name: [] for name, named in oracle.model.types.items() if isinstance(named, Scalar)}
    for owner in oracle.model.types.values():
        if isinstance(owner, ObjectType) and owner.source is not None:
            for each in owner.fields.values():
                if oracle.values.is_scalar(each) and each.type.name in found:
                    natives = (oracle.values.native(each, record) for record in oracle.related.of_source(owner.source))
                    shown = [oracle.values.shown(each.type, native) for native in natives if native is not None]
                    found[each.type.name] += [value for value in shown if value not in found[each.type.name]][:8]
    return found


def _strategy(name: str, values: list[Any]) -> st.SearchStrategy[ValueNode]:
    forms, refused = _FORMS.get(name, ()), ()
    for each in SCALARS.values():
        declared = _declared(each.annotation)
        if declared == name:
            forms, refused = (*forms, *each.forms), each.refused
    good = list(map(_node, [*values, *forms]))
    wrong = list(map(_node, refused))
    times = len(wrong) * _SHARE // len(good) + 1
    return st.sampled_from([*good * times, *wrong])


def _declared(annotation: Any) -> str | None:
    """The name of a scalar in GraphQL."""
    found = next((each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, Scalar)), None)
    found = found or PYTHON_SCALARS.get(annotation)
    return found.name if found else None


def _node(value: Any) -> ValueNode:
    """A literal."""
    if value is None:
        return nodes.Null
    if isinstance(value, dict):
        return nodes.Object(
            [ObjectFieldNode(name=NameNode(value=key), value=_node(each)) for key, each in value.items()]
        )
    if isinstance(value, list):
        return nodes.List(list(map(_node, value)))
    made: Callable[[Any], ValueNode] = {bool: nodes.Boolean, int: nodes.Int, float: nodes.Float, str: nodes.String}[
        type(value)
    ]
    return made(value)


@dataclass(slots=True)
class _Thinned:
    """Thins one document out.

    Attributes:
        keep: how many keys an input object may have, and one more how many items a list.
        wild: leave nulls and several keys where they are refused.
        moved: arguments become variables.
    """

    schema: GraphQLSchema
    keep: int
    wild: bool
    moved: bool
    definitions: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)

    def request(self, document: DocumentNode) -> Request:
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        assert self.schema.query_type is not None
        selections = self._selections(self.schema.query_type, operation.selection_set)
        definitions = f"({', '.join(self.definitions)}) " if self.definitions else ""
        return Request(f"query {definitions}{print_ast(selections)}", self.variables)

    def _selections(self, owner: GraphQLObjectType, selections: SelectionSetNode) -> SelectionSetNode:
        made = []
        for node in selections.selections:
            assert isinstance(node, FieldNode)
            declared = owner.fields[node.name.value]
            below = get_named_type(declared.type)
            made.append(
                FieldNode(
                    name=node.name,
                    arguments=tuple(self._arguments(declared, node)),
                    selection_set=self._selections(below, node.selection_set)
                    if isinstance(below, GraphQLObjectType) and node.selection_set
                    else None,
                )
            )
        return SelectionSetNode(selections=tuple(made))

    def _arguments(self, declared: GraphQLField, node: FieldNode) -> Iterator[ArgumentNode]:
        for argument in self._page(node.arguments or ()):
            type_ = declared.args[argument.name.value].type
            value = self._value(argument.value, type_)
            if value is not None:
                if self.moved:
                    name = f"v{len(self.definitions)}"
                    self.definitions.append(f"${name}: {type_}")
                    self.variables[name] = value_from_ast_untyped(value)
                    value = VariableNode(name=NameNode(value=name))
                yield ArgumentNode(name=argument.name, value=value)

    def _page(self, arguments: Iterable[ArgumentNode]) -> list[ArgumentNode]:
        """A connection is given one size of a page, and no cursor, since those that are made up are refused."""
        names = () if self.wild else ("after", "before", "first" if self.keep == 2 else "last")
        return [argument for argument in arguments if argument.name.value not in names]

    def _value(self, node: ValueNode, type_: Any) -> ValueNode | None:
        """None where nothing is left of it."""
        declared = get_nullable_type(type_)
        if isinstance(declared, GraphQLList) and isinstance(node, ListValueNode):
            items = [self._value(item, declared.of_type) for item in node.values[: self.keep + 1]]
            return nodes.List([item for item in items if item is not None])
        if isinstance(declared, GraphQLInputObjectType) and isinstance(node, ObjectValueNode):
            return self._object(node, declared, must=isinstance(type_, GraphQLNonNull))
        return node

    def _object(self, node: ObjectValueNode, declared: GraphQLInputObjectType, *, must: bool) -> ValueNode | None:
        made: list[ObjectFieldNode] = []
        most = 1 if declared.is_one_of else self.keep
        for each in node.fields:
            is_null = isinstance(each.value, NullValueNode)
            if is_null and not self.wild and (declared.is_one_of or self._refuses_null(declared, each.name.value)):
                continue
            value = self._value(each.value, declared.fields[each.name.value].type)
            if each.name.value in ("AND", "OR") and isinstance(value, ObjectValueNode) and self.keep > 1:
                value = nodes.List([nodes.Object([one]) for one in value.fields])
            if value is not None and (self.wild or len(made) < most):
                made.append(ObjectFieldNode(name=each.name, value=value))
        if not made and declared.is_one_of and not self.wild:
            return None
        return nodes.Object(made) if made or must else None

    @staticmethod
    def _refuses_null(declared: GraphQLInputObjectType, key: str) -> bool:
        is_conditions = declared.name.endswith(("Filter", "SearchInput")) and not declared.name.endswith(
            "RelationFilter"
        )
        return is_conditions and _REFUSES_NULL.match(key) is not None

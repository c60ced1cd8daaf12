"""The fields of Query, Mutation and Subscription, read from functions."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final, TypeAlias, Union, get_args, get_origin

from fraiseql.context import BlockingInfo, Info
from fraiseql.errors import SchemaError
from fraiseql.schema.annotations import Annotation, check_info, parameter_annotations, read_annotation
from fraiseql.schema.applying import Directives
from fraiseql.schema.declarations import Declaration, MutationDeclaration, QueryDeclaration, SubscriptionDeclaration
from fraiseql.schema.function_actions import FunctionOptions
from fraiseql.schema.function_mutations import FunctionMutations
from fraiseql.schema.functions import (
    check_names,
    check_targets,
    has_no_body,
    is_asynchronous,
    is_coroutine_function,
    kind_of,
    refuse_iterator,
    resolver_of_root,
    takes_info,
    yielded,
)
from fraiseql.schema.model import (
    InputField,
    MutationField,
    NamedType,
    QueryField,
    Resolver,
    Shape,
    SubscriptionField,
    SubscriptionKind,
    TypeReference,
)
from fraiseql.schema.names import camel_case, graphql_name
from fraiseql.schema.parts import deprecation, page_sizes

__all__ = ["Roots"]

_SERVED: Final = "Python serves it"
_PLAIN: Final = f"name=... only: {_SERVED}"

_Parameters: TypeAlias = "Callable[[str, list[tuple[str, Any, Any]], str], Mapping[str, InputField]]"


class Roots:
    """Reads them.

    Args:
        names: what annotations may name beside their module's globals.
        types: those that are known so far.
        directives: takes note of those that are applied.
        parameters: reads those of a function.
        note: takes note of what an annotation names, of its place; gives the type.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        types: dict[str, NamedType],
        directives: Directives,
        parameters: _Parameters,
        note: Callable[[Annotation, str], TypeReference],
    ) -> None:
        self._names = names
        self._directives = directives
        self._parameters = parameters
        self._note = note
        self._functions = FunctionMutations(names, types, directives, parameters, note)

    def query(self, declaration: Declaration) -> QueryField:
        assert isinstance(declaration, QueryDeclaration)
        function = declaration.function
        where = function.__name__
        resolver = None if has_no_body(function) else resolver_of_root(function, where)
        parameters, returned = self._read(function, resolver)
        name = graphql_name(declaration.name or camel_case(where), where)
        arguments = self._parameters(where, parameters, f"Query.{name}")
        if resolver is not None:
            check_names(where, arguments, parameters, _PLAIN)
        self._directives.note(declaration.directives, "FIELD_DEFINITION", f"Query.{name}")
        if resolver is None:
            annotation = read_annotation(returned, f"{where} -> ...")
            reference, rows = self._note(annotation, where), annotation.rows
        else:
            reference, rows = self._given(returned, name, where)
        sizes = page_sizes(declaration.default_page_size, declaration.max_page_size, where)
        return QueryField(
            *(name, reference, declaration.description, arguments, *rows, sizes),
            *(deprecation(declaration, where), resolver),
        )

    def mutation(self, declaration: Declaration) -> MutationField:
        assert isinstance(declaration, MutationDeclaration)
        declared = declaration.declared
        if declaration.sql_function is not None or inspect.isclass(declared) or has_no_body(declared):
            return self._functions.field(declaration)
        return self._resolved_mutation(declaration)

    def _resolved_mutation(self, declaration: MutationDeclaration) -> MutationField:
        """One that a function in Python serves."""
        function, options = declaration.declared, declaration.options
        where = function.__name__
        resolver = resolver_of_root(function, where)
        _refuse_options(replace(options, result_name=None), where)
        parameters, returned = self._read(function, resolver)
        name = graphql_name(declaration.name or camel_case(where), where)
        arguments = self._parameters(where, parameters, f"Mutation.{name}")
        check_names(where, arguments, parameters, _PLAIN)
        self._directives.note(declaration.directives, "FIELD_DEFINITION", f"Mutation.{name}")
        reference, rows = self._given(returned, name, where, options.result_name)
        return MutationField(
            *(name, reference, declaration.description, arguments, *rows, resolver),
            deprecated=deprecation(declaration, where),
        )

    def _given(
        self, returned: Any, name: str, where: str, result_name: str | None = None
    ) -> tuple[TypeReference, tuple[str, Shape]]:
        """What a function with a body gives: `A | B` is a union of its own."""
        parts = get_args(returned) if get_origin(returned) in (Union, types.UnionType) else ()
        members = [each for each in parts if each is not types.NoneType]
        if len(members) < 2:
            _refuse_options(FunctionOptions(result_name=result_name), where, "a union of types, or none")
            annotation = read_annotation(returned, f"{where} -> ...")
            return self._note(annotation, where), annotation.rows
        read = [self._note(read_annotation(each, f"{where} -> ..."), where) for each in members]
        for each in read:
            if each.item is not None:
                raise SchemaError(f"{where} -> ...", found=f"{each} in a union", expected="a type under @fraiseql.type")
        union = graphql_name(result_name or f"{name[:1].upper()}{name[1:]}Result", where)
        self._functions.add_union(union, [each.name for each in read], where, "the union of what it returns has that")
        return TypeReference(len(members) < len(parts), union), (union, Shape.ROW)

    def _read(self, function: Callable[..., Any], resolver: Resolver | None) -> tuple[list[tuple[str, Any, Any]], Any]:
        """The parameters that are arguments, and the annotation of what is returned."""
        skipped = resolver is not None and resolver.takes_info
        if skipped:
            told = Info if is_coroutine_function(function) else BlockingInfo
            check_info(function, self._names, told, function.__name__)
        return parameter_annotations(function, self._names, skipped=skipped)

    def subscription(self, declaration: Declaration) -> SubscriptionField:
        assert isinstance(declaration, SubscriptionDeclaration)
        function, topic, by = declaration.function, declaration.topic, declaration.by
        where = function.__name__
        kind = kind_of(declaration)
        info = kind is SubscriptionKind.RESOLVER and takes_info(function)
        asynchronous = kind is SubscriptionKind.RESOLVER and is_asynchronous(function)
        if info:
            check_info(function, self._names, Info if asynchronous else BlockingInfo, where)
        parameters, returned = parameter_annotations(function, self._names, skipped=info)
        if kind is SubscriptionKind.RESOLVER:
            returned = yielded(returned, asynchronous=asynchronous, where=f"{where} -> ...")
        else:
            refuse_iterator(returned, f"{where} -> ...")
        name = graphql_name(declaration.name or camel_case(where), where)
        arguments = self._parameters(where, parameters, f"Subscription.{name}")
        check_targets(where, kind, arguments, parameters)
        self._directives.note(declaration.directives, "FIELD_DEFINITION", f"Subscription.{name}")
        annotation = read_annotation(returned, f"{where} -> ...")
        reference = self._note(annotation, where)
        sizes = page_sizes(declaration.default_page_size, declaration.max_page_size, where)
        return SubscriptionField(
            *(name, reference, declaration.description, arguments, *annotation.rows, kind, function),
            *(info, asynchronous, topic, by, sizes, deprecation(declaration, where), declaration.trust_payload),
        )


def _refuse_options(options: FunctionOptions, where: str, expected: str = f"none, or function=...: {_SERVED}") -> None:
    """What says how a function in PostgreSQL is called says nothing of one in Python; raises SchemaError."""
    for name, given in asdict(options).items():
        if given is not None:
            raise SchemaError(f"{where} ({name})", found=f"{name}={given!r}", expected=expected)

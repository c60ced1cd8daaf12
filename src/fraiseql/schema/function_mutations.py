"""Fields of Mutation that a PostgreSQL function serves, read from classes and from functions without a body."""

from __future__ import annotations

import inspect
import types as python_types
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin

from fraiseql.errors import SchemaError
from fraiseql.schema.annotations import Annotation, attribute_annotations, parameter_annotations, read_annotation
from fraiseql.schema.applying import Directives
from fraiseql.schema.declarations import MutationDeclaration
from fraiseql.schema.function_actions import FunctionAction, FunctionOptions, Part, Passing, Returned
from fraiseql.schema.functions import has_no_body
from fraiseql.schema.model import (
    AbstractType,
    InputField,
    MutationField,
    NamedType,
    ObjectType,
    Shape,
    Source,
    TypeReference,
)
from fraiseql.schema.names import camel_case, database_text, graphql_name, identifier
from fraiseql.schema.parts import deprecation
from fraiseql.schema.result_parts import parts_of
from fraiseql.schema.scalars import SCALARS

__all__ = ["FunctionMutations"]

_Option = TypeVar("_Option", bound=Enum)
_Parameters: TypeAlias = "list[tuple[str, Any, Any]]"
_ATTRIBUTES: Final = ("input", "success", "error")


class FunctionMutations:
    """Reads them.

    Args:
        names: what annotations may name beside their module's globals.
        types: those that are known so far; the unions of results are added.
        directives: takes note of those that are applied.
        parameters: reads those of a function.
        note: takes note of what an annotation names, of its place; gives the type.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        types: dict[str, NamedType],
        directives: Directives,
        parameters: Callable[[str, _Parameters, str], Mapping[str, InputField]],
        note: Callable[[Annotation, str], TypeReference],
    ) -> None:
        self._names = names
        self._types = types
        self._directives = directives
        self._parameters = parameters
        self._note = note

    def field(self, declaration: MutationDeclaration) -> MutationField:
        """The field of a mutation; raises SchemaError."""
        where = declaration.declared.__name__
        function, options = _function(declaration, where), declaration.options
        is_class = inspect.isclass(declaration.declared)
        parameters, success, error = (self._of_class if is_class else self._of_function)(declaration, where)
        default = where[:1].lower() + where[1:] if is_class else camel_case(where)
        name = graphql_name(declaration.name or default, where)
        arguments = self._parameters(where, parameters, f"Mutation.{name}")
        self._directives.note(declaration.directives, "FIELD_DEFINITION", f"Mutation.{name}")
        passing = _option(Passing, options.arguments, "arguments", where) or Passing.JSONB
        returned = self._returned(options, success, error, where)
        parts = self._parts(success, error, returned, options, where)
        reference, shape = self._told(success, error, options, name, where)
        action = FunctionAction(
            *(function, where, success, None if error is None else error.name, passing),
            *(_prefix(options, passing, where), returned, parts),
        )
        deprecated, text = deprecation(declaration, where), declaration.description
        return MutationField(*(name, reference, text, arguments, reference.named, shape, action), deprecated=deprecated)

    def _of_class(
        self, declaration: MutationDeclaration, where: str
    ) -> tuple[_Parameters, TypeReference, TypeReference | None]:
        """The arguments, and the types of success and error."""
        found = {
            name: (kind, default) for name, kind, default in attribute_annotations(declaration.declared, self._names)
        }
        for name in found:
            if name not in _ATTRIBUTES:
                raise SchemaError(
                    f"{where}.{name}", found="an attribute of a mutation", expected=", ".join(_ATTRIBUTES)
                )
        if "success" not in found:
            raise SchemaError(where, found="no attribute success", expected="success: the type of what it gives")
        for name in ("success", "error"):
            if name in found and found[name][1] is not inspect.Parameter.empty:
                raise SchemaError(f"{where}.{name}", found=f"the default {found[name][1]!r}", expected="none")
        success = self._read(found["success"][0], f"{where}.success")
        error = self._read(found["error"][0], f"{where}.error") if "error" in found else None
        return [("input", *found["input"])] if "input" in found else [], success, error

    def _of_function(
        self, declaration: MutationDeclaration, where: str
    ) -> tuple[_Parameters, TypeReference, TypeReference | None]:
        if not has_no_body(declaration.declared):
            raise SchemaError(
                where,
                found="a function body and function=...",
                expected="one of them: SQL serves it; write a docstring",
            )
        parameters, returned = parameter_annotations(declaration.declared, self._names)
        place = f"{where} -> ..."
        if get_origin(returned) not in (Union, python_types.UnionType):
            return parameters, self._read(returned, place), None
        members = [each for each in get_args(returned) if each is not python_types.NoneType]
        if len(members) == 1:
            return parameters, self._read(returned, place), None
        if len(members) != 2:
            expected = "Success | Error: two types, the error behind"
            raise SchemaError(place, found=f"a union of {len(members)} types", expected=expected)
        success = self._read(members[0], place)
        is_nullable = len(members) < len(get_args(returned))
        return parameters, TypeReference(is_nullable, success.name, success.item), self._read(members[1], place)

    def _read(self, annotation: Any, where: str) -> TypeReference:
        read = read_annotation(annotation, where)
        if read.shaped is not None:
            raise SchemaError(where, found=f"the type {read.type}", expected="a type, or a list of it")
        return self._note(read, where)

    def _returned(
        self, options: FunctionOptions, success: TypeReference, error: TypeReference | None, where: str
    ) -> Returned:
        """A union, or a type without a source, is a result; all else is what the function returns itself."""
        given = _option(Returned, options.returns, "returns", where)
        target = self._types[success.named]
        is_own = isinstance(target, ObjectType) and target.source is None  # it may have a status and a message
        if given is Returned.ROW and error is not None and is_own:
            found, expected = f"returns='row' for {target.name}", "a success type with sql_source, or returns='result'"
            raise SchemaError(f"{where} (returns)", found=found, expected=expected)
        if given is Returned.RESULT and not isinstance(target, ObjectType):
            found, expected = f"returns='result' for the type {success}", "a type under @fraiseql.type"
            raise SchemaError(f"{where} (returns)", found=found, expected=expected)
        if given is not None:
            return given
        return Returned.RESULT if error is not None or (is_own and success.item is None) else Returned.ROW

    def _parts(
        self,
        success: TypeReference,
        error: TypeReference | None,
        returned: Returned,
        options: FunctionOptions,
        where: str,
    ) -> Mapping[str, Mapping[str, Part]]:
        target, found = self._types[success.named], dict[str, Mapping[str, Part]]()
        is_own = isinstance(target, ObjectType) and target.source is None and success.item is None
        if isinstance(target, ObjectType) and is_own and returned is Returned.RESULT:
            _plain_object(target, where)
            found[target.name] = parts_of(target, self._types, options.entity, is_error=False)
        elif options.entity is not None:
            found_text = f"entity={options.entity!r} for the type {success}"
            raise SchemaError(f"{where} (entity)", found=found_text, expected="none: it is the entity itself")
        if error is not None:
            refused = self._types[error.named]
            if not isinstance(refused, ObjectType) or refused.source is not None or error.item or error.nullable:
                expected = "a type under @fraiseql.type without sql_source"
                raise SchemaError(where, found=f"the error type {error}", expected=expected)
            _plain_object(refused, where)
            found[refused.name] = parts_of(refused, self._types, options.entity, is_error=True)
        return MappingProxyType(found)

    def _told(
        self,
        success: TypeReference,
        error: TypeReference | None,
        options: FunctionOptions,
        name: str,
        where: str,
    ) -> tuple[TypeReference, Shape]:
        """The type of the field and the shape of what it gives."""
        if error is None:
            if options.result_name is not None:
                found, expected = f"result_name={options.result_name!r} without an error type", "an error type, or none"
                raise SchemaError(f"{where} (result_name)", found=found, expected=expected)
            return success, Shape.ROW if success.item is None else Shape.LIST
        if success.item is not None:
            expected = "a type that has the list as a field"
            raise SchemaError(where, found=f"the list {success} beside an error type", expected=expected)
        union = graphql_name(options.result_name or f"{name[:1].upper()}{name[1:]}Result", where)
        self._add_union(union, success.name, error.name, where)
        return TypeReference(success.nullable, union), Shape.ROW

    def _add_union(self, name: str, success: str, error: str, where: str) -> None:
        if success == error:
            raise SchemaError(where, found=f"{success} for success and for error", expected="two types")
        for each in (success, error):
            if not isinstance(self._types[each], ObjectType):
                raise SchemaError(where, found=f"{each} beside an error type", expected="a type under @fraiseql.type")
        self.add_union(name, (success, error), where, "result_name=... gives the union of success and error a name")

    def add_union(self, name: str, of: Sequence[str], where: str, advice: str) -> None:
        """A union of object types, which values tell their types in by themselves; raises SchemaError."""
        members: dict[str, ObjectType] = {}
        for each in of:
            target = self._types[each]
            if not isinstance(target, ObjectType):
                raise SchemaError(where, found=f"{each} in a union", expected="a type under @fraiseql.type")
            _plain_object(target, where)
            members[each] = target
        union = AbstractType(name, None, None, MappingProxyType({}), members=MappingProxyType(members), is_union=True)
        if name in SCALARS or self._types.setdefault(name, union) != union:
            raise SchemaError(where, found=f"the result {name}, and a type of that name", expected=f"another: {advice}")


def _plain_object(target: ObjectType, where: str) -> None:
    """GraphQL §3.8: a union has object types only, and a result is of one."""
    if isinstance(target, AbstractType):
        raise SchemaError(where, found=f"the abstract type {target.name}", expected="a type under @fraiseql.type")


def _function(declaration: MutationDeclaration, where: str) -> Source:
    if declaration.sql_function is None:
        found = (
            "a class without function=..."
            if inspect.isclass(declaration.declared)
            else "neither a body nor function=..."
        )
        raise SchemaError(where, found=found, expected='function="schema.name", a function in PostgreSQL')
    place, expected = f"{where} (function)", "'name' or 'schema.name'"
    *schemas, name = database_text(declaration.sql_function, place, expected).split(".")
    if len(schemas) > 1:
        raise SchemaError(place, found=repr(declaration.sql_function), expected=expected)
    return Source(identifier(name, place), identifier(schemas[0], place) if schemas else None, None)


def _prefix(options: FunctionOptions, passing: Passing, where: str) -> str:
    if options.prefix is None:
        return ""
    if passing is not Passing.NAMED:
        found, expected = f"prefix={options.prefix!r} without arguments='named'", "arguments='named', or no prefix"
        raise SchemaError(f"{where} (prefix)", found=found, expected=expected)
    return identifier(options.prefix, f"{where} (prefix)")


def _option(kind: type[_Option], given: Any, name: str, where: str) -> _Option | None:
    if given is None:
        return None
    for each in kind:
        if each.value == given:
            return each
    expected = " or ".join(repr(each.value) for each in kind)
    raise SchemaError(f"{where} ({name})", found=f"{name}={given!r}", expected=expected)

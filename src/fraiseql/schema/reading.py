"""The fields of classes and the parameters of functions, read from their annotations and what stands beside these."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from fraiseql.errors import SchemaError
from fraiseql.schema.annotations import Annotation, attribute_annotations, directive_annotations, read_annotation
from fraiseql.schema.applying import Directives
from fraiseql.schema.declarations import (
    FieldOptions,
    InputDeclaration,
    InterfaceDeclaration,
    RelationOptions,
    TypeDeclaration,
)
from fraiseql.schema.directives import Directive
from fraiseql.schema.functions import check_names
from fraiseql.schema.methods import Method, methods_of, refuse_method_options, resolver_of, signature_of
from fraiseql.schema.model import Field, InputField, InputType, NamedType, Source, TypeReference
from fraiseql.schema.names import camel_case, database_text, graphql_name, identifier
from fraiseql.schema.parts import computed_by, default_of, deprecation, relation_of

__all__ = ["Fields"]


class Fields:
    """Reads them.

    Args:
        names: what annotations may name beside their module's globals.
        types: those that are known so far; `note` adds to them.
        directives: takes note of those that are applied to a field or a parameter.
        note: takes note of what an annotation names, of its place; gives the type.
    """

    def __init__(
        self,
        names: Mapping[str, Any],
        types: Mapping[str, NamedType],
        directives: Directives,
        note: Callable[[Annotation, str], TypeReference],
    ) -> None:
        self._names = names
        self._types = types
        self._directives = directives
        self._note = note

    def of_class(
        self, declaration: TypeDeclaration | InterfaceDeclaration, source: Source | None
    ) -> Mapping[str, Field]:
        """The fields of a class as a source holds them."""
        fields: dict[str, Field] = {}
        for attribute, resolved, default in attribute_annotations(declaration.cls, self._names):
            where = f"{declaration.name}.{attribute}"
            annotation = read_annotation(resolved, where)
            options = default if isinstance(default, (FieldOptions, RelationOptions)) else annotation.options
            if default is not inspect.Parameter.empty and default is not options:
                raise SchemaError(
                    where, found=f"the default {default!r}", expected="field(...), relation(...) or no default"
                )
            field = self._field(attribute, where, annotation, options, source)
            coordinate = f"{declaration.name}.{field.name}"
            self._directives.note(() if options is None else options.directives, "FIELD_DEFINITION", coordinate)
            if field.name in fields:
                raise SchemaError(where, found=f"a second field named {field.name}", expected="one field of each name")
            fields[field.name] = field
        for method in methods_of(declaration.cls):
            field = self._computed(method, f"{declaration.name}.{method.attribute}")
            if field.name in fields:
                where, found = f"{declaration.name}.{method.attribute}", f"a second field named {field.name}"
                raise SchemaError(where, found=found, expected="one field of each name")
            fields[field.name] = field
        if not fields:
            raise SchemaError(declaration.name, found="no annotated attribute", expected="at least one field")
        return MappingProxyType(fields)

    def _computed(self, method: Method, where: str) -> Field:
        parameters, returned = signature_of(method, self._names, where)
        annotation = read_annotation(returned, f"{where} -> ...")
        if annotation.shaped is not None:
            found, expected = f"the type {annotation.type}", "a scalar, an enum or a type without sql_source"
            raise SchemaError(where, found=found, expected=expected)
        reference = self._note(annotation, where)
        options = method.options
        name = graphql_name(options.name or camel_case(method.attribute), where)
        coordinate = f"{where.partition('.')[0]}.{name}"
        self._directives.note(options.directives, "FIELD_DEFINITION", coordinate)
        arguments = self.parameters(where, parameters, coordinate)
        resolver = resolver_of(method, reference, arguments, parameters, where)
        description = options.description or inspect.getdoc(method.function)
        deprecated = deprecation(options, where)
        return Field(
            *(name, reference, description, None, method.attribute),
            attribute=method.attribute,
            deprecated=deprecated,
            resolver=resolver,
            arguments=arguments,
        )

    def _field(
        self,
        attribute: str,
        where: str,
        annotation: Annotation,
        options: FieldOptions | RelationOptions | None,
        source: Source | None,
    ) -> Field:
        if isinstance(options, FieldOptions):
            refuse_method_options(options, where)
        name = graphql_name(camel_case(attribute) if options is None or options.name is None else options.name, where)
        description = annotation.description if options is None or options.description is None else options.description
        reference = self._note(annotation, where)
        deprecated = deprecation(options, where)
        if isinstance(options, RelationOptions):
            relation = relation_of(options, *annotation.rows, where)
            return Field(name, reference, description, None, attribute, relation, attribute, deprecated=deprecated)
        if options is not None and options.sql is not None:
            expression = computed_by(options, reference, self._types, where)
            return Field(name, reference, description, None, attribute, None, attribute, expression, deprecated)
        column = None if options is None else options.column
        key = (
            attribute if options is None or options.key is None else database_text(options.key, where, "a key of jsonb")
        )
        if source is not None and source.jsonb_column is None:
            if options is not None and options.key is not None:
                raise SchemaError(where, found=f"key={key!r} in a type whose fields are columns", expected="column=...")
            column = attribute if column is None else column
        if column is not None:
            identifier(column, where)
        return Field(name, reference, description, column, key, None, attribute, None, deprecated)

    def of_input(self, declaration: InputDeclaration) -> InputType:
        self._directives.note(declaration.directives, "INPUT_OBJECT", declaration.name)
        fields: dict[str, InputField] = {}
        for attribute, resolved, default in attribute_annotations(declaration.cls, self._names):
            where = f"{declaration.name}.{attribute}"
            field = self._input_field(attribute, resolved, default, where, f"{declaration.name}.{{}}")
            if declaration.one_of and (field.has_default or not field.type.nullable):  # GraphQL §3.10, OneOf
                found = "a default" if field.has_default else f"the type {field.type}"
                raise SchemaError(where, found=f"{found} in a one_of input", expected="`| None`, without a default")
            if field.name in fields:
                raise SchemaError(
                    f"{declaration.name}.{attribute}", found=f"a second {field.name}", expected="one of each name"
                )
            fields[field.name] = field
        for method in methods_of(declaration.cls):
            where = f"{declaration.name}.{method.attribute}"
            raise SchemaError(where, found="@fraiseql.field for a method of an input type", expected="an output type")
        if not fields:
            raise SchemaError(declaration.name, found="no annotated attribute", expected="at least one field")
        return InputType(declaration.name, declaration.description, MappingProxyType(fields), declaration.one_of)

    def _input_field(self, attribute: str, resolved: Any, default: Any, where: str, coordinate: str) -> InputField:
        """One of an input type, or an argument: `coordinate` is that of `{}`, its name."""
        annotation = read_annotation(resolved, where)
        options = default if isinstance(default, (FieldOptions, RelationOptions)) else annotation.options
        if isinstance(options, RelationOptions):
            raise SchemaError(where, found="relation(...)", expected="an input value")
        options = options or FieldOptions()
        refuse_method_options(options, where)
        if options.sql is not None:
            raise SchemaError(where, found="sql=... of an input value", expected="none: only output fields have it")
        reference = self._note(annotation, where)
        if default is None and not reference.nullable:
            raise SchemaError(where, found=f"the default None of the type {reference}", expected="`| None`")
        has_default = default is not inspect.Parameter.empty and default is not options and default is not None
        deprecated = deprecation(options, where)
        if deprecated is not None and not has_default and not reference.nullable:  # GraphQL §3.13.3
            found = f"deprecated={deprecated!r} of what is required"
            raise SchemaError(where, found=found, expected="`| None`, or a default")
        name = graphql_name(options.name or camel_case(attribute), where)
        location = "ARGUMENT_DEFINITION" if coordinate.endswith(")") else "INPUT_FIELD_DEFINITION"
        self._directives.note(options.directives, location, coordinate.format(name))
        return InputField(
            name,
            reference,
            options.description or annotation.description,
            target=options.column or attribute,
            has_default=has_default,
            default=default_of(default, reference, self._types, where) if has_default else None,
            deprecated=deprecated,
            or_none=default is None,
        )

    def of_directive(self, directive: Directive[...]) -> Mapping[str, InputField]:
        where = f"@{directive.name}"
        parameters = directive_annotations(directive.function, self._names)
        arguments = self.parameters(where, parameters, where)
        check_names(where, arguments, parameters, "name=... only: no column is meant")
        return arguments

    def parameters(
        self, where: str, parameters: list[tuple[str, Any, Any]], coordinate: str
    ) -> Mapping[str, InputField]:
        arguments: dict[str, InputField] = {}
        for parameter, resolved, default in parameters:
            place = f"{where}({parameter})"
            argument = self._input_field(parameter, resolved, default, place, f"{coordinate}({{}}:)")
            if argument.name in arguments:
                raise SchemaError(place, found=f"a second argument named {argument.name}", expected="one of each name")
            arguments[argument.name] = argument
        return MappingProxyType(arguments)

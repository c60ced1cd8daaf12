"""From declarations to one frozen schema, with every mistake found here and none left for a request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any, Final, TypeVar

from fraiseql.errors import SchemaError
from fraiseql.schema.annotations import (
    Annotation,
    attribute_annotations,
    directive_annotations,
    parameter_annotations,
    read_annotation,
)
from fraiseql.schema.applying import Directives, check_directives
from fraiseql.schema.declarations import (
    Declaration,
    EnumDeclaration,
    FieldOptions,
    InputDeclaration,
    InterfaceDeclaration,
    QueryDeclaration,
    RelationOptions,
    SubscriptionDeclaration,
    TypeDeclaration,
    UnionDeclaration,
    declaration_of,
)
from fraiseql.schema.directives import Directive, Use
from fraiseql.schema.functions import (
    check_names,
    check_targets,
    has_no_body,
    is_asynchronous,
    kind_of,
    refuse_iterator,
    takes_info,
    yielded,
)
from fraiseql.schema.members import (
    discriminator_of,
    interfaces_of,
    membership_of,
    named_members,
    shared_source,
    source_of_type,
    with_members,
)
from fraiseql.schema.methods import Method, methods_of, refuse_method_options, resolver_of, signature_of
from fraiseql.schema.model import (
    AbstractType,
    Field,
    InputField,
    InputType,
    NamedType,
    ObjectType,
    PageSizes,
    QueryField,
    SchemaModel,
    Source,
    SubscriptionField,
    SubscriptionKind,
    TypeReference,
)
from fraiseql.schema.names import camel_case, database_text, graphql_name, identifier
from fraiseql.schema.parts import (
    computed_by,
    default_of,
    deprecation,
    enum_of,
    page_sizes,
    relation_of,
    source_of,
    value_options,
)
from fraiseql.schema.scalars import SCALARS
from fraiseql.schema.shapes import ShapedType, derived_types
from fraiseql.schema.validate import check_model

__all__ = ["Schema"]

_TYPES: Final = (TypeDeclaration, InterfaceDeclaration, UnionDeclaration, InputDeclaration, EnumDeclaration)
_WANTED: Final = {
    "types": "classes under @fraiseql.type, .interface, .union, .input or .enum",
    "queries": "functions under @fraiseql.query",
    "subscriptions": "functions under @fraiseql.subscription",
}
_Root = TypeVar("_Root", QueryField, SubscriptionField)


class Schema:
    """A whole GraphQL schema, built and checked.

    Args:
        types: classes under `@fraiseql.type`, `.interface`, `.union`, `.input` or `.enum`; those that others name need
            not be listed, but for forward references to classes that are no globals of their module; the types of an
            interface, which only name it, must be.
        queries: functions under `@fraiseql.query`.
        subscriptions: functions under `@fraiseql.subscription`.
        directives: what `fraiseql.directive` made; those that are applied somewhere need not be listed.
        applied_directives: of those, with arguments, what is applied to the schema itself.
        default_page_size: rows of a list where `limit` is not given; the settings' by default, and never more than
            the largest.
        max_page_size: the largest `limit`; the settings' by default, which it cannot exceed. What a query or relation
            declares itself comes before both.

    Raises:
        SchemaError: a declaration is wrong; it names the class, the field, what was found and what was expected.
    """

    __slots__ = ("model",)

    def __init__(
        self,
        *,
        types: Iterable[Callable[..., Any]] = (),
        queries: Iterable[Callable[..., Any]] = (),
        subscriptions: Iterable[Callable[..., Any]] = (),
        directives: Sequence[Directive[...]] = (),
        applied_directives: Sequence[Use] = (),
        default_page_size: int | None = None,
        max_page_size: int | None = None,
    ) -> None:
        sizes = page_sizes(default_page_size, max_page_size, "Schema")
        builder = _Builder(types, queries, subscriptions, directives)
        self.model: SchemaModel = builder.model(sizes, applied_directives)

    @classmethod
    def from_module(
        cls,
        module: ModuleType,
        *,
        applied_directives: Sequence[Use] = (),
        default_page_size: int | None = None,
        max_page_size: int | None = None,
    ) -> Schema:
        """Collect everything declared in a module, what it imports from others included."""
        if not isinstance(module, ModuleType):
            raise SchemaError("Schema.from_module", found=repr(module), expected="a module")
        found = [(value, declaration_of(value)) for value in vars(module).values()]
        return cls(
            types=[value for value, left in found if isinstance(left, _TYPES)],
            queries=[value for value, left in found if isinstance(left, QueryDeclaration)],
            subscriptions=[value for value, left in found if isinstance(left, SubscriptionDeclaration)],
            directives=[value for value in vars(module).values() if isinstance(value, Directive)],
            applied_directives=applied_directives,
            default_page_size=default_page_size,
            max_page_size=max_page_size,
        )


class _Builder:
    """Reads declarations until no new ones are named."""

    def __init__(
        self,
        types: Iterable[Callable[..., Any]],
        queries: Iterable[Callable[..., Any]],
        subscriptions: Iterable[Callable[..., Any]],
        directives: Sequence[Directive[...]],
    ) -> None:
        self._given = [_declared(cls, "types", _TYPES) for cls in _listed(types, "types")]
        self._queries = [_declared(left, "queries", (QueryDeclaration,)) for left in _listed(queries, "queries")]
        self._subscriptions = [
            _declared(left, "subscriptions", (SubscriptionDeclaration,))
            for left in _listed(subscriptions, "subscriptions")
        ]
        self._names: Mapping[str, Any] = {left.cls.__name__: left.cls for left in self._given}  # type: ignore[union-attr]
        self._classes: dict[str, Callable[..., Any]] = {}
        self._shaped: dict[ShapedType, str] = {}  # and where it is asked for
        self._objects: dict[str, TypeDeclaration] = {}
        self._abstract: dict[str, InterfaceDeclaration | UnionDeclaration] = {}
        self._types: dict[str, NamedType] = {
            name: SCALARS[name] for name in ("String", "Int", "Float", "Boolean", "ID")
        }
        self._directives = Directives(self._directive_arguments, directives, self._types)

    def model(self, sizes: PageSizes, applied: Sequence[Use]) -> SchemaModel:
        self._directives.note(applied, "SCHEMA", "")
        for declaration in self._given:
            self._add(declaration)
        queries = _by_name("Query", "queries", map(self._query, self._queries))
        subscriptions = _by_name("Subscription", "subscriptions", map(self._subscription, self._subscriptions))
        declared = self._directives.types()
        self._join()
        self._derive()
        at = self._directives.applied(declared)
        model = SchemaModel(queries, MappingProxyType(self._types), subscriptions, sizes, declared, at)
        check_model(model)
        check_directives(model)
        return model

    def _add(self, declaration: Declaration | None) -> None:
        assert isinstance(declaration, _TYPES)
        name, cls = graphql_name(declaration.name, declaration.cls.__name__), declaration.cls
        if name in SCALARS:
            raise SchemaError(name, found="a type of that name", expected="another: the name is a scalar's")
        if name in self._types:
            if self._classes.get(name) is not cls:
                raise SchemaError(
                    name, found="two types of that name", expected="one; give one of them another `name=`"
                )
            return
        self._classes[name] = cls
        if isinstance(declaration, EnumDeclaration):
            self._directives.note(declaration.directives, "ENUM", name)
            for value, options in value_options(declaration).items():
                self._directives.note(options.directives, "ENUM_VALUE", f"{name}.{value}")
            self._types[name] = enum_of(declaration)
            return
        # Reserves the name, since the fields may lead back here.
        self._types[name] = ObjectType(name, None, None, {})
        if isinstance(declaration, TypeDeclaration):
            self._objects[name] = declaration
            self._types[name] = self._object(declaration)
        elif isinstance(declaration, (InterfaceDeclaration, UnionDeclaration)):
            self._abstract[name] = declaration
            self._types[name] = self._shared(declaration)
        else:
            self._types[name] = self._input(declaration)

    def _join(self) -> None:
        """Give each abstract type its members, now that all types are known."""
        for name, declaration in self._abstract.items():
            abstract = self._types[name]
            assert isinstance(abstract, AbstractType)
            self._types[name] = with_members(abstract, declaration, self._objects, self._types, self._fields)

    def _derive(self) -> None:
        for shaped, where in self._shaped.items():
            target = self._types[shaped.of]
            if not isinstance(target, ObjectType) or target.source is None:
                raise SchemaError(where, found=f"a {shaped.name}", expected="a type with sql_source in the brackets")
            for derived in derived_types(shaped, self._types):
                if self._types.setdefault(derived.name, derived) != derived:
                    found, expected = "a type of that name", f"another: {where} needs it"
                    raise SchemaError(derived.name, found=found, expected=expected)

    def _note(self, annotation: Annotation, where: str) -> TypeReference:
        for cls in annotation.declared:
            self._add(declaration_of(cls))
        if annotation.shaped is not None:
            self._shaped.setdefault(annotation.shaped, where)
        scalar = annotation.scalar
        if scalar is not None:
            self._directives.note(scalar.directives, "SCALAR", scalar.name)
        if scalar is not None and self._types.setdefault(scalar.name, scalar) is not scalar:
            raise SchemaError(
                scalar.name, found="two types of that name", expected="one; give one of them another `name=`"
            )
        return annotation.type

    def _object(self, declaration: TypeDeclaration) -> ObjectType:
        self._directives.note(declaration.directives, "OBJECT", declaration.name)
        shared = shared_source(declaration)
        source, membership = source_of_type(declaration, shared), membership_of(declaration, shared)
        fields, interfaces = self._fields(declaration, source), self._interfaces(declaration.cls)
        cls = declaration.cls
        return ObjectType(
            declaration.name,
            declaration.description,
            source,
            fields,
            interfaces=interfaces,
            membership=membership,
            declared=cls,
        )

    def _shared(self, declaration: InterfaceDeclaration | UnionDeclaration) -> AbstractType:
        """An abstract type, its members apart."""
        name, is_union = declaration.name, isinstance(declaration, UnionDeclaration)
        self._directives.note(declaration.directives, "UNION" if is_union else "INTERFACE", name)
        source, discriminator = source_of(declaration), discriminator_of(declaration)
        fields: Mapping[str, Field] = MappingProxyType({})
        if isinstance(declaration, UnionDeclaration):
            for attribute, *_ in attribute_annotations(declaration.cls, self._names):
                raise SchemaError(f"{name}.{attribute}", found="an attribute of a union", expected="none")
            for method in methods_of(declaration.cls):
                raise SchemaError(f"{name}.{method.attribute}", found="a method of a union", expected="none")
            for member in named_members(declaration).values():
                self._add(member)
        else:
            fields = self._fields(declaration, source)
        return AbstractType(
            name,
            declaration.description,
            source,
            fields,
            interfaces=self._interfaces(declaration.cls),
            declared=declaration.cls,
            discriminator=discriminator,
            is_union=is_union,
        )

    def _interfaces(self, cls: Any) -> tuple[str, ...]:
        found = list(interfaces_of(cls))
        for declaration in found:
            self._add(declaration)
        return tuple(declaration.name for declaration in found)

    def _fields(
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
        arguments = self._parameters(where, parameters, coordinate)
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

    def _input(self, declaration: InputDeclaration) -> InputType:
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
        )

    def _directive_arguments(self, directive: Directive[...]) -> Mapping[str, InputField]:
        where = f"@{directive.name}"
        parameters = directive_annotations(directive.function, self._names)
        arguments = self._parameters(where, parameters, where)
        check_names(where, arguments, parameters, "name=... only: no column is meant")
        return arguments

    def _query(self, declaration: Declaration) -> QueryField:
        assert isinstance(declaration, QueryDeclaration)
        function = declaration.function
        where = function.__name__
        if not has_no_body(function):
            raise SchemaError(
                where, found="a function body", expected="none: SQL serves a query; write only a docstring"
            )
        parameters, returned = parameter_annotations(function, self._names)
        name = graphql_name(declaration.name or camel_case(where), where)
        arguments = self._parameters(where, parameters, f"Query.{name}")
        self._directives.note(declaration.directives, "FIELD_DEFINITION", f"Query.{name}")
        annotation = read_annotation(returned, f"{where} -> ...")
        reference = self._note(annotation, where)
        sizes = page_sizes(declaration.default_page_size, declaration.max_page_size, where)
        return QueryField(
            *(name, reference, declaration.description, arguments, *annotation.rows, sizes),
            deprecation(declaration, where),
        )

    def _subscription(self, declaration: Declaration) -> SubscriptionField:
        assert isinstance(declaration, SubscriptionDeclaration)
        function, topic, by = declaration.function, declaration.topic, declaration.by
        where = function.__name__
        kind = kind_of(declaration)
        info = kind is SubscriptionKind.RESOLVER and takes_info(function)
        asynchronous = kind is SubscriptionKind.RESOLVER and is_asynchronous(function)
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
            *(info, asynchronous, topic, by, sizes, deprecation(declaration, where)),
        )

    def _parameters(
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


def _listed(given: Any, argument: str) -> Iterable[Any]:
    if not isinstance(given, Iterable):
        raise SchemaError(f"Schema({argument}=...)", found=repr(given), expected="a list")
    return given


def _declared(given: Any, argument: str, kinds: tuple[Any, ...]) -> Declaration:
    declaration = declaration_of(given)
    if declaration is None or not isinstance(declaration, kinds):
        raise SchemaError(f"Schema({argument}=...)", found=repr(given), expected=_WANTED[argument])
    return declaration


def _by_name(root: str, what: str, fields: Iterable[_Root]) -> Mapping[str, _Root]:
    found: dict[str, _Root] = {}
    for field in fields:
        if field.name in found:
            raise SchemaError(f"{root}.{field.name}", found=f"two {what} of that name", expected="one")
        found[field.name] = field
    return MappingProxyType(found)

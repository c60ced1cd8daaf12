"""From declarations to one frozen schema, with every mistake found here and none left for a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any, Final, TypeVar

from fraiseql.database_context import DatabaseContext
from fraiseql.errors import SchemaError
from fraiseql.schema.annotations import (
    Annotation,
    attribute_annotations,
)
from fraiseql.schema.applying import Directives, check_directives
from fraiseql.schema.declarations import (
    Declaration,
    EnumDeclaration,
    InputDeclaration,
    InterfaceDeclaration,
    MutationDeclaration,
    QueryDeclaration,
    SubscriptionDeclaration,
    TypeDeclaration,
    UnionDeclaration,
    declaration_of,
)
from fraiseql.schema.directives import Directive, Use
from fraiseql.schema.error_rules import ErrorRule, ErrorRules, error_rules
from fraiseql.schema.members import (
    discriminator_of,
    interfaces_of,
    membership_of,
    named_members,
    shared_source,
    source_of_type,
    with_members,
)
from fraiseql.schema.methods import methods_of
from fraiseql.schema.model import (
    AbstractType,
    Field,
    MutationField,
    NamedType,
    ObjectType,
    PageSizes,
    QueryField,
    SchemaModel,
    SubscriptionField,
    TypeReference,
)
from fraiseql.schema.names import graphql_name
from fraiseql.schema.parts import (
    enum_of,
    page_sizes,
    source_of,
    value_options,
)
from fraiseql.schema.policed import policed
from fraiseql.schema.reading import Fields
from fraiseql.schema.roots import Roots
from fraiseql.schema.scalars import SCALARS
from fraiseql.schema.shapes import ShapedType, derived_types
from fraiseql.schema.table_mutations import with_table_mutations
from fraiseql.schema.validate import check_model

__all__ = ["Schema"]

_TYPES: Final = (TypeDeclaration, InterfaceDeclaration, UnionDeclaration, InputDeclaration, EnumDeclaration)
_WANTED: Final = {
    "types": "classes under @fraiseql.type, .interface, .union, .input or .enum",
    "queries": "functions under @fraiseql.query",
    "mutations": "functions or classes under @fraiseql.mutation",
    "subscriptions": "functions under @fraiseql.subscription",
}
_Root = TypeVar("_Root", QueryField, MutationField, SubscriptionField)


class Schema:
    """A whole GraphQL schema, built and checked.

    Args:
        types: classes under `@fraiseql.type`, `.interface`, `.union`, `.input` or `.enum`; those that others name need
            not be listed, but for forward references to classes that are no globals of their module; the types of an
            interface, which only name it, must be.
        queries: functions under `@fraiseql.query`.
        mutations: functions or classes under `@fraiseql.mutation`.
        subscriptions: functions under `@fraiseql.subscription`.
        directives: what `fraiseql.directive` made; those that are applied somewhere need not be listed.
        applied_directives: of those, with arguments, what is applied to the schema itself.
        default_page_size: rows of a list where `limit` is not given; the settings' by default, and never more than
            the largest.
        max_page_size: the largest `limit`; the settings' by default, which it cannot exceed. What a query or relation
            declares itself comes before both.
        database_context: what PostgreSQL is told of the caller before each statement.
        errors: what clients are told of PostgreSQL's errors, by constraint (`users_email_key`, or with table, or with
            schema and table before it), SQLSTATE (`P0001`) or class of these (`22`); the most exact one holds, and
            comes before the default ones. None masks an error.

    Raises:
        SchemaError: a declaration is wrong; it names the class, the field, what was found and what was expected.
    """

    __slots__ = ("model",)

    def __init__(
        self,
        *,
        types: Iterable[Callable[..., Any]] = (),
        queries: Iterable[Callable[..., Any]] = (),
        mutations: Iterable[Callable[..., Any]] = (),
        subscriptions: Iterable[Callable[..., Any]] = (),
        directives: Sequence[Directive[...]] = (),
        applied_directives: Sequence[Use] = (),
        default_page_size: int | None = None,
        max_page_size: int | None = None,
        database_context: DatabaseContext | None = None,
        errors: Mapping[str, ErrorRule | None] | None = None,
    ) -> None:
        sizes = page_sizes(default_page_size, max_page_size, "Schema")
        _check_context(database_context)
        builder = _Builder(types, queries, mutations, subscriptions, directives)
        self.model: SchemaModel = builder.model(sizes, applied_directives, database_context, error_rules(errors))

    @classmethod
    def from_module(
        cls,
        module: ModuleType,
        *,
        applied_directives: Sequence[Use] = (),
        default_page_size: int | None = None,
        max_page_size: int | None = None,
        database_context: DatabaseContext | None = None,
        errors: Mapping[str, ErrorRule | None] | None = None,
    ) -> Schema:
        """Collect everything declared in a module, what it imports from others included."""
        if not isinstance(module, ModuleType):
            raise SchemaError("Schema.from_module", found=repr(module), expected="a module")
        found = [(value, declaration_of(value)) for value in vars(module).values()]
        return cls(
            types=[value for value, left in found if isinstance(left, _TYPES)],
            queries=[value for value, left in found if isinstance(left, QueryDeclaration)],
            mutations=[value for value, left in found if isinstance(left, MutationDeclaration)],
            subscriptions=[value for value, left in found if isinstance(left, SubscriptionDeclaration)],
            directives=[value for value in vars(module).values() if isinstance(value, Directive)],
            applied_directives=applied_directives,
            default_page_size=default_page_size,
            max_page_size=max_page_size,
            database_context=database_context,
            errors=errors,
        )


class _Builder:
    """Reads declarations until no new ones are named."""

    def __init__(
        self,
        types: Iterable[Callable[..., Any]],
        queries: Iterable[Callable[..., Any]],
        mutations: Iterable[Callable[..., Any]],
        subscriptions: Iterable[Callable[..., Any]],
        directives: Sequence[Directive[...]],
    ) -> None:
        self._given = [_declared(cls, "types", _TYPES) for cls in _listed(types, "types")]
        self._queries = [_declared(left, "queries", (QueryDeclaration,)) for left in _listed(queries, "queries")]
        self._mutations = [
            _declared(left, "mutations", (MutationDeclaration,)) for left in _listed(mutations, "mutations")
        ]
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
        self._directives = Directives(directives, self._types)
        self._fields = Fields(self._names, self._types, self._directives, self._note)

    def model(
        self, sizes: PageSizes, applied: Sequence[Use], context: DatabaseContext | None, errors: ErrorRules
    ) -> SchemaModel:
        self._directives.note(applied, "SCHEMA", "")
        for declaration in self._given:
            self._add(declaration)
        roots = Roots(self._names, self._types, self._directives, self._fields.parameters, self._note)
        queries = _by_name("Query", "queries", map(roots.query, self._queries))
        mutations = _by_name("Mutation", "mutations", map(roots.mutation, self._mutations))
        subscriptions = _by_name("Subscription", "subscriptions", map(roots.subscription, self._subscriptions))
        declared = self._directives.types(self._fields.of_directive)
        self._join()
        self._derive()
        mutations = with_table_mutations(self._types, mutations)
        at = self._directives.applied(declared)
        types = MappingProxyType(self._types)
        if context is not None:
            subscriptions = policed(subscriptions, types)
        model = SchemaModel(queries, types, subscriptions, sizes, declared, at, mutations, context, errors)
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
            self._types[name] = self._fields.of_input(declaration)

    def _join(self) -> None:
        """Give each abstract type its members, now that all types are known."""
        for name, declaration in self._abstract.items():
            abstract = self._types[name]
            assert isinstance(abstract, AbstractType)
            self._types[name] = with_members(abstract, declaration, self._objects, self._types, self._fields.of_class)

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
        fields, interfaces = self._fields.of_class(declaration, source), self._interfaces(declaration.cls)
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
            fields = self._fields.of_class(declaration, source)
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


def _check_context(given: Any) -> None:
    if given is not None and not isinstance(given, DatabaseContext):
        where, expected = "Schema(database_context=...)", "a fraiseql.DatabaseContext"
        raise SchemaError(where, found=repr(given), expected=expected)


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

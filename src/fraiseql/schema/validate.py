"""Checks that need the whole model: what a field may lead to, and what an argument may filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from fraiseql.errors import SchemaError
from fraiseql.schema.abstract_checks import check_implementations, fields_inside, read_fields, refuse_untold
from fraiseql.schema.aggregates import FUNCTIONS, part_name
from fraiseql.schema.computed import check_resolver
from fraiseql.schema.embedded import stored_types
from fraiseql.schema.fields import UNDECLARED
from fraiseql.schema.function_checks import check_function, result_types, shows_rows
from fraiseql.schema.model import (
    EnumType,
    Field,
    InputField,
    InputType,
    MutationField,
    NamedType,
    ObjectType,
    PageSizes,
    QueryField,
    Relation,
    Resolver,
    SchemaModel,
    Shape,
    SubscriptionField,
    SubscriptionKind,
    TypeReference,
)
from fraiseql.schema.scalar import Scalar

__all__ = ["AFTER_ARGUMENT", "SEARCH_RANK", "SHAPE_ARGUMENTS", "check_model", "filtered_field"]

SHAPE_ARGUMENTS: Final[Mapping[Shape, tuple[str, ...]]] = MappingProxyType(
    {
        Shape.ROW: (),
        Shape.LIST: ("where", "orderBy", "limit", "offset"),
        Shape.CONNECTION: ("where", "orderBy", "first", "after", "last", "before"),
        Shape.AGGREGATE: ("where",),
        Shape.GROUPS: ("where", "having", "orderBy", "limit", "offset"),
    }
)
"""The arguments that the rows of a source are given in each shape."""

SEARCH_RANK: Final = "searchRank"
"""The key in `orderBy` of how well the texts of a row fit a search."""

AFTER_ARGUMENT = "after"
"""The argument that every event subscription is given: the cursor to resume behind."""

_COMPARABLE = ({"ID", "String"}, {"ID", "Int"}, {"ID", "UUID"})  # an ID is of whatever type its column is


def check_model(model: SchemaModel) -> None:
    """Raise SchemaError for the first thing that the declarations taken together get wrong."""
    if not model.queries:
        raise SchemaError(
            "Schema(queries=...)", found="no query", expected="at least one function under @fraiseql.query"
        )
    _check_generated_names(model)
    _check_condition_names(model)
    _check_default_size(model.page_sizes, model.page_sizes.largest, "Schema")
    check_implementations(model)
    results = result_types(model)
    for owner, field in read_fields(model):
        if owner.name not in results or not shows_rows(model, field):
            _check_field(model, owner, field)
    for named in model.types.values():
        if isinstance(named, InputType):
            for entry in named.fields.values():
                _check_input(model, entry, f"{named.name}.{entry.name}")
            _check_finite(model, named, named, ())
    for query in model.queries.values():
        if query.resolver is None:
            _check_rows(model, query, f"Query.{query.name}")
        else:
            _check_called(model, query, f"Query.{query.name}")
    for subscription in model.subscriptions.values():
        _check_subscription(model, subscription)
    for mutation in model.mutations.values():
        if isinstance(mutation.action, Resolver):
            _check_called(model, mutation, f"Mutation.{mutation.name}")
        for argument in mutation.arguments.values():
            _check_input(model, argument, f"Mutation.{mutation.name}({argument.name})")
        check_function(model, mutation)
    for directive in model.directives.values():
        for argument in directive.arguments.values():
            _check_input(model, argument, f"@{directive.name}({argument.name})")


def _check_generated_names(model: SchemaModel) -> None:
    taken = {
        "Query": "the root type",
        "Subscription": "the root type",
        "OrderDirection": "the directions of orderBy",
        "EmbeddedListOrderByInput": "the orders by embedded lists",
        "TextSearchInput": "full text search",
        "TextSearchConfig": "full text search",
        "TextSearchRankInput": "full text search",
    }
    if model.mutations:
        taken["Mutation"] = "the root type"
    shapes = _aggregated_shapes(model)
    for named in model.types.values():
        if isinstance(named, Scalar) and named.element is not None and named.element not in model.types:
            taken[f"{named.element}Filter"] = f"the bounds of {named.name}"
    for name, named in model.types.items():
        for generated, use in _generated_names(name, named, shapes.get(name, set())):
            if generated in taken:
                raise SchemaError(
                    name,
                    found=f"a type of that name, which needs {generated}",
                    expected=f"another: {taken[generated]} have that",
                )
            taken[generated] = use
    for name in model.types:
        if name in taken:
            raise SchemaError(
                name, found="a type of that name", expected=f"another: the name is used for {taken[name]}"
            )


def _check_condition_names(model: SchemaModel) -> None:
    for name in sorted(stored_types(model)):
        for key in ("AND", "OR", "NOT"):
            if key in model.object_type(name).fields:
                expected = "name=...: `where` has this one itself"
                raise SchemaError(f"{name}.{key}", found=f"a field named {key}", expected=expected)
        if SEARCH_RANK in model.object_type(name).fields:
            expected = "name=...: `orderBy` has this one itself"
            raise SchemaError(f"{name}.{SEARCH_RANK}", found=f"a field named {SEARCH_RANK}", expected=expected)


def _generated_names(name: str, named: NamedType, aggregated: set[Shape]) -> Iterator[tuple[str, str]]:
    """The names of the input types that may be made for a type, and what for.

    Args:
        aggregated: the shapes in which figures about its rows may be asked for in arguments.
    """
    if isinstance(named, ObjectType) and named.derived_from is None:
        every = ("WhereInput", "OrderByInput", "AggregateOrderByInput", "AggregateWhereInput", "SearchRankOrderByInput")
        for suffix in every:
            yield f"{name}{suffix}", f"the arguments of {name}"
        for suffix in ("RelationFilter", "ListFilter"):
            yield f"{name}{suffix}", f"the filters of {name}"
        parts = FUNCTIONS if aggregated else ()
        for part in (*parts, "group", "groupKey") if Shape.GROUPS in aggregated else parts:
            for suffix in ("WhereInput", "OrderByInput"):
                yield f"{part_name(named, part)}{suffix}", f"the aggregates of {name}"
    elif isinstance(named, (EnumType, Scalar)):
        for suffix in ("Filter", "ListFilter"):
            yield f"{name}{suffix}", f"the filters of {name}"


def _aggregated_shapes(model: SchemaModel) -> dict[str, set[Shape]]:
    """By type, the shapes of its rows in which conditions and orders may be about figures."""
    found: dict[str, set[Shape]] = {}
    owners = (named for named in model.types.values() if isinstance(named, ObjectType))
    relations = (field.relation for owner in owners for field in owner.fields.values() if field.relation is not None)
    uses: list[QueryField | SubscriptionField | Relation] = [*model.queries.values(), *model.subscriptions.values()]
    uses = [*(each for each in uses if each.shape is Shape.GROUPS), *relations]
    for each in uses:
        if each.shape.is_to_many or each.shape is Shape.GROUPS:
            found.setdefault(each.target, set()).add(each.shape)
    return found


def _check_field(model: SchemaModel, owner: ObjectType, field: Field) -> None:
    where = f"{owner.name}.{field.name}"
    target = model.types[field.type.named]
    if isinstance(target, InputType):
        raise SchemaError(where, found=f"the input type {target.name}", expected="an output type")
    refuse_untold(target, where)
    if field.resolver is not None:
        check_resolver(model, owner, field.resolver, where)
        _check_computed(model, field, where)
        return
    if field.relation is not None:
        _check_relation(model, owner, field, field.relation, where)
        return
    if isinstance(target, ObjectType) and target.derived_from is not None:
        raise SchemaError(where, found=f"{target.name} without relation(...)", expected="relation(on=...)")
    if owner.source is None and field.column is not None:
        raise SchemaError(where, found=f"column={field.column!r} in a type without sql_source", expected="key=...")
    if owner.source is None and field.expression is not None:
        raise SchemaError(where, found="sql=... in a type without sql_source", expected="a type with sql_source")
    in_column = field.column is not None or field.expression is not None
    if isinstance(target, Scalar) and target.shown_as is not None and in_column:
        item = field.type.item
        if item is not None and item.item is not None:
            raise SchemaError(where, found=f"the type {field.type}", expected=f"a list of {target.name}, or JSON")
    if isinstance(target, ObjectType):
        in_columns = owner.source is not None and owner.source.jsonb_column is None
        if in_columns and target.source is not None and field.column == field.key:
            raise SchemaError(
                where,
                found=f"{target.name}, which has a sql_source, without relation(...)",
                expected="relation(on=...), or field(column=...) where a jsonb column holds it",
            )
        _check_embedded(model, target, where, ())


def _check_computed(model: SchemaModel, field: Field, where: str) -> None:
    target = model.types[field.type.named]
    if isinstance(target, ObjectType):
        if target.source is not None or target.derived_from is not None:
            expected = "a scalar, an enum or a type without sql_source; relation(on=...) leads to the others"
            raise SchemaError(where, found=f"{target.name}, which has a sql_source, from a method", expected=expected)
        _check_embedded(model, target, where, ())
    for argument in field.arguments.values():
        _check_input(model, argument, f"{where}({argument.name})")


def _check_relation(model: SchemaModel, owner: ObjectType, field: Field, relation: Relation, where: str) -> None:
    target = model.types[relation.target]
    if owner.source is None:
        raise SchemaError(where, found="relation(...) in a type without sql_source", expected="a type with sql_source")
    if not isinstance(target, ObjectType) or target.source is None:
        raise SchemaError(where, found=f"relation(...) to {field.type.named}", expected="a type with sql_source")
    _check_row_type(field.type, relation.shape, where)
    _check_shape(target, relation.shape, where)
    _check_pages(model, relation.page_sizes, relation.shape, field.type, where)


def _check_shape(target: ObjectType, shape: Shape, where: str) -> None:
    """The place of a row in a connection ends with its `id`, which tells apart rows that are otherwise equal."""
    if shape is Shape.CONNECTION:
        field = target.identity
        if field is None or field.type.item is not None or field.type.nullable or not field.is_held:
            raise SchemaError(where, found=f"a connection of {target.name}", expected=f"{target.name}.id, never null")


def _check_pages(model: SchemaModel, sizes: PageSizes, shape: Shape, reference: TypeReference, where: str) -> None:
    """Only lists have pages."""
    if sizes != PageSizes() and not shape.is_paged:
        raise SchemaError(where, found=f"page sizes for the type {reference}", expected="none: it is no list")
    _check_default_size(sizes, model.page_sizes.largest if sizes.largest is None else sizes.largest, where)


def _check_default_size(sizes: PageSizes, largest: int | None, where: str) -> None:
    if sizes.default is not None and largest is not None and sizes.default > largest:
        raise SchemaError(
            where, found=f"default_page_size={sizes.default}", expected=f"at most {largest}, as max_page_size says"
        )


def _check_row_type(reference: TypeReference, shape: Shape, where: str) -> None:
    """Rows come as `T`, `T | None`, `list[T]` or `list[T] | None`; a row of a list is never null."""
    if reference.item is not None and (reference.item.item is not None or reference.item.nullable):
        raise SchemaError(where, found=f"the type {reference}", expected="[T!]!, T! or T: list[T], T or T | None")
    if (reference.item is not None) is not shape.is_list:
        expected = "list[...] of it" if shape.is_list else "it without list[...]"
        raise SchemaError(where, found=f"the type {reference}", expected=expected)


def _check_embedded(model: SchemaModel, target: ObjectType, where: str, seen: tuple[str, ...]) -> None:
    if target.name in seen:
        return
    for owner, inner in fields_inside(target):
        if inner.relation is not None:
            raise SchemaError(
                where,
                found=f"{owner.name} inside jsonb, with the relation {owner.name}.{inner.name}",
                expected="relation(...) here, or a type without relations",
            )
        if inner.expression is not None:
            raise SchemaError(
                where,
                found=f"{owner.name} inside jsonb, with sql=... for {owner.name}.{inner.name}",
                expected="relation(...) here, or a type whose fields are keys",
            )
        below = model.types[inner.type.named]
        if isinstance(below, ObjectType):
            _check_embedded(model, below, where, (*seen, target.name))


def _check_subscription(model: SchemaModel, subscription: SubscriptionField) -> None:
    where = f"Subscription.{subscription.name}"
    if subscription.kind is not SubscriptionKind.RESOLVER:
        _check_rows(model, subscription, where)
        if subscription.kind is SubscriptionKind.EVENT and subscription.shape is not Shape.ROW:
            raise SchemaError(
                where, found=f"the return type {subscription.type}", expected="one row: an event is about one"
            )
        return
    _check_called(model, subscription, where)


def _check_called(model: SchemaModel, field: QueryField | MutationField | SubscriptionField, where: str) -> None:
    """A field that a function in Python serves."""
    if field.page_sizes != UNDECLARED:
        expected = "none: only live queries, and queries without a body, have pages"
        raise SchemaError(where, found="page sizes of a resolver", expected=expected)
    target = model.types[field.type.named]
    if isinstance(target, InputType):
        raise SchemaError(where, found=f"the input type {target.name}", expected="an output type")
    refuse_untold(target, where)
    if isinstance(target, ObjectType) and target.derived_from is not None:
        raise SchemaError(where, found=f"a resolver of {target.name}", expected="no body: SQL serves it")
    for argument in field.arguments.values():
        _check_input(model, argument, f"{where}({argument.name})")


def _check_rows(model: SchemaModel, query: QueryField | SubscriptionField, where: str) -> None:
    """A field that SQL serves: of a type with a source, with arguments that fields of it are compared with."""
    target = model.types[query.target]
    refuse_untold(target, where)
    if not isinstance(target, ObjectType) or target.source is None:
        raise SchemaError(
            where, found=f"the return type {query.type}", expected="a type with sql_source, or a list of it"
        )
    _check_row_type(query.type, query.shape, where)
    _check_shape(target, query.shape, where)
    _check_pages(model, query.page_sizes, query.shape, query.type, where)
    for argument in query.arguments.values():
        place = f"{where}({argument.name})"
        if argument.name in SHAPE_ARGUMENTS[query.shape]:
            expected = "another name: every list has this one"
            raise SchemaError(place, found=f"the argument {argument.name}", expected=expected)
        _check_input(model, argument, place)
        _check_filter(model, target, argument, place)


def _check_input(model: SchemaModel, entry: InputField, where: str) -> None:
    named = model.types[entry.type.named]
    if isinstance(named, ObjectType):
        raise SchemaError(where, found=f"the output type {named.name}", expected="a scalar, an enum or an input type")


def _check_finite(model: SchemaModel, root: InputType, named: InputType, seen: tuple[str, ...]) -> None:
    """GraphQL §3.10: an input object that must hold itself could never be written."""
    for entry in named.fields.values():
        below = model.types[entry.type.named]
        if entry.type.nullable or entry.type.item is not None or not isinstance(below, InputType):
            continue
        if below is root:
            raise SchemaError(
                f"{named.name}.{entry.name}", found=f"the type {entry.type}, which leads back", expected="`| None`"
            )
        if below.name not in seen:
            _check_finite(model, root, below, (*seen, below.name))


def _check_filter(
    model: SchemaModel, target: ObjectType, argument: InputField, where: str, seen: tuple[str, ...] = ()
) -> None:
    """An argument filters the field of its name; one of an input type, the fields of its fields' names."""
    named = model.types[argument.type.named]
    if argument.type.item is not None:
        raise SchemaError(where, found=f"the type {argument.type}", expected="one value to compare a field with")
    if isinstance(named, InputType):
        if named.name in seen:
            raise SchemaError(where, found=f"{named.name} inside itself", expected="fields to compare with")
        for entry in named.fields.values():
            _check_filter(model, target, entry, f"{where}.{entry.name}", (*seen, named.name))
        return
    if isinstance(named, Scalar) and not named.filtered:
        raise SchemaError(where, found=f"the type {argument.type}", expected="a type that can be filtered by value")
    field = filtered_field(target, argument)
    if field is None:
        raise SchemaError(
            where, found=f"no field of {target.name} named {argument.target!r}", expected="the name of a field"
        )
    names = {field.type.named, argument.type.named}
    comparable = len(names) == 1 or names in _COMPARABLE
    if field.type.item is not None or field.relation is not None or not comparable:
        raise SchemaError(where, found=f"the type {argument.type}", expected=f"the type of {target.name}.{field.name}")


def filtered_field(target: ObjectType, argument: InputField) -> Field | None:
    """The output field that an argument's value must equal.

    The attribute of its name; or else the field whose GraphQL name, column or key that is.
    """
    held = [field for field in target.row_fields.values() if field.is_held]
    for name in (attrgetter("attribute"), attrgetter("name"), attrgetter("column"), attrgetter("key")):
        for field in held:
            if name(field) == argument.target:
                return field
    return None

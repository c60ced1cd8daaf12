"""Each way in which a declaration can be wrong says where, what was found and what was expected."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Annotated, Any, List  # noqa: UP035

import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.errors import SchemaError


@fraiseql.enum
class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


@fraiseql.type
class Inner:
    text: str


@fraiseql.type(sql_source="row")
class Row:
    id: ID
    name: str
    mood: Mood
    tags: list[str]
    inner: Inner | None
    extra: JSON | None
    rows: list[Row] = fraiseql.relation(on={"row_id": "id"})


@fraiseql.input
class RowInput:
    name: str


class Undeclared:
    id: ID


@fraiseql.query
def rows() -> list[Row]: ...


def with_field(annotation: Any, default: Any = ..., **options: Any) -> fraiseql.Schema:
    """A schema whose type Thing has a field `it`."""
    return with_fields({"it": annotation}, {} if default is ... else {"it": default}, **options)


def with_fields(annotations: dict[str, Any], body: dict[str, Any], **options: Any) -> fraiseql.Schema:
    options = {"sql_source": "thing", **options}
    thing = fraiseql.type(**options)(type("Thing", (), {"__annotations__": annotations, **body}))
    return fraiseql.Schema(types=[thing], queries=[rows])


def with_query(returned: Any, /, _name: str = "it", **parameters: Any) -> fraiseql.Schema:
    """A schema with a query `it`, whose parameters are annotated so, or `(annotation, default)`."""

    def it() -> Any: ...

    it.__name__ = _name
    annotations = {name: given[0] if isinstance(given, tuple) else given for name, given in parameters.items()}
    it.__signature__ = _signature(parameters, returned)  # type: ignore[attr-defined]
    it.__annotations__ = {**annotations, "return": returned}
    return fraiseql.Schema(queries=[fraiseql.query(it)])


def _signature(parameters: dict[str, Any], returned: Any) -> Any:
    made = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=given[0] if isinstance(given, tuple) else given,
            default=given[1] if isinstance(given, tuple) else inspect.Parameter.empty,
        )
        for name, given in parameters.items()
    ]
    return inspect.Signature(made, return_annotation=returned)


def with_input(annotations: dict[str, Any], **defaults: Any) -> fraiseql.Schema:
    made = fraiseql.input(type("In", (), {"__annotations__": annotations, **defaults}))
    return fraiseql.Schema(types=[made], queries=[rows])


def with_enum(**members: Any) -> fraiseql.Schema:
    return fraiseql.Schema(types=[fraiseql.enum(Enum("Made", members))], queries=[rows])  # type: ignore[arg-type]


def _starred(*ids: ID) -> list[Row]: ...


def _without_annotation(id) -> list[Row]: ...  # type: ignore[no-untyped-def]


def _without_return(id: ID): ...  # type: ignore[no-untyped-def]


def _unknown_name() -> list[Nowhere]: ...  # type: ignore[name-defined] # noqa: F821


def query(function: Callable[..., Any]) -> fraiseql.Schema:
    return fraiseql.Schema(queries=[fraiseql.query(function)])


field_: Any = fraiseql.field  # for what its types forbid

Case = tuple[Callable[[], Any], str, str, str]

DECORATORS: dict[str, Case] = {
    "type of a function": (lambda: fraiseql.type(rows), "@fraiseql.type", "function rows", "a class"),
    "input of a value": (lambda: fraiseql.input(3), "@fraiseql.input", "3", "a class"),  # type: ignore[type-var]
    "enum of a class": (lambda: fraiseql.enum(Undeclared), "@fraiseql.enum", "Undeclared", "a subclass of Enum"),
    "query of a class": (lambda: fraiseql.query(Undeclared), "@fraiseql.query", "Undeclared", "a function"),
}
SCHEMAS: dict[str, Case] = {
    "no list": (lambda: fraiseql.Schema(queries=rows), "Schema(queries=...)", "function rows", "a list"),  # type: ignore[arg-type]
    "no query": (lambda: fraiseql.Schema(types=[Row]), "Schema(queries=...)", "no query", "@fraiseql.query"),
    "undeclared type": (
        lambda: fraiseql.Schema(types=[Undeclared], queries=[rows]),
        "Schema(types=...)",
        "Undeclared",
        "classes under @fraiseql.type",
    ),
    "query among the types": (lambda: fraiseql.Schema(types=[rows]), "Schema(types=...)", "rows", "classes under"),
    "type among the queries": (
        lambda: fraiseql.Schema(queries=[Row]),
        "Schema(queries=...)",
        "Row",
        "functions under @fraiseql.query",
    ),
    "not a module": (
        lambda: fraiseql.Schema.from_module("app"),  # type: ignore[arg-type]
        "Schema.from_module",
        "'app'",
        "a module",
    ),
    "empty module": (
        lambda: fraiseql.Schema.from_module(types.ModuleType("app")),
        "Schema(queries=...)",
        "no query",
        "at least one function",
    ),
    "two queries of one name": (
        lambda: fraiseql.Schema(queries=[rows, fraiseql.query(name="rows")(_starless)]),
        "Query.rows",
        "two queries",
        "one",
    ),
    "two types of one name": (
        lambda: fraiseql.Schema(types=[fraiseql.type(name="Row")(_clone())], queries=[rows]),
        "Row",
        "two types",
        "another `name=`",
    ),
    "an inherited declaration is none": (
        lambda: with_query(list[type("Heir", (Row,), {})]),  # type: ignore[misc]
        "it -> ...",
        "Heir, which no fraiseql decorator declares",
        "a declared type",
    ),
}


def _starless() -> list[Row]: ...


def _clone() -> type:
    return type("Clone", (), {"__annotations__": {"id": ID}})


NAMES: dict[str, Case] = {
    "type, a number": (lambda: with_field(str, name=5), "Thing", "the name 5", "a GraphQL name"),
    "field, a number": (lambda: with_field(str, field_(name=5)), "Thing.it", "the name 5", "a GraphQL name"),
    "type": (lambda: with_field(str, name="Not a name"), "Thing", "'Not a name'", "a GraphQL name"),
    "type of introspection": (lambda: with_field(str, name="__Type"), "Thing", "'__Type'", "no leading __"),
    "type with an accent": (lambda: with_field(str, name="Café"), "Thing", "'Café'", "letters, digits"),
    "field": (lambda: with_field(str, fraiseql.field(name="a-b")), "Thing.it", "'a-b'", "a GraphQL name"),
    "field with a digit": (lambda: with_field(str, fraiseql.field(name="1st")), "Thing.it", "'1st'", "a GraphQL name"),
    "attribute with an accent": (lambda: with_fields({"é": str}, {}), "Thing.é", "'é'", "a GraphQL name"),
    "relation": (
        lambda: with_field(list[Row], fraiseql.relation(on={"a": "b"}, name="")),
        "Thing.it",
        "''",
        "a GraphQL name",
    ),
    "query": (lambda: fraiseql.Schema(queries=[_renamed("with-dash")]), "it", "'with-dash'", "a GraphQL name"),
    "lambda": (lambda: with_query(list[Row], _name="<lambda>"), "<lambda>", "'<lambda>'", "a GraphQL name"),
    "enum member": (lambda: with_enum(é="x"), "Made.é", "'é'", "a GraphQL name"),
    "two fields of one name": (
        lambda: with_fields({"created_at": str, "createdAt": str}, {}),
        "Thing.createdAt",
        "a second field named createdAt",
        "one field of each name",
    ),
    "two input fields of one name": (
        lambda: with_input({"created_at": str, "createdAt": str}),
        "In.createdAt",
        "a second createdAt",
        "one of each name",
    ),
    "two arguments of one name": (
        lambda: with_query(list[Row], full_name=str, fullName=str),
        "it(fullName)",
        "a second argument named fullName",
        "one of each name",
    ),
    "root type": (lambda: with_field(str, name="Query"), "Query", "a type of that name", "the root type"),
    "filter type": (lambda: with_field(str, name="StringFilter"), "StringFilter", "a type of that name", "of String"),
    "where type": (lambda: with_field(str, name="RowWhereInput"), "RowWhereInput", "a type of that name", "of Row"),
    "list filter type": (lambda: with_field(str, name="StringListFilter"), "StringListFilter", "a type", "of String"),
    "relation filter type": (
        lambda: with_field(str, name="RowRelationFilter"),
        "RowRelationFilter",
        "a type",
        "of Row",
    ),
    "aggregate order type": (
        lambda: with_field(str, name="RowAggregateOrderByInput"),
        "RowAggregateOrderByInput",
        "a type",
        "of Row",
    ),
    "type whose order is that of another's count": (
        lambda: with_field(list[Row], fraiseql.relation(on={"a": "b"}), name="RowAggregate"),
        "Row",
        "which needs RowAggregateOrderByInput",
        "another: the arguments of RowAggregate have that",
    ),
    "enum whose filter is that of another's list": (
        lambda: with_field(fraiseql.enum(name="MoodList")(Enum("MoodList", {"A": "a"}))),  # type: ignore[arg-type]
        "Mood",
        "which needs MoodListFilter",
        "another: the filters of MoodList have that",
    ),
    "search type": (lambda: with_field(str, name="TextSearchInput"), "TextSearchInput", "a type", "full text search"),
    "directions": (lambda: with_field(str, name="OrderDirection"), "OrderDirection", "a type", "the directions"),
    "standard scalar": (lambda: with_field(str, name="String"), "String", "a type of that name", "another"),
    "our scalar": (lambda: with_field(str, name="UUID"), "UUID", "a type of that name", "another"),
    "AND": (lambda: with_fields({"AND": str}, {}), "Thing.AND", "a field named AND", "name=..."),
    "OR inside": (
        lambda: with_field(list[fraiseql.type(type("Within", (), {"__annotations__": {"OR": str}}))]),  # type: ignore[misc]
        "Within.OR",
        "a field named OR",
        "name=...",
    ),
    "bounds of ranges": (
        lambda: with_field(fraiseql.DateRange, name="DateFilter"),
        "DateFilter",
        "a type of that name",
        "the bounds of DateRange",
    ),
    "orders of lists": (
        lambda: with_field(str, name="EmbeddedListOrderByInput"),
        "EmbeddedListOrderByInput",
        "a type of that name",
        "the orders by embedded lists",
    ),
    "NOT": (lambda: with_field(Mood, fraiseql.field(name="NOT")), "Thing.NOT", "a field named NOT", "name=..."),
}


def _renamed(name: str) -> Callable[..., Any]:
    def it() -> list[Row]: ...

    return fraiseql.query(name=name)(it)


def through(annotation: Any = list[Row], sql_source: str | None = "things", **changed: Any) -> Any:
    options = {"through": "between", "own": {"thing_id": "id"}, "on": {"id": "row_id"}, **changed}
    return with_field(annotation, fraiseql.relation(**options), sql_source=sql_source)


FIELDS: dict[str, Case] = {
    "not annotated": (
        lambda: with_fields({"a": str}, {"it": fraiseql.field()}),
        "Thing.it",
        "no annotation",
        "a scalar",
    ),
    "relation not annotated": (
        lambda: with_fields({"a": str}, {"it": fraiseql.relation(on={"a": "b"})}),
        "Thing.it",
        "no annotation",
        "a declared type",
    ),
    "typo in a module": (lambda: with_field("types.nope"), "Thing.it", "'types.nope' (module", "a scalar"),
    "code that raises": (lambda: with_field("1 / 0"), "Thing.it", "division by zero", "a scalar"),
    "bare List": (lambda: with_field(List), "Thing.it", "List", "list[...]"),  # noqa: UP006
    "key, a number": (lambda: with_field(str, field_(key=5)), "Thing.it", "5", "a key of jsonb"),
    "key of columns": (
        lambda: with_field(str, fraiseql.field(key="k"), jsonb_column=None),
        "Thing.it",
        "key='k' in a type whose fields are columns",
        "column=...",
    ),
    "column that is no text": (
        lambda: with_field(str, fraiseql.field(column="\ud800")),
        "Thing.it",
        "ud800",
        "identifier",
    ),
    "rows without relation": (
        lambda: with_field(list[Row], jsonb_column=None),
        "Thing.it",
        "Row, which has a sql_source, without relation(...)",
        "relation(on=...)",
    ),
    "source, a number": (lambda: with_field(str, sql_source=5), "Thing (sql_source)", "5", "'schema.name'"),
    "source of three parts": (lambda: with_field(str, sql_source="a.b.c"), "Thing (sql_source)", "a.b.c", "'name' or"),
    "source without schema": (lambda: with_field(str, sql_source=".b"), "Thing (sql_source)", "''", "identifier"),
    "no field": (lambda: with_fields({}, {}), "Thing", "no annotated attribute", "at least one field"),
    "only private ones": (lambda: with_fields({"_x": str}, {}), "Thing", "no annotated attribute", "at least one"),
    "undeclared class": (lambda: with_field(Undeclared), "Thing.it", "Undeclared, which no fraiseql", "a declared"),
    "object": (lambda: with_field(object), "Thing.it", "object", "a scalar"),
    "complex": (lambda: with_field(complex), "Thing.it", "complex", "a scalar"),
    "None": (lambda: with_field(None), "Thing.it", "NoneType", "a scalar"),
    "union": (lambda: with_field(int | str), "Thing.it", "int | str", "with `| None`"),
    "optional union": (lambda: with_field(int | str | None), "Thing.it", "int | str | None", "with `| None`"),
    "tuple": (lambda: with_field(tuple[int, ...]), "Thing.it", "tuple[int, ...]", "list[...] of one"),
    "bare list": (lambda: with_field(list), "Thing.it", "list", "list[...] of one"),
    "list of the undeclared": (lambda: with_field(list[Undeclared]), "Thing.it", "Undeclared", "a declared type"),
    "list instead of an annotation": (lambda: with_field([str]), "Thing.it", "[<class 'str'>]", "list[...] of one"),
    "value": (lambda: with_field(3), "Thing.it", "3", "a scalar"),
    "Any": (lambda: with_field(Any), "Thing.it", "Any", "a scalar"),
    "query": (lambda: with_field(rows), "Thing.it", "rows", "a declared type"),
    "unknown name": (lambda: with_field("Nowhere"), "Thing.it", "the unknown name 'Nowhere'", "a name of its module"),
    "syntax": (lambda: with_field("list[str"), "Thing.it", "'list[str'", "a scalar"),
    "input type": (lambda: with_field(RowInput), "Thing.it", "the input type RowInput", "an output type"),
    "default": (lambda: with_field(int, 3), "Thing.it", "the default 3", "field(...), relation(...) or no default"),
    "long column": (lambda: with_field(str, fraiseql.field(column="é" * 32)), "Thing.it", "éé", "1 to 63 bytes"),
    "empty column": (lambda: with_field(str, fraiseql.field(column="")), "Thing.it", "''", "1 to 63 bytes"),
    "column with NUL": (lambda: with_field(str, fraiseql.field(column="a\0")), "Thing.it", r"'a\x00'", "identifier"),
    "attribute too long to be a column": (
        lambda: with_fields({"a" * 64: str}, {}, jsonb_column=None),
        f"Thing.{'a' * 64}",
        "'aaa",
        "1 to 63 bytes",
    ),
    "column without a source": (
        lambda: with_field(str, fraiseql.field(column="c"), sql_source=None),
        "Thing.it",
        "column='c' in a type without sql_source",
        "key=...",
    ),
    "empty source": (lambda: with_field(str, sql_source=""), "Thing (sql_source)", "''", "'schema.name'"),
    "long source": (lambda: with_field(str, sql_source="a" * 64), "Thing (sql_source)", "'aaa", "1 to 63 bytes"),
    "long schema": (lambda: with_field(str, sql_source="a" * 64 + ".b"), "Thing (sql_source)", "'aaa", "63 bytes"),
    "long jsonb column": (lambda: with_field(str, jsonb_column="a" * 64), "Thing (jsonb_column)", "'aaa", "63 bytes"),
    "empty jsonb column": (lambda: with_field(str, jsonb_column=""), "Thing (jsonb_column)", "''", "1 to 63 bytes"),
}
RELATIONS: dict[str, Case] = {
    "no pair": (lambda: with_field(list[Row], fraiseql.relation(on={})), "Thing.it", "on={}", "their_column"),
    "text": (
        lambda: with_field(list[Row], fraiseql.relation(on="row_id")),  # type: ignore[arg-type]
        "Thing.it",
        "on='row_id'",
        "their_column",
    ),
    "empty column": (lambda: with_field(list[Row], fraiseql.relation(on={"a": ""})), "Thing.it", "''", "identifier"),
    "through without own": (
        lambda: with_field(list[Row], fraiseql.relation(through="between", on={"id": "row_id"})),
        "Thing.it",
        "own=None",
        'own={"column_between": "our_column"}',
    ),
    "own without through": (
        lambda: with_field(list[Row], fraiseql.relation(own={"thing_id": "id"}, on={"id": "row_id"})),
        "Thing.it",
        "without through",
        'through="table_between"',
    ),
    "through without a pair": (
        lambda: with_field(list[Row], fraiseql.relation(through="between", own={"thing_id": "id"}, on={})),
        "Thing.it",
        "on={}",
        'on={"their_column": "column_between"}',
    ),
    "own, a text": (lambda: through(own="thing_id"), "Thing.it", "own='thing_id'", "own={"),
    "own with an empty column": (lambda: through(own={"thing_id": ""}), "Thing.it", "''", "identifier"),
    "own with a number": (lambda: through(own={5: "id"}), "Thing.it", "5", "identifier"),
    "through, a number": (lambda: through(through=5), "Thing.it (through)", "5", "'schema.name'"),
    "through, nothing": (lambda: through(through=""), "Thing.it (through)", "''", "'name' or"),
    "through a class": (lambda: through(through=Row), "Thing.it (through)", "Row", "'name' or"),
    "through three parts": (lambda: through(through="a.b.c"), "Thing.it (through)", "a.b.c", "'name' or"),
    "through a long name": (lambda: through(through="a" * 64), "Thing.it (through)", "'aaa", "1 to 63 bytes"),
    "through from an embedded type": (
        lambda: through(sql_source=None),
        "Thing.it",
        "in a type without sql_source",
        "a type with sql_source",
    ),
    "through to an embedded type": (
        lambda: through(annotation=list[Inner]),
        "Thing.it",
        "relation(...) to Inner",
        "a type with sql_source",
    ),
    "to a scalar": (
        lambda: with_field(list[str], fraiseql.relation(on={"a": "b"})),
        "Thing.it",
        "relation(...) to String",
        "a type with sql_source",
    ),
    "to an embedded type": (
        lambda: with_field(Inner, fraiseql.relation(on={"a": "b"})),
        "Thing.it",
        "relation(...) to Inner",
        "a type with sql_source",
    ),
    "from an embedded type": (
        lambda: with_field(list[Row], fraiseql.relation(on={"a": "b"}), sql_source=None),
        "Thing.it",
        "in a type without sql_source",
        "a type with sql_source",
    ),
    "nullable rows": (
        lambda: with_field(list[Row | None], fraiseql.relation(on={"a": "b"})),
        "Thing.it",
        "the type [Row]!",
        "list[T], T or T | None",
    ),
    "lists of lists": (
        lambda: with_field(list[list[Row]], fraiseql.relation(on={"a": "b"})),
        "Thing.it",
        "the type [[Row!]!]!",
        "list[T]",
    ),
    "embedded with a relation": (
        lambda: with_field(Row | None),
        "Thing.it",
        "Row inside jsonb, with the relation Row.rows",
        "relation(...) here",
    ),
}
INPUTS: dict[str, Case] = {
    "no field": (lambda: with_input({}), "In", "no annotated attribute", "at least one field"),
    "output type": (lambda: with_input({"it": Inner}), "In.it", "the output type Inner", "an input type"),
    "relation": (
        lambda: with_input({"it": str}, it=fraiseql.relation(on={"a": "b"})),
        "In.it",
        "relation(...)",
        "an input value",
    ),
    "holds itself": (lambda: _endless("A"), "A.it", "the type A!, which leads back", "`| None`"),
    "hold one another": (lambda: _endless("A", "B", "C"), "C.it", "the type A!, which leads back", "`| None`"),
    "default of another type": (lambda: with_input({"it": int}, it="x"), "In.it", "the default 'x'", "a value of Int!"),
    "default outside the enum": (lambda: with_input({"it": Mood}, it="good"), "In.it", "the default 'good'", "Mood!"),
    "default of an input type": (lambda: with_input({"it": RowInput}, it={}), "In.it", "the default {}", "RowInput!"),
}
ENUMS: dict[str, Case] = {
    "half a character": (lambda: with_enum(A="\ud800"), "Made.A", "ud800", "the text that the database holds"),
    "number": (lambda: with_enum(A=1), "Made.A", "1", "the text that the database holds"),
    "reserved": (lambda: with_enum(true="yes"), "Made.true", "the name true", "reserves it"),
    "empty": (lambda: with_enum(), "Made", "no member", "at least one"),
    "alias": (lambda: with_enum(A="x", B="x"), "Made.B", "'x' again", "a value of its own"),
}
QUERIES: dict[str, Case] = {
    "default None": (lambda: with_query(list[Row], name=(str, None)), "it(name)", "None of the type String!", "| None"),
    "boolean id": (lambda: with_query(list[Row], id=bool), "Query.it(id)", "Boolean!", "the type of Row.id"),
    "no return": (lambda: query(_without_return), "_without_return", "no return annotation", "-> list[T]"),
    "no annotation": (lambda: query(_without_annotation), "_without_annotation(id)", "no annotation", "a scalar"),
    "starred": (lambda: query(_starred), "_starred(ids)", "variadic positional", "a named parameter"),
    "unknown name": (lambda: query(_unknown_name), "_unknown_name -> ...", "'Nowhere'", "a name of its module"),
    "scalar": (lambda: with_query(str), "Query.it", "the return type String!", "a type with sql_source"),
    "embedded type": (lambda: with_query(Inner), "Query.it", "the return type Inner!", "a type with sql_source"),
    "nullable rows": (lambda: with_query(list[Row | None]), "Query.it", "the type [Row]!", "list[T]"),
    "None": (lambda: with_query(None), "it -> ...", "NoneType", "a scalar"),
    "unknown field": (lambda: with_query(list[Row], nme=str), "Query.it(nme)", "no field of Row named 'nme'", "name"),
    "relation as argument": (lambda: with_query(list[Row], rows=str), "Query.it(rows)", "named 'rows'", "a field"),
    "list as argument": (lambda: with_query(list[Row], tags=list[str]), "Query.it(tags)", "[String!]!", "one value"),
    "list field": (lambda: with_query(list[Row], tags=str), "Query.it(tags)", "String!", "the type of Row.tags"),
    "other type": (lambda: with_query(list[Row], name=int), "Query.it(name)", "Int!", "the type of Row.name"),
    "other type than the enum": (lambda: with_query(list[Row], mood=str), "Query.it(mood)", "String!", "Row.mood"),
    "output type": (lambda: with_query(list[Row], inner=Inner), "Query.it(inner)", "the output type Inner", "an input"),
    "JSON": (lambda: with_query(list[Row], extra=JSON), "Query.it(extra)", "the type JSON!", "can be filtered"),
    "page argument": (lambda: with_query(list[Row], limit=int), "Query.it(limit)", "the argument limit", "another"),
    "order argument": (lambda: with_query(list[Row], order_by=str), "Query.it(orderBy)", "argument orderBy", "another"),
    "default": (lambda: with_query(list[Row], name=(str, 3)), "it(name)", "the default 3", "a value of String!"),
    "inside an input": (
        lambda: with_query(list[Row], row=fraiseql.input(type("In", (), {"__annotations__": {"nme": str}}))),
        "Query.it(row).nme",
        "no field of Row named 'nme'",
        "the name of a field",
    ),
    "input that holds itself": (
        lambda: with_query(list[Row], row=_recursive()),
        "Query.it(row).it",
        "Recursive inside itself",
        "fields to compare",
    ),
}


SCALARS: dict[str, Case] = {
    "name of another": (
        lambda: fraiseql.scalar("UUID", sql_type="uuid"),
        "fraiseql.scalar('UUID')",
        "UUID",
        "no other",
    ),
    "name, a number": (lambda: fraiseql.scalar(5, sql_type="uuid"), "fraiseql.scalar(5)", "5", "a name"),  # type: ignore[arg-type]
    "no name": (lambda: fraiseql.scalar("a b", sql_type="uuid"), "fraiseql.scalar('a b')", "a b", "name"),
    "type": (
        lambda: fraiseql.scalar("It", sql_type="text; select 1"),
        "fraiseql.scalar('It')",
        "sql_type='text; select 1'",
        "the name of a type",
    ),
    "filters": (
        lambda: fraiseql.scalar("It", sql_type="text", filters="all"),
        "fraiseql.scalar('It')",
        "filters='all'",
        "equality, ordered, text, json",
    ),
    "filters of ranges": (
        lambda: fraiseql.scalar("It", sql_type="text", filters="range"),
        "fraiseql.scalar('It')",
        "filters='range'",
        "one of none",
    ),
    "json of text": (
        lambda: fraiseql.scalar("It", sql_type="text", filters="json"),
        "fraiseql.scalar('It')",
        "filters='json' with sql_type='text'",
        "json for both",
    ),
    "text of json": (
        lambda: fraiseql.scalar("It", sql_type="jsonb", filters="text"),
        "fraiseql.scalar('It')",
        "filters='text' with sql_type='jsonb'",
        "json for both",
    ),
    "parse": (
        lambda: fraiseql.scalar("It", sql_type="text", parse="x"),  # type: ignore[arg-type]
        "fraiseql.scalar('It')",
        "parse='x'",
        "a function",
    ),
    "two of a name": (
        lambda: with_fields({"a": Annotated[str, _scalar("It")], "b": Annotated[str, _scalar("It")]}, {}),
        "It",
        "two types of that name",
        "one",
    ),
    "name of a class": (
        lambda: with_fields({"a": Row, "b": Annotated[str, _scalar("Row")]}, {}, sql_source=None),
        "Row",
        "two types of that name",
        "one",
    ),
    "without Annotated": (lambda: with_field(_scalar("It")), "Thing.it", "Scalar(name='It'", "a scalar"),
    "matrix of bytes": (
        lambda: with_field(list[list[bytes]], jsonb_column=None),
        "Thing.it",
        "[[Bytes!]!]!",
        "a list of Bytes",
    ),
    "argument without equality": (
        lambda: with_query(Row, extra=fraiseql.TSVector),
        "Query.it(extra)",
        "TSVector!",
        "a type that can be filtered",
    ),
    "default": (
        lambda: with_query(list[Row], name=(fraiseql.Interval, "a day")),
        "it(name)",
        "the default 'a day'",
        "a value of Interval!",
    ),
}


PAGE_SIZES: dict[str, Case] = {
    "zero": (lambda: _pages(default_page_size=0), "Schema", "default_page_size=0", "a number of rows, at least 1"),
    "negative": (lambda: _pages(max_page_size=-1), "Schema", "max_page_size=-1", "at least 1"),
    "text": (lambda: _pages(max_page_size="9"), "Schema", "max_page_size='9'", "a number of rows"),
    "boolean": (lambda: _pages(default_page_size=True), "Schema", "default_page_size=True", "a number of rows"),
    "default beyond the largest": (
        lambda: _pages(default_page_size=10, max_page_size=9),
        "Schema",
        "default_page_size=10",
        "at most 9, as max_page_size says",
    ),
    "of a query": (lambda: _paged_query(list[Row], default_page_size=1.5), "it", "default_page_size=1.5", "a number"),
    "default of a query": (
        lambda: _paged_query(list[Row], default_page_size=8, max_page_size=7),
        "Query.it",
        "default_page_size=8",
        "at most 7",
    ),
    "default beyond the schema's largest": (
        lambda: fraiseql.Schema(queries=[_paged(list[Row], default_page_size=8)], max_page_size=7),
        "Query.it",
        "default_page_size=8",
        "at most 7",
    ),
    "query for one row": (
        lambda: _paged_query(Row | None, max_page_size=5),
        "Query.it",
        "page sizes for the type Row",
        "it is no list",
    ),
    "of a relation": (lambda: _paged_relation(list[Row], max_page_size=0), "Thing.it", "max_page_size=0", "at least 1"),
    "default of a relation": (
        lambda: _paged_relation(list[Row], default_page_size=3, max_page_size=2),
        "Thing.it",
        "default_page_size=3",
        "at most 2",
    ),
    "relation to one": (
        lambda: _paged_relation(Row | None, default_page_size=3),
        "Thing.it",
        "page sizes for the type Row",
        "it is no list",
    ),
    "live query for one row": (
        lambda: _paged_subscription(_live_row),
        "Subscription._liveRow",
        "page sizes for the type Row",
        "it is no list",
    ),
    "event": (
        lambda: _paged_subscription(_live_row, topic="row"),
        "Subscription._liveRow",
        "page sizes for the type Row",
        "it is no list",
    ),
    "resolver": (
        lambda: _paged_subscription(_resolved_rows),
        "Subscription._resolvedRows",
        "page sizes of a resolver",
        "only live queries",
    ),
}


def _pages(**sizes: Any) -> fraiseql.Schema:
    return fraiseql.Schema(queries=[rows], **sizes)


@fraiseql.type(sql_source="keyless")
class Keyless:
    name: str


@fraiseql.type(name="RowEdge", sql_source="edges")
class Edges:
    id: ID


CONNECTIONS: dict[str, tuple[Callable[[], Any], str, str, str]] = {
    "of an embedded type": (
        lambda: _paged_query(fraiseql.Connection[Inner]),
        "it",
        "a InnerConnection",
        "a type with sql_source in the brackets",
    ),
    "of a scalar": (
        lambda: _paged_query(fraiseql.Connection[str]),
        "it",
        "a StringConnection",
        "a type with sql_source",
    ),
    "of a list": (lambda: _paged_query(fraiseql.Connection[list[Row]]), "it -> ...", "Connection[list[", "sql_source"),
    "of rows or null": (
        lambda: _paged_query(fraiseql.Connection[Row | None]),
        "it -> ...",
        "Connection[",
        "sql_source",
    ),
    "of nothing": (lambda: _paged_query(fraiseql.Connection), "it -> ...", "Connection", "a declared type"),
    "list of it": (
        lambda: _paged_query(list[fraiseql.Connection[Row]]),
        "Query.it",
        "the type [RowConnection!]!",
        "it without list[...]",
    ),
    "without id": (
        lambda: _paged_query(fraiseql.Connection[Keyless]),
        "Query.it",
        "a connection of Keyless",
        "Keyless.id, never null",
    ),
    "without relation": (
        lambda: with_field(fraiseql.Connection[Row]),
        "Thing.it",
        "RowConnection without relation(...)",
        "relation(on=...)",
    ),
    "name in use": (
        lambda: fraiseql.Schema(types=[Edges], queries=[_paged(fraiseql.Connection[Row])]),
        "RowEdge",
        "a type of that name",
        "another: it needs it",
    ),
    "yielded": (
        lambda: fraiseql.Schema(queries=[rows], subscriptions=[fraiseql.subscription(_resolved_pages)]),
        "Subscription._resolvedPages",
        "a resolver of RowConnection",
        "no body",
    ),
}


def _resolved_pages() -> Iterator[fraiseql.Connection[Row]]:
    yield fraiseql.Connection()


def _paged(returned: Any, **sizes: Any) -> Any:
    def it() -> Any: ...

    it.__annotations__["return"] = returned
    return fraiseql.query(**sizes)(it)


def _paged_query(returned: Any, **sizes: Any) -> fraiseql.Schema:
    return fraiseql.Schema(queries=[_paged(returned, **sizes)])


def _paged_relation(annotation: Any, **sizes: Any) -> fraiseql.Schema:
    return with_field(annotation, fraiseql.relation(on={"row_id": "id"}, **sizes))


def _live_row() -> Row | None: ...


def _resolved_rows() -> Iterator[list[Row]]:
    yield []


def _paged_subscription(function: Any, **options: Any) -> fraiseql.Schema:
    return fraiseql.Schema(queries=[rows], subscriptions=[fraiseql.subscription(max_page_size=5, **options)(function)])


def _scalar(name: str) -> Any:
    return fraiseql.scalar(name, sql_type="text")


def _endless(*names: str) -> fraiseql.Schema:
    """Input types that must hold one another in a ring."""
    made = [fraiseql.input(type(name, (), {"__annotations__": {"it": str}})) for name in names]
    for index, cls in enumerate(made):
        cls.__annotations__["it"] = made[(index + 1) % len(made)]
    return fraiseql.Schema(types=made, queries=[rows])


def _recursive() -> Any:
    made = type("Recursive", (), {"__annotations__": {"name": str}})
    made.__annotations__["it"] = made | None
    return fraiseql.input(made)


def _computed(template: Any, **more: Any) -> tuple[Callable[[], Any]]:
    return (lambda: with_field(str, field_(sql=template, **more)),)


COMPUTED: dict[str, Case] = {
    "with a column": (_computed("1", column="a")[0], "Thing.it", "sql=... with column='a'", "one of them"),
    "with a key": (_computed("1", key="a")[0], "Thing.it", "sql=... with key='a'", "one of them"),
    "without source": (
        lambda: with_field(str, field_(sql="1"), sql_source=None),
        "Thing.it",
        "in a type without sql_source",
        "a type with sql_source",
    ),
    "inside jsonb": (
        lambda: with_field(_holding_computed()),
        "Thing.it",
        "Computing inside jsonb, with sql=... for Computing.loud",
        "keys",
    ),
    "of an input": (
        lambda: with_input({"it": str}, it=field_(sql="1")),
        "In.it",
        "sql=... of an input value",
        "only output fields",
    ),
    "empty": (_computed(" ")[0], "Thing.it", "sql=' '", "an SQL expression"),
    "no text": (_computed(3)[0], "Thing.it", "3", "an SQL expression"),
    "a lone brace": (_computed("{name")[0], "Thing.it", "a lone {", "{column}"),
    "a column without a name": (_computed("{}")[0], "Thing.it (sql)", "''", "identifier"),
    "a parameter": (_computed("{name} || $1")[0], "Thing.it", "$1 in", "one expression"),
    "a comment": (_computed("{name} -- loud")[0], "Thing.it", "-- in", "without comments"),
    "two statements": (_computed("1; drop table t")[0], "Thing.it", "; in", "one expression"),
    "an open text": (_computed("{name} || 'it")[0], "Thing.it", "' in", "one expression"),
    "an open bracket": (_computed("upper({name}")[0], "Thing.it", "an open (", "one expression"),
    "a bracket too much": (_computed("{name}) or (true")[0], "Thing.it", ") in", "one expression"),
}


def _holding_computed() -> Any:
    made = type("Computing", (), {"__annotations__": {"loud": str}, "loud": field_(sql="upper({name})")})
    return fraiseql.type(sql_source="computing")(made)


_ALL = {
    f"{group}: {name}": case
    for group, cases in {
        "decorator": DECORATORS,
        "schema": SCHEMAS,
        "name": NAMES,
        "field": FIELDS,
        "relation": RELATIONS,
        "input": INPUTS,
        "enum": ENUMS,
        "query": QUERIES,
        "scalar": SCALARS,
        "page sizes": PAGE_SIZES,
        "computed": COMPUTED,
        "connection": CONNECTIONS,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize(("declare", "where", "found", "expected"), _ALL.values(), ids=_ALL.keys())
def test_mistake(declare: Callable[[], Any], where: str, found: str, expected: str) -> None:
    with pytest.raises(SchemaError) as caught:
        declare()
    assert caught.value.where == where
    assert found in caught.value.found
    assert expected in caught.value.expected
    assert str(caught.value) == f"{where}: found {caught.value.found}; expected {caught.value.expected}"

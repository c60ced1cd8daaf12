"""Interfaces and unions: what is made of their declarations, and each way in which these can be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

import fraiseql
from fraiseql import ID, SchemaError
from fraiseql.pipeline.graphql_schema import print_sdl
from fraiseql.schema.model import AbstractType, Membership


@fraiseql.interface
class Node:
    """Anything with an id."""

    id: ID


@fraiseql.interface(sql_source="shop.media", jsonb_column=None, discriminator="kind")
class Media(Node):
    """What can be lent."""

    title: str | None
    parts: list[Media] = fraiseql.relation(on={"part_of": "id"})


@fraiseql.type(when="book")
class Book(Media):
    title: str
    pages: int


@fraiseql.type(when="tape", sql_source="tapes")
class Tape(Media):
    minutes: int


@fraiseql.type
class Page(Node):
    text: str


@fraiseql.union(sql_source="finds", discriminator="what", types={"page": Page, "tape": Tape}, name="Find")
class _Find:
    """What is found."""

    limit: ClassVar[int] = 3


@fraiseql.query
def media() -> list[Media]: ...


@fraiseql.query
def books() -> list[Book]: ...


@fraiseql.query
def finds() -> list[_Find]: ...


SCHEMA = fraiseql.Schema(types=[Book, Tape], queries=[media, books, finds])


def test_the_types_of_an_interface() -> None:
    abstract, book, tape = (SCHEMA.model.types[name] for name in ("Media", "Book", "Tape"))
    assert isinstance(abstract, AbstractType)
    assert abstract.values == {"book": "Book", "tape": "Tape"}
    assert abstract.members["Book"] is book
    assert abstract.members["Tape"].source == abstract.source
    assert abstract.members["Tape"].fields["minutes"].column == "minutes"
    assert book.source == abstract.source
    assert book.interfaces == ("Media", "Node")
    assert abstract.discriminator is not None
    assert book.membership == Membership(abstract.discriminator, "book")
    assert str(tape.source) == "tapes"
    assert tape.membership is None
    assert tape.fields["minutes"].column is None  # a key of its own source's jsonb column


def test_the_types_of_a_union() -> None:
    union, page = SCHEMA.model.types["Find"], SCHEMA.model.types["Page"]
    assert isinstance(union, AbstractType)
    assert (union.fields, union.values) == ({}, {"page": "Page", "tape": "Tape"})
    assert page.source is None
    assert union.members["Page"].source == union.members["Tape"].source == union.source


def test_sdl() -> None:
    sdl = print_sdl(SCHEMA)
    for text in (
        '"""Anything with an id."""\ninterface Node {\n  id: ID!\n}',
        "interface Media implements Node {",
        "type Book implements Media & Node {",
        "type Page implements Node {",
        '"""What is found."""\nunion Find = Page | Tape',
        '  finds(\n    """The most rows to give."""\n    limit: Int\n',
        "  books(\n    where: BookWhereInput\n    orderBy: [BookOrderByInput!]\n",
    ):
        assert text in sdl, text


Made = Callable[..., Any]


def _type(name: str, *bases: Any, when: str | None = None, source: str | None = None, **annotations: Any) -> Any:
    made = type(name, bases, {"__annotations__": annotations})
    return fraiseql.type(when=when, sql_source=source)(made)


def _interface(name: str, *bases: Any, **options: Any) -> Any:
    annotations = options.pop("annotations", {"id": ID})
    return fraiseql.interface(**options)(type(name, bases, {"__annotations__": annotations}))


def _schema(*types: Any) -> fraiseql.Schema:
    return fraiseql.Schema(types=types, queries=[books])


def _told(**options: Any) -> Any:
    return _interface("Told", **{"sql_source": "told", "discriminator": "kind", **options})


def _union(types: Any, **options: Any) -> fraiseql.Schema:
    options = {"sql_source": "u", "discriminator": "kind", **options}
    made = type("U", (), options.pop("body", {}))
    return _schema(fraiseql.union(types=types, **options)(made))


def _two_of_one_value() -> Any:
    told = _told()
    return _schema(_type("One", told, when="a", id=ID), _type("Two", told, when="a", id=ID))


def _implementing(promised: Any, given: Any, **body: Any) -> Any:
    base = fraiseql.interface(type("Base", (), {"__annotations__": {"it": promised}, **body}))
    made = type("Thing", (base,), {"__annotations__": {"it": given}, **body})
    return _schema(fraiseql.type(sql_source="thing")(made))


def _hidden_name() -> Any:
    base = fraiseql.interface(type("Base", (), {"__annotations__": {"it": str}}))
    made = type("Thing", (base,), {"__annotations__": {"it": str}, "it": fraiseql.field(name="other")})
    return _schema(fraiseql.type(sql_source="thing")(made))


def _returned(annotation: Any) -> Any:
    def it() -> Any: ...

    it.__annotations__["return"] = annotation
    return fraiseql.Schema(types=[Book, Tape], queries=[fraiseql.query(it)])


def _declared_anew(promised: Any, given: Any, *, it: Any = int | None, **options: Any) -> Any:
    """A type of an interface with a source, or with the key "kind", whose field has another place."""
    options = {"sql_source": "told", "jsonb_column": None, "discriminator": "kind", **options}
    bodies = [
        {"__annotations__": {"id": ID, "it": it}} | ({} if each is None else {"it": each}) for each in (promised, given)
    ]
    told = fraiseql.interface(**options)(type("Told", (), bodies[0]))
    return _schema(fraiseql.type(when="a")(type("Thing", (told,), bodies[1])))


def _yielded() -> Any:
    def it() -> Iterator[Node]:
        yield Node()

    return fraiseql.Schema(queries=[books], subscriptions=[fraiseql.subscription(it)])


def _by_field(annotation: Any, default: Any = None) -> Any:
    made = type("Thing", (), {"__annotations__": {"it": annotation}, **({"it": default} if default else {})})
    return _schema(fraiseql.type(sql_source="thing")(made))


def test_a_field_declared_anew_in_its_place() -> None:
    _declared_anew(fraiseql.field(column="held", description="any"), fraiseql.field(column="held", deprecated="old"))
    _declared_anew(fraiseql.field(sql="{{{a}}}::text[]"), fraiseql.field(sql="{{{a}}}::text[]"), it=list[str])
    _declared_anew(fraiseql.relation(on={"id": "a"}), fraiseql.relation(on={"id": "a"}), it=Book | None)


def test_a_type_of_an_interface_inside_jsonb_with_a_source_of_its_own() -> None:
    told = fraiseql.interface(discriminator="kind")(type("Told", (), {"__annotations__": {"it": int}}))
    thing = fraiseql.type(when="a", sql_source="thing", jsonb_column=None)(type("Thing", (told,), {}))
    assert _schema(thing).model.object_type("Thing").fields["it"].column == "it"


@pytest.mark.parametrize(
    ("declare", "where", "found", "expected"),
    [
        (lambda: fraiseql.interface(books), "@fraiseql.interface", "function books", "a class"),
        (lambda: fraiseql.union(types={}, discriminator="k")(books), "@fraiseql.union", "function books", "a class"),
        (lambda: _schema(_told(discriminator=None)), "Told (discriminator)", "none", "the column that tells"),
        (lambda: _schema(_told(discriminator="")), "Told (discriminator)", "''", "identifier"),
        (lambda: _schema(_told(sql_source="a.b.c")), "Told (sql_source)", "'a.b.c'", "schema.name"),
        (lambda: _schema(_told()), "Told", "an interface without types", "Schema(types=...)"),
        (lambda: _schema(_type("One", _told(), id=ID)), "One (when)", "none, in a type of the interface Told", "kind"),
        (lambda: _schema(_type("One", _told(), when="", id=ID)), "One (when)", "''", "a value"),
        (lambda: _schema(_type("One", when="a", id=ID)), "One (when)", "without such a base", "discriminator=..."),
        (lambda: _schema(_type("One", Node, when="a", id=ID)), "One (when)", "without such a base", "discriminator="),
        (_two_of_one_value, "Two (when)", "'a', as One has", "a value of its own"),
        (lambda: _union({}), "U (types)", "{}", '{"value": Class}'),
        (lambda: _union([Page]), "U (types)", "Page", '{"value": Class}'),
        (lambda: _union({"a": str}), "U (types)", "<class 'str'>", "@fraiseql.type"),
        (lambda: _union({"a": Media}), "U (types)", "Media", "@fraiseql.type"),
        (lambda: _union({"": Page}), "U (types)", "''", "values of the discriminator"),
        (lambda: _union({"a": Page}, discriminator=None), "U (discriminator)", "none", "the column that tells"),
        (lambda: _union({"a": Page}, body={"__annotations__": {"id": ID}}), "U.id", "an attribute of a union", "none"),
        (lambda: _union({"a": Page}, name="Book"), "Book", "two types of that name", "one"),
        (lambda: _union({"a": Page}, name="a-b"), "U", "the name 'a-b'", "a GraphQL name"),
        (lambda: _implementing(str, str | None), "Thing.it", "the type String", "String!, as Base.it has"),
        (lambda: _implementing(str, int), "Thing.it", "the type Int!", "String!, as Base.it has"),
        (lambda: _implementing(list[str], str), "Thing.it", "the type String!", "[String!]!, as Base.it has"),
        (
            lambda: _implementing(list[Media], list[Book], it=fraiseql.relation(on={"a": "b"})),
            "Thing.it",
            "the type [Book!]!",
            "rows of the type of Base.it",
        ),
        (lambda: _implementing(Book, Media, it=fraiseql.relation(on={"a": "b"})), "Thing.it", "Media!", "Book!, as"),
        (
            lambda: _declared_anew(None, fraiseql.field(column="other")),
            "Thing.it",
            "the column 'other'",
            "the column 'it', as Told.it has, by which lists of Told are filtered and ordered",
        ),
        (
            lambda: _declared_anew(fraiseql.field(sql="{a} + 1"), fraiseql.field(sql="{a} + 2")),
            "Thing.it",
            "sql='{a} + 2'",
            "sql='{a} + 1', as Told.it",
        ),
        (
            lambda: _declared_anew(fraiseql.field(sql="{a}"), fraiseql.field()),
            "Thing.it",
            "the column 'it'",
            "sql='{a}', as Told.it",
        ),
        (
            lambda: _declared_anew(None, fraiseql.field(column="it"), jsonb_column="data"),
            "Thing.it",
            "the column 'it'",
            "the key 'it' of jsonb, as Told.it",
        ),
        (
            lambda: _declared_anew(None, fraiseql.field(key="other"), sql_source=None),
            "Thing.it",
            "the key 'other' of jsonb",
            "the key 'it' of jsonb, as Told.it",
        ),
        (
            lambda: _declared_anew(
                fraiseql.relation(on={"id": "a"}), fraiseql.relation(on={"id": "b"}), it=Book | None
            ),
            "Thing.it",
            "a relation(on={'id': 'b'})",
            "a relation(on={'id': 'a'}), as Told.it",
        ),
        (_hidden_name, "Thing", "no field it", "the field Base.it"),
        (lambda: _returned(list[Node]), "Query.it", "the interface Node, which has no discriminator", "discriminator="),
        (lambda: _by_field(Node), "Thing.it", "the interface Node, which has no discriminator", "discriminator=..."),
        (_yielded, "Subscription.it", "the interface Node, which has no discriminator", "discriminator=..."),
        (
            lambda: _by_field(list[Node], fraiseql.relation(on={"a": "b"})),
            "Thing.it",
            "the interface Node, which has no discriminator",
            "discriminator=...",
        ),
        (lambda: _by_field(Media), "Thing.it", "Book inside jsonb, with the relation Book.parts", "relation(...) here"),
        (
            lambda: _by_field(Page | None, fraiseql.relation(on={"a": "b"})),
            "Thing.it",
            "relation(...) to Page",
            "a type with sql_source",
        ),
    ],
)
def test_mistake(declare: Made, where: str, found: str, expected: str) -> None:
    with pytest.raises(SchemaError) as caught:
        declare()
    assert caught.value.where == where
    assert found in caught.value.found
    assert expected in caught.value.expected

"""What is declared right becomes the right model and SDL."""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Optional
from uuid import UUID

import pytest
from graphql import validate_schema

import fraiseql
from fraiseql import ID, JSON
from fraiseql.pipeline import print_sdl
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.schema.model import ObjectType, Relation, SchemaModel, Shape, Source, Through
from fraiseql.schema.validate import filtered_field


@fraiseql.enum
class Colour(Enum):
    """Of light."""

    RED = "red"
    DARK_BLUE = "dark blue"


@fraiseql.type(sql_source="v_author")
class Author:
    """Writes books."""

    id: ID
    full_name: str
    books: list[Book] = fraiseql.relation(on={"author_id": "id"})  # declared below


@fraiseql.type
class Size:
    width_mm: int


@fraiseql.type(sql_source="shop.Book", jsonb_column=None)
class Book:
    id: ID
    author: Author | None = fraiseql.relation(on={"id": "author_id"}, name="writtenBy", description="Who wrote it.")
    colours: list[Colour]
    size: Size | None


@fraiseql.query
def books() -> list[Book]:
    """All books."""


def schema_of(*fields: tuple[str, Any, Any], **options: Any) -> fraiseql.Schema:
    """A schema with one type, Thing, that has these fields: name, annotation, default or `...`."""
    body: dict[str, Any] = {"__annotations__": {name: annotation for name, annotation, _ in fields}}
    body.update({name: default for name, _, default in fields if default is not ...})
    thing = fraiseql.type(**{"sql_source": "thing", **options})(type("Thing", (), body))

    def things() -> Any: ...

    things.__annotations__["return"] = list[thing]  # type: ignore[valid-type]
    return fraiseql.Schema(queries=[fraiseql.query(things)])


def thing(schema: fraiseql.Schema) -> ObjectType:
    return schema.model.object_type("Thing")


@pytest.fixture
def model() -> SchemaModel:
    return fraiseql.Schema(queries=[books]).model


def test_types_are_found_from_the_queries(model: SchemaModel) -> None:
    assert {name for name, named in model.types.items() if isinstance(named, ObjectType)} == {"Author", "Book", "Size"}


def test_sources(model: SchemaModel) -> None:
    assert model.object_type("Author").source == Source("v_author", None, "data")
    assert model.object_type("Book").source == Source("Book", "shop", None)
    assert model.object_type("Size").source is None


def test_columns_and_keys(model: SchemaModel) -> None:
    author, book, size = (model.object_type(name).fields for name in ("Author", "Book", "Size"))
    assert (author["fullName"].column, author["fullName"].key) == (None, "full_name")
    assert (book["colours"].column, book["size"].column) == ("colours", "size")
    assert (size["widthMm"].column, size["widthMm"].key) == (None, "width_mm")


def test_relations(model: SchemaModel) -> None:
    assert model.object_type("Author").fields["books"].relation == Relation((("author_id", "id"),), "Book", Shape.LIST)
    written_by = model.object_type("Book").fields["writtenBy"]
    assert written_by.relation == Relation((("id", "author_id"),), "Author", Shape.ROW)
    assert written_by.description == "Who wrote it."


def test_sdl() -> None:
    sdl = print_sdl(fraiseql.Schema(queries=[books]))
    for part in (
        '"""Writes books."""\ntype Author {\n  id: ID!\n  fullName: String!\n  books(',
        '"""Of light."""\nenum Colour {\n  RED\n  DARK_BLUE\n}',
        '  """Who wrote it."""\n  writtenBy: Author\n  colours: [Colour!]!\n  size: Size\n}',
        "type Size {\n  widthMm: Int!\n}",
        "input BookOrderByInput @oneOf {\n  id: OrderDirection\n  writtenBy: AuthorOrderByInput\n"
        "  size: SizeOrderByInput\n}",
        '  """All books."""\n  books(\n    where: BookWhereInput\n    orderBy: [BookOrderByInput!]\n',
    ):
        assert part in sdl


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (str, "String!"),
        (int, "Int!"),
        (float, "Float!"),
        (bool, "Boolean!"),
        (ID, "ID!"),
        (UUID, "UUID!"),
        (dt.datetime, "DateTime!"),
        (dt.date, "Date!"),
        (dt.time, "Time!"),
        (Decimal, "Decimal!"),
        (JSON, "JSON!"),
        (dict, "JSON!"),
        (dict[str, Any], "JSON!"),
        (Colour, "Colour!"),
        (Size, "Size!"),
        (str | None, "String"),
        (Optional[int], "Int"),  # noqa: UP045
        (ID | None, "ID"),
        (list[str], "[String!]!"),
        (list[str | None] | None, "[String]"),
        (list[list[int]], "[[Int!]!]!"),
        (list[Size] | None, "[Size!]"),
        (Annotated[str, "In words."], "String!"),
        (Annotated[int | None, "In figures."], "Int"),
        (Annotated[int, "In figures."] | None, "Int"),
        ("str | None", "String"),
        ("list['Size']", "[Size!]!"),
        ("Annotated[str, 'In words.']", "String!"),
    ],
)
def test_annotations(annotation: Any, shown: str) -> None:
    names = {"Size": Size, "Annotated": Annotated}
    if isinstance(annotation, str):
        annotation = eval(annotation, {}, names)
    assert str(thing(schema_of(("it", annotation, ...))).fields["it"].type) == shown


@pytest.mark.parametrize(
    ("attribute", "name"),
    [
        ("name", "name"),
        ("created_at", "createdAt"),
        ("a_b_c", "aBC"),
        ("iso_3166_code", "iso3166Code"),
        ("alreadyCamel", "alreadyCamel"),
        ("from_", "from"),
        ("HTTP_status", "HTTPStatus"),
    ],
)
def test_camel_case(attribute: str, name: str) -> None:
    assert list(thing(schema_of((attribute, str, ...))).fields) == [name]


@pytest.mark.parametrize(
    ("declared", "options", "expected"),
    [
        ({"column": "real"}, {}, ("it", "real", "it")),
        ({"key": "k"}, {}, ("it", None, "k")),
        ({"name": "other"}, {}, ("other", None, "it")),
        ({"column": "real", "key": "k", "name": "o"}, {}, ("o", "real", "k")),
        ({}, {"jsonb_column": None}, ("it", "it", "it")),
        ({"column": "real"}, {"jsonb_column": None}, ("it", "real", "it")),
    ],
)
@pytest.mark.parametrize("form", ["default", "annotated"])
def test_field_options(declared: dict[str, str], options: dict[str, Any], expected: tuple[Any, ...], form: str) -> None:
    marker = fraiseql.field(**declared)
    entry = ("it", str, marker) if form == "default" else ("it", Annotated[str, marker], ...)
    (field,) = thing(schema_of(entry, **options)).fields.values()
    assert (field.name, field.column, field.key) == expected


@pytest.mark.parametrize(
    ("annotation", "default", "description"),
    [
        (str, ..., None),
        (Annotated[str, "Said here."], ..., "Said here."),
        (str, fraiseql.field(description="Said there."), "Said there."),
        (Annotated[str, "Said here."], fraiseql.field(description="Said there."), "Said there."),
        (Annotated[str, "Said here."], fraiseql.field(key="k"), "Said here."),
        (Annotated[str, fraiseql.field(description="Inside.")], ..., "Inside."),
    ],
)
def test_field_descriptions(annotation: Any, default: Any, description: str | None) -> None:
    assert thing(schema_of(("it", annotation, default))).fields["it"].description == description


def test_relation_inside_annotated() -> None:
    annotation = Annotated[list[Book], fraiseql.relation(on={"a": "b", "c": "d"})]
    field = thing(schema_of(("id", ID, ...), ("books", annotation, ...))).fields["books"]
    assert field.relation == Relation((("a", "b"), ("c", "d")), "Book", Shape.LIST)


def test_relation_through_a_table() -> None:
    options = fraiseql.relation(through="My Schema.loans", own={"a": "b", "c": "d"}, on={"e": "f"}, name="lent")
    field = thing(schema_of(("id", ID, ...), ("books", list[Book], options))).fields["lent"]
    assert field.relation == Relation(
        (("e", "f"),), "Book", Shape.LIST, through=Through(Source("loans", "My Schema", None), (("a", "b"), ("c", "d")))
    )
    assert field.relation.begins_at == ("b", "d")


def test_what_is_no_field() -> None:
    @fraiseql.type(sql_source="t")
    class Plain:
        id: ID
        _private: int
        constant: ClassVar[int] = 3

        def method(self) -> int:
            return 1

    @fraiseql.query
    def plain() -> list[Plain]: ...

    schema = fraiseql.Schema(types=[Plain], queries=[plain])
    assert list(schema.model.object_type("Plain").fields) == ["id"]


def test_inheritance() -> None:
    class Base:
        id: ID
        name: str

    @fraiseql.type(sql_source="base")
    class Sub(Base):
        name: str | None
        more: int

    @fraiseql.type(sql_source="subsub", name="Third")
    class SubSub(Sub):
        last: bool

    @fraiseql.query
    def subs() -> list[Sub]: ...

    @fraiseql.query
    def thirds() -> list[SubSub]: ...

    model = fraiseql.Schema(types=[Sub, SubSub], queries=[subs, thirds]).model
    sub, third = model.object_type("Sub"), model.object_type("Third")
    assert {name: str(field.type) for name, field in sub.fields.items()} == {
        "id": "ID!",
        "name": "String",
        "more": "Int!",
    }
    assert list(third.fields) == ["id", "name", "more", "last"]
    assert third.source == Source("subsub", None, "data")


def test_dataclasses_have_no_made_up_description() -> None:
    @fraiseql.type(sql_source="t")
    @dataclasses.dataclass
    class Point:
        x: int

    @fraiseql.query
    def points() -> list[Point]: ...

    assert fraiseql.Schema(types=[Point], queries=[points]).model.object_type("Point").description is None


@pytest.mark.parametrize("form", ["docstring", "option"])
def test_descriptions_and_names(form: str) -> None:
    if form == "docstring":

        class Thing:
            """Of the type.

            Second paragraph.
            """

            id: ID

        declared = fraiseql.type(sql_source="t", name="Other")(Thing)
        text = "Of the type.\n\nSecond paragraph."
    else:

        class Thing2:
            """Not this."""

            id: ID

        declared = fraiseql.type(sql_source="t", name="Other", description="This.")(Thing2)
        text = "This."

    def all_things() -> Any: ...

    all_things.__annotations__["return"] = list[declared]  # type: ignore[valid-type]
    query = fraiseql.query(name="things", description="Of the query.")(all_things)
    model = fraiseql.Schema(queries=[query]).model
    assert model.object_type("Other").description == text
    assert model.queries["things"].description == "Of the query."


def test_enums() -> None:
    enum = fraiseql.Schema(queries=[books]).model.types["Colour"]
    assert enum.values == {"RED": "red", "DARK_BLUE": "dark blue"}  # type: ignore[union-attr]


@fraiseql.input
class BookInput:
    """Which book."""

    id: ID
    colour: Colour = Colour.RED
    page_count: int | None = None
    price: Annotated[Decimal, "In euros."] = Decimal("9.90")
    printed: dt.date = dt.date(2024, 2, 29)


@fraiseql.type(sql_source="paperback", jsonb_column=None)
class Paperback:
    id: ID
    colour: Colour
    page_count: int | None
    price: Decimal
    printed: dt.date


@fraiseql.query
def paperbacks(which: BookInput, page_count: int | None = None, colour: Colour = Colour.DARK_BLUE) -> list[Paperback]:
    """Some."""


def test_inputs_as_arguments_and_their_defaults() -> None:
    sdl = print_sdl(fraiseql.Schema(queries=[paperbacks]))
    assert (
        '"""Which book."""\n'
        "input BookInput {\n"
        "  id: ID!\n"
        "  colour: Colour! = RED\n"
        "  pageCount: Int\n"
        '\n  """In euros."""\n  price: Decimal! = "9.90"\n'
        '  printed: Date! = "2024-02-29"\n'
        "}"
    ) in sdl
    assert "    which: BookInput!\n    pageCount: Int\n    colour: Colour! = DARK_BLUE\n    where: Paper" in sdl


def test_graphql_core_accepts_what_we_do() -> None:
    @fraiseql.input
    class Tree:
        below: Tree | None
        beside: list[Tree]

    schema = fraiseql.Schema(types=[Tree], queries=[books, paperbacks])
    assert validate_schema(build_graphql_schema(schema.model)) == []


def test_single_objects_have_no_page() -> None:
    @fraiseql.query
    def paperback(id: ID) -> Paperback | None: ...

    assert "paperback(id: ID!): Paperback\n" in print_sdl(fraiseql.Schema(queries=[paperback]))


def _pass() -> list[Paperback]:
    pass  # type: ignore[return-value]


def _ellipsis() -> list[Paperback]: ...


def _docstring() -> list[Paperback]:
    """Only this."""


def _several() -> list[Paperback]:
    """This."""
    pass  # noqa: PIE790 # type: ignore[return-value]


async def _asynchronous() -> list[Paperback]:
    """Only this."""


@pytest.mark.parametrize("function", [_pass, _ellipsis, _docstring, _several, _asynchronous])
def test_queries_without_a_body(function: Callable[..., Any]) -> None:
    assert list(fraiseql.Schema(queries=[fraiseql.query(name="it")(function)]).model.queries) == ["it"]


def test_forward_references_to_classes_of_a_function() -> None:
    @fraiseql.type(sql_source="a")
    class First:
        id: ID
        second: Second | None = fraiseql.relation(on={"id": "second_id"})  # type: ignore[name-defined]

    @fraiseql.type(sql_source="b")
    class Second:
        id: ID
        first: list[First] = fraiseql.relation(on={"second_id": "id"})

    @fraiseql.query
    def firsts() -> list[First]: ...

    model = fraiseql.Schema(types=[First, Second], queries=[firsts]).model
    assert str(model.object_type("First").fields["second"].type) == "Second"
    assert str(model.object_type("Second").fields["first"].type) == "[First!]!"


def test_from_module() -> None:
    module = types.ModuleType("app")
    vars(module).update(books=books, Author=Author, again=Author, paperbacks=paperbacks, number=3, text="x", Any=Any)
    schema = fraiseql.Schema.from_module(module)
    assert list(schema.model.queries) == ["books", "paperbacks"]
    assert {"Author", "Book", "Paperback", "BookInput"} <= schema.model.types.keys()


def test_schema_cannot_be_changed() -> None:
    model = fraiseql.Schema(queries=[books]).model
    with pytest.raises(TypeError):
        model.types["X"] = model.types["ID"]  # type: ignore[index]
    with pytest.raises(TypeError):
        model.object_type("Book").fields["x"] = None  # type: ignore[index]
    with pytest.raises(AttributeError):
        model.queries = {}  # type: ignore[misc]


def test_an_argument_is_compared_with_the_attribute_of_its_name() -> None:
    """Not with a field before it whose column, key or GraphQL name that is."""

    @fraiseql.type(sql_source="posts", jsonb_column=None)
    class Post:
        heading: str = fraiseql.field(column="title")
        title: str = fraiseql.field(column="subject")
        other: str = fraiseql.field(column="remark")

    def posts(title: str, subject: str, remark: str) -> list[Post]: ...

    posts.__annotations__["return"] = list[Post]
    model = fraiseql.Schema(types=[Post], queries=[fraiseql.query(posts)]).model
    found = {
        name: filtered_field(model.object_type("Post"), argument)
        for name, argument in model.queries["posts"].arguments.items()
    }
    assert {name: field and field.name for name, field in found.items()} == {
        "title": "title",
        "subject": "title",
        "remark": "other",
    }

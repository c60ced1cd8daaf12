"""Methods that are fields: how they are declared, and what is wrong with those that cannot be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import pytest

import fraiseql
from fraiseql import ID, Connection, Info
from fraiseql.errors import SchemaError
from fraiseql.pipeline.graphql_schema import print_sdl
from fraiseql.schema.computed import needed_fields
from fraiseql.schema.model import Field, Resolver


@fraiseql.type(sql_source="other", jsonb_column=None)
class Other:
    id: ID


@fraiseql.type
class Inner:
    text: str
    again: Inner | None
    further: list[Further]


@fraiseql.type
class Further:
    inner: Inner | None
    text: str


@fraiseql.input
class Wish:
    text: str


@fraiseql.directive(locations=["FIELD_DEFINITION", "ARGUMENT_DEFINITION"])
def owner(team: str) -> None: ...


class _Slots:
    __slots__ = ()


def fields_of(cls: Any) -> dict[str, Field]:
    return dict(schema_of(cls).model.object_type(cls.__name__).fields)


def schema_of(cls: Any) -> fraiseql.Schema:
    def things() -> Any: ...

    things.__annotations__["return"] = list[cls]
    return fraiseql.Schema(queries=[fraiseql.query(things)], types=[Inner, Other, Wish])


def resolver(field: Field) -> Resolver:
    assert field.resolver is not None
    return field.resolver


def test_methods_come_behind_attributes_and_are_inherited() -> None:
    class Base:
        @fraiseql.field
        def first(self) -> int:
            return 1

        @fraiseql.field
        def replaced(self) -> int:
            return 1

        @fraiseql.field
        def withdrawn(self) -> int:
            return 1

    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing(Base):
        @fraiseql.field(name="other", description="Said here.")
        async def second(self, info: Info, at_most: int = 3) -> str | None:
            """Not used."""
            return None

        id: ID

        @fraiseql.field(needs=["id"])
        def replaced(self) -> int:
            return 2

        withdrawn = None

    found = fields_of(Thing)
    assert list(found) == ["id", "first", "replaced", "other"]
    other = found["other"]
    assert (other.description, str(other.type), other.attribute, other.column) == (
        "Said here.",
        "String",
        "second",
        None,
    )
    assert resolver(other).takes_info
    assert list(resolver(other).arguments) == ["atMost"]
    assert resolver(found["replaced"]).needs == ("id",)
    assert Thing().replaced() == 2  # they stay what they are


def test_batches_are_static_methods_in_either_order() -> None:
    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID

        @fraiseql.field(batch=True)
        @staticmethod
        def one(things: list[Thing], info: Info) -> list[int | None]:
            return []

        @staticmethod
        @fraiseql.field(batch=True)
        async def two(things: list[Thing], limit: int = 5) -> list[list[str]]:
            return []

    found = fields_of(Thing)
    assert [str(found[name].type) for name in ("one", "two")] == ["Int", "[String!]!"]
    assert [resolver(found[name]).is_batch for name in ("one", "two")] == [True, True]
    assert Thing.one([], None) == []  # type: ignore[arg-type]


def test_decorators_below_and_above() -> None:
    def loud(function: Callable[..., str]) -> Callable[..., str]:
        @wraps(function)
        def louder(*arguments: Any, **named: Any) -> str:
            return function(*arguments, **named).upper()

        return louder

    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID

        @fraiseql.field
        @loud
        def below(self, size: int) -> str:
            return "below"

        @loud
        @fraiseql.field
        def above(self) -> str:
            return "above"

    found = fields_of(Thing)
    assert list(resolver(found["below"]).arguments) == ["size"]
    assert resolver(found["above"]).function(Thing()) == "ABOVE"


@pytest.mark.parametrize("options", [{}, {"frozen": True}, {"slots": True}, {"slots": True, "frozen": True}])
def test_attributes_that_are_not_held(options: dict[str, bool]) -> None:
    @fraiseql.type(sql_source="thing", jsonb_column=None)
    @dataclass(**options)
    class Thing:
        id: ID
        name: str = fraiseql.field(column="label")
        others: list[Other] = fraiseql.relation(on={"thing_id": "id"})  # noqa: RUF009 - it is a marker

        @fraiseql.field
        def it(self) -> str:
            return self.name

    assert fields_of(Thing)["name"].column == "label"
    thing = object.__new__(Thing)
    for name in ("id", "name", "others"):
        with pytest.raises(AttributeError) as caught:
            getattr(thing, name)
        assert (caught.value.name, caught.value.obj) == (name, thing)
    object.__setattr__(thing, "name", "held")
    assert thing.it() == "held"


def test_by_default_a_method_needs_all_that_its_object_holds() -> None:
    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID
        inner: Inner | None
        total: int = fraiseql.field(sql="{a} + {b}")
        others: list[Other] = fraiseql.relation(on={"thing_id": "id"})

        @fraiseql.field
        def it(self) -> int:
            return 1

    model = schema_of(Thing).model
    thing = model.object_type("Thing")
    assert [field.name for field in needed_fields(model, thing, resolver(thing.fields["it"]))] == [
        "id",
        "inner",
        "total",
    ]


def a_method(function: Any, **options: Any) -> Any:
    """A type Thing with a method `it`."""
    decorated = fraiseql.field(**options)(function) if options else fraiseql.field(function)
    cls = type("Thing", (), {"__annotations__": {"id": ID, "it_all": str}, "__module__": __name__, "it": decorated})
    return schema_of(fraiseql.type(sql_source="thing", jsonb_column=None)(cls))


def _plain(self: Any) -> int:
    return 1


def _without_return(self: Any): ...  # type: ignore[no-untyped-def]


def _without_body(self: Any) -> int: ...


def _without_self() -> int:
    return 1


def _untyped(self: Any, size) -> int:  # type: ignore[no-untyped-def]
    return 1


def _several(self: Any, *sizes: int) -> int:
    return 1


def _renamed(self: Any, size: int = fraiseql.field(column="x")) -> int:
    return 1


def _of_object(self: Any, size: Inner) -> int:
    return 1


def _generates(self: Any) -> Iterator[int]:
    yield 1


async def _generates_later(self: Any) -> AsyncIterator[int]:
    yield 1


def _row(self: Any) -> Other | None:
    return None


def _connection(self: Any) -> Connection[Other]:
    raise NotImplementedError


def _input(self: Any) -> Wish | None:
    return None


def _unknown(self: Any) -> object:
    return None


def _no_list(things: list[Any]) -> int:
    return 1


_ROWS = "a scalar, an enum or a type without sql_source"


@pytest.mark.parametrize(
    ("declare", "where", "found", "expected"),
    [
        (lambda: fraiseql.field("x"), "@fraiseql.field", "'x'", "a method"),  # type: ignore[call-overload]
        (lambda: fraiseql.field(property(_plain)), "@fraiseql.field", "<property", "a method"),
        (lambda: a_method(_plain, column="x"), "_plain", "column='x' for a method", 'needs=["attribute", ...]'),
        (lambda: a_method(_plain, key="x"), "_plain", "key='x' for a method", 'needs=["attribute", ...]'),
        (lambda: a_method(_plain, sql="1"), "_plain", "sql='1' for a method", 'needs=["attribute", ...]'),
        (lambda: a_method(_plain, needs="id"), "Thing.it (needs)", "'id'", '["attribute", ...]'),
        (lambda: a_method(_plain, needs=[1]), "Thing.it (needs)", "(1,)", '["attribute", ...]'),
        (lambda: a_method(_plain, needs=["itAll"]), "Thing.it (needs)", "'itAll'", "an attribute of Thing"),
        (lambda: a_method(_plain, needs=["it"]), "Thing.it (needs)", "the method 'it'", "what that method needs"),
        (lambda: a_method(_plain, name="it all"), "Thing.it", "the name 'it all'", "a GraphQL name"),
        (lambda: a_method(_plain, name="itAll"), "Thing.it", "a second field named itAll", "one field of each name"),
        (lambda: a_method(_without_return), "Thing.it", "no return annotation", "->"),
        (lambda: a_method(_without_body), "Thing.it", "a method without a body", "one that returns Int!"),
        (lambda: a_method(_without_self), "Thing.it", "no first parameter", "self"),
        (lambda: a_method(_untyped), "Thing.it(size)", "no annotation", "a scalar"),
        (lambda: a_method(_several), "Thing.it(sizes)", "variadic positional", "a named parameter"),
        (lambda: a_method(_renamed), "Thing.it(size)", "column='x'", "name=... only"),
        (lambda: a_method(_of_object), "Thing.it(size)", "the output type Inner", "an input type"),
        (lambda: a_method(_generates), "Thing.it", "a generator function", "a function that returns"),
        (lambda: a_method(_generates_later), "Thing.it", "a generator function", "a function that returns"),
        (lambda: a_method(_row), "Thing.it", "Other, which has a sql_source, from a method", _ROWS),
        (lambda: a_method(_connection), "Thing.it", "the type OtherConnection!", _ROWS),
        (lambda: a_method(_input), "Thing.it", "the input type Wish", "an output type"),
        (lambda: a_method(_unknown), "Thing.it -> ...", "object", "a scalar"),
        (lambda: a_method(_plain, batch=True), "Thing.it", "batch=True for a method of instances", "@staticmethod"),
        (lambda: a_method(staticmethod(_plain)), "Thing.it", "a static method without batch=True", "@staticmethod"),
        (lambda: a_method(staticmethod(_no_list), batch=True), "Thing.it -> ...", "int", "list[T]"),
        (lambda: a_method(staticmethod(_without_self), batch=True), "Thing.it", "no first parameter", "the list"),
    ],
)
def test_mistakes(declare: Callable[[], Any], where: str, found: str, expected: str) -> None:
    with pytest.raises(SchemaError) as caught:
        declare()
    assert caught.value.where == where
    assert found in caught.value.found
    assert expected in caught.value.expected


def test_a_relation_cannot_be_needed() -> None:
    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID
        others: list[Other] = fraiseql.relation(on={"thing_id": "id"})

        @fraiseql.field(needs=["others"])
        def it(self) -> int:
            return 1

    with pytest.raises(SchemaError, match=r"Thing\.it \(needs\): found the relation 'others'"):
        schema_of(Thing)


@pytest.mark.parametrize(
    ("base", "body", "found"),
    [
        (dict, {}, "Thing, of which no instance can be made (object.__new__(Thing) is not safe"),
        (ABC, {"missing": abstractmethod(_plain)}, "Thing, of which no instance can be made (Can't instantiate"),
        (_Slots, {"__slots__": ()}, "Thing, of which no instance can be made ('Thing' object has no attribute 'id'"),
    ],
)
def test_classes_without_instances_are_refused(base: type, body: dict[str, Any], found: str) -> None:
    body = {"__annotations__": {"id": ID}, "__module__": __name__, "it": fraiseql.field(_plain), **body}
    thing = fraiseql.type(sql_source="thing", jsonb_column=None)(type(base)("Thing", (base,), body))
    with pytest.raises(SchemaError) as caught:
        schema_of(thing)
    assert found in caught.value.found
    assert caught.value.expected == "a plain class or a dataclass"


def test_class_methods_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"found <classmethod.*expected a method"):

        class Below:
            @fraiseql.field  # type: ignore[arg-type]
            @classmethod
            def it(cls) -> int:
                return 1

    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID

        @classmethod
        @fraiseql.field
        def it(cls) -> int:
            return 1

    with pytest.raises(SchemaError, match=r"Thing\.it: found a class method"):
        schema_of(Thing)


@pytest.mark.parametrize("options", [{"needs": ["x"]}, {"batch": True}])
def test_attributes_are_given_no_options_of_methods(options: Any) -> None:
    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID = fraiseql.field(**options)

    with pytest.raises(SchemaError, match=r"Thing\.id: found .* for an attribute; expected a method"):
        schema_of(Thing)


def test_a_method_is_no_field_of_an_input_nor_the_target_of_an_argument() -> None:
    @fraiseql.input
    class Named:
        name: str

        @fraiseql.field
        def it(self) -> int:
            return 1

    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID

        @fraiseql.field
        def size(self) -> int:
            return 1

    def things(size: int) -> Any: ...

    things.__annotations__["return"] = list[Thing]
    with pytest.raises(SchemaError, match=r"Query\.things\(size\): found no field of Thing named 'size'"):
        fraiseql.Schema(queries=[fraiseql.query(things)])
    with pytest.raises(SchemaError, match=r"Named\.it: found @fraiseql\.field for a method of an input type"):
        fraiseql.Schema(types=[Named], queries=[])


def test_methods_are_deprecated_and_have_directives() -> None:
    @fraiseql.type(sql_source="thing", jsonb_column=None)
    class Thing:
        id: ID

        @fraiseql.field(deprecated="Ask for id.", directives=[owner(team="a")])
        def it(self, size: Annotated[int, fraiseql.field(directives=[owner(team="b")])] = 1) -> int:
            return 1

    printed = print_sdl(schema_of(Thing))
    assert 'it(size: Int! = 1 @owner(team: "b")): Int! @deprecated(reason: "Ask for id.") @owner(team: "a")' in printed

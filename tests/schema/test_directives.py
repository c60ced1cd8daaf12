"""`fraiseql.directive`, `deprecated` and `one_of`: the SDL that they make, and what is wrong use of them."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Callable
from enum import Enum
from typing import Annotated, Any

import pytest
from graphql import build_schema, validate_schema

import fraiseql
from fraiseql import ID, JSON
from fraiseql.errors import SchemaError
from fraiseql.pipeline import print_sdl
from fraiseql.pipeline.graphql_schema import build_graphql_schema

EVERYWHERE = [
    *("INTERFACE", "UNION", "SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION", "ARGUMENT_DEFINITION", "ENUM"),
    *("ENUM_VALUE", "INPUT_OBJECT", "INPUT_FIELD_DEFINITION"),
]


@fraiseql.enum
class Level(Enum):
    LOW = "low one"
    HIGH = "high one"


@fraiseql.directive(locations=EVERYWHERE, repeatable=True)
def tag(name: str, level: Level | None = Level.HIGH, how_many: Annotated[list[int] | None, "Of them."] = None) -> None:
    """A label."""


@fraiseql.directive(locations=["OBJECT"])
def key(data: JSON): ...


@fraiseql.directive(locations=["FIELD", "QUERY"], name="trace", description="For logs.")
def _traced() -> None: ...


Url = Annotated[
    str, fraiseql.scalar("Url", sql_type="text", specified_by_url="https://url.spec/", directives=[tag("scalar")])
]


@fraiseql.enum(
    values={
        "OLD": fraiseql.field(deprecated='Say "NEW".', description="Not new.", directives=[tag("value")]),
        "NEW": fraiseql.field(description="Not old."),
    },
    directives=[tag("enum")],
)
class Age(Enum):
    OLD = "old"
    NEW = "new"


@fraiseql.input(one_of=True, directives=[tag("input")])
class ThingBy:
    id: Annotated[ID | None, fraiseql.field(directives=[tag("input field")])]
    name: str | None = None


@fraiseql.input
class Loose:
    old: Annotated[str | None, fraiseql.field(deprecated="Old.")]
    older: Annotated[str, fraiseql.field(deprecated="Older.")] = "x"


@fraiseql.type(sql_source="thing", jsonb_column=None, directives=[key({"a": [1, None]}), tag("type")])
class Thing:
    """What there is."""

    id: ID
    name: str = fraiseql.field(deprecated="Use id.", directives=[tag("field", Level.LOW, how_many=[1, 2])])
    age: Age
    home: Url | None
    parts: list[Thing] = fraiseql.relation(on={"whole": "id"}, deprecated="None.", directives=[tag("relation")])


@fraiseql.interface(sql_source="animal", jsonb_column=None, discriminator="kind", directives=[tag("interface")])
class Animal:
    id: ID
    legs: int = fraiseql.field(deprecated="Look.", directives=[tag("of an interface")])


@fraiseql.type(when="cat", directives=[tag("member")])
class Cat(Animal):
    """Says little."""


@fraiseql.type(when="dog")
class Dog(Animal):
    good: bool


@fraiseql.union(
    sql_source="animal", jsonb_column=None, discriminator="kind", types={"cat": Cat}, directives=[tag("union")]
)
class Quiet: ...


@fraiseql.query
def animals() -> list[Animal]: ...


@fraiseql.query
def quiet() -> list[Quiet]: ...


@fraiseql.query(directives=[tag('a "quoted" \\ \n é')])
def thing(by: Annotated[ThingBy, fraiseql.field(directives=[tag("argument")])]) -> Thing | None: ...


@fraiseql.query(deprecated="Use thing.")
def things(age: Annotated[Age | None, fraiseql.field(deprecated="Use where.")] = None) -> list[Thing]: ...


@fraiseql.subscription(deprecated="Poll.", directives=[tag("subscription")])
async def ticks(loose: Loose | None = None) -> AsyncIterator[int]:
    yield 1


@pytest.fixture(scope="module")
def schema() -> fraiseql.Schema:
    return fraiseql.Schema(
        types=[Cat, Dog],
        queries=[thing, things, animals, quiet],
        subscriptions=[ticks],
        directives=[_traced],
        applied_directives=[tag("schema")],
    )


@pytest.mark.parametrize(
    "part",
    [
        'schema @tag(name: "schema") {\n  query: Query\n  subscription: Subscription\n}\n',
        '"""A label."""\ndirective @tag(\n  name: String!\n  level: Level = HIGH\n\n'
        '  """Of them."""\n  howMany: [Int!]\n) repeatable on INTERFACE | UNION | SCHEMA | SCALAR | ',
        "directive @key(data: JSON!) on OBJECT\n",
        '"""For logs."""\ndirective @trace on FIELD | QUERY\n',
        'scalar Url @specifiedBy(url: "https://url.spec/") @tag(name: "scalar")\n',
        'enum Age @tag(name: "enum") {\n  """Not new."""\n'
        '  OLD @deprecated(reason: "Say \\"NEW\\".") @tag(name: "value")\n\n  """Not old."""\n  NEW\n}\n',
        'input ThingBy @oneOf @tag(name: "input") {\n  id: ID @tag(name: "input field")\n  name: String\n}\n',
        'input Loose {\n  old: String @deprecated(reason: "Old.")\n'
        '  older: String! = "x" @deprecated(reason: "Older.")\n}\n',
        '"""What there is."""\ntype Thing @key(data: { a: [1, null] }) @tag(name: "type") {\n',
        '  name: String! @deprecated(reason: "Use id.") @tag(name: "field", level: LOW, howMany: [1, 2])\n',
        'interface Animal @tag(name: "interface") {\n  id: ID!\n'
        '  legs: Int! @deprecated(reason: "Look.") @tag(name: "of an interface")\n}\n',
        'type Cat implements Animal @tag(name: "member") {\n  id: ID!\n'
        '  legs: Int! @deprecated(reason: "Look.") @tag(name: "of an interface")\n}\n',
        'union Quiet @tag(name: "union") = Cat\n',
        '  ): [Thing!]! @deprecated(reason: "None.") @tag(name: "relation")\n',
        '  thing(by: ThingBy! @tag(name: "argument")): Thing @tag(name: "a \\"quoted\\" \\\\ \\n é")\n',
        '    age: Age @deprecated(reason: "Use where.")\n',
        '  ): [Thing!]! @deprecated(reason: "Use thing.")\n',
        '  ticks(loose: Loose): Int! @deprecated(reason: "Poll.") @tag(name: "subscription")\n',
    ],
)
def test_sdl(schema: fraiseql.Schema, part: str) -> None:
    assert part in print_sdl(schema)


def test_the_sdl_is_a_schema(schema: fraiseql.Schema) -> None:
    assert not validate_schema(build_graphql_schema(schema.model))
    assert not validate_schema(build_schema(print_sdl(schema)))


def test_a_type_with_the_name_of_a_root() -> None:
    """GraphQL then wants the definition of the schema, which is there once."""
    mutation = fraiseql.type(type("Mutation", (), {"__annotations__": {"id": ID}}))
    sdl = print_sdl(fraiseql.Schema(types=[mutation], queries=[things], applied_directives=[tag("x")]))
    assert sdl.startswith('schema @tag(name: "x") {\n  query: Query\n}\n')
    assert sdl.count("schema") == 1


def test_a_directive_without_applying_it() -> None:
    sdl = print_sdl(fraiseql.Schema(queries=[_books], directives=[_traced]))
    assert "directive @trace on FIELD | QUERY" in sdl
    assert "@tag" not in sdl


def test_from_module_takes_directives() -> None:
    module = types.ModuleType("module")
    module.books, module.traced, module.other = _books, _traced, tag("x")  # type: ignore[attr-defined]
    schema = fraiseql.Schema.from_module(module, applied_directives=[tag("schema")])
    assert set(schema.model.directives) == {"trace", "tag"}


@fraiseql.type(sql_source="book")
class Book:
    id: ID
    title: str


@fraiseql.query
def _books() -> list[Book]: ...


def _schema(*declared: Any, **options: Any) -> fraiseql.Schema:
    return fraiseql.Schema(types=declared, queries=[_books], **options)


def _type(default: Any = None, annotation: Any = str, **options: Any) -> fraiseql.Schema:
    body = {"__annotations__": {"it": annotation}, **({} if default is None else {"it": default})}
    return _schema(fraiseql.type(**options)(type("Made", (), body)))


def _input(annotation: Any, *default: Any, **options: Any) -> fraiseql.Schema:
    body = {"__annotations__": {"it": annotation}, **({"it": default[0]} if default else {})}
    return _schema(fraiseql.input(**options)(type("Made", (), body)))


def _enum(**options: Any) -> fraiseql.Schema:
    return _schema(fraiseql.enum(**options)(Enum("Made", {"A": "a"})))  # type: ignore[arg-type]


def _argument(annotation: Any, *default: Any) -> fraiseql.Schema:
    def it(title: Any) -> Any: ...

    it.__annotations__ = {"title": annotation, "return": list[Book]}
    it.__defaults__ = default
    return fraiseql.Schema(queries=[fraiseql.query(it)])


def _directive(function: Any, **options: Any) -> fraiseql.Schema:
    return _schema(directives=[fraiseql.directive(**{"locations": ["OBJECT"], **options})(function)])


def _of(**annotations: Any) -> Callable[..., None]:
    def it(value: Any) -> None: ...

    it.__annotations__ = annotations
    return it


def _with_body() -> None:
    raise NotImplementedError


def _returning() -> int: ...


def _starred(*names: str) -> None: ...


def _unannotated(name): ...  # type: ignore[no-untyped-def]


@fraiseql.directive(locations=["OBJECT"])
def once(number: int = 1) -> None: ...


def _again() -> Any:
    @fraiseql.directive(locations=["OBJECT"])
    def once() -> None: ...

    return once()


def _itself() -> fraiseql.Schema:
    function = _of()
    function.__defaults__ = (None,)  # type: ignore[attr-defined]
    ours = fraiseql.directive(locations=["INPUT_FIELD_DEFINITION"], name="ours")(function)
    annotation = Annotated[str | None, fraiseql.field(directives=[ours()])]
    inner = fraiseql.input(type("Inner", (), {"__annotations__": {"it": annotation}}))
    function.__annotations__ = {"value": inner | None}
    return _schema(directives=[ours])


@pytest.mark.parametrize(
    ("build", "where", "found"),
    [
        # deprecated
        (lambda: _type(fraiseql.field(deprecated="")), "Made.it", "''"),
        (lambda: _type(fraiseql.field(deprecated=True)), "Made.it", "True"),  # type: ignore[arg-type]
        (lambda: _input(Annotated[str, fraiseql.field(deprecated="x")]), "Made.it", "deprecated='x' of what is"),
        (lambda: _argument(Annotated[str, fraiseql.field(deprecated="x")]), "it(title)", "deprecated='x' of what is"),
        (lambda: _enum(values={"B": fraiseql.field(deprecated="x")}), "Made (values)", "'B'"),
        (lambda: _enum(values={"A": "x"}), "Made.A", "'x'"),
        (lambda: _enum(values=["A"]), "Made (values)", "['A']"),
        (lambda: _enum(values={"A": fraiseql.field(name="x")}), "Made.A", "name='x'"),
        (lambda: _enum(values={"A": fraiseql.field(deprecated=1)}), "Made.A", "1"),  # type: ignore[arg-type]
        # one_of
        (lambda: _input(str, one_of=True), "Made.it", "the type String! in a one_of input"),
        (lambda: _input(str | None, "x", one_of=True), "Made.it", "a default in a one_of input"),
        # scalars
        (lambda: fraiseql.scalar("X", sql_type="text", specified_by_url=1), "scalar('X')", "specified_by_url=1"),  # type: ignore[arg-type]
        # declaring a directive
        (lambda: fraiseql.directive(locations=[])(_of()), "directive it", "no location"),
        (lambda: fraiseql.directive(locations="FIELD")(_of()), "directive it", "locations='FIELD'"),
        (lambda: fraiseql.directive(locations=["NOWHERE"])(_of()), "directive it", "the location 'NOWHERE'"),
        (lambda: fraiseql.directive(locations=[[]])(_of()), "directive it", "the location []"),  # type: ignore[list-item]
        (lambda: fraiseql.directive(locations=["FIELD"])("x"), "@fraiseql.directive", "'x'"),  # type: ignore[arg-type]
        (lambda: fraiseql.directive(locations=["FIELD"], name="skip")(_of()), "directive it", "the name skip"),
        (lambda: fraiseql.directive(locations=["FIELD"], name="a-b")(_of()), "directive it", "the name 'a-b'"),
        (lambda: _directive(_with_body), "@_withBody", "a function body"),
        (lambda: _directive(_returning), "_returning -> ...", "int"),
        (lambda: _directive(_starred), "_starred(names)", "variadic positional"),
        (lambda: _directive(_unannotated), "_unannotated(name)", "no annotation"),
        (lambda: _directive(_of(value=Book)), "@it(value)", "the output type Book"),
        (lambda: _directive(_of(value=object)), "@it(value)", "object"),
        (lambda: _directive(_of(value=Annotated[str, fraiseql.field(column="x")])), "@it(value)", "column='x'"),
        (lambda: _schema(directives=tag), "Schema(directives=...)", "directives="),
        (lambda: _schema(directives=[tag("x")]), "Schema(directives=...)", "Use("),
        (_itself, "@ours", "arguments that it is applied to itself"),
        # applying one
        (lambda: tag(), "@tag", "missing a required argument: 'name'"),  # type: ignore[call-arg]
        (lambda: tag("x", nope=1), "@tag", "got an unexpected keyword argument 'nope'"),  # type: ignore[call-arg]
        (lambda: _type(directives=[tag]), "Made", "@tag without arguments"),
        (lambda: _type(directives=once()), "Made", "directives=Use("),
        (lambda: _type(directives=["x"]), "Made", "'x'"),
        (lambda: _type(directives=[once(), once()]), "Made", "@once twice"),
        (lambda: _type(directives=[once(), _again()]), "@once", "two directives of that name"),
        (lambda: _type(fraiseql.field(directives=[once()])), "Made.it", "@once on FIELD_DEFINITION"),
        (lambda: _enum(directives=[once()]), "Made", "@once on ENUM"),
        (lambda: _input(str, directives=[once()]), "Made", "@once on INPUT_OBJECT"),
        (lambda: _schema(applied_directives=[once()]), "Schema", "@once on SCHEMA"),
        (lambda: _type(directives=[once("x")]), "@once(number:) on Made", "the value 'x'"),  # type: ignore[arg-type]
        (lambda: _type(directives=[once(None)]), "@once(number:) on Made", "the value None"),  # type: ignore[arg-type]
        (lambda: _type(directives=[tag("x", level="HIGH")]), "@tag(level:) on Made", "the value 'HIGH'"),  # type: ignore[arg-type]
        (lambda: _schema(applied_directives=[tag(1)]), "@tag(name:) on Schema", "the value 1"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_mistakes(build: Callable[[], object], where: str, found: str) -> None:
    with pytest.raises(SchemaError) as raised:
        build()
    assert str(raised.value).startswith((where, f"fraiseql.{where}", f"@fraiseql.{where}")), raised.value
    assert f"found {found}" in str(raised.value)
    assert "expected " in str(raised.value)

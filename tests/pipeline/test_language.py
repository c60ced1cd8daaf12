"""Documents: several operations, @oneOf inputs, what is deprecated, and the directives that a schema declares."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any

import pytest
from graphql import build_client_schema, get_introspection_query, print_schema

import fraiseql
from fraiseql import ID
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.pipeline.graphql_schema import build_graphql_schema


@fraiseql.enum(values={"OLD": fraiseql.field(deprecated="Use NEW.", description="Not new.")})
class Age(Enum):
    OLD = "old"
    NEW = "new"


@fraiseql.directive(
    locations=[
        *("QUERY", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD", "INLINE_FRAGMENT", "VARIABLE_DEFINITION"),
    ]
)
def trace(label: str, rate: float | None = None, ages: list[Age] | None = None) -> None: ...


@fraiseql.directive(locations=["FIELD"], repeatable=True)
def note(text: str | None = "") -> None: ...


Isbn = Annotated[str, fraiseql.scalar("Isbn", sql_type="text", specified_by_url="https://www.isbn.org/")]


@fraiseql.input(one_of=True)
class BookBy:
    id: ID | None
    title: str | None
    age: Age | None


@fraiseql.input
class Within:
    by: BookBy


@fraiseql.type(sql_source="books", jsonb_column=None)
class Book:
    id: ID
    title: str
    name: str = fraiseql.field(column="title", deprecated="Use title.")
    age: Age
    isbn: Isbn | None
    sequels: list[Book] = fraiseql.relation(on={"after": "id"}, deprecated="There are none.")


@fraiseql.query
def book(by: BookBy) -> Book | None: ...


@fraiseql.query
def book_within(within: Within) -> Book | None: ...


@fraiseql.query(deprecated="Use book.")
def books(age: Annotated[Age | None, fraiseql.field(deprecated="Use where.")] = None) -> list[Book]: ...


_SCHEMA = fraiseql.Schema(queries=[book, book_within, books], directives=[trace, note])
_PIPELINE = Pipeline(_SCHEMA)
_WITHOUT_INTROSPECTION = Pipeline(_SCHEMA, introspection=False)


@pytest.fixture
def ask(execute_with: Callable[..., Any]) -> Callable[..., Any]:
    """Without introspection too, which all that does not ask for the schema is the same for."""

    def ask(document: str, *arguments: Any) -> Any:
        answer = execute_with(_PIPELINE, document, *arguments)
        if "__" not in document:
            other = execute_with(_WITHOUT_INTROSPECTION, document, *arguments)
            assert (other.response.body, other.fetches) == (answer.response.body, answer.fetches)
        return answer

    return ask


@pytest.mark.parametrize(("operation", "column"), [("A", "title"), ("B", "age")])
def test_one_of_several_operations_runs(operation: str, column: str) -> None:
    document = "query A { books { ...F } } query B { books { age } } fragment F on Book { title }"
    sql = _PIPELINE.explain(document, operation_name=operation).sql
    assert f'"{column}"' in sql
    assert ('"title"' in sql) is (column == "title")


def test_introspection_tells_the_whole_schema(ask: Callable[..., Any]) -> None:
    options = {"specified_by_url": True, "directive_is_repeatable": True, "input_value_deprecation": True}
    answer = ask(get_introspection_query(**options, one_of=True))
    assert {"name": "Isbn", "url": "https://www.isbn.org/"} in [
        {"name": each["name"], "url": each["specifiedByURL"]} for each in answer.json["data"]["__schema"]["types"]
    ]
    told = print_schema(build_client_schema(answer.json["data"]))
    assert sorted(told.split("\n\n")) == sorted(print_schema(build_graphql_schema(_SCHEMA.model)).split("\n\n"))


_DEPRECATED = """{
  book: __type(name: "Book") { fields(includeDeprecated: %s) { name deprecationReason } }
  where: __type(name: "BookWhereInput") { inputFields(includeDeprecated: %s) { name deprecationReason } }
  order: __type(name: "BookOrderByInput") { inputFields(includeDeprecated: %s) { name deprecationReason } }
  age: __type(name: "Age") { enumValues(includeDeprecated: %s) { name description isDeprecated deprecationReason } }
  query: __type(name: "Query") {
    fields(includeDeprecated: %s) { name deprecationReason args(includeDeprecated: %s) { name deprecationReason } }
  }
  by: __type(name: "BookBy") { isOneOf }
  within: __type(name: "Within") { isOneOf }
}"""


def test_introspection_hides_and_shows_what_is_deprecated(ask: Callable[..., Any]) -> None:
    shown, hidden = (ask(_DEPRECATED.replace("%s", flag)).json["data"] for flag in ("true", "false"))

    def names(entries: Any) -> list[str]:
        return [each["name"] for each in entries]

    reasons = {each["name"]: each["deprecationReason"] for each in shown["book"]["fields"]}
    assert (reasons["title"], reasons["name"], reasons["sequels"]) == (None, "Use title.", "There are none.")
    assert names(hidden["book"]["fields"]) == ["id", "title", "age", "isbn"]
    for kind in ("where", "order"):
        assert {"name", "sequels"} <= set(names(shown[kind]["inputFields"]))
        assert not {"name", "sequels"} & set(names(hidden[kind]["inputFields"]))
    assert shown["age"]["enumValues"][0] == {
        "name": "OLD",
        "description": "Not new.",
        "isDeprecated": True,
        "deprecationReason": "Use NEW.",
    }
    assert names(hidden["age"]["enumValues"]) == ["NEW"]
    assert names(hidden["query"]["fields"]) == ["book", "bookWithin"]
    assert shown["query"]["fields"][2]["args"][0] == {"name": "age", "deprecationReason": "Use where."}
    assert (shown["by"]["isOneOf"], shown["within"]["isOneOf"]) == (True, False)


def test_what_is_deprecated_is_served() -> None:
    explanation = _PIPELINE.explain('{ books(age: OLD, where: {name: {eq: "x"}}) { name sequels { id } } }')
    assert explanation.parameters == ("old", "x")
    assert '"title"::text as "name"' in explanation.sql


@pytest.mark.parametrize(
    ("document", "variables", "condition", "parameter"),
    [
        ('{ book(by: {id: "7"}) { id } }', {}, '"id" = $1', "7"),
        ('{ book(by: {title: "x"}) { id } }', {}, '"title" = $1', "x"),
        ("{ book(by: {age: OLD}) { id } }", {}, '"age" = $1', "old"),
        ("query ($v: ID!) { book(by: {id: $v}) { id } }", {"v": 7}, '"id" = $1', "7"),
        ("query ($v: BookBy!) { book(by: $v) { id } }", {"v": {"title": "x"}}, '"title" = $1', "x"),
        ("query ($v: BookBy!) { book(by: $v) { id } }", {"v": {"age": "NEW"}}, '"age" = $1', "new"),
        ('query ($v: BookBy! = {id: "1"}) { book(by: $v) { id } }', {}, '"id" = $1', "1"),
        ("query ($v: BookBy!) { bookWithin(within: {by: $v}) { id } }", {"v": {"id": 1}}, '"id" = $1', "1"),
        ("query ($v: Within!) { bookWithin(within: $v) { id } }", {"v": {"by": {"id": 1}}}, '"id" = $1', "1"),
    ],
)
def test_one_of_several_fields(document: str, variables: dict[str, Any], condition: str, parameter: str) -> None:
    explanation = _PIPELINE.explain(document, variables)
    assert f"where t$0.{condition} order by" in explanation.sql
    assert explanation.parameters == (parameter,)


_EXACTLY = "exactly one field must be specified"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ book(by: {}) { id } }", _EXACTLY),
        ('{ book(by: {id: "1", title: "x"}) { id } }', _EXACTLY),
        ('{ book(by: {id: "1", title: null}) { id } }', _EXACTLY),
        ("{ book(by: {id: null}) { id } }", "must be non-null"),
        ("query ($v: ID) { book(by: {id: $v}) { id } }", "must be non-nullable to be used for OneOf"),
        ("query ($v: ID = null) { book(by: {id: $v}) { id } }", "must be non-nullable to be used for OneOf"),
        ('query ($v: ID!) { book(by: {id: $v, title: "x"}) { id } }', _EXACTLY),
        ("query ($v: ID!, $t: String!) { book(by: {id: $v, title: $t}) { id } }", _EXACTLY),
        ("{ book(by: null) { id } }", "BookBy!"),
    ],
)
def test_literals_of_one_of_several_fields(ask: Callable[..., Any], document: str, message: str) -> None:
    answer = ask(document, {"v": "1", "t": "x"})
    assert answer.outcome is Outcome.NOT_VALID
    assert answer.brief == ("GRAPHQL_VALIDATION_FAILED", ["book"])
    assert message in answer.error["message"]
    assert not answer.fetches


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        ({}, "", 'Exactly one key must be specified for OneOf type "BookBy"'),
        ({"id": "1", "title": "x"}, "", 'Exactly one key must be specified for OneOf type "BookBy"'),
        ({"id": "1", "title": None}, "", 'Exactly one key must be specified for OneOf type "BookBy"'),
        ({"id": None}, "", 'Exactly one key must be specified for OneOf type "BookBy", and not as null'),
        ({"id": 1.5}, ".id", "ID cannot represent"),
        ({"age": "old"}, ".age", "does not exist"),
        ({"nope": 1}, "", "Field 'nope' is not defined"),
        (None, "", "not to be null"),
        ("x", "", "to be an object"),
        ([{"id": "1"}], "", "to be an object"),
    ],
)
def test_variables_of_one_of_several_fields(ask: Callable[..., Any], value: Any, place: str, message: str) -> None:
    for kind, field, given, prefix in (
        ("BookBy!", "book(by: $v)", value, "v"),
        ("Within!", "bookWithin(within: $v)", {"by": value}, "v.by"),
    ):
        answer = ask(f"query ($v: {kind}) {{ it: {field} {{ id }} }}", {"v": given})
        assert answer.outcome is Outcome.VARIABLES_INVALID
        assert answer.brief == ("BAD_USER_INPUT", ["it"])
        assert message in answer.error["message"]
        if prefix + place != "v":
            assert f'at "{prefix}{place}"' in answer.error["message"]
        assert not answer.fetches


def test_a_default_for_one_of_several_fields(ask: Callable[..., Any]) -> None:
    """GraphQL §5.8.5 lets a nullable variable with a default stand for the field; a null is refused when it comes."""
    document = 'query ($v: ID = "1") { book(by: {id: $v}) { id } }'
    assert ask(document).fetches[0].parameters == (b"1",)
    assert ask(document, {"v": "2"}).fetches[0].parameters == (b"2",)
    answer = ask(document, {"v": None})
    assert answer.brief == ("BAD_USER_INPUT", ["book"])
    assert 'OneOf type "BookBy", and not as null' in answer.error["message"]


_BODY = "{ books(where: {title: {eq: $v}}) { id ...F ... { age } } }"
_PLAIN = f'query Q($v: String! = "d") {_BODY} fragment F on Book {{ title }}'


@pytest.mark.parametrize(
    "document",
    [
        f'query Q($v: String! = "d") @trace(label: "x") {_BODY}',
        f'query Q($v: String! = "d") @trace(label: $v) {_BODY}',
        f'query Q($v: String! = "d" @trace(label: "x")) {_BODY}',
        'query Q($v: String! = "d") { books(where: {title: {eq: $v}}) @trace(label: $v, rate: 1, ages: [OLD])'
        ' { id @trace(label: "") @include(if: true) ...F @trace(label: $v) ... @trace(label: "é") { age } } }',
        'query Q($v: String! = "d") { books(where: {title: {eq: $v}}) @note @note(text: $v) @note(text: null)'
        " { id ...F ... { age } } }",
    ],
)
def test_own_directives_change_nothing(document: str) -> None:
    document += ' fragment F on Book @trace(label: "fragment") { title }'
    for variables in ({}, {"v": "x"}):
        assert _PIPELINE.explain(document, variables) == _PIPELINE.explain(_PLAIN, variables)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{ books { id @nope } }", "Unknown directive '@nope'."),
        ('{ books { id @Trace(label: "x") } }', "Unknown directive '@Trace'."),
        ("query @note { books { id } }", "Directive '@note' may not be used on query."),
        ("{ books { id @deprecated } }", "Directive '@deprecated' may not be used on field."),
        ('{ books { id @trace(label: "x") @trace(label: "y") } }', "can only be used once"),
        ("{ books { id @trace } }", "Argument '@trace(label:)' of type 'String!' is required"),
        ('{ books { id @trace(label: "x", nope: 1) } }', "Unknown argument 'nope' on directive '@trace'."),
        ("{ books { id @trace(label: 1) } }", "String cannot represent a non string value: 1"),
        ('{ books { id @trace(label: "x", ages: [old]) } }', "'Age' enum"),
        ("query ($v: Int!) { books { id @trace(label: $v) } }", "used in position expecting type 'String!'"),
        ("{ books { id @trace(label: $v) } }", "Variable '$v' is not defined."),
        ("query ($v: String) { books { id @trace(label: $v) } }", "used in position expecting type 'String!'"),
    ],
)
def test_own_directives_are_validated(ask: Callable[..., Any], document: str, message: str) -> None:
    answer = ask(document, {"v": "x"})
    assert answer.outcome is Outcome.NOT_VALID
    assert answer.error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert message in answer.error["message"]


@pytest.mark.parametrize(
    ("document", "variables", "path"),
    [
        ('query ($v: String = "x") { b: books { id @trace(label: $v) } }', {"v": None}, ["b", "id"]),
        ('query ($v: String = "x") { b: books @trace(label: $v) { id } }', {"v": None}, ["b"]),
        ('query ($v: String = "x") { b: books { ...F } } fragment F on Book { t: title @trace(label: $v) }',
         {"v": None}, ["b", "t"]),
        ('query ($v: String = "x") @trace(label: $v) { books { id } }', {"v": None}, None),
        ('{ b: books { id @note(text: "a\\u0000b") } }', {}, ["b", "id"]),
    ],
)  # fmt: skip
def test_arguments_of_own_directives_are_coerced(
    ask: Callable[..., Any], document: str, variables: dict[str, Any], path: list[str] | None
) -> None:
    answer = ask(document, variables)
    assert answer.outcome is Outcome.VARIABLES_INVALID
    assert answer.brief == ("BAD_USER_INPUT", path)
    assert not answer.fetches


def test_only_what_an_operation_reaches_is_coerced(ask: Callable[..., Any]) -> None:
    document = """
    query A($v: String = "x") { books { ...F } }
    query B($v: String) { books { id @note(text: $v) } }
    fragment F on Book { id @trace(label: $v) }
    """
    assert ask(document, {"v": None}, "A").error["path"] == ["books", "id"]
    assert ask(document, {"v": None}, "B").outcome is Outcome.DATA

"""Mutations that PostgreSQL functions serve: what may be declared, what becomes of it, and each mistake."""

from __future__ import annotations

import types
from collections.abc import Callable
from enum import Enum
from typing import Any, Union

import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.errors import SchemaError
from fraiseql.pipeline import print_sdl
from fraiseql.schema.function_actions import FunctionAction, Part, Passing, Returned


@fraiseql.type(sql_source="row")
class Row:
    id: ID
    name: str
    rows: list[Row] = fraiseql.relation(on={"row_id": "id"})


@fraiseql.type(sql_source="other", jsonb_column=None)
class Other:
    id: ID


@fraiseql.type
class Bare:
    text: str


@fraiseql.type
class Done:
    message: str
    row: Row | None


@fraiseql.type
class Refused:
    message: str
    code: str


@fraiseql.interface(sql_source="row", discriminator="kind")
class Node:
    id: ID


@fraiseql.type(when="leaf")
class Leaf(Node):
    size: int


@fraiseql.input
class RowInput:
    name: str
    other_name: str | None


@fraiseql.enum
class Code(Enum):
    CONFLICT = "CONFLICT"
    OTHER = "other"


@fraiseql.query
def rows() -> list[Row]: ...


def schema(*mutations: Any, **options: Any) -> fraiseql.Schema:
    return fraiseql.Schema(queries=[rows], mutations=list(mutations), **options)


def a_class(annotations: dict[str, Any], body: dict[str, Any] | None = None, name: str = "DoIt", **options: Any) -> Any:
    """A class under `@fraiseql.mutation(function="fn")`."""
    options = {"function": "fn", **options}
    made = type(name, (), {"__annotations__": annotations, "__module__": __name__, **(body or {})})
    return fraiseql.mutation(**options)(made)


def a_function(returned: Any, parameters: dict[str, Any] | None = None, **options: Any) -> Any:
    """A function without a body under the same."""
    parameters = parameters or {}
    space: dict[str, Any] = {"__name__": __name__}
    exec(f"def do_it({', '.join(parameters)}): ...", space)
    made = space["do_it"]
    made.__annotations__ = {**parameters, "return": returned}
    return fraiseql.mutation(**{"function": "fn", **options})(made)


def action(declared: Any, **options: Any) -> FunctionAction:
    (field,) = schema(declared, **options).model.mutations.values()
    assert isinstance(field.action, FunctionAction)
    return field.action


@pytest.mark.parametrize(
    ("declared", "signature"),
    [
        (a_class({"input": RowInput, "success": Done, "error": Refused}), "doIt(input: RowInput!): DoItResult!"),
        (a_class({"input": RowInput, "success": Done}), "doIt(input: RowInput!): Done!"),
        (a_class({"success": Done}), "doIt: Done!"),
        (a_class({"success": Done | None, "error": Refused}), "doIt: DoItResult"),
        (a_class({"success": Row}), "doIt: Row!"),
        (a_class({"success": Row, "error": Refused}), "doIt: DoItResult!"),
        (a_class({"success": list[Row]}), "doIt: [Row!]!"),
        (a_class({"input": RowInput | None, "success": Row}, {"input": None}), "doIt(input: RowInput): Row!"),
        (
            a_class(
                {"success": Row},
                name="URLDoes",
            ),
            "uRLDoes: Row!",
        ),
        (a_class({"success": Row}, {}, name="make"), "make: Row!"),
        (a_class({"success": Row, "error": Refused}, result_name="Made"), "doIt: Made!"),
        (a_function(Done | Refused, {"input": RowInput}), "doIt(input: RowInput!): DoItResult!"),
        (a_function(Union[Done, Refused, None]), "doIt: DoItResult"),  # noqa: UP007
        (a_function(Row, {"id": ID, "other_name": "str | None"}), "doIt(id: ID!, otherName: String): Row!"),
        (a_function(Row | None), "doIt: Row"),
        (a_function(list[Row] | None), "doIt: [Row!]"),
        (a_function(list[Row | None]), "doIt: [Row]!"),
        (a_function(Node | None), "doIt: Node"),
        (a_function(int), "doIt: Int!"),
        (a_function(list[str]), "doIt: [String!]!"),
        (a_function(Bare | None), "doIt: Bare"),
        (a_function(Row, name="other"), "other: Row!"),
        (a_function(Row, deprecated="use none"), 'doIt: Row! @deprecated(reason: "use none")'),
    ],
)
def test_the_field(declared: Any, signature: str) -> None:
    sdl = print_sdl(schema(declared, types=[Leaf]))
    _, _, after = sdl.partition("type Mutation {\n")
    field, _, _ = after.partition("\n}")
    assert field.strip() == signature


def test_the_union_of_success_and_error() -> None:
    built = schema(a_class({"success": Done, "error": Refused}))
    assert "union DoItResult = Done | Refused" in print_sdl(built)
    assert [mutation.name for mutation in built.model.mutations.values()] == ["doIt"]


def test_descriptions_and_directives() -> None:
    @fraiseql.directive(locations=["FIELD_DEFINITION", "ARGUMENT_DEFINITION"])
    def marked(by: str) -> None: ...

    @fraiseql.mutation(function="fn", directives=[marked(by="us")])
    def do_it(name: str = fraiseql.field(description="A name.", directives=[marked(by="you")])) -> Row | None:  # type: ignore[assignment]
        """Does it."""

    sdl = print_sdl(schema(do_it))
    assert '"""Does it."""' in sdl
    assert '"""A name."""' in sdl
    assert 'name: String! @marked(by: "you")' in sdl
    assert '): Row @marked(by: "us")' in sdl


def test_two_mutations_of_one_error_type_and_of_one_result() -> None:
    first = a_class({"success": Done, "error": Refused}, name="First", result_name="Shared")
    second = a_class({"success": Done, "error": Refused}, name="Second", result_name="Shared")
    third = a_class({"success": Row, "error": Refused}, name="Third")
    sdl = print_sdl(schema(first, second, third))
    assert sdl.count("union Shared = Done | Refused") == 1
    assert "union ThirdResult = Row | Refused" in sdl


def test_from_module_takes_mutations() -> None:
    module = types.ModuleType("module")
    vars(module).update(rows=rows, DoIt=a_class({"success": Row}))
    assert list(fraiseql.Schema.from_module(module).model.mutations) == ["doIt"]


@pytest.mark.parametrize(
    ("declared", "returned"),
    [
        (a_class({"success": Done, "error": Refused}), Returned.RESULT),
        (a_class({"success": Row, "error": Refused}), Returned.RESULT),
        (a_class({"success": Row, "error": Refused}, returns="row"), Returned.ROW),
        (a_class({"success": Done}), Returned.RESULT),
        (a_class({"success": Row}), Returned.ROW),
        (a_class({"success": Row}, returns="result"), Returned.RESULT),
        (a_function(Bare), Returned.RESULT),
        (a_function(Bare, returns="row"), Returned.ROW),
        (a_function(list[Bare]), Returned.ROW),
        (a_function(Row | None), Returned.ROW),
        (a_function(list[Row]), Returned.ROW),
        (a_function(int), Returned.ROW),
    ],
)
def test_what_a_function_is_taken_to_return(declared: Any, returned: Returned) -> None:
    assert action(declared).returned is returned


def test_the_function_and_how_it_is_called() -> None:
    found = action(a_function(Row, function="app.Fn", arguments="named", prefix="p_"))
    assert (found.function.schema, found.function.name) == ("app", "Fn")
    assert (found.passing, found.prefix, found.where) == (Passing.NAMED, "p_", "do_it")
    assert action(a_function(Row)).passing is Passing.JSONB


def test_parts_of_a_result() -> None:
    @fraiseql.type
    class Success:
        status: str
        message: str | None
        id: ID
        entity_type: str | None
        row: Row
        others: list[Other]
        updated_fields: list[str]
        cascade: Bare | None
        metadata: JSON | None
        figure: int
        code: Code | None
        fields: list[str]

        @fraiseql.field
        def twice(self) -> int:
            return 2

    @fraiseql.type
    class Failure:
        code: Code
        entity: Bare | None
        row: Row | None

    made = action(a_class({"success": Success, "error": Failure}, entity="row"))
    assert made.parts["Success"] == {
        "status": Part.STATUS,
        "message": Part.MESSAGE,
        "id": Part.ENTITY_ID,
        "entityType": Part.ENTITY_TYPE,
        "row": Part.ENTITY,
        "others": Part.OTHER,
        "updatedFields": Part.UPDATED_FIELDS,
        "cascade": Part.CASCADE,
        "metadata": Part.METADATA,
        "figure": Part.OTHER,
        "code": Part.CODE,
        "fields": Part.FIELDS,
    }
    assert made.parts["Failure"] == {"code": Part.CODE, "entity": Part.OTHER, "row": Part.ENTITY}


def a_result(is_error: bool = False, **annotations: Any) -> Callable[[], Any]:
    """A mutation whose success or error type has other fields."""

    def declare() -> Any:
        made = fraiseql.type(type("It", (), {"__annotations__": annotations, "__module__": __name__}))
        return a_class({"success": Done, "error": made} if is_error else {"success": made})

    return declare


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: a_class({}), "DoIt: found no attribute success"),
        (lambda: a_class({"success": Done, "eror": Refused}), "DoIt.eror: found an attribute of a mutation"),
        (lambda: a_class({"success": Done}, {"success": 1}), "DoIt.success: found the default 1; expected none"),
        (lambda: a_class({"success": Done}, function=None), "DoIt: found a class without function="),
        (lambda: a_function(Done, function=None), "do_it: found neither a body nor function="),
        (lambda: a_class({"success": Done}, function="a.b.c"), "DoIt (function): found 'a.b.c'; expected 'name'"),
        (lambda: a_class({"success": Done}, function=""), "DoIt (function): found ''"),
        (lambda: a_class({"success": Done}, function="x" * 64), "expected a PostgreSQL identifier"),
        (lambda: a_class({"success": Done}, function=7), "DoIt (function): found 7"),
        (lambda: a_class({"success": Done}, arguments="positional"), "expected 'jsonb' or 'named'"),
        (lambda: a_class({"success": Done}, returns="rows"), "DoIt (returns): found returns='rows'; expected 'result'"),
        (lambda: a_class({"success": Done}, prefix="p_"), "found prefix='p_' without arguments='named'"),
        (lambda: a_class({"success": Done}, prefix="", arguments="named"), "DoIt (prefix): found ''"),
        (lambda: a_class({"success": Done}, result_name="R"), "found result_name='R' without an error type"),
        (lambda: a_class({"success": Done, "error": Refused}, result_name="a b"), "found the name 'a b'"),
        (lambda: a_class({"success": Done, "error": Refused}, result_name="Row"), "found the result Row"),
        (lambda: a_class({"success": Done, "error": Refused}, result_name="JSON"), "found the result JSON"),
        (lambda: a_class({"success": Row}, entity="row"), "DoIt (entity): found entity='row' for the type Row!"),
        (
            lambda: a_class({"success": Done}, entity="none"),
            "Done (entity): found entity='none'; expected an attribute",
        ),
        (lambda: a_class({"success": list[Row], "error": Refused}), "found the list [Row!]! beside an error type"),
        (lambda: a_class({"success": int, "error": Refused}), "found Int beside an error type"),
        (lambda: a_class({"success": Node, "error": Refused}), "found the abstract type Node"),
        (lambda: a_class({"success": Done, "error": Done}), "found Done for success and for error"),
        (lambda: a_class({"success": Done, "error": Row}), "found the error type Row!"),
        (lambda: a_class({"success": Done, "error": Refused | None}), "found the error type Refused; expected a type"),
        (lambda: a_class({"success": Done, "error": list[Refused]}), "found the error type [Refused!]!"),
        (lambda: a_class({"success": Done, "error": str}), "found the error type String!"),
        (lambda: a_class({"success": Done, "error": Refused}, returns="row"), "found returns='row' for Done"),
        (lambda: a_class({"success": int}, returns="result"), "found returns='result' for the type Int!"),
        (lambda: a_class({"success": RowInput}), "DoIt: found the input type RowInput"),
        (lambda: a_class({"success": fraiseql.Connection[Row]}), "found the type RowConnection!"),
        (lambda: a_class({"success": object}), "DoIt.success: found object"),
        (lambda: a_class({"input": Row, "success": Done}), "found the output type Row"),
        (lambda: a_function(Done | Refused | Bare), "do_it -> ...: found a union of 3 types"),
        (lambda: a_function(list[Row] | Refused), "found the list [Row!]!"),
        (lambda: a_function(Row, {"a_b": str, "aB": str}), "found a second argument named aB"),
        (a_result(code=str), "It.code: found the type String! in a success type"),
        (a_result(message=list[str]), "It.message: found the type [String!]!; expected str"),
        (a_result(status=int), "It.status: found the type Int!; expected str"),
        (a_result(fields=str), "It.fields: found the type String!; expected list[str]"),
        (a_result(updated_fields=list[list[str]]), "It.updated_fields: found"),
        (a_result(id=list[ID]), "It.id: found the type [ID!]!; expected ID"),
        (a_result(entity_id=JSON), "It.entity_id: found the type JSON!; expected ID"),
        (a_result(metadata=str), "It.metadata: found the type String!; expected JSON"),
        (a_result(cascade=list[Bare]), "It.cascade: found the type [Bare!]!"),
        (a_result(row=Row, other=Other), "It: found row and other, each of a type with sql_source"),
        (a_result(rows=list[list[Row]]), "It.rows: found the type [[Row!]!]!"),
        (a_result(rows=fraiseql.Connection[Row]), "found the type RowConnection!; expected a type with sql_source"),
        (a_result(is_error=True, row=Row, other=Other), "It: found row and other, each of a type with sql_source"),
        (a_result(is_error=True, code=int), "It.code: found the type Int!"),
    ],
)
def test_mistakes(declare: Callable[[], Any], message: str) -> None:
    with pytest.raises(SchemaError) as caught:
        schema(declare(), types=[Leaf])
    assert message in str(caught.value)


def test_a_function_with_a_body() -> None:
    @fraiseql.mutation(function="fn")
    def do_it() -> Row:
        raise NotImplementedError

    with pytest.raises(SchemaError, match=r"do_it: found a function body and function=\.\.\."):
        schema(do_it)


def test_what_is_no_mutation() -> None:
    with pytest.raises(SchemaError, match="expected a function or a class"):
        fraiseql.mutation(7)  # type: ignore[type-var]
    with pytest.raises(SchemaError, match=r"expected functions or classes under @fraiseql\.mutation"):
        schema(rows)


def test_two_of_one_name() -> None:
    with pytest.raises(SchemaError, match=r"Mutation\.doIt: found two mutations of that name"):
        schema(a_class({"success": Row}), a_function(Row))


def test_two_arguments_that_are_given_as_one() -> None:
    @fraiseql.input
    class Twice:
        name: str
        label: str = fraiseql.field(column="name")

    with pytest.raises(SchemaError, match="DoIt: found 2 arguments that the function is given as name"):
        schema(a_class({"input": Twice, "success": Row}))


def test_a_name_that_is_too_long_with_its_prefix() -> None:
    declared = a_function(Row, {"n" * 60: str}, arguments="named", prefix="long_")
    with pytest.raises(SchemaError, match="expected a PostgreSQL identifier"):
        schema(declared)


def test_a_result_type_inside_of_a_row() -> None:
    """There its row is an object inside jsonb, which has no relations."""

    @fraiseql.type(sql_source="log")
    class Log:
        id: ID
        done: Done

    @fraiseql.query
    def logs() -> list[Log]: ...

    with pytest.raises(SchemaError, match=r"Log\.done: found Row inside jsonb, with the relation Row\.rows"):
        fraiseql.Schema(types=[Log], queries=[logs], mutations=[a_class({"success": Done})])


def test_a_type_of_the_root_s_name() -> None:
    made = fraiseql.type(type("Mutation", (), {"__annotations__": {"id": ID}}))
    with pytest.raises(SchemaError, match="Mutation: found a type of that name"):
        schema(a_class({"success": Row}), types=[made])

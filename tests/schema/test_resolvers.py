"""Functions with a body: what they become in the schema, and what is wrong with some."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import wraps
from typing import Any

import pytest

import fraiseql
from fraiseql import Connection, SchemaError
from fraiseql.pipeline.graphql_schema import print_sdl
from fraiseql.schema.asynchronous import asynchronous_functions
from fraiseql.schema.model import Resolver


@fraiseql.type(sql_source="rows", jsonb_column=None)
class Row:
    id: int
    others: list[Row] = fraiseql.relation(on={"id": "id"})

    @fraiseql.field
    async def later(self) -> int:
        return 1

    @fraiseql.field
    def now(self) -> int:
        return 1


@fraiseql.type
class Made:
    row: Row
    rows: list[Row]


@fraiseql.type
class Refused:
    message: str


@fraiseql.interface
class Untold:
    id: int


@fraiseql.input
class Wish:
    text: str


@fraiseql.query
def rows() -> list[Row]: ...


def _looked_through(function: Any) -> Any:
    @wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return wrapper


@fraiseql.query
async def later(info: Any, text: str, wish: Wish | None = None) -> list[Row | None]:
    """Told in time."""
    return []


@fraiseql.query
def either(limit: int = 3) -> Row | Refused | None:
    return Refused()


@fraiseql.query
@_looked_through
async def wrapped() -> int:
    return 1


@fraiseql.mutation
async def make(wish: Wish) -> Made | Refused:
    return Refused()


@fraiseql.mutation
def count(info: Any) -> int:
    return 1


@fraiseql.subscription
async def ticks() -> AsyncIterator[int]:
    yield 1


@fraiseql.subscription
def plain_ticks() -> Iterator[int]:
    yield 1


_SCHEMA = fraiseql.Schema(
    queries=[rows, later, either, wrapped], mutations=[make, count], subscriptions=[ticks, plain_ticks]
)


def test_they_have_the_arguments_of_their_parameters_and_no_others() -> None:
    sdl = print_sdl(_SCHEMA)
    for line in (
        "later(text: String!, wish: Wish): [Row]!",
        "either(limit: Int! = 3): EitherResult",
        "union EitherResult = Row | Refused",
        "make(wish: Wish!): MakeResult!",
        "union MakeResult = Made | Refused",
        "count: Int!",
    ):
        assert line in sdl, line
    assert _SCHEMA.model.queries["later"].resolver == Resolver(later, takes_info=True)
    assert _SCHEMA.model.queries["rows"].resolver is None
    assert isinstance(_SCHEMA.model.mutations["count"].action, Resolver)


def test_those_that_must_be_awaited_are_named() -> None:
    found = asynchronous_functions(_SCHEMA.model)
    assert found == ("Query.later", "Query.wrapped", "Mutation.make", "Subscription.ticks", "Row.later")
    assert asynchronous_functions(fraiseql.Schema(queries=[either], types=[Refused]).model) == ("Row.later",)


def _yields() -> Iterator[Row]:
    yield Row()


async def _yields_later() -> AsyncIterator[Row]:
    yield Row()


def _returns_nothing_told():  # type: ignore[no-untyped-def]
    return 1


def _connection() -> Connection[Row]:
    raise AssertionError


def _untold() -> Untold:
    return Untold()


def _input() -> Wish:
    return Wish()


def _takes_output(row: Row) -> int:
    return 1


def _takes_column(text: str = fraiseql.field(column="x")) -> int:  # type: ignore[assignment]
    return 1


def _info_behind(text: str, info: Any) -> int:
    return 1


def _scalar_union() -> int | str:
    return 1


def _list_union() -> list[Row] | Refused:
    return []


async def _awaited_and_blocking(info: fraiseql.BlockingInfo) -> int:
    return 1


def _plain_and_awaiting(info: fraiseql.Info) -> int:
    return 1


_MISTAKES = [
    (_yields, "_yields", "a generator function"),
    (_yields_later, "_yields_later", "a generator function"),
    (_returns_nothing_told, "_returns_nothing_told", "no return annotation"),
    (_connection, "{root}._connection", "a resolver of RowConnection"),
    (_untold, "{root}._untold", "the interface Untold, which has no discriminator"),
    (_input, "{root}._input", "the input type Wish"),
    (_takes_output, "{root}._takesOutput(row)", "the output type Row"),
    (_takes_column, "_takes_column(text)", "column='x'"),
    (_info_behind, "_info_behind(info)", "Any"),
    (_awaited_and_blocking, "_awaited_and_blocking(info)", "BlockingInfo"),
    (_plain_and_awaiting, "_plain_and_awaiting(info)", "Info"),
    (_scalar_union, "_scalar_union", "Int in a union"),
    (_list_union, "_list_union -> ...", "[Row!]! in a union"),
]


def _schema(function: Any, root: str) -> fraiseql.Schema:
    if root == "Query":
        return fraiseql.Schema(queries=[rows, fraiseql.query(function)])
    return fraiseql.Schema(queries=[rows], mutations=[fraiseql.mutation(function)])


@pytest.mark.parametrize(("function", "where", "found"), _MISTAKES)
@pytest.mark.parametrize("root", ["Query", "Mutation"])
def test_mistakes(function: Any, where: str, found: str, root: str) -> None:
    with pytest.raises(SchemaError) as caught:
        _schema(function, root)
    assert caught.value.where == where.format(root=root)
    assert found in caught.value.found


async def _ticks_blocking(info: fraiseql.BlockingInfo) -> AsyncIterator[int]:
    yield 1


def _ticks_awaiting(info: fraiseql.Info) -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("function", [_ticks_blocking, _ticks_awaiting])
def test_generators_are_told_of_the_database_as_they_can_use_it(function: Any) -> None:
    with pytest.raises(SchemaError, match=r"which it is given"):
        fraiseql.Schema(queries=[rows], subscriptions=[fraiseql.subscription(function)])


def test_asynchronous_methods_are_told_an_info() -> None:
    @fraiseql.type(sql_source="rows", jsonb_column=None)
    class Told:
        id: int

        @fraiseql.field
        async def blocks(self, info: fraiseql.BlockingInfo) -> int:
            return 1

    with pytest.raises(SchemaError, match=r"Told.blocks\(info\): found BlockingInfo"):
        fraiseql.Schema(queries=[rows], types=[Told])


def test_plain_methods_may_be_told_either_info_since_no_schema_knows_what_will_serve_it() -> None:
    @fraiseql.type(sql_source="rows", jsonb_column=None)
    class Told:
        id: int

        @fraiseql.field
        def may_block(self, info: fraiseql.Info | fraiseql.BlockingInfo) -> int:
            return 1

        @fraiseql.field
        def blocks(self, info: fraiseql.BlockingInfo) -> int:
            return 1

        @fraiseql.field(batch=True)
        @staticmethod
        def asks(told: list[Told], info: fraiseql.Info) -> list[int]:
            return [1 for _ in told]

    fraiseql.Schema(queries=[rows], types=[Told])


@pytest.mark.parametrize(
    "options",
    [
        {"arguments": "named"},
        {"prefix": "p_"},
        {"returns": "row"},
        {"entity": "row"},
        {"result_name": "CountOrNone"},
    ],
)
def test_what_is_said_of_a_function_in_postgresql_is_refused(options: Any) -> None:
    @fraiseql.mutation(**options)
    def counted() -> int | None:
        return 1

    (name,) = options
    with pytest.raises(SchemaError) as caught:
        fraiseql.Schema(queries=[rows], mutations=[counted])
    assert caught.value.where == f"counted ({name})"


def test_the_union_of_what_is_returned_may_be_given_a_name() -> None:
    @fraiseql.mutation(result_name="MadeOrNot")
    def made() -> Made | Refused:
        return Refused()

    sdl = print_sdl(fraiseql.Schema(queries=[rows], mutations=[made]))
    assert "union MadeOrNot = Made | Refused" in sdl
    assert "made: MadeOrNot!" in sdl


def test_pages_are_of_what_sql_serves() -> None:
    @fraiseql.query(max_page_size=3)
    def some() -> list[Row]:
        return []

    with pytest.raises(SchemaError, match="page sizes of a resolver"):
        fraiseql.Schema(queries=[some])

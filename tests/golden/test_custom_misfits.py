"""Misfits of scalars of a schema's own: what fits is shown as the first statement shows it, or is an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import psycopg
import pytest

import fraiseql
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.postgres import Connection
from golden.driving import drive, opened

_TYPES = {
    "money": "money",
    "positive": "positive",
    "amount": "numeric(5,2)",
    "tiny": "numeric(3, 3)",
    "word": "varchar(3)",
    "padded": "char(3)",
    "bits": "bit(4)",
    "some_bits": "varbit(4)",
    "card": "macaddr8",
    "small": "smallint",
    "single": "real",
    "double": "double precision",
    "local": "timestamp(0)",
    "exact": "timestamptz(3)",
    "clock": "time(1)",
    "ci": "bool",
}
_SCALARS = {
    field: fraiseql.scalar(f"Its{field.title().replace('_', '')}", sql_type=sql_type)
    for field, sql_type in _TYPES.items()
}
_UNDECIDED = ("money", "positive")
_DDL = """
create domain positive as int check (value > 0);
create table columns (id int primary key, small int, amount float8, word int, local date);
insert into columns values (1, 5, 1.239, 12345, '2024-01-05'), (2, 70000, 1000, null, null);
create table documents (id int primary key, data jsonb not null);
"""
_TEXTS: dict[str, tuple[list[Any], list[Any]]] = {
    "money": (["1.5", "$2.00"], ["xx"]),
    "positive": (["05", 7], [-5, "x"]),
    "amount": (["1.239", "999.994", "-1e2", 5], ["999.995", "abc", "1e4"]),
    "tiny": ([0.9994, "-0.5"], [0.9995, 1]),
    "word": (["abcdef", "a", "", 5, True], []),
    "padded": (["ab", "abcdef"], []),
    "bits": (["1010", "1", "10101", "b11", "xF"], ["2", "xyz"]),
    "some_bits": (["1", "10101", ""], ["12"]),
    "card": (["08-00-2b-01-02-03-04-05"], ["nope"]),
    "small": (["32767", -32768], ["32768", "x"]),
    "single": (["3.4028235e38", "1e-45", 1.5], ["3.5e38", "1e-46", "x"]),
    "double": (["1e308", 0.1], ["1e309"]),
    "local": (["2024-01-05T10:30:00.7", "2024-01-05"], ["Jan 5"]),
    "exact": (["2024-01-05T10:30:00.12345Z"], ["now", "infinity"]),
    "clock": (["10:30:00.55"], ["x"]),
    "ci": (["yes", True], ["maybe"]),
}


def _class(name: str, **options: Any) -> type:
    annotations = {"id": int, **{field: Annotated[str, _SCALARS[field]] | None for field in _TYPES}}
    return fraiseql.type(**options)(type(name, (), {"__annotations__": annotations, "id": fraiseql.field(column="id")}))


def _schema() -> fraiseql.Schema:
    document = _class("Document", sql_source="documents")

    def documents() -> Any: ...

    def columns() -> Any: ...

    documents.__annotations__["return"] = list[document]  # type: ignore[valid-type]
    columns.__annotations__["return"] = list[_class("Columns", sql_source="columns", jsonb_column=None)]  # type: ignore[misc]
    return fraiseql.Schema(queries=[fraiseql.query(documents), fraiseql.query(columns)])


@pytest.fixture(scope="module")
def reading(module_database_url: str) -> Iterator[Connection]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
        number = 0
        for field, (fitting, misfits) in _TEXTS.items():
            for value in (*fitting, *misfits):
                number += 1
                row = (number, json.dumps({field: value}))
                connection.execute("insert into documents values (%s, %s::jsonb)", row)
    reading = opened(module_database_url)
    yield reading
    reading.close()


@pytest.mark.parametrize("field", _TYPES)
def test_beside_misfits(reading: Connection, field: str) -> None:
    pipeline = Pipeline(_schema())

    def ask(*ids: int) -> tuple[list[Any], int]:
        query = f"{{ documents(where: {{id: {{in: {list(ids)}}}}}) {{ {_named(field)} }} }}"
        response, fetches = drive(reading, pipeline.execute(GraphQLRequest(query), "request-1"))
        rows = json.loads(response.body)["data"]["documents"]
        return [row[_named(field)] for row in rows], len(fetches)

    first = 1
    for name, (fitting, misfits) in _TEXTS.items():
        if name == field:
            break
        first += len(fitting) + len(misfits)
    fitting, misfits = _TEXTS[field]
    ids, wrong = range(first, first + len(fitting)), range(first + len(fitting), first + len(fitting) + len(misfits))
    alone = [ask(number) for number in ids]
    assert [statements for _, statements in alone] == [1] * len(fitting)
    for number in wrong:
        assert ask(number) == ([None], 2)
        found, _ = ask(*ids, number)
        expected = [None if field in _UNDECIDED else values[0] for values, _ in alone]
        assert found == [*expected, None]


def _named(field: str) -> str:
    head, *rest = field.split("_")
    return head + "".join(map(str.title, rest))


@pytest.mark.parametrize(
    ("field", "values"),
    [("small", [None, None]), ("amount", [None, None])],
)
def test_columns_of_another_type(reading: Connection, field: str, values: list[Any]) -> None:
    """Each value of a column that has to be cast is an error where one does not fit."""
    program = Pipeline(_schema()).execute(GraphQLRequest(f"{{ columns {{ {field} word }} }}"), "request-1")
    body = json.loads(drive(reading, program)[0].body)
    assert [row[field] for row in body["data"]["columns"]] == values
    assert [row["word"] for row in body["data"]["columns"]] == ["123", None]
    assert [error["path"] for error in body["errors"]] == [["columns", 0, field], ["columns", 1, field]]

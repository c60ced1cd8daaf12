"""Both statements have the same rule: what the one shows the other shows, what the one refuses the other finds."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import psycopg
import pytest

import fraiseql
from fraiseql import ID
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from golden.driving import drive, opened


@fraiseql.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue sky"


@fraiseql.type
class Inner:
    x: int | None


@fraiseql.type(sql_source="held")
class Held:
    number: int = fraiseql.field(column="number")
    string: str | None = fraiseql.field(key="v")
    id: ID | None = fraiseql.field(key="v")
    int: int | None = fraiseql.field(key="v")
    float: float | None = fraiseql.field(key="v")
    boolean: bool | None = fraiseql.field(key="v")
    uuid: uuid.UUID | None = fraiseql.field(key="v")
    moment: dt.datetime | None = fraiseql.field(key="v")
    day: dt.date | None = fraiseql.field(key="v")
    time: dt.time | None = fraiseql.field(key="v")
    decimal: Decimal | None = fraiseql.field(key="v")
    json: fraiseql.JSON | None = fraiseql.field(key="v")
    big: fraiseql.BigInt | None = fraiseql.field(key="v")
    span: dt.timedelta | None = fraiseql.field(key="v")
    bytes: bytes | None = fraiseql.field(key="v")
    ip: fraiseql.IP | None = fraiseql.field(key="v")
    network: fraiseql.CIDR | None = fraiseql.field(key="v")
    card: fraiseql.MAC | None = fraiseql.field(key="v")
    words: fraiseql.TSVector | None = fraiseql.field(key="v")
    numbers: fraiseql.Int4Range | None = fraiseql.field(key="v")
    long_numbers: fraiseql.Int8Range | None = fraiseql.field(key="v")
    amounts: fraiseql.NumRange | None = fraiseql.field(key="v")
    days: fraiseql.DateRange | None = fraiseql.field(key="v")
    hours: fraiseql.TsRange | None = fraiseql.field(key="v")
    moments: fraiseql.TstzRange | None = fraiseql.field(key="v")
    colour: Colour | None = fraiseql.field(key="v")
    ints: list[int | None] | None = fraiseql.field(key="v")
    matrix: list[list[int] | None] | None = fraiseql.field(key="v")
    strings: list[str] | None = fraiseql.field(key="v")
    colours: list[Colour] | None = fraiseql.field(key="v")
    inner: Inner | None = fraiseql.field(key="v")
    inners: list[Inner | None] | None = fraiseql.field(key="v")


@fraiseql.query
def held(number: int) -> Held | None: ...


_PIPELINE = Pipeline(fraiseql.Schema(queries=[held]))
_FIELDS = [name for name in Held.__annotations__ if name != "number"]
_VALUES = Path(__file__).with_name("values.jsonl").read_text().splitlines()
_WRONG = DatabaseError("a value is wrong", sqlstate="22000")


@pytest.fixture(scope="module")
def both(module_database_url: str) -> Iterator[Callable[[str, int], tuple[Any, Any]]]:
    """What the fast statement alone gives, and what the checking one does, for a field of a row."""
    with psycopg.connect(module_database_url) as connection:
        connection.execute("create table held (number int primary key, data jsonb)")
        connection.cursor().executemany(
            "insert into held values (%s, %s)",
            [(number, f'{{"v": {value}}}') for number, value in enumerate(_VALUES)],
        )
    opened_connection = opened(module_database_url)

    def both(field: str, number: int) -> tuple[Any, Any]:
        below = " { x }" if field.startswith("inner") else ""
        name = fraiseql_name(field)
        request = GraphQLRequest(f"query ($n: Int!) {{ held(number: $n) {{ {name}{below} }} }}", None, {"n": number})
        fast, fetches = drive(opened_connection, _PIPELINE.execute(request, "r"))
        checked, more = drive(opened_connection, _PIPELINE.execute(request, "r"), instead=[_WRONG])
        assert len(more) == 2
        return (fast if len(fetches) == 1 else None), checked

    yield both
    opened_connection.close()


def _read(response: Any) -> Any:
    return json.loads(response.body, parse_int=str, parse_float=str)


def fraiseql_name(field: str) -> str:
    head, *rest = field.split("_")
    return head + "".join(word.capitalize() for word in rest)


@pytest.mark.parametrize("field", _FIELDS)
def test_both_statements_have_the_same_rule(both: Callable[[str, int], tuple[Any, Any]], field: str) -> None:
    different = []
    for number, value in enumerate(_VALUES):
        fast, checked = both(field, number)
        errors = json.loads(checked.body).get("errors", [])
        found = bool(errors) and "does not fit its type" in errors[0]["message"]
        if fast is None:
            is_whole = field in ("int", "big") and value.endswith(".0")  # which only the second statement reads
            if found is is_whole:
                different.append((value, "refused", checked.body, str(checked.cause)))
        elif _read(fast) != _read(checked) and not (fast.outcome is Outcome.DATA_AND_ERRORS and errors and not found):
            different.append((value, fast.body, checked.body))
    assert different == [], "\n".join(map(str, different))

"""Sources that the sample blog does not have: awkward names, arrays, jsonb columns, lists of lists, composite keys."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from golden.driving import drive, opened

_DDL = Path(__file__).with_name("sources.sql").read_bytes()


@fraiseql.enum
class Mood(Enum):
    GOOD = "very good"
    BAD = "it's bad"


@fraiseql.type
class Inner:
    deep_key: str | None
    n: int | None
    when: dt.date | None


@fraiseql.type(sql_source='My Schema.Select "it"', jsonb_column=None)
class Awkward:
    id: ID = fraiseql.field(column="Order By")
    group: str
    tags: list[str]
    numbers: list[int | None] | None
    prices: list[Decimal] | None
    days: list[dt.date] | None
    moods: list[Mood] | None
    mood: Mood | None
    small: int
    big: int | None
    real_one: float | None
    exact: Decimal | None
    at_local: dt.datetime | None
    at_zone: dt.datetime | None
    document: JSON | None
    binary_document: JSON | None
    inner_object: Inner | None
    inner_list: list[Inner | None] | None
    matrix: list[list[int]] | None
    documents: list[JSON] | None
    padded: str | None
    limit: str | None


@fraiseql.type(sql_source="part", jsonb_column=None)
class Part:
    tenant: int
    number: int
    name: str
    lines: list[Line] = fraiseql.relation(on={"tenant": "tenant", "number": "number"})


@fraiseql.type(sql_source="line", jsonb_column=None)
class Line:
    tenant: int
    number: int
    position: int
    part: Part | None = fraiseql.relation(on={"tenant": "tenant", "number": "number"})


@fraiseql.type(sql_source="doc")
class Doc:
    id: ID
    n: int | None
    odd: str | None = fraiseql.field(key='it\'s "key" \\')
    list: list[str | None] | None
    mood: Mood | None
    moods: list[list[Mood]] | None = fraiseql.field(key="m")  # type: ignore[valid-type]
    key: UUID | None
    extra: JSON | None
    extras: list[JSON | None] | None  # type: ignore[valid-type]


@fraiseql.type(sql_source="endless", jsonb_column=None)
class Endless:
    """Values that PostgreSQL's numbers and dates have and JSON does not."""

    ratio: float
    amount: Decimal
    day: dt.date
    at: dt.datetime
    ratios: list[float]


@fraiseql.query
def endless() -> list[Endless]: ...


@fraiseql.type(sql_source="doc")
class Strict:
    """The documents again, but promising more than they hold."""

    id: ID
    count: int
    mood: Mood
    label: str


@fraiseql.type(sql_source='My Schema.Select "it"', jsonb_column=None)
class Undeclared:
    """Columns that hold texts which their enum does not have."""

    group: Mood | None
    tags: list[Mood]


@fraiseql.query
def strict() -> list[Strict]: ...


@fraiseql.query
def undeclared() -> list[Undeclared]: ...


@fraiseql.query
def awkwards(group: str | None = None) -> list[Awkward]: ...


@fraiseql.query
def awkward(id: ID) -> Awkward | None: ...


@fraiseql.input
class PartKey:
    tenant: int
    number: int = 1


@fraiseql.query
def part(key: PartKey) -> Part | None: ...


@fraiseql.query
def parts(name: str | None = None, tenant: int = 1) -> list[Part]: ...


@fraiseql.query
def lines() -> list[Line]: ...


@fraiseql.query
def docs() -> list[Doc]: ...


_SCHEMA = fraiseql.Schema(queries=[awkwards, awkward, part, parts, lines, docs, strict, undeclared, endless])


@pytest.fixture(scope="module")
def query(module_database_url: str) -> Iterator[Callable[..., Any]]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    connection = opened(module_database_url)
    pipeline = Pipeline(_SCHEMA)

    def query(text: str, variables: dict[str, Any] | None = None) -> Any:
        response, _ = drive(connection, pipeline.execute(GraphQLRequest(text, None, variables or {}), "r"))
        return response

    yield query
    connection.close()


def _data(response: Any) -> Any:
    assert response.outcome is Outcome.DATA, (response.body, response.cause)
    return json.loads(response.body)["data"]


_FULL = {
    "id": "9007199254740993",
    "group": "a'b",
    "tags": ["x,y", '"q"', ""],
    "numbers": [1, None, 3],
    "prices": ["1.50", "2"],
    "days": ["2024-02-29"],
    "moods": ["GOOD"],
    "mood": "BAD",
    "small": 7,
    "big": 2147483647,
    "realOne": 1.5,
    "exact": "12345678901234567890.1234567890",
    "atLocal": "2024-02-29T12:00:00+00:00",
    "atZone": "2024-02-29T10:00:00+00:00",
    "document": {"b": 1, "a": [1.0, "x"]},
    "binaryDocument": {"a": [1.0, "x"], "b": 1},
    "innerObject": {"deepKey": "v", "n": 5, "when": "2024-02-29"},
    "innerList": [{"deepKey": "1", "n": 1}, None, {"deepKey": None, "n": None}],
    "matrix": [[1, 2], [3, 4]],
    "documents": [{"a": 1}, [2], "x"],
    "padded": "ab",
    "limit": "x",
}
_SUBSELECTIONS = {"innerObject": "{ deepKey n when }", "innerList": "{ deepKey n }"}


@pytest.mark.parametrize("field", _FULL)
def test_columns(query: Callable[..., Any], field: str) -> None:
    rows = _data(query(f"{{ awkwards(orderBy: {{id: DESC}}) {{ {field} {_SUBSELECTIONS.get(field, '')} }} }}"))
    full, empty = (row[field] for row in rows["awkwards"])
    assert full == _FULL[field]
    assert empty == {"id": "2", "group": "b", "tags": [], "small": 0}.get(field)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("{mood: {eq: BAD}}", 1),
        ("{mood: {in: [GOOD, BAD]}}", 1),
        ('{group: {eq: "a\'b"}}', 1),
        ("{big: {gte: 2147483647}}", 1),
        ("{realOne: {eq: 1.5}}", 1),
        ('{exact: {gt: "12345678901234567890.1234567889", lt: "12345678901234567890.1234567891"}}', 1),
        ('{id: {eq: "9007199254740993"}}', 1),
        ('{id: {in: ["9007199254740992"]}}', 0),
        ('{atZone: {eq: "2024-02-29T11:00:00+01:00"}}', 1),
        ('{atLocal: {eq: "2024-02-29T13:00:00+01:00"}}', 1),
        ('{atLocal: {eq: "2024-02-29T12:00:00"}}', 1),
        ('{limit: {eq: "x"}}', 1),
        ('{padded: {eq: "ab"}}', 1),
        ("{big: {isnull: true}}", 1),
    ],
)
def test_filters(query: Callable[..., Any], where: str, count: int) -> None:
    assert len(_data(query(f"{{ awkwards(where: {where}) {{ id }} }}"))["awkwards"]) == count


def test_every_order(query: Callable[..., Any]) -> None:
    for field in ("id", "group", "mood", "small", "big", "realOne", "exact", "atLocal", "atZone", "padded", "limit"):
        for direction in ("ASC", "DESC"):
            rows = _data(query(f"{{ awkwards(orderBy: [{{{field}: {direction}}}]) {{ id }} }}"))["awkwards"]
            assert {row["id"] for row in rows} == {"2", "9007199254740993"}


@pytest.mark.parametrize(
    ("arguments", "count"), [("", 2), ("(group: null)", 0), ('(group: "b")', 1), ('(group: "c")', 0)]
)
def test_optional_arguments(query: Callable[..., Any], arguments: str, count: int) -> None:
    assert len(_data(query(f"{{ awkwards{arguments} {{ id }} }}"))["awkwards"]) == count


def test_orders_across_composite_keys(query: Callable[..., Any]) -> None:
    by_count = _data(query("{ parts(orderBy: [{lines: {count: DESC}}, {name: ASC}]) { name } }"))
    assert [row["name"] for row in by_count["parts"]] == ["one", "two"]
    order = "[{part: {name: DESC_NULLS_FIRST}}, {position: DESC}]"
    by_name = _data(query(f"{{ lines(orderBy: {order}) {{ position part {{ name }} }} }}"))
    assert [(line["part"] and line["part"]["name"], line["position"]) for line in by_name["lines"]] == [
        (None, 1),
        ("other", 1),
        ("one", 2),
        ("one", 1),
    ]


def test_composite_keys(query: Callable[..., Any]) -> None:
    data = _data(query("{ parts { name lines { position } } lines { number position part { name } } }"))
    names = {row["name"]: sorted(line["position"] for line in row["lines"]) for row in data["parts"]}
    assert names == {"one": [1, 2], "two": []}
    assert [line["part"] for line in data["lines"] if line["number"] == 9] == [None]


@pytest.mark.parametrize(
    ("literal", "variable", "name"),
    [
        ("{tenant: 1}", {"tenant": 1}, "one"),
        ("{tenant: 1, number: 2}", {"tenant": 1, "number": 2}, "two"),
        ("{tenant: 2}", {"tenant": 2}, "other"),
        ("{tenant: 3}", {"tenant": 3}, None),
    ],
)
def test_input_objects_as_arguments(
    query: Callable[..., Any], literal: str, variable: dict[str, int], name: str | None
) -> None:
    expected = {"part": None if name is None else {"name": name}}
    assert _data(query(f"{{ part(key: {literal}) {{ name }} }}")) == expected
    assert _data(query("query ($k: PartKey!) { part(key: $k) { name } }", {"k": variable})) == expected


def test_defaults_of_arguments(query: Callable[..., Any]) -> None:
    assert len(_data(query("{ parts { name } }"))["parts"]) == 2
    assert _data(query("{ parts(tenant: 2) { name } }"))["parts"] == [{"name": "other"}]
    text = "query ($t: Int!) { parts(tenant: $t) { name } }"
    assert _data(query(text, {"t": 2}))["parts"] == [{"name": "other"}]


def test_jsonb_documents(query: Callable[..., Any]) -> None:
    rows = _data(query('{ docs(where: {id: {in: ["a", "b"]}}) { id n odd list mood moods key extra extras } }'))["docs"]
    assert rows == [
        {
            "id": "a",
            "n": 1,
            "odd": "k",
            "list": ["x", None],
            "mood": "GOOD",
            "moods": [["GOOD"]],
            "key": None,
            "extra": {"b": [1.50, None]},
            "extras": ["x", 1, None, [], {}],
        },
        {
            "id": "b",
            "n": None,
            "odd": None,
            "list": None,
            "mood": None,
            "moods": None,
            "key": None,
            "extra": None,
            "extras": None,
        },
    ]


def test_a_document_that_does_not_fit_its_type_is_an_error(query: Callable[..., Any]) -> None:
    response = query("{ docs { n } }")
    assert response.outcome is Outcome.DATA_AND_ERRORS
    answer = json.loads(response.body)
    (error,) = answer["errors"]
    assert error["path"] == ["docs", 2, "n"]
    assert error["message"] == "The value of Doc.n does not fit its type."
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "r"}
    assert [row["n"] for row in answer["data"]["docs"]] == [1, None, None, None]
    assert b"text" not in response.body
    assert str(response.cause) == 'Doc.n at docs.2.n holds "text"'


@pytest.mark.parametrize("field", ["group", "tags"])
def test_a_text_that_its_enum_does_not_have_is_an_error(query: Callable[..., Any], field: str) -> None:
    response = query(f"{{ undeclared {{ {field} }} }}")
    assert response.outcome is Outcome.DATA_AND_ERRORS
    error = json.loads(response.body)["errors"][0]
    assert error["message"] == f"The value of Undeclared.{field} does not fit its type."
    assert error["path"][:3] == ["undeclared", 0, field]
    assert b"Mood" not in response.body


@pytest.mark.parametrize(("field", "index"), [("count", 0), ("mood", 1), ("label", 0)])
def test_a_null_in_a_field_that_may_not_be_null_is_an_error(query: Callable[..., Any], field: str, index: int) -> None:
    response = query(f"{{ strict {{ id {field} }} }}")
    assert response.outcome is Outcome.DATA_AND_ERRORS
    (error,) = json.loads(response.body)["errors"]
    assert error["path"] == ["strict", index, field]


@pytest.mark.parametrize("field", ["ratio", "amount", "day", "at", "ratios"])
@pytest.mark.parametrize("index", [0, 1])
def test_a_value_that_json_does_not_know_is_an_error(query: Callable[..., Any], field: str, index: int) -> None:
    response = query(
        f"query ($i: Int) {{ endless(offset: $i, limit: 1, orderBy: {{ratio: ASC}}) {{ {field} }} }}", {"i": index}
    )
    assert response.outcome is Outcome.DATA_AND_ERRORS
    (error,) = json.loads(response.body)["errors"]
    assert error["message"] == f"The value of Endless.{field} does not fit its type."
    assert error["path"][:3] == ["endless", 0, field]
    assert "NaN" in str(response.cause) or "nfinity" in str(response.cause)

"""Python values over a selection: what does not fit is an error at its path, and nulls rise."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.errors import RequestError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline
from fraiseql.schema import subscription
from pipeline.stepping import users


@fraiseql.enum
class Mood(Enum):
    GOOD = "very good"
    CROSSED = "BAD"
    BAD = "bad"


class Other(Enum):
    GOOD = "very good"
    WORSE = "worse"


Huge = Annotated[int, fraiseql.scalar("Huge", sql_type="numeric", parse=lambda value: value, filters="ordered")]


@fraiseql.type
class Inner:
    text_of_it: str
    may: str | None


@fraiseql.type
class Thing:
    text: str | None
    id: ID | None
    int: int | None
    float: float | None
    bool: bool | None
    uuid: UUID | None
    at: dt.datetime | None
    day: dt.date | None
    time: dt.time | None
    exact: Decimal | None
    huge: Huge | None
    json: JSON | None
    mood: Mood | None
    list: list[int] | None  # type: ignore[valid-type]
    loose: list[int | None] | None  # type: ignore[valid-type]
    inner: Inner | None
    inners: list[Inner | None] | None  # type: ignore[valid-type]
    must: str


@subscription
def thing() -> Iterator[Thing | None]:
    yield None


@subscription
def things() -> Iterator[list[Thing]]:
    yield []


@subscription
def matrix() -> Iterator[list[list[int | None]] | None]:
    yield []


_PIPELINE = Pipeline(fraiseql.Schema(queries=[users], subscriptions=[thing, things, matrix]))


def project(query: str, value: Any) -> GraphQLResponse:
    prepared = _PIPELINE.prepare_subscription(GraphQLRequest(f"subscription {{ {query} }}"))
    return prepared.project(value, hint={"requestId": "r"})


def errors(response: GraphQLResponse) -> list[Any]:
    return [(error["message"], error["path"]) for error in json.loads(response.errors)]


_ZONE = dt.timezone(dt.timedelta(hours=-5, minutes=-30))


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("text", "é\n", '"é\\n"'),
        ("id", 7, '"7"'),
        ("id", UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ("int", 2.0, "2"),
        ("int", -(2**31), "-2147483648"),
        ("float", 1, "1"),
        ("float", 0.1 + 0.2, "0.30000000000000004"),
        ("float", 1e15, "1e+15"),
        ("float", 123456789012345.0, "123456789012345"),
        ("float", 5e-324, "5e-324"),
        ("float", 0.0001, "0.0001"),
        ("float", 0.00001, "1e-05"),
        ("float", -0.0, "-0"),
        ("bool", False, "false"),
        ("uuid", "C0FFEE0000004000800000000000000A", '"c0ffee00-0000-4000-8000-00000000000a"'),
        ("at", dt.datetime(2024, 1, 1, 20, 0, 0, 120_000, _ZONE), '"2024-01-02T01:30:00.12+00:00"'),
        ("at", dt.datetime(2024, 1, 1), '"2024-01-01T00:00:00+00:00"'),
        ("at", "2024-01-01T00:00:00.100+02:00", '"2023-12-31T22:00:00.1+00:00"'),
        ("day", dt.date(1, 1, 1), '"0001-01-01"'),
        ("day", "2024-02-29", '"2024-02-29"'),
        ("time", dt.time(1, 2, 3, 4), '"01:02:03.000004"'),
        ("time", "13:30", '"13:30:00"'),
        ("exact", Decimal("1.50"), '"1.50"'),
        ("exact", Decimal("1E+3"), '"1000"'),
        *[("huge", value, str(value)) for value in (5, 2**63 - 1, -(2**63), 2**64, 10**30)],
        ("exact", Decimal("-0.00"), '"0.00"'),
        ("exact", "1.50", '"1.50"'),
        ("exact", 5, '"5"'),
        ("json", {"exact": [Decimal("1.50")]}, '{"exact":[1.50]}'),
        ("json", {"big": 2**80, "a": [None, 0.1]}, '{"big":1208925819614629174706176,"a":[null,0.1]}'),
        ("mood", Mood.GOOD, '"GOOD"'),
        ("mood", "very good", '"GOOD"'),
        ("mood", "CROSSED", '"CROSSED"'),
        ("mood", "BAD", '"CROSSED"'),  # the value of one comes before the name of another
        ("mood", "bad", '"BAD"'),
        ("mood", Other.GOOD, '"GOOD"'),
        ("list", (1, 2), "[1,2]"),
        ("loose", [1, None], "[1,null]"),
        ("inner { t: textOfIt }", {"text_of_it": "x"}, '{"t":"x"}'),
        ("inners { textOfIt __typename }", [None, {"text_of_it": "x"}], '[null,{"textOfIt":"x","__typename":"Inner"}]'),
        *[(name, None, "null") for name in ("text", "float", "json", "mood", "list")],
    ],
)
def test_values(field: str, value: Any, text: str) -> None:
    name = field.split()[0]
    for holder in ({name: value}, SimpleNamespace(**{name: value})):
        response = project(f"thing {{ v: {field} }}", holder)
        assert response.outcome is Outcome.DATA, response.body
        assert response.body.decode() == f'{{"data":{{"thing":{{"v":{text}}}}}}}'


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("text", value) for value in (5, b"x", ["x"], "nul \0", "\ud800", object())],
        *[("id", value) for value in (1.5, True, b"x")],
        *[("int", value) for value in ("5", 1.5, True, 2**31, float("nan"), Decimal(1))],
        *[("float", value) for value in ("1", True, float("nan"), float("-inf"), 10**400)],
        *[("bool", value) for value in (0, 1, "true", [])],
        *[("uuid", value) for value in ("x", 5, ID)],
        *[("at", value) for value in ("x", 5, dt.date(2024, 1, 1), dt.datetime.min.replace(tzinfo=dt.timezone.max))],
        *[("day", value) for value in ("x", 5, dt.datetime(2024, 1, 1))],
        *[("time", value) for value in ("x", dt.time(1, tzinfo=dt.UTC), "12:00+01:00")],
        *[("exact", value) for value in ("x", Decimal("NaN"), Decimal("Infinity"), True, Decimal("1E+5000"))],
        *[
            ("json", value)
            for value in (object(), {"a": float("nan")}, {1, 2}, Decimal("NaN"), "\ud800", b"", dt.date(2020, 1, 1))
        ],
        *[("mood", value) for value in ("GOOD ", Other.WORSE, 5, ["very good"], None.__class__)],
        *[("list", value) for value in ("12", 5, {1}, {1: 2}, iter([1]))],
        *[("inner { textOfIt }", value) for value in ("x", 5, [], (1,), True)],
    ],
)
def test_what_does_not_fit(field: str, value: Any) -> None:
    name = field.split()[0]
    response = project(f"thing {{ t: __typename v: {field} }}", {name: value})
    assert errors(response) == [(f"The value of Thing.{name} does not fit its type.", ["thing", "v"])]
    assert response.outcome is Outcome.DATA_AND_ERRORS
    assert response.cause is not None
    assert json.loads(response.body)["data"] == {"thing": {"t": "Thing", "v": None}}


@pytest.mark.parametrize(
    ("query", "value", "data", "paths"),
    [
        ("thing { must }", {"must": None}, {"thing": None}, [["thing", "must"]]),
        ("thing { must }", {"must": 5}, {"thing": None}, [["thing", "must"]]),
        ("thing { must }", {}, {"thing": None}, [["thing", "must"]]),
        ("thing { text }", {}, {"thing": {"text": None}}, [["thing", "text"]]),
        ("thing { text }", SimpleNamespace(), {"thing": {"text": None}}, [["thing", "text"]]),
        ("things { must }", [{"must": "a"}, {"must": None}], None, [["things", 1, "must"]]),
        ("things { must }", None, None, [["things"]]),
        ("things { must }", [None], None, [["things", 0]]),
        ("things { text }", {"text": "a"}, None, [["things"]]),
        (
            "thing { inners { textOfIt may } text }",
            {"inners": [{"text_of_it": None, "may": 1}, {"text_of_it": "b", "may": 2}], "text": "c"},
            {"thing": {"inners": [None, {"textOfIt": "b", "may": None}], "text": "c"}},
            [["thing", "inners", 0, "textOfIt"], ["thing", "inners", 1, "may"]],
        ),
        ("matrix", [[1, "x"], [None]], {"matrix": [[1, None], [None]]}, [["matrix", 0, 1]]),
        ("matrix", [[1], None], {"matrix": None}, [["matrix", 1]]),
    ],
)
def test_nulls_rise(query: str, value: Any, data: Any, paths: list[list[str | int]]) -> None:
    response = project(query, value)
    assert response.outcome is Outcome.DATA_AND_ERRORS
    assert json.loads(response.body)["data"] == data
    assert [path for _, path in errors(response)] == paths


def test_what_a_property_raises() -> None:
    class Holder:
        @property
        def text(self) -> str:
            raise RequestError("Not for you.", code="FORBIDDEN")

        @property
        def int(self) -> int:
            raise ZeroDivisionError("secret")

    response = project("thing { text int }", Holder())
    assert json.loads(response.body) == {
        "errors": [
            {"message": "Not for you.", "path": ["thing", "text"], "extensions": {"code": "FORBIDDEN"}},
            {
                "message": "Internal server error.",
                "path": ["thing", "int"],
                "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "r"},
            },
        ],
        "data": {"thing": {"text": None, "int": None}},
    }


@pytest.mark.parametrize("raised", [SystemExit("secret"), GeneratorExit("secret")])
def test_what_a_property_raises_that_is_no_exception(raised: BaseException) -> None:
    class Holder:
        int = 1

        @property
        def text(self) -> str:
            raise raised

    response = project("thing { text int }", Holder())
    assert errors(response) == [("Internal server error.", ["thing", "text"])]
    assert json.loads(response.body)["data"] == {"thing": {"text": None, "int": 1}}
    assert repr(raised) in str(response.cause)


def test_json_that_holds_itself() -> None:
    value: list[Any] = []
    value.append(value)
    assert errors(project("thing { json }", {"json": value})) == [
        ("The value of Thing.json does not fit its type.", ["thing", "json"])
    ]


def test_errors_of_a_response_without_any() -> None:
    assert project("matrix", None).errors == b"[]"

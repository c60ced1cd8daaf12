"""Numbers keep their digits on the way to PostgreSQL, and literals of JSON may have variables in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import quote

import pytest

import fraiseql
from fraiseql.effects import CallAll, Fetch
from fraiseql.pipeline import GraphQLRequest, Pipeline, decode_json, decode_query_string
from pipeline.conftest import run

_DIGITS = "12345678901.123456789"
_LONG = "12345678901234567890123"


def _parse_point(value: Any) -> Any:
    if not isinstance(value, dict) or not {"x"} <= value.keys() <= {"x", "y"}:
        raise ValueError("a point has an x")
    return value


def _parse_amount(value: Any) -> str:
    return str(value)


Point = Annotated[Any, fraiseql.scalar("Point", sql_type="jsonb", parse=_parse_point, filters="json")]
Amount = Annotated[str, fraiseql.scalar("Amount", sql_type="numeric", parse=_parse_amount, filters="ordered")]


@fraiseql.type(sql_source="things")
class Thing:
    id: fraiseql.ID
    n: Decimal | None
    f: float | None
    i: int | None
    any: fraiseql.JSON | None
    points: Point | None
    amount: Amount | None

    @fraiseql.field(needs=["id"])
    def echo(self, any: fraiseql.JSON | None = None, n: Decimal | None = None) -> str:
        return repr((any, n))


@fraiseql.query
def things() -> list[Thing]: ...


@fraiseql.subscription
def told(any: fraiseql.JSON) -> Iterator[str]:
    yield repr(any)


_PIPELINE = Pipeline(fraiseql.Schema(queries=[things], subscriptions=[told]))


def _body(query: str, variables: str) -> bytes:
    return f'{{"query": {json.dumps(query)}, "variables": {variables}}}'.encode()


def _requests(query: str, variables: str) -> list[GraphQLRequest]:
    """As each transport reads it."""
    message = f'{{"type": "subscribe", "payload": {_body(query, variables).decode()}}}'
    return [
        decode_json(_body(query, variables), 20),
        decode_query_string(f"query={quote(query)}&variables={quote(variables)}".encode(), 20),
        GraphQLRequest(query, None, json.loads(variables, parse_int=float), {}, (message, ("payload", "variables"))),
    ]


def _sent(request: GraphQLRequest) -> list[str | None]:
    """The parameters."""
    effect = next(_PIPELINE.execute(request, "request-1"))
    assert isinstance(effect, Fetch)
    return [value and value.decode() for value in effect.parameters]


@pytest.mark.parametrize(
    ("field", "variable", "given", "sent"),
    [
        ("n: {eq: $v}", "Decimal", _DIGITS, _DIGITS),
        ("n: {eq: $v}", "Decimal", _LONG, _LONG),
        ("n: {eq: $v}", "Decimal", "1e2", "100"),
        ("n: {in: $v}", "[Decimal!]", f"[{_DIGITS}, 5]", f'{{"{_DIGITS}","5"}}'),
        ("n: $v", "DecimalFilter", f'{{"gt": {_DIGITS}}}', _DIGITS),
        ("any: {contains: $v}", "JSON", f'{{"a": [{_DIGITS}, {_LONG}]}}', f'{{"a": [{_DIGITS}, {_LONG}]}}'),
        ("any: {contains: {a: $v}}", "JSON", _DIGITS, f'{{"a": {_DIGITS}}}'),
        ("points: {eq: $v}", "Point", f'{{"x": {_DIGITS}}}', f'{{"x": {_DIGITS}}}'),
        ("amount: {eq: $v}", "Amount", _DIGITS, _DIGITS),
    ],
)
def test_variables_keep_their_digits(field: str, variable: str, given: str, sent: str) -> None:
    query = f"query ($v: {variable}) {{ things(where: {{{field}}}) {{ id }} }}"
    for request in _requests(query, f'{{"v": {given}}}'):
        assert _sent(request)[0] == sent


def test_literals_keep_their_digits() -> None:
    request = GraphQLRequest(f"{{ things(where: {{any: {{eq: {{a: {_DIGITS}}}}}, n: {{eq: {_DIGITS}}}}}) {{ id }} }}")
    assert set(_sent(request)) == {f'{{"a": {_DIGITS}}}', _DIGITS}


def test_variables_of_python_are_what_they_are() -> None:
    query = "query ($v: JSON, $n: Decimal) { things(where: {any: {eq: $v}, n: {eq: $n}}) { id } }"
    assert set(_sent(GraphQLRequest(query, None, {"v": [0.1], "n": 1.5}))) == {"[0.1]", "1.5"}
    execution = run(_PIPELINE, query, {"v": None, "n": 1e22})
    assert execution.error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "as a string" in execution.error["message"]


def _called(query: str, variables: str) -> Any:
    program = _PIPELINE.execute(decode_json(_body(query, variables), 20), "request-1")
    next(program)
    effect = program.send((b'[{"needs$id":"1"}]',))
    assert isinstance(effect, CallAll)
    return effect.calls[0].named


@pytest.mark.parametrize(
    ("literal", "variables", "expected"),
    [
        ("$v", '{"v": [0.5, 12345678901234567890123]}', [0.5, 12345678901234567890123]),
        ("[1.5, $v]", '{"v": {"a": 0.25}}', [1.5, {"a": 0.25}]),
        ("{a: $v, b: [$v]}", "{}", {"b": [None]}),
        ("{a: $v, b: [$v]}", '{"v": null}', {"a": None, "b": [None]}),
        ("{a: {b: [$w]}}", "{}", {"a": {"b": [7]}}),
    ],
)
def test_python_is_given_floats(literal: str, variables: str, expected: Any) -> None:
    declared = ", ".join(f"{name}" for name in ("$v: JSON", "$w: Int = 7") if name[:2] in literal)
    found = _called(f"query ({declared}) {{ things {{ echo(any: {literal}) }} }}", variables)["any"]
    assert found == expected
    assert repr(found) == repr(expected)

    def kinds(value: Any) -> Iterator[type]:
        yield type(value)
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from kinds(each)

    assert set(kinds(found)) <= {dict, list, int, float, type(None)}


@pytest.mark.parametrize(
    ("literal", "variables", "sent"),
    [
        ("{a: $v}", '{"v": 1}', '{"a": 1}'),
        ("[1, $v, [$v]]", '{"v": {"b": "x"}}', '[1, {"b": "x"}, [{"b": "x"}]]'),
        ("{a: $v, b: 1}", "{}", '{"b": 1}'),
        ("[$v]", "{}", "[null]"),
    ],
)
def test_variables_in_literals(literal: str, variables: str, sent: str) -> None:
    query = f"query ($v: JSON) {{ things(where: {{any: {{eq: {literal}}}}}) {{ id }} }}"
    assert _sent(decode_json(_body(query, variables), 20))[0] == sent


def test_each_request_has_its_own_values_in_a_literal() -> None:
    query = "query ($v: Int) { things(where: {points: {eq: {x: 1, y: $v}}}) { id } }"
    for value in (1, 2):
        assert _sent(GraphQLRequest(query, None, {"v": value}))[0] == f'{{"x": 1, "y": {value}}}'
    assert _sent(GraphQLRequest(query))[0] == '{"x": 1}'


def test_a_literal_that_its_variables_make_unfit() -> None:
    query = "query ($v: Int) { things(where: {points: {eq: {x: $v}}}) { id } }"
    for variables in ({"v": 1}, {}, {"v": 2}, {}):
        execution = run(_PIPELINE, query, variables)
        if variables:
            assert execution.fetches
        else:
            assert execution.brief == ("BAD_USER_INPUT", ["things"])
            assert execution.error["message"] == "a point has an x"


def test_a_subscription_is_given_them() -> None:
    query = "subscription ($v: Int) { told(any: {a: [$v, 1.5]}) }"
    prepared = _PIPELINE.prepare_subscription(GraphQLRequest(query, None, {"v": 3}))
    assert prepared.arguments == {"any": {"a": [3, 1.5]}}


def test_ints_and_floats_are_as_before() -> None:
    query = "query ($f: Float, $i: Int) { things(where: {f: {eq: $f}, i: {eq: $i}}) { id } }"
    assert set(_sent(decode_json(_body(query, '{"f": 0.1, "i": 5.0}'), 20))) == {"0.1", "5"}

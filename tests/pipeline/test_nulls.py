"""A null where the schema allows none is an error at its path, and rises to the next field that may be null."""

from __future__ import annotations

import json

import pytest

import fraiseql
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline


@fraiseql.type
class Address:
    city: str
    lines: list[str]
    floors: list[int] | None
    raw: fraiseql.JSON | None


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    name: str
    email: str | None
    address: Address | None
    homes: list[Address]


@fraiseql.query
def users() -> list[User]: ...


@fraiseql.query
def maybe() -> list[User] | None: ...


@fraiseql.query
def user(name: str) -> User | None: ...


@fraiseql.query
def owner() -> User: ...


_PIPELINE = Pipeline(fraiseql.Schema(queries=[users, maybe, user, owner]))


def _run(query: str, *row: str | None) -> GraphQLResponse:
    program = _PIPELINE.execute(GraphQLRequest(query), "r1")
    next(program)
    with pytest.raises(StopIteration) as stop:
        program.send(tuple(None if text is None else text.encode() for text in row))
    response: GraphQLResponse = stop.value.value
    return response


@pytest.mark.parametrize(
    ("query", "row", "data", "errors"),
    [
        ("{ users { name } }", '[{"name":null}]', None, {"User.name": ["users", 0, "name"]}),
        ("{ users { name } }", None, None, {"Query.users": ["users"]}),
        ("{ maybe { name } }", '[{"name":"a"},{"name":null}]', {"maybe": None}, {"User.name": ["maybe", 1, "name"]}),
        ('{ user(name: "a") { n: name } }', '{"n":null}', {"user": None}, {"User.name": ["user", "n"]}),
        (
            '{ user(name: "a") { name address { city } } }',
            '{"name":"a","address":{"city":null}}',
            {"user": {"name": "a", "address": None}},
            {"Address.city": ["user", "address", "city"]},
        ),
        (
            '{ user(name: "a") { homes { lines floors } } }',
            '{"homes":[{"lines":["x"],"floors":[1,null]},{"lines":["y"],"floors":[2]}]}',
            {"user": {"homes": [{"lines": ["x"], "floors": None}, {"lines": ["y"], "floors": [2]}]}},
            {"Address.floors": ["user", "homes", 0, "floors", 1]},
        ),
        ("{ owner { name } }", None, None, {"Query.owner": ["owner"]}),
        (  # the same key may be null in one place, and not in another
            '{ user(name: "a") { x: email address { x: city } } }',
            '{"x":null,"address":{"x":null}}',
            {"user": {"x": None, "address": None}},
            {"Address.city": ["user", "address", "x"]},
        ),
        (
            "{ maybe { email address { raw } homes { raw } } }",
            '[{"email":null,"address":{"raw":{"email":null}},"homes":[null]}]',
            {"maybe": None},
            {"User.homes": ["maybe", 0, "homes", 0]},
        ),
    ],
)
def test_nulls_rise(query: str, row: str | None, data: object, errors: dict[str, list[str | int]]) -> None:
    response = _run(query, row)
    assert response.outcome is Outcome.DATA_AND_ERRORS
    answer = json.loads(response.body)
    assert answer["data"] == data
    assert {error["message"]: error["path"] for error in answer["errors"]} == {
        f"Cannot return null for non-nullable field {field}.": path for field, path in errors.items()
    }
    assert all(error["extensions"]["requestId"] == "r1" for error in answer["errors"])
    assert str(response.cause) == "; ".join(
        f"Cannot return null for non-nullable field {field} at {'.'.join(map(str, path))}"
        for field, path in errors.items()
    )


def test_the_other_fields_stay() -> None:
    text = '{"name":null}'
    query = '{ __typename a: user(name: "a") { name } b: user(name: "b") { name } __type(name: "User") { name } }'
    answer = json.loads(_run(query, text, '{"name":"null"}').body)
    assert answer["data"] == {"__typename": "Query", "a": None, "b": {"name": "null"}, "__type": {"name": "User"}}
    assert [error["path"] for error in answer["errors"]] == [["a", "name"]]


@pytest.mark.parametrize(
    "row",
    [
        '[{"name":"null","email":null}]',
        '[{"name":"a","email":"null"}]',
        r'[{"name":"\"email\":null","email":null},{"name":"a","email":null}]',
        "[]",
    ],
)
def test_nulls_that_are_allowed_pass_unread(row: str) -> None:
    response = _run("{ users { name email } }", row)
    assert response.body == b'{"data":{"users":' + row.encode() + b"}}"


def test_what_is_beside_a_null_is_kept_exactly() -> None:
    row = '{"homes":[{"raw":{"big": 123456789012345678901234567890, "é": null},"floors":[null]}]}'
    body = _run('{ user(name: "a") { homes { raw floors } } }', row).body
    assert b'{"raw":{"big":123456789012345678901234567890,"\xc3\xa9":null},"floors":null}' in body


@pytest.mark.parametrize(
    "number", ["9" * 5_000, "123456789012345678901", "0.12345678901234567890123", "1e400", "1.50", "-0.0"]
)
def test_numbers_keep_their_digits(number: str) -> None:
    right = f'{{"name":"x","address":{{"raw":{{"n":{number},"x":null}}}}}}'
    assert _run('{ user(name: "x") { name address { raw } } }', right).body == f'{{"data":{{"user":{right}}}}}'.encode()
    wrong = f'{{"email":null,"address":{{"city":null,"raw":{number}}},"homes":[{{"raw":{number}}}]}}'
    response = _run('{ user(name: "x") { email address { city raw } homes { raw } } }', wrong)
    assert response.outcome is Outcome.DATA_AND_ERRORS
    assert f'{{"email":null,"address":null,"homes":[{{"raw":{number}}}]}}'.encode() in response.body


@pytest.mark.parametrize("deep", ["[" * 5_000 + "null" + "]" * 5_000, '[{"a]":' * 400 + "1" + "}]" * 400])
def test_a_json_scalar_may_nest_deeper_than_is_read(deep: str) -> None:
    raw = f'[{deep},{{"b":"["}},{deep},1.50]'
    right = f'{{"name":"x","homes":[{{"raw":{raw}}},{{"raw":null}}]}}'
    query = '{ user(name: "x") { name email homes { city raw } } }'
    body = _run('{ user(name: "x") { name homes { raw } } }', right).body
    assert body == f'{{"data":{{"user":{right}}}}}'.encode()
    wrong = f'{{"name":"x","email":null,"homes":[{{"city":"c","raw":{raw}}},{{"city":null,"raw":1}}]}}'
    (error,) = json.loads(_run(query, wrong).errors)
    assert error["path"] == ["user", "homes", 1, "city"]
    marred = f'{{"name":"x","address":{{"raw":{raw}}},"homes":[{{"floors":[null]}}]}}'
    body = _run('{ user(name: "x") { name address { raw } homes { floors } } }', marred).body
    assert f'"data":{{"user":{marred.removesuffix("[null]}]}")}null}}]}}}}}}'.encode() in body


@pytest.mark.parametrize("raw", [r'"\ud800"'])
def test_what_cannot_be_written_again_is_an_error(raw: str) -> None:
    row = f'{{"address":{{"city":null,"raw":null}},"homes":[{{"raw":{raw}}}]}}'
    query = "{ address { city raw } homes { raw } }"
    for text, path in ((f'{{ user(name: "x") {query} }}', "user"), (f"{{ owner {query} }}", "owner")):
        response = _run(text, row)
        assert response.outcome is Outcome.DATA_AND_ERRORS
        (error,) = json.loads(response.body)["errors"]
        assert error["path"] == [path]
        assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "r1"}
        assert f"the value of Query.{path} cannot be read, or written again: " in str(response.cause)
        assert json.loads(response.body)["data"] == ({"user": None} if path == "user" else None)

"""What functions are given, and what a client is told of arguments that do not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraiseql.pipeline import Pipeline
from fraiseql.pipeline.response import Refusal
from pipeline.functions.app import schema
from pipeline.functions.driving import Server

_PIPELINE = Pipeline(schema)


def call(query: str, variables: dict[str, Any] | None = None) -> tuple[str, list[Any]]:
    """The call in the SQL of a mutation, and its parameters."""
    explanation = _PIPELINE.explain(f"mutation {query}" if variables is None else query, variables)
    before, _, rest = explanation.sql.partition(" from ")
    assert before == "select array_to_json(array(select case when not r$ is null then to_jsonb(r$) end"
    return rest.removesuffix(" r$))"), list(explanation.parameters)


def document(query: str, variables: dict[str, Any] | None = None) -> Any:
    """The only jsonb that a function is given."""
    called, (text,) = call(query, variables)
    assert called.endswith("($1::jsonb)")
    return json.loads(text)


def test_an_input_object_is_the_jsonb() -> None:
    query = """{ echo(input: {
        name: "N", email: null, tags: ["a", "b"],
        home: {cityName: "c", mood: GOOD, inner: [{cityName: "d", mood: null}]}
    }) { got } }"""
    assert document(query) == {
        "name": "N",
        "email": None,
        "labels": ["a", "b"],
        "age": 3,
        "home": {"city_name": "c", "mood": "very good", "inner": [{"city_name": "d", "mood": None}]},
    }


def test_what_is_absent_is_no_key() -> None:
    assert document('{ echo(input: {name: "N", age: 4}) { got } }') == {"name": "N", "age": 4}
    query = "mutation ($name: String!, $email: String) { echo(input: {name: $name, email: $email}) { got } }"
    assert document(query, {"name": "N"}) == {"name": "N", "age": 3}
    assert document(query, {"name": "N", "email": None}) == {"name": "N", "age": 3, "email": None}


def test_variables_of_input_objects() -> None:
    query = "mutation ($input: CreateUserInput!) { echo(input: $input) { got } }"
    given = {"name": "N", "home": {"cityName": "c", "mood": "BAD"}, "tags": []}
    expected = {"name": "N", "home": {"city_name": "c", "mood": "bad"}, "labels": [], "age": 3}
    assert document(query, {"input": given}) == expected


def test_several_arguments_are_one_jsonb() -> None:
    query = """{ echoSeveral(
        someName: "n", day: "2024-01-05", raw: "AAH/", mood: BAD, anything: [1, "x", {a: null}],
        places: [{cityName: "q"}]
    ) { got } }"""
    assert document(query) == {
        "some_name": "n",
        "day": "2024-01-05",
        "raw": "\\x0001ff",
        "mood": "bad",
        "anything": [1, "x", {"a": None}],
        "places": [{"city_name": "q"}],
    }


def test_numbers_keep_their_digits() -> None:
    query = """mutation ($big: BigInt, $json: JSON) {
        echoSeveral(someName: "", amount: "12345678901234567890.120", big: $big, anything: $json) { got }
    }"""
    _, (text,) = call(query, {"big": "9007199254740993", "json": {"a": 1.5}})
    assert '"amount": 12345678901234567890.120,' in text
    assert '"big": 9007199254740993,' in text


def test_arguments_by_name() -> None:
    called, parameters = call("{ updateUser(input: {id: 1, email: null, mood: GOOD}) { id } }")
    assert called == '"app"."fn_update_user"("p_id" => $1, "p_mood" => $2, "p_email" => $3)'
    assert parameters == ["1", "very good", None]
    called, parameters = call("{ updateUser(input: {id: 1}) { id } }")
    assert (called, parameters) == ('"app"."fn_update_user"("p_id" => $1)', ["1"])


def test_no_arguments() -> None:
    assert call("{ countUsers }") == ('"app"."fn_count"()', [])


def test_no_value_becomes_sql() -> None:
    nasty = "'); drop table app.users; --\" $1 \\ \u2028"
    query = """mutation ($id: ID!, $name: String) { updateUser(input: {id: $id, name: $name}) { id } }"""
    called, parameters = call(query, {"id": nasty, "name": nasty})
    assert called == '"app"."fn_update_user"("p_id" => $1, "p_name" => $2)'
    assert parameters == [nasty, nasty]
    assert document("mutation ($n: String!) { echo(input: {name: $n}) { got } }", {"n": nasty})["name"] == nasty


def test_every_type_by_name_in_the_database(server: Server) -> None:
    query = r"""mutation { typed(
        amount: "1.50", day: "2024-01-05", at: "2024-01-05T00:00:00Z", raw: "AAH/", big: 5, any: "text",
        flags: [true, false], places: [{cityName: "a\"b", mood: GOOD}], documents: [1, "x", null]
    ) { got } }"""
    places = [{"city_name": 'a"b', "mood": "very good"}]
    text = server.ask(query.replace('[1, "x", null]', '[1, "x"]')).data["typed"]["got"]
    assert text[:7] == [1.5, "2024-01-05", "2024-01-05T00:00:00+00:00", "\\x0001ff", 5, "text", [True, False]]
    assert text[7:] == [places, [1, "x"]]


@pytest.mark.parametrize("key", ["x", "1e400", "99999999999999999999"])
def test_a_value_that_the_argument_does_not_take(server: Server, key: str) -> None:
    query = "mutation ($id: ID!) { deleteUser(id: $id) { ... on Refused { message code status fields } } }"
    assert server.ask(query, {"id": key}).data["deleteUser"] == {
        "message": 'The value of "id" does not fit what the function takes.',
        "code": "BAD_USER_INPUT",
        "status": "bad_user_input",
        "fields": ["id"],
    }
    answer = server.ask("mutation ($id: ID!) { document(id: $id) { id } }", {"id": key})
    assert answer.error == {
        "message": 'The value of "id" does not fit what the function takes.',
        "path": ["document"],
        "extensions": {"code": "BAD_USER_INPUT", "fields": ["id"]},
    }


def test_a_jsonb_that_postgresql_has_no_place_for(server: Server) -> None:
    answer = server.ask("mutation ($x: JSON!) { sayAlone(result: $x) { message } }", {"x": {"a": "\0"}})
    assert (answer.code, answer.error["extensions"]["fields"]) == ("BAD_USER_INPUT", ["result"])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ echo { got } }", "is required"),
        ("{ echo(input: {}) { got } }", "required field 'name'"),
        ('{ echo(input: {name: "", nothing: 1}) { got } }', "'nothing'"),
        ('{ updateUser(input: {id: 1, mood: "GOOD"}) { id } }', "Mood"),
        ("{ countUsers(limit: 1) }", "'limit'"),
        ("{ byIds(ids: [1], limit: 1) { id } }", "'limit'"),
    ],
)
def test_what_the_schema_refuses(query: str, message: str) -> None:
    with pytest.raises(Refusal, match=message):
        _PIPELINE.explain(f"mutation {query}")


def test_the_statement_of_each_field() -> None:
    explanation = _PIPELINE.explain("mutation { countUsers nobody { id } again: countUsers }")
    sql = [each.sql for each in (explanation, *explanation.further)]
    assert [text.partition(" from ")[2] for text in sql] == [
        '"app"."fn_count"() r$))',
        '"app"."fn_none"() r$))',
        '"app"."fn_count"() r$))',
    ]
    assert _PIPELINE.explain("mutation { __typename }").sql == ""

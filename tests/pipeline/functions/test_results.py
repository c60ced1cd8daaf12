"""What functions return, in every form and with every status, from a real PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.functions.driving import Answer, Server

_SAY = """mutation ($result: JSON!) {
    say(result: $result) {
        ... on Done { text: message user { id name } }
        ... on Refused { message code status fields }
    }
}"""


def say(server: Server, result: Any, query: str = _SAY) -> Answer:
    return server.ask(query, {"result": result})


@pytest.mark.parametrize("status", ["created", "updated", "success", "SUCCESS", " Created "])
def test_statuses_of_success(server: Server, status: str) -> None:
    result = {"status": status, "message": "Well.", "entity_id": 1}
    assert say(server, result).data["say"] == {"text": "Well.", "user": {"id": "1", "name": "Ada"}}


@pytest.mark.parametrize(
    ("status", "code", "fields"),
    [
        ("noop", "NOOP", []),
        ("noop:unchanged", "NOOP", []),
        ("validation", "VALIDATION", []),
        ("validation:result", "VALIDATION", ["result"]),
        ("VALIDATION: result, result;other", "VALIDATION", ["result"]),
        ("not_found", "NOT_FOUND", []),
        ("Not-Found:user", "NOT_FOUND", []),
        ("conflict:result", "CONFLICT", ["result"]),
        ("unauthorized", "UNAUTHORIZED", []),
        ("forbidden:nobody may", "FORBIDDEN", []),
        ("timeout", "TIMEOUT", []),
        ("failed:", "FAILED", []),
        ("failed:a:b", "FAILED", []),
    ],
)
def test_statuses_of_errors(server: Server, status: str, code: str, fields: list[str]) -> None:
    data = say(server, {"status": status, "message": "No."}).data["say"]
    assert data == {"message": "No.", "code": code, "status": status, "fields": fields}


@pytest.mark.parametrize(
    "code", ["noop", "validation", "not_found", "conflict", "unauthorized", "forbidden", "timeout"]
)
def test_an_error_has_a_message_in_any_case(server: Server, code: str) -> None:
    assert say(server, {"status": code}).data["say"]["message"].endswith(".")


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"status": "gone"}, "the status 'gone' is none that is known"),
        ({"status": "created:twice"}, "the status 'created:twice'"),
        ({"status": "validation2"}, "the status 'validation2'"),
        ({"status": ""}, "the status ''"),
        ({"status": 7}, "its status is no text"),
        ({"message": "What?"}, "its result has no status"),
        ({}, "its result has no status"),
        (7, "neither a row nor a jsonb object"),
        ([{"status": "success"}], "neither a row nor a jsonb object"),
        ({"status": "success", "message": 7}, "the message is no text"),
        ({"status": "failed", "message": ["x"]}, "the message is no text"),
        ({"status": "failed", "metadata": 7}, "the metadata is no object"),
        ({"status": "failed", "metadata": {"fields": 7}}, None),
        ({"status": "failed", "metadata": {"fields": [7]}}, "the fields in the metadata are no names"),
        ({"status": "success", "entity_id": {"id": True}}, "the id of a row of User is no scalar"),
        ({"status": "success", "entity": {"name": "Ada"}}, "a row of User has no id"),
        ({"status": "success", "entity": True}, "the id of a row of User is no scalar"),
    ],
)
def test_results_that_are_none(server: Server, result: Any, told: str | None) -> None:
    """They are defects of the function: the client is told nothing, the log what it was."""
    answer = say(server, result)
    if told is None:
        assert answer.data["say"]["fields"] == []
        return
    assert (answer.code, answer.error["message"]) == ("INTERNAL_SERVER_ERROR", "Internal server error.")
    assert answer.error["path"] == ["say"]
    assert told in answer.told
    assert "say: the function app.fn_say did not keep to its part" in answer.told


def test_no_result(server: Server) -> None:
    query = "mutation { sayOrNothing(result: null) { __typename } nobody { id } }"
    assert server.ask(query).data == {"sayOrNothing": None, "nobody": None}
    answer = server.ask("mutation { sayAnything(result: null) { __typename } }")
    assert (answer.code, answer.json["data"]) == ("INTERNAL_SERVER_ERROR", None)
    assert "it returned no result" in answer.told


@pytest.mark.parametrize(
    ("field", "result"),
    [
        ("sayUser", {"status": "success", "entity": []}),
        ("sayUser", {"status": "deleted", "entity": [1]}),
        ("sayUsers", {"status": "success", "entity": {"id": 1}}),
        ("sayUsers", {"status": "success", "entity": [[1]]}),
        ("saySeveral", {"status": "success", "entity": [], "metadata": {"persons": 1}}),
    ],
)
def test_one_for_several_and_several_for_one(server: Server, field: str, result: Any) -> None:
    below = {"sayUser": "{ ... on User { id } }", "sayUsers": "{ id }"}.get(
        field, "{ ... on Listed { persons { id } } }"
    )
    answer = say(server, result, f"mutation ($result: JSON!) {{ {field}(result: $result) {below} }}")
    assert answer.code == "INTERNAL_SERVER_ERROR"
    assert "did not keep to its part" in answer.told


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        (["result", "result"], ["result"]),
        ("result", ["result"]),
        ({"result": "is wrong", "another_one": "too"}, ["another_one", "result"]),
        ([], []),
        (None, []),
    ],
)
def test_fields_of_the_metadata(server: Server, told: Any, fields: list[str]) -> None:
    result = {"status": "validation", "metadata": {"fields": told}}
    assert sorted(say(server, result).data["say"]["fields"]) == fields


@pytest.mark.parametrize(
    "entity", [{"id": 1, "name": "somebody else"}, {"id": "1"}, 1, "1"], ids=["row", "text", "id", "id as text"]
)
def test_the_entity_is_selected_by_the_id_in_it(server: Server, entity: Any) -> None:
    assert say(server, {"status": "success", "entity": entity}).data["say"]["user"] == {"id": "1", "name": "Ada"}


def test_the_entity_is_the_row_of_its_id_and_not_what_the_function_says_of_it(server: Server) -> None:
    result = {"status": "updated", "entity_id": "1", "entity": {"id": 2, "name": "Mallory"}}
    assert say(server, result).data["say"]["user"] == {"id": "1", "name": "Ada"}


@pytest.mark.parametrize("result", [{"entity_id": 99}, {"entity": {"id": None}}, {"entity": None}, {}])
def test_an_entity_that_is_not_there_is_null(server: Server, result: dict[str, Any]) -> None:
    assert say(server, {"status": "success", **result}).data["say"]["user"] is None


def test_an_id_that_is_none(server: Server) -> None:
    answer = say(server, {"status": "success", "entity_id": "x"})
    assert answer.code == "INTERNAL_SERVER_ERROR"


def test_several_entities(server: Server) -> None:
    query = """mutation ($result: JSON!) { saySeveral(result: $result) {
        ... on Listed { users { name posts(limit: 1) { title } } first: users { id } persons { id name } }
    } }"""
    entity = [{"id": 2}, 1]
    answer = say(server, {"status": "created", "entity": entity, "metadata": {"persons": [1, {"id": 2}]}}, query)
    assert answer.data["saySeveral"] == {
        "users": [{"name": "Grace", "posts": [{"title": "Bugs"}]}, {"name": "Ada", "posts": [{"title": "Notes"}]}],
        "first": [{"id": "2"}, {"id": "1"}],
        "persons": [{"id": "1", "name": "Ada"}, {"id": "2", "name": "Grace"}],
    }
    answer = say(server, {"status": "created", "entity_id": ["1"]}, query)
    assert answer.data["saySeveral"]["first"] == [{"id": "1"}]
    assert say(server, {"status": "created", "entity": []}, query).data["saySeveral"]["users"] == []
    assert say(server, {"status": "created", "entity": {"id": 1}}, query).code == "INTERNAL_SERVER_ERROR"
    missing = say(server, {"status": "created", "entity": [99]}, query)
    assert missing.error["message"].startswith("Cannot return null for non-nullable field")


def test_the_field_gives_the_entity_itself(server: Server) -> None:
    query = """mutation ($result: JSON!) {
        a: sayUser(result: $result) { ... on User { name initial } }
        b: sayUser(result: $result) { __typename }
        c: sayUser(result: $result) { ... on Refused { code } }
        d: sayUser(result: $result) { kind: __typename ... on User { posts(limit: 1) { title } } }
    }"""
    assert say(server, {"status": "success", "entity_id": 2}, query).data == {
        "a": {"name": "Grace", "initial": "G"},
        "b": {"__typename": "User"},
        "c": {},
        "d": {"kind": "User", "posts": [{"title": "Bugs"}]},
    }
    refused = say(server, {"status": "conflict"}, query).data
    assert refused == {"a": {}, "b": {"__typename": "Refused"}, "c": {"code": "CONFLICT"}, "d": {"kind": "Refused"}}
    query = "mutation ($result: JSON!) { sayUsers(result: $result) { name } }"
    assert say(server, {"status": "success", "entity": [2, 1]}, query).data["sayUsers"] == [
        {"name": "Grace"},
        {"name": "Ada"},
    ]


def test_a_field_without_an_error_type(server: Server) -> None:
    query = "mutation ($result: JSON!) { sayAlone(result: $result) { message } }"
    assert say(server, {"status": "success", "message": "Yes."}, query).data == {"sayAlone": {"message": "Yes."}}
    answer = say(server, {"status": "conflict:result", "message": "No."}, query)
    assert answer.error == {
        "message": "No.",
        "path": ["sayAlone"],
        "extensions": {"code": "CONFLICT", "fields": ["result"]},
    }


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"status": "success", "entity_id": 1}], {"user": {"name": "Ada"}}),
        ([{"status": "not_found", "message": "No."}], {"code": "NOT_FOUND"}),
    ],
)
def test_columns_of_a_table(server: Server, rows: Any, expected: Any) -> None:
    query = """mutation ($result: JSON!) { sayTable(result: $result) {
        ... on Done { user { name } } ... on Refused { code }
    } }"""
    assert say(server, rows, query).data["sayTable"] == expected


@pytest.mark.parametrize(("rows", "told"), [([], "no result"), ([{"status": "success"}] * 2, "returned 2 results")])
def test_a_table_of_no_result_and_of_several(server: Server, rows: Any, told: str) -> None:
    query = "mutation ($result: JSON!) { sayTable(result: $result) { __typename } }"
    assert told in say(server, rows, query).told


def test_a_status_alone(server: Server) -> None:
    query = (
        "mutation ($result: String!) { sayStatus(result: $result) { ... on Refused { code } ... on Done { message } } }"
    )
    assert say(server, "forbidden", query).data["sayStatus"] == {"code": "FORBIDDEN"}
    assert say(server, "success", query).data["sayStatus"] == {"message": None}


def test_every_part_of_a_composite(server: Server) -> None:
    query = """mutation { createUser(input: {name: "Bob"}) { __typename ... on UserCreated {
        status message id entityType updatedFields cascade metadata greeting figures { total } loud
        user { id name shout initial mood posts { id } pages(first: 1) { totalCount } }
        boss: manager { name posts(orderBy: [{title: ASC}], limit: 1) { title } }
    } } }"""
    made = server.ask(query).data["createUser"]
    key = made["id"]
    assert made == {
        "__typename": "UserCreated",
        "status": "created",
        "message": "Welcome.",
        "id": key,
        "entityType": "User",
        "updatedFields": ["name", "email"],
        "cascade": {"created": [int(key)]},
        "metadata": {"figures": {"total": 12.5}, "manager": 1, "greeting": "hello"},
        "greeting": "hello",
        "figures": {"total": "12.50"},
        "loud": "HELLO",
        "user": {
            "id": key,
            "name": "Bob",
            "shout": "BOB",
            "initial": "B",
            "mood": None,
            "posts": [],
            "pages": {"totalCount": 0},
        },
        "boss": {"name": "Ada", "posts": [{"title": "More notes"}]},
    }


def test_digits_of_the_metadata_pass_through(server: Server) -> None:
    query = """mutation { echoSeveral(someName: "n", amount: "123456789012345678901234567890.50") { got } }"""
    body = server.ask(query).response.body
    assert b'"amount":123456789012345678901234567890.50' in body


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("document(id: 1) { id name }", {"id": "1", "name": "Ada"}),
        ("viewRow(id: 1) { id name }", {"id": "1", "name": "Ada"}),
        ("viewRow(id: 99) { id name }", None),
        ("byIds(ids: [2, 1]) { name }", [{"name": "Grace"}, {"name": "Ada"}]),
        ("byIds(ids: []) { name }", []),
        ("someByIds(ids: [99, 1]) { name }", [None, {"name": "Ada"}]),
        ("byRows(ids: [1, 2]) { initial }", [{"initial": "G"}, {"initial": "A"}]),
        ("byArray(ids: [1, 2]) { name }", [{"name": "Ada"}, {"name": "Grace"}]),
        ("byArray(ids: []) { name }", None),
        ("nobody { id }", None),
    ],
)
def test_rows(server: Server, query: str, expected: Any) -> None:
    (found,) = server.ask(f"mutation {{ {query} }}").data.values()
    assert found == expected


def test_rows_that_must_be_there(server: Server) -> None:
    answer = server.ask("mutation { document(id: 99) { id } }")
    assert answer.error["message"] == "Cannot return null for non-nullable field Mutation.document."
    assert server.ask("mutation { byIds(ids: [99]) { id } }").error["path"] == ["byIds", 0]


NULLS = {"a": None, "b": None}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        *(("jsonValue", value, value) for value in (NULLS, {}, [NULLS], [[1, 2]], [[]], None, "x", {"a": NULLS})),
        *(("jsonList", value, value) for value in ([NULLS, None, {}], [[1, 2]], [[1], [2]], [[]], [], [None], None)),
        *(("jsonSet", value, value) for value in ([NULLS, None, {}], [[1, 2]], [[1], [2]], [[]], [], [None])),
        *(("ints", value, value) for value in ([1, 2], [1], [None], None)),
        *(("intSet", value, value) for value in ([1, 2], [1], [None], [])),
    ],
)
def test_values_and_lists_of_them_come_as_the_function_gives_them(
    server: Server, field: str, value: Any, expected: Any
) -> None:
    query = f"mutation ($value: JSON) {{ {field}(value: $value) }}"
    assert server.ask(query, {"value": value}).data == {field: expected}


def test_functions_of_one_name_may_differ_in_what_they_return(server: Server) -> None:
    found = server.ask("mutation { either(value: 1) eitherSet }").data
    assert found == {"either": [1, 2], "eitherSet": [3, 4]}


def test_an_interface(server: Server) -> None:
    pages = "__typename title ... on Book { pages }"
    found = server.ask(
        f"mutation {{ medium(id: 1) {{ {pages} }} film: medium(id: 2) {{ title }} none: medium(id: 9) {{ id }}"
        f" media(ids: [2, 9, 1]) {{ {pages} }} }}"
    ).data
    emma = {"__typename": "Book", "title": "Emma", "pages": 474}
    metropolis = {"__typename": "Film", "title": "Metropolis"}
    assert found == {
        "medium": emma,
        "film": {"title": "Metropolis"},
        "none": None,
        "media": [metropolis, None, emma],
    }
    gone = server.ask(f"mutation {{ dropMedium(id: 1) {{ {pages} }} media(ids: [1]) {{ id }} }}").data
    assert gone == {"dropMedium": emma, "media": [None]}
    assert server.ask("mutation { dropMedium(id: 1) { id } }").data == {"dropMedium": None}


def test_scalars(server: Server) -> None:
    (count,) = server.run("select count(*) from app.users")
    assert server.ask("mutation { countUsers }").data == {"countUsers": int(str(count[0]))}


def test_what_is_deleted_is_shown_as_the_function_gave_it(server: Server) -> None:
    ((key,),) = server.run("insert into app.users (name, mood) values ('Gone', 'bad') returning id")
    server.run(f"insert into app.posts (author_id, title) values ({key}, 'x')")
    query = """mutation ($id: ID!) { deleteUser(id: $id) {
        ... on Done { user { id name shout initial mood email posts { id } } } ... on Refused { code fields }
    } }"""
    assert server.ask(query, {"id": key}).data["deleteUser"] == {
        "user": {
            "id": key,
            "name": "Gone",
            "shout": "GONE",
            "initial": "G",
            "mood": "BAD",
            "email": None,
            "posts": [],
        }
    }
    assert server.run(f"select from app.users where id = {key}") == []
    assert server.ask(query, {"id": key}).data["deleteUser"] == {"code": "NOT_FOUND", "fields": ["id"]}


def test_of_what_is_deleted_the_id_may_be_all_there_is(server: Server) -> None:
    query = "mutation ($result: JSON!) { sayUser(result: $result) { ... on User { id email } } }"
    assert say(server, {"status": "deleted", "entity_id": 5}, query).data["sayUser"] == {"id": "5", "email": None}
    answer = say(server, {"status": "deleted", "entity_id": 5}, query.replace("email", "name"))
    assert answer.error["message"] == "Cannot return null for non-nullable field User.name."


def test_a_document_that_is_deleted(server: Server) -> None:
    """It may be given as the row or as its document."""
    query = "mutation ($result: JSON!) { sayPerson(result: $result) { id name } }"
    document = {"id": "7", "name": "Gone"}
    for given in (document, {"id": 7, "data": document}):
        assert say(server, {"status": "deleted", "entity": given}, query).data == {"sayPerson": document}


def test_what_is_not_the_entity_is_no_more_deleted_than_before(server: Server) -> None:
    query = "mutation ($result: JSON!) { saySeveral(result: $result) { ... on Listed { persons { id name } } } }"
    result = {"status": "deleted", "entity": [], "metadata": {"persons": [{"id": 1, "name": "Mallory"}]}}
    assert say(server, result, query).data["saySeveral"] == {"persons": [{"id": "1", "name": "Ada"}]}


def test_a_value_of_the_entity_that_does_not_fit(server: Server) -> None:
    server.run("alter type app.mood add value if not exists 'odd'")
    ((key,),) = server.run("insert into app.users (name, mood) values ('Odd', 'odd') returning id")
    query = _SAY.replace("{ id name }", "{ mood name }")
    answer = say(server, {"status": "success", "message": "Yes.", "entity_id": key}, query)
    assert answer.json["data"] == {"say": {"text": "Yes.", "user": {"mood": None, "name": "Odd"}}}
    assert answer.error["path"] == ["say", "user", "mood"]


def test_arguments_inside_of_what_is_selected(server: Server) -> None:
    """They are no part of the input, so that the error type does not tell of them."""
    query = _SAY.replace("{ id name }", "{ posts(limit: 100000) { id } }")
    answer = say(server, {"status": "success", "entity_id": 1}, query)
    assert (answer.code, answer.error["path"]) == ("BAD_USER_INPUT", ["say", "user", "posts"])


def test_row_level_security_holds_for_the_entity(server: Server) -> None:
    server.run("create role entity_reader")
    for sql in (
        "grant usage on schema app to entity_reader",
        "grant select, update on all tables in schema app to entity_reader",
        "alter table app.users enable row level security",
        "create policy visible on app.users using (id <> 2)",
    ):
        server.run(sql)
    entity = {"id": 2, "name": "Grace"}
    try:
        server.run("set role entity_reader")
        assert say(server, {"status": "success", "entity_id": 2, "entity": entity}).data["say"]["user"] is None
        assert say(server, {"status": "success", "entity_id": 1}).data["say"]["user"] == {"id": "1", "name": "Ada"}
        assert server.ask("mutation { byIds(ids: [2]) { name } }").error["path"] == ["byIds", 0]
        assert server.ask("mutation { someByIds(ids: [2]) { name } }").data == {"someByIds": [None]}
    finally:
        server.run("reset role")
        server.run("alter table app.users disable row level security")
        for sql in ("drop policy visible on app.users", "drop owned by entity_reader", "drop role entity_reader"):
            server.run(sql)


def test_what_the_function_refuses_is_kept_and_what_it_raises_is_not(server: Server) -> None:
    before = server.run("select count(*) from app.users")
    query = """mutation {
        createUser(input: {name: "Kept"}) { __typename }
        raiseState(state: "P0001") { id }
    }"""
    answer = server.ask(query)
    assert {error["path"][0] for error in answer.json["errors"]} == {"createUser", "raiseState"}
    assert server.run("select count(*) from app.users") == before
    assert "secret" not in answer.response.body.decode()
    query = """mutation {
        a: createUser(input: {name: "Kept"}) { __typename }
        b: createUser(input: {name: ""}) { __typename }
    }"""
    assert json.dumps(server.ask(query).data) == '{"a": {"__typename": "UserCreated"}, "b": {"__typename": "Refused"}}'
    assert int(str(server.run("select count(*) from app.users")[0][0])) == int(str(before[0][0])) + 1


def test_a_plain_user_whose_function_refuses(server: Server) -> None:
    query = 'mutation { createPlainUser(input: {name: ""}) { id } }'
    assert server.ask(query).error["extensions"] == {"code": "VALIDATION", "fields": ["name"]}
    assert server.ask(query.replace('""', '"Bea"').replace("id }", "name }")).data == {
        "createPlainUser": {"name": "Bea"}
    }


def test_what_postgresql_refuses_is_an_error_member_too(server: Server) -> None:
    query = """mutation { createUser(input: {name: "Z", email: "ada@example.org"}) {
        __typename ... on Refused { code fields status hint user { id } }
    } }"""
    assert server.ask(query).data["createUser"] == {
        "__typename": "Refused",
        "code": "UNIQUE_VIOLATION",
        "fields": ["email"],
        "status": "unique_violation",
        "hint": None,
        "user": None,
    }
    answer = server.ask(
        query.replace("createUser", "createUserOnly")
        .replace("... on Refused", "...")
        .replace("code fields status hint user { id }", "message")
    )
    assert answer.error["extensions"]["code"] == "UNIQUE_VIOLATION"


@pytest.mark.parametrize(
    ("state", "code"), [("23505", "UNIQUE_VIOLATION"), ("42501", "FORBIDDEN"), ("P0001", None), ("22012", None)]
)
def test_what_a_function_raises(server: Server, state: str, code: str | None) -> None:
    """Of what the client is told nothing, no error type tells either."""
    query = "mutation ($state: String!) { raiseOrRefuse(state: $state) { ... on Refused { code message } } }"
    answer = server.ask(query, {"state": state})
    if code is not None:
        assert answer.data["raiseOrRefuse"]["code"] == code
    else:
        assert (answer.code, answer.json["data"]) == ("INTERNAL_SERVER_ERROR", None)
        assert f"secret {state}" in answer.told
    assert "secret" not in answer.response.body.decode()

"""Values that only PostgreSQL can refuse: an error with code and path, and the connection goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraiseql.cli.demo.data import Blog, generate
from fraiseql.pipeline import Outcome
from fraiseql.postgres import Connection

_BLOG = generate(users=5, posts=5, comments=5)


@pytest.fixture(scope="module")
def blog() -> Blog:
    return _BLOG


@pytest.mark.parametrize(
    ("query", "variables", "path"),
    [
        ('{ user(id: "abc") { id } }', {}, ["user"]),
        ("query ($id: ID!) { x: post(id: $id) { id } }", {"id": ""}, ["x"]),
        ("query ($id: ID!) { post(id: $id) { id } }", {"id": "1.5"}, ["post"]),
        ("query ($id: ID!) { post(id: $id) { id } }", {"id": "99999999999999999999"}, ["post"]),
        ("query ($id: ID!) { post(id: $id) { id } }", {"id": "1; select 1"}, ["post"]),
        ('{ users(where: {id: {in: ["1", "x"]}}) { id } }', {}, ["users"]),
        ('{ users { posts(where: {NOT: {id: {eq: "x"}}}) { id } } }', {}, ["users", "posts"]),
        (
            '{ a: users { id } b: users { c: comments(limit: 1, where: {id: {neq: "x"}}) { id } } }',
            {},
            ["b", "c"],
        ),
    ],
)
def test_a_value_that_does_not_fit(
    ask: Callable, connection: Connection, query: str, variables: dict[str, Any], path: list[str]
) -> None:
    answer = ask(query, variables)
    assert answer.response.outcome is Outcome.VARIABLES_INVALID
    (error,) = answer.json["errors"]
    assert (error["extensions"], error["path"]) == ({"code": "BAD_USER_INPUT"}, path)
    assert connection.is_idle
    assert ask("{ user(id: 1) { id } }").json == {"data": {"user": {"id": "1"}}}


@pytest.mark.parametrize("attack", ["'; drop table users; --", '{"1"}', "$1", "\\", "1 or 1=1"])
def test_attacks_find_nothing(ask: Callable, attack: str) -> None:
    query = "query ($v: String, $l: [String!]) { users(where: {name: {eq: $v, in: $l}}) { id } }"
    assert ask(query, {"v": attack, "l": [attack]}).json == {"data": {"users": []}}
    assert len(ask("{ users { id } }").json["data"]["users"]) == 5


@pytest.mark.parametrize(
    ("type_name", "field", "value"),
    [
        ("Float", "rating", 1.7976931348623157e308),
        ("Float", "rating", 5e-324),
        ("Int", "karma", -(2**31)),
        ("Decimal", "balance", "1e1000"),
        ("Decimal", "balance", "-1e-1000"),
        ("Decimal", "balance", "0." + "1" * 5_000),
        ("Date", "birthday", "0001-01-01"),
        ("Date", "birthday", "9999-12-31"),
        ("DateTime", "createdAt", "0001-01-01T00:00:00+14:00"),
        ("DateTime", "createdAt", "9999-12-31T23:59:59.999999-12:00"),
        ("Time", "digestAt", "23:59:59.999999"),
        ("String", "name", "\x01\ufffe\U0010ffff" * 1_000),
        ("[String!]", "name", ["", "null", "NULL", '"', "\\", "{", ","]),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_extreme_values_fit(ask: Callable, type_name: str, field: str, value: Any) -> None:
    operator = "in" if type_name.startswith("[") else "eq"
    query = f"query ($v: {type_name}) {{ users(where: {{{field}: {{{operator}: $v}}}}) {{ id }} }}"
    assert ask(query, {"v": value}).json == {"data": {"users": []}}


def test_null_array_elements_and_every_form_of_a_text(ask: Callable) -> None:
    """What an array literal must quote comes back as it went in."""
    names = [user.name for user in _BLOG.users]
    query = "query ($v: [String!]) { users(where: {name: {in: $v}}) { name } }"
    assert [user["name"] for user in ask(query, {"v": names}).json["data"]["users"]] == names

"""What PostgreSQL is told of a caller: the texts of values, what is missing, which roles there are, and mistakes."""

from __future__ import annotations

import enum
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

import fraiseql
from fraiseql import Caller, ClientRequest, DatabaseContext, RequestError, SchemaError, Setting

CALLER = Caller("7", "acme", {"locale": "fr", "deep": SimpleNamespace(level=3)}, frozenset({"editor", "admin"}))
SOME_ID = uuid.UUID("12345678-1234-5678-1234-567812345678")


class Plan(enum.StrEnum):
    FREE = "free"


def told(source: Any, caller: Caller = CALLER) -> bytes:
    ((_, value),) = DatabaseContext({"app.x": source}).settings_of(caller)
    return value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("user_id", b"7"),
        ("tenant_id", b"acme"),
        ("roles", b'{"admin","editor"}'),
        ("context.locale", b"fr"),
        ("context.deep.level", b"3"),
        (Setting("context.locale"), b"fr"),
        (lambda caller: caller.tenant_id.upper(), b"ACME"),
        (lambda _: True, b"true"),
        (lambda _: False, b"false"),
        (lambda _: 0, b"0"),
        (lambda _: -5, b"-5"),
        (lambda _: SOME_ID, str(SOME_ID).encode()),
        (lambda _: Plan.FREE, b"free"),
        (lambda _: ["b", "a"], b'{"b","a"}'),
        (lambda _: (), b"{}"),
        (lambda _: frozenset(), b"{}"),
        (lambda _: ['a"b', "c\\d", "e,f", "{g}", "", "null"], rb'{"a\"b","c\\d","e,f","{g}","","null"}'),
        (lambda _: "é'; --", "é'; --".encode()),
    ],
)
def test_the_text_of_a_value(source: Any, expected: bytes) -> None:
    assert told(source) == expected


@pytest.mark.parametrize("source", ["context.nothing", "context.deep.nothing", "context.locale.upper_case"])
@pytest.mark.parametrize("caller", [CALLER, Caller()])
def test_a_value_that_is_missing(source: str, caller: Caller) -> None:
    with pytest.raises(RequestError, match=r"no value for 'app\.x'") as caught:
        told(source, caller)
    assert caught.value.code == "CONTEXT_MISSING"
    assert told(Setting(source, required=False), caller) == b""


def test_an_empty_text_is_missing_too() -> None:
    with pytest.raises(RequestError, match=r"app\.x"):
        told("tenant_id", Caller(tenant_id=""))
    assert told(Setting("tenant_id", required=False), Caller(tenant_id="")) == b""


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800"])
def test_a_text_that_postgresql_cannot_hold(text: str) -> None:
    for source in (lambda _: text, lambda _: [text]):
        with pytest.raises(RequestError) as caught:
            told(source)
        assert caught.value.code == "BAD_USER_INPUT"


@pytest.mark.parametrize("value", [1.5, b"x", {"a": 1}, [1], ["a", None], object()])
def test_a_value_of_another_type(value: Any) -> None:
    with pytest.raises(TypeError, match=r"app\.x"):
        told(lambda _: value)


def test_settings_come_in_their_order_and_the_role_last() -> None:
    context = DatabaseContext({"b.y": "user_id", "a.x": "tenant_id"}, "roles", ("admin", "editor"))
    assert context.settings_of(CALLER) == ((b"b.y", b"7"), (b"a.x", b"acme"), (b"role", b"admin"))


@pytest.mark.parametrize(
    ("role", "roles", "expected"),
    [
        ("roles", {"editor": "app_editor", "admin": "app_admin"}, b"app_editor"),  # the first that is declared
        ("roles", {"owner": "app_owner", "admin": "app_admin"}, b"app_admin"),
        ("tenant_id", ("acme",), b"acme"),
        (lambda _: "app_user", ["app_user"], b"app_user"),
        (lambda _: ["x", "y"], {"y": "Mixed Case"}, b"Mixed Case"),
    ],
)
def test_the_role_is_one_of_those_declared(role: Any, roles: Any, expected: bytes) -> None:
    assert DatabaseContext(role=role, roles=roles).settings_of(CALLER) == ((b"role", expected),)


@pytest.mark.parametrize(
    ("role", "code"),
    [
        (lambda _: "superuser", "FORBIDDEN"),
        (lambda _: "app_user ", "FORBIDDEN"),
        (lambda _: "none", "FORBIDDEN"),
        (lambda _: ["a", "b"], "FORBIDDEN"),
        (lambda _: None, "CONTEXT_MISSING"),
        (lambda _: "", "CONTEXT_MISSING"),
        (lambda _: [], "CONTEXT_MISSING"),
    ],
)
def test_another_role_is_refused(role: Any, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        DatabaseContext(role=role, roles=("app_user",)).settings_of(CALLER)
    assert caught.value.code == code


def test_a_role_that_need_not_be_there() -> None:
    context = DatabaseContext(role=Setting("context.role", required=False), roles=("app_user",))
    assert context.settings_of(CALLER) == ((b"role", b"none"),)


def test_a_role_of_another_type() -> None:
    with pytest.raises(TypeError, match="role"):
        DatabaseContext(role=lambda _: 5, roles=("app_user",)).settings_of(CALLER)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"settings": {"search_path": "tenant_id"}}, "search_path"),
        ({"settings": {"role": "tenant_id"}}, "role"),
        ({"settings": {"app.": "tenant_id"}}, "app"),
        ({"settings": {"app.x y": "tenant_id"}}, "x y"),
        ({"settings": {"app.x'": "tenant_id"}}, "x'"),
        ({"settings": {"app.x\n": "tenant_id"}}, "app"),
        ({"settings": {5: "tenant_id"}}, "5"),
        ({"settings": {"app.x": "user_id", "APP.X": "user_id"}}, "twice"),
        ({"settings": [("app.x", "user_id")]}, "app.x"),
        ({"settings": {"app.x": "tenant"}}, "tenant"),
        ({"settings": {"app.x": "tenant_id.x"}}, "tenant_id.x"),
        ({"settings": {"app.x": "context."}}, "context."),
        ({"settings": {"app.x": ""}}, "''"),
        ({"settings": {"app.x": None}}, "None"),
        ({"settings": {"app.x": Setting("user_id", required=1)}}, "required"),  # type: ignore[arg-type]
        ({"role": "roles"}, "roles"),
        ({"roles": ("a",)}, "role=None"),
        ({"role": "nobody", "roles": ("a",)}, "nobody"),
        ({"role": "roles", "roles": "admin"}, "admin"),
        ({"role": "roles", "roles": ("none",)}, "none"),
        ({"role": "roles", "roles": ("",)}, "''"),
        ({"role": "roles", "roles": ("a\0",)}, "a"),
        ({"role": "roles", "roles": ("x" * 64,)}, "xxx"),
        ({"role": "roles", "roles": {"admin": 5}}, "5"),
        ({"role": "roles", "roles": {"": "admin"}}, "''"),
    ],
)
def test_a_mistake_is_found_when_it_is_declared(arguments: dict[str, Any], found: str) -> None:
    with pytest.raises(SchemaError, match=r"DatabaseContext|app") as caught:
        DatabaseContext(**arguments)
    assert found in caught.value.found + caught.value.where


def test_another_object_is_no_database_context() -> None:
    with pytest.raises(SchemaError, match="database_context"):
        fraiseql.Schema(queries=[], database_context={"app.x": "user_id"})  # type: ignore[arg-type]


def test_the_headers_of_a_request() -> None:
    request = ClientRequest("http", ((b"cookie", b"a=1"), (b"authorization", b"Bearer x"), (b"cookie", b"b=\xff")))
    assert request.header("Authorization") == "Bearer x"
    assert request.header("cookie") == "a=1, b=ÿ"
    assert request.header("x-nothing") is None

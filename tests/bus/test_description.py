"""Descriptions of buses, and the events of a change."""

from __future__ import annotations

from typing import Any

import pytest

import fraiseql
from fraiseql.bus import EventBus, invalidate
from fraiseql.bus.cursors import Cursor, parse_cursor
from fraiseql.bus.ddl import outbox_sql, quote_literal, watch_sql
from fraiseql.effects import Event
from fraiseql.errors import ConfigurationError, RequestError
from fraiseql.runtimes.anyio.bus import connect_bus


@fraiseql.type(sql_source="app.v_user")
class User:
    """Somebody."""

    id: int


class Younger(User):
    """Declared by nobody."""


@fraiseql.type
class Address:
    """Inside others only."""

    town: str


def test_what_changed_is_named_by_a_class_or_a_name() -> None:
    events = invalidate(User, "v_post", "app.v_user")
    assert events == (Event("fraiseql.changed.app.v_user"), Event("fraiseql.changed.v_post"))
    assert invalidate() == ()


@pytest.mark.parametrize("source", [Address, Younger, int, 7, None])
def test_what_has_no_source_cannot_have_changed(source: type) -> None:
    with pytest.raises(TypeError, match="sql_source"):
        invalidate(source)


@pytest.mark.parametrize("source", ["", "a\0b", "\ud800"])
def test_what_is_no_name_of_a_source(source: str) -> None:
    with pytest.raises(ValueError, match=r"name|NUL|Unicode"):
        invalidate(User, source)


def test_buses_are_values() -> None:
    assert EventBus.memory() == EventBus.memory()
    assert EventBus.postgresql(schema="app") == EventBus.postgresql(schema="app") != EventBus.postgresql()
    assert isinstance(EventBus.memory(), EventBus)


@pytest.mark.parametrize(
    "names",
    [
        *({"schema": ""}, {"table": ""}, {"table": "t" * 58}, {"channel": "c" * 64}, {"channel": "a\0"}),
        *({"schema": 5}, {"schema": b"x"}, {"table": None}, {"channel": ["c"]}, {"schema": "\ud800"}),
    ],
)
def test_a_name_that_postgresql_cannot_hold(names: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(names))):
        EventBus.postgresql(**names)


def test_a_bus_of_postgresql_needs_a_database() -> None:
    with pytest.raises(TypeError, match="no database"):
        connect_bus(EventBus.postgresql())


@pytest.mark.parametrize("text", ["0.0", "1.2", "18446744073709551615.9223372036854775807"])
def test_a_cursor_is_read_as_it_was_written(text: str) -> None:
    assert str(parse_cursor(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "1", "1.", ".1", "1.1.1", "01.1", "1.01", "+1.1", "-1.1", "1.1\n", " 1.1", "1,1", "1.x", "1_0.1"),
        *("\u0661.1", "18446744073709551616.1", "1.9223372036854775808", "9" * 5_000 + ".1", "1.1\0"),
    ],
)
def test_what_is_no_cursor(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_cursor(text)
    assert caught.value.code == "BAD_USER_INPUT"


def test_cursors_are_in_the_order_of_delivery() -> None:
    assert sorted([Cursor(10, 1), Cursor(9, 2), Cursor(9, 10), Cursor(10, 0)]) == [(9, 2), (9, 10), (10, 0), (10, 1)]


def test_names_in_the_sql_are_quoted() -> None:
    sql = outbox_sql(EventBus.postgresql(schema='a "b', table="it's", channel="c'd"))
    assert '"a ""b"."it\'s" (' in sql
    assert '\'"a ""b"."it\'\'s"\'' in sql
    assert "fraiseql_notify('c''d')" in sql
    assert "@" not in sql.replace("@>", "")


@pytest.mark.parametrize(
    ("text", "literal"), [("a", "'a'"), ("it's", "'it''s'"), ("a\\'b", "E'a\\\\''b'"), ('"', "'\"'")]
)
def test_literals(text: str, literal: str) -> None:
    assert quote_literal(text) == literal
    assert watch_sql(EventBus.postgresql(), text) == f"select fraiseql_watch({literal});"

"""Values of every scalar, keys of several columns and relations to the same table, written and read again."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import fraiseql
from fraiseql import CIDR, ID, IP, JSON, MAC, BigInt, Bytes, DateRange, Int4Range, Interval
from fraiseql.pipeline import Pipeline
from pipeline.driving import Database


@fraiseql.type
class Size:
    wide: Decimal | None
    big: BigInt | None
    steps: list[Decimal]


@fraiseql.type(sql_source="things", jsonb_column=None)
class Thing:
    id: ID
    count: int | None
    big: BigInt | None
    ratio: float | None
    price: Decimal | None
    flag: bool | None
    text: str | None
    short: str | None
    token: uuid.UUID | None
    day: dt.date | None
    moment: dt.datetime | None
    local: dt.datetime | None
    clock: dt.time | None
    length: Interval | None
    bytes: Bytes | None
    ip: IP | None
    net: CIDR | None
    mac: MAC | None
    numbers: list[int] | None
    matrix: list[list[int]] | None
    prices: list[Decimal | None] | None
    days: list[dt.date] | None
    any: JSON | None
    anys: list[JSON] | None
    size: Size | None
    sizes: list[Size] | None
    span: Int4Range | None
    dates: DateRange | None


@fraiseql.type(sql_source="nodes", jsonb_column=None)
class Node:
    tenant: ID
    id: ID
    label: str
    parent_id: ID | None
    parent: Node | None = fraiseql.relation(on={"tenant": "tenant", "id": "parent_id"})
    children: list[Node] = fraiseql.relation(on={"tenant": "tenant", "parent_id": "id"})


@fraiseql.type(sql_source="shops", jsonb_column=None)
class Shop:
    id: ID


@fraiseql.type(sql_source="people", jsonb_column=None)
class Person:
    id: ID
    shop_id: ID
    name: str


@fraiseql.type(sql_source="orders", jsonb_column=None)
class Order:
    id: ID
    shop_id: ID
    buyer_id: ID
    clerk_id: ID | None
    shop: Shop = fraiseql.relation(on={"id": "shop_id"})
    buyer: Person = fraiseql.relation(on={"shop_id": "shop_id", "id": "buyer_id"})
    clerk: Person | None = fraiseql.relation(on={"shop_id": "shop_id", "id": "clerk_id"})


@fraiseql.type(sql_source="drafts", jsonb_column=None)
class Draft:
    id: ID
    size: int
    pages: list[Page] = fraiseql.relation(on={"draft_id": "id"})


@fraiseql.type(sql_source="pages", jsonb_column=None)
class Page:
    id: ID
    size: int


@fraiseql.type(sql_source="v_mail")
class Mail:
    id: ID
    to: str
    note: str | None


@fraiseql.type(sql_source="mails", jsonb_column=None)
class PlainMail:
    id: ID
    note: str | None


every = {"create": True, "update": True, "delete": True, "upsert": True}
fraiseql.crud(Mail, **every, table="mails", optional=("id", "to"), columns={"to": "address"})
fraiseql.crud(PlainMail, **every, optional=("id",))
fraiseql.crud(Shop)
fraiseql.crud(Person, generated=("id",))
fraiseql.crud(Order, create=True, generated=("id",), nested=("shop", "buyer", "clerk"))
fraiseql.crud(Draft, create=True, generated=("id",), optional=("size",), nested=("pages",))
fraiseql.crud(Page, generated=("id",), optional=("size",))
fraiseql.crud(Thing, create=True, update=True, upsert=True)
fraiseql.crud(Node, create=True, update=True, optional=("id",), nested=("parent", "children"))


@fraiseql.query
def things() -> list[Thing]: ...


PIPELINE = Pipeline(fraiseql.Schema(types=[Thing, Node, Draft, Order, Mail, PlainMail], queries=[things]))


@pytest.fixture(scope="module")
def _database(module_database_url: str) -> Iterator[Database]:
    database = Database(module_database_url)
    database.run("""
        create table things (
            id text primary key, count int, big int8, ratio float8, price numeric, flag bool, text text,
            short varchar(3), token uuid, day date, moment timestamptz, local timestamp, clock time, length interval,
            bytes bytea, ip inet, net cidr, mac macaddr, numbers int[], matrix int[], prices numeric[], days date[],
            "any" jsonb, anys jsonb[], size jsonb, sizes jsonb, span int4range, dates daterange
        );
        create table drafts (id serial primary key, size int not null default 7);
        create table pages (
            id serial primary key, draft_id int not null references drafts, size int not null default 3
        );
        create domain address as text not null check (value like '%@%');
        create domain weight as int not null;
        create domain mail_id as int not null;
        create sequence mail_ids;
        create table mails (
            id mail_id primary key default nextval('mail_ids'), address address default 'x@y', note text,
            weight weight default 3
        );
        create view v_mail as
            select jsonb_build_object('id', id, 'to', address, 'note', note) as data, weight from mails;
        create table shops (id int primary key);
        create table people (
            shop_id int not null, id int generated always as identity unique, name text not null,
            primary key (shop_id, id)
        );
        create table orders (
            id int generated always as identity primary key, shop_id int not null references shops,
            buyer_id int not null, clerk_id int
        );
        create sequence node_ids;
        create table nodes (
            tenant int not null, id int not null default nextval('node_ids'), label text not null, parent_id int,
            primary key (tenant, id), unique (id), foreign key (tenant, parent_id) references nodes (tenant, id)
        );
    """)
    yield database
    database.close()


@pytest.fixture
def database(_database: Database) -> Database:
    _database.run("""truncate things, nodes, mails, shops, people, orders restart identity;
        alter sequence node_ids restart; alter sequence mail_ids restart""")
    return _database


VALUES: list[tuple[str, Any]] = [
    *[("count", value) for value in (0, -(2**31), 2**31 - 1)],
    *[("big", value) for value in ("9223372036854775807", "-9223372036854775808")],
    *[("ratio", value) for value in (0.1, 1e-300, -1.7976931348623157e308, 3.0)],
    *[("price", value) for value in ("0.10", "12345678901234567890.123456789", "-0.5")],
    *[("flag", value) for value in (True, False)],
    *[("text", value) for value in ("", " x ", "null", "[1]", '{"a": 1}', "é\U0001f980\n\t\\")],
    ("token", "0f3c8f8e-0000-4000-8000-00000000000a"),
    *[("day", value) for value in ("2024-02-29", "0001-01-01", "9999-12-31")],
    *[("moment", value) for value in ("2024-02-29T23:59:59.123456+00:00", "0001-01-01T00:00:00+00:00")],
    ("local", "2024-02-29T01:02:03+00:00"),
    ("clock", "23:59:59.5"),
    ("length", "P1Y2M3DT4H5M6.5S"),
    *[("bytes", value) for value in ("", "AAH/", "XHg=")],
    *[("ip", value) for value in ("10.0.0.1", "::1")],
    ("net", "10.0.0.0/8"),
    ("mac", "08:00:2b:01:02:03"),
    *[("numbers", value) for value in ([], [1, -2])],
    ("matrix", [[1, 2], [3, 4]]),
    ("prices", ["1.50", None]),
    ("days", ["2024-02-29"]),
    *[("any", value) for value in ("text", "", 1, 1.5, True, [], {}, [None, {"a": [1, "b"]}], 12345678901234567890)],
    ("anys", [{"a": 1}, "x", [1], 2]),
    ("span", "[1,5)"),
    ("dates", "[2024-01-01,2024-02-01)"),
    *[(name, None) for name in ("count", "text", "any", "numbers", "day", "price", "bytes")],
]


@pytest.mark.parametrize(("name", "value"), VALUES, ids=[f"{name}={value!r:.30}" for name, value in VALUES])
def test_a_value_comes_back(database: Database, name: str, value: Any) -> None:
    def ask(form: str, **variables: Any) -> Any:
        answer = database.ask(PIPELINE, f"mutation ({form}) {{ id {name} }} }}", variables)
        assert "errors" not in answer, answer
        return answer["data"]["it"]

    expected = {"id": "k", name: value}
    assert ask("$i: CreateThingInput!) { it: createThing(input: $i", i=expected) == expected
    assert ask("$i: UpsertThingInput!) { it: upsertThing(input: $i", i=expected) == expected
    database.run("update things set text = 'x', count = 1")
    assert ask('$i: UpdateThingInput!) { it: updateThing(id: "k", input: $i', i={name: value}) == expected


def test_numbers_inside_of_objects_are_numbers(database: Database) -> None:
    size = {"wide": "12345678901234567890.1234567890", "big": "9223372036854775807", "steps": ["0.10", "-1E+3"]}
    query = "mutation ($i: CreateThingInput!) { createThing(input: $i) { size { wide big } sizes { wide steps } } }"
    answer = database.ask(PIPELINE, query, {"i": {"id": "k", "size": size, "sizes": [size]}})
    shown = {
        "size": {"wide": size["wide"], "big": size["big"]},
        "sizes": [{"wide": size["wide"], "steps": ["0.10", "-1000"]}],
    }
    assert answer["data"] == {"createThing": shown}
    kinds = (
        "select jsonb_typeof(size->'wide'), jsonb_typeof(size->'big'), jsonb_typeof(sizes#>'{0,steps,1}') from things"
    )
    assert database.run(kinds) == [("number", "number", "number")]


@pytest.mark.parametrize(
    "given",
    [
        {"short": "long"},
        {"day": "2024-01-01", "any": {"a": "\0"}},
        {"any": {"a": "\0"}},
        {"any": "\ud800"},
        {"matrix": [[1], [2, 3]]},
        {"dates": "[2024-01-01,2023-01-01)"},
    ],
)
def test_what_a_column_cannot_hold_is_the_clients_mistake(database: Database, given: dict[str, Any]) -> None:
    query = "mutation ($i: CreateThingInput!) { createThing(input: $i) { id } }"
    answer = database.ask(PIPELINE, query, {"i": {"id": "k", **given}})
    (error,) = answer["errors"]
    assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", answer
    assert database.values("select count(*) from things") == ["0"]


def test_rows_of_defaults_alone(database: Database) -> None:
    one = "mutation { createDraft(input: {}) { id size pages { size } } }"
    assert database.ask(PIPELINE, one)["data"] == {"createDraft": {"id": "1", "size": 7, "pages": []}}
    rows = "[{}, {size: 1}, {pages: [{}, {size: 2}]}, {pages: [{}]}]"
    found = database.ask(PIPELINE, f"mutation {{ createDrafts(input: {rows}) {{ size pages {{ size }} }} }}")["data"]
    for each in found["createDrafts"]:
        each["pages"].sort(key=lambda page: page["size"])
    assert found["createDrafts"] == [
        {"size": 7, "pages": []},
        {"size": 1, "pages": []},
        {"size": 7, "pages": [{"size": 2}, {"size": 3}]},
        {"size": 7, "pages": [{"size": 3}]},
    ]


@pytest.mark.parametrize(
    "query",
    [
        'createNode(input: {tenant: "x", label: ""}) { id }',
        'createNode(input: {tenant: "99999999999", label: ""}) { id }',
        'createNode(input: {label: "", parent: {create: {tenant: "", label: ""}}}) { id }',
        'updateNode(id: 1, input: {parentId: "x"}) { id }',
    ],
)
def test_ids_that_are_none_of_their_column(database: Database, query: str) -> None:
    database.run("insert into nodes (tenant, id, label) values (1, 1, '')")
    answer = database.ask(PIPELINE, f"mutation {{ {query} }}")
    message = 'A value of the argument "input" does not fit the column that it is written to.'
    (error,) = answer["errors"]
    assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")
    assert "a value was refused" in answer["cause"]


def test_a_table_related_to_itself_by_several_columns(database: Database) -> None:
    leaf = {"label": "leaf", "children": []}
    tree = {
        "tenant": 7,
        "label": "top",
        "children": [{"label": "a", "children": [leaf, leaf]}, {"label": "b"}, {"label": "c", "children": [leaf]}],
    }
    shown = "{ label children { label parent { label } children { label } } }"
    query = f"mutation ($i: [CreateNodeInput!]!) {{ createNodes(input: $i) {shown} }}"
    other = {"label": "of 8", "parent": {"create": {"tenant": 8, "label": "above"}}}
    answer = database.ask(PIPELINE, query, {"i": [tree, other]})
    assert "errors" not in answer, answer
    top, lone = answer["data"]["createNodes"]
    assert sorted((each["label"], len(each["children"])) for each in top["children"]) == [("a", 2), ("b", 0), ("c", 1)]
    assert {each["parent"]["label"] for each in top["children"]} == {"top"}
    assert lone == {"label": "of 8", "children": []}
    assert database.run("select tenant, count(*), count(parent_id) from nodes group by 1 order by 1") == [
        ("7", "7", "6"),
        ("8", "2", "1"),
    ]


@pytest.mark.parametrize(
    ("name", "shown", "more"), [("Mail", "{ id to note }", {"to": "x@y"}), ("PlainMail", "{ id note }", {})]
)
def test_columns_of_domains_that_are_not_null(database: Database, name: str, shown: str, more: dict[str, str]) -> None:
    def ask(field: str) -> Any:
        answer = database.ask(PIPELINE, f"mutation {{ it: {field} {shown} }}")
        assert "errors" not in answer, answer
        return answer["data"]["it"]

    assert ask(f'create{name}(input: {{note: "a"}})') == {"id": "1", "note": "a", **more}
    assert ask(f'update{name}(id: 1, input: {{note: "b"}})') == {"id": "1", "note": "b", **more}
    assert ask(f'upsert{name}(input: {{id: 1, note: "c"}})') == {"id": "1", "note": "c", **more}
    changed = ask(f'update{name}s(where: {{note: {{eq: "c"}}}}, input: {{note: "d"}})')
    assert changed == [{"id": "1", "note": "d", **more}]
    assert database.run("select * from mails") == [("1", "x@y", "d", "3")]
    assert ask(f"delete{name}(id: 1)") == {"id": "1", "note": "d", **more}


@pytest.mark.parametrize(("value", "code"), [('"no address"', "CHECK_VIOLATION"), ("null", "BAD_USER_INPUT")])
def test_domains_hold_for_what_is_given(database: Database, value: str, code: str) -> None:
    answer = database.ask(PIPELINE, f"mutation {{ createMail(input: {{to: {value}}}) {{ id }} }}")
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


ADA, BOB, EVE = ({"create": {"shopId": shop, "name": name}} for shop, name in ((1, "Ada"), (1, "Bob"), (2, "Eve")))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"buyer": ADA}, {"shopId": "1", "buyer": "Ada", "clerk": None}),
        ({"buyer": ADA, "clerk": BOB}, {"shopId": "1", "buyer": "Ada", "clerk": "Bob"}),
        ({"buyer": ADA, "clerkId": 7}, {"shopId": "1", "buyer": "Ada", "clerk": "There"}),
        ({"buyerId": 7, "clerk": ADA}, {"shopId": "1", "buyer": "There", "clerk": "Ada"}),
        ({"buyerId": 7, "shop": {"connect": 1}}, {"shopId": "1", "buyer": "There", "clerk": None}),
        ({"buyerId": 7, "shopId": 1}, {"shopId": "1", "buyer": "There", "clerk": None}),
    ],
)
def test_parents_may_share_a_column(database: Database, given: dict[str, Any], shown: dict[str, Any]) -> None:
    database.run("insert into shops values (1); insert into people overriding system value values (1, 7, 'There')")
    query = "mutation ($i: CreateOrderInput!) { createOrder(input: $i) { shopId buyer { name } clerk { name } } }"
    answer = database.ask(PIPELINE, query, {"i": given})
    assert "errors" not in answer, answer
    made = answer["data"]["createOrder"]
    assert {**made, "buyer": made["buyer"]["name"], "clerk": made["clerk"] and made["clerk"]["name"]} == shown


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"buyer": ADA, "clerk": EVE}, "NOT_WRITTEN", "The database did not let every row be written and be seen."),
        (
            {"buyer": ADA, "shopId": 1},
            *("BAD_USER_INPUT", 'The arguments "input.buyer" and "input.shopId" exclude each other.'),
        ),
        (
            {"buyer": ADA, "shop": {"connect": 1}},
            *("BAD_USER_INPUT", 'The arguments "input.buyer" and "input.shop" exclude each other.'),
        ),
        ({"buyerId": 7}, "BAD_USER_INPUT", 'One of the arguments "input.shop" and "input.shopId" is needed.'),
        ({"clerk": ADA}, "BAD_USER_INPUT", 'One of the arguments "input.buyer" and "input.buyerId" is needed.'),
    ],
)
def test_parents_that_do_not_fit_each_other(database: Database, given: dict[str, Any], code: str, message: str) -> None:
    database.run("insert into shops values (1)")
    query = "mutation ($i: CreateOrderInput!) { createOrder(input: $i) { id } }"
    (error,) = database.ask(PIPELINE, query, {"i": given})["errors"]
    assert (error["extensions"]["code"], error["message"]) == (code, message)
    assert database.values("select count(*) from people union all select count(*) from orders") == ["0", "0"]

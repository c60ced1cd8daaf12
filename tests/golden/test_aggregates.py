"""Aggregates and groups on a real PostgreSQL: every type in columns and in jsonb, odd values, relations, streams."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any
from uuid import UUID

import psycopg
import pytest
from psycopg.waiting import wait_conn

import fraiseql
from fraiseql import ID, Aggregate, BigInt, Group
from fraiseql.effects import Absent, Emit, Event, Fetch, Join, Next
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from fraiseql.postgres import Connection, run
from golden.asking import asking, opened

_DDL = """
create type mood as enum ('sad', 'happy');
create table owner (id int primary key, name text not null);
create table thing (
    id int primary key, owner_id int references owner, chief_id int, mood mood, label varchar(10), yes boolean,
    code uuid, small smallint, big bigint, ratio double precision, amount numeric, price numeric, span interval,
    day date, at timestamptz, local timestamp, "time" time, ip inet, net cidr, bytes bytea
);
create table likes (owner_id int, thing_id int);
create table odd (id int primary key, ratio double precision, amount numeric, day date, mood text);
insert into owner values (1, 'Ada'), (2, 'Bob'), (3, 'Cleo');
insert into thing values
    (1, 1, null, 'sad', 'b', true, 'c0ffee00-0000-4000-8000-00000000000a', 32767, 9223372036854775807, 0.5, 1.50, 1.5,
     '1 day', '2024-02-29', '2024-02-29 23:30:00-03', '2024-02-29 23:30', '08:00', '10.0.0.2', '10.0.0.0/8', '\\x00'),
    (2, 1, 1, 'happy', 'a', false, 'c0ffee00-0000-4000-8000-00000000000a', 32767, 9223372036854775807, 0.25, 2, 2.5,
     '1 mon 3 hours', '2024-03-04', '2024-03-04 00:00Z', '2024-03-04', '07:59:59.5', '10.0.0.10', '9.0.0.0/8', '\\x00'),
    (3, 2, 1, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
insert into likes values (1, 1), (1, 1), (1, 2), (2, 3), (2, null), (3, 9);
insert into odd values
    (1, 'NaN', null, null, 'sad'), (2, null, 'NaN', null, 'sad'), (3, null, null, 'infinity', 'sad'),
    (4, null, null, null, 'mad'), (5, 1e308, null, null, 'sad'), (6, 1e308, null, null, 'sad');
create table wrong (data jsonb);
insert into wrong values ('{"label": {"a": 1}, "small": "1.5"}');
create view v_thing as select id, owner_id, jsonb_build_object(
    'id', id, 'mood', mood, 'label', label, 'yes', yes, 'code', code, 'small', small, 'big', big, 'ratio', ratio,
    'amount', amount, 'price', price, 'span', span, 'day', day, 'at', at, 'local', local at time zone 'UTC',
    'time', "time", 'ip', ip, 'net', net, 'bytes', bytes) as data
from thing;
"""


@fraiseql.enum
class Mood(Enum):
    SAD = "sad"
    HAPPY = "happy"


Price = Annotated[str, fraiseql.scalar("Price", sql_type="numeric", parse=str, filters="ordered")]


class _Fields:
    id: ID
    mood: Mood | None
    label: str | None
    yes: bool | None
    code: UUID | None
    small: int | None
    big: BigInt | None
    ratio: float | None
    amount: Decimal | None
    price: Price | None
    span: dt.timedelta | None
    day: dt.date | None
    at: dt.datetime | None
    local: dt.datetime | None
    time: dt.time | None
    ip: fraiseql.IP | None
    net: fraiseql.CIDR | None
    bytes: bytes | None


@fraiseql.type(sql_source="thing", jsonb_column=None)
class Thing(_Fields):
    reports: Aggregate[Thing] = fraiseql.relation(on={"chief_id": "id"})


@fraiseql.type(sql_source="v_thing")
class Document(_Fields): ...


@fraiseql.type(sql_source="thing", jsonb_column=None)
class Computed:
    id: ID
    double: int | None = fraiseql.field(sql="{small} * 2")
    month: dt.date | None = fraiseql.field(sql="date_trunc('month', {day})")
    peers: int = fraiseql.field(sql="(select count(*) from thing p where p.owner_id = {owner_id})")


@fraiseql.type(sql_source="v_thing")
class ComputedDocument:
    id: ID
    label: str | None
    small: int | None
    ratio: float | None
    owner: int = fraiseql.field(sql="{owner_id} + 10")


@fraiseql.type(sql_source="odd", jsonb_column=None)
class Odd:
    id: ID
    ratio: float | None
    amount: Decimal | None
    day: dt.date | None
    mood: Mood


@fraiseql.type(sql_source="wrong")
class Wrong:
    label: str
    small: int


@fraiseql.type(sql_source="owner", jsonb_column=None)
class Owner:
    id: ID
    name: str
    things: list[Thing] = fraiseql.relation(on={"owner_id": "id"})
    likes: list[Thing] = fraiseql.relation(through="likes", own={"owner_id": "id"}, on={"id": "thing_id"})
    summary: Aggregate[Thing] = fraiseql.relation(on={"owner_id": "id"})
    documents: list[Group[Document]] = fraiseql.relation(on={"owner_id": "id"})
    liked: Aggregate[Thing] = fraiseql.relation(through="likes", own={"owner_id": "id"}, on={"id": "thing_id"})
    liked_groups: list[Group[Thing]] = fraiseql.relation(through="likes", own={"owner_id": "id"}, on={"id": "thing_id"})


@fraiseql.query
def owners() -> list[Owner]: ...


@fraiseql.query
def all_things() -> list[Thing]: ...


@fraiseql.query
def things(mood: Mood | None) -> Aggregate[Thing]: ...


@fraiseql.query
def documents(mood: Mood | None) -> Aggregate[Document]: ...


@fraiseql.query
def thing_groups() -> list[Group[Thing]]: ...


@fraiseql.query
def document_groups() -> list[Group[Document]]: ...


@fraiseql.query
def computed() -> list[Group[Computed]]: ...


@fraiseql.query
def computed_documents() -> list[Group[ComputedDocument]]: ...


@fraiseql.query
def odd() -> Aggregate[Odd]: ...


@fraiseql.query
def wrong() -> Aggregate[Wrong]: ...


@fraiseql.query
def wrong_groups() -> list[Group[Wrong]]: ...


@fraiseql.query
def odd_groups() -> list[Group[Odd]]: ...


@fraiseql.subscription
def live_summary() -> Aggregate[Thing]: ...


@fraiseql.subscription(topic="owner_changed", by="id")
def owner_changed() -> Owner: ...


@fraiseql.subscription
async def owner() -> AsyncIterator[Owner]:
    yield  # type: ignore[misc]


_PIPELINE = Pipeline(
    fraiseql.Schema(
        queries=[
            *(owners, all_things, things, documents, thing_groups, document_groups, computed, computed_documents),
            *(odd, odd_groups, wrong, wrong_groups),
        ],
        subscriptions=[live_summary, owner_changed, owner],
    )
)
Perform = Callable[[Fetch], Any]
Query = Callable[[str], Any]


@pytest.fixture(scope="module")
def connection(module_database_url: str) -> Iterator[Connection]:
    with psycopg.connect(module_database_url) as writing:
        writing.execute(_DDL.encode())
    with opened(module_database_url) as connection:
        yield connection


@pytest.fixture(scope="module")
def perform(connection: Connection) -> Perform:
    return lambda fetch: wait_conn(run(connection, fetch), interval=1.0, timeout=10.0)


@pytest.fixture(scope="module")
def execute(connection: Connection) -> Query:
    ask = asking(_PIPELINE, connection)
    return lambda text: ask(text).response


@pytest.fixture(scope="module")
def query(execute: Query) -> Query:
    def query(text: str) -> Any:
        response = execute(text)
        assert response.outcome is Outcome.DATA, (response.body, response.cause)
        return json.loads(response.body)["data"]

    return query


_FIGURES = {
    "count": 3,
    "countDistinct": {
        "id": 3,
        "mood": 2,
        "label": 2,
        "yes": 2,
        "code": 1,
        "small": 1,
        "big": 1,
        "ratio": 2,
        "amount": 2,
        "price": 2,
        "span": 2,
        "day": 2,
        "at": 2,
        "local": 2,
        "time": 2,
        "ip": 2,
        "net": 2,
        "bytes": 1,
    },
    "sum": {"small": "65534", "big": "18446744073709551614", "ratio": 0.75, "amount": "3.50", "span": "P1M1DT3H"},
    "avg": {
        "small": "32767.000000000000",
        "big": "9223372036854775807",
        "ratio": 0.375,
        "amount": "1.7500000000000000",
        "span": "P15DT13H30M",
    },
    "min": {
        "mood": "SAD",
        "label": "a",
        "small": 32767,
        "big": "9223372036854775807",
        "ratio": 0.25,
        "amount": "1.50",
        "price": 1.5,
        "span": "P1D",
        "day": "2024-02-29",
        "at": "2024-03-01T02:30:00+00:00",
        "local": "2024-02-29T23:30:00+00:00",
        "time": "07:59:59.5",
        "ip": "10.0.0.2",
        "net": "9.0.0.0/8",
    },
    "max": {
        "mood": "HAPPY",
        "label": "b",
        "small": 32767,
        "big": "9223372036854775807",
        "ratio": 0.5,
        "amount": "2",
        "price": 2.5,
        "span": "P1MT3H",
        "day": "2024-03-04",
        "at": "2024-03-04T00:00:00+00:00",
        "local": "2024-03-04T00:00:00+00:00",
        "time": "08:00:00",
        "ip": "10.0.0.10",
        "net": "10.0.0.0/8",
    },
}


def _selection(figures: Any) -> str:
    return " ".join(key if not isinstance(below, dict) else f"{key} {{ {_selection(below)} }}"
                    for key, below in figures.items())  # fmt: skip


def test_every_type_in_columns(query: Query) -> None:
    assert query(f"{{ things {{ {_selection(_FIGURES)} }} }}") == {"things": _FIGURES}


def test_every_type_in_documents(query: Query) -> None:
    """There an enum is a text, and ordered as one."""
    figures = {**_FIGURES, "min": {**_FIGURES["min"], "mood": "HAPPY"}, "max": {**_FIGURES["max"], "mood": "SAD"}}
    assert query(f"{{ documents {{ {_selection(_FIGURES)} }} }}") == {"documents": figures}


@pytest.mark.parametrize("root", ["things", "documents"])
def test_nothing(query: Query, root: str) -> None:
    nothing = {
        key: 0 if key == "count" else dict.fromkeys(below, 0 if key == "countDistinct" else None)
        for key, below in _FIGURES.items()
        for below in [below if isinstance(below, dict) else {}]
    }
    assert query(f"{{ {root}(where: {{id: {{eq: 0}}}}) {{ {_selection(_FIGURES)} }} }}") == {root: nothing}
    assert query(f"{{ {root}(mood: HAPPY) {{ count }} }}") == {root: {"count": 1}}
    assert query(f"{{ {root}(mood: null) {{ count sum {{ small }} }} }}") == {
        root: {"count": 1, "sum": {"small": None}}
    }


@pytest.mark.parametrize("root", ["thingGroups", "documentGroups"])
@pytest.mark.parametrize("name", list(_FIGURES["countDistinct"]))
def test_groups_by_every_type(query: Query, root: str, name: str) -> None:
    rows = query(f"{{ allThings {{ {name} }} }}")["allThings"]
    groups = query(f"{{ groups: {root} {{ key {{ {name} }} count }} }}")["groups"]
    counts: dict[Any, int] = {}
    for row in rows:
        counts[row[name]] = counts.get(row[name], 0) + 1
    assert {group["key"][name]: group["count"] for group in groups} == counts
    assert len(groups) == len(counts)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("at(truncatedTo: MINUTE)", ["2024-03-01T02:30:00+00:00", "2024-03-04T00:00:00+00:00", None]),
        ("at(truncatedTo: DAY)", ["2024-03-01T00:00:00+00:00", "2024-03-04T00:00:00+00:00", None]),
        ("at(truncatedTo: WEEK)", ["2024-02-26T00:00:00+00:00", "2024-03-04T00:00:00+00:00", None]),
        ("at(truncatedTo: MONTH)", ["2024-03-01T00:00:00+00:00", None]),
        ("at(truncatedTo: QUARTER)", ["2024-01-01T00:00:00+00:00", None]),
        ("at(truncatedTo: null)", ["2024-03-01T02:30:00+00:00", "2024-03-04T00:00:00+00:00", None]),
        ("local(truncatedTo: HOUR)", ["2024-02-29T23:00:00+00:00", "2024-03-04T00:00:00+00:00", None]),
        ("local(truncatedTo: MONTH)", ["2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00", None]),
        ("day(truncatedTo: WEEK)", ["2024-02-26", "2024-03-04", None]),
        ("day(truncatedTo: MONTH)", ["2024-02-01", "2024-03-01", None]),
        ("day(truncatedTo: YEAR)", ["2024-01-01", None]),
    ],
)
@pytest.mark.parametrize("root", ["thingGroups", "documentGroups"])
def test_truncated(query: Query, root: str, field: str, expected: list[str | None]) -> None:
    groups = query(f"{{ groups: {root} {{ key {{ it: {field} }} }} }}")["groups"]
    assert [group["key"]["it"] for group in groups] == expected


@pytest.mark.parametrize(
    ("having", "found"),
    [
        ('{sum: {big: {gt: "18446744073709551613"}}}', True),
        ('{sum: {big: {gt: "18446744073709551614"}}}', False),
        ("{sum: {small: {in: [65534]}}}", True),
        ('{sum: {span: {lt: "P1M2D"}}}', True),
        ('{avg: {span: {gte: "P15DT13H30M"}, amount: {eq: 1.75}, small: {lte: 32767}}}', True),
        ("{avg: {ratio: {eq: 0.375}}}", True),
        ("{min: {mood: {eq: SAD}}, max: {mood: {in: [HAPPY]}}}", True),
        ('{min: {ip: {inSubnet: "10.0.0.0/31"}, net: {isPrivate: true}}}', False),
        ('{min: {ip: {inSubnet: "10.0.0.0/30"}, label: {startsWith: "a"}}}', True),
        ('{max: {at: {eq: "2024-03-04T01:00:00+01:00"}, day: {gt: "2024-03-03"}, time: {eq: "08:00"}}}', True),
        ('{max: {price: {eq: "2.5"}}}', True),
        ("{countDistinct: {bytes: {eq: 1}, id: {gt: 2}}}", True),
        ("{NOT: {sum: {ratio: {lt: 0.5}}}, AND: [{count: {eq: 3}}, {count: {neq: 2}}]}", True),
        ("{OR: [{count: {lt: 3}}, {max: {big: {isnull: true}}}]}", False),
    ],
)
def test_having_of_every_type(query: Query, having: str, found: bool) -> None:
    assert len(query(f"{{ thingGroups(having: {having}) {{ count }} }}")["thingGroups"]) == found
    owners = query(f"{{ owners(where: {{things: {{aggregate: {having}}}}}) {{ name }} }}")["owners"]
    if found and "count" not in having:  # Ada's are all that have values
        assert owners == [{"name": "Ada"}]


def test_computed_fields(query: Query) -> None:
    found = query(
        "{ computed(having: {count: {gt: 0}}, orderBy: {max: {peers: DESC}}) {"
        " key { month(truncatedTo: YEAR) } count sum { double peers } countDistinct { month } } }"
    )["computed"]
    assert found == [
        {
            "key": {"month": "2024-01-01"},
            "count": 2,
            "sum": {"double": "131068", "peers": "4"},
            "countDistinct": {"month": 2},
        },
        {"key": {"month": None}, "count": 1, "sum": {"double": None, "peers": "1"}, "countDistinct": {"month": 0}},
    ]
    found = query(
        "{ computedDocuments(orderBy: {max: {owner: DESC}}) { key { owner label } sum { small ratio } max { owner } } }"
    )["computedDocuments"]
    assert [(each["key"]["owner"], each["key"]["label"], each["sum"]["ratio"], each["max"]) for each in found] == [
        (12, None, None, {"owner": 12}),
        (11, "a", 0.25, {"owner": 11}),
        (11, "b", 0.5, {"owner": 11}),
    ]


def test_relations(query: Query) -> None:
    found = query(
        "{ owners { name summary { count sum { small } } documents { key { yes } count } liked { count min { label } }"
        ' likedGroups { key { mood } count } one: liked(where: {label: {eq: "a"}}) { count } } }'
    )["owners"]
    nothing = {"count": 0, "min": {"label": None}}
    assert found == [
        {
            "name": "Ada",
            "summary": {"count": 2, "sum": {"small": "65534"}},
            "documents": [{"key": {"yes": False}, "count": 1}, {"key": {"yes": True}, "count": 1}],
            "liked": {"count": 2, "min": {"label": "a"}},  # Ada likes the first twice
            "likedGroups": [{"key": {"mood": "SAD"}, "count": 1}, {"key": {"mood": "HAPPY"}, "count": 1}],
            "one": {"count": 1},
        },
        {
            "name": "Bob",
            "summary": {"count": 1, "sum": {"small": None}},
            "documents": [{"key": {"yes": None}, "count": 1}],
            "liked": {"count": 1, "min": {"label": None}},
            "likedGroups": [{"key": {"mood": None}, "count": 1}],
            "one": {"count": 0},
        },
        {
            "name": "Cleo",
            "summary": {"count": 0, "sum": {"small": None}},
            "documents": [],
            "liked": nothing,
            "likedGroups": [],
            "one": {"count": 0},
        },
    ]


def test_relations_of_a_table_to_itself(query: Query) -> None:
    found = query("{ allThings { reports { count max { label } } } }")["allThings"]
    assert [each["reports"] for each in found] == [
        {"count": 2, "max": {"label": "a"}},
        *[{"count": 0, "max": {"label": None}}] * 2,
    ]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("where: {likes: {aggregate: {count: {eq: 2}}}}", "A"),
        ("where: {likes: {aggregate: {count: {eq: 0}}}}", "C"),
        ("where: {likes: {aggregate: {sum: {small: {eq: null}}}}}", "BC"),
        ("where: {NOT: {likes: {aggregate: {sum: {small: {gt: 1}}}}}}", "BC"),
        ("orderBy: {likes: {count: DESC}}", "ABC"),
        ("orderBy: [{things: {sum: {small: DESC_NULLS_LAST}}}, {name: DESC}]", "ACB"),
        ("orderBy: [{things: {max: {mood: ASC_NULLS_FIRST}}}, {name: DESC}]", "CBA"),
    ],
)
def test_conditions_and_orders(query: Query, argument: str, expected: str) -> None:
    assert "".join(each["name"][0] for each in query(f"{{ owners({argument}) {{ name }} }}")["owners"]) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{ odd(where: {id: {eq: 1}}) { count sum { ratio } } }", ["odd", "sum", "ratio"]),
        ("{ odd(where: {id: {eq: 1}}) { max { r: ratio } } }", ["odd", "max", "r"]),
        ("{ odd(where: {id: {eq: 2}}) { avg { amount } } }", ["odd", "avg", "amount"]),
        ("{ odd(where: {id: {eq: 3}}) { min { day } } }", ["odd", "min", "day"]),
        ("{ odd { min { mood } } }", ["odd", "min", "mood"]),
        ("{ oddGroups { key { mood } count } }", ["oddGroups", 0, "key", "mood"]),
        ("{ oddGroups(where: {id: {eq: 1}}) { key { ratio } } }", ["oddGroups", 0, "key", "ratio"]),
        ("{ oddGroups(where: {id: {eq: 3}}) { key { day(truncatedTo: YEAR) } } }", ["oddGroups", 0, "key", "day"]),
        ("{ odd(where: {id: {in: [5, 6]}}) { sum { ratio } } }", ["odd"]),  # more than a float holds
        ("{ wrong { countDistinct { label } } }", ["wrong"]),  # inside a figure, no path leads to it
        ("{ wrongGroups { key { small } } }", ["wrongGroups"]),
    ],
)
def test_figures_that_json_does_not_know(execute: Query, text: str, path: list[Any]) -> None:
    response = execute(text)
    assert response.outcome is Outcome.DATA_AND_ERRORS
    (error,) = json.loads(response.body)["errors"]
    assert (error["extensions"]["code"], error["path"]) == ("INTERNAL_SERVER_ERROR", path)


def test_figures_beside_odd_values(query: Query) -> None:
    assert query(
        "{ odd { count countDistinct { ratio day amount mood } max { amount } } }".replace("max { amount }", "")
    )
    assert query("{ odd(where: {id: {in: [5, 6]}}) { countDistinct { ratio } max { ratio } } }")["odd"]["max"] == {
        "ratio": 1e308
    }


def _subscribed(perform: Perform, text: str, *items: Any) -> tuple[list[Any], int]:
    """What a subscription emits for what its source gives, and how many statements that took."""
    join = next(_PIPELINE.operate(GraphQLRequest(text, None, {}), "r"))
    assert isinstance(join, Join)
    program, left, emitted, fetches = join.stream.begin(), list(items), [], 0
    effect = next(program)
    try:
        while True:
            answer: Any = None
            if isinstance(effect, Fetch):
                answer, fetches = perform(effect), fetches + 1
            elif isinstance(effect, Emit):
                emitted.append(json.loads(effect.emission.body))
            elif isinstance(effect, Next):
                answer = left.pop(0) if left else Absent.ENDED
            effect = program.send(answer)
    except StopIteration:
        return emitted, fetches


def test_live(perform: Perform) -> None:
    emitted, _ = _subscribed(perform, "subscription { liveSummary(where: {yes: {eq: true}}) { count } }")
    assert emitted == [{"data": {"liveSummary": {"count": 1}}}]


def test_rows_of_events(perform: Perform) -> None:
    event = Event("owner_changed", {"id": 1}, cursor="c1")
    text = "subscription { ownerChanged { name liked { count } likedGroups { key { label } } } }"
    emitted, _ = _subscribed(perform, text, [event])
    assert emitted[0]["data"]["ownerChanged"] == {
        "name": "Ada",
        "liked": {"count": 2},
        "likedGroups": [{"key": {"label": "a"}}, {"key": {"label": "b"}}],
    }


def test_yielded_rows(perform: Perform) -> None:
    text = "subscription { owner { name summary { count } likedGroups(limit: 1) { key { label } count } } }"
    values = [{"id": 1, "name": "Own"}, SimpleNamespace(id=2, name="Other")]
    emitted, fetches = _subscribed(perform, text, *values)
    assert [each["data"]["owner"] for each in emitted] == [
        {"name": "Own", "summary": {"count": 2}, "likedGroups": [{"key": {"label": "a"}, "count": 1}]},
        {"name": "Other", "summary": {"count": 1}, "likedGroups": [{"key": {"label": None}, "count": 1}]},
    ]
    assert fetches == 2


def test_yielded_rows_that_hold_their_figures(perform: Perform) -> None:
    figures = "count sum { small } countDistinct { day }"
    text = f"subscription {{ owner {{ summary {{ {figures} }} documents {{ key {{ yes }} count }} }} }}"
    value = {
        "summary": {"count": 7, "sum": {"small": 2**40}, "count_distinct": SimpleNamespace(day=3)},
        "documents": [{"key": {"yes": True}, "count": 1}],
    }
    emitted, fetches = _subscribed(perform, text, value)
    assert emitted[0]["data"]["owner"] == {
        "summary": {"count": 7, "sum": {"small": str(2**40)}, "countDistinct": {"day": 3}},
        "documents": [{"key": {"yes": True}, "count": 1}],
    }
    assert fetches == 0


def test_arguments_below_figures_that_a_value_holds(perform: Perform) -> None:
    """Truncating is SQL's."""
    text = "subscription { owner { documents { key { day(truncatedTo: YEAR) } } } }"
    emitted, fetches = _subscribed(perform, text, {"documents": [{"key": {"day": dt.date(2024, 2, 29)}}]})
    (error,) = emitted[0]["errors"]
    assert error["path"][:2] == ["owner", "documents"]
    assert fetches == 0


def test_one_scan(module_database_url: str, query: Query) -> None:
    text = "{ things { count sum { small big } avg { ratio } min { label } max { at } } }"
    with psycopg.connect(module_database_url) as connection:
        plan = connection.execute(b"explain " + _PIPELINE.explain(text).sql.encode()).fetchall()
    assert sum(" on thing " in line for (line,) in plan) == 1

"""Aggregates and groups in a schema: the types that are made for them, and what is wrong with a declaration."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType

import fraiseql
from fraiseql import ID, JSON, Aggregate, BigInt, Group
from fraiseql.errors import SchemaError
from fraiseql.pipeline import print_sdl
from fraiseql.pipeline.graphql_schema import build_graphql_schema


@fraiseql.enum
class Mood(Enum):
    GOOD = "good"


Price = Annotated[str, fraiseql.scalar("Price", sql_type="numeric", filters="ordered")]
Blob = Annotated[str, fraiseql.scalar("Blob", sql_type="text", filters="none")]
Point = Annotated[str, fraiseql.scalar("Point", sql_type="point", filters="none")]


@fraiseql.type
class Inner:
    number: int


@fraiseql.type(sql_source="thing")
class Thing:
    id: ID
    flag: bool
    count: int
    big: BigInt | None
    rate: float
    amount: Decimal
    price: Price
    span: dt.timedelta
    day: dt.date
    moment: dt.datetime | None
    time: dt.time
    text: str
    mood: Mood
    blob: Blob
    point: Point
    address: fraiseql.IP
    network: fraiseql.CIDR
    card: fraiseql.MAC
    path: fraiseql.LTree
    days: fraiseql.DateRange
    bytes: bytes
    words: fraiseql.TSVector
    document: JSON
    numbers: list[int]
    inner: Inner
    things: list[Thing] = fraiseql.relation(on={"id": "thing_id"})


@fraiseql.type(sql_source="bare", jsonb_column=None)
class Bare:
    """Nothing but the count can be made of it."""

    document: JSON
    things: Aggregate[Thing] = fraiseql.relation(on={"id": "id"})
    more: list[Group[Thing]] = fraiseql.relation(on={"id": "id"}, max_page_size=5)


@fraiseql.query
def things() -> list[Thing]: ...


@fraiseql.query
def summary(mood: Mood | None) -> Aggregate[Thing]: ...


@fraiseql.query
def groups() -> list[Group[Thing]]:
    """By anything."""


@fraiseql.query
def bares() -> list[Bare]: ...


@fraiseql.query
def bare_summary() -> Aggregate[Bare] | None: ...


@fraiseql.query
def bare_groups() -> list[Group[Bare]]: ...


@fraiseql.subscription
def live_groups() -> list[Group[Thing]]: ...


_TYPES = build_graphql_schema(
    fraiseql.Schema(
        queries=[things, summary, groups, bares, bare_summary, bare_groups], subscriptions=[live_groups]
    ).model
).type_map


def _fields(name: str) -> dict[str, str]:
    named = _TYPES[name]
    assert isinstance(named, (GraphQLObjectType, GraphQLInputObjectType))
    return {key: str(field.type) for key, field in named.fields.items()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "ThingAggregate",
            "count Int! countDistinct ThingCountDistinct! sum ThingSum! avg ThingAvg! min ThingMin! max ThingMax!",
        ),
        (
            "ThingGroup",
            "key ThingGroupKey! count Int! countDistinct ThingCountDistinct! sum ThingSum! avg ThingAvg! min ThingMin! "
            "max ThingMax!",
        ),
        ("ThingSum", "count BigInt big Decimal rate Float amount Decimal span Interval"),
        ("ThingAvg", "count Decimal big Decimal rate Float amount Decimal span Interval"),
        (
            "ThingMin",
            "count Int big BigInt rate Float amount Decimal price Price span Interval day Date moment DateTime "
            "time Time text String mood Mood address IP network CIDR",
        ),
        (
            "ThingGroupKey",
            "id ID! flag Boolean! count Int! big BigInt rate Float! amount Decimal! price Price! span Interval! "
            "day Date! moment DateTime time Time! text String! mood Mood! address IP! network CIDR! card MAC! "
            "path LTree! days DateRange! bytes Bytes!",
        ),
        ("BareAggregate", "count Int!"),
        ("BareGroup", "count Int!"),
        ("BareGroupOrderByInput", "count OrderDirection"),
        ("BareAggregateWhereInput", "count IntFilter AND [BareAggregateWhereInput!] OR [BareAggregateWhereInput!] "
         "NOT BareAggregateWhereInput"),
        ("ThingRelationFilter", "some ThingWhereInput none ThingWhereInput every ThingWhereInput "
         "aggregate ThingAggregateWhereInput"),
        ("ThingSumWhereInput", "count BigIntFilter big DecimalFilter rate FloatFilter amount DecimalFilter "
         "span IntervalFilter"),
        ("ThingAvgOrderByInput", "count OrderDirection big OrderDirection rate OrderDirection amount OrderDirection "
         "span OrderDirection"),
    ],
)  # fmt: skip
def test_types(name: str, expected: str) -> None:
    words = iter(expected.split())
    assert _fields(name) == dict(zip(words, words, strict=True))


def test_every_field_that_can_be_equal_is_counted() -> None:
    assert list(_fields("ThingCountDistinct")) == list(_fields("ThingGroupKey"))
    assert set(_fields("ThingCountDistinct").values()) == {"Int!"}
    assert _fields("ThingMax") == _fields("ThingMin")


@pytest.mark.parametrize(
    ("owner", "field", "expected"),
    [
        ("Query", "summary", "mood Mood where ThingWhereInput"),
        (
            "Query",
            "groups",
            "where ThingWhereInput having ThingAggregateWhereInput orderBy [ThingGroupOrderByInput!] "
            "limit Int offset Int",
        ),
        ("Query", "bareSummary", "where BareWhereInput"),
        ("Bare", "things", "where ThingWhereInput"),
        (
            "Subscription",
            "liveGroups",
            "where ThingWhereInput having ThingAggregateWhereInput orderBy [ThingGroupOrderByInput!] "
            "limit Int offset Int",
        ),
        ("ThingGroupKey", "day", "truncatedTo DateUnit"),
        ("ThingGroupKey", "moment", "truncatedTo DateTimeUnit"),
        ("ThingGroupKey", "time", ""),
    ],
)
def test_arguments(owner: str, field: str, expected: str) -> None:
    named = _TYPES[owner]
    assert isinstance(named, GraphQLObjectType)
    assert " ".join(f"{name} {each.type}" for name, each in named.fields[field].args.items()) == expected


def test_sdl() -> None:
    sdl = print_sdl(fraiseql.Schema(queries=[groups]))
    for part in (
        '"""A group of Thing rows, and figures about it."""\ntype ThingGroup {',
        '"""What a date is cut to; a week begins on a Monday."""\n'
        "enum DateUnit {\n  WEEK\n  MONTH\n  QUARTER\n  YEAR\n}",
        "enum DateTimeUnit {\n  MINUTE\n  HOUR\n  DAY\n  WEEK\n  MONTH\n  QUARTER\n  YEAR\n}",
        "  sum: ThingSum!\n",
    ):
        assert part in sdl


def _schema(returned: Any, *types: Any) -> fraiseql.Schema:
    def it() -> Any: ...

    it.__annotations__["return"] = returned
    return fraiseql.Schema(types=types, queries=[fraiseql.query(it)])


def _type(name: str, **annotations: Any) -> Any:
    return fraiseql.type(sql_source=name.lower())(type(name, (), {"__annotations__": annotations or {"id": ID}}))


@pytest.mark.parametrize(
    ("returned", "types", "error"),
    [
        (Group[Thing], [], "Query.it: found the type ThingGroup!; expected list[...] of it"),
        (list[Aggregate[Thing]], [], "Query.it: found the type [ThingAggregate!]!; expected it without list[...]"),
        (list[Group[Thing] | None], [], "Query.it: found the type [ThingGroup]!; expected [T!]!, T! or T"),
        (Aggregate[Inner], [], "it: found a InnerAggregate; expected a type with sql_source in the brackets"),
        (Aggregate[int], [], "it: found a IntAggregate; expected a type with sql_source in the brackets"),
        (list[Group[list[Thing]]], [], "expected a type with sql_source inside the brackets"),
        (Aggregate[Aggregate[Thing]], [], "expected a type with sql_source inside the brackets"),
        (
            Aggregate[Thing],
            [_type("ThingSum")],
            "ThingSum: found a type of that name; expected another: it needs it",
        ),
        (
            list[Thing],
            [_type("ThingAggregate")],
            "Thing: found a type of that name, which needs ThingAggregateOrderByInput; expected another: the arguments",
        ),
        (
            list[Thing],
            [_type("ThingMin")],
            "Thing: found a type of that name, which needs ThingMinWhereInput; expected another: the arguments",
        ),
        (list[Group[Thing]], [_type("DateUnit")], "DateUnit: found a type of that name; expected another: it needs it"),
        (list[Thing], [_type("ThingGroupOrderByInput")], None),
        (list[Thing], [_type("ThingGroup"), _type("DateUnit")], None),
        (
            list[Group[Thing]],
            [_type("ThingGroupOrderByInput")],
            "ThingGroupOrderByInput: found a type of that name; expected another: the name is used for the aggregates",
        ),
        (
            list[Thing],
            [_type("Owner", id=ID, its=Aggregate[Thing])],
            "Owner.its: found ThingAggregate without relation(...); expected relation(on=...)",
        ),
    ],
)
def test_mistakes(returned: Any, types: list[Any], error: str | None) -> None:
    if error is None:
        _schema(returned, *types)
        return
    with pytest.raises(SchemaError) as raised:
        _schema(returned, *types)
    assert error in str(raised.value)


def test_page_sizes_are_for_groups_only() -> None:
    @fraiseql.query(max_page_size=5)
    def it() -> Aggregate[Thing]: ...

    with pytest.raises(SchemaError, match="page sizes for the type ThingAggregate!"):
        fraiseql.Schema(queries=[it])


def test_arguments_of_its_own_have_other_names() -> None:
    @fraiseql.query
    def it(having: Mood) -> list[Group[Thing]]: ...

    with pytest.raises(SchemaError, match=r"Query.it\(having\): found the argument having"):
        fraiseql.Schema(queries=[it])


def test_a_resolver_gives_none() -> None:
    @fraiseql.subscription
    async def it() -> AsyncIterator[Aggregate[Thing]]:
        yield Aggregate()

    with pytest.raises(SchemaError, match=r"Subscription.it: found a resolver of ThingAggregate"):
        fraiseql.Schema(queries=[things], subscriptions=[it])


def test_an_event_is_about_one_row() -> None:
    @fraiseql.subscription(topic="t")
    def it() -> Aggregate[Thing]: ...

    with pytest.raises(SchemaError, match=r"Subscription.it: found the return type ThingAggregate!"):
        fraiseql.Schema(queries=[things], subscriptions=[it])

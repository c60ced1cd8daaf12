"""The input types that are made for `where`: which conditions each type has, and what they take."""

from __future__ import annotations

import datetime as dt
import ipaddress
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from graphql import GraphQLInputObjectType, build_schema

import fraiseql
from fraiseql import ID, JSON
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.pipeline.graphql_schema import print_sdl
from pipeline.conftest import run


@fraiseql.enum
class Mood(Enum):
    GOOD = "good"


@fraiseql.type
class Inner:
    text: str


@fraiseql.type
class InnerJson:
    data: JSON


@fraiseql.type(sql_source="thing", jsonb_column=None)
class Thing:
    id: ID
    text: str
    flag: bool
    count: int
    ratio: float
    amount: Decimal
    key: UUID
    day: dt.date
    hour: dt.time
    at: dt.datetime
    big: fraiseql.BigInt
    span: dt.timedelta
    bytes: bytes
    ip: ipaddress.IPv6Address
    network: ipaddress.IPv4Network
    mac: fraiseql.MAC
    path: fraiseql.LTree
    words: fraiseql.TSVector
    numbers: fraiseql.Int8Range
    hours: fraiseql.TsRange
    mood: Mood
    moods: list[Mood]
    tags: list[str]
    document: JSON
    documents: list[JSON]
    matrix: list[list[int]]
    inner: Inner | None
    inners: list[Inner] | None
    inner_matrix: list[list[Inner]]
    document_only: InnerJson | None
    things: list[Thing] = fraiseql.relation(on={"id": "id"})
    thing: Thing | None = fraiseql.relation(on={"id": "id"})


@fraiseql.type(sql_source="document", jsonb_column=None)
class OnlyJson:
    data: JSON


@fraiseql.query
def things() -> list[Thing]: ...


@fraiseql.query
def documents() -> list[OnlyJson]: ...


_SCHEMA = fraiseql.Schema(queries=[things, documents])
_EQUALITY = "eq neq distinctFrom in nin isnull"
_ORDERED = "eq neq distinctFrom gt gte lt lte in nin isnull"
_RANGE = f"{_EQUALITY} contains containsElement containedBy overlaps adjacent strictlyLeft strictlyRight"
_RANGE += " notExtendsLeft notExtendsRight isEmpty lower upper"
_LIST = "eq neq distinctFrom contains containedBy overlaps isnull length any"
_NETWORK = f"{_ORDERED} inSubnet contains overlaps isPrivate isLoopback isLinkLocal isMulticast isCarrierGrade"
_NETWORK += " isDocumentation isIPv4 isIPv6"
_TEXT = (
    f"{_ORDERED} ieq like ilike contains icontains startsWith istartsWith endsWith iendsWith matches imatches search"
)
_JSON = "eq neq distinctFrom isnull contains containedBy hasKey hasAnyKeys hasAllKeys pathExists pathMatch"


def _inputs() -> dict[str, GraphQLInputObjectType]:
    types = build_schema(print_sdl(_SCHEMA)).type_map
    return {name: each for name, each in types.items() if isinstance(each, GraphQLInputObjectType)}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        *((f"{name}Filter", _EQUALITY) for name in ("ID", "Boolean", "UUID", "Bytes", "Mood")),
        *((f"{name}Filter", _ORDERED) for name in ("Int", "Float", "Decimal", "Date", "Time", "DateTime", "BigInt")),
        *((f"{name}Filter", _ORDERED) for name in ("Interval", "MAC")),
        *((f"{name}Filter", _NETWORK) for name in ("IP", "CIDR")),
        *((f"{name}Filter", _RANGE) for name in ("Int8Range", "TsRange")),
        *((f"{name}ListFilter", _LIST) for name in ("String", "Mood")),
        ("StringFilter", _TEXT),
        ("LTreeFilter", f"{_ORDERED} ancestorOf descendantOf matches matchesAny matchesText depth"),
        ("TSVectorFilter", "isnull search"),
        ("JSONFilter", _JSON),
        ("TextSearchInput", "plain phrase websearch config rank"),
        ("TextSearchRankInput", "plain phrase websearch config direction"),
        ("ThingRelationFilter", "some none every aggregate"),
        ("InnerWhereInput", "text AND OR NOT"),
        ("InnerListFilter", "some none every count isnull"),
        ("OnlyJsonWhereInput", "data AND OR NOT"),
    ],
)
def test_the_conditions_of_each_type(name: str, keys: str) -> None:
    assert list(_inputs()[name].fields) == keys.split()


@pytest.mark.parametrize(
    ("place", "type_name"),
    [
        ("StringFilter.contains", "String"),
        ("StringFilter.nin", "[String!]"),
        ("StringListFilter.contains", "[String!]"),
        ("StringListFilter.length", "IntFilter"),
        ("MoodListFilter.any", "MoodFilter"),
        ("MoodListFilter.eq", "[Mood!]"),
        ("IPFilter.inSubnet", "CIDR"),
        ("CIDRFilter.contains", "IP"),
        ("CIDRFilter.isPrivate", "Boolean"),
        ("Int8RangeFilter.containsElement", "BigInt"),
        ("Int8RangeFilter.contains", "Int8Range"),
        ("TsRangeFilter.containsElement", "DateTime"),
        ("Int8RangeFilter.lower", "BigIntFilter"),
        ("TsRangeFilter.upper", "DateTimeFilter"),
        ("Int8RangeFilter.isEmpty", "Boolean"),
        ("CIDRFilter.overlaps", "CIDR"),
        ("StringFilter.ieq", "String"),
        ("LTreeFilter.matchesAny", "[String!]"),
        ("LTreeFilter.depth", "IntFilter"),
        ("JSONFilter.hasAllKeys", "[String!]"),
        ("LTreeFilter.matches", "String"),
        ("LTreeFilter.ancestorOf", "LTree"),
        ("ThingWhereInput.things", "ThingRelationFilter"),
        ("ThingWhereInput.thing", "ThingWhereInput"),
        ("ThingWhereInput.inner", "InnerWhereInput"),
        ("ThingWhereInput.inners", "InnerListFilter"),
        ("ThingWhereInput.documentOnly", "InnerJsonWhereInput"),
        ("InnerListFilter.some", "InnerWhereInput"),
        ("InnerListFilter.count", "IntFilter"),
        ("InnerListFilter.isnull", "Boolean"),
        ("ThingOrderByInput.inner", "InnerOrderByInput"),
        ("ThingOrderByInput.inners", "EmbeddedListOrderByInput"),
        ("EmbeddedListOrderByInput.count", "OrderDirection"),
        ("TextSearchInput.config", "TextSearchConfig"),
    ],
)
def test_what_a_condition_takes(place: str, type_name: str) -> None:
    name, _, key = place.partition(".")
    assert str(_inputs()[name].fields[key].type) == type_name


def test_fields_without_conditions_and_without_order() -> None:
    inputs = _inputs()
    conditional, ordered = inputs["ThingWhereInput"].fields, inputs["ThingOrderByInput"].fields
    assert not {"documents", "matrix", "innerMatrix"} & conditional.keys()
    assert not {"document", "words", "tags", "documentOnly", "innerMatrix"} & ordered.keys()
    assert {"path", "numbers", "ip", "span", "bytes", "mood"} <= ordered.keys()
    assert "OnlyJsonOrderByInput" not in inputs


def test_the_arguments_of_embedded_lists() -> None:
    thing = build_schema(print_sdl(_SCHEMA)).type_map["Thing"].fields  # type: ignore[attr-defined]
    assert list(thing["inners"].args) == ["where", "orderBy", "limit", "offset"]
    assert not thing["inner"].args
    assert not thing["innerMatrix"].args
    assert not thing["tags"].args


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("{inners: {text: {eq: null}}}", "things"),
        ("{inner: {some: {}}}", "things"),
        ("{inners: {length: {eq: 1}}}", "things"),
        ("{flag: {contains: true}}", "things"),
        ("{count: {like: 1}}", "things"),
        ("{tags: {in: []}}", "things"),
        ("{tags: {any: {length: {eq: 1}}}}", "things"),
        ("{things: {id: {eq: 1}}}", "things"),
        ("{thing: {some: {}}}", "things"),
        ('{text: {search: {raw: "a & b"}}}', "things"),
        ('{text: {search: {plain: "a", config: KLINGON}}}', "things"),
        ('{numbers: {contains: "1"}}', "things"),
        ('{ip: {inSubnet: "10.0.0.1/8"}}', "things"),
        ("{document: {hasKey: 1}}", "things"),
        ("{words: {eq: null}}", "things"),
    ],
)
def test_what_a_type_does_not_have_is_an_error(where: str, path: str) -> None:
    execution = run(Pipeline(_SCHEMA), f"{{ things(where: {where}) {{ id }} }}")
    assert execution.outcome is Outcome.NOT_VALID
    assert not execution.fetches
    assert all(error["path"] == [path] for error in execution.json["errors"])


@pytest.mark.parametrize(
    "where",
    [
        "{text: {like: null}}",
        "{tags: {any: {gt: null}}}",
        "{things: {some: {text: {matches: null}}}}",
        "{text: {in: null}}",
        "{text: {ieq: null}}",
        "{numbers: {isEmpty: null}}",
        "{numbers: {lower: {gt: null}}}",
        "{path: {depth: {lt: null}}}",
    ],
)
def test_a_null_that_is_no_condition_is_an_error(where: str) -> None:
    execution = run(Pipeline(_SCHEMA), f"{{ a: things(where: {where}) {{ id }} }}")
    assert execution.brief == ("BAD_USER_INPUT", ["a"])
    assert "must not be null" in execution.error["message"]
    sent = run(
        Pipeline(_SCHEMA), "query ($v: String) { a: things(where: {text: {search: {phrase: $v}}}) { id } }", {"v": None}
    )
    assert sent.brief == ("BAD_USER_INPUT", ["a"])


@pytest.mark.parametrize(
    ("where", "sql", "parameters"),
    [
        ('{path: {ancestorOf: "a.b"}}', 't$0."path" @> $1::ltree', ["a.b"]),
        ('{path: {matches: "*.a"}}', 't$0."path" ~ $1::lquery', ["*.a"]),
        ('{path: {matchesAny: ["*.a", "b"]}}', 't$0."path" ? $1::lquery[]', ['{"*.a","b"}']),
        ('{path: {matchesText: "a & !b"}}', 't$0."path" @ $1::ltxtquery', ["a & !b"]),
        ("{path: {depth: {gte: 2, lt: 5}}}", 'nlevel(t$0."path") >= $1 and nlevel(t$0."path") < $2', ["2", "5"]),
    ],
)
def test_the_conditions_of_an_extension(where: str, sql: str, parameters: list[str]) -> None:
    """The PostgreSQL of the other tests does not have it."""
    explained = Pipeline(_SCHEMA).explain(f"{{ things(where: {where}) {{ id }} }}")
    assert f" where {sql} order by " in explained.sql
    assert list(explained.parameters) == parameters

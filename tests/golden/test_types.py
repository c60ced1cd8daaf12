"""Every scalar type in a column and in a jsonb document: how it is shown, and what its conditions find."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import psycopg
import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from fraiseql.pipeline.response import Refusal
from fraiseql.schema.scalars import SCALARS
from golden.driving import drive, opened

_DDL = Path(__file__).with_name("types.sql").read_bytes()


@fraiseql.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue sky"


def _parse_email(value: Any) -> str:
    if not isinstance(value, str) or "@" not in value:
        raise ValueError("an email has an @")
    return value.lower()


Email = Annotated[str, fraiseql.scalar("Email", sql_type="email", parse=_parse_email, filters="text")]
Plain = Annotated[Any, fraiseql.scalar("Plain", sql_type="json", filters="json")]


class _Fields:
    id: ID
    text: str | None
    big: fraiseql.BigInt | None
    span: dt.timedelta | None
    bytes: bytes | None
    ip: fraiseql.IP | None
    network: ipaddress.IPv4Network | None
    mac: fraiseql.MAC | None
    numbers: fraiseql.Int4Range | None
    long_numbers: fraiseql.Int8Range | None
    amounts: fraiseql.NumRange | None
    days: fraiseql.DateRange | None
    hours: fraiseql.TsRange | None
    moments: fraiseql.TstzRange | None
    colours: list[Colour] | None
    counts: list[int | None] | None
    spans: list[fraiseql.Interval] | None
    blobs: list[fraiseql.Bytes | None] | None
    periods: list[fraiseql.TstzRange] | None
    document: JSON | None
    plain_document: Plain | None
    email: Email | None


@fraiseql.type(sql_source="everything", jsonb_column=None)
class Everything(_Fields):
    words: fraiseql.TSVector | None
    same: list[Document] = fraiseql.relation(on={"id": "id"})


@fraiseql.type(sql_source="documents")
class Document(_Fields):
    id: ID = fraiseql.field(column="id")
    column: Everything | None = fraiseql.relation(on={"id": "id"})


@fraiseql.query
def everything() -> list[Everything]: ...


@fraiseql.query
def by_bytes(bytes: bytes = b"\x00\xff\x10") -> list[Everything]: ...


@fraiseql.query
def by_email(email: Email) -> Everything | None: ...


@fraiseql.query
def documents() -> list[Document]: ...


_SCHEMA = fraiseql.Schema(queries=[everything, documents, by_bytes, by_email])


@pytest.fixture(scope="module")
def query(module_database_url: str) -> Iterator[Callable[..., Any]]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    reading = opened(module_database_url)
    pipeline = Pipeline(_SCHEMA)

    def query(text: str, variables: dict[str, Any] | None = None) -> Any:
        response, _ = drive(reading, pipeline.execute(GraphQLRequest(text, None, variables or {}), "r"))
        return response

    with psycopg.connect(module_database_url, autocommit=True) as writing:
        query.write = writing.execute  # type: ignore[attr-defined]
        yield query
    reading.close()


def _data(response: Any) -> Any:
    assert response.outcome is Outcome.DATA, (response.body, response.cause)
    return json.loads(response.body)["data"]


_SHOWN: dict[str, list[Any]] = {
    "text": ["The quick brown foxes", "100% of_it \\ back", None, 'ÉCLAIR\'s "x"'],
    "big": ["9007199254740993", "-9223372036854775808", None, "0"],
    "span": ["P1Y2M3DT4H5M6.5S", "P-1DT2H", None, "PT0S"],
    "bytes": ["AP8Q", "", None, "XA=="],
    "ip": ["10.1.2.3", "10.1.2.3/16", "::ffff:1.2.3.4", "fd00::1"],
    "network": ["10.0.0.0/8", "2001:db8::/32", None, "192.168.1.0/24"],
    "mac": ["08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff", None, "00:00:00:00:00:01"],
    "numbers": ["[1,6)", "empty", None, "[7,9)"],
    "longNumbers": ["[2,5)", "(,)", None, "[7,9)"],
    "amounts": ["[0.50,1.75]", "(,2)", None, "[7,9)"],
    "days": ["[2024-02-28,2024-03-01)", "[2024-03-01,)", None, "[2024-03-01,2024-03-02)"],
    "hours": [
        "[2024-01-01T08:00:00,2024-01-01T17:00:00.25)",
        "empty",
        None,
        "[2024-01-01T17:00:00.25,2024-01-02T00:00:00)",
    ],
    "moments": [
        "[2024-01-01T06:00:00+00:00,)",
        "[2024-06-01T00:00:00+00:00,2024-06-02T00:00:00+00:00]",
        None,
        "(,2024-01-01T06:00:00+00:00)",
    ],
    "colours": [["RED", "BLUE"], [], None, ["RED"]],
    "counts": [[1, 2, 2], [], None, [None, 7]],
    "spans": [["P1D", "PT-1S"], [], None, None],
    "blobs": [["AQ==", None], [], None, None],
    "periods": [["[2024-01-01T00:00:00+00:00,)"], [], None, None],
    "document": [
        {"a": {"b": [1, 2.5]}, "tags": ["x", "y"], "when": "2024-05-01"},
        [1, "a", None],
        None,
        None,
    ],
    "plainDocument": [{"k": "v"}, [1], None, None],
    "email": ["a@b", None, None, None],
}


@pytest.mark.parametrize("source", ["everything", "documents"])
@pytest.mark.parametrize("field", _SHOWN)
def test_shown(query: Callable[..., Any], source: str, field: str) -> None:
    rows = _data(query(f"{{ {source} {{ {field} }} }}"))[source]
    assert [row[field] for row in rows] == _SHOWN[field]


@pytest.mark.parametrize("field", [name for name in _SHOWN if name not in ("document", "plainDocument", "counts")])
def test_what_is_shown_can_be_sent_back(query: Callable[..., Any], field: str) -> None:
    """As a literal, as a variable, and as a list of them."""
    value = _SHOWN[field][0]
    literal = str(value).replace("'", "") if field == "colours" else json.dumps(value)
    if field == "blobs":
        literal, value = '["AQ=="]', ["AQ=="]
    where = f"{{{field}: {{contains: {literal}}}}}" if field == "blobs" else f"{{{field}: {{eq: {literal}}}}}"
    for source in ("everything", "documents"):
        assert _data(query(f"{{ {source}(where: {where}) {{ id }} }}"))[source] == [{"id": "1"}]
        sent = {field: {"contains" if field == "blobs" else "eq": value}}
        type_name = "EverythingWhereInput" if source == "everything" else "DocumentWhereInput"
        text = f"query ($w: {type_name}) {{ {source}(where: $w) {{ id }} }}"
        assert _data(query(text, {"w": sent}))[source] == [{"id": "1"}]
        if not isinstance(value, list):
            found = _data(query(text, {"w": {field: {"in": [value]}}}))[source]
            assert found == [{"id": "1"}]
            found = _data(query(text, {"w": {field: {"nin": [value]}}}))[source]
            assert {"id": "1"} not in found


_CONDITIONS = [
    ('{text: {contains: "%"}}', "2"),
    ('{text: {contains: "of_it \\\\"}}', "2"),
    ('{text: {like: "100\\\\% of%"}}', "2"),
    ('{text: {startsWith: "_"}}', ""),
    ('{text: {iendsWith: "FOXES"}}', "1"),
    ('{text: {ieq: "the QUICK brown Foxes"}}', "1"),
    ('{text: {ieq: "%"}}', ""),
    ('{text: {ieq: "éclair\'S \\"X\\""}}', "4"),
    ('{text: {distinctFrom: "100% of_it \\\\ back"}}', "1 3 4"),
    ("{text: {distinctFrom: null}}", "1 2 4"),
    ('{NOT: {text: {distinctFrom: "The quick brown foxes"}}}', "1"),
    ('{text: {matches: "b[rt]own"}}', "1"),
    ('{text: {imatches: "QUICK"}}', "1"),
    ('{text: {search: {plain: "fox", config: ENGLISH}}}', "1"),
    ('{text: {search: {plain: "fox"}}}', ""),
    ('{text: {search: {phrase: "quick brown", config: ENGLISH}}}', "1"),
    ('{text: {search: {phrase: "brown quick", config: ENGLISH}}}', ""),
    ('{text: {search: {websearch: "\\"brown fox\\" or nothing -slow", config: ENGLISH}}}', "1"),
    ("{text: {search: {config: ENGLISH}}}", "1 2 3 4"),
    ("{text: {search: null}}", "1 2 3 4"),
    ("{big: {gt: 9007199254740992}}", "1"),
    ('{big: {lt: "-9223372036854775807"}}', "2"),
    ("{big: {in: [0, 9007199254740993]}}", "1 4"),
    ('{span: {gt: "P1Y"}}', "1"),
    ('{span: {lt: "PT0S"}}', "2"),
    ('{span: {eq: "PT-22H"}}', "2"),
    ('{bytes: {neq: ""}}', "1 4"),
    ('{ip: {inSubnet: "10.0.0.0/8"}}', "1 2"),
    ('{ip: {inSubnet: "::/0"}}', "3 4"),
    ('{network: {contains: "10.9.9.9"}}', "1"),
    ('{network: {contains: "2001:db8::5"}}', "2"),
    ("{ip: {isPrivate: true}}", "1 2 4"),
    ("{ip: {isPrivate: false}}", "3"),
    ("{ip: {isLoopback: true}}", ""),
    ("{ip: {isLoopback: false}}", "1 2 3 4"),
    ("{ip: {isLinkLocal: false, isMulticast: false, isCarrierGrade: false, isDocumentation: false}}", "1 2 3 4"),
    ("{network: {isDocumentation: true}}", "2"),
    ('{network: {overlaps: "10.1.0.0/16"}}', "1"),
    ('{network: {overlaps: "0.0.0.0/0"}}', "1 4"),
    ("{ip: {isIPv4: true}}", "1 2"),
    ("{ip: {isIPv6: true}}", "3 4"),
    ("{network: {isIPv4: false}}", "2"),
    ('{ip: {lt: "10.1.2.3"}}', "2"),
    ('{mac: {gte: "08:00:2B:01:02:03"}}', "1 2"),
    ("{numbers: {containsElement: 5}}", "1"),
    ('{numbers: {contains: "[2,3]"}}', "1"),
    ('{numbers: {contains: "empty"}}', "1 2 4"),
    ('{longNumbers: {containsElement: "9007199254740993"}}', "2"),
    ('{amounts: {containsElement: "1.750"}}', "1 2"),
    ('{amounts: {containedBy: "[0,10]"}}', "1 4"),
    ('{days: {containsElement: "2024-02-29"}}', "1"),
    ('{days: {overlaps: "[2024-03-01,2024-03-01]"}}', "2 4"),
    ('{days: {adjacent: "[2024-02-20,2024-02-27]"}}', "1"),
    ('{days: {strictlyLeft: "[2024-03-02,)"}}', "1 4"),
    ('{days: {strictlyRight: "(,2024-02-29]"}}', "2 4"),
    ('{days: {notExtendsLeft: "[2024-03-01,2024-03-01]"}}', "2 4"),
    ('{days: {notExtendsRight: "[2024-03-01,2024-03-01]"}}', "1 4"),
    ("{numbers: {isEmpty: true}}", "2"),
    ("{numbers: {isEmpty: false}}", "1 4"),
    ("{numbers: {lower: {gt: 1}}}", "4"),
    ("{numbers: {upper: {in: [6, 9]}}}", "1 4"),
    ("{longNumbers: {lower: {isnull: true}}}", "2 3"),
    ('{longNumbers: {upper: {lte: "5"}}}', "1"),
    ('{amounts: {upper: {eq: "1.75"}}}', "1"),
    ('{days: {lower: {gte: "2024-03-01"}, upper: {isnull: false}}}', "4"),
    ("{days: {lower: null, upper: {}}}", "1 2 3 4"),
    ('{hours: {upper: {eq: "2024-01-01T18:00:00.25+01:00"}}}', "1"),
    ('{moments: {lower: {lt: "2024-01-01T08:00:01+02:00"}}}', "1"),
    ('{periods: {any: {lower: {eq: "2024-01-01T00:00:00"}}}}', "1"),
    ('{numbers: {distinctFrom: "[1,5]"}}', "2 3 4"),
    ("{colours: {distinctFrom: [RED]}}", "1 2 3"),
    ("{document: {distinctFrom: [1]}}", "1 2 3 4"),
    ('{document: {distinctFrom: [1, "a", null]}}', "1 3 4"),
    ("{document: {distinctFrom: null}}", "1 2"),
    ('{email: {ieq: "A@B"}}', "1"),
    ('{hours: {containsElement: "2024-01-01T10:00:00+02:00"}}', "1"),
    ('{hours: {containsElement: "2024-01-01T17:00:00"}}', "1"),
    ('{hours: {adjacent: "[2024-01-02T00:00:00,)"}}', "4"),
    ('{moments: {containsElement: "2024-01-01T06:00:00"}}', "1"),
    ('{moments: {containsElement: "2024-06-02T02:00:00+02:00"}}', "1 2"),
    ("{numbers: {eq: null}}", "3"),
    ("{numbers: {neq: null}}", "1 2 4"),
    ("{colours: {contains: [BLUE]}}", "1"),
    ("{colours: {overlaps: [RED, BLUE]}}", "1 4"),
    ("{colours: {containedBy: [RED]}}", "2 4"),
    ("{colours: {any: {eq: RED}, length: {eq: 1}}}", "4"),
    ("{colours: {eq: []}}", "2"),
    ("{colours: {eq: null}}", "3"),
    ("{counts: {length: {gte: 2, neq: 3}}}", "4"),
    ("{counts: {any: {gt: 1, lt: 3}}}", "1"),
    ("{counts: {any: {isnull: true}}}", "4"),
    ("{counts: {any: {}}}", "1 4"),
    ("{counts: {any: null, length: null}}", "1 2 3 4"),
    ("{NOT: {counts: {any: {eq: 2}}}}", "2 3 4"),
    ('{spans: {any: {lt: "PT0S"}}}', "1"),
    ('{blobs: {overlaps: ["AQ==", "AA=="]}}', "1"),
    ('{periods: {any: {containsElement: "2024-01-01T00:00:00"}}}', "1"),
    ("{document: {contains: {a: {b: [2.5]}}}}", "1"),
    ('{document: {contains: ["a"]}}', "2"),
    ("{document: {contains: 1}}", "2"),
    ('{document: {containedBy: [1, "a", 5]}}', ""),
    ('{document: {containedBy: [1, "a", null, 5]}}', "2"),
    ('{document: {hasKey: "tags"}}', "1"),
    ('{document: {hasAnyKeys: ["b", "a"]}}', "1 2"),
    ('{document: {hasAllKeys: ["tags", "a"]}}', "1"),
    ('{document: {pathExists: "$.a.b[*] ? (@ > 2)"}}', "1"),
    ('{document: {pathMatch: "$.tags[0] == \\"x\\""}}', "1"),
    ('{document: {pathMatch: "$.tags[*].size() / 0 > 1"}}', ""),
    ("{document: {eq: null}}", "3 4"),
    ("{document: {neq: null}}", "1 2"),
    ("{document: {isnull: true}}", "3 4"),
    ("{document: {isnull: false}}", "1 2"),
    ('{document: {eq: [1, "a", null]}}', "2"),
    ("{document: {neq: [1]}}", "1 2"),
    ('{plainDocument: {hasKey: "k"}}', "1"),
    ("{plainDocument: {contains: [1]}}", "2"),
    ('{email: {eq: "A@B"}}', "1"),
    ('{email: {startsWith: "a"}}', "1"),
    ("{email: {isnull: true}}", "2 3 4"),
]


@pytest.mark.parametrize("source", ["everything", "documents"])
@pytest.mark.parametrize(("where", "ids"), _CONDITIONS)
def test_conditions(query: Callable[..., Any], source: str, where: str, ids: str) -> None:
    rows = _data(query(f"{{ {source}(where: {where}) {{ id }} }}"))[source]
    assert [row["id"] for row in rows] == ids.split()


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ('{search: {plain: "fox\'s", config: ENGLISH}}', "1"),
        ('{search: {websearch: "simple or fox", config: ENGLISH}}', "1"),
        ('{search: {websearch: "simple or nothing"}}', "2"),
        ("{isnull: true}", "3"),
    ],
)
def test_a_vector_column(query: Callable[..., Any], where: str, ids: str) -> None:
    rows = _data(query(f"{{ everything(where: {{words: {where}}}) {{ id words }} }}"))["everything"]
    assert [row["id"] for row in rows] == ids.split()
    across = f"{{ documents(where: {{column: {{words: {where}}}}}) {{ id }} }}"
    assert [row["id"] for row in _data(query(across))["documents"]] == ids.split()


def test_relations_between_columns_and_documents(query: Callable[..., Any]) -> None:
    for condition, ids in (
        ("{some: {big: {gt: 0}}}", "1"),
        ("{none: {big: {gt: 0}}}", "2 3 4"),
        ("{every: {big: {lte: 0}}}", "2 4"),
        ("{some: {column: {same: {every: {big: {isnull: true}}}}}}", "3"),
    ):
        rows = _data(query(f"{{ everything(where: {{same: {condition}}}) {{ id }} }}"))["everything"]
        assert [row["id"] for row in rows] == ids.split()


def test_arguments_of_these_types(query: Callable[..., Any]) -> None:
    assert _data(query("{ byBytes { id } }"))["byBytes"] == [{"id": "1"}]
    assert _data(query('{ byBytes(bytes: "XA==") { id } }'))["byBytes"] == [{"id": "4"}]
    assert _data(query("query ($e: Email!) { byEmail(email: $e) { id } }", {"e": "A@B"})) == {"byEmail": {"id": "1"}}
    shown = _data(query('{ __type(name: "Query") { fields { name args { name defaultValue } } } }'))
    (argument,) = [
        argument
        for field in shown["__type"]["fields"]
        if field["name"] == "byBytes"
        for argument in field["args"]
        if argument["name"] == "bytes"
    ]
    assert argument["defaultValue"] == '"AP8Q"'


@pytest.mark.parametrize(
    "field", ["big", "span", "bytes", "ip", "network", "mac", "numbers", "amounts", "hours", "moments", "email"]
)
def test_order(query: Callable[..., Any], field: str) -> None:
    column = _data(query(f"{{ everything(orderBy: [{{{field}: DESC}}]) {{ id }} }}"))["everything"]
    document = _data(query(f"{{ documents(orderBy: [{{{field}: DESC}}]) {{ id }} }}"))["documents"]
    assert column == document
    assert len(column) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("Interval", value)
            for value in ("P1Y2M3W4DT5H6M7.5S", "PT-90M", "P-14M3DT-0.5S", "PT36H", "PT0S", "P1M-1D")
        ),
        *(("Interval", dt.timedelta(seconds=seconds)) for seconds in (0, 0.25, -3_661.5, 90_061, -86_400)),
        *(("IP", value) for value in ("::", "::1", "::2:3", "::1:2:3", "1::2:0:0:3", "::ffff:0:1", "64:ff9b::1/96")),
        *(("CIDR", value) for value in ("::/0", "::ffff:1.2.0.0/112", "2001:db8:0:1::/64", "127.0.0.1")),
        *(("Int4Range", value) for value in ("(1,2)", "(1,3)", "[1,1]", "(,)", "[5,]", "(,5]")),
        *(("NumRange", value) for value in ("(1,1)", "[1.0,1]", "[-0.50,1e3)", "(,0)")),
        *(("DateRange", value) for value in ("(2024-01-01,2024-01-02)", "[2024-02-28,2024-02-29]")),
        *(("TsRange", value) for value in ("[2024-01-01T08:00:00.120,2024-01-02)", "(,2024-01-01T00:00:00]")),
        *(("TstzRange", value) for value in ("[2024-01-01T08:00:00.5+05:30,)", "(2024-01-01,2024-01-01]")),
        *(("Bytes", value) for value in (b"", bytes(range(256)), b"x" * 100)),
        *(("BigInt", value) for value in (0, 2**63 - 1, -(2**63))),
    ],
    ids=ascii,
)
def test_python_values_are_written_as_postgresql_writes_them(query: Callable[..., Any], name: str, value: Any) -> None:
    scalar = SCALARS[name]
    shown = scalar.serialize(value)
    field = {"Interval": "span", "IP": "ip", "CIDR": "network", "Bytes": "bytes", "BigInt": "big"}.get(name)
    field = field or {"Int4": "numbers", "Num": "amounts", "Date": "days", "Ts": "hours", "Tstz": "moments"}[name[:-5]]
    query.write(f"insert into everything (id, {field}) values (9, %s)", (scalar.parse(shown),))  # type: ignore[attr-defined]
    try:
        (row,) = _data(query(f"{{ everything(where: {{id: {{eq: 9}}}}) {{ {field} }} }}"))["everything"]
    finally:
        query.write("delete from everything where id = 9", ())  # type: ignore[attr-defined]
    assert row[field] == shown


_REFUSED_BY_POSTGRESQL = [
    ("text", "matches", "("),
    ("text", "imatches", "[a"),
    ("text", "matches", "a{2,1}"),
    ("document", "pathExists", "$.("),
    ("document", "pathExists", '/* " */ $a /* " */'),
    ("document", "pathMatch", '$.when.datetime("zzz") > 1'),
    ("document", "pathMatch", '$.a like_regex "("'),
    ("document", "pathMatch", "no path"),
    ("document", "pathMatch", '$.when.datetime() < "2024-01-01T00:00:00+00".datetime()'),
    ("document", "pathMatch", '$x == "$y"'),
    ("document", "pathExists", '$."a\\"" ? (@ == $"$ x")'),
    ("document", "contains", "\0"),
    ("document", "contains", "\ud800"),
]


@pytest.mark.parametrize(("field", "operator", "value"), _REFUSED_BY_POSTGRESQL)
def test_a_value_that_only_postgresql_can_refuse(
    query: Callable[..., Any], field: str, operator: str, value: str
) -> None:
    type_name = "JSON" if operator == "contains" else "String"
    field_text = f"y: everything(where: {{{field}: {{{operator}: $v}}}}) {{ id }}"
    text = f"query ($v: {type_name}) {{ x: documents {{ id }} {field_text} }}"
    response = query(text, {"v": value})
    assert response.outcome is Outcome.VARIABLES_INVALID, response.body
    (error,) = json.loads(response.body)["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert error["path"] == ["y"]
    assert f"where.{field}.{operator}" in error["message"]
    assert len(_data(query("{ everything { id } }"))["everything"]) == 4


def test_several_regular_expressions_one_of_which_is_wrong(query: Callable[..., Any]) -> None:
    response = query('{ a: everything(where: {text: {matches: "x", imatches: "("}}) { id } b: documents { id } }')
    (error,) = json.loads(response.body)["errors"]
    assert error["path"] == ["a"]
    assert '"where.text.matches", "where.text.imatches"' in error["message"]
    response = query(
        '{ a: everything(where: {text: {matches: "x"}}) { id } b: documents(where: {text: {matches: "("}}) { id } }'
    )
    assert [error["path"] for error in json.loads(response.body)["errors"]] == [["a"], ["b"]]


@pytest.mark.parametrize("operator", ["like", "ilike"])
@pytest.mark.parametrize(("pattern", "good"), [("\\", False), ("a\\\\\\", False), ("a\\\\", True), ("\\a", True)])
def test_a_pattern_that_ends_in_its_escape(query: Callable[..., Any], operator: str, pattern: str, good: bool) -> None:
    text = f"query ($v: String) {{ everything(where: {{text: {{{operator}: $v}}}}) {{ id }} }}"
    response = query(text, {"v": pattern})
    if good:
        assert _data(response) == {"everything": []}
        return
    (error,) = json.loads(response.body)["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["path"] == ["everything"]


_ATTACKS = [
    "'; drop table everything; --",
    "' or '1'='1",
    "\\'; select 1; --",
    '"; drop table everything; --',
    "$1",
    "$$; drop table everything; $$",
    "\\",
    "\\\\'",
    "/* */ --",
    "%s {0} {} {1}",
    '{"a","b"}',
    "E'\\x41'",
    "a\nb",
    "::regclass",
    "pg_sleep(10)",
]
_TEXT_PLACES = [
    *(f"{{text: {{{name}: $v}}}}" for name in ("eq", "like", "contains", "startsWith", "iendsWith", "matches")),
    *(f"{{text: {{search: {{{name}: $v}}}}}}" for name in ("plain", "phrase", "websearch")),
    "{words: {search: {websearch: $v, config: ENGLISH}}}",
    *(f"{{document: {{{name}: $v}}}}" for name in ("hasKey", "hasAnyKeys", "pathExists", "pathMatch")),
    "{document: {contains: $v}}",
    "{document: {eq: {a: [$v]}}}",
    "{same: {some: {text: {contains: $v}}}}",
    "{email: {contains: $v}}",
]


@pytest.mark.parametrize("attack", _ATTACKS, ids=ascii)
@pytest.mark.parametrize("place", _TEXT_PLACES)
def test_attacks_are_only_values(query: Callable[..., Any], place: str, attack: str) -> None:
    written = f"{{ everything(where: {place.replace('$v', json.dumps(attack))}) {{ id }} }}"
    is_json = "contains: $v}}" in place and "document" in place
    type_name = "JSON" if is_json or "eq: {a" in place else "[String!]" if "hasAny" in place else "String"
    sent = f"query ($v: {type_name}) {{ everything(where: {place}) {{ id }} }}"
    texts = [(written, {}), (sent, {"v": attack})]
    if type_name == "JSON" and not is_json:
        texts.pop()
    for text, variables in texts:
        response = query(text, variables)
        body = json.loads(response.body)
        if response.outcome is Outcome.DATA:
            assert body["data"]["everything"] in ([], [{"id": "2"}])
        else:  # no pattern, regular expression or path
            assert {error["extensions"]["code"] for error in body["errors"]} == {"BAD_USER_INPUT"}
    assert len(_data(query("{ everything { id } }"))["everything"]) == 4


def test_the_statement_does_not_depend_on_the_values() -> None:
    pipeline = Pipeline(_SCHEMA)
    for place in _TEXT_PLACES:
        texts = set()
        for value in ("harmless", *_ATTACKS):
            with suppress(Refusal):  # no pattern, or no path
                texts.add(
                    pipeline.explain(f"{{ everything(where: {place.replace('$v', json.dumps(value))}) {{ id }} }}").sql
                )
        assert len(texts) == 1


@pytest.mark.parametrize(
    ("type_name", "field", "operator"),
    [
        ("BigInt", "big", "eq"),
        ("Interval", "span", "gt"),
        ("Bytes", "bytes", "eq"),
        ("IP", "ip", "eq"),
        ("CIDR", "ip", "inSubnet"),
        ("MAC", "mac", "eq"),
        ("Int4Range", "numbers", "contains"),
        ("DateRange", "days", "overlaps"),
        ("TstzRange", "moments", "eq"),
        ("Email", "email", "eq"),
        ("TextSearchConfig", "text", "search"),
    ],
)
def test_what_is_no_text_takes_none(query: Callable[..., Any], type_name: str, field: str, operator: str) -> None:
    value = '{plain: "x", config: $v}' if operator == "search" else "$v"
    text = f"query ($v: {type_name}) {{ everything(where: {{{field}: {{{operator}: {value}}}}}) {{ id }} }}"
    for attack in (*_ATTACKS, 1.5, True, ["x"], {"a": "b"}, "a\0b"):
        body = json.loads(query(text, {"v": attack}).body)
        assert body.keys() == {"errors"}
        assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


def test_nul_is_refused(query: Callable[..., Any]) -> None:
    for place in ("{text: {contains: $v}}", "{text: {matches: $v}}", "{document: {hasKey: $v}}"):
        body = json.loads(query(f"query ($v: String) {{ everything(where: {place}) {{ id }} }}", {"v": "a\0b"}).body)
        assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"

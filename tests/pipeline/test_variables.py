"""Variables: what each scalar takes, as PostgreSQL is sent it, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from fraiseql.pipeline import Outcome, Pipeline

# GraphQL type, and where in the sample a variable of it may stand.
_PLACES = {
    "String": "posts(where: {title: {eq: $v}})",
    "ID": "posts(where: {id: {eq: $v}})",
    "Int": "posts(where: {views: {eq: $v}})",
    "Float": "posts(where: {score: {eq: $v}})",
    "Boolean": "posts(where: {featured: {eq: $v}})",
    "UUID": "posts(where: {key: {eq: $v}})",
    "DateTime": "posts(where: {createdAt: {eq: $v}})",
    "Date": "posts(where: {publishedOn: {eq: $v}})",
    "Time": "users(where: {digestAt: {eq: $v}})",
    "Decimal": "posts(where: {price: {eq: $v}})",
    "PostStatus": "posts(where: {status: {eq: $v}})",
    "[Int!]": "posts(where: {views: {in: $v}})",
    "[String!]": "posts(where: {title: {in: $v}})",
    "[Boolean!]": "posts(where: {featured: {in: $v}})",
    "[PostStatus!]": "posts(where: {status: {in: $v}})",
    "[Float!]": "posts(where: {score: {in: $v}})",
}

_UUID = "dfaf9aab-f76e-4df5-adf9-a7504c18544d"

_VALID: list[tuple[str, Any, str]] = [
    ("String", "", ""),
    ("String", "plain", "plain"),
    ("String", "'; drop table posts; --", "'; drop table posts; --"),
    ("String", '🍓 \\ " \n \u2028 \x01 ß', '🍓 \\ " \n \u2028 \x01 ß'),
    ("ID", "7", "7"),
    ("ID", 7, "7"),
    ("ID", -7, "-7"),
    ("ID", "anything", "anything"),
    ("Int", 0, "0"),
    ("Int", -2147483648, "-2147483648"),
    ("Int", 2147483647, "2147483647"),
    ("Int", 3.0, "3"),
    ("Float", 1, "1.0"),
    ("Float", -1.5, "-1.5"),
    ("Float", 1e300, "1e+300"),
    ("Float", 5e-324, "5e-324"),
    ("Boolean", True, "true"),
    ("Boolean", False, "false"),
    ("UUID", _UUID, _UUID),
    ("UUID", _UUID.upper(), _UUID),
    ("UUID", _UUID.replace("-", ""), _UUID),
    ("DateTime", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00+00:00"),
    ("DateTime", "2024-02-29T12:00:00.123456+05:30", "2024-02-29T06:30:00.123456+00:00"),
    ("DateTime", "2024-02-29T12:00:00", "2024-02-29T12:00:00"),
    ("DateTime", "2024-02-29T12:00:00.1234560000Z", "2024-02-29T12:00:00.123456+00:00"),
    ("DateTime", "2024-02-29", "2024-02-29T00:00:00"),
    ("Date", "2024-02-29", "2024-02-29"),
    ("Date", "20240229", "2024-02-29"),
    ("Time", "13:30", "13:30:00"),
    ("Time", "13:30:00.5", "13:30:00.500000"),
    ("Decimal", "1.50", "1.50"),
    ("Decimal", "-0.1", "-0.1"),
    ("Decimal", "1e3", "1000"),
    ("Decimal", "+.5", "0.5"),
    ("Decimal", "123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
    ("Decimal", 7, "7"),
    ("Decimal", 0.1, "0.1"),
    ("Decimal", 2**63, "9223372036854775808"),
    ("Decimal", 2.0**52, "4503599627370496.0"),
    ("PostStatus", "DRAFT", "draft"),
    ("[Int!]", [1, 2], '{"1","2"}'),
    ("[Int!]", [], "{}"),
    ("[Int!]", 3, '{"3"}'),
    ("[Boolean!]", [True, False], '{"true","false"}'),
    ("[Float!]", [1, 2.5], '{"1.0","2.5"}'),
    ("[PostStatus!]", ["DRAFT", "ARCHIVED"], '{"draft","archived"}'),
    ("[PostStatus!]", "DRAFT", '{"draft"}'),
    ("[String!]", ['a"b', "c\\d", "{e,f}", "NULL", "", " g "], '{"a\\"b","c\\\\d","{e,f}","NULL",""," g "}'),
]

_INVALID: list[tuple[str, Any]] = [
    ("String", 1),
    ("String", True),
    ("String", ["a"]),
    ("String", {"a": 1}),
    ("String", "a\0b"),
    ("String", "a\ud800b"),
    ("ID", 1.5),
    ("ID", True),
    ("ID", ["7"]),
    ("ID", "7\0"),
    ("ID", "\udfff"),
    ("Int", "1"),
    ("Int", True),
    ("Int", 1.5),
    ("Int", 2147483648),
    ("Int", -2147483649),
    ("Int", 1e100),
    ("Int", float("nan")),
    ("Int", float("inf")),
    ("Int", [1]),
    ("Float", "1.5"),
    ("Float", True),
    ("Float", float("nan")),
    ("Float", float("inf")),
    ("Float", 10**400),
    ("Boolean", 1),
    ("Boolean", "true"),
    ("UUID", "nonsense"),
    ("UUID", _UUID[:-1]),
    ("UUID", f"{{{_UUID}}}"),
    ("UUID", f"urn:uuid:{_UUID}"),
    ("UUID", _UUID + "\n"),
    ("UUID", 7),
    ("DateTime", "yesterday"),
    ("DateTime", "2024-02-30T00:00:00Z"),
    ("DateTime", "2024-02-29T25:00:00Z"),
    ("DateTime", "2024-02-29T12:00:00 Europe/Paris"),
    ("DateTime", "2024-02-29T12:00:00.1234567Z"),  # PostgreSQL would round it
    ("DateTime", "2024-02-29T12:00:00,0000001"),
    ("DateTime", "now"),
    ("DateTime", "infinity"),
    ("DateTime", 1709164800),
    ("Date", "2023-02-29"),
    ("Date", "29.02.2024"),
    ("Date", "2024-02-29T00:00:00"),
    ("Date", "today"),
    ("Date", "0000-01-01"),
    ("Date", 20240229),
    ("Time", "25:00"),
    ("Time", "half past one"),
    ("Time", "13:30+02:00"),  # the column has no offset: PostgreSQL would drop it
    ("Time", "13:30:00.00000001"),
    ("Time", "13:30Z"),
    ("Time", 1330),
    ("Decimal", "one"),
    ("Decimal", "NaN"),
    ("Decimal", "Infinity"),
    ("Decimal", "1_000"),
    ("Decimal", "1,5"),
    ("Decimal", " 1"),
    ("Decimal", "1\n"),
    ("Decimal", "\u0661"),  # a digit, but not one of ours
    ("Decimal", ""),
    ("Decimal", "1e2000"),
    ("Decimal", "1e99999999999999999999"),
    ("Decimal", "1e-2000"),
    ("Decimal", 1.2345678901234568e20),  # a long integer in JSON, whose digits are lost
    ("Decimal", float("-inf")),
    ("Decimal", True),
    ("Decimal", float("nan")),
    ("Decimal", ["1"]),
    ("PostStatus", "draft"),
    ("PostStatus", "NONSENSE"),
    ("PostStatus", 1),
    ("PostStatus", ["DRAFT"]),
    ("[Int!]", ["1"]),
    ("[Int!]", [[1]]),
    ("[Int!]", [1, None]),
    ("[Int!]", {"a": 1}),
    ("[PostStatus!]", ["DRAFT", "nonsense"]),
]


def _query(type_name: str) -> str:
    return f"query ($v: {type_name}) {{ {_PLACES[type_name]} {{ id }} }}"


@pytest.mark.parametrize(("type_name", "value", "sent"), _VALID)
def test_valid(pipeline: Pipeline, type_name: str, value: Any, sent: str) -> None:
    assert pipeline.explain(_query(type_name), {"v": value}).parameters == (sent,)


@pytest.mark.parametrize(("type_name", "value"), _INVALID, ids=ascii)
def test_invalid(execute: Any, type_name: str, value: Any) -> None:
    execution = execute(_query(type_name), {"v": value})
    assert execution.outcome is Outcome.VARIABLES_INVALID
    assert "data" not in execution.json
    assert execution.brief == ("BAD_USER_INPUT", [_PLACES[type_name].split("(")[0]])
    assert execution.error["message"].startswith('Variable "$v" got an invalid value')
    assert execution.error["locations"] == [{"line": 1, "column": 8}]
    assert not execution.fetches


@pytest.mark.parametrize("type_name", ["String", "Int", "Float", "UUID", "Date", "Decimal", "PostStatus"])
def test_integers_too_long_for_python_to_print(execute: Any, type_name: str) -> None:
    execution = execute(_query(type_name), {"v": 10**5000})
    assert execution.brief == ("BAD_USER_INPUT", [_PLACES[type_name].split("(")[0]])


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"w": {"nonsense": 1}}, "value: Field 'nonsense' is not defined by type \"PostWhereInput\"."),
        ({"w": {"views": {"like": 1}}}, 'at "w.views": Field \'like\' is not defined by type "IntFilter".'),
        ({"w": {"views": {"eq": "1"}}}, "at \"w.views.eq\": Int cannot represent non-integer value: '1'"),
        (
            {"w": {"AND": [{}, {"OR": {"views": {"in": [1, "x"]}}}]}},
            "at \"w.AND[1].OR.views.in[1]\": Int cannot represent non-integer value: 'x'",
        ),
        ({"w": {"views": 1}}, 'at "w.views": Expected type "IntFilter" to be an object.'),
        ({"w": []}, ': Expected type "PostWhereInput" to be an object.'),
        (
            {"w": {"AND": [None]}},
            'at "w.AND[0]": Expected non-nullable type "PostWhereInput!" not to be null.',
        ),
        ({"w": {"\ud800": 1}}, r"Field '\ud800' is not defined"),
    ],
)
def test_invalid_objects(execute: Any, variables: dict[str, Any], message: str) -> None:
    execution = execute("query ($w: PostWhereInput) { x: posts(where: $w) { id } }", variables)
    assert execution.brief == ("BAD_USER_INPUT", ["x"])
    assert message in execution.error["message"]


@pytest.mark.parametrize(
    "order",
    [
        {"id": "ASC", "views": "DESC"},
        {},
        {"id": None},
        [{"id": "ASC"}, {"id": "ASC", "views": None}],
        {"id": "UP"},
        [None],
        "id",
        {"nonsense": "ASC"},
    ],
)
def test_invalid_orders(execute: Any, order: Any) -> None:
    execution = execute("query ($o: [PostOrderByInput!]) { posts(orderBy: $o) { id } }", {"o": order})
    assert execution.outcome is Outcome.VARIABLES_INVALID
    assert execution.brief == ("BAD_USER_INPUT", ["posts"])


def test_every_invalid_variable_is_told(execute: Any) -> None:
    query = (
        "query ($a: Int!, $b: ID!, $c: Date) { posts(limit: $a) { id }"
        " post(id: $b) { id comments(limit: $a) { id } } z: posts(where: {publishedOn: {eq: $c}}) { id } }"
    )
    execution = execute(query, {"a": None, "c": "x"})
    assert [(error["path"], error["extensions"]["code"]) for error in execution.json["errors"]] == [
        (["posts"], "BAD_USER_INPUT"),
        (["post"], "BAD_USER_INPUT"),
        (["z"], "BAD_USER_INPUT"),
    ]
    assert 'Expected non-nullable type "Int!" not to be null.' in execution.json["errors"][0]["message"]
    assert execution.json["errors"][1]["message"] == 'Variable "$b" of a required type was not provided.'


@pytest.mark.parametrize(
    ("definition", "given", "parameters"),
    [
        ("Int = 5", {}, ("5",)),
        ("Int = 5", {"v": None}, None),  # IS NULL
        ("Int = 5", {"v": 6}, ("6",)),
        ("Int! = 5", {}, ("5",)),
        ("Int", {}, ()),  # as if it were not written
        ("Int", {"v": None}, None),
        ("Int", {"v": 1, "unknown": object()}, ("1",)),
    ],
)
def test_defaults_absence_and_null(
    pipeline: Pipeline, definition: str, given: dict[str, Any], parameters: tuple[str, ...] | None
) -> None:
    query = f"query ($v: {definition}) {{ posts(where: {{views: {{eq: $v}}}}) {{ id }} }}"
    explanation = pipeline.explain(query, given)
    assert explanation.parameters == (parameters or ())
    assert ('"views" is null' in explanation.sql) is (parameters is None)


@pytest.mark.parametrize("operator", ["gt", "gte", "lt", "lte", "in", "isnull"])
@pytest.mark.parametrize("form", ["literal", "variable", "object", "default"])
def test_null_is_refused_where_it_means_nothing(execute: Any, operator: str, form: str) -> None:
    type_name = {"in": "[Int!]", "isnull": "Boolean"}.get(operator, "Int")
    query, variables = {
        "literal": (f"{{ posts(where: {{views: {{{operator}: null}}}}) {{ id }} }}", {}),
        "variable": (
            f"query ($v: {type_name}) {{ posts(where: {{views: {{{operator}: $v}}}}) {{ id }} }}",
            {"v": None},
        ),
        "object": (
            "query ($v: PostWhereInput) { posts(where: $v) { id } }",
            {"v": {"views": {operator: None}}},
        ),
        "default": (
            f"query ($v: PostWhereInput = {{views: {{{operator}: null}}}}) {{ posts(where: $v) {{ id }} }}",
            {},
        ),
    }[form]
    execution = execute(query, variables)
    assert execution.brief == ("BAD_USER_INPUT", ["posts"])
    assert f'"where.views.{operator}" must not be null' in execution.error["message"]


def test_default_may_be_overridden_with_null_where_null_is_forbidden(execute: Any) -> None:
    """GraphQL §5.8.5 lets a nullable variable with a default stand where a value must not be null."""
    execution = execute('query ($id: ID = "1") { post(id: $id) { id } }', {"id": None})
    assert execution.brief == ("BAD_USER_INPUT", ["post"])
    execution = execute("query ($if: Boolean = true) { posts { id @include(if: $if) } }", {"if": None})
    assert execution.brief == ("BAD_USER_INPUT", ["posts", "id"])
    assert execution.error["locations"] == [{"line": 1, "column": 55}]
    execution = execute("query ($if: Boolean = true) { ... @skip(if: $if) { posts { id } } }", {"if": None})
    assert execution.brief == ("BAD_USER_INPUT", None)
    assert execution.error["locations"] == [{"line": 1, "column": 45}]
    execution = execute("query ($if: Boolean = true) { posts { ... @skip(if: $if) { id } } }", {"if": None})
    assert execution.error["extensions"]["code"] == "BAD_USER_INPUT"

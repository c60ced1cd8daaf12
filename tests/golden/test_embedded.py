"""Embedded objects and lists: arguments, conditions and orders, in a column and in a jsonb document alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from graphql import validate_schema

import fraiseql
from fraiseql import ID
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from golden.asking import asking, opened

_BOLT = '{"name": "bolt", "size": 5, "tags": ["m5"], "parts": []}'
_GEAR = (
    '{"name": "gear", "size": 10, "maker": {"name": "Ada", "town": {"name": "Graz"}},'
    ' "parts": [{"name": "tooth", "size": 2}, {"name": "axle", "size": 9}]}'
)
_CASE = '{"name": "case", "size": 10, "maker": {"name": "Bob", "town": null}}'
_LOOSE = '{"name": "loose"}'
_DDL = f"""
create table machine (id integer primary key, main jsonb, parts jsonb, spares jsonb);
insert into machine values
    (1, '{_GEAR}', '[{_BOLT}, {_GEAR}, {_CASE}, {_LOOSE}]', null),
    (2, '{_CASE}', '[]', '[null, {_LOOSE}, null]'),
    (3, null, '[{_CASE}]', '[]'),
    (4, 'null', '[{_GEAR}, {_GEAR}]', 'null');
create view machine_document as select id, to_jsonb(machine) as data from machine;
"""


@fraiseql.type
class Town:
    name: str


@fraiseql.type
class Maker:
    name: str
    town: Town | None


@fraiseql.type
class Part:
    name: str
    size: int | None
    tags: list[str] | None
    maker: Maker | None
    parts: list[Part] | None


class _Fields:
    id: ID
    main: Part | None
    parts: list[Part]
    spares: list[Part | None] | None


@fraiseql.type(sql_source="machine", jsonb_column=None)
class Machine(_Fields):
    document: Document | None = fraiseql.relation(on={"id": "id"})


@fraiseql.type(sql_source="machine_document")
class Document(_Fields):
    id: ID = fraiseql.field(column="id")


@fraiseql.query
def machines() -> list[Machine]: ...


@fraiseql.query
def documents() -> list[Document]: ...


@fraiseql.query
def pages() -> fraiseql.Connection[Document]: ...


_SCHEMA = fraiseql.Schema(queries=[machines, documents, pages], max_page_size=50)


@pytest.fixture(scope="module")
def query(module_database_url: str) -> Iterator[Callable[..., Any]]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL.encode())
    with opened(module_database_url) as connection:
        ask = asking(Pipeline(_SCHEMA), connection)
        yield lambda *request: ask(*request).response


def _data(response: Any) -> Any:
    assert response.outcome is Outcome.DATA, (response.body, response.cause)
    return json.loads(response.body)["data"]


def _names(elements: Any) -> Any:
    return None if elements is None else [element and element["name"] for element in elements]


@pytest.mark.parametrize("source", ["machines", "documents"])
@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ("", "bolt gear case loose"),
        ("(limit: 2)", "bolt gear"),
        ("(limit: 0)", ""),
        ("(limit: null, offset: null, where: null, orderBy: null)", "bolt gear case loose"),
        ("(offset: 1)", "gear case loose"),
        ("(limit: 2, offset: 3)", "loose"),
        ("(orderBy: {name: DESC})", "loose gear case bolt"),
        ("(orderBy: {size: ASC})", "bolt gear case loose"),
        ("(orderBy: {size: DESC})", "loose gear case bolt"),
        ("(orderBy: [{size: DESC_NULLS_LAST}, {name: ASC}], limit: 1)", "case"),
        ("(orderBy: {maker: {town: {name: ASC_NULLS_FIRST}}})", "bolt case loose gear"),
        ("(orderBy: {parts: {count: DESC_NULLS_LAST}})", "gear bolt case loose"),
        ("(where: {size: {gt: 5}})", "gear case"),
        ("(where: {size: {gt: 5}}, orderBy: {name: ASC}, limit: 1, offset: 1)", "gear"),
        ("(where: {})", "bolt gear case loose"),
        ('(where: {maker: {name: {in: ["Ada", "Bob"]}}})', "gear case"),
        ("(where: {maker: {town: {}}})", "gear"),
        ("(where: {NOT: {maker: {town: {}}}})", "bolt case loose"),
        ('(where: {tags: {contains: ["m5"]}})', "bolt"),
        ("(where: {parts: {some: {size: {gt: 5}}}})", "gear"),
        ('(where: {OR: [{name: {eq: "bolt"}}, {maker: {name: {eq: "Bob"}}}]})', "bolt case"),
    ],
)
def test_the_arguments_of_a_list(query: Callable[..., Any], source: str, arguments: str, names: str) -> None:
    text = f"{{ {source}(where: {{id: {{eq: 1}}}}) {{ parts{arguments} {{ name }} }} }}"
    (row,) = _data(query(text))[source]
    assert _names(row["parts"]) == names.split()


@pytest.mark.parametrize("source", ["machines", "documents"])
@pytest.mark.parametrize(
    ("arguments", "spares"),
    [
        ("", [None, [None, "loose", None], [], None]),
        ("(limit: 2)", [None, [None, "loose"], [], None]),
        ("(orderBy: {name: ASC})", [None, ["loose", None, None], [], None]),
        ("(where: {})", [None, ["loose"], [], None]),
        ("(where: {NOT: {size: {gt: 1}}})", [None, [], [], None]),
        ("(where: {size: {isnull: true}})", [None, ["loose"], [], None]),
    ],
)
def test_null_elements_and_null_lists(query: Callable[..., Any], source: str, arguments: str, spares: Any) -> None:
    rows = _data(query(f"{{ {source} {{ spares{arguments} {{ name }} }} }}"))[source]
    assert [_names(row["spares"]) for row in rows] == spares


_CONDITIONS = [
    ('{main: {name: {eq: "gear"}}}', "1"),
    ("{main: {}}", "1 2"),
    ("{main: null}", "1 2 3 4"),
    ("{NOT: {main: {}}}", "3 4"),
    ('{NOT: {main: {name: {eq: "gear"}}}}', "2 3 4"),
    ('{NOT: {NOT: {main: {name: {eq: "gear"}}}}}', "1"),
    ('{NOT: {main: {maker: {town: {name: {eq: "Rome"}}}}}}', "1 2 3 4"),
    ('{main: {maker: {town: {name: {eq: "Graz"}}}}}', "1"),
    ('{main: {NOT: {maker: {town: {name: {eq: "Graz"}}}}}}', "2"),
    ('{OR: [{main: {name: {eq: "gear"}}}, {id: {eq: 3}}]}', "1 3"),
    ("{main: {parts: {some: {size: {gt: 5}}}}}", "1"),
    ("{main: {parts: {isnull: true}}}", "2"),
    ('{parts: {some: {name: {eq: "gear"}}}}', "1 4"),
    ("{parts: {some: {}}}", "1 3 4"),
    ("{parts: {none: {}}}", "2"),
    ('{parts: {none: {name: {eq: "gear"}}}}', "2 3"),
    ("{parts: {every: {size: {gte: 10}}}}", "2 3 4"),
    ("{parts: {every: {size: {gte: 10}}, some: {}}}", "3 4"),
    ('{parts: {some: {maker: {name: {eq: "Ada"}}, parts: {every: {size: {lt: 10}}}}}}', "1 4"),
    ("{NOT: {parts: {some: {size: {gt: 5}}}}}", "2"),
    ("{parts: {count: {gte: 2}}}", "1 4"),
    ("{parts: {count: {eq: 0}}}", "2"),
    ("{parts: {count: null, some: null}}", "1 2 3 4"),
    ("{spares: {isnull: true}}", "1 4"),
    ("{spares: {isnull: false}}", "2 3"),
    ("{spares: {count: {eq: 3}}}", "2"),
    ("{spares: {count: {isnull: true}}}", "1 4"),
    ("{spares: {some: {}}}", "2"),
    ("{spares: {every: {}}}", "1 3 4"),
    ("{spares: {none: {}}}", "1 3 4"),
]


@pytest.mark.parametrize("source", ["machines", "documents"])
@pytest.mark.parametrize(("where", "ids"), _CONDITIONS)
def test_conditions(query: Callable[..., Any], source: str, where: str, ids: str) -> None:
    rows = _data(query(f"{{ {source}(where: {where}) {{ id }} }}"))[source]
    assert [row["id"] for row in rows] == ids.split()
    name = {"machines": "Machine", "documents": "Document"}[source]
    same = _data(query(f"query ($w: {name}WhereInput = {where}) {{ {source}(where: $w) {{ id }} }}"))[source]
    assert same == rows


def test_conditions_and_orders_across_a_relation(query: Callable[..., Any]) -> None:
    rows = _data(query('{ machines(where: {document: {main: {name: {eq: "case"}}}}) { id } }'))["machines"]
    assert [row["id"] for row in rows] == ["2"]
    rows = _data(query("{ machines(orderBy: {document: {main: {name: DESC_NULLS_LAST}}}) { id } }"))["machines"]
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("source", ["machines", "documents"])
@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("{main: {name: ASC}}", "2 1 3 4"),
        ("{main: {maker: {town: {name: ASC}}}}", "1 2 3 4"),
        ("[{main: {size: ASC_NULLS_FIRST}}, {id: DESC}]", "4 3 2 1"),
        ("{parts: {count: DESC}}", "1 4 3 2"),
        ("{spares: {count: ASC}}", "3 2 1 4"),
        ("{main: {parts: {count: ASC}}}", "1 2 3 4"),
    ],
)
def test_orders(query: Callable[..., Any], source: str, order: str, ids: str) -> None:
    rows = _data(query(f"{{ {source}(orderBy: {order}) {{ id }} }}"))[source]
    assert [row["id"] for row in rows] == ids.split()


@pytest.mark.parametrize("order", ["{main: {name: ASC}}", "{main: {size: DESC}}", "{spares: {count: ASC_NULLS_FIRST}}"])
def test_pages_by_cursors(query: Callable[..., Any], order: str) -> None:
    wanted = [row["id"] for row in _data(query(f"{{ documents(orderBy: {order}) {{ id }} }}"))["documents"]]
    found: list[str] = []
    after = None
    for _ in wanted:
        arguments = f"orderBy: {order}, first: 1, after: $a"
        text = f"query ($a: String) {{ pages({arguments}) {{ edges {{ cursor node {{ id }} }} }} }}"
        (edge,) = _data(query(text, {"a": after}))["pages"]["edges"]
        found.append(edge["node"]["id"])
        after = edge["cursor"]
    assert found == wanted


def test_lists_inside_lists_and_fragments(query: Callable[..., Any]) -> None:
    text = """
    query ($least: Int!, $few: Int) {
      documents(where: {id: {eq: 4}}) {
        parts(limit: $few) { ...Some ... on Part { inner: parts(where: {size: {gt: $least}}) { size } } }
      }
    }
    fragment Some on Part { name inner: parts(where: {size: {gt: $least}}) { name } }
    """
    inner = [{"name": "axle", "size": 9}]
    for few, count in ((1, 1), (5, 2), (None, 2)):
        (row,) = _data(query(text, {"least": 5, "few": few}))["documents"]
        assert row["parts"] == [{"name": "gear", "inner": inner}] * count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("limit: -1", 'The argument "limit" must be between 0 and 50; it is -1.'),
        ("limit: 51", 'The argument "limit" must be between 0 and 50; it is 51.'),
        ("offset: -1", 'The argument "offset" must not be negative; it is -1.'),
        ("where: {name: {like: null}}", 'The argument "where.name.like" must not be null; eq, neq and isnull'),
    ],
)
def test_what_is_refused(query: Callable[..., Any], arguments: str, message: str) -> None:
    response = query(f"{{ documents {{ parts {{ x: parts({arguments}) {{ name }} }} }} }}")
    assert response.outcome is Outcome.VARIABLES_INVALID
    (error,) = json.loads(response.body)["errors"]
    assert error["message"].startswith(message)
    assert error["path"] == ["documents", "parts", "x"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}


def test_a_regular_expression_that_postgresql_refuses(query: Callable[..., Any]) -> None:
    response = query('{ documents { parts(where: {name: {matches: "("}}) { name } } }')
    (error,) = json.loads(response.body)["errors"]
    assert error["path"] == ["documents", "parts"]
    assert "where.name.matches" in error["message"]


def test_costs_and_depths() -> None:
    pipeline = Pipeline(_SCHEMA, QueryLimits(max_cost=2_000, max_depth=6))

    def code(text: str, variables: dict[str, Any] | None = None) -> str | None:
        try:
            next(pipeline.execute(GraphQLRequest(text, None, variables or {}), "r"))
        except StopIteration as stop:
            error = json.loads(stop.value.body)["errors"][0]
            return f"{error['extensions']['code']}: {error['message']}"
        return None

    assert code("{ documents { parts { name size } } }") is None
    assert code("{ documents { parts(limit: 10) { name size } } }") is None
    refused = code("{ documents { parts(limit: 20) { name size } } }")
    assert (
        refused == "QUERY_TOO_COMPLEX: The query has a cost of 2051, its fields times their pages; the limit is 2000."
    )
    limited = "query ($l: Int) { documents { parts(limit: $l) { name size } } }"
    assert code(limited, {"l": 10}) is None
    assert code(limited, {"l": 20}) == refused
    assert code(limited) is None
    deep = "{ documents(where: {main: %s}) { id } }"
    assert code(deep % ("{parts: {some: " * 5 + "{}" + "}}" * 5)) is None
    assert "7 levels" in str(code(deep % ("{parts: {some: " * 6 + "{}" + "}}" * 6)))


def test_an_index_on_an_expression_serves(module_database_url: str, query: Callable[..., Any]) -> None:
    found = Pipeline(_SCHEMA).explain('{ documents(where: {main: {name: {eq: "x"}}}) { id } }')
    with psycopg.connect(module_database_url, options="-c enable_seqscan=off") as connection:
        connection.execute("create table kept (id integer, data jsonb)")
        connection.execute("create index kept_main on kept (((data->'main')->>'name'))")
        connection.execute(f"prepare asked as {found.sql.replace('machine_document', 'kept')}".encode())
        plan = "\n".join(row[0] for row in connection.execute("explain execute asked('x')"))
        connection.rollback()
    assert "kept_main" in plan


@pytest.mark.parametrize(
    ("parts", "selection", "path", "shown"),
    [
        (
            '[{"name": "a", "size": 1}, {"name": "b", "size": "x"}]',
            "(offset: 1) { size }",
            [0, "size"],
            [{"size": None}],
        ),
        ('[{"name": "a", "size": 1}, {"name": "b", "size": "x"}]', "(limit: 1) { size }", None, [{"size": 1}]),
        ('[{"name": "a"}, "b"]', "(orderBy: {name: ASC}) { name }", [1], None),
        ('[{"name": "a"}, "b"]', "(where: {name: {isnull: false}}) { name }", None, [{"name": "a"}]),
        ('{"name": "a"}', "(limit: 1) { name }", [], None),
    ],
)
def test_values_that_do_not_fit(
    module_database_url: str, query: Callable[..., Any], parts: str, selection: str, path: Any, shown: Any
) -> None:
    """An error at the place that it has among the elements that are asked for, and none where it is not among them."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        data = json.dumps({"main": {"name": "m", "parts": json.loads(parts)}, "parts": []})
        connection.execute("insert into machine (id, main) values (9, %s::jsonb -> 'main')", (data,))
        try:
            response = query(f"{{ documents(where: {{id: {{eq: 9}}}}) {{ main {{ parts{selection} }} }} }}")
        finally:
            connection.execute("delete from machine where id = 9")
    answer = json.loads(response.body)
    assert answer["data"]["documents"][0]["main"]["parts"] == shown
    paths = [error["path"] for error in answer.get("errors", ())]
    assert paths == ([] if path is None else [["documents", 0, "main", "parts", *path]])


@fraiseql.interface(discriminator="kind")
class Assembly:
    parts: list[Part]


@fraiseql.type(when="big")
class BigAssembly(Assembly):
    bolts: list[Part]


@fraiseql.type(sql_source="hall")
class Hall:
    id: ID
    assemblies: list[Assembly]


@fraiseql.query
def halls() -> list[Hall]: ...


def test_lists_of_interfaces() -> None:
    schema = fraiseql.Schema(types=[BigAssembly], queries=[halls])
    assert validate_schema(build_graphql_schema(schema.model)) == []
    one = "parts(limit: 1) { name } ... on BigAssembly { bolts(offset: 2) { name } }"
    found = Pipeline(schema).explain(
        f"{{ halls {{ assemblies(where: {{parts: {{some: {{}}}}}}, limit: 3) {{ {one} }} }} }}"
    )
    assert sorted(found.parameters) == ["1", "2", "3"]

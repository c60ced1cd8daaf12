"""Connections walked page by page, in both directions, against the whole list: ties, nulls, several orders."""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fraiseql
from fraiseql import ID
from fraiseql.pipeline import Pipeline
from golden.asking import asking, opened

_DDL = """
create table person (id int primary key, name text not null, born date, size float8, chief_id int);
create table friend (one int not null, other int not null);
create view document as select id, jsonb_build_object('id', id::text, 'name', name, 'size', size) as data from person;
insert into person
    select n, (array['Ada', 'Bob', 'Zoë', ''''])[1 + n % 4], case when n % 3 > 0 then date '2024-01-01' + n % 5 end,
           case n % 5 when 0 then null else n % 5 / 10.0 end, case when n > 3 then n % 3 + 1 end
    from generate_series(1, 41) n;
insert into friend select 1 + n % 7, 1 + n % 5 from generate_series(1, 30) n;
"""

Execute = Callable[..., Any]  # from a query and its variables to the answer


@fraiseql.type(sql_source="person", jsonb_column=None)
class Person:
    id: ID
    name: str
    born: dt.date | None
    size: float | None
    chief: Person | None = fraiseql.relation(on={"id": "chief_id"})
    reports: fraiseql.Connection[Person] = fraiseql.relation(on={"chief_id": "id"}, default_page_size=4)
    friends: fraiseql.Connection[Person] = fraiseql.relation(through="friend", own={"one": "id"}, on={"id": "other"})


@fraiseql.type(sql_source="document")
class Document:
    id: ID
    name: str
    size: float | None


@fraiseql.query(default_page_size=5, max_page_size=50)
def people() -> fraiseql.Connection[Person]: ...


@fraiseql.query(max_page_size=50)
def everybody() -> list[Person]: ...


@fraiseql.query
def documents() -> fraiseql.Connection[Document]: ...


@fraiseql.query
def named(name: str) -> fraiseql.Connection[Person] | None: ...


_SCHEMA = fraiseql.Schema(queries=[people, everybody, documents, named])
_ORDERS = [
    *({"id": "ASC"}, {"id": "DESC"}, {"name": "ASC"}, {"name": "DESC"}, {"born": "ASC"}, {"born": "DESC"}),
    *({"born": "ASC_NULLS_FIRST"}, {"born": "DESC_NULLS_LAST"}, {"size": "DESC"}, {"size": "ASC_NULLS_FIRST"}),
    *({"searchRank": {"name": {"plain": "ada"}}}, {"searchRank": {"name": {"websearch": "x", "direction": "ASC"}}}),
    {"chief": {"searchRank": {"name": {"phrase": "bob", "config": "ENGLISH", "direction": "DESC_NULLS_FIRST"}}}},
    *({"chief": {"name": "DESC"}}, {"chief": {"chief": {"born": "ASC"}}}, {"reports": {"count": "DESC"}}),
]
_PAGE = """query($orderBy: [PersonOrderByInput!], $first: Int, $after: String, $last: Int, $before: String) {
    people(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
        edges { cursor node { id } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
}"""


@pytest.fixture(scope="module")
def execute(module_database_url: str) -> Iterator[Execute]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL)
    with opened(module_database_url) as connection:
        ask = asking(Pipeline(_SCHEMA), connection)
        yield lambda *given: ask(*given).json


def _walk(execute: Execute, order_by: list[Any], size: int, *, backward: bool) -> list[str]:
    """The ids of all pages in their order, from either end."""
    pages: list[list[str]] = []
    cursor = None
    while True:
        page = {"last": size, "before": cursor} if backward else {"first": size, "after": cursor}
        found = execute(_PAGE, {"orderBy": order_by, **page})["data"]["people"]
        info, cursors = found["pageInfo"], [edge["cursor"] for edge in found["edges"]]
        assert (info["startCursor"], info["endCursor"]) == ((cursors[0], cursors[-1]) if cursors else (None, None))
        more, others = ("hasPreviousPage", "hasNextPage") if backward else ("hasNextPage", "hasPreviousPage")
        assert info[others] is (cursor is not None)
        pages.append([edge["node"]["id"] for edge in found["edges"]])
        if not info[more]:
            return [each for page in (reversed(pages) if backward else pages) for each in page]
        cursor = info["startCursor" if backward else "endCursor"]


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(_ORDERS), max_size=3), st.sampled_from([1, 3, 7, 40, 41, 50]), st.booleans())
def test_pages_together_are_the_list(execute: Execute, order_by: list[Any], size: int, backward: bool) -> None:
    everybody = "query($orderBy: [PersonOrderByInput!]) { everybody(orderBy: $orderBy, limit: 50) { id } }"
    expected = [each["id"] for each in execute(everybody, {"orderBy": order_by})["data"]["everybody"]]
    assert len(expected) == 41
    assert _walk(execute, order_by, size, backward=backward) == expected


def test_both_cursors_bound_a_page(execute: Execute) -> None:
    edges = execute("{ people(first: 20, orderBy: {size: DESC}) { edges { cursor node { id } } } }")["data"]["people"][
        "edges"
    ]
    query = """query($after: String, $before: String) {
        all: people(after: $after, before: $before, orderBy: {size: DESC}) { ...page }
        head: people(after: $after, before: $before, first: 2, orderBy: {size: DESC}) { ...page }
        tail: people(after: $after, before: $before, last: 2, orderBy: {size: DESC}) { ...page }
        none: people(after: $after, before: $before, first: 0, orderBy: {size: DESC}) { ...page }
    }
    fragment page on PersonConnection { nodes { id } pageInfo { hasNextPage hasPreviousPage } }"""
    found = execute(query, {"after": edges[3]["cursor"], "before": edges[8]["cursor"]})["data"]
    ids = [edge["node"]["id"] for edge in edges[4:8]]
    assert [each["id"] for each in found["all"]["nodes"]] == ids
    assert [each["id"] for each in found["head"]["nodes"]] == ids[:2]
    assert [each["id"] for each in found["tail"]["nodes"]] == ids[2:]
    assert found["none"]["nodes"] == []
    assert found["head"]["pageInfo"] == found["tail"]["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": True}
    assert found["none"]["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": True}
    assert found["all"]["pageInfo"] == {"hasNextPage": False, "hasPreviousPage": True}


def test_a_cursor_outlives_its_row(execute: Execute) -> None:
    """The page behind a cursor is right though the row itself is no longer among those asked for."""
    page = """query($after: String, $where: PersonWhereInput) {
        people(first: 3, after: $after, where: $where) { edges { cursor node { id } } }
    }"""
    edges = execute(page)["data"]["people"]["edges"]
    where = {"id": {"nin": [edges[1]["node"]["id"], edges[2]["node"]["id"]]}}
    found = execute(page, {"after": edges[1]["cursor"], "where": where})["data"]["people"]["edges"]
    assert [edge["node"]["id"] for edge in found] == ["4", "5", "6"]


def test_total_count_is_of_all_pages_and_costs_only_those_who_ask(execute: Execute) -> None:
    query = """{
        people(first: 1, where: {name: {eq: "Ada"}}) { totalCount nodes { name } }
        last: people(last: 1) { totalCount }
        named(name: "Bob") { totalCount }
        nobody: named(name: "nobody") { totalCount nodes { id } pageInfo { hasNextPage endCursor } }
    }"""
    assert execute(query)["data"] == {
        "people": {"totalCount": 10, "nodes": [{"name": "Ada"}]},
        "last": {"totalCount": 41},
        "named": {"totalCount": 11},
        "nobody": {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}},
    }
    pipeline = Pipeline(_SCHEMA)
    assert "count(" in pipeline.explain("{ people { totalCount } }").sql
    assert "count(" not in pipeline.explain("{ people { nodes { id } pageInfo { hasNextPage } } }").sql


def test_one_page_of_which_several_things_are_asked(execute: Execute) -> None:
    query = """{ people(first: 2) {
        __typename a: edges { __typename c: cursor node { id } } b: edges { node { name } }
        nodes { id } pageInfo { __typename endCursor }
    } }"""
    found = execute(query)["data"]["people"]
    cursors = [edge.pop("c") for edge in found["a"]]
    assert found == {
        "__typename": "PersonConnection",
        "a": [{"__typename": "PersonEdge", "node": {"id": each}} for each in ("1", "2")],
        "b": [{"node": {"name": "Bob"}}, {"node": {"name": "Zoë"}}],
        "nodes": [{"id": "1"}, {"id": "2"}],
        "pageInfo": {"__typename": "PageInfo", "endCursor": cursors[-1]},
    }


def test_connections_of_relations(execute: Execute) -> None:
    query = """{ everybody(where: {id: {in: ["1", "2"]}}) {
        id
        reports(first: 2, orderBy: {name: DESC}) {
            totalCount nodes { id name reports { totalCount nodes { id } } } pageInfo { hasNextPage }
        }
        friends(last: 2) { totalCount nodes { id } pageInfo { hasPreviousPage } }
    } }"""
    first, second = execute(query)["data"]["everybody"]
    assert first["reports"]["totalCount"] == 12
    assert [each["name"] for each in first["reports"]["nodes"]] == ["Zoë", "Zoë"]
    assert first["reports"]["pageInfo"] == {"hasNextPage": True}
    assert first["friends"] == {
        "totalCount": 4,
        "nodes": [{"id": "4"}, {"id": "5"}],
        "pageInfo": {"hasPreviousPage": True},
    }
    assert second["reports"]["nodes"][0]["reports"] == {"totalCount": 0, "nodes": []}


def test_conditions_and_orders_lead_across_a_connection(execute: Execute) -> None:
    query = """{ everybody(where: {reports: {some: {id: {eq: "5"}}}}, orderBy: {friends: {count: DESC}}) { id } }"""
    assert execute(query)["data"] == {"everybody": [{"id": "3"}]}


def test_default_and_largest_pages(execute: Execute) -> None:
    query = "{ people { nodes { id reports { nodes { id } } } } }"
    nodes = execute(query)["data"]["people"]["nodes"]
    assert [len(nodes), len(nodes[0]["reports"]["nodes"])] == [5, 4]
    answer = execute("{ p: people(last: 51) { totalCount } }")
    assert answer["errors"][0]["message"] == 'The argument "last" must be between 0 and 50; it is 51.'
    assert (answer["errors"][0]["path"], answer["errors"][0]["extensions"]["code"]) == (["p"], "BAD_USER_INPUT")


def test_values_of_documents_are_places_too(execute: Execute) -> None:
    query = """query($after: String) {
        documents(first: 20, after: $after, orderBy: [{size: DESC}]) { nodes { id } pageInfo { endCursor } }
    }"""
    first = execute(query)["data"]["documents"]
    second = execute(query, {"after": first["pageInfo"]["endCursor"]})["data"]["documents"]
    third = execute(query, {"after": second["pageInfo"]["endCursor"]})["data"]["documents"]
    ids = [each["id"] for page in (first, second, third) for each in page["nodes"]]
    assert len(ids) == len(set(ids)) == 41


def _cursor(*values: Any) -> str:
    return base64.b64encode(json.dumps(values).encode()).decode()


def _name(execute: Execute, order_by: list[Any]) -> str:
    page = execute(_PAGE, {"orderBy": order_by, "first": 1})["data"]["people"]
    return str(json.loads(base64.b64decode(page["edges"][0]["cursor"]))[0])


@pytest.mark.parametrize(
    "cursor",
    [
        *(
            "",
            "x",
            "1",
            "WyJ4",
            "🌱",
            "a" * 100_000,
            _cursor(),
            _cursor("x", "1"),
            base64.b64encode(b"[" * 9_000).decode(),
        ),
        *(base64.b64encode(text).decode() for text in (b"\xff", b"{}", b"null", b'"x"', b"1e999")),
    ],
    ids=lambda cursor: cursor[:12],
)
@pytest.mark.parametrize("argument", ["after", "before"])
def test_what_is_no_cursor_is_refused(execute: Execute, argument: str, cursor: str) -> None:
    (error,) = execute(_PAGE, {argument: cursor})["errors"]
    assert error["message"] == f'The argument "{argument}" is not a cursor of this list in this order.'
    assert (error["path"], error["extensions"]["code"]) == (["people"], "BAD_USER_INPUT")


@pytest.mark.parametrize("values", [[1], ["1", "2"], [], [["1"]], [{"a": 1}], ["a\0"], ["\ud800"], [True]])
def test_cursors_with_other_values_are_refused(execute: Execute, values: list[Any]) -> None:
    (error,) = execute(_PAGE, {"after": _cursor(_name(execute, []), *values)})["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


def test_a_forged_value_is_the_clients_mistake(execute: Execute) -> None:
    (error,) = execute(_PAGE, {"after": _cursor(_name(execute, []), "1; drop table person")})["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["people"], "BAD_USER_INPUT")
    assert "drop" not in error["message"]


def test_a_cursor_of_another_order_or_type_is_refused(execute: Execute) -> None:
    cursor = execute("{ people(orderBy: {name: ASC}) { pageInfo { endCursor } } }")["data"]["people"]["pageInfo"][
        "endCursor"
    ]
    for query in (
        "people(after: $c)",
        "people(after: $c, orderBy: {name: DESC})",
        "documents(after: $c, orderBy: {name: ASC})",
    ):
        (error,) = execute(f"query($c: String) {{ {query} {{ totalCount }} }}", {"c": cursor})["errors"]
        assert "is not a cursor of this list in this order" in error["message"]


def test_nulls_are_as_if_absent(execute: Execute) -> None:
    page = execute(_PAGE, {"first": None, "last": 2, "after": None, "before": None})["data"]["people"]
    assert [edge["node"]["id"] for edge in page["edges"]] == ["40", "41"]
    page = execute(_PAGE, {"first": 1, "last": None})["data"]["people"]
    assert [edge["node"]["id"] for edge in page["edges"]] == ["1"]


def test_first_and_last_together_are_refused(execute: Execute) -> None:
    (error,) = execute("{ everybody(limit: 1) { reports(first: 1, last: 1) { totalCount } } }")["errors"]
    assert error["message"] == 'The arguments "first" and "last" must not be given together.'
    assert (error["path"], error["extensions"]["code"]) == (["everybody", "reports"], "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "selected", ["totalCount", "__typename", "pageInfo { hasNextPage }", "pageInfo { hasPreviousPage }"]
)
@pytest.mark.parametrize("given", ["first", "last", "after", "before", "where"])
def test_arguments_that_nothing_selected_needs(execute: Execute, selected: str, given: str) -> None:
    """Each is a parameter all the same, as a literal and as a variable, and is checked."""
    cursor = execute(_PAGE, {})["data"]["people"]["pageInfo"]["endCursor"]
    type_name, value, wrong = {
        "first": ("Int", 2, -1),
        "last": ("Int", 2, 1_001),
        "where": ("PersonWhereInput", {"id": {"eq": "1"}}, {"id": {"eq": "x"}}),
    }.get(given, ("String", cursor, "x"))
    query = f"query ($v: {type_name}) {{ people({given}: $v) {{ {selected} }} }}"
    assert execute(query, {"v": value})["data"]["people"].keys() == {selected.split()[0]}
    (error,) = execute(query, {"v": wrong})["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["people"], "BAD_USER_INPUT")


@fraiseql.type(sql_source="torn", jsonb_column=None)
class Torn:
    """Whose table does not keep what is said of it."""

    id: ID
    text: str


@fraiseql.query
def torn() -> fraiseql.Connection[Torn]: ...


_TORN = """
create table torn (id int primary key, text text);
insert into torn select n, case when n % 3 > 0 then 'same' || n % 2 end from generate_series(1, 12) n;
create view torn_document as select id, to_jsonb(torn) as data from torn;
"""


@fraiseql.type(sql_source="torn_document")
class TornDocument:
    id: ID
    text: str


@fraiseql.query
def torn_documents() -> fraiseql.Connection[TornDocument]: ...


@pytest.fixture(scope="module")
def execute_torn(module_database_url: str) -> Iterator[Execute]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_TORN)
    with opened(module_database_url) as connection:
        ask = asking(Pipeline(fraiseql.Schema(queries=[torn, torn_documents])), connection)
        yield lambda *given: ask(*given).json


@pytest.mark.parametrize("before", ["", "{id: DESC}, "])
@pytest.mark.parametrize("direction", ["ASC", "DESC", "ASC_NULLS_FIRST", "DESC_NULLS_LAST"])
@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize("connection", ["torn", "tornDocuments"])
def test_no_row_is_lost_where_nulls_are_that_never_should_be(
    execute_torn: Execute, connection: str, direction: str, size: int, before: str
) -> None:
    """All rows in the end, or an error."""
    order_by = f"[{before}{{text: {direction}}}]"
    query = f"""query($after: String) {{ {connection}(first: {size}, after: $after, orderBy: {order_by}) {{
        nodes {{ id }} pageInfo {{ hasNextPage endCursor }}
    }} }}"""
    found: list[str] = []
    cursor = None
    while len(found) < 50:
        answer = execute_torn(query, {"after": cursor})
        if "errors" in answer:
            assert (connection, answer["errors"][0]["path"]) == ("torn", ["torn"])
            return
        page = answer["data"][connection]
        found += [node["id"] for node in page["nodes"]]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert sorted(map(int, found)) == list(range(1, 13))


@pytest.mark.parametrize("size", ["", "first: 1, ", "last: 1, "])
@pytest.mark.parametrize(
    "selected",
    [
        *("totalCount", "__typename", "pageInfo { hasNextPage }", "pageInfo { hasPreviousPage }"),
        "nodes @include(if: false) { id } __typename",
    ],
)
def test_an_order_that_no_selected_field_needs(execute: Execute, selected: str, size: str) -> None:
    order = '{searchRank: {name: {plain: "Ada"}}}'
    answer = execute(f'{{ people({size}where: {{name: {{eq: "Bob"}}}}, orderBy: {order}) {{ {selected} }} }}')
    assert "errors" not in answer


def test_many_terms_of_an_order(execute: Execute) -> None:
    ranks = [{"searchRank": {"name": {"plain": f"w{number}"}}} for number in range(120)]
    page = execute(_PAGE, {"orderBy": ranks, "first": 2})["data"]["people"]
    after = execute(_PAGE, {"orderBy": ranks, "first": 1, "after": page["pageInfo"]["startCursor"]})
    assert after["data"]["people"]["edges"] == page["edges"][1:]


def test_long_texts_are_places_too(module_database_url: str, execute: Execute) -> None:
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute("insert into person values (1000, repeat('é', 40000)), (1001, repeat('é', 40001))")
        try:
            page = execute(_PAGE, {"orderBy": [{"name": "DESC"}], "first": 1})["data"]["people"]
            answer = execute(_PAGE, {"orderBy": [{"name": "DESC"}], "first": 1, "after": page["pageInfo"]["endCursor"]})
        finally:
            connection.execute("delete from person where id >= 1000")
    found = [page["edges"][0]["node"]["id"], answer["data"]["people"]["edges"][0]["node"]["id"]]
    assert found == ["1001", "1000"]


def test_floats_keep_their_digits_whatever_the_database_says(module_database_url: str) -> None:
    """A cursor holds a float as text."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'alter database "{name}" set extra_float_digits = 0')  # type: ignore[arg-type]
        try:
            with opened(module_database_url) as other:
                ask = asking(Pipeline(_SCHEMA), other)
                connection.execute(
                    "insert into person values (2000, 'F', null, 0.1::float8 + 0.2), (2001, 'F', null, 0.3)"
                )
                query = """query($after: String) {
                    named(name: "F", first: 1, after: $after, orderBy: {size: ASC}) {
                        nodes { id size } pageInfo { endCursor hasNextPage }
                    }
                }"""
                first = ask(query).json["data"]["named"]
                second = ask(query, {"after": first["pageInfo"]["endCursor"]}).json["data"]["named"]
        finally:
            connection.execute(f'alter database "{name}" reset extra_float_digits')  # type: ignore[arg-type]
            connection.execute("delete from person where id >= 2000")
    assert [first["nodes"], second["nodes"]] == [[{"id": "2001", "size": 0.3}], [{"id": "2000", "size": 0.1 + 0.2}]]
    assert second["pageInfo"]["hasNextPage"] is False

"""Whatever a database's names are, the generated module imports, builds its schema, and names each thing once."""

from __future__ import annotations

import sys
from types import ModuleType

from hypothesis import given, settings
from hypothesis import strategies as st

from fraiseql.catalog.facts import Catalog, Column, DataType, ForeignKey, Index, Table
from fraiseql.catalog.generation import generate_module
from fraiseql.pipeline import Pipeline, print_sdl
from fraiseql.schema import Schema

WORDS = st.sampled_from(
    [
        *("user", "users", "User", "Users", "user_id", "userId", "id", "ID", "a_1", "a1", "A_1", "a__1", "_a", "class"),
        *("class_", "schema", "fraiseql", "list", "dt", "sys", "Enum", "enum", "Query", "query", "String", "Decimal"),
        *("user_filter", "user_where_input", "UserOrderByInput", "users_by_id", "user_by_id", "news", "data", "1", ""),
        *("AND", "NOT", "where", "limit", "None", "int", "str", "parent", "parent_id", "children", 'q"q', "b\\s", "ü"),
        *("user_list", "user_relation", "user_aggregate", "string_list", "user_sum"),
        *("user_max_where_input", "user_group", "date_unit"),
        *("search_rank", "searchRank", "user_search_rank", "text_search_rank_input", "text_search_config"),
        *("JSON", "UUID", "UserConnection", "UserEdge", "PageInfo", "__typename", "x.y", "n\nl", "OrderDirection"),
    ]
)
NAMES = st.one_of(WORDS, st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=6))
LABELS = st.lists(NAMES, min_size=1, max_size=4, unique=True)
BASES = st.sampled_from(["int4", "int8", "text", "uuid", "jsonb", "timestamptz", "point", "bool", "numeric"])


def base(name: str) -> DataType:
    return DataType("pg_catalog", name, "b")


@st.composite
def types(draw: st.DrawFn) -> DataType:
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return DataType("public", draw(NAMES.filter(bool)), "e", labels=tuple(draw(LABELS)))
    found = base(draw(BASES))
    return found if kind < 4 else DataType("pg_catalog", f"_{found.name}", "b", element=found)


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    named = draw(
        st.lists(st.tuples(st.sampled_from(["public", "b"]), NAMES.filter(bool)), min_size=1, max_size=5, unique=True)
    )
    columns = []
    for _ in named:
        names = draw(st.lists(NAMES.filter(bool), min_size=1, max_size=8, unique=True))
        columns.append(
            {
                name: Column(number, name, f'"{name}"', draw(types()), "shown", draw(st.booleans()))
                for number, name in enumerate(names, 1)
            }
        )
    tables = {}
    for oid, (schema, name) in enumerate(named):
        ours = list(columns[oid])
        keys = []
        for number in range(draw(st.integers(0, 3))):
            target = draw(st.integers(0, len(named) - 1))
            width = min(draw(st.integers(1, 2)), len(ours), len(columns[target]))
            mine = draw(st.permutations(ours))[:width]
            keys.append(ForeignKey(f"k{number}", tuple(mine), target, tuple(list(columns[target])[:width]), True))
        tables[oid] = Table(
            oid,
            schema,
            name,
            f'"{name}"',
            f'"{schema}"',
            draw(st.sampled_from("rv")),
            columns[oid],
            visible=schema == "public",
            comment=draw(st.none() | NAMES),
            primary_key=tuple(ours[: draw(st.integers(0, 2))]),
            foreign_keys=tuple(keys),
            indexes=tuple(Index((column,), True, "btree") for column in ours if draw(st.booleans())),
        )
    return Catalog("me", tuple(tables.values()), tables)


@settings(max_examples=150, deadline=None)
@given(catalogs())
def test_any_database_becomes_a_schema(catalog: Catalog) -> None:
    text = generate_module(catalog)
    if text is None:
        return
    assert generate_module(catalog) == text
    module = ModuleType("any_database")
    sys.modules["any_database"] = module
    try:
        exec(compile(text, "any_database.py", "exec"), vars(module))
    finally:
        del sys.modules["any_database"]
    schema = module.schema
    assert isinstance(schema, Schema)
    Pipeline(schema).explain("{ __typename }")
    assert print_sdl(schema)
    served = {str(named.source) for named in schema.model.types.values() if getattr(named, "source", None)}
    left_out = text.count("# Left out: ")
    assert len(served) + left_out == len(catalog.tables)

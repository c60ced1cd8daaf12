"""Each aggregate of each field, and groups by each, over the schema with every type: as the oracle has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from fraiseql.pipeline import Outcome, Pipeline
from golden import every_type
from golden.asking import Ask, asking, opened
from golden.every_scalar import OWN_KINDS
from golden.oracle import Oracle, equal_forms, normalised

_ORACLE = Oracle(every_type.schema, every_type.ROWS, OWN_KINDS)


def _fields(name: str) -> dict[str, Any]:
    named = _ORACLE.schema.type_map[name]
    assert isinstance(named, GraphQLObjectType)
    return named.fields


def _figures(of: str) -> str:
    parts = {name: get_named_type(field.type) for name, field in _fields(f"{of}Aggregate").items()}
    return " ".join(
        f"{name} {{ {' '.join(part.fields)} }}" if isinstance(part, GraphQLObjectType) else name
        for name, part in parts.items()
    )


@pytest.fixture(scope="module")
def ask(module_database_url: str) -> Iterator[Ask]:
    every_type.load(module_database_url)
    with opened(module_database_url) as connection:
        yield asking(Pipeline(every_type.schema), connection)


@pytest.mark.parametrize("where", ["", "(where: {id: {in: [1, 2, 3]}})"])
def test_figures(ask: Ask, where: str) -> None:
    _check(ask, f"{{ cellFigures{where} {{ {_figures('Cell')} }} }}")


def test_figures_of_relations(ask: Ask) -> None:
    _check(ask, f"{{ cells(limit: 20) {{ figures {{ {_figures('Document')} }} }} }}")


@pytest.mark.parametrize(
    ("root", "of", "field"),
    [
        (root, of, field)
        for root, of in (("cellGroups", "Cell"), ("documentGroups", "Document"))
        for field in _fields(f"{of}GroupKey")
    ],
)
def test_groups(ask: Ask, root: str, of: str, field: str) -> None:
    orders = _ORACLE.schema.type_map.get(f"{of}GroupKeyOrderByInput")
    assert orders is not None
    descending = f"(orderBy: {{key: {{{field}: DESC}}}}, limit: 30)" if field in orders.fields else ""
    _check(
        ask, f"{{ {root}(limit: 30) {{ key {{ {field} }} count }} again: {root}{descending} {{ key {{ {field} }} }} }}"
    )


def _check(ask: Ask, query: str) -> None:
    answer = ask(query)
    assert answer.response.outcome is Outcome.DATA, (answer.response.body, answer.response.cause)
    assert normalised(equal_forms(answer.json["data"])) == normalised(equal_forms(_ORACLE.execute(query)))

"""Values that would be SQL, wherever a text may stand, sent to PostgreSQL: they find nothing, and harm nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from golden import every_type
from golden.asking import Ask, asking, opened
from golden.places import every_place

_ATTACKS = (
    "'; drop table cells; --",
    "' or '1'='1",
    '"; drop table cells cascade; --',
    "$1); delete from cells; --",
    "\\'; truncate documents; --",
    '{"a","b"}\'; drop table documents; --',
    "E'\\x41'::text",
)


@pytest.fixture(scope="module")
def ask(module_database_url: str) -> Iterator[Ask]:
    every_type.load(module_database_url)
    with opened(module_database_url) as connection:
        yield asking(Pipeline(every_type.schema), connection)


@pytest.mark.parametrize("scalar", ["String", "ID", "JSON", "Email"])
def test_attacks_are_only_values(ask: Ask, scalar: str) -> None:
    everything = "{ cells(limit: 30) { id text } documents(limit: 30) { id text } }"
    before = ask(everything).response.body
    attacks = itertools.cycle(_ATTACKS)
    for place in every_place(build_graphql_schema(every_type.schema.model)):
        if place.scalar == scalar:
            for _ in range(2):
                attack = next(attacks) + "@" * (scalar == "Email")
                for answer in (ask(place.variable(), {"v": attack}), ask(place.literal(attack))):
                    assert answer.response.outcome in (Outcome.DATA, Outcome.VARIABLES_INVALID), (
                        place,
                        answer.response,
                    )
    assert ask(everything).response.body == before

"""Random requests of `hypothesis-graphql` over the demo's schema and one with every type, answered as by the oracle.

What GraphQL or our rules refuse is refused with just the code and the path that the oracle names. Each request is asked
with introspection and without it. The requests are the same in every run; more are made by
`RANDOM_EXAMPLES=5000 pytest tests/golden/test_hypothesis_graphql.py -n 0`.
"""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, note, settings

from fraiseql.cli.demo.data import generate
from fraiseql.cli.demo.database import load
from fraiseql.cli.demo.schema import schema as demo_schema
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline
from golden import every_type
from golden.asking import Answer, Ask, asking, opened
from golden.documents import Request, requests
from golden.every_scalar import OWN_KINDS
from golden.oracle import Oracle, Refusals, blog_rows, equal_forms, normalised

_BLOG = generate(users=12, posts=30, comments=50)
_DEMO = Oracle(demo_schema, blog_rows(_BLOG))
_EVERY = Oracle(every_type.schema, every_type.ROWS, OWN_KINDS)
# What the generator makes is large; tests/pipeline/test_limits.py has the bounds.
_LIMITS = QueryLimits(max_cost=10**40, max_conditions=10**6, max_tokens=10**6, max_fields=10**6)
_MADE_OF_SEVERAL = re.compile(r"[gG]roups|[fF]igures|Summary")  # aggregates: any of equal values may be shown
_COUNT = int(os.environ.get("RANDOM_EXAMPLES", "60"))
_SETTINGS = settings(
    max_examples=_COUNT,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


class Side(NamedTuple):
    """One schema over one database, twice."""

    asks: tuple[Ask, Ask]
    oracle: Oracle


@pytest.fixture(scope="module")
def demo(module_database_url: str) -> Any:
    load(module_database_url, _BLOG)
    with opened(module_database_url) as connection:
        pipelines = [Pipeline(demo_schema, _LIMITS, introspection=shown) for shown in (True, False)]
        yield Side(tuple(asking(pipeline, connection) for pipeline in pipelines), _DEMO)


@pytest.fixture(scope="module")
def every(module_database_url: str) -> Any:
    every_type.load(module_database_url)
    with opened(module_database_url) as connection:
        pipelines = [Pipeline(every_type.schema, _LIMITS, introspection=shown) for shown in (True, False)]
        yield Side(tuple(asking(pipeline, connection) for pipeline in pipelines), _EVERY)


@_SETTINGS
@given(request=requests(demo_schema, _DEMO, _COUNT))
def test_the_demo(demo: Side, request: Request) -> None:
    _check(demo, request)


@_SETTINGS
@given(request=requests(every_type.schema, _EVERY, _COUNT))
def test_every_type(every: Side, request: Request) -> None:
    _check(every, request)


def _check(side: Side, request: Request) -> None:
    note(f"{request.query}\n{request.variables}")
    verdict = Refusals(side.oracle).of(request.query, request.variables)
    for ask in side.asks:
        answer = ask(request.query, request.variables)
        if verdict.invalid:
            assert answer.response.outcome is Outcome.NOT_VALID
            assert [error["message"] for error in answer.json["errors"]][:20] == verdict.invalid[:20]
            assert {error["extensions"]["code"] for error in answer.json["errors"]} == {"GRAPHQL_VALIDATION_FAILED"}
        elif verdict.must or (verdict.may and "errors" in answer.json):
            _check_refusal(answer, verdict.must | verdict.may)
        else:
            assert answer.response.outcome is Outcome.DATA, (answer.response.body, answer.response.cause)
            assert answer.json.keys() == {"data"}
            expected = side.oracle.execute(request.query, request.variables)
            form = equal_forms if _MADE_OF_SEVERAL.search(request.query) else lambda data: data
            assert normalised(form(answer.json["data"])) == normalised(form(expected))


def _check_refusal(answer: Answer, paths: set[tuple[str, ...]]) -> None:
    """At least one of the paths, each with its code, and no data."""
    assert answer.response.outcome is Outcome.VARIABLES_INVALID, (answer.response.body, answer.response.cause)
    assert answer.json.keys() == {"errors"}
    assert {error["extensions"]["code"] for error in answer.json["errors"]} == {"BAD_USER_INPUT"}
    assert {tuple(error["path"]) for error in answer.json["errors"]} <= paths


def test_values_reach_what_they_are_for() -> None:
    """The generator is of use: of its requests, so many are good ones that find rows."""
    found: list[bool] = []

    @settings(_SETTINGS, max_examples=60, database=None)
    @given(request=requests(every_type.schema, _EVERY, _COUNT))
    def ask(request: Request) -> None:
        verdict = Refusals(_EVERY).of(request.query, request.variables)
        is_good = not (verdict.invalid or verdict.must or verdict.may)
        found.append(is_good and any(_EVERY.execute(request.query, request.variables).values()))

    ask()
    assert sum(found) > len(found) / 5

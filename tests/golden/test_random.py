"""Random valid queries, answered as the oracle answers them.

The queries are the same in every run; `RANDOM_EXAMPLES=5000 pytest tests/golden/test_random.py -n 0` makes more.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fraiseql.cli.demo.data import Blog, generate
from fraiseql.cli.demo.schema import schema
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.postgres import Connection
from golden.asking import Ask, asking
from golden.oracle import Oracle, normalised
from golden.queries import random_queries

_BLOG = generate(users=80, posts=400, comments=800)


@pytest.fixture(scope="module")
def blog() -> Blog:
    """Fewer rows: more of them on a page, and more equal values next to each other."""
    return _BLOG


@pytest.fixture(scope="module")
def ask_without_introspection(connection: Connection) -> Ask:
    return asking(Pipeline(schema, QueryLimits(max_cost=10**9), introspection=False), connection)


@settings(
    max_examples=int(os.environ.get("RANDOM_EXAMPLES", "70")),
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.data())
def test_random_queries_are_answered_as_by_the_oracle(
    ask: Ask, ask_without_introspection: Ask, oracle: Oracle, data: st.DataObject
) -> None:
    case = data.draw(random_queries(_BLOG))
    for variables in (case.variables, case.others):  # the second time, the document is known
        note(f"{case.query}\n{variables}")
        expected = normalised(oracle.execute(case.query, variables))
        for asked in (ask, ask_without_introspection):
            answer = asked(case.query, variables)
            assert answer.response.outcome is Outcome.DATA, answer.response.body
            assert normalised(answer.json["data"]) == expected

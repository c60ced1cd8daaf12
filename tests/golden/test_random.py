"""Random valid queries, answered as the oracle answers them.

The queries are the same in every run; `RANDOM_EXAMPLES=5000 pytest tests/golden/test_random.py -n 0` makes more.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fraiseql.cli.demo.data import Blog, generate
from fraiseql.pipeline import Outcome
from golden.oracle import Oracle, normalised
from golden.queries import random_queries

_BLOG = generate(users=80, posts=400, comments=800)


@pytest.fixture(scope="module")
def blog() -> Blog:
    """Fewer rows: more of them on a page, and more equal values next to each other."""
    return _BLOG


@settings(
    max_examples=int(os.environ.get("RANDOM_EXAMPLES", "200")),
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.data())
def test_random_queries_are_answered_as_by_the_oracle(ask: Callable, oracle: Oracle, data: st.DataObject) -> None:
    case = data.draw(random_queries(_BLOG))
    for variables in (case.variables, case.others):  # the second time, the document is known
        note(f"{case.query}\n{variables}")
        answer = ask(case.query, variables)
        assert answer.response.outcome is Outcome.DATA, answer.response.body
        assert normalised(answer.json["data"]) == normalised(oracle.execute(case.query, variables))

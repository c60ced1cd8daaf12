"""Scenarios with exact transcripts, by which a runtime shows that it serves as all others do.

    with Suite(MyRuntime(), database_url) as suite:
        for scenario in SCENARIOS:
            suite.run(scenario)

A scenario is data: what clients send and what they are sent, to the byte, what happens in the database meanwhile, and
how much time passes, by a clock that stands still otherwise. See docs/how-to/test-a-runtime.md.
"""

from __future__ import annotations

from fraiseql.testing.runtime_conformance.on_loops import AnyioRuntime, AsyncioRuntime, TrioRuntime
from fraiseql.testing.runtime_conformance.on_threads import ThreadsRuntime
from fraiseql.testing.runtime_conformance.scenario import (
    ASYNCHRONOUS_RESOLVERS,
    SUBSCRIPTIONS,
    Runtime,
    Scenario,
    Served,
    Setup,
)
from fraiseql.testing.runtime_conformance.scenarios import SCENARIOS
from fraiseql.testing.runtime_conformance.suite import Failed, Suite, run

__all__ = [
    "ASYNCHRONOUS_RESOLVERS",
    "SCENARIOS",
    "SUBSCRIPTIONS",
    "AnyioRuntime",
    "AsyncioRuntime",
    "Failed",
    "Runtime",
    "Scenario",
    "Served",
    "Setup",
    "Suite",
    "ThreadsRuntime",
    "TrioRuntime",
    "run",
]

"""The scenarios that every runtime has to go through."""

from __future__ import annotations

from fraiseql.testing.runtime_conformance.scenario import Scenario
from fraiseql.testing.runtime_conformance.scenarios.event_streams import EVENT_STREAMS
from fraiseql.testing.runtime_conformance.scenarios.operations import OPERATIONS
from fraiseql.testing.runtime_conformance.scenarios.requests import REQUESTS
from fraiseql.testing.runtime_conformance.scenarios.stopping import STOPPING
from fraiseql.testing.runtime_conformance.scenarios.websockets import WEBSOCKETS

__all__ = ["SCENARIOS"]

SCENARIOS: tuple[Scenario, ...] = (*REQUESTS, *OPERATIONS, *WEBSOCKETS, *EVENT_STREAMS, *STOPPING)
"""All of them, in no order that matters."""

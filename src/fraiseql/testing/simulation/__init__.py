"""Clients, the server and a scripted database in one deterministic loop on a virtual clock."""

from __future__ import annotations

from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.story import Story
from fraiseql.testing.simulation.world import Outcome, Runtime, World, failure_of, simulate

__all__ = ["Outcome", "Runtime", "SimulatedLoop", "Story", "World", "failure_of", "simulate"]

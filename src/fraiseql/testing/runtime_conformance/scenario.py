"""A scenario, and what a runtime has to be for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from fraiseql.observations import Observer
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.schema import Schema
from fraiseql.testing.clock import FakeClock
from fraiseql.testing.runtime_conformance.example import PLAIN
from fraiseql.testing.runtime_conformance.steps import Drain, Step

__all__ = ["ASYNCHRONOUS_RESOLVERS", "SUBSCRIPTIONS", "Runtime", "Scenario", "Served", "Setup"]

ASYNCHRONOUS_RESOLVERS = "asynchronous resolvers"
SUBSCRIPTIONS = "subscriptions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One conversation with a server.

    Attributes:
        name: tells what happens.
        steps: one after the other.
        schema: what is served.
        settings: of the server, over those that all scenarios share.
        needs: what not every runtime can do.
    """

    name: str
    steps: tuple[Step, ...]
    schema: Schema = PLAIN
    settings: tuple[tuple[str, Any], ...] = ()
    needs: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name

    @property
    def stops_its_server(self) -> bool:
        """Whether the server cannot be used by another scenario."""
        return any(isinstance(step, Drain) for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a server is to be started with.

    Attributes:
        schema: what it serves.
        config: its settings, the database and a port 0 among them.
        clock: by which it keeps all its deadlines; a FakeClock.
        observe: is told what happens, on any thread.
    """

    schema: Schema
    config: FraiseQLConfig
    clock: FakeClock
    observe: Observer


class Served(Protocol):
    """A running server. All is called on the thread of the test; nothing of it may wait for the clock."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""

    @property
    def active_connections(self) -> int:
        """How many clients are connected."""

    @property
    def lent_connections(self) -> int:
        """How many connections to the database are in the hands of operations."""

    @property
    def listening_streams(self) -> int:
        """How many streams of subscriptions wait for events or values."""

    @property
    def has_stopped(self) -> bool:
        """Whether all of it has ended."""

    def drain(self) -> None:
        """Begin to stop as it does on SIGTERM, and return at once."""

    def stop(self) -> None:
        """End at once, and wait for that; not called before it `has_stopped` where it was drained."""


class Runtime(Protocol):
    """What starts servers.

    Attributes:
        provides: of what scenarios need, all that it can do.
    """

    @property
    def provides(self) -> frozenset[str]:
        """Names of ours, such as ASYNCHRONOUS_RESOLVERS."""

    def start(self, setup: Setup) -> Served:
        """Start a server; returns once it accepts clients."""

"""Running event buses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fraiseql.bus import Bus, EventBus, MemoryBus, PostgresqlBus
from fraiseql.limits import SubscriptionLimits
from fraiseql.observations import Observation, Observer
from fraiseql.runtimes.anyio.bus.memory import RunningMemoryBus
from fraiseql.runtimes.anyio.bus.outbox import RunningPostgresqlBus

if TYPE_CHECKING:
    from fraiseql.runtimes.anyio.database import Database

__all__ = ["Bus", "connect_bus"]


def _ignore(observation: Observation) -> None:
    """For who wants to hear of nothing."""


def connect_bus(
    description: EventBus,
    database: Database | None = None,
    limits: SubscriptionLimits | None = None,
    observe: Observer = _ignore,
) -> Bus:
    """Make a running bus of its description; nothing is connected before it is used.

    Args:
        description: which one.
        database: where the outbox is; started and closed by the caller, around `start` and `aclose` of the bus.
        limits: see SubscriptionLimits.
        observe: is told of connections, delays and purges.

    Raises:
        TypeError: the description is none of those known here, or its database is missing.
    """
    limits = limits or SubscriptionLimits()
    if isinstance(description, MemoryBus):
        return RunningMemoryBus(limits)
    if isinstance(description, PostgresqlBus) and database is not None:
        return RunningPostgresqlBus(description, database, limits, observe)
    raise TypeError(f"no bus can be made of {description!r} and {'no' if database is None else 'this'} database")

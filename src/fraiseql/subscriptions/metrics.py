"""What a manager has done so far."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SubscriptionMetrics"]


@dataclass(frozen=True, slots=True)
class SubscriptionMetrics:
    """Counts since the manager was made, but for `active`, which is how many there are now.

    Attributes:
        active: subscriptions that events are given to.
        created: subscriptions.
        completed: subscriptions that `complete_subscription` has ended.
        published: events.
        skipped: results that a resolver has left out.
        serialised: results; each may be given to many subscriptions.
        delivered: results that were given to a subscription's queue.
        coalesced: results that a later one has replaced before they were taken.
        overflowed: subscriptions that ended since their queue was full.
        failed: errors of resolvers and values that do not fit, which clients are not shown, and those of callbacks.
    """

    active: int
    created: int
    completed: int
    published: int
    skipped: int
    serialised: int
    delivered: int
    coalesced: int
    overflowed: int
    failed: int

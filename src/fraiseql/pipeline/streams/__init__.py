"""The programs behind subscriptions: each opens a source and emits results until it ends."""

from __future__ import annotations

from fraiseql.effects import Stream
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline.streams.events import event_stream
from fraiseql.pipeline.streams.live import live_stream
from fraiseql.pipeline.streams.resolver import resolver_stream
from fraiseql.pipeline.subscription import PreparedSubscription
from fraiseql.schema.model import SubscriptionKind

__all__ = ["stream_of"]


def stream_of(subscription: PreparedSubscription, limits: SubscriptionLimits, request_id: str) -> Stream:
    """The stream of a subscription; one that several share names the request of the first in its errors."""
    kind = subscription.field.kind
    if kind is SubscriptionKind.RESOLVER:
        # A generator is told who asks, and may do anything: it is never shared.
        return Stream(None, lambda: resolver_stream(subscription, limits, request_id))
    if kind is SubscriptionKind.EVENT:
        key = None if subscription.after is not None else subscription.key
        return Stream(key, lambda: event_stream(subscription, limits, request_id))
    return Stream(subscription.key, lambda: live_stream(subscription, limits, request_id), is_state=True)

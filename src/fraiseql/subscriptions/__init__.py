"""Subscriptions without a server: events in, execution results out, each serialised once for all who see the same.

manager = SubscriptionManager(schema)
subscription_id = manager.create_subscription("subscription { orderPlaced { id total } }", tenant_id="a")
manager.publish_event("orderPlaced", {"id": 7, "total": "12.50"}, tenant_id="a")
body = manager.get_next_event(subscription_id)
manager.complete_subscription(subscription_id)
"""

from __future__ import annotations

from fraiseql.subscriptions.manager import SubscriptionManager
from fraiseql.subscriptions.metrics import SubscriptionMetrics
from fraiseql.subscriptions.resolvers import SKIP, Resolver
from fraiseql.subscriptions.subscriber import OverflowPolicy

__all__ = ["SKIP", "OverflowPolicy", "Resolver", "SubscriptionManager", "SubscriptionMetrics"]

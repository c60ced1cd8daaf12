"""One event given to many subscribers: from `publish_event` to the bytes of each WebSocket frame, without sockets.

Each subscriber has a connection of its own with one operation, and all have the same plan, arguments and tenant, so the
result is made once. Times are of the CPU, without garbage collection, and for each message that is delivered; a value
is the median of a run's turns.
"""

from __future__ import annotations

import gc
import json
from collections.abc import AsyncIterator, Callable
from statistics import median
from time import process_time

import fraiseql.schema as declare
from benchmarks.figures import Figure, Setting
from fraiseql.limits import WebSocketLimits
from fraiseql.protocol import graphql_transport_ws, websocket
from fraiseql.subscriptions import SubscriptionManager

__all__ = ["measure"]

SUBSCRIBERS = 2_000
TURNS = 15  # events of one run
TARGET = 15.0  # microseconds for each delivered message

QUERY = "subscription { messagePosted { id author text sentAt } }"
PAYLOAD = {"id": 4_711, "author": "Grace", "text": "The first bug was a moth. " * 4, "sent_at": "1947-09-09T15:45:00Z"}


@declare.type(sql_source="v_message")
class Message:
    id: declare.ID
    author: str
    text: str
    sent_at: str


@declare.query
def messages() -> list[Message]:
    """All messages."""


@declare.subscription
async def message_posted() -> AsyncIterator[Message]:
    """What is posted."""
    yield Message()


class Reader:
    """One subscriber: what is sent to it."""

    def __init__(self, manager: SubscriptionManager) -> None:
        self.id = manager.create_subscription(QUERY, tenant_id="a")
        self.machine = graphql_transport_ws.ServerConnection(max_operations=1)
        self.machine.receive_text('{"type":"connection_init"}')
        self.machine.accept()
        message = {"id": "1", "type": "subscribe", "payload": {"query": QUERY}}
        event = self.machine.receive_text(json.dumps(message))
        assert isinstance(event, graphql_transport_ws.Subscribe)
        self.operation = event.operation
        self.socket = websocket.ServerConnection(WebSocketLimits())


def measure(setting: Setting) -> list[Figure]:
    manager = SubscriptionManager(declare.Schema(types=[Message], queries=[messages], subscriptions=[message_posted]))
    readers = [Reader(manager) for _ in range(SUBSCRIBERS)]
    parts: dict[str, Callable[[], int]] = {
        "publish and take": lambda: _take(manager, readers),
        "publish, take and encode": lambda: _encode(manager, readers),
    }
    values: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(setting.runs):
        for name, run in parts.items():
            values[name].append(median(_microseconds(run) for _ in range(TURNS)))
    metrics = manager.get_metrics()
    assert metrics.serialised * SUBSCRIBERS == metrics.delivered, "serialised once for all"
    targets = {"publish and take": None, "publish, take and encode": TARGET}
    return [
        Figure(f"one of {SUBSCRIBERS:,} subscribers: {name}", "us CPU", tuple(found), targets[name])
        for name, found in values.items()
    ]


def _microseconds(run: Callable[[], int]) -> float:
    gc.collect()
    gc.disable()
    try:
        start = process_time()
        delivered = run()
        return (process_time() - start) / delivered * 1e6
    finally:
        gc.enable()


def _take(manager: SubscriptionManager, readers: list[Reader]) -> int:
    given = manager.publish_event("messagePosted", PAYLOAD, tenant_id="a", cursor="1-1")
    for reader in readers:
        assert manager.get_next_event(reader.id) is not None
    return given


def _encode(manager: SubscriptionManager, readers: list[Reader]) -> int:
    given = manager.publish_event("messagePosted", PAYLOAD, tenant_id="a", cursor="1-1")
    for reader in readers:
        body = manager.get_next_event(reader.id)
        assert body is not None
        frame = reader.socket.send_text(reader.machine.send_next(reader.operation, body))
        assert frame
    return given

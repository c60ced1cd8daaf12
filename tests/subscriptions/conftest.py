"""A schema whose subscriptions need no database, and managers for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import fraiseql.schema as fs
from fraiseql.subscriptions import SubscriptionManager

__all__ = ["ORDERS", "drain", "manager", "schema"]


@fs.enum
class Status(Enum):
    OPEN = "open"
    PAID = "paid"


@fs.type(sql_source="v_order")
class Order:
    id: fs.ID
    note: str | None
    total: Decimal
    status: Status
    shop_id: UUID


@fs.input
class Choice:
    note: str


@fs.query
def orders() -> list[Order]:
    """All orders."""


@fs.subscription(topic="order.placed")
def order_placed(status: Status | None, shop_id: UUID | None, total: Decimal | None, note: str | None) -> Order | None:
    """Each order."""


@fs.subscription(topic="order.placed")
def order_seen(choice: Choice | None) -> Order:
    """Each order, by an object."""


@fs.subscription
async def tick(every: int | None) -> AsyncIterator[int]:
    """Numbers."""
    yield 1


@fs.subscription
def all_orders() -> list[Order]:
    """All orders, again and again."""


schema = fs.Schema(
    types=[Order, Status, Choice], queries=[orders], subscriptions=[order_placed, order_seen, tick, all_orders]
)

ORDERS = [
    {
        "id": number,
        "note": None,
        "total": "1.50",
        "status": "open",
        "shop_id": "00000000-0000-0000-0000-000000000001",
    }
    for number in range(3)
]


def manager(**options: Any) -> SubscriptionManager:
    return SubscriptionManager(schema, **options)


def drain(manager: SubscriptionManager, id_: str) -> list[Any]:
    """All results that wait."""
    found = []
    while (body := manager.get_next_event(id_)) is not None:
        found.append(json.loads(body))
    return found

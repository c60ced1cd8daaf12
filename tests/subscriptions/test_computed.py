"""Computed fields of what the manager is given: plain methods are called at once, and nobody awaits the others."""

from __future__ import annotations

import json
from collections.abc import Iterator

import fraiseql
from fraiseql import ID, Info
from fraiseql.subscriptions import SubscriptionManager


@fraiseql.type
class Shop:
    id: ID
    name: str

    @fraiseql.field(needs=["name"])
    def sign(self, info: Info, size: int = 1) -> str:
        return self.name.upper() * size

    @fraiseql.field
    async def later(self) -> str | None:
        return self.name

    @fraiseql.field(batch=True)
    @staticmethod
    def place(shops: list[Shop]) -> list[int]:
        return list(range(len(shops)))


@fraiseql.type(sql_source="shops")
class Stored:
    id: ID


@fraiseql.query
def stored() -> list[Stored]: ...


@fraiseql.subscription
def shops() -> Iterator[list[Shop]]:
    yield []


def test_plain_methods_are_called() -> None:
    failed: list[str] = []
    manager = SubscriptionManager(
        fraiseql.Schema(queries=[stored], subscriptions=[shops]), on_error=lambda _, error: failed.append(str(error))
    )
    plain = manager.create_subscription("subscription { shops { sign(size: 2) place } }")
    other = manager.create_subscription("subscription { shops { id later } }")
    shop = Shop()
    shop.id, shop.name = "1", "a"
    assert manager.publish_event("shops", [shop, {"id": "2", "name": "b"}]) == 2
    assert json.loads(manager.get_next_event(plain) or "") == {
        "data": {"shops": [{"sign": "AA", "place": 0}, {"sign": "BB", "place": 1}]}
    }
    answer = json.loads(manager.get_next_event(other) or "")
    assert answer["data"] == {"shops": [{"id": "1", "later": None}, {"id": "2", "later": None}]}
    assert [each["path"] for each in answer["errors"]] == [["shops", 0, "later"], ["shops", 1, "later"]]
    assert failed == ["a resolver must give a value, not something to be awaited: coroutine"] * 2  # one for each shop

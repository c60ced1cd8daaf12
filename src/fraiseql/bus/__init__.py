"""Events: how they are described, kept in PostgreSQL and handed out; nothing here does I/O."""

from __future__ import annotations

from fraiseql.bus.ddl import outbox_sql, watch_sql
from fraiseql.bus.description import EventBus, MemoryBus, PostgresqlBus
from fraiseql.bus.driver import Bus, EventStream
from fraiseql.bus.invalidation import invalidate

__all__ = ["Bus", "EventBus", "EventStream", "MemoryBus", "PostgresqlBus", "invalidate", "outbox_sql", "watch_sql"]

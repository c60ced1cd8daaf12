"""PostgreSQL without I/O: conversations that yield their waits, the pool's policy, and the meaning of its errors."""

from __future__ import annotations

from fraiseql.postgres.cleaning import wind_up
from fraiseql.postgres.connection import Connection
from fraiseql.postgres.conversation import cancel, connect, drain, explain, run
from fraiseql.postgres.listening import Listener
from fraiseql.postgres.pool import Pool
from fraiseql.postgres.transactions import ENDED_BY_USER, Transaction, execute_alone
from fraiseql.postgres.waits import Conversation, Ready, Wait

__all__ = [
    "ENDED_BY_USER",
    "Connection",
    "Conversation",
    "Listener",
    "Pool",
    "Ready",
    "Transaction",
    "Wait",
    "cancel",
    "connect",
    "drain",
    "execute_alone",
    "explain",
    "run",
    "wind_up",
]

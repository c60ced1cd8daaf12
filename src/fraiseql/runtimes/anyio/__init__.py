"""The runtime for asyncio and trio."""

from __future__ import annotations

from fraiseql.runtimes.anyio.app import FraiseQLApp
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.anyio.serving import create_fraiseql_app, serve

__all__ = ["Database", "FraiseQLApp", "create_fraiseql_app", "serve"]

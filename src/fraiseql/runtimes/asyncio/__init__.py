"""What is asyncio's own: a client's socket as asyncio and uvloop have it."""

from __future__ import annotations

from fraiseql.runtimes.asyncio.transport import AsyncioTransport

__all__ = ["AsyncioTransport"]

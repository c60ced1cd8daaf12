"""What a client may send to `ServerConnection` of `fraiseql.protocol.websocket`: anything."""

from __future__ import annotations

from fuzz import websocket_watch

__all__ = ["check"]


def check(data: bytes) -> None:
    websocket_watch.check(data, "server")

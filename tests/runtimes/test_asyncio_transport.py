"""What a driver may ask of an asyncio transport whose client has left."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import partial
from unittest.mock import Mock

import pytest

from fraiseql.runtimes.asyncio import AsyncioTransport


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_our_side_cannot_be_closed_where_the_client_has_reset_the_connection(anyio_backend: str) -> None:
    driver = Mock()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        ours, _ = listener.accept()
        ours.setblocking(False)
        _, transport = await asyncio.get_running_loop().connect_accepted_socket(
            partial(AsyncioTransport, lambda _: driver), ours
        )
        transport.pause_reading()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert not transport.half_close()
        transport.abort()
        while not driver.connection_lost.called:
            await asyncio.sleep(0)

"""Accepting clients goes on when one of them has left, and when descriptors run out."""

from __future__ import annotations

import errno
import socket
from typing import Any

import anyio
import pytest

from fraiseql.runtimes.anyio import transport
from fraiseql.runtimes.anyio.transport import ClientSocket, accept
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import open_listeners

pytestmark = pytest.mark.anyio


class TroubledListener:
    """A listening socket whose first attempts to accept fail."""

    def __init__(self, listener: socket.socket, *numbers: int) -> None:
        self._listener = listener
        self._numbers = list(numbers)

    def fileno(self) -> int:
        return self._listener.fileno()

    def accept(self) -> Any:
        if self._numbers:
            raise OSError(self._numbers.pop(0), "trouble")
        return self._listener.accept()


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EMFILE, errno.ENOBUFS, errno.EAGAIN])
async def test_accepting_survives_passing_trouble(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(transport, "_EXHAUSTED_PAUSE", 0.001)
    (listener,) = open_listeners(FraiseQLConfig(port=0)).sockets
    with listener, socket.create_connection(listener.getsockname()), anyio.fail_after(5):
        client = await accept(TroubledListener(listener, number, number))  # type: ignore[arg-type]
        assert client is not None
        client.close()
        client.close()


async def test_a_closed_listener_accepts_nobody() -> None:
    (listener,) = open_listeners(FraiseQLConfig(port=0)).sockets
    async with anyio.create_task_group() as group:

        async def wait() -> None:
            assert await accept(listener) is None

        group.start_soon(wait)
        await anyio.sleep(0.01)
        anyio.notify_closing(listener)
        listener.close()
    with anyio.fail_after(5):
        assert await accept(listener) is None


async def test_sending_to_a_client_that_has_left() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client = ClientSocket(ours)
    theirs.close()
    assert not await client.send(b"x", patience=1)
    assert await client.receive() == b""
    await client.linger(1)
    client.close()

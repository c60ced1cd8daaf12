"""A client's socket over a transport of asyncio or uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from fraiseql.runtimes.clients import ClientDriver
from fraiseql.runtimes.driving import Transport

__all__ = ["AsyncioTransport"]


class AsyncioTransport(asyncio.Protocol):
    """asyncio's protocol for one client, and the Transport of its driver.

    Args:
        connect: makes the driver, once there is a connection.
    """

    __slots__ = ("_connect", "_driver", "_is_paused", "_transport")

    def __init__(self, connect: Callable[[Transport], ClientDriver]) -> None:
        self._connect = connect
        self._is_paused = False  # something is unsent

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(0)  # so that all that is unsent is told
        self._driver = self._connect(self)
        del self._connect  # needed no more, for as long as the client stays
        self._driver.start()

    def data_received(self, data: bytes) -> None:
        self._driver.data_received(data)

    def eof_received(self) -> bool:
        self._driver.eof_received()
        return self._transport.can_write_eof()  # whether the other direction stays open

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        # asyncio calls in the middle of its own writing, and is confused where the answer is to close
        asyncio.get_running_loop().call_soon(self._written)

    def _written(self) -> None:
        if not self._is_paused:
            self._driver.written()

    def connection_lost(self, error: Exception | None) -> None:
        self._driver.connection_lost()

    # What the driver wants

    @property
    def unsent(self) -> int:
        return self._transport.get_write_buffer_size()

    def send(self, data: bytes) -> bool:
        self._transport.write(data)
        return not self._is_paused

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def half_close(self) -> bool:
        if self._transport.is_closing() or not self._transport.can_write_eof():
            return False
        try:
            self._transport.write_eof()
        except OSError:  # the client has left
            return False
        return True

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

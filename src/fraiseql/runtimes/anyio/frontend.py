"""The clients of a server: accepts them, drives them, and lets them go."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import ssl
from dataclasses import replace
from functools import partial
from typing import cast

import anyio

from fraiseql.runtimes.accepting import AcceptTrouble
from fraiseql.runtimes.anyio.accepting import Acceptor
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.transport import SocketTransport
from fraiseql.runtimes.anyio.waits import sleep
from fraiseql.runtimes.assembling import address_of
from fraiseql.runtimes.asyncio import AsyncioTransport
from fraiseql.runtimes.clients import ClientDriver
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.driving import Session, Surroundings, Transport
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.loop import Clock, EventLoop
from fraiseql.runtimes.tls import TlsSession
from fraiseql.session import BusySession, ClientSession, Endpoint, most_busy

__all__ = ["Frontend"]


class Frontend:
    """Serves the clients of some listening sockets.

    Args:
        endpoint: what they are served.
        around: what their drivers share.
        config: of it the numbers of clients.
        listeners: belong to this object now.
        loop: watches the sockets.
        native: whether clients have transports of asyncio, under which this runs then.
        tls: for clients that speak TLS.
        background: where connections are made ready.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        around: Surroundings,
        config: FraiseQLConfig,
        listeners: Listeners,
        *,
        loop: EventLoop,
        native: bool,
        tls: ssl.SSLContext | None,
        background: Background,
    ) -> None:
        self._endpoint = endpoint
        self._around = replace(around, gone=self._gone)
        self._max = config.max_connections
        self._most = self._max + most_busy(self._max)
        self._retry_after = config.retry_after
        self._listeners = listeners
        self._loop = loop
        self._native = native
        self._tls = tls
        self._background = background
        self._ids = itertools.count(1)
        self._prefix = os.urandom(4).hex()  # so that the ids of two processes differ
        self._drivers: set[ClientDriver] = set()
        self._busy: set[ClientDriver] = set()  # of these, who is told that there is no room
        self._coming = 0  # accepted, and without a driver yet
        self._fewer = anyio.Event()  # set, and replaced, when a client leaves
        trouble = AcceptTrouble(around.observe, loop.time)
        self._acceptors = [Acceptor(sock, listeners, loop, self._admit, trouble) for sock in listeners.sockets]

    @property
    def clients(self) -> int:
        """How many are served."""
        return len(self._drivers) - len(self._busy)

    @property
    def clock(self) -> Clock:
        """By which deadlines are kept."""
        return self._around.clock

    def accept(self) -> None:
        """Begin."""
        for acceptor in self._acceptors:
            acceptor.resume()

    def close(self) -> None:
        """Accept nobody any more."""
        for acceptor in self._acceptors:
            acceptor.pause()
        self._acceptors = []
        self._listeners.close()

    async def drain(self) -> None:
        """Ask all clients to go: those that wait for nothing at once, WebSockets one after the other."""
        lasting = [driver for driver in self._drivers if driver.lasts]
        for driver in self._drivers.difference(lasting):
            driver.drain()
        pause = self._endpoint.subscriptions.close_spread / max(1, len(lasting))
        for driver in lasting:
            driver.drain()
            await sleep(self._around.clock, pause)
        while self._drivers:
            await self._fewer.wait()

    async def cut(self) -> None:
        """Cancel what runs, close all connections and wait until they are closed."""
        for driver in list(self._drivers):
            driver.cut()
        while self._drivers:
            await self._fewer.wait()

    def _admit(self, sock: socket.socket) -> None:
        self._coming += 1
        if self._native:
            self._background.start_soon(self._admit_natively, sock, name="fraiseql accept")
            self._counted()
        else:
            transport = SocketTransport(sock, self._loop)
            transport.start(self._connect(address_of(sock), transport))

    async def _admit_natively(self, sock: socket.socket) -> None:
        loop = cast(asyncio.AbstractEventLoop, self._loop)
        connect = partial(self._connect, address_of(sock))
        try:
            await loop.connect_accepted_socket(partial(AsyncioTransport, connect), sock)
        except OSError:  # it has left already
            self._coming -= 1
            sock.close()
            self._counted()

    def _connect(self, address: str | None, transport: Transport) -> ClientDriver:
        """Make the driver of a client; one for whom there is no room is told so."""
        self._coming -= 1
        connection_id = f"{self._prefix}-{next(self._ids)}"
        has_room = self.clients < self._max
        session: Session
        if has_room:
            session = ClientSession(self._endpoint, connection_id, address)
        else:
            session = BusySession(connection_id, self._endpoint.http, self._retry_after, self._around.observe)
        if self._tls is not None:
            timeout = session.patience if isinstance(session, BusySession) else self._endpoint.http.head_timeout
            session = TlsSession(session, self._tls, connection_id, timeout, self._around.observe)
        driver = ClientDriver(session, transport, self._around, connection_id)
        if not has_room:
            self._busy.add(driver)
        self._drivers.add(driver)
        self._counted()
        return driver

    def _gone(self, driver: ClientDriver) -> None:
        self._drivers.discard(driver)
        self._busy.discard(driver)
        self._fewer.set()
        self._fewer = anyio.Event()
        self._counted()

    def _counted(self) -> None:
        """Say how many there are, and accept as many as there may be."""
        clients = len(self._drivers)
        self._listeners.count(clients + self._coming)
        for acceptor in self._acceptors:
            (acceptor.resume if clients + self._coming < self._most else acceptor.pause)()

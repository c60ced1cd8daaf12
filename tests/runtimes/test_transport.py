"""Clients' sockets as drivers have them: over asyncio's transports, and over the reactor under asyncio and trio."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest

from fraiseql.observations import AcceptFailed, Observation, Observer
from fraiseql.runtimes.accepting import AcceptTrouble
from fraiseql.runtimes.anyio.accepting import Acceptor
from fraiseql.runtimes.anyio.reactor import Reactor
from fraiseql.runtimes.anyio.transport import SocketTransport
from fraiseql.runtimes.asyncio import AsyncioTransport
from fraiseql.runtimes.balancing import Shares
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.driving import Transport
from fraiseql.runtimes.listening import Listeners, open_listeners
from fraiseql.runtimes.loop import EventLoop

pytestmark = pytest.mark.anyio
KINDS = pytest.mark.parametrize("native", [True, False], ids=["native", "reactor"])


class Driver:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.received = b""
        self.told: list[str] = []

    def start(self) -> None:
        self.told.append("start")

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> None:
        self.told.append("eof")

    def written(self) -> None:
        self.told.append("written")

    def connection_lost(self) -> None:
        self.told.append("lost")


class Bench:
    """A transport under test, its driver, and the client's end."""

    def __init__(self, transport: Transport, driver: Driver, client: socket.socket) -> None:
        self.transport = transport
        self.driver = driver
        self.client = client

    async def until(self, told: str) -> None:
        with anyio.fail_after(5):
            while self.driver.told[-1:] != [told]:
                await anyio.sleep(0.001)

    async def hears(self, size: int) -> bytes:
        found = b""
        with anyio.fail_after(5):
            while len(found) < size:
                await anyio.wait_readable(self.client)
                if not (data := self.client.recv(65_536)):
                    break
                found += data
        return found


@asynccontextmanager
async def event_loop(native: bool) -> AsyncIterator[EventLoop]:
    if native:
        yield asyncio.get_running_loop()
        return
    async with anyio.create_task_group() as group:
        reactor = Reactor()
        group.start_soon(reactor.run)
        yield reactor
        await anyio.sleep(0.001)
        group.cancel_scope.cancel()


@asynccontextmanager
async def connected(native: bool, anyio_backend_name: str) -> AsyncIterator[Bench]:
    if native and anyio_backend_name == "trio":
        native = False  # has no transports of its own
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    driver: Any = Driver()
    with theirs:
        async with event_loop(native) as loop:
            if native:
                _, transport = await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: AsyncioTransport(lambda _: driver), ours
                )
            else:
                transport = SocketTransport(ours, loop)
                transport.start(driver)
            yield Bench(transport, driver, theirs)
            transport.abort()
            await anyio.sleep(0.001)


@KINDS
async def test_bytes_in_and_out(native: bool, anyio_backend_name: str) -> None:
    async with connected(native, anyio_backend_name) as bench:
        bench.client.send(b"ping")
        with anyio.fail_after(5):
            while bench.driver.received != b"ping":
                await anyio.sleep(0.001)
        assert bench.transport.send(b"pong")
        assert await bench.hears(4) == b"pong"


@KINDS
async def test_what_the_client_does_not_take_is_kept_and_told_when_written(
    native: bool, anyio_backend_name: str
) -> None:
    large = bytes(4_000_000)
    async with connected(native, anyio_backend_name) as bench:
        assert not bench.transport.send(large)
        assert 0 < bench.transport.unsent < len(large)
        assert not bench.transport.send(b"!")
        assert "written" not in bench.driver.told
        assert await bench.hears(len(large) + 1) == large + b"!"
        await bench.until("written")
        assert bench.transport.unsent == 0
        assert bench.driver.told.count("written") == 1


@KINDS
async def test_nothing_is_delivered_while_reading_is_paused(native: bool, anyio_backend_name: str) -> None:
    async with connected(native, anyio_backend_name) as bench:
        bench.transport.pause_reading()
        bench.client.send(b"later")
        await anyio.sleep(0.01)
        assert bench.driver.received == b""
        bench.transport.resume_reading()
        with anyio.fail_after(5):
            while bench.driver.received != b"later":
                await anyio.sleep(0.001)


@KINDS
async def test_each_direction_ends_by_itself(native: bool, anyio_backend_name: str) -> None:
    async with connected(native, anyio_backend_name) as bench:
        bench.client.shutdown(socket.SHUT_WR)
        await bench.until("eof")
        assert bench.transport.send(b"still here")
        assert await bench.hears(10) == b"still here"
        assert bench.transport.half_close()
        assert await bench.hears(1) == b""
        bench.transport.close()
        assert bench.driver.told[-1] == "eof"  # it is told later, never within the call
        await bench.until("lost")


@KINDS
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_an_end_from_our_side_is_told_once(native: bool, how: str, anyio_backend_name: str) -> None:
    async with connected(native, anyio_backend_name) as bench:
        getattr(bench.transport, how)()
        getattr(bench.transport, how)()
        await bench.until("lost")
        bench.transport.send(b"too late")
        bench.transport.pause_reading()
        bench.transport.resume_reading()
        bench.transport.half_close()
        bench.transport.abort()
        await anyio.sleep(0.01)
        assert bench.driver.told.count("lost") == 1
        assert await bench.hears(1) == b""


@KINDS
async def test_a_client_that_is_gone_is_noticed_by_what_is_sent(native: bool, anyio_backend_name: str) -> None:
    async with connected(native, anyio_backend_name) as bench:
        bench.transport.pause_reading()
        bench.client.close()
        for _ in range(3):
            bench.transport.send(b"x")
            await anyio.sleep(0.001)
        await bench.until("lost")


# Accepting


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


@asynccontextmanager
async def accepting(
    *numbers: int, observe: Observer = lambda _: None
) -> AsyncIterator[tuple[Acceptor, Listeners, list[socket.socket]]]:
    listeners = open_listeners(FraiseQLConfig(port=0))
    admitted: list[socket.socket] = []
    async with event_loop(False) as loop:
        listener: Any = TroubledListener(listeners.sockets[0], *numbers)
        acceptor = Acceptor(listener, listeners, loop, admitted.append, AcceptTrouble(observe, loop.time))
        acceptor.resume()
        yield acceptor, listeners, admitted
        acceptor.pause()
    listeners.close()
    for sock in admitted:
        sock.close()


async def until_admitted(admitted: list[socket.socket], count: int) -> None:
    with anyio.fail_after(5):
        while len(admitted) < count:
            await anyio.sleep(0.001)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ECONNABORTED, []),
        (errno.EHOSTUNREACH, []),
        (errno.ENETDOWN, []),
        (errno.EMFILE, [AcceptFailed("Too many open files")]),
        (errno.ENOBUFS, [AcceptFailed("No buffer space available")]),
        (errno.EIO, [AcceptFailed("Input/output error")]),  # nobody expects it, and it may pass
    ],
)
async def test_accepting_survives_passing_trouble(
    monkeypatch: pytest.MonkeyPatch, number: int, told: list[Observation]
) -> None:
    monkeypatch.setattr("fraiseql.runtimes.accepting._PAUSE", 0.001)
    seen: list[Observation] = []
    async with accepting(number, number, observe=seen.append) as (_, listeners, admitted):
        with socket.create_connection(("127.0.0.1", listeners.port)):
            await until_admitted(admitted, 1)
    assert seen == told  # once, not for each attempt


async def test_who_comes_while_accepting_is_paused_waits() -> None:
    async with accepting() as (acceptor, listeners, admitted):
        acceptor.pause()
        with socket.create_connection(("127.0.0.1", listeners.port)):
            await anyio.sleep(0.01)
            assert not admitted
            acceptor.resume()
            await until_admitted(admitted, 1)


async def test_a_process_with_more_clients_than_another_leaves_it_the_next() -> None:
    async with accepting() as (_, listeners, admitted):
        listeners.shares = shares = Shares(2)
        for number in (1, 0):
            shares.take(number)
            shares.join()
        listeners.count(5)
        assert listeners.head_start > 0
        with suppress(OSError), socket.create_connection(("127.0.0.1", listeners.port)):
            await until_admitted(admitted, 1)  # nobody else took it

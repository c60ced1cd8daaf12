"""The server's side of a world: a driver for each client, as on event loops, or a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from fraiseql.effects import Effect, Program
from fraiseql.observations import Observer
from fraiseql.runtimes.clients import ClientDriver
from fraiseql.runtimes.driving import Session, Surroundings
from fraiseql.runtimes.operations import Signal
from fraiseql.runtimes.threads.connection import ClientConnection
from fraiseql.runtimes.threads.programs import Performer as ThreadPerformer
from fraiseql.runtimes.threads.streaming import GivenOperation
from fraiseql.runtimes.threads.waiting import Patience, Poller
from fraiseql.testing.simulation.batons import Baton
from fraiseql.testing.simulation.blocking import BlockingDatabase
from fraiseql.testing.simulation.descriptors import Descriptors
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.network import Listener, NetworkFaults, Wire
from fraiseql.testing.simulation.performing import Performer
from fraiseql.testing.simulation.sockets import SimulatedSocket, SocketWire
from fraiseql.testing.simulation.tasks import Wait

__all__ = ["LoopServer", "Server", "Site", "ThreadServer"]

_DATE: Final = b"Thu, 01 Jan 1970 00:00:00 GMT"
_FEW: Final = (1, 1, 3)  # events in a connection's inbox, beyond which a stream of its own waits
_CUT: Final = 3.0  # seconds for the end of a connection that was cut
_MOST_UNREAD: Final = 1_000  # events in an inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a server has of its world.

    Attributes:
        random: draws what only this server needs.
        performer: has the streams, the tasks and the database.
        max_statements: see Surroundings.
        close_spread: seconds, over which WebSockets are asked to go.
        violated: called with what must not have happened.
    """

    loop: SimulatedLoop
    random: Random
    performer: Performer
    max_statements: int
    write_timeout: float
    close_spread: float
    observe: Observer
    violated: Callable[[str], None]


class Server(Protocol):
    """What a world needs of its server."""

    @property
    def connections(self) -> int:
        """How many clients there are."""

    def wire(self, name: str, random: Random, faults: NetworkFaults) -> Wire:
        """A connection, not yet accepted."""

    def serve(self, session: Session, wire: Wire, client: Listener) -> None:
        """Accept a client."""

    def drain(self) -> None:
        """Begin to stop: ask all clients to go, and whoever comes later."""

    def cut(self) -> None:
        """End all connections that there are."""

    def left(self) -> dict[str, int]:
        """What is not at its end yet, in words, and how much of it."""

    def unsent(self) -> dict[str, int]:
        """Bytes that are kept for clients that do not read, by the names of their connections."""

    def end(self) -> None:
        """The world ends."""


class LoopServer:
    """As on asyncio and trio: drivers that are called back."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._around = Surroundings(
            clock=site.loop,
            date=lambda: _DATE,
            operations=site.performer,
            max_statements=site.max_statements,
            write_timeout=site.write_timeout,
            observe=site.observe,
            gone=self._gone,
        )
        self._drivers: dict[ClientDriver, Wire] = {}
        self._is_draining = False

    @property
    def connections(self) -> int:
        return len(self._drivers)

    def wire(self, name: str, random: Random, faults: NetworkFaults) -> Wire:
        return Wire(name, self._site.loop, random, faults, self._site.violated)

    def serve(self, session: Session, wire: Wire, client: Listener) -> None:
        driver = ClientDriver(session, wire, self._around, wire.name)
        self._drivers[driver] = wire
        wire.attach(driver, client)
        self._site.loop.call_soon(self._accept, driver)

    def drain(self) -> None:
        self._is_draining = True
        for driver in list(self._drivers):
            driver.drain()

    def cut(self) -> None:
        for driver in list(self._drivers):
            driver.cut()

    def left(self) -> dict[str, int]:
        return {"connections of clients": len(self._drivers)}

    def unsent(self) -> dict[str, int]:
        return {wire.name: wire.most_unsent for wire in self._drivers.values()}

    def end(self) -> None:
        """Nothing is left but what the loop has."""

    def _accept(self, driver: ClientDriver) -> None:
        driver.start()
        if self._is_draining:
            driver.drain()

    def _gone(self, driver: ClientDriver) -> None:
        if self._drivers.pop(driver, None) is None:
            self._site.violated(f"{driver.connection_id} is gone twice")


class ThreadServer:
    """As on threads: each client has one, of which one runs at a time.

    Attributes:
        share: see Streaming.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self.share = site.max_statements
        self._baton = Baton(site.loop, site.random)
        self._descriptors = Descriptors(self._baton)
        database = BlockingDatabase(site.loop, site.performer, self._descriptors, site.random)
        self._performer = ThreadPerformer(database, None)
        self._few = site.random.choice(_FEW)
        self._connections: dict[ClientConnection, None] = {}
        self._is_draining = False

    @property
    def connections(self) -> int:
        return len(self._connections)

    def wire(self, name: str, random: Random, faults: NetworkFaults) -> Wire:
        faults.half_closes = True  # for TLS too: that is the session's
        return SocketWire(name, self._site.loop, random, faults, self._site.violated)

    def serve(self, session: Session, wire: Wire, client: Listener) -> None:
        assert isinstance(wire, SocketWire)
        wire.attach(None, client)
        connection = ClientConnection(
            SimulatedSocket(wire, self._descriptors, self._site.violated),
            session,
            performer=self._performer,
            streaming=self,
            date=lambda: _DATE,
            connection_id=wire.name,
            write_timeout=self._site.write_timeout,
            observe=self._site.observe,
            poller=Poller(system=self._descriptors.system),
        )
        self._connections[connection] = None
        self._baton.start(partial(self._serve, connection), wire.name)
        if self._is_draining:
            connection.drain()

    def operate(
        self, connection: ClientConnection, operation_id: int, program: Program[Any], effect: Effect
    ) -> GivenOperation:
        """Run a program on in the thread of the loop; see Streaming."""
        operation = _Operation(connection, operation_id, self._call, self._few)
        self._call(operation.start, self._site.performer, program, effect, connection.gate)
        return operation

    def drain(self) -> None:
        self._is_draining = True
        self._baton.start(self._drain, "drains")

    def cut(self) -> None:
        left = list(self._connections)
        self._site.loop.call_later(_CUT, self._look_for_cut, left)
        self._baton.start(partial(self._cut, left), "cuts")

    def left(self) -> dict[str, int]:
        return {"connections of clients": len(self._connections), "threads": len(self._baton.threads)}

    def unsent(self) -> dict[str, int]:
        for connection in self._connections:
            if connection.backlog > _MOST_UNREAD:
                self._site.violated(f"{connection.backlog} events wait in the inbox of {connection.connection_id}")
        return {connection.connection_id: connection.unsent for connection in self._connections}

    def end(self) -> None:
        threads = len(self._baton.threads)
        self._baton.end()
        if not threads and len(self._descriptors):
            self._site.violated(f"{len(self._descriptors)} descriptors are left at the end")

    def _serve(self, connection: ClientConnection) -> None:
        try:
            connection.run()
        finally:
            del self._connections[connection]
            connection.close()

    def _drain(self) -> None:
        """As ThreadedApp does."""
        connections = list(self._connections)
        lasting = [connection for connection in connections if connection.lasts]
        for connection in [each for each in connections if each not in lasting]:
            connection.drain()
        pause = self._site.close_spread / max(1, len(lasting))
        with Patience(system=self._descriptors.system) as patience:
            for connection in lasting:
                connection.drain()
                until = patience.now() + pause
                while patience.now() < until:
                    patience.wait(None, 0, until)

    def _cut(self, connections: list[ClientConnection]) -> None:
        for connection in connections:
            connection.cut()

    def _look_for_cut(self, cut: list[ClientConnection]) -> None:
        for connection in cut:
            if connection in self._connections:
                self._site.violated(f"{connection.connection_id} was cut, and is still there")

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the thread of the loop call a function."""
        self._baton.step_aside()
        self._site.loop.call_soon(function, *arguments)
        self._baton.step_aside()


class _Operation(GivenOperation):
    """One whose signals the tasks of the simulation can wait for."""

    def make_signal(self) -> Signal:
        return _Signal()


class _Signal:
    def __init__(self) -> None:
        self._wait = Wait()

    def set(self) -> None:
        self._wait.set()

    async def wait(self) -> None:
        await self._wait

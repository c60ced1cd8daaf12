"""A connection driven by callbacks, beside other descriptors of the same event loop."""

from __future__ import annotations

import os
import socket
from typing import Any

import anyio
import pytest

from fraiseql.effects import Fetch, Statement
from fraiseql.limits import PoolLimits
from fraiseql.postgres import run
from fraiseql.runtimes.anyio.connecting import Connector
from fraiseql.runtimes.anyio.reactor import Reactor
from fraiseql.runtimes.links import PostgresLink

pytestmark = pytest.mark.anyio
NAP = Fetch(Statement(b"SELECT pg_sleep(60)", 1), ())


async def test_a_descriptor_that_takes_the_number_of_a_lost_connections_is_left_alone(
    module_database_url: str,
) -> None:
    """libpq closes its own as soon as the connection is lost, while the link is still watched."""
    reactor = Reactor()
    heard: list[bytes] = []
    lost = anyio.Event()
    sockets: list[socket.socket] = []

    def told(result: Any, error: Exception | None) -> None:
        assert error is not None
        for _ in range(4):
            ours, theirs = socket.socketpair()
            sockets.extend((ours, theirs))
            reactor.add_reader(ours.fileno(), lambda ours=ours: heard.append(ours.recv(10)))
            theirs.send(b"x")
        link.close()
        lost.set()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(reactor.run)
            connection = await Connector(module_database_url, PoolLimits()).connect()
            link = PostgresLink(connection, reactor, reactor, 1.0)
            link.converse(run(connection, NAP), told)
            with socket.socket(fileno=os.dup(connection.fd)) as twin:
                twin.shutdown(socket.SHUT_RDWR)
            await lost.wait()
            while len(heard) < 4:
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
    for sock in sockets:
        sock.close()

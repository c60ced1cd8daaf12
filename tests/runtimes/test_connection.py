"""The driver of one client connection, over a socket pair and a session that does as it is told."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from fraiseql.effects import Effect, Fetch, Program, Row, Statement, fetch
from fraiseql.errors import DatabaseError
from fraiseql.observations import Observation, RequestRefused
from fraiseql.runtimes.anyio.connection import ClientConnection
from fraiseql.runtimes.anyio.programs import Run, run_program
from fraiseql.runtimes.anyio.transport import ClientSocket
from fraiseql.session import (
    CancelOperation,
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    OperationEnded,
    OperationFailed,
    SendData,
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)

pytestmark = pytest.mark.anyio

ONE = Statement(b"SELECT 1", 1)


class ScriptedSession:
    """Answers each event with what `react` gives for it, and keeps what it was told."""

    def __init__(self, react: Callable[[SessionEvent], list[Command]]) -> None:
        self.react = react
        self.told: list[SessionEvent] = []
        self.deadline: float | None = None
        self.wants_data = True
        self.lasts = False

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        assert date == b"today"
        self.told.append(event)
        return self.react(event)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told]


class FakeDatabase:
    """Each fetch waits until it is allowed to go on."""

    def __init__(self) -> None:
        self.go = anyio.Event()
        self.running = 0
        self.cancelled = 0

    async def perform(self, effect: Effect, run: Run) -> Row:
        assert isinstance(effect, Fetch)
        self.running += 1
        try:
            await self.go.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if effect.parameters == (b"fail",):
            raise DatabaseError("no", sqlstate="XX000")
        return (b"row",)


class Bench:
    """A driver under test, its session, its database and the client's end of the connection."""

    def __init__(self, session: ScriptedSession, write_timeout: float) -> None:
        self.session = session
        self.database = FakeDatabase()
        self.seen: list[Observation] = []
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.client = ClientSocket(theirs)
        self.raw = theirs
        self.connection = ClientConnection(
            ClientSocket(ours),
            session,
            perform=self.database.perform,
            max_statements=5,
            date=lambda: b"today",
            connection_id="c",
            write_timeout=write_timeout,
            observe=self.seen.append,
        )

    async def say(self, data: bytes) -> None:
        assert await self.client.send(data, patience=5)

    async def hear(self) -> bytes:
        with anyio.fail_after(5):
            return await self.client.receive()


@asynccontextmanager
async def driven(
    react: Callable[[SessionEvent], list[Command]], *, write_timeout: float = 5.0, start: bool = True
) -> AsyncIterator[Bench]:
    bench = Bench(ScriptedSession(react), write_timeout)
    try:
        with anyio.fail_after(15):
            async with anyio.create_task_group() as group:
                if start:
                    group.start_soon(bench.connection.run)
                yield bench
                bench.client.close()
                group.cancel_scope.cancel()
    finally:
        bench.client.close()
        bench.connection._client.close()


def program(*parameters: bytes) -> Program[Any]:
    row = yield from fetch(ONE, parameters)
    return row[0]


def echo(event: SessionEvent) -> list[Command]:
    match event:
        case DataReceived(b"bye"):
            return [SendData(b"good bye"), CloseConnection()]
        case DataReceived(data):
            return [SendData(data.upper())]
        case EofReceived():
            return [CloseConnection()]
    return []


def asking(event: SessionEvent) -> list[Command]:
    match event:
        case DataReceived(b"cancel"):
            return [CancelOperation(1)]
        case DataReceived(parameter):
            return [StartOperation(1, program(parameter))]
        case OperationEnded(_, result):
            return [SendData(b"ended " + result)]
        case OperationFailed(_, error):
            return [SendData(repr(error).encode())]
        case EofReceived():
            return [CancelOperation(1), CloseConnection()]
    return []


async def test_bytes_in_bytes_out_and_an_orderly_close() -> None:
    async with driven(echo) as bench:
        await bench.say(b"one")
        assert await bench.hear() == b"ONE"
        await bench.say(b"two")
        assert await bench.hear() == b"TWO"
        await bench.say(b"bye")
        assert await bench.hear() == b"good bye"
        assert await bench.hear() == b""
    assert bench.session.told == [
        ConnectionMade(),
        DataReceived(b"one"),
        DataReceived(b"two"),
        DataReceived(b"bye"),
    ]


async def test_the_clients_end_is_told_once() -> None:
    async with driven(lambda event: []) as bench:
        bench.raw.shutdown(socket.SHUT_WR)
        while bench.session.kinds() != ["ConnectionMade", "EofReceived"]:
            await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.01)
        assert bench.session.kinds() == ["ConnectionMade", "EofReceived"]


async def test_an_operation_ends() -> None:
    async with driven(asking) as bench:
        await bench.say(b"x")
        bench.database.go.set()
        assert await bench.hear() == b"ended row"


async def test_a_database_error_is_thrown_into_the_program() -> None:
    def careful() -> Generator[Fetch, Any, bytes]:
        try:
            yield from fetch(ONE, (b"fail",))
        except DatabaseError as error:
            return error.sqlstate.encode()
        return b""

    database = FakeDatabase()
    database.go.set()
    assert await run_program(careful(), database.perform, Run()) == b"XX000"


async def test_what_a_program_raises_is_told() -> None:
    async with driven(asking) as bench:
        bench.database.go.set()
        await bench.say(b"fail")
        assert await bench.hear() == b"DatabaseError('no')"


async def test_a_cancelled_operation_is_not_told_of() -> None:
    async with driven(asking) as bench:
        await bench.say(b"x")
        while not bench.database.running:
            await anyio.lowlevel.checkpoint()
        await bench.say(b"cancel")
        while bench.database.running:
            await anyio.lowlevel.checkpoint()
        bench.database.go.set()
        assert bench.database.cancelled == 1
        await bench.say(b"y")
        assert await bench.hear() == b"ended row"
        assert bench.session.kinds().count("OperationEnded") == 1


async def test_a_client_that_leaves_while_its_operation_runs_is_noticed() -> None:
    async with driven(asking) as bench:
        await bench.say(b"x")
        while not bench.database.running:
            await anyio.lowlevel.checkpoint()
        bench.client.close()
        while bench.database.running:
            await anyio.lowlevel.checkpoint()
        assert bench.database.cancelled == 1
        assert bench.session.kinds()[-1] == "EofReceived"


async def test_an_operation_cancelled_in_the_commands_that_started_it_takes_no_step() -> None:
    steps = []

    def stepping() -> Program[Any]:
        steps.append(1)
        yield from program(b"x")

    async with driven(
        lambda event: [StartOperation(1, stepping()), CancelOperation(1)] if isinstance(event, DataReceived) else []
    ) as bench:
        bench.database.go.set()
        await bench.say(b"x")
        await anyio.sleep(0.02)
        assert bench.session.kinds() == ["ConnectionMade", "DataReceived"]
        assert not steps


async def test_the_deadline_is_delivered_also_where_an_operation_moved_it() -> None:
    def react(event: SessionEvent) -> list[Command]:
        match event:
            case DataReceived(parameter):
                bench.session.deadline = anyio.current_time() + 60
                return [StartOperation(1, program(parameter))]
            case OperationEnded():
                bench.session.deadline = anyio.current_time() + 0.02
            case DeadlineReached():
                assert bench.session.deadline is not None
                assert anyio.current_time() >= bench.session.deadline
                return [SendData(b"too late"), CloseConnection()]
        return []

    async with driven(react) as bench:
        await bench.say(b"x")
        bench.database.go.set()
        assert await bench.hear() == b"too late"
        assert await bench.hear() == b""
    assert bench.session.kinds() == ["ConnectionMade", "DataReceived", "OperationEnded", "DeadlineReached"]


async def test_nothing_is_read_while_the_session_wants_nothing() -> None:
    def react(event: SessionEvent) -> list[Command]:
        match event:
            case DataReceived(b"first"):
                bench.session.wants_data = False
                return [StartOperation(1, program(b"x"))]
            case OperationEnded():
                bench.session.wants_data = True
        return []

    async with driven(react) as bench:
        await bench.say(b"first")
        while not bench.database.running:
            await anyio.lowlevel.checkpoint()
        await bench.say(b"second")
        await anyio.sleep(0.02)
        assert bench.session.kinds() == ["ConnectionMade", "DataReceived"]
        bench.database.go.set()
        while bench.session.told[-1:] != [DataReceived(b"second")]:
            await anyio.lowlevel.checkpoint()


async def test_the_session_is_told_of_a_client_that_does_not_read_and_that_it_reads_again() -> None:
    large = b"x" * 8_000_000

    def react(event: SessionEvent) -> list[Command]:
        match event:
            case DataReceived():
                return [SendData(large), SendData(b"y")]
            case SendingPaused():
                return [SendData(b"z")]
        return []

    async with driven(react) as bench:
        await bench.say(b"x")
        while bench.session.told[-1:] != [SendingPaused()]:
            await anyio.lowlevel.checkpoint()
        received = b""
        while len(received) < len(large) + 2:
            received += await bench.hear()
        assert received == large + b"yz"
        while bench.session.told[-1:] != [SendingResumed()]:
            await anyio.lowlevel.checkpoint()
        assert bench.session.kinds() == ["ConnectionMade", "DataReceived", "SendingPaused", "SendingResumed"]


async def test_events_go_on_while_the_client_does_not_read() -> None:
    def react(event: SessionEvent) -> list[Command]:
        match event:
            case DataReceived(b"first"):
                return [SendData(b"x" * 8_000_000)]
            case DataReceived(b"second"):
                return [StartOperation(1, program(b"x"))]
        return []

    async with driven(react) as bench:
        bench.database.go.set()
        await bench.say(b"first")
        while bench.session.told[-1:] != [SendingPaused()]:
            await anyio.lowlevel.checkpoint()
        await bench.say(b"second")
        while bench.session.told[-1:] != [OperationEnded(1, b"row")]:
            await anyio.lowlevel.checkpoint()


async def test_a_client_that_does_not_read_is_given_up() -> None:
    async with driven(
        lambda event: (
            [StartOperation(1, program(b"x")), SendData(b"x" * 8_000_000)] if isinstance(event, DataReceived) else []
        ),
        write_timeout=0.05,
        start=False,
    ) as bench:
        await bench.say(b"x")
        with anyio.fail_after(5):
            await bench.connection.run()
        assert bench.database.cancelled == 1
        assert [type(seen) for seen in bench.seen] == [RequestRefused]


async def test_a_slow_but_steady_reader_is_waited_for() -> None:
    large = b"x" * 2_000_000
    async with driven(
        lambda event: [SendData(large), CloseConnection()] if isinstance(event, DataReceived) else [], write_timeout=0.5
    ) as bench:
        await bench.say(b"x")
        received = 0
        began = anyio.current_time()
        while chunk := await bench.hear():
            received += len(chunk)
            await anyio.sleep(0.03)
        assert received == len(large)
        assert anyio.current_time() - began > 0.5


async def test_an_answer_is_not_lost_to_bytes_that_nobody_reads() -> None:
    """Closed with them unread, the kernel would reset the connection."""
    server = socket.create_server(("127.0.0.1", 0))
    with server:
        client = socket.create_connection(server.getsockname())
        sock, _ = server.accept()
    sock.setblocking(False)
    client.setblocking(False)
    session = ScriptedSession(
        lambda event: [SendData(b"refused"), CloseConnection()] if isinstance(event, DataReceived) else []
    )
    connection = ClientConnection(
        ClientSocket(sock),
        session,
        perform=FakeDatabase().perform,
        max_statements=5,
        date=lambda: b"today",
        connection_id="c",
        write_timeout=5,
        observe=lambda seen: None,
    )
    peer = ClientSocket(client)
    async with anyio.create_task_group() as group:
        group.start_soon(connection.run)
        for _ in range(5):
            assert await peer.send(b"x" * 100_000, patience=5)
            await anyio.sleep(0.01)
        with anyio.fail_after(5):
            assert await peer.receive() == b"refused"
            assert await peer.receive() == b""
        peer.close()


async def test_draining_reaches_the_session_even_before_it_runs() -> None:
    def react(event: SessionEvent) -> list[Command]:
        return [CloseConnection()] if isinstance(event, DrainRequested) else []

    async with driven(react, start=False) as bench:
        bench.connection.drain()
        with anyio.fail_after(5):
            await bench.connection.run()
        assert bench.session.kinds() == ["ConnectionMade", "DrainRequested"]
        bench.connection.drain()
        assert bench.session.kinds() == ["ConnectionMade", "DrainRequested"]
    async with driven(react) as bench:
        await anyio.sleep(0.01)
        bench.connection.drain()
        assert await bench.hear() == b""
        assert bench.session.kinds() == ["ConnectionMade", "DrainRequested"]


async def test_cancelling_the_driver_cancels_its_operations() -> None:
    async with driven(asking, start=False) as bench:
        async with anyio.create_task_group() as group:
            group.start_soon(bench.connection.run)
            await bench.say(b"x")
            while not bench.database.running:
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert bench.database.cancelled == 1
        assert await bench.hear() == b""

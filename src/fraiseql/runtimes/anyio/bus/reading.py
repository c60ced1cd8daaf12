"""Carries out what the reader of the outbox says, on a connection of its own."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import anyio

from fraiseql.bus.description import PostgresqlBus
from fraiseql.bus.fanout import Fanout
from fraiseql.bus.reader import Connect, Disconnect, OutboxReader, Place, Read, Step, Wait
from fraiseql.bus.statements import Outbox, read_page, read_place
from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.limits import SubscriptionLimits
from fraiseql.observations import ConnectionLost, ConnectionOpened, Observer, ReconnectFailed
from fraiseql.postgres import Listener, run
from fraiseql.runtimes.anyio.connecting import Connector
from fraiseql.runtimes.anyio.waits import drive

__all__ = ["Reading"]

_ANSWER_TIMEOUT = 10.0  # seconds for one answer: the network may swallow everything without a word

_Result = TypeVar("_Result")


class Reading:
    """The one connection that listens.

    It reads on that connection too: a read is short, begins when a notification has come, and so needs nobody to give
    a connection back first. A busy pool delays no event, and the outbox no request.
    """

    def __init__(
        self,
        description: PostgresqlBus,
        connector: Connector,
        outbox: Outbox,
        fanout: Fanout,
        limits: SubscriptionLimits,
        observe: Observer,
    ) -> None:
        self._channel = description.channel
        self._connector = connector
        self._outbox = outbox
        self._observe = observe
        self._reader = OutboxReader(fanout, limits, observe)
        self._listener: Listener | None = None
        self._waiting: anyio.CancelScope | None = None
        self._failure: DatabaseError | None = None

    def wake(self) -> None:
        """Something has changed: there is a new stream."""
        if self._waiting is not None:
            self._waiting.cancel()

    def why_not(self) -> DatabaseError:
        """Why a stream could not be opened in time."""
        reason = "" if self._failure is None else f": {self._failure}"
        return DatabaseError(f"the outbox could not be reached in time{reason}", sqlstate="08001", retryable=True)

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                step = self._reader.step(anyio.current_time())
                try:
                    await self._carry_out(step)
                except DatabaseError as error:
                    self._failed(self._outbox.explain(error))
                except Exception as error:  # a defect of ours: the streams hear of it
                    self._failed(DatabaseError(f"{type(error).__name__}: {error}", sqlstate="XX000"))
        finally:
            self._close()

    async def _carry_out(self, step: Step) -> None:
        match step:
            case Connect():
                await self._connect()
            case Place():
                self._reader.placed(read_place(await self._ask(self._outbox.place())))
            case Read(position, topics):
                fetch = self._outbox.read(position, topics)
                self._heard()  # what comes from here on may be missing in the answer
                row = await self._ask(fetch)
                self._reader.read(read_page(fetch, row), anyio.current_time())
                self._failure = None
                if self._heard():
                    self._reader.notified()
            case Wait(until):
                await self._wait(until)
            case Disconnect():
                self._close()

    async def _connect(self) -> None:
        connection = await self._connector.connect()
        self._listener = listener = Listener(connection, self._channel)
        await _in_time(drive(listener.listen()))
        self._observe(ConnectionOpened(connection.backend_pid))
        self._reader.connected()

    async def _ask(self, fetch: Fetch) -> Row:
        assert self._listener is not None
        return await _in_time(drive(run(self._listener.connection, fetch)))

    async def _wait(self, until: float | None) -> None:
        with anyio.CancelScope(deadline=float("inf") if until is None else until) as self._waiting:
            if self._listener is None:
                await anyio.sleep_forever()
            else:
                await drive(self._listener.wait())
        self._waiting = None
        if self._heard():
            self._reader.notified()

    def _heard(self) -> bool:
        """Whether a notification has come since this was last asked."""
        if self._listener is None or not self._listener.heard:
            return False
        self._listener.heard = False
        return True

    def _failed(self, error: DatabaseError) -> None:
        now = anyio.current_time()
        self._failure = error
        was_connected = None if self._listener is None else self._listener.connection.backend_pid
        self._close()
        self._reader.failed(error, now)
        if was_connected is not None:
            self._observe(ConnectionLost(was_connected, str(error)))
        else:
            self._observe(ReconnectFailed(str(error), self._reader.retry_at - now))

    def _close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            anyio.notify_closing(listener.connection.fd)
            listener.connection.close()


async def _in_time(answer: Awaitable[_Result]) -> _Result:
    with anyio.move_on_after(_ANSWER_TIMEOUT):
        return await answer
    text = f"the database did not answer within {_ANSWER_TIMEOUT:g} s"
    raise DatabaseError(text, sqlstate="08006", retryable=True)

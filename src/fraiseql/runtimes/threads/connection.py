"""One client's connection: its thread reads, keeps the deadline, does what the session says and runs its operations.

All that is told to the session is told by this thread. What others have to say waits in the inbox, and a wakeup ends
the wait of this thread; but most connections need neither: a client of HTTP that waits for nothing is waited for by a
plain `recv`, which ends where the server shuts its side of reading.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from fraiseql.effects import Effect, Program
from fraiseql.observations import InternalErrorMasked, Observer, RequestRefused
from fraiseql.pipeline import GraphQLResponse
from fraiseql.runtimes.driving import Session
from fraiseql.runtimes.operations import Gate
from fraiseql.runtimes.threads.outgoing import ClientSocket, Outgoing
from fraiseql.runtimes.threads.programs import EVERYTHING, GIVEN_AWAY, ONLY_CALLS, Performer
from fraiseql.runtimes.threads.waiting import Interrupted, Poller, Wakeup
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
    PauseOperation,
    ResumeOperation,
    SendData,
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)

__all__ = ["ClientConnection", "Elsewhere", "Streaming"]

_CHUNK: Final = 65_536  # bytes of one read: a request rarely has more than 4 KiB, a body up to a megabyte
_LINGER: Final = 2.0  # seconds for a client to close after our last answer
_LINGER_CHUNKS: Final = 1_024
_MOST_UNREAD: Final = 10_000  # events in the inbox: a thread that leaves so many has no time for its client
_GONE: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL
_DONTWAIT: Final = socket.MSG_DONTWAIT


class Elsewhere(Protocol):
    """An operation that was given to the event loop."""

    def abandon(self) -> None:
        """Cancel it."""

    def pause(self) -> None:
        """Let its stream wait."""

    def resume(self) -> None:
        """Let it go on."""


class Streaming(Protocol):
    """The event loop beside the threads.

    Attributes:
        share: how many statements one connection may run there at once.
    """

    share: int

    def operate(
        self, connection: ClientConnection, operation_id: int, program: Program[Any], effect: Effect
    ) -> Elsewhere:
        """Run a program on from an effect that it has yielded; what it brings is posted to the connection."""


class ClientConnection:
    """One client's connection and its session.

    Args:
        sock: connected and blocking; belongs to this object now.
        session: decides everything.
        performer: carries out the effects of operations.
        streaming: carries out those that last.
        date: gives the wall clock as HTTP writes it.
        connection_id: for observations.
        write_timeout: seconds for a client that takes nothing of its answer.
        observe: is told of a client that does not read.
        poller: what its thread waits with; belongs to this object now.

    Attributes:
        gate: bounds the statements of its operations on the event loop, and is pinned once the client has written.
    """

    def __init__(
        self,
        sock: ClientSocket,
        session: Session,
        *,
        performer: Performer,
        streaming: Streaming,
        date: Callable[[], bytes],
        connection_id: str,
        write_timeout: float,
        observe: Observer,
        poller: Poller | None = None,
    ) -> None:
        self._socket = sock
        self._fd = sock.fileno()
        self._session = session
        self._performer = performer
        self._streaming = streaming
        self._date = date
        self.connection_id = connection_id
        self.gate = Gate(streaming.share)
        self._observe = observe
        self._poller = poller or Poller()
        self.now = self._poller.now
        self._mask = -1  # what the client's descriptor is polled for; -1 before it is
        self._patience = 0.0  # seconds that a plain `recv` waits
        self._may_block = self._poller.is_real  # the client is between two requests
        self._starts: deque[tuple[int, Program[Any]]] = deque()
        self._current: int | None = None  # the operation that this thread runs
        self._interrupted = False
        self._elsewhere: dict[int, Elsewhere] = {}
        self._inbox: deque[SessionEvent] = deque()
        self._when_read: deque[Callable[[], None]] = deque()
        self._outgoing = Outgoing(sock, write_timeout, self.now)
        self._told = 0.0  # when the session was told something
        self._eof = False
        self._closing = False
        self._gone = False
        self._answered = False  # the last commands sent something before they closed
        # What other threads read and write:
        self._receiving = False  # in a plain `recv`
        self._draining = False
        self._has_drained = False  # the session knows
        self._cut = False

    # -- what other threads may call -------------------------------------------------------------------------------

    @property
    def lasts(self) -> bool:
        """Whether the client means to stay: it has a WebSocket."""
        return self._session.lasts

    @property
    def backlog(self) -> int:
        """How many events wait in the inbox."""
        return len(self._inbox)

    def drain(self) -> None:
        """Tell the session that the server is stopping."""
        self._draining = True
        if self._receiving:  # it sets this before it looks whether it shall drain
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RD)
        else:
            self._poller.wake()

    def cut(self) -> None:
        """End it at once: what runs is cancelled, where it waits."""
        self._cut = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def post(self, event: SessionEvent) -> None:
        """Tell the session something, when its thread comes to that."""
        if len(self._inbox) >= _MOST_UNREAD:
            self.cut()
            return
        self._inbox.append(event)
        self._poller.wake()

    def when_read(self, tell: Callable[[], None]) -> None:
        """Call a function, in this connection's thread, once the inbox has been read."""
        self._when_read.append(tell)
        self._poller.wake()

    # -- its thread ------------------------------------------------------------------------------------------------

    @property
    def wakeup(self) -> Wakeup:
        """By which another thread ends a wait."""
        return self._poller.wakeup

    @property
    def unsent(self) -> int:
        """How many bytes are kept, since the client does not read."""
        return self._outgoing.size

    def run(self) -> None:
        """Serve the client until all is said; `close` must follow, in this thread."""
        try:
            self._tell(ConnectionMade())
            while not self._closing:
                if self._starts:
                    self._operate(*self._starts.popleft())
                else:
                    self._await()
            while self._outgoing.waits and not self._gone:
                self._turn(None, None)
        finally:
            self._closing = True
            for operation in self._elsewhere.values():
                operation.abandon()

    def close(self) -> None:
        """Close the connection; where an answer may still be on its way, a moment after the client."""
        if self._answered and not self._eof and not self._gone and not self._cut:
            self._linger()
        self._socket.close()
        self._poller.close()

    def wait(self, fd: int | None, events: int, until: float | None) -> int:
        """Wait in the name of the operation, and serve the client meanwhile; see Waiter."""
        if fd is not None:
            self._poller.register(fd, events)
        try:
            ready = self._turn(fd, until)
        finally:
            if fd is not None:
                self._poller.unregister(fd)
        if self._interrupted:
            raise Interrupted
        return ready

    def _await(self) -> None:
        """Wait for the client, for the deadline, or for what others say."""
        if self._may_block and not self._draining and self._session.wants_data and not self._outgoing.waits:
            deadline = self._session.deadline
            self._receive(None if deadline is None else deadline - self._told)
        else:
            self._poller.can_be_woken()  # by who asks it to drain
            if self._draining and not self._has_drained:
                self._tell_to_drain()
            else:
                self._turn(None, None)

    def _receive(self, seconds: float | None) -> None:
        """Wait for a client that is between two requests: nothing but `recv`, and no other descriptor."""
        if seconds is not None and not 0 < self._patience <= seconds:
            # Less than is left, so that the next request needs no other: to set it costs a call.
            self._patience = max(seconds / 2 if seconds > 1.0 else seconds, 0.001)
            timeout = struct.pack("@ll", int(self._patience), int(self._patience % 1 * 1_000_000))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        data: bytes | None = None
        self._receiving = True
        try:
            if not self._draining:
                data = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            data = b""
        finally:
            self._receiving = False
        if self._cut:
            self._leave()
            return
        if data:  # first: a request that was read is answered, though the server is stopping
            self._may_block = False  # until its operation has ended
            self._tell(DataReceived(data))
        elif data is None:
            self._look_at_deadline()
        if self._draining:
            self._tell_to_drain()
        if data == b"" and not self._closing:  # where we drain, it was we who shut it, and it cannot be read any more
            self._told_eof()

    def _turn(self, fd: int | None, until: float | None) -> int:
        """Wait once; serve the client, and give what the descriptor is ready for."""
        self._watch()
        found = self._poller.poll(self._earliest(until))
        ready = 0
        for each, events in found:
            if each == fd:
                ready = events
            elif each == self._fd:
                self._client_is_ready(events)
        if self._cut:
            self._leave()
        elif self._draining and not self._has_drained and self._current is None:
            self._tell_to_drain()
        if self._inbox or self._when_read:
            self._read_inbox()
        self._look_at_deadline()
        return ready

    def _watch(self) -> None:
        """Poll the client for what is wanted of it now; that it has left is told in any case."""
        mask = select.POLLIN if self._session.wants_data and not self._eof else 0
        if self._outgoing.waits:
            mask |= select.POLLOUT
        if mask != self._mask:
            if self._mask < 0:
                self._poller.register(self._fd, mask)
            else:
                self._poller.modify(self._fd, mask)
            self._mask = mask

    def _earliest(self, until: float | None) -> float | None:
        deadline = self._session.deadline if not self._closing else None
        for other in (until, self._outgoing.due):
            if other is not None and (deadline is None or other < deadline):
                deadline = other
        return deadline

    def _client_is_ready(self, events: int) -> None:
        if events & select.POLLOUT:
            self._write()
        if events & select.POLLIN and self._mask & select.POLLIN:
            try:
                data = self._socket.recv(_CHUNK, _DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if data:
                self._tell(DataReceived(data))
            else:
                self._told_eof()
        elif events & _GONE:
            if self._eof:
                self._leave()
            else:
                self._told_eof()

    def _look_at_deadline(self) -> None:
        now = self.now()
        if self._outgoing.due is not None and now >= self._outgoing.due:
            self._give_up()
        deadline = self._session.deadline
        if deadline is not None and now >= deadline:
            self._tell(DeadlineReached())

    def _read_inbox(self) -> None:
        while self._inbox:
            event = self._inbox.popleft()
            if isinstance(event, (OperationEnded, OperationFailed)) and not self._elsewhere.pop(
                event.operation_id, None
            ):
                self._passed_over(event)
            else:
                self._tell(event)
        while self._when_read:
            self._when_read.popleft()()

    # -- the session -----------------------------------------------------------------------------------------------

    def _told_eof(self) -> None:
        self._eof = True
        self._tell(EofReceived())

    def _tell_to_drain(self) -> None:
        if not self._has_drained:
            self._has_drained = True
            self._tell(DrainRequested())

    def _tell(self, event: SessionEvent) -> None:
        """Give the session an event and do what it says."""
        if self._closing:
            return
        all_written = not self._outgoing.waits
        self._told = now = self.now()
        self._carry_out(self._session.handle(event, now, self._date()))
        if all_written and self._outgoing.waits and not self._closing:
            self._carry_out(self._session.handle(SendingPaused(), now, self._date()))

    def _carry_out(self, commands: list[Command]) -> None:
        self._answered = False
        for command in commands:
            if isinstance(command, SendData):
                self._answered = True
                self._send(command.data)
            elif isinstance(command, StartOperation):
                self._starts.append((command.operation_id, command.program))
            elif isinstance(command, CancelOperation):
                self._cancel(command.operation_id)
            elif isinstance(command, PauseOperation):
                if command.operation_id in self._elsewhere:
                    self._elsewhere[command.operation_id].pause()
            elif isinstance(command, ResumeOperation):
                if command.operation_id in self._elsewhere:
                    self._elsewhere[command.operation_id].resume()
            elif isinstance(command, CloseConnection):
                self._closing = True
                self._interrupted = True

    def _cancel(self, operation_id: int) -> None:
        if operation_id == self._current:
            self._interrupted = True
        elif (operation := self._elsewhere.pop(operation_id, None)) is not None:
            operation.abandon()
        else:
            for started in [each for each in self._starts if each[0] == operation_id]:
                self._starts.remove(started)

    # -- operations ------------------------------------------------------------------------------------------------

    def _operate(self, operation_id: int, program: Program[Any]) -> None:
        """Run an operation, or the part of it that belongs here: that of a WebSocket must not be in others' way."""

        event: OperationEnded | OperationFailed | None = None
        self._current, self._interrupted = operation_id, False
        kinds = ONLY_CALLS if self._session.lasts else EVERYTHING
        try:
            result = self._performer.run(program, self, self.gate, kinds, self._give_away)
            if result is not GIVEN_AWAY:
                event = OperationEnded(operation_id, result)
        except Interrupted:
            pass
        except Exception as error:  # a program answers all errors it knows of: this is a defect
            event = OperationFailed(operation_id, error)
        self._current = None
        if self._draining:
            self._tell_to_drain()
        if event is not None and self._interrupted:
            self._passed_over(event)
        elif event is not None:
            self._may_block = self._poller.is_real and not self._session.lasts
            self._tell(event)

    def _give_away(self, program: Program[Any], effect: Effect) -> None:
        assert self._current is not None
        self._may_block = False
        self._poller.can_be_woken()
        self._elsewhere[self._current] = self._streaming.operate(self, self._current, program, effect)

    def _passed_over(self, event: OperationEnded | OperationFailed) -> None:
        """A cancelled operation's last words: only what is a defect is heard."""
        request_id = f"{self.connection_id}-{event.operation_id}"
        if isinstance(event, OperationFailed):
            self._observe(InternalErrorMasked(request_id, event.error))
        elif isinstance(event.result, GraphQLResponse) and event.result.cause is not None:
            self._observe(InternalErrorMasked(request_id, event.result.cause))

    # -- writing ---------------------------------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        if not self._gone:
            try:
                self._outgoing.send(data)
            except OSError:
                self._give_up()

    def _write(self) -> None:
        """Write what the client did not take at once, and tell the session when it has taken all."""
        try:
            self._outgoing.flush()
        except OSError:
            self._give_up()
            return
        if not self._outgoing.waits:
            self._tell(SendingResumed())

    def _give_up(self) -> None:
        """The client has left or does not read: nothing more can be said to it."""
        self._observe(RequestRefused(self.connection_id, 408, "the client left or did not read its answer"))
        self._leave()

    def _leave(self) -> None:
        self._closing = self._gone = self._interrupted = True
        self._outgoing.clear()

    def _linger(self) -> None:
        """Close our side and wait for the client to close its own (RFC 9112 §9.6).

        Closed at once, with bytes of the client unread, the kernel would reset the connection, and the client lose the
        answer that is still on its way.
        """
        until = self.now() + _LINGER
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            if self._mask >= 0:
                self._poller.unregister(self._fd)
            self._poller.register(self._fd, select.POLLIN)
            for _ in range(_LINGER_CHUNKS):
                if not self._poller.poll(until) and self.now() >= until:
                    return
                with contextlib.suppress(BlockingIOError, InterruptedError):
                    if not self._socket.recv(_CHUNK, _DONTWAIT):
                        return

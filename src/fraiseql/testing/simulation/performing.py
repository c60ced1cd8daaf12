"""Carries out what programs ask for, by the simulation's own tasks over the production dispatcher and fan-out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Hashable
from functools import partial
from inspect import iscoroutine
from typing import Any, Final

from fraiseql.bus.fanout import Fanout, StreamState
from fraiseql.context import Info
from fraiseql.effects import (
    Absent,
    Begin,
    CallAll,
    Commit,
    Compute,
    Effect,
    Emission,
    Emit,
    EventSource,
    Fetch,
    Join,
    Next,
    Open,
    Program,
    ResolverSource,
    Rollback,
    Sleep,
    Stream,
)
from fraiseql.errors import DatabaseError
from fraiseql.runtimes.dispatching import Dispatcher
from fraiseql.runtimes.dispatching import Ticket as DispatchedTicket
from fraiseql.runtimes.operations import Gate, Participant, next_effect
from fraiseql.testing.simulation.links import ScriptedLink
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.tasks import Cancelled, Task, Wait, sleep

__all__ = ["OwnTransaction", "Performer", "RunningTask"]

_LOOK: Final = 0.02  # seconds between two looks at a gate, or at a client that does not read


class _Run:
    """One run of a program: what it has opened, and whom it emits to."""

    def __init__(self, participant: Participant | None, gate: Gate, audience: _Alone | _Shared | None = None) -> None:
        self.participant = participant
        self.gate = gate
        self.audience = audience
        self.transactions: list[OwnTransaction] = []
        self.handles: list[_Events | _Values] = []


class RunningTask:
    """The rest of a program, in a task."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def abandon(self) -> None:
        """Cancel it."""
        self._task.cancel()


class Performer:
    """The OperationRunner of the simulation.

    Args:
        submitted: called with each statement that was given to the dispatcher.
        room: waits until a participant has room for more; by default, until it is not paused.

    Attributes:
        dispatcher: gives statements to connections.
        running: how many programs run in tasks.
        transactions: how many are open, or on their way to their end.
        fanout: gives events to streams.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        dispatcher: Dispatcher,
        max_statements: int,
        max_buffered: int,
        submitted: Callable[[DispatchedTicket], None],
        room: Callable[[Participant], Awaitable[None]] | None = None,
    ) -> None:
        self._loop = loop
        self.dispatcher = dispatcher
        self.fanout = Fanout()
        self._max_buffered = max_buffered
        self._submitted = submitted
        self._room = room or self._while_paused
        self._streams_gate = Gate(max_statements)
        self._shared: dict[Hashable, _Shared] = {}
        self.running = 0
        self.transactions = 0

    @property
    def streams(self) -> int:
        """How many shared streams run."""
        return len(self._shared)

    def submit(self, effect: Fetch, done: Callable[[Any, Exception | None], None]) -> DispatchedTicket:
        """Run a statement."""
        ticket = self.dispatcher.submit(effect, done)
        self._submitted(ticket)
        return ticket

    def join(self, effect: Join, participant: Participant, done: Callable[[Any, Exception | None], None]) -> None:
        """Leave it to a task."""

    def run(
        self,
        program: Program[Any],
        effect: Effect,
        participant: Participant,
        gate: Gate,
        done: Callable[[Any, Exception | None], None],
    ) -> RunningTask:
        """Run a program on, in a task; `done` is told even where it was abandoned."""
        self.running += 1

        def ended(result: Any, error: Exception | None) -> None:
            self.running -= 1
            done(result, error)

        return RunningTask(Task(self._loop, self._driven(program, effect, _Run(participant, gate)), ended))

    async def _driven(self, program: Program[Any], effect: Effect | None, run: _Run) -> Any:
        try:
            if effect is None:
                effect = next_effect(partial(next, program))
            while True:
                try:
                    result = await self._perform(effect, run)
                except Exception as error:
                    step = partial(program.throw, error)
                else:
                    step = partial(program.send, result)
                effect = next_effect(step)
        except StopIteration as stop:
            return stop.value
        finally:
            program.close()
            for transaction in list(run.transactions):
                transaction.end()
            for handle in run.handles:
                handle.close()

    async def _perform(self, effect: Effect, run: _Run) -> Any:
        match effect:
            case Fetch():
                return await self._fetch(effect, run)
            case Begin():
                return await self._begin(run)
            case Commit(transaction):
                return await transaction.commit()
            case Rollback(transaction):
                return await transaction.rollback()
            case Emit(emission, to_newcomers):
                assert run.audience is not None
                return await run.audience.emit(emission, to_newcomers)
            case Next(handle, timeout):
                assert run.audience is not None
                return await run.audience.next(handle, timeout)
            case Open(source):
                handle = self._open(source)
                run.handles.append(handle)
                return handle
            case Join(stream):
                assert run.participant is not None
                run.participant.joined()
                return await self._join(stream, run.participant)
            case CallAll(calls):
                return [_called(call) for call in calls]
            case Compute(function, arguments):
                return function(*arguments)
            case Sleep(seconds):
                await sleep(self._loop, seconds)
                return self._loop.time()
            case _:
                raise AssertionError(f"nobody asks for {effect} here")

    # Statements

    async def _enter(self, gate: Gate) -> None:
        while not gate.try_enter():
            await sleep(self._loop, _LOOK)

    async def _fetch(self, effect: Fetch, run: _Run) -> Any:
        if effect.transaction is not None:
            return await effect.transaction.run(effect)
        if run.transactions:
            return await self.fetch(effect)
        await self._enter(run.gate)
        try:
            return await self.fetch(effect)
        finally:
            run.gate.leave()

    async def fetch(self, effect: Fetch) -> Any:
        """Run a statement outside of a transaction."""
        wait = Wait()
        ticket = self.submit(effect, wait.set)
        try:
            return await wait
        except Cancelled:
            ticket.abandon()
            raise

    async def begin(self) -> OwnTransaction:
        """Open a transaction that belongs to no program here."""
        return await self._begin(_Run(None, Gate(1)))

    async def _begin(self, run: _Run) -> OwnTransaction:
        gate = run.gate if not run.transactions else None
        if gate is not None:
            await self._enter(gate)
        wait = Wait()
        lease = self.dispatcher.lease(wait.set)
        try:
            await wait
        except BaseException:
            if lease.link is not None:
                lease.release("it was cancelled")
            else:
                lease.abandon()
            if gate is not None:
                gate.leave()
            raise
        link = lease.link
        assert isinstance(link, ScriptedLink)
        transaction = OwnTransaction(self, link, lease, run, gate)
        run.transactions.append(transaction)
        return transaction

    # Streams

    def _open(self, source: EventSource | ResolverSource) -> _Events | _Values:
        if isinstance(source, EventSource):
            return _Events(self._loop, source, self.fanout, self._max_buffered)
        return _Values(source)

    async def _while_paused(self, participant: Participant) -> None:
        while participant.is_paused:
            await sleep(self._loop, _LOOK)

    async def _join(self, stream: Stream, participant: Participant) -> Any:
        if stream.key is None:
            alone = _Alone(self._loop, participant, stream.is_state, self._room)
            return await self._driven(stream.begin(), None, _Run(None, self._streams_gate, alone))
        shared = self._shared.get(stream.key)
        if shared is None:
            shared = self._shared[stream.key] = _Shared(stream)
            shared.task = Task(self._loop, self._run_shared(shared), shared.ended)
        wait = shared.add(participant)
        try:
            return await wait
        finally:
            shared.remove(participant)
            if not shared.participants and self._shared.get(stream.key) is shared:
                del self._shared[stream.key]
                assert shared.task is not None
                shared.task.cancel()

    async def _run_shared(self, shared: _Shared) -> Any:
        try:
            return await self._driven(shared.stream.begin(), None, _Run(None, self._streams_gate, shared))
        finally:
            if self._shared.get(shared.stream.key) is shared:
                del self._shared[shared.stream.key]


class OwnTransaction:
    """What Begin gives."""

    def __init__(
        self, performer: Performer, link: ScriptedLink, lease: DispatchedTicket, run: _Run, gate: Gate | None
    ) -> None:
        self._performer, self._link, self._lease, self._run, self._gate = performer, link, lease, run, gate
        self._over = False
        performer.transactions += 1
        link.begin()

    async def run(self, effect: Fetch) -> Any:
        """One statement of it."""
        self._need_open()
        wait = Wait()
        abandon = self._link.run(effect, wait.set)
        try:
            return await wait
        except Cancelled:
            if not wait.done:
                self._leave(lambda: abandon(self._roll_back))
            raise
        except DatabaseError:
            if self._link.is_lost:
                self._leave(self._give_back)
            raise

    async def commit(self) -> None:
        """Commit; it is over then, whatever comes of it."""
        self._need_open()
        wait = Wait()
        abandon = self._link.commit(wait.set)
        try:
            await wait
        except Cancelled:
            self._leave(self._give_back if wait.done else lambda: abandon(self._give_back))
            raise
        except DatabaseError:
            self._leave(self._give_back)
            raise
        self._leave(self._give_back)

    async def rollback(self) -> None:
        """Roll back, if it is not over."""
        if self._over:
            return
        wait = Wait()
        self._leave(lambda: self._roll_back(wait.set))
        await wait

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end, or is on its way there."""
        return self._over

    def end(self) -> None:
        """Its program has ended."""
        if not self._over:
            self._leave(self._roll_back)

    def _need_open(self) -> None:
        if self._over:
            raise DatabaseError("the transaction was rolled back", sqlstate="25P02")

    def _leave(self, finish: Callable[[], None]) -> None:
        self._over = True
        self._run.transactions.remove(self)
        finish()

    def _roll_back(self, then: Callable[[], Any] = lambda: None) -> None:
        def ended(_: Any, error: DatabaseError | None) -> None:
            self._give_back()
            then()

        if self._link.is_lost or self._link.fault("") not in (None, ""):
            ended(None, None)
        else:
            self._link.rollback(ended)

    def _give_back(self) -> None:
        self._performer.transactions -= 1
        if self._gate is not None:
            self._gate.leave()
        self._lease.release("a transaction did not come to a clean end in time")


class _Events:
    """An opened event source."""

    def __init__(self, loop: SimulatedLoop, source: EventSource, fanout: Fanout, max_buffered: int) -> None:
        self._loop = loop
        self._fanout = fanout
        self.wait: Wait | None = None
        self.state = StreamState(source, max_buffered, self._wake)
        fanout.add(self.state)

    async def next(self, timeout: float | None) -> Any:
        await sleep(self._loop, 0.0)
        timer = None
        try:
            while (item := self.state.take()) is None:
                self.wait = Wait()
                if timeout is not None and timer is None:
                    timer = self._loop.call_later(timeout, lambda: self._wake(Absent.TIMED_OUT))
                if (told := await self.wait) is not None:
                    return self.state.take() or told
            return item
        finally:
            self.wait = None
            if timer is not None:
                timer.cancel()

    def _wake(self, told: Absent | None = None) -> None:
        if self.wait is not None:
            self.wait.set(told)

    def newcomer(self) -> None:
        """Somebody takes part."""
        self._wake(Absent.JOINED)

    def close(self) -> None:
        self._fanout.remove(self.state)
        self.state.close()


class _Values:
    """A user's generator that waits for nothing."""

    def __init__(self, source: ResolverSource) -> None:
        self._generator = source.function(**source.arguments)

    async def next(self, timeout: float | None) -> Any:
        if isinstance(self._generator, Generator):
            return next(self._generator, Absent.ENDED)
        try:
            return await self._generator.__anext__()
        except StopAsyncIteration:
            return Absent.ENDED

    def newcomer(self) -> None:
        """It is never shared."""

    def close(self) -> None:
        if isinstance(self._generator, Generator):
            self._generator.close()
            return
        closing = self._generator.aclose()
        try:
            closing.send(None)
        except StopIteration:
            return


class _Alone:
    """The audience of a stream with one participant: waits for it."""

    def __init__(
        self,
        loop: SimulatedLoop,
        participant: Participant,
        is_state: bool,
        room: Callable[[Participant], Awaitable[None]],
    ) -> None:
        self._loop, self._participant, self._is_state, self._room = loop, participant, is_state, room

    async def next(self, handle: _Events | _Values, timeout: float | None) -> Any:
        await self._room(self._participant)
        return await handle.next(timeout)

    async def emit(self, emission: Emission, to_newcomers: bool) -> None:
        if to_newcomers:
            return
        await sleep(self._loop, 0.0)
        await self._room(self._participant)
        self._participant.deliver(emission, self._is_state)


class _Shared:
    """A running stream, and those who take part."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.participants: dict[Participant, Wait] = {}
        self._newcomers: dict[Participant, None] = {}
        self._handle: _Events | _Values | None = None
        self.task: Task | None = None

    def add(self, participant: Participant) -> Wait:
        wait = self.participants[participant] = Wait()
        if self.stream.is_state:
            self._newcomers[participant] = None
            if self._handle is not None:
                self._handle.newcomer()
        return wait

    def remove(self, participant: Participant) -> None:
        del self.participants[participant]
        self._newcomers.pop(participant, None)

    def ended(self, result: Any, error: Exception | None) -> None:
        for wait in list(self.participants.values()):
            wait.set(result, error)

    async def next(self, handle: _Events | _Values, timeout: float | None) -> Any:
        if self._newcomers:
            return Absent.JOINED
        self._handle = handle
        try:
            return await handle.next(timeout)
        finally:
            self._handle = None

    async def emit(self, emission: Emission, to_newcomers: bool) -> None:
        audience = list(self._newcomers if to_newcomers else self.participants)
        self._newcomers.clear()
        for participant in audience:
            if participant in self.participants:
                participant.deliver(emission, self.stream.is_state)


def _called(call: Any) -> Any:
    named = dict(call.named)
    if call.takes_info:
        named["info"] = Info(call.caller, call.field_name, None)
    try:
        result = call.function(*call.arguments, **named)
        if iscoroutine(result):
            result.send(None)
            raise AssertionError("the functions of this schema wait for nothing")
    except StopIteration as stop:
        return stop.value
    except Exception as error:
        return error
    return result

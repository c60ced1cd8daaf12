"""Carries out what programs ask for, by the simulation's own tasks over the production dispatcher and fan-out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from inspect import iscoroutine
from typing import Any, Final

from fraiseql.bus.fanout import Fanout
from fraiseql.context import Info
from fraiseql.effects import (
    Begin,
    CallAll,
    Commit,
    Compute,
    Effect,
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
from fraiseql.runtimes.dispatching import Dispatcher
from fraiseql.runtimes.dispatching import Ticket as DispatchedTicket
from fraiseql.runtimes.operations import Gate, Participant, next_effect
from fraiseql.testing.simulation.links import ScriptedLink
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.streams import Alone, Events, Shared, Values
from fraiseql.testing.simulation.tasks import Cancelled, Task, Wait, sleep
from fraiseql.testing.simulation.transactions import OwnTransaction

__all__ = ["Performer", "RunningTask"]

_LOOK: Final = 0.02  # seconds between two looks at a gate, or at a client that does not read


class _Run:
    """One run of a program: what it has opened, and whom it emits to."""

    def __init__(self, participant: Participant | None, gate: Gate, audience: Alone | Shared | None = None) -> None:
        self.participant = participant
        self.gate = gate
        self.audience = audience
        self.transactions: list[OwnTransaction] = []
        self.handles: list[Events | Values] = []


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
        self._shared: dict[Hashable, Shared] = {}
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

        def ended() -> None:
            self.transactions -= 1
            if gate is not None:
                gate.leave()

        transaction = OwnTransaction(link, lease, run.transactions.remove, ended)
        self.transactions += 1
        run.transactions.append(transaction)
        return transaction

    # Streams

    def _open(self, source: EventSource | ResolverSource) -> Events | Values:
        if isinstance(source, EventSource):
            return Events(self._loop, source, self.fanout, self._max_buffered)
        return Values(source)

    async def _while_paused(self, participant: Participant) -> None:
        while participant.is_paused:
            await sleep(self._loop, _LOOK)

    async def _join(self, stream: Stream, participant: Participant) -> Any:
        if stream.key is None:
            alone = Alone(self._loop, participant, stream.is_state, self._room)
            return await self._driven(stream.begin(), None, _Run(None, self._streams_gate, alone))
        shared = self._shared.get(stream.key)
        if shared is None:
            shared = self._shared[stream.key] = Shared(stream)
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

    async def _run_shared(self, shared: Shared) -> Any:
        try:
            return await self._driven(shared.stream.begin(), None, _Run(None, self._streams_gate, shared))
        finally:
            if self._shared.get(shared.stream.key) is shared:
                del self._shared[shared.stream.key]


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

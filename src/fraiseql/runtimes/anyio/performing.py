"""Carries out the effects of programs: statements, calls of users' functions, sources and streams."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from fraiseql.effects import (
    Begin,
    Call,
    CallAll,
    Commit,
    Compute,
    Effect,
    Emit,
    EventSource,
    Execute,
    Fetch,
    Isolation,
    Join,
    Next,
    Open,
    Rollback,
    Sleep,
)
from fraiseql.limits import QueryLimits, SubscriptionLimits
from fraiseql.observations import InternalErrorMasked, Observer
from fraiseql.runtimes.anyio.bus import Bus
from fraiseql.runtimes.anyio.calling import Calls
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.anyio.generators import Generators
from fraiseql.runtimes.anyio.programs import Handle, Run, guarded
from fraiseql.runtimes.anyio.streams import Streams
from fraiseql.runtimes.anyio.transactions import OpenTransaction
from fraiseql.runtimes.operations import Gate

__all__ = ["Performer"]


class Performer:
    """Carries out effects, called with each of them and its run.

    Args:
        database: for statements.
        bus: for events.
        streams: for what operations share.
        limits: see SubscriptionLimits.
        observe: is told of errors that clients were not shown.
        max_threads: see QueryLimits.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        streams: Streams,
        limits: SubscriptionLimits,
        observe: Observer,
        max_threads: int = QueryLimits().max_threads,
    ) -> None:
        self._database = database
        self._bus = bus
        self._streams = streams
        self._generators = Generators(limits.max_plain_generators, observe)
        self._calls = Calls(bus, max_threads)
        self._observe = observe

    async def __call__(self, effect: Effect, run: Run) -> Any:
        """Carry out one effect; raises what it raises."""
        match effect:
            case Fetch():
                if effect.read_only and (run.gate is None or run.gate.pinned):
                    effect = replace(effect, primary=True)
                if run.gate is None or run.transactions or effect.transaction is not None:
                    return await self._database.perform(effect)
                async with run.gate:
                    return await self._database.perform(effect)
            case Execute():
                if run.gate is not None:
                    run.gate.pinned = True
                if run.gate is None or run.transactions or effect.transaction is not None:
                    return await self._database.execute(effect)
                async with run.gate:
                    return await self._database.execute(effect)
            case Begin(isolation):
                return await self._begin(isolation, run)
            case Commit(transaction, settings):
                return await transaction.commit(settings)
            case Rollback(transaction):
                return await transaction.rollback()
            case Emit(emission, to_newcomers):
                assert run.audience is not None, "only the program of a stream emits"
                if emission.cause is not None and not to_newcomers:
                    self._observe(InternalErrorMasked(emission.request_id, emission.cause))
                return await run.audience.emit(emission, to_newcomers=to_newcomers)
            case Next(handle, timeout):
                assert run.audience is not None, "only the program of a stream waits for items"
                return await run.audience.next(handle, timeout)
            case Join(stream, user):
                assert run.participant is not None, "only an operation takes part in a stream"
                run.participant.joined()
                return await self._streams.join(stream, run.participant, user, self)
            case Open(source):
                return await self._open(source, run)
            case Call(function, arguments):
                return await guarded(_call(function, arguments))
            case CallAll():
                return await self._calls.call_all(effect, partial(self._perform, run))
            case Compute(function, arguments):
                return await self._calls.compute(function, arguments)
            case Sleep(seconds):
                await anyio.sleep(seconds)
                return anyio.current_time()

    async def _perform(self, run: Run, effect: Effect) -> Any:
        return await self(effect, run)

    async def _begin(self, isolation: Isolation, run: Run) -> OpenTransaction:
        """A transaction keeps its run's place for as long as it is open; a run waits for no other place of its own."""
        if run.gate is not None:
            run.gate.pinned = True
        gate = run.gate if not run.transactions else None
        if gate is not None:
            await gate.enter()
        try:
            transaction = await self._database.begin(isolation)
        except BaseException:
            if gate is not None:
                gate.leave()
            raise
        run.transactions += 1
        run.finalisers.append(transaction.rollback)
        transaction.when_ended.append(partial(_ended, transaction, run, gate))
        return transaction

    async def _open(self, source: Any, run: Run) -> Handle:
        handle: Handle
        if isinstance(source, EventSource):
            handle = await self._bus.open(source)
        else:
            handle = self._generators.open(source, self._bus, partial(self._perform, run))
        self._streams.listening += 1
        run.finalisers.append(partial(self._close, handle))
        return handle

    async def _close(self, handle: Handle) -> None:
        self._streams.listening -= 1
        await handle.aclose()


def _ended(transaction: OpenTransaction, run: Run, gate: Gate | None) -> None:
    run.transactions -= 1
    run.finalisers.remove(transaction.rollback)
    if gate is not None:
        gate.leave()


async def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    result = function(*arguments)
    return await result if inspect.isawaitable(result) else result

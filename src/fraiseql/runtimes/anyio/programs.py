"""Runs programs: takes each effect, has it carried out, and gives the program its result or its error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, Protocol, TypeAlias

import anyio

from fraiseql.effects import Effect, Emission, Program
from fraiseql.runtimes.anyio.background import running_trio
from fraiseql.runtimes.operations import Gate, Participant, next_effect, unwelcome

__all__ = ["Audience", "Handle", "Perform", "Run", "guarded", "run_program"]

_FINALISING = 10.0  # seconds for the finalisers of a user's generator


class Handle(Protocol):
    """What a program has opened."""

    async def next(self, timeout: float | None) -> Any:
        """Wait for an item, or give an Absent."""

    async def aclose(self) -> None:
        """Let go of it; runs the finalisers of a generator."""


class Audience(Protocol):
    """Whom a program's emissions reach."""

    async def emit(self, emission: Emission, *, to_newcomers: bool) -> None:
        """Deliver to everybody, or to those who were given nothing yet."""

    async def next(self, handle: Handle, timeout: float | None) -> Any:
        """Wait for an item, or for a newcomer who has to be given something."""


class Run:
    """One run of a program.

    Attributes:
        participant: the operation, where this is one's own program.
        audience: whom it emits to, where this is a stream's program.
        gate: bounds the statements and transactions that run at once for whoever it belongs to.
        finalisers: what to do when it ends, however that comes about; transactions that are open are rolled back so.
        transactions: how many are open.
    """

    __slots__ = ("audience", "finalisers", "gate", "participant", "transactions")

    def __init__(
        self,
        participant: Participant | None = None,
        audience: Audience | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.participant = participant
        self.audience = audience
        self.gate = gate
        self.finalisers: list[Callable[[], Awaitable[None]]] = []
        self.transactions = 0


Perform: TypeAlias = Callable[[Effect, Run], Awaitable[Any]]
"""Carries out one effect of a run and gives its result."""


async def guarded(answer: Awaitable[Any]) -> Any:
    """Await a user's code, and let it raise nothing but an Exception, or our own cancellation.

    A CancelledError of a task that it awaits, or a `sys.exit()` somewhere below it, would otherwise end the connection,
    or the server.
    """
    try:
        return await _stepped(_awaited(answer))
    except Exception:
        raise
    except BaseException as error:
        if isinstance(error, (GeneratorExit, KeyboardInterrupt)) or _is_ours(error):
            raise
        raise unwelcome(error) from error


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer


@coroutine
def _stepped(answer: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """As `yield from` (PEP 380), which does not tell a GeneratorExit of a user's code from that of who closes us."""
    step: Callable[[], Any] = partial(answer.send, None)
    while True:
        try:
            waits = step()
        except StopIteration as stop:
            return stop.value
        except GeneratorExit as error:
            raise unwelcome(error) from error
        try:
            step = partial(answer.send, (yield waits))
        except GeneratorExit:
            answer.close()
            raise
        except BaseException as error:
            step = partial(answer.throw, error)


def _is_ours(error: BaseException) -> bool:
    """Whether it is we who are cancelled."""
    cancelled = anyio.get_cancelled_exc_class()
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(cancelled) is not None
    if not isinstance(error, cancelled):
        return False
    if running_trio() is not None:
        return True
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def run_program(program: Program[Any], perform: Perform, run: Run, effect: Effect | None = None) -> Any:
    """Carry out a program's effects and return its result; cancelled, it is closed where it stands.

    Args:
        effect: what it has yielded already, where it was begun elsewhere.

    Raises:
        Exception: what the program raises; errors of effects are thrown into it first.
    """
    try:
        if effect is None:
            effect = next_effect(partial(next, program))
        while True:
            try:
                result = await perform(effect, run)
            except Exception as error:
                step = partial(program.throw, error)
            else:
                step = partial(program.send, result)
            effect = next_effect(step)
    except StopIteration as stop:
        return stop.value
    finally:
        try:
            program.close()
        finally:
            if run.finalisers:
                await _finalise(list(run.finalisers))


async def _finalise(finalisers: list[Callable[[], Awaitable[None]]]) -> None:
    failure: Exception | None = None
    with anyio.CancelScope(shield=True):
        for finalise in finalisers:
            try:
                with anyio.move_on_after(_FINALISING):
                    await finalise()
            except Exception as error:  # the others have their turn all the same
                failure = failure or error
    if failure is not None:
        raise failure

"""What one call of a user's function does in the database: what is inside of which transaction, and an end to all."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeAlias, TypeVar

import anyio

from fraiseql.context import IsolationLevel
from fraiseql.effects import Effect, Isolation, Program
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.runtimes.anyio.programs import Run, run_program

__all__ = ["Block", "CallScope", "PerformEffect", "Place"]

_Result = TypeVar("_Result")

PerformEffect: TypeAlias = Callable[[Effect], Awaitable[Any]]
"""Carries out one effect for the operation that a call belongs to."""

_ENDED = "info.db: the call that it was given to has ended, or was cancelled"
_OUTLIVED = "info.db: the transaction() that this task or thread was started in has ended"


class Block:
    """A transaction of a call, a savepoint in it, or, outermost, what is outside of the call's own.

    Args:
        scope: the call's.
        access: goes through it.
        outer: what it is in; None for the outermost.
    """

    __slots__ = ("access", "is_over", "outer", "scope", "turn")

    def __init__(self, scope: CallScope, access: DatabaseAccess, outer: Block | None) -> None:
        self.scope = scope
        self.access = access
        self.outer = outer
        self.is_over = False
        # Held by a statement, or by an inner block for as long as that is open. Not a Lock, which belongs to a task.
        self.turn = anyio.Semaphore(1)


_inside: ContextVar[Block | None] = ContextVar("fraiseql_inside", default=None)


class Place:
    """Makes a block the one that this task or thread is inside of, with the tasks that it starts there.

    Args:
        block: one that was entered.
    """

    __slots__ = ("_before", "_block")

    def __init__(self, block: Block) -> None:
        self._block = block
        self._before = _inside.get()
        _inside.set(block)

    def leave(self) -> Block:
        """Go back to where one was, and give the block."""
        _inside.set(self._before)
        return self._block


class CallScope:
    """What one call does in the database; `aclose` ends it, whatever is under way.

    What is inside of a transaction goes through it, one statement at a time; what is not waits for its end where it
    would have to share the connection. A call has one transaction of its own at a time, and its others wait.

    Args:
        access: the operation's.
        perform: carries out its effects.
    """

    __slots__ = ("_blocks", "_closed", "_idle", "_operation", "_outermost", "_perform", "_scopes")

    def __init__(self, access: DatabaseAccess, perform: PerformEffect) -> None:
        self._operation = access
        self._perform = perform
        self._closed = False
        self._outermost: Block | None = None
        self._blocks: list[Block] = []  # that are open, each inside of the one before it
        self._scopes: set[anyio.CancelScope] = set()
        self._idle: anyio.Event | None = None

    async def run(self, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        """Run a program where the caller is; raises RuntimeError once the call, or that transaction, has ended."""
        return await self._until_closed(partial(self._in_turn, self._here(), make))

    async def run_apart(self, function: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Call a function for a thread: it ends with this scope alone, so that the thread is told of that."""
        return await self._bounded(function, shield=True)

    async def aclose(self) -> None:
        """End it: what is under way is cancelled, and what was begun and not ended is rolled back."""
        self._closed = True
        if not self._scopes and not self._blocks:
            return
        with anyio.CancelScope(shield=True):
            if self._scopes:
                self._idle = anyio.Event()
                for scope in self._scopes:
                    scope.cancel()
                await self._idle.wait()
            while self._blocks:
                await self._undo(self._blocks[-1])

    async def enter(self, isolation: IsolationLevel) -> Block:
        """Begin a transaction, or a savepoint in one; raises ValueError, DatabaseError or RuntimeError."""
        return await self._until_closed(partial(self._begin, self._here(), Isolation(isolation)))

    async def leave(self, block: Block, error: BaseException | None) -> None:
        """End it; what was done in it is undone where there is an error, which then is what the caller raises.

        Raises:
            DatabaseError: it is not committed.
            RuntimeError: the call or a block around it has ended before, or one inside of it has not; it is undone.
        """
        if error is not None or self._blocks[-1:] != [block]:
            too_early = block in self._blocks
            with anyio.CancelScope(shield=True):
                while block in self._blocks:
                    await self._undo(self._blocks[-1])
            if error is None:
                early = "info.db.transaction: found one that ends before one that began in it; expected nesting"
                raise RuntimeError(early if too_early else _ENDED if self._closed else _OUTLIVED)
            return
        try:
            await self._until_closed(partial(self._commit, block))
        finally:
            if block in self._blocks:  # not if it was cancelled, and undone
                self._close(block)
                assert block.outer is not None
                block.outer.turn.release()

    async def _begin(self, outer: Block, isolation: Isolation) -> Block:
        await outer.turn.acquire()
        try:
            _need(outer)
            block = Block(self, await self._drive(outer.access.begin(isolation)), outer)
        except BaseException:
            outer.turn.release()
            raise
        self._blocks.append(block)
        return block

    async def _commit(self, block: Block) -> None:
        async with block.turn:
            await self._drive(block.access.commit())

    async def _undo(self, block: Block) -> None:
        self._close(block)
        assert block.outer is not None
        try:
            with contextlib.suppress(DatabaseError):  # the connection is lost, and the transaction with it
                await self._drive(block.access.rollback())
        finally:
            block.outer.turn.release()

    def _close(self, block: Block) -> None:
        self._blocks.remove(block)
        block.is_over = True

    def _here(self) -> Block:
        """What the running task, or the thread that it works for, is inside of."""
        block = _inside.get()
        if block is not None and block.scope is self:
            return block
        if self._outermost is None:
            self._outermost = Block(self, self._operation, None)
            if self._operation.transaction is not None:  # which all calls of the operation share
                if self._operation.shared is None:
                    self._operation.shared = self._outermost.turn
                self._outermost.turn = self._operation.shared
        return self._outermost

    async def _in_turn(self, block: Block, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        if block.access.transaction is None:
            return await self._drive(make(block.access))
        async with block.turn:
            _need(block)
            return await self._drive(make(block.access))

    async def _until_closed(self, function: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        if self._closed:
            raise RuntimeError(_ENDED)
        return await self._bounded(function, shield=False)

    async def _bounded(self, function: Callable[[], Coroutine[Any, Any, _Result]], *, shield: bool) -> _Result:
        with anyio.CancelScope(shield=shield) as scope:
            self._scopes.add(scope)
            try:
                return await function()
            finally:
                self._scopes.discard(scope)
                if self._idle is not None and not self._scopes:
                    self._idle.set()
        raise RuntimeError(_ENDED)

    async def _drive(self, program: Program[_Result]) -> _Result:
        result: _Result = await run_program(program, self._carry_out, Run())
        return result

    async def _carry_out(self, effect: Effect, _: Run) -> Any:
        return await self._perform(effect)


def _need(block: Block) -> None:
    if block.is_over:
        raise RuntimeError(_OUTLIVED)

"""The database as one call of a user's function has it: awaited, or blocking in a thread, until the call has ended."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel

from fraiseql.context import IsolationLevel
from fraiseql.effects import Effect, Isolation, Program
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.access import DatabaseAccess, Level
from fraiseql.runtimes.anyio.programs import Run, run_program

__all__ = ["AwaitedDatabase", "CallScope", "PerformEffect", "ThreadedDatabase"]

_Declared = TypeVar("_Declared")
_Result = TypeVar("_Result")

PerformEffect: TypeAlias = Callable[[Effect], Awaitable[Any]]
"""Carries out one effect for the operation that a call belongs to."""

_ENDED = "info.db: the call that it was given to has ended, or was cancelled"


class CallScope:
    """What one call does in the database; `aclose` ends it, whatever is under way.

    Args:
        access: the operation's.
        perform: carries out its effects.
    """

    __slots__ = ("_access", "_closed", "_idle", "_is_inside", "_levels", "_one", "_operation", "_perform", "_scopes")

    def __init__(self, access: DatabaseAccess, perform: PerformEffect) -> None:
        self._operation = access
        self._access = access.for_call()
        self._perform = perform
        self._closed = False
        self._one: anyio.Semaphore | None = None  # statement of a transaction at a time
        self._is_inside = False  # a savepoint of a transaction that other calls share, who wait for its end
        self._levels: list[Level] = []
        self._scopes: set[anyio.CancelScope] = set()
        self._idle: anyio.Event | None = None

    async def run(self, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        """Run a program of the call; raises RuntimeError once that has ended."""
        if self._closed:
            raise RuntimeError(_ENDED)
        return await self._until_closed(partial(self._in_turn, make), shield=False)

    async def run_apart(self, function: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Call a function for a thread: it ends with this scope alone, so that the thread is told of that."""
        return await self._until_closed(function, shield=True)

    async def aclose(self) -> None:
        """End it: what is under way is cancelled, and what was begun and not ended is rolled back."""
        self._closed = True
        if not self._scopes and not self._levels:
            return
        with anyio.CancelScope(shield=True):
            if self._scopes:
                self._idle = anyio.Event()
                for scope in self._scopes:
                    scope.cancel()
                await self._idle.wait()
            while self._levels:
                await self._undo(self._levels[-1])

    async def enter(self, isolation: IsolationLevel) -> Level:
        """Begin a transaction, or a savepoint in one; raises ValueError, DatabaseError or RuntimeError."""
        chosen = Isolation(isolation)
        if self._operation.transaction is not None and not self._is_inside:
            await self._shared.acquire()
            self._is_inside = True
        try:
            level = await self.run(lambda access: access.begin(chosen))
        except BaseException:
            self._come_out()
            raise
        self._levels.append(level)
        return level

    async def leave(self, level: Level, error: BaseException | None) -> None:
        """End it; what was done in it is undone where there is an error, which then is what the caller raises."""
        if error is not None:
            with anyio.CancelScope(shield=True):
                while level in self._levels:
                    await self._undo(self._levels[-1])
            return
        if not self._closed and (not self._levels or self._levels[-1] is not level):
            raise RuntimeError("info.db.transaction: found one that ends before one that began in it; expected nesting")
        try:
            await self.run(lambda access: access.commit(level))
        finally:
            if level in self._levels:  # not if it was cancelled, and undone
                self._levels.remove(level)
                self._come_out()

    async def _undo(self, level: Level) -> None:
        self._levels.remove(level)
        try:
            with contextlib.suppress(DatabaseError):  # the connection is lost, and the transaction with it
                await self._drive(self._access.rollback(level))
        finally:
            self._come_out()

    def _come_out(self) -> None:
        if self._is_inside and not self._levels:
            self._is_inside = False
            self._shared.release()

    @property
    def _shared(self) -> anyio.Semaphore:
        """Held by the call whose turn it is in the operation's transaction; not a Lock, which belongs to a task."""
        if self._operation.shared is None:
            self._operation.shared = anyio.Semaphore(1)
        shared: anyio.Semaphore = self._operation.shared
        return shared

    async def _in_turn(self, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        if self._access.transaction is None:
            return await self._drive(make(self._access))
        if self._one is None:
            self._one = anyio.Semaphore(1)
        async with self._one:
            if self._operation.transaction is None or self._is_inside:
                return await self._drive(make(self._access))
            async with self._shared:
                return await self._drive(make(self._access))

    async def _until_closed(self, function: Callable[[], Coroutine[Any, Any, _Result]], *, shield: bool) -> _Result:
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


class AwaitedDatabase:
    """`info.db` of an asynchronous function: fraiseql.Database."""

    __slots__ = ("_scope",)

    def __init__(self, scope: CallScope) -> None:
        self._scope = scope

    async def fetch_all(self, sql: str, /, *parameters: Any) -> list[dict[str, Any]]:
        return await self._scope.run(lambda access: access.fetch_all(sql, parameters))

    async def fetch_one(self, sql: str, /, *parameters: Any) -> dict[str, Any] | None:
        return await self._scope.run(lambda access: access.fetch_one(sql, parameters))

    async def fetch_value(self, sql: str, /, *parameters: Any) -> Any:
        return await self._scope.run(lambda access: access.fetch_value(sql, parameters))

    async def execute(self, sql: str, /, *parameters: Any) -> int:
        return await self._scope.run(lambda access: access.execute(sql, parameters))

    async def find(
        self,
        declared: type[_Declared],
        /,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
    ) -> list[_Declared]:
        return await self._scope.run(lambda access: access.find(declared, where, order_by, limit, offset, fields))

    async def find_one(
        self,
        declared: type[_Declared],
        /,
        *,
        id: Any = None,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
    ) -> _Declared | None:
        return await self._scope.run(lambda access: access.find_one(declared, where, id, order_by, fields))

    def transaction(self, isolation: IsolationLevel = "read committed") -> AbstractAsyncContextManager[None]:
        return _Transaction(self._scope, isolation)


class _Transaction(AbstractAsyncContextManager[None]):
    """No generator: one that is left open for good is ended by its scope, and nobody need be told."""

    def __init__(self, scope: CallScope, isolation: IsolationLevel) -> None:
        self._scope = scope
        self._isolation = isolation
        self._level: Level | None = None

    async def __aenter__(self) -> None:
        self._level = await self._scope.enter(self._isolation)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._level is not None
        await self._scope.leave(self._level, error)


class ThreadedDatabase:
    """`info.db` of a plain function, in a thread of its own: fraiseql.BlockingDatabase.

    Made on the event loop, which its methods wait for.
    """

    __slots__ = ("_loop_thread", "_scope", "_token")

    def __init__(self, scope: CallScope) -> None:
        self._scope = scope
        self._token = anyio.lowlevel.current_token()
        self._loop_thread = threading.get_ident()

    def fetch_all(self, sql: str, /, *parameters: Any) -> list[dict[str, Any]]:
        return self._run(lambda access: access.fetch_all(sql, parameters))

    def fetch_one(self, sql: str, /, *parameters: Any) -> dict[str, Any] | None:
        return self._run(lambda access: access.fetch_one(sql, parameters))

    def fetch_value(self, sql: str, /, *parameters: Any) -> Any:
        return self._run(lambda access: access.fetch_value(sql, parameters))

    def execute(self, sql: str, /, *parameters: Any) -> int:
        return self._run(lambda access: access.execute(sql, parameters))

    def find(
        self,
        declared: type[_Declared],
        /,
        *,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        fields: Sequence[str] | None = None,
    ) -> list[_Declared]:
        return self._run(lambda access: access.find(declared, where, order_by, limit, offset, fields))

    def find_one(
        self,
        declared: type[_Declared],
        /,
        *,
        id: Any = None,
        where: Mapping[str, Any] | None = None,
        order_by: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
    ) -> _Declared | None:
        found: _Declared | None = self._run(lambda access: access.find_one(declared, where, id, order_by, fields))
        return found

    def transaction(self, isolation: IsolationLevel = "read committed") -> AbstractContextManager[None]:
        return _ThreadedTransaction(self, _Transaction(self._scope, isolation))

    def _run(self, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        return self.wait(partial(self._scope.run, make))

    def wait(self, function: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Have the event loop call a function, and wait for it."""
        if threading.get_ident() == self._loop_thread:
            raise RuntimeError("info.db waits, which would stop the event loop: make the function `async def`")
        return anyio.from_thread.run(self._scope.run_apart, function, token=self._token)


class _ThreadedTransaction(AbstractContextManager[None]):
    def __init__(self, database: ThreadedDatabase, transaction: _Transaction) -> None:
        self._database = database
        self._transaction = transaction

    def __enter__(self) -> None:
        self._database.wait(self._transaction.__aenter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.wait(partial(self._transaction.__aexit__, kind, error, traceback))

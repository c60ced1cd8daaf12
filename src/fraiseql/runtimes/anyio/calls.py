"""The database as one call of a user's function has it: awaited, or blocking in a thread, until the call has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import anyio.from_thread
import anyio.lowlevel

from fraiseql.context import IsolationLevel
from fraiseql.effects import Program
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.runtimes.anyio.call_scopes import CallScope, Place
from fraiseql.runtimes.blocking import StatementsThatWait

__all__ = ["AwaitedDatabase", "ThreadedDatabase"]

_Declared = TypeVar("_Declared")
_Result = TypeVar("_Result")


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
        self._place: Place | None = None

    async def __aenter__(self) -> None:
        block = await self._scope.enter(self._isolation)
        self._place = Place(block)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._place is not None
        await self._scope.leave(self._place.leave(), error)


class ThreadedDatabase(StatementsThatWait):
    """`info.db` of a plain function, in a thread of its own: fraiseql.BlockingDatabase.

    Made on the event loop, which its methods wait for.
    """

    __slots__ = ("_loop_thread", "_scope", "_token")

    def __init__(self, scope: CallScope) -> None:
        self._scope = scope
        self._token = anyio.lowlevel.current_token()
        self._loop_thread = threading.get_ident()

    def transaction(self, isolation: IsolationLevel = "read committed") -> AbstractContextManager[None]:
        return _ThreadedTransaction(self, self._scope, isolation)

    def _run(self, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        return self.wait(partial(self._scope.run, make))

    def wait(self, function: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Have the event loop call a function, and wait for it."""
        if threading.get_ident() == self._loop_thread:
            raise RuntimeError("info.db waits, which would stop the event loop: make the function `async def`")
        return anyio.from_thread.run(self._scope.run_apart, function, token=self._token)


class _ThreadedTransaction(AbstractContextManager[None]):
    """The same for a thread, whose context it is that knows what it is inside of."""

    def __init__(self, database: ThreadedDatabase, scope: CallScope, isolation: IsolationLevel) -> None:
        self._database = database
        self._scope = scope
        self._isolation = isolation
        self._place: Place | None = None

    def __enter__(self) -> None:
        block = self._database.wait(partial(self._scope.enter, self._isolation))
        self._place = Place(block)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._place is not None
        self._database.wait(partial(self._scope.leave, self._place.leave(), error))

"""Calls of users' functions in the thread of the request, and the database as they have it there."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, NoReturn, TypeAlias, TypeVar

from fraiseql.context import BlockingInfo, IsolationLevel
from fraiseql.effects import Effect, Isolation, Program, ResolverCall
from fraiseql.errors import DatabaseError
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.runtimes.blocking import StatementsThatWait
from fraiseql.runtimes.operations import unwelcome
from fraiseql.runtimes.threads.waiting import Interrupted

__all__ = ["CallDatabase", "PerformEffect", "call_function", "call_resolver", "run_effects"]

_Result = TypeVar("_Result")

PerformEffect: TypeAlias = Callable[[Effect], Any]
"""Carries out one effect for the operation that a call belongs to."""

_ENDED = "info.db: the call that it was given to has ended"
_ELSEWHERE = "info.db belongs to the thread of the request; expected to be used there"
_NESTING = "info.db.transaction: found one that ends before one that began in it; expected nesting"


def run_effects(program: Program[_Result], perform: PerformEffect) -> _Result:
    """Carry out a program's effects and return its result; raises what it raises, and Interrupted."""
    try:
        effect = next(program)
        while True:
            try:
                result = perform(effect)
            except Exception as error:
                effect = program.throw(error)
            else:
                effect = program.send(result)
    except StopIteration as stop:
        found: _Result = stop.value
        return found
    finally:
        program.close()


def call_function(function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """Call a user's function and give its result; it raises nothing but an Exception, or Interrupted."""
    try:
        result = function(*arguments, **named)
    except (Exception, Interrupted):
        raise
    except BaseException as error:
        raise unwelcome(error) from error
    if inspect.isawaitable(result):
        _refuse(function, result)
    return result


def call_resolver(call: ResolverCall, bus: Any, perform: PerformEffect) -> Any:
    """Make one call; what it has begun in the database and not ended is rolled back.

    Args:
        bus: for its Info.
        perform: carries out the effects of its `info.db`.
    """
    if not call.takes_info:
        return call_function(call.function, call.arguments, call.named)
    if call.access is None:
        info = BlockingInfo(call.caller, call.field_name, bus)
        return call_function(call.function, call.arguments, {**call.named, "info": info})
    database = CallDatabase(call.access, perform)
    try:
        info = BlockingInfo(call.caller, call.field_name, bus, database)
        return call_function(call.function, call.arguments, {**call.named, "info": info})
    finally:
        database._close()


def _refuse(function: Callable[..., Any], result: Any) -> NoReturn:
    if inspect.iscoroutine(result):
        result.close()  # nobody awaits it, and nobody need be warned of that
    name = getattr(function, "__qualname__", repr(function))
    raise TypeError(f"{name} gave something to be awaited, which threads cannot; make it a plain function")


class CallDatabase(StatementsThatWait):
    """`info.db` of one call: fraiseql.BlockingDatabase, whose methods do their work in the thread that calls them.

    Args:
        access: the operation's.
        perform: carries out its effects.
    """

    __slots__ = ("_blocks", "_closed", "_operation", "_perform", "_thread")

    def __init__(self, access: DatabaseAccess, perform: PerformEffect) -> None:
        self._operation = access
        self._perform = perform
        self._blocks: list[DatabaseAccess] = []  # what is inside of transactions that are open, each in the one before
        self._closed = False
        self._thread = threading.get_ident()

    def transaction(self, isolation: IsolationLevel = "read committed") -> AbstractContextManager[None]:
        return _Transaction(self, isolation)

    def _here(self) -> DatabaseAccess:
        """What the call is inside of; raises RuntimeError once it has ended."""
        if self._closed:
            raise RuntimeError(_ENDED)
        if threading.get_ident() != self._thread:
            raise RuntimeError(_ELSEWHERE)
        return self._blocks[-1] if self._blocks else self._operation

    def _run(self, make: Callable[[DatabaseAccess], Program[_Result]]) -> _Result:
        return run_effects(make(self._here()), self._perform)

    def _begin(self, isolation: IsolationLevel) -> DatabaseAccess:
        block = self._run(lambda access: access.begin(Isolation(isolation)))
        self._blocks.append(block)
        return block

    def _end(self, block: DatabaseAccess, error: BaseException | None) -> None:
        """Commit, or undo where there is an error, which then is what the caller raises."""
        if error is None and self._blocks[-1:] == [block]:
            self._here()
            try:
                run_effects(block.commit(), self._perform)
            finally:
                self._blocks.remove(block)
            return
        too_early = block in self._blocks
        while block in self._blocks:
            self._undo()
        if error is None:
            raise RuntimeError(_NESTING if too_early else _ENDED)

    def _undo(self) -> None:
        with contextlib.suppress(DatabaseError):  # the connection is lost, and the transaction with it
            run_effects(self._blocks.pop().rollback(), self._perform)

    def _close(self) -> None:
        """End it: what was begun and not ended is rolled back."""
        self._closed = True
        while self._blocks:
            self._undo()


class _Transaction(AbstractContextManager[None]):
    """No generator: one that is left open for good is ended by its call, and nobody need be told."""

    def __init__(self, database: CallDatabase, isolation: IsolationLevel) -> None:
        self._database = database
        self._isolation = isolation
        self._block: DatabaseAccess | None = None

    def __enter__(self) -> None:
        self._block = self._database._begin(self._isolation)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._block is not None
        self._database._end(self._block, error)

"""Runs programs in the thread of their request, up to the effect that only an event loop can carry out."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from fraiseql.effects import (
    Begin,
    Call,
    CallAll,
    Commit,
    Compute,
    Effect,
    Execute,
    Fetch,
    Isolation,
    Program,
    ResultSet,
    Rollback,
    Row,
    Settings,
    Sleep,
)
from fraiseql.errors import DatabaseError
from fraiseql.runtimes.operations import Gate, unwelcome
from fraiseql.runtimes.threads.calls import call_function, call_resolver
from fraiseql.runtimes.threads.waiting import Interrupted, Waiter

__all__ = ["EVERYTHING", "GIVEN_AWAY", "ONLY_CALLS", "GiveAway", "Performer", "Statements", "Transaction"]

EVERYTHING: Final = frozenset({Fetch, Execute, Begin, Commit, Rollback, Call, CallAll, Compute, Sleep})
"""The effects that a thread can carry out."""

ONLY_CALLS: Final = frozenset({Call})
"""Those that it does where other operations wait for it: it finds out who asks."""

_LOOK: Final = 0.01  # seconds: a look costs as much as some calls

GIVEN_AWAY: Final = object()
"""What stands for the result of a program that was given away."""

GiveAway: TypeAlias = Callable[[Program[Any], Effect], None]


class Transaction(Protocol):
    """What Begin gives: see OpenTransaction."""

    @property
    def is_open(self) -> bool: ...

    def commit(self, settings: Settings, waiter: Waiter) -> None: ...

    def rollback(self) -> None: ...


class Statements(Protocol):
    """Carries out statements in the thread that asks for it: see Database."""

    def perform(self, effect: Fetch, waiter: Waiter) -> Row: ...

    def execute(self, effect: Execute, waiter: Waiter) -> ResultSet: ...

    def begin(self, isolation: Isolation, waiter: Waiter) -> Transaction: ...


class Performer:
    """Carries out effects.

    Args:
        database: for statements.
        bus: for the Info of users' functions.
    """

    def __init__(self, database: Statements, bus: Any) -> None:
        self._database = database
        self._bus = bus

    def run(
        self, program: Program[Any], waiter: Waiter, gate: Gate, kinds: frozenset[type], give_away: GiveAway
    ) -> Any:
        """Run a program to its end and return its result; what it has begun and not ended is rolled back.

        Args:
            waiter: waits in its name.
            gate: of its client, which is pinned where the program may write.
            kinds: the effects that are carried out here.
            give_away: takes the program and the first effect of another kind; the result is GIVEN_AWAY.

        Raises:
            Exception: what the program raises; errors of effects are thrown into it first.
            Interrupted: as `waiter.wait`.
        """
        run = _Run(self._database, self._bus, waiter, gate)
        try:
            effect = next(program)
            while type(effect) in kinds:
                try:
                    result = run.perform(effect)
                except Exception as error:
                    effect = program.throw(error)
                else:
                    effect = program.send(result)
            give_away(program, effect)
        except StopIteration as stop:
            return stop.value
        except (Exception, Interrupted):
            program.close()
            raise
        except BaseException as error:  # of a user's code in a program, say of a scalar
            program.close()
            raise unwelcome(error) from error
        finally:
            if run.transactions:
                run.close()
        return GIVEN_AWAY


class _Run:
    """One run of a program.

    Attributes:
        transactions: those that are open.
    """

    __slots__ = ("_bus", "_database", "_gate", "_looked", "_waiter", "transactions")

    def __init__(self, database: Statements, bus: Any, waiter: Waiter, gate: Gate) -> None:
        self._database = database
        self._bus = bus
        self._waiter = waiter
        self._gate = gate
        self._looked = -math.inf  # for the client, between calls
        self.transactions: list[Transaction] = []

    def perform(self, effect: Effect) -> Any:
        """Carry out one effect; raises what it raises."""
        match effect:
            case Fetch():
                if self._gate.pinned and effect.read_only:
                    effect = replace(effect, primary=True)
                return self._database.perform(effect, self._waiter)
            case Execute():
                self._gate.pinned = True
                return self._database.execute(effect, self._waiter)
            case Begin(isolation):
                return self._begin(isolation)
            case Commit(transaction, settings):
                return transaction.commit(settings, self._waiter)
            case Rollback(transaction):
                return transaction.rollback()
            case Call(function, arguments):
                return call_function(function, arguments, {})
            case CallAll(calls):
                return [self._call(partial(call_resolver, call, self._bus, self.perform)) for call in calls]
            case Compute(function, arguments):
                return function(*arguments)
            case Sleep(seconds):
                return self._sleep(seconds)
            case _:
                raise TypeError(f"no effect for a thread: {effect!r}")

    def _call(self, make: Callable[[], Any]) -> Any:
        try:
            result = make()
        except Exception as error:
            result = error
        now = self._waiter.now()
        if now >= self._looked + _LOOK:  # the client may have left meanwhile, or the time be over
            self._looked = now
            self._waiter.wait(None, 0, now)
        return result

    def _begin(self, isolation: Isolation) -> Transaction:
        self.transactions = [each for each in self.transactions if each.is_open]
        self._gate.pinned = True
        transaction = self._database.begin(isolation, self._waiter)
        self.transactions.append(transaction)
        return transaction

    def _sleep(self, seconds: float) -> float:
        waiter = self._waiter
        until = waiter.now() + seconds
        while (now := waiter.now()) < until:
            waiter.wait(None, 0, until)
        return now

    def close(self) -> None:
        """Roll back what is open."""
        for transaction in self.transactions:
            with contextlib.suppress(DatabaseError):
                transaction.rollback()

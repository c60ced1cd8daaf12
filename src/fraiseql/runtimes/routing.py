"""Decides, for all runtimes, which statements go to a replica, and whether that is well; waits for nothing.

A replica is used once a connection to it was made, and until one is lost or refused, or it says nothing; then it is
tried again after a pause that doubles with each failure. So no query waits for a replica that is away. What a replica
cannot answer, since its recovery is in the way (40001, 40P01), it is away, or the statement writes (25006), runs on the
primary.

A replica that has been asked and says nothing, be it that whoever asked has left meanwhile, is asked for a connection
besides: one whose statements are merely slow opens it. Where that is not answered either, what runs there runs on the
primary instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Any, Generic, Protocol, TypeVar

from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits

__all__ = ["Health", "Task", "Verdict", "Writing", "judge", "least_loaded"]

_IN_THE_WAY = frozenset({"40001", "40P01"})  # of recovery: nothing that only reads meets them otherwise
_WRITES = "25006"
_MOST = 1_000  # statements known to write
# Seconds without a word after which a replica is asked for one, and then given up. Shorter than anybody waits who asks
# for a page, longer than a network that loses packets takes to repeat them, or a busy server to open a connection.
_SILENCE = 1.0
_LONGEST_PAUSE = 30.0  # seconds between attempts to reach a replica

_Statement = TypeVar("_Statement")


class Verdict(Enum):
    """What an error of a replica means."""

    ANSWER = auto()  # the statement's own: the primary would say the same, or there are too few connections
    PRIMARY = auto()  # the replica's recovery is in the way
    WRITES = auto()  # it is for the primary, now and later
    AWAY = auto()  # the replica is


def judge(error: DatabaseError, *, connected: bool) -> Verdict:
    """What an error means.

    Args:
        connected: whether the statement had a connection; where none could be made, for whatever reason, the replica
            is away.
    """
    if error.sqlstate == _WRITES:
        return Verdict.WRITES
    if error.sqlstate in _IN_THE_WAY:
        return Verdict.PRIMARY
    if (error.unavailable or not connected) and not _has_no_room(error):
        return Verdict.AWAY
    return Verdict.ANSWER


class Writing:
    """The statements that are known to write, though they were taken to read."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, None] = {}

    def may_leave(self, effect: Fetch) -> bool:
        """Whether a statement may run on a replica."""
        may = effect.read_only and not effect.primary and effect.transaction is None
        return may and effect.statement.sql not in self._known

    def add(self, effect: Fetch) -> None:
        """This one writes."""
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[effect.statement.sql] = None


class Task(Enum):
    """What a replica's driver does, and tells the outcome of."""

    PROBE = auto()  # get a connection of the pool; then `probed`
    REACH = auto()  # make one besides those of the pool; then `reached`


class Health(Generic[_Statement]):
    """Whether one replica is well: told what happens there, it says what to do, and when.

    Args:
        limits: see PoolLimits.
        move: called with each statement that is to run on the primary instead; within `due` and `reached`.

    Attributes:
        is_well: whether statements may run there.
        look_at: when it is decided what the replica's silence means; never None while a statement runs there, and
            never earlier than it was while one does.
    """

    __slots__ = (
        "_asked",
        "_failures",
        "_is_asking",
        "_is_over",
        "_is_probing",
        "_is_silent",
        "_limits",
        "_move",
        "_probe_at",
        "_running",
        "is_well",
        "look_at",
    )

    def __init__(self, limits: PoolLimits, move: Callable[[_Statement], None]) -> None:
        self.is_well = False
        self.look_at: float | None = None
        self._limits = limits
        self._move = move
        self._failures = 0
        self._probe_at: float | None = -math.inf
        self._running: set[_Statement] = set()
        self._asked: float | None = None  # when the first statement was that it may owe an answer to
        self._is_probing = False
        self._is_asking = False  # for a connection, to hear anything at all
        self._is_silent = False  # so that connections that seem to be open say nothing
        self._is_over = False

    @property
    def deadline(self) -> float | None:
        """When to call `due`; None for never."""
        if self._probe_at is None or self.look_at is None:
            return self.look_at if self._probe_at is None else self._probe_at
        return min(self._probe_at, self.look_at)

    def due(self, now: float) -> Task | None:
        """What has to be done now; to be called until that is nothing."""
        if self._probe_at is not None and now >= self._probe_at:
            self._probe_at = None
            if not self._is_asking:  # whose outcome decides
                self._is_asking = self._is_silent
                self._is_probing = not self._is_silent
                return Task.REACH if self._is_silent else Task.PROBE
        if self.look_at is None or now < self.look_at:
            return None
        self.look_at = None
        if self._is_asking:
            self._give_up()
        elif self._asked is not None and now < self._asked + _SILENCE:
            # Armed by the first statement, and once more where it was answered meanwhile: not for each.
            self.look_at = self._asked + _SILENCE
        elif self._asked is not None:
            self.look_at = now + _SILENCE
            self._is_asking = True
            return Task.REACH
        return None

    def ran(self, statement: _Statement, now: float) -> bool:
        """A statement runs there from now on; says whether `deadline` is another one."""
        self._running.add(statement)
        if self._asked is not None:
            return False
        self._asked = now
        if self.look_at is not None or self._is_asking:
            return False
        self.look_at = now + _SILENCE
        return True

    def left(self, statement: _Statement, now: float, *, answered: bool) -> None:
        """A statement has ended; one that was abandoned says nothing of the replica, which still owes an answer."""
        self._running.discard(statement)
        if answered:
            self._heard(now)

    def failed(self, now: float) -> None:
        """A connection was lost or refused: use it no more, until a probe has succeeded."""
        self.is_well = False
        if self._probe_at is None and not (self._is_asking or self._is_probing or self._is_over):
            pause = min(self._limits.backoff_initial * 2.0 ** min(self._failures, 32), _LONGEST_PAUSE)
            self._failures += 1
            self._probe_at = now + pause

    def probed(self, error: DatabaseError | None, now: float) -> None:
        """The outcome of Task.PROBE."""
        self._is_probing = False
        if error is not None or self._is_silent:
            self.failed(now)
        elif not self._is_over:
            self.is_well, self._failures = True, 0

    def reached(self, error: DatabaseError | None, now: float) -> None:
        """The outcome of Task.REACH."""
        self._is_asking = False
        self.look_at = None
        if self._is_over:
            return
        if error is not None and error.unavailable and not _has_no_room(error):
            self._give_up()
            self.failed(now)
            return
        self._is_silent = False
        self._heard(now)
        if self._asked is not None:
            self.look_at = self._asked + _SILENCE
        if not self.is_well and self._probe_at is None and not self._is_probing:
            self._probe_at = now

    def stop(self) -> None:
        """Use it no more, and do not probe."""
        self.is_well, self._is_over = False, True
        self._probe_at = self.look_at = None

    def _heard(self, now: float) -> None:
        self._asked = now if self._running else None

    def _give_up(self) -> None:
        """It says nothing at all; whether it ever does decides what was asked, which has a time limit."""
        self.is_well, self._is_silent, self._asked = False, True, None
        moved = list(self._running)
        self._running.clear()
        for statement in moved:
            self._move(statement)


class _Replica(Protocol):
    @property
    def health(self) -> Health[Any]: ...

    @property
    def load(self) -> int: ...


_AnyReplica = TypeVar("_AnyReplica", bound=_Replica)


def least_loaded(replicas: Iterable[_AnyReplica]) -> _AnyReplica | None:
    """The replica that is well and has the least to do; None where none is well."""
    return min((replica for replica in replicas if replica.health.is_well), key=lambda each: each.load, default=None)


def _has_no_room(error: DatabaseError) -> bool:
    """Whether there are too few connections, which somebody has to be there to say."""
    return error.sqlstate[:2] == "53"

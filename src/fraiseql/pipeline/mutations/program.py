"""A mutation from its plan to the answer's bytes: its root fields in order, in transactions that are all or nothing.

    begin -> [claim the key] -> serve each field -> [keep the answer] -> commit
      ^                                |
      +--- pause <--- roll back <------+  while others are in the way, a bounded number of times

What a field raises rolls its transaction back, and every other field of it is told so. An error that is of no field by
itself, as that of a deferred constraint at COMMIT, is told of each. An idempotency key makes the request one
transaction: its answer is kept in it, and is either committed with what it tells of or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final
from zlib import crc32

from fraiseql.effects import Isolation, Program, begin, commit, rollback, sleep
from fraiseql.errors import DatabaseError
from fraiseql.limits import MutationLimits
from fraiseql.pipeline.arguments import Tree
from fraiseql.pipeline.failures import unavailable
from fraiseql.pipeline.mutations.actions import serve
from fraiseql.pipeline.mutations.answers import Answered, answer_of, completed, failed_fields, unknown_fields
from fraiseql.pipeline.mutations.idempotency import Claim, IdempotencyKeys
from fraiseql.pipeline.mutations.resolvers import called
from fraiseql.pipeline.mutations.serving import Asking, Serving, read_trees
from fraiseql.pipeline.plan import RootField
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, refuse
from fraiseql.schema.model import Resolver

__all__ = ["mutate"]

_UNKNOWN: Final = "08007"  # SQL's own: transaction resolution unknown
_ENDED: Final = "2D000"  # by a statement of the application's own; PostgreSQL says it of a function, which it undoes
_IN_THE_WAY: Final = ("40001", "40P01")  # serialisation failure, deadlock
_CUT: Final = ("08006", "57P01", "57P02")  # a connection that was lost, or that a stopping or crashed server has ended
_WITH_ERRORS: Final = b'{"errors":'


def mutate(asking: Asking, limits: MutationLimits, keys: IdempotencyKeys) -> Program[GraphQLResponse]:
    """Answer a mutation.

    Args:
        keys: where the answers of requests with a key are kept.

    Returns:
        A program that yields Begin, Fetch, CallAll, Commit, Rollback and Sleep, and returns the answer, whatever the
        request or the database does.

    Raises:
        Refusal: an argument or the idempotency key does not fit; nothing was changed then.
    """
    return (yield from _Mutation(asking, limits, keys).run())


class _Stage(Enum):
    """How far a transaction came."""

    BEGIN = auto()
    FIELDS = auto()
    COMMIT = auto()


class _Failed(Exception):
    """A transaction was rolled back for an error of one of its fields, or of all where it is of none by itself.

    Attributes:
        error: what was raised; or, where errors left nothing of a field's value, what it came to.
        causes: of the fields that were answered before, for the log.
    """

    def __init__(
        self,
        roots: Sequence[RootField],
        error: Exception | Answered,
        stage: _Stage = _Stage.FIELDS,
        causes: Sequence[Exception] = (),
    ) -> None:
        super().__init__(str(error))
        self.roots = roots
        self.error = error
        self.stage = stage
        self.causes = causes


class _Answer(Exception):
    """The whole request is answered: by what was kept for its key, or because the database is away."""

    def __init__(self, response: GraphQLResponse) -> None:
        super().__init__()
        self.response = response


class _Mutation:
    def __init__(self, asking: Asking, limits: MutationLimits, keys: IdempotencyKeys) -> None:
        self._asking = asking
        self._limits = limits
        self._keys = keys
        self._has_key = asking.request.idempotency_key is not None
        self._isolation = Isolation[limits.isolation.upper()]
        planning, variables = asking.planning, asking.variables
        self._roots = [root for root in asking.plan.fetched if root.field is not None]
        self._trees: Mapping[str, Mapping[str, Tree]] = {
            root.key: read_trees(planning, root, variables) for root in self._roots
        }
        asking.plan.resolution(variables, asking.caller, asking.hint)  # or the arguments of a computed field do not fit

    def run(self) -> Program[GraphQLResponse]:
        by_field = self._limits.transaction == "field" and not self._has_key
        answered: dict[str, Answered] = {}
        try:
            for unit in [[root] for root in self._roots] if by_field else [self._roots]:
                answered.update((yield from self._unit(unit, is_first=not answered)) if unit else {})
        except _Answer as whole:
            return whole.response
        return answer_of(self._asking, answered)

    def _unit(self, roots: Sequence[RootField], *, is_first: bool) -> Program[dict[str, Answered]]:
        """Serve the fields of one transaction, again where others were in the way."""
        attempt, unknown = 1, None
        in_python = bool(self._asking.plan.computed or self._asking.plan.called_roots)
        while True:
            try:
                return (yield from self._attempt(roots))
            except _Failed as failed:
                error = failed.error
                # A function in PostgreSQL may raise the like, and is rolled back.
                may_be_done = in_python or failed.stage is _Stage.COMMIT
                if may_be_done and isinstance(error, DatabaseError) and _leaves_open(error):
                    unknown = error
                is_last = attempt >= self._limits.max_attempts
                if is_last or not self._may_come_through(failed, in_python=in_python, is_known=unknown is None):
                    if unknown is not None:  # of whichever attempt
                        return unknown_fields(roots, unknown)
                    if is_first and isinstance(error, DatabaseError) and error.unavailable:
                        raise self._away(error) from error
                    servings = [self._serving(root, None) for root in failed.roots]
                    return (yield from failed_fields(servings, roots, error, failed.causes))
            yield from sleep(self._pause(attempt))
            attempt += 1

    def _pause(self, attempt: int) -> float:
        """Seconds before the next attempt, spread by a half, lest those who met meet again."""
        longest = min(self._limits.first_pause * 2.0 ** (attempt - 1), self._limits.longest_pause)
        draw = crc32(f"{self._asking.hint.get('requestId')} {attempt}".encode()) / 2**32
        return longest * (0.5 + draw / 2)

    def _attempt(self, roots: Sequence[RootField]) -> Program[dict[str, Answered]]:
        try:
            transaction = yield from begin(self._isolation)
        except DatabaseError as error:
            raise _Failed(roots, error, _Stage.BEGIN) from error
        try:
            return (yield from self._within(transaction, roots))
        except Exception:
            yield from rollback(transaction)
            raise

    def _within(self, transaction: Any, roots: Sequence[RootField]) -> Program[dict[str, Answered]]:
        claim = (yield from self._claimed(transaction, roots)) if self._has_key else None
        answered: dict[str, Answered] = {}
        blamed, stage = roots, _Stage.FIELDS
        try:
            for root in roots:
                blamed = [root]
                answered[root.key] = each = yield from _served(self._serving(root, transaction))
                _meet(each)
                if each.is_lost:  # the client cannot know that anything was done
                    raise _Failed(blamed, answered.pop(root.key))
            blamed = roots
            if claim is not None:
                yield from self._keys.keep(claim, answer_of(self._asking, answered).body)
            stage = _Stage.COMMIT
            yield from commit(transaction, self._asking.settings)
        except _Failed as failed:
            failed.causes = _causes(answered)
            raise
        except Refusal as refusal:
            raise _Failed(blamed, refusal.errors[0], stage, _causes(answered)) from refusal
        except Exception as error:  # a user's code raises anything
            raise _Failed(blamed, error, stage, _causes(answered)) from error
        return answered

    def _claimed(self, transaction: Any, roots: Sequence[RootField]) -> Program[Claim]:
        """Claim the key; raises Refusal where that cannot be, and _Answer where its answer is there already."""
        try:
            claim = yield from self._keys.claim(self._asking, transaction)
        except DatabaseError as error:
            raise _Failed(roots, error) from error
        if claim.answer is not None:
            raise _Answer(_again(claim.answer))
        return claim

    def _serving(self, root: RootField, transaction: Any) -> Serving:
        return Serving(self._asking, root, self._trees[root.key], transaction)

    def _may_come_through(self, failed: _Failed, *, in_python: bool, is_known: bool) -> bool:
        """Whether another attempt may succeed, and does not do anything twice.

        Args:
            in_python: functions in Python may have done more than the database knows: they run again only where they
                must.
            is_known: whether no attempt has left open what became of it.
        """
        error = failed.error
        if not isinstance(error, DatabaseError):
            return False
        if error.sqlstate in _IN_THE_WAY:
            return True
        if in_python or (failed.stage is _Stage.BEGIN and is_known):  # the pool has waited for a connection already
            return False
        # Nothing was committed; or it is known by its key whether it was.
        return error.sqlstate in _CUT or (self._has_key and error.unavailable)

    def _away(self, error: DatabaseError) -> _Answer:
        return _Answer(refuse(Outcome.UNAVAILABLE, [unavailable(error, self._asking.hint)], error))


def _meet(answered: Answered) -> None:
    """Raise what stood in the way of a computed field: the whole runs again for it."""
    for cause in answered.causes:
        for error in (cause, cause.__cause__):
            if isinstance(error, DatabaseError) and error.sqlstate in _IN_THE_WAY:
                raise error


def _leaves_open(error: DatabaseError) -> bool:
    """Whether what was done before an error may have been committed."""
    return error.sqlstate == _UNKNOWN or (error.sqlstate == _ENDED and not error.said)


def _served(serving: Serving) -> Program[Answered]:
    if isinstance(serving.field.action, Resolver):
        return (yield from called(serving))
    return (yield from completed(serving, (yield from serve(serving))))


def _causes(answered: Mapping[str, Answered]) -> list[Exception]:
    """What the log is told of the fields before one that failed: it may have failed for them."""
    return [cause for each in answered.values() for cause in each.causes]


def _again(body: bytes) -> GraphQLResponse:
    """The answer that was kept."""
    return GraphQLResponse(Outcome.DATA_AND_ERRORS if body.startswith(_WITH_ERRORS) else Outcome.DATA, body)

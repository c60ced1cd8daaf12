"""A mutation from its plan to the answer's bytes: its root fields in order, in transactions that are all or nothing.

    begin -> [claim the key] -> serve each field -> compute -> [keep the answer] -> commit
      ^                                 |
      +--- pause <--- roll back <-------+  while others are in the way, a bounded number of times

What a field raises rolls its transaction back, and every other field of it is told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from fraiseql.effects import Isolation, Program, begin, commit, rollback, sleep
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import MutationLimits
from fraiseql.pipeline.arguments import Tree
from fraiseql.pipeline.failures import cause_of, masked, shown
from fraiseql.pipeline.mutations.actions import recovered, serve
from fraiseql.pipeline.mutations.resolvers import call_action
from fraiseql.pipeline.mutations.serving import Asking, Serving, read_trees
from fraiseql.pipeline.nulls import Completion
from fraiseql.pipeline.plan import RootField
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, refuse, respond
from fraiseql.schema.model import MutationField, Resolver

__all__ = ["mutate"]

_UNKNOWN: Final = "08007"  # SQL's own: transaction resolution unknown
_IN_THE_WAY: Final = ("40001", "40P01")  # serialisation failure, deadlock


def mutate(asking: Asking, limits: MutationLimits) -> Program[GraphQLResponse]:
    """Answer a mutation.

    Returns:
        A program that yields Begin, Fetch, CallAll, Commit, Rollback and Sleep, and returns the answer, whatever the
        request or the database does.

    Raises:
        Refusal: an argument does not fit; nothing has run then.
    """
    return (yield from _Mutation(asking, limits).run())


@dataclass(slots=True)
class _Answered:
    """What a root field came to: its JSON, None where a null rises to `data`."""

    text: bytes | None
    errors: list[RequestError] = field(default_factory=list)
    causes: list[Exception] = field(default_factory=list)


class _Unavailable(Exception):
    """The database is away, and nothing of the request was done."""

    def __init__(self, error: DatabaseError) -> None:
        super().__init__(str(error))
        self.error = error


class _FieldFailed(Exception):
    """A root field raised, and its transaction must be rolled back."""

    def __init__(self, root: RootField, error: Exception) -> None:
        super().__init__(str(error))
        self.root = root
        self.error = error


class _Mutation:
    def __init__(self, asking: Asking, limits: MutationLimits) -> None:
        self._asking = asking
        self._limits = limits
        self._isolation = Isolation[limits.isolation.upper()]
        planning, variables = asking.planning, asking.variables
        self._roots = [root for root in asking.plan.fetched if root.field is not None]
        self._trees: Mapping[str, Mapping[str, Tree]] = {
            root.key: read_trees(planning, root, variables) for root in self._roots
        }
        asking.plan.resolution(variables, asking.caller, asking.hint)  # or the arguments of a computed field do not fit

    def run(self) -> Program[GraphQLResponse]:
        answered: dict[str, _Answered] = {}
        by_field = self._limits.transaction == "field"
        try:
            for unit in [[root] for root in self._roots] if by_field else [self._roots]:
                answered.update((yield from self._unit(unit, is_first=not answered)) if unit else {})
        except _Unavailable as away:
            message, code = "The database is not available.", "DATABASE_UNAVAILABLE"
            entry = RequestError(message, code=code, extensions=self._asking.hint)
            return refuse(Outcome.UNAVAILABLE, [entry], away.error)
        return self._answer(answered)

    def _unit(self, roots: Sequence[RootField], *, is_first: bool) -> Program[dict[str, _Answered]]:
        """Serve the fields of one transaction, again where others were in the way."""
        attempt = 1
        while True:
            try:
                return (yield from self._attempt(roots))
            except _FieldFailed as failed:
                error = failed.error
                if attempt >= self._limits.max_attempts or not _may_come_through(error, roots):
                    if isinstance(error, DatabaseError) and error.sqlstate == _UNKNOWN:
                        return _unknown(roots, error)
                    if is_first and isinstance(error, DatabaseError) and error.unavailable:
                        raise _Unavailable(error) from error
                    return (yield from self._failed(roots, failed))
            yield from sleep(min(self._limits.first_pause * 2.0 ** (attempt - 1), self._limits.longest_pause))
            attempt += 1

    def _attempt(self, roots: Sequence[RootField]) -> Program[dict[str, _Answered]]:
        try:
            transaction = yield from begin(self._isolation)
        except DatabaseError as error:
            raise _FieldFailed(roots[0], error) from error
        try:
            answered = {}
            for root in roots:
                serving = Serving(self._asking, root, self._trees[root.key], transaction)
                answered[root.key] = yield from self._serve(serving)
            try:
                yield from commit(transaction)
            except DatabaseError as error:  # a deferred constraint is nobody's more than another's
                raise _FieldFailed(roots[-1], error) from error
        except Exception:
            yield from rollback(transaction)
            raise
        return answered

    def _serve(self, serving: Serving) -> Program[_Answered]:
        if isinstance(serving.field.action, Resolver):
            return (yield from self._called(serving))
        try:
            text = yield from serve(serving)
        except Refusal as refusal:
            raise _FieldFailed(serving.root, refusal.errors[0]) from refusal
        except Exception as error:  # a user's code raises anything
            raise _FieldFailed(serving.root, error) from error
        return (yield from self._completed(serving, text))

    def _called(self, serving: Serving) -> Program[_Answered]:
        asking = self._asking
        resolution = asking.plan.resolution(asking.variables, asking.caller, asking.hint, serving.access)
        assert resolution is not None
        try:
            served = yield from call_action(serving, resolution)
        except Refusal as refusal:
            raise _FieldFailed(serving.root, refusal.errors[0]) from refusal
        except Exception as error:  # a user's code raises anything
            raise _FieldFailed(serving.root, error) from error
        check, causes = (None, []) if served.checks is None else (served.checks.check, served.checks.causes)
        root = next(root for root in asking.plan.roots if root.key == serving.root.key)
        value = b"null" if served.value is None else served.value
        completed = Completion(root, asking.planning.model)(value, resolution.errors, asking.hint, check)
        return _Answered(completed, resolution.errors, [*causes, *resolution.causes])

    def _completed(self, serving: Serving, text: bytes) -> Program[_Answered]:
        """Compute what Python computes, and let nulls rise."""
        asking, check = self._asking, None if serving.checks is None else serving.checks.check
        root = next(root for root in asking.plan.roots if root.key == serving.root.key)
        value, errors = text, list[RequestError]()
        causes = [] if serving.checks is None else serving.checks.causes
        resolution = asking.plan.resolution(asking.variables, asking.caller, asking.hint, serving.access)
        if resolution is not None:
            (value,) = yield from resolution.complete([root], [text], check=check)
            errors, causes = resolution.errors, [*causes, *resolution.causes]
        completed = Completion(root, asking.planning.model)(value, errors, asking.hint, check)
        return _Answered(completed, errors, causes)

    def _failed(self, roots: Sequence[RootField], failed: _FieldFailed) -> Program[dict[str, _Answered]]:
        """What all fields of a transaction came to that was rolled back."""
        asking, key = self._asking, failed.root.key
        serving = Serving(asking, failed.root, self._trees[key], None)
        text, error = yield from recovered(serving, failed.error)
        if text is not None:
            answered = yield from self._completed(serving, text)
        else:
            hidden = masked(error)
            answered = _null(failed.root, shown(error, (key,), asking.hint), [] if hidden is None else [hidden])
        message = f'The mutation was rolled back, since its field "{key}" failed.'
        others = (root for root in roots if root.key != key)
        return {
            key: answered,
            **{root.key: _null(root, _error(root, message, "ROLLED_BACK")) for root in others},
        }

    def _answer(self, answered: Mapping[str, _Answered]) -> GraphQLResponse:
        errors = [error for each in answered.values() for error in each.errors]
        causes = [cause for each in answered.values() for cause in each.causes]
        parts = []
        for root in self._asking.plan.roots:
            text = orjson.dumps(root.owner) if root.field is None else answered[root.key].text
            if text is None:
                return respond(None, errors, cause=cause_of(causes, errors))
            parts.append(orjson.dumps(root.key) + b":" + text)
        return respond(b"{" + b",".join(parts) + b"}", errors, cause=cause_of(causes, errors))


def _may_come_through(error: Exception, roots: Sequence[RootField]) -> bool:
    """Whether another attempt may succeed: nothing was committed, and what was in the way may be gone."""
    if not isinstance(error, DatabaseError) or error.sqlstate == _UNKNOWN:
        return False
    if error.sqlstate in _IN_THE_WAY:
        return True
    # Python may have done more than the database knows: that it does again only where it must.
    in_python = any(isinstance(root.field, MutationField) and isinstance(root.field.action, Resolver) for root in roots)
    return error.sqlstate == "08006" and not in_python


def _unknown(roots: Sequence[RootField], error: DatabaseError) -> dict[str, _Answered]:
    """What fields came to whose COMMIT was sent and never answered."""
    message, code = "It is not known whether the mutation was applied.", "OUTCOME_UNKNOWN"
    return {root.key: _null(root, _error(root, message, code), [error]) for root in roots}


def _null(root: RootField, error: RequestError, causes: list[Exception] | None = None) -> _Answered:
    assert root.field is not None
    return _Answered(b"null" if root.field.type.nullable else None, [error], causes or [])


def _error(root: RootField, message: str, code: str) -> RequestError:
    return RequestError(message, code=code, path=(root.key,))

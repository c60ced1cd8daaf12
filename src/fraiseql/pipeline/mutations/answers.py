"""What the fields of a mutation came to, and the answer that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from fraiseql.effects import Program
from fraiseql.errors import DatabaseError, RequestError, ValueRefused
from fraiseql.pipeline.failures import cause_of, masked, shown
from fraiseql.pipeline.mutations.actions import recovered
from fraiseql.pipeline.mutations.serving import Asking, Serving
from fraiseql.pipeline.plan import RootField
from fraiseql.pipeline.response import GraphQLResponse, respond

__all__ = ["Answered", "answer_of", "completed", "failed_fields", "unknown_fields"]


@dataclass(slots=True)
class Answered:
    """What a root field came to.

    Attributes:
        text: its JSON; None where a null rises to `data`.
        causes: of errors that the client is not shown.
    """

    text: bytes | None
    errors: list[RequestError] = field(default_factory=list)
    causes: list[Exception] = field(default_factory=list)

    @property
    def is_lost(self) -> bool:
        """Whether errors left nothing of the value."""
        return bool(self.errors) and self.text in (None, b"null")


def completed(serving: Serving, text: bytes) -> Program[Answered]:
    """Compute what Python computes of a field's JSON, and let nulls rise."""
    asking, check = serving.asking, None if serving.checks is None else serving.checks.check
    root, complete = asking.plan.completion(serving.root.key)
    value, errors = text, list[RequestError]()
    causes = [] if serving.checks is None else serving.checks.causes
    resolution = asking.plan.resolution(asking.variables, asking.caller, asking.hint, serving.access)
    if resolution is not None:
        (value,) = yield from resolution.complete([root], [text], check=check)
        errors, causes = resolution.errors, [*causes, *resolution.causes]
    return Answered(complete(value, errors, asking.hint, check), errors, causes)


def failed_fields(
    failed: Sequence[Serving], roots: Sequence[RootField], error: Exception | Answered, causes: Sequence[Exception]
) -> Program[dict[str, Answered]]:
    """What all fields of a transaction came to that was rolled back.

    Args:
        failed: whose error it is: one field's, or that of all where it is nobody's more than another's.
        error: what was raised, or what the one field came to.
        causes: for the log, beside those of the error.
    """
    first = failed[0].root.key
    message = f'The mutation was rolled back, since its field "{first}" failed.'
    answered = {root.key: _null(root, _error(root, message, "ROLLED_BACK"), []) for root in roots}
    if isinstance(error, Answered):
        answered[first] = error
    else:
        answered.update((yield from _blamed(failed, roots, error)))
    answered[first].causes = [*causes, *answered[first].causes]
    return answered


def _blamed(failed: Sequence[Serving], roots: Sequence[RootField], error: Exception) -> Program[dict[str, Answered]]:
    """What fields came to whose error it is: their unions' error members, or the error."""
    found = dict[str, tuple[bytes | None, Exception]]()
    for serving in failed:
        found[serving.root.key] = yield from recovered(serving, error)
    # Where the null of another field rises to `data`, a member of the union would not be seen.
    texts = {key: text for key, (text, _) in found.items()}
    is_seen = all(root.field is None or root.field.type.nullable or texts.get(root.key) for root in roots)
    answered = dict[str, Answered]()
    for serving in failed:
        key, hint = serving.root.key, serving.asking.hint
        text, known = found[key]
        hidden = known.__cause__ if isinstance(known.__cause__, ValueRefused) else masked(known)
        causes = [] if hidden is None else [hidden]
        if text is None or not is_seen:
            answered[key] = _null(serving.root, shown(known, (key,), hint), causes)
        else:
            answered[key] = yield from completed(serving, text)
            answered[key].causes += causes
    return answered


def unknown_fields(roots: Sequence[RootField], error: DatabaseError) -> dict[str, Answered]:
    """What fields came to where nobody can tell whether they were committed."""
    message, code = "It is not known whether the mutation was applied.", "OUTCOME_UNKNOWN"
    return {root.key: _null(root, _error(root, message, code), [error]) for root in roots}


def answer_of(asking: Asking, answered: Mapping[str, Answered]) -> GraphQLResponse:
    """The answer to the request, by what each of its root fields came to."""
    in_order = [answered[root.key] for root in asking.plan.roots if root.field is not None]
    errors = [error for each in in_order for error in each.errors]
    causes = [cause for each in in_order for cause in each.causes]
    parts = []
    for root in asking.plan.roots:
        text = orjson.dumps(root.owner) if root.field is None else answered[root.key].text
        if text is None:
            return respond(None, errors, cause=cause_of(causes, errors))
        parts.append(orjson.dumps(root.key) + b":" + text)
    return respond(b"{" + b",".join(parts) + b"}", errors, cause=cause_of(causes, errors))


def _null(root: RootField, error: RequestError, causes: list[Exception]) -> Answered:
    assert root.field is not None
    return Answered(b"null" if root.field.type.nullable else None, [error], causes)


def _error(root: RootField, message: str, code: str) -> RequestError:
    return RequestError(message, code=code, path=(root.key,))

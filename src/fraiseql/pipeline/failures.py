"""What a client is shown of an error that a user's code, the database or an event bus raised, and what the log is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson

from fraiseql.errors import DatabaseError, FraiseQLError, RequestError, ValueRefused

__all__ = [
    "MISSING_SETTING",
    "MaskedErrors",
    "UnfitValue",
    "UnfitValues",
    "cause_of",
    "errors_of",
    "masked",
    "missing_setting",
    "refused",
    "shown",
    "unavailable",
]

_Error = TypeVar("_Error", bound=BaseException)

_MOST_TOLD: Final = 10
_NO_CONNECTION: Final = "53300"  # of the pool; see DatabaseError
_TOO_BUSY: Final = "The server is too busy: no database connection became free in time."

MISSING_SETTING: Final = "QLC01"
"""The SQLSTATE that `fraiseql_setting` raises; the classes from I to Z are left to everybody (SQL:2016 §24.1)."""


class UnfitValue(RequestError):
    """A value of an answer cannot be shown, and nothing was raised for it: the log has the error itself.

    Args:
        hint: entries of `extensions`, the request's id.
        told: for the log, where it is not the message.
    """

    def __init__(
        self, message: str, path: Sequence[str | int], hint: Mapping[str, Any], told: str | None = None
    ) -> None:
        super().__init__(message, code="INTERNAL_SERVER_ERROR", path=path, extensions=hint)
        self.told = f"{(told or message).rstrip('.')} at {'.'.join(map(str, path))}"


class UnfitValues(FraiseQLError):
    """For the log: which values could not be shown."""


class MaskedErrors(ExceptionGroup[Exception]):
    """For the log: several errors of one answer."""

    def derive(self, excs: Sequence[Exception]) -> MaskedErrors:  # type: ignore[override]
        return MaskedErrors(self.message, excs)


def cause_of(causes: Iterable[Exception], errors: Iterable[RequestError]) -> Exception | None:
    """What the log is told of an answer: nothing, one error, or MaskedErrors.

    Args:
        causes: that the client is not shown; one that failed several objects is told once.
        errors: that the client is shown, of which each UnfitValue is told.
    """
    found: list[Exception] = list({_identity(cause): cause for cause in causes}.values())
    unfit = [error.told for error in errors if isinstance(error, UnfitValue)]
    if unfit:
        more = [f"and {len(unfit) - _MOST_TOLD} more"] if len(unfit) > _MOST_TOLD else []
        found.append(UnfitValues("; ".join([*unfit[:_MOST_TOLD], *more])))
    if len(found) > 1:
        return MaskedErrors("errors of one answer", found)
    return found[0] if found else None


def _identity(cause: Exception) -> int:
    return id(cause.__cause__ if isinstance(cause, ValueRefused) else cause)


def shown(
    error: Exception, path: tuple[str | int, ...], hint: Mapping[str, Any], extensions: Mapping[str, Any] | None = None
) -> RequestError:
    """The entry of `errors` for an error: a RequestError as it is, anything else masked.

    Args:
        path: for an error that has none of its own.
        hint: entries of `extensions` for a masked error, the request's id.
        extensions: more entries, whichever error it is.
    """
    more = extensions or {}
    error = missing_setting(error) or error
    if isinstance(error, RequestError) and _is_json(error):
        return RequestError(
            error.message,
            code=error.code,
            path=path if error.path is None else error.path,
            locations=error.locations,
            extensions={**error.extensions, **more},
        )
    if isinstance(error, DatabaseError) and error.unavailable:
        return unavailable(error, {**hint, **more}, path)
    return RequestError("Internal server error.", code="INTERNAL_SERVER_ERROR", path=path, extensions={**hint, **more})


def unavailable(
    error: DatabaseError, hint: Mapping[str, Any], path: tuple[str | int, ...] | None = None
) -> RequestError:
    """The entry of `errors` where there is no database, or no connection to it is free."""
    message = _TOO_BUSY if error.sqlstate == _NO_CONNECTION else "The database is not available."
    return RequestError(message, code="DATABASE_UNAVAILABLE", path=path, extensions=hint)


def masked(error: Exception) -> Exception | None:
    """The error, if `shown` hides it, or what was refused: only that is for the log."""
    if missing_setting(error) is not None:
        return refused(error)
    if isinstance(error, RequestError) and _is_json(error):
        return error.__cause__ if isinstance(error.__cause__, ValueRefused) else None
    return error


def missing_setting(error: Exception) -> RequestError | None:
    """What the client is told where a policy needs a setting that it was not told; None for another error.

    Its `__cause__` is for the log.
    """
    if not isinstance(error, DatabaseError) or error.sqlstate != MISSING_SETTING:
        return None
    name = error.place.column  # `fraiseql_setting` says there which
    told = RequestError(f"The request has no value for {repr(name) if name else 'a setting'}.", code="CONTEXT_MISSING")
    told.__cause__ = refused(error)
    return told


def errors_of(cause: _Error) -> Sequence[_Error | Exception]:
    """The errors that a cause stands for."""
    return cause.exceptions if isinstance(cause, MaskedErrors) else (cause,)


def refused(error: Exception) -> ValueRefused:
    """What the log has of an error that the client is told to be its mistake: it may be another's all the same."""
    told = ValueRefused(f"a value was refused: {error}")
    told.__cause__ = error
    return told


def _is_json(error: RequestError) -> bool:
    """A user's code may have put anything into it."""
    try:
        orjson.dumps([error.message, error.code, error.path, error.extensions])
    except (orjson.JSONEncodeError, RecursionError):
        return False
    return isinstance(error.message, str) and isinstance(error.code, str)

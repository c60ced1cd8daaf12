"""What a client is shown of an error that a user's code, the database or an event bus raised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from fraiseql.errors import DatabaseError, RequestError, ValueRefused

__all__ = ["masked", "refused", "shown"]


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
    if isinstance(error, RequestError) and _is_json(error):
        return RequestError(
            error.message,
            code=error.code,
            path=path if error.path is None else error.path,
            locations=error.locations,
            extensions={**error.extensions, **more},
        )
    if isinstance(error, DatabaseError) and error.unavailable:
        message, code = "The database is not available.", "DATABASE_UNAVAILABLE"
    else:
        message, code = "Internal server error.", "INTERNAL_SERVER_ERROR"
    return RequestError(message, code=code, path=path, extensions={**hint, **more})


def masked(error: Exception) -> Exception | None:
    """The error, if `shown` hides it: only that is for the log."""
    return None if isinstance(error, RequestError) and _is_json(error) else error


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

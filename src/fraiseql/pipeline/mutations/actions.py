"""Who serves a field of a mutation: a PostgreSQL function, a statement about a table, or a function in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from fraiseql.effects import Program
from fraiseql.pipeline.mutations.serving import Serving

__all__ = ["recovered", "serve"]

_SERVERS: Final[Mapping[type[Any], Callable[[Serving], Program[bytes]]]] = MappingProxyType({})


def serve(serving: Serving) -> Program[bytes]:
    """Serve a field in its transaction and return the JSON of what is selected of it; raises anything."""
    return _SERVERS[type(serving.field.action)](serving)


def recovered(serving: Serving, error: Exception) -> Program[tuple[bytes | None, Exception]]:
    """What can be made of an error after the transaction was rolled back.

    Returns:
        the JSON of the union's error member, where the field has one and the error fits it; and what the error is for
        the client.
    """
    yield from ()
    return None, error

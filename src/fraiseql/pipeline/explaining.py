"""What a request would send to PostgreSQL, as texts to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fraiseql.effects import Fetch, Settings

__all__ = ["Explanation", "explained"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The statement of a request.

    Attributes:
        sql: empty where it needs none; of a mutation, what writes for its first field.
        parameters: None is NULL.
        settings: what PostgreSQL is told before it of the caller, where one was given.
        further: what writes for the other fields of a mutation.
        called: the root fields that functions in Python serve, by their keys in the response: they send what they like.
    """

    sql: str
    parameters: tuple[str | None, ...]
    settings: tuple[tuple[str, str], ...] = ()
    further: tuple[Explanation, ...] = ()
    called: tuple[str, ...] = ()


def explained(statements: Sequence[Fetch], called: Sequence[str], settings: Settings) -> Explanation:
    """Explain the statements of one request, of which functions in Python serve some root fields."""
    told = tuple((name.decode(), value.decode()) for name, value in settings)
    shown = [Explanation(each.statement.sql.decode(), _texts(each.parameters), told) for each in statements]
    first, *others = shown or [Explanation("", (), told if called else ())]
    return replace(first, further=tuple(others), called=tuple(called))


def _texts(parameters: tuple[bytes | None, ...]) -> tuple[str | None, ...]:
    return tuple(None if value is None else value.decode() for value in parameters)

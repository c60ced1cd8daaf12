"""Cursors: the place of a row in an order, as the values that it is ordered by.

A cursor is a JSON array in base64: first what names the order, so that a cursor of another one is refused, then each
value as PostgreSQL's text or null. It holds no offset: the page behind it is right whatever was inserted or deleted.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from fraiseql.pipeline.sql.orders import Term
from fraiseql.pipeline.sql.values import literal

__all__ = ["behind", "cursor_of", "cursor_reader", "order_name"]

_MAX_CURSOR = 65_536  # characters; as long as the texts that a list is ordered by


def order_name(target: str, terms: Sequence[Term]) -> str:
    """A short name for an order of the rows of a type."""
    spelled = [target, *(f"{'.'.join(term.names)} {term.direction}" for term in terms)]
    return sha256("\n".join(spelled).encode()).hexdigest()[:8]


def cursor_of(name: str, terms: Sequence[Term]) -> str:
    """The expression for the cursor of a row."""
    values = ", ".join(f"({term.expression})::text" for term in terms)
    # base64 of PostgreSQL has lines of 76 characters.
    text = f"json_build_array({literal(name)}, {values})::text"
    return f"translate(encode(convert_to({text}, 'UTF8'), 'base64'), E'\\n', '')"


def cursor_reader(name: str, count: int) -> Callable[[Any], list[str | None]]:
    """A function from a cursor to the values of its order; it raises ValueError."""

    def read(cursor: Any) -> list[str | None]:
        try:
            if len(cursor) > _MAX_CURSOR:
                raise ValueError
            found = json.loads(base64.b64decode(cursor, validate=True))
            if not isinstance(found, list) or len(found) != count + 1 or found[0] != name:
                raise ValueError
            values: list[str | None] = found[1:]
            if not all(value is None or _is_text(value) for value in values):
                raise ValueError
        except (ValueError, binascii.Error, RecursionError):
            raise ValueError("is not a cursor of this list in this order") from None
        return values

    return read


def _is_text(value: Any) -> bool:
    """Whether a value is a text that PostgreSQL can hold."""
    if not isinstance(value, str) or "\0" in value:
        return False
    value.encode()  # half of a surrogate pair is a UnicodeEncodeError, which is a ValueError
    return True


def behind(terms: Sequence[Term], parameters: Sequence[str], *, backward: bool = False) -> str:
    """The condition that a row lies behind the one with these values; `backward`: before it.

    Args:
        parameters: for each term, the text of its value.
    """
    pairs = list(zip(terms, parameters, strict=True))
    directions = {term.descending for term in terms}
    if len(directions) == 1 and len(pairs) > 1 and not any(term.nullable for term in terms):
        # One comparison of rows, which an index over all terms serves.
        left, right = (", ".join(part) for part in ([term.expression for term in terms], parameters))
        return f"({left}) {_sign(terms[0], backward)} ({right})"
    (last, parameter), *before = reversed(pairs)
    condition = _follows(last, parameter, backward)
    for term, parameter in before:
        further = f"({_equal(term, parameter)} and {condition})"
        condition = f"({_follows(term, parameter, backward)} or {further})"
    first, parameter = pairs[0]
    if not first.nullable and len(pairs) > 1:  # what an index over the first term serves
        return f"({first.expression} {_sign(first, backward)}= {parameter} and {condition})"
    return condition


def _sign(term: Term, backward: bool) -> str:
    return "<" if term.descending is not backward else ">"


def _equal(term: Term, parameter: str) -> str:
    return f"{term.expression} {'is not distinct from' if term.nullable else '='} {parameter}"


def _follows(term: Term, parameter: str, backward: bool) -> str:
    """A null is at one of the ends, behind or before every value."""
    strictly = f"{term.expression} {_sign(term, backward)} {parameter}"
    if not term.nullable:
        return strictly
    nulls_follow = term.nulls_first is backward
    nulls = (
        f"{term.expression} is null and {parameter} is not null"
        if nulls_follow
        else f"{term.expression} is not null and {parameter} is null"
    )
    return f"({strictly} or ({nulls}))"

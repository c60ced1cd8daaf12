"""Cursors: the place of a row in an order, as the values that it is ordered by.

A cursor is a JSON array in base64: first what names the order, so that a cursor of another one is refused, then each
value as PostgreSQL's text or null. It holds no offset: the page behind it is right whatever was inserted or deleted.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from fraiseql.pipeline.sql.orders import Term
from fraiseql.pipeline.sql.values import literal

__all__ = ["behind", "cursor_of", "cursor_reader", "order_name"]

_MAX_ITEMS: Final = 90  # PostgreSQL's functions take 100 arguments


def order_name(target: str, terms: Sequence[Term]) -> str:
    """A short name for an order of the rows of a type."""
    from hashlib import sha256  # OpenSSL's, half a megabyte: not before it is needed

    spelled = [target, *(f"{'.'.join(term.names)} {term.direction}" for term in terms)]
    return sha256("\n".join(spelled).encode()).hexdigest()[:8]


def cursor_of(name: str, terms: Sequence[Term]) -> str:
    """The expression for the cursor of a row."""
    items = [literal(name), *(_item(term, terms[-1]) for term in terms)]
    arrays = [f"jsonb_build_array({', '.join(each)})" for each in _parts(items)]
    text = f"({' || '.join(arrays)})::text" if len(arrays) > 1 else f"json_build_array({', '.join(items)})::text"
    # base64 of PostgreSQL has lines of 76 characters.
    return f"translate(encode(convert_to({text}, 'UTF8'), 'base64'), E'\\n', '')"


def _item(term: Term, last: Term) -> str:
    """A value as text; where it is null and never should be, rows would be lost behind the cursor: an error."""
    text = f"({term.expression})::text"
    if term.nullable or term.is_identity:
        return text
    return f"coalesce({text}, ('null in the row ' || ({last.expression})::text)::int4::text)"


def _parts(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), _MAX_ITEMS):
        yield items[start : start + _MAX_ITEMS]


def cursor_reader(name: str, count: int) -> Callable[[Any], list[str | None]]:
    """A function from a cursor to the values of its order; it raises ValueError."""

    def read(cursor: Any) -> list[str | None]:
        try:
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
    is_plain = not any(term.nullable or _nulls_follow(term, backward) for term in terms)
    if is_plain and len(pairs) > 1 and len({term.descending for term in terms}) == 1:
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
        return f"({_bound(first, parameter, backward)} and {condition})"
    return condition


def _nulls_follow(term: Term, backward: bool) -> bool:
    """Whether nulls lie behind all values. What is said never to be null may be so all the same, but for the `id`."""
    return term.nulls_first is backward and not term.is_identity


def _sign(term: Term, backward: bool) -> str:
    return "<" if term.descending is not backward else ">"


def _equal(term: Term, parameter: str) -> str:
    return f"{term.expression} {'is not distinct from' if term.nullable else '='} {parameter}"


def _bound(term: Term, parameter: str, backward: bool) -> str:
    """Weaker than `_follows`: of a column that is not null, PostgreSQL 17 and later drop the question for nulls."""
    bound = f"{term.expression} {_sign(term, backward)}= {parameter}"
    return f"({bound} or {term.expression} is null)" if _nulls_follow(term, backward) else bound


def _follows(term: Term, parameter: str, backward: bool) -> str:
    """A null is at one of the ends, behind or before every value."""
    strictly = f"{term.expression} {_sign(term, backward)} {parameter}"
    if not term.nullable:
        return f"({strictly} or {term.expression} is null)" if _nulls_follow(term, backward) else strictly
    nulls = (
        f"{term.expression} is null and {parameter} is not null"
        if _nulls_follow(term, backward)
        else f"{term.expression} is not null and {parameter} is null"
    )
    return f"({strictly} or ({nulls}))"

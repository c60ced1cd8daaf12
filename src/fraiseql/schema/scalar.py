"""What a scalar type is, and what its parsing functions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fraiseql.schema.directives import Use

__all__ = ["FilterFamily", "Scalar", "checked_text", "excerpt"]


class FilterFamily(Enum):
    """Which conditions `where` offers for a type's values; the values are the names that `fraiseql.scalar` takes."""

    NONE = "none"
    EQUALITY = "equality"
    ORDERED = "ordered"
    TEXT = "text"
    JSON = "json"
    TEXT_SEARCH = "text search"
    NETWORK = "network"
    RANGE = "range"
    TREE = "tree"


_WITHOUT_EQUALITY = (FilterFamily.NONE, FilterFamily.JSON, FilterFamily.TEXT_SEARCH)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One scalar type.

    Attributes:
        name: in GraphQL.
        sql_type: the PostgreSQL type that its values are read as.
        parse: from a request's value to the canonical one, as PostgreSQL reads it; raises ValueError.
        serialize: from a Python value to the one that JSON shall hold; raises ValueError.
        load: from the canonical value to the Python object that a resolver is called with.
        family: the conditions that are offered for it.
        sortable: whether a list can be ordered by it.
        as_text: whether JSON shows PostgreSQL's text of it, since a JSON number would lose digits.
        shown_as: an SQL expression of `{}` for what JSON shall hold, where that is not what PostgreSQL makes of it.
        written: from the canonical value to the one that JSON holds, where they differ.
        finite: an SQL condition on `{}` that values do not meet which JSON or ISO 8601 has no form of, where the type
            has them: NaN, the infinities, years before 1 and after 9999, 24:00.
        element: the scalar of a range's bounds.
        element_sql: an SQL expression of the parameter `{}` for such a bound.
        directives: that are applied to it.
    """

    name: str
    sql_type: str
    parse: Callable[[Any], Any]
    serialize: Callable[[Any], Any]
    load: Callable[[Any], Any]
    description: str | None = None
    specified_by_url: str | None = None
    family: FilterFamily = FilterFamily.ORDERED
    sortable: bool = True
    as_text: bool = False
    shown_as: str | None = None
    written: Callable[[Any], Any] | None = None
    finite: str | None = None
    element: str | None = None
    element_sql: str = "{}"
    directives: Sequence[Use] = ()

    @property
    def is_json(self) -> bool:
        """Whether its values are any JSON, which passes through."""
        return self.sql_type in ("json", "jsonb")

    @property
    def filtered(self) -> bool:
        """Whether a query's own argument can be of this type: whether values of it can be equal."""
        return self.family not in _WITHOUT_EQUALITY


def excerpt(value: Any) -> str:
    """The beginning of a value, for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def checked_text(value: str) -> str:
    """The text itself, where PostgreSQL can hold it; raises ValueError."""
    if "\0" in value:
        raise ValueError("String and ID cannot hold the character NUL, which PostgreSQL has no place for")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"String and ID cannot hold half of a surrogate pair: {excerpt(value)}") from None
    return value

"""What a condition is made of: its SQL, what it is given, and how that is made ready."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

__all__ = ["Operand", "Operator", "anywhere", "at_end", "at_start", "path", "pattern"]

_TRAILING_ESCAPE: Final = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_PATH_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/', re.DOTALL)  # or a comment
_PATH_VARIABLE: Final = re.compile(r'\$["\w]')


class Operand(Enum):
    """What a condition is given."""

    VALUE = auto()
    """A value of the field's type; of a list field's items' type, a list of them."""
    VALUES = auto()
    """A list of values of the field's type."""
    ELEMENT = auto()
    """A value of the type of a range's bounds."""
    BOOLEAN = auto()
    TEXT = auto()
    TEXTS = auto()
    ADDRESS = auto()
    NETWORK = auto()
    SEARCH = auto()
    """An object: which words, and in which language."""
    LENGTH = auto()
    """An object: the conditions of an Int."""
    BOUND = auto()
    """An object: the conditions of a range's bounds."""
    ANY = auto()
    """An object: the conditions of the list's items' type."""
    CONDITIONS = auto()
    """An object: the conditions on an embedded object."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One condition.

    Attributes:
        sql: of the field `{0}`, the parameter `{1}`, the field's SQL type `{2}` and, for lists, a cast `{3}`; empty
            for an operand that is an object of conditions.
        null: of the field, for a null; None refuses it.
        prepare: from the value to the parameter, for what PostgreSQL cannot be left to refuse; raises ValueError.
        blames: SQLSTATEs and PostgreSQL's file that raises each, of which this parameter's value can be the cause, and
            for which PostgreSQL names none. The same SQLSTATE from elsewhere is of a row's value.
        empty: for an empty text, list or object: True where every value meets it, but for nulls and other kinds of
            JSON, False where none does; None where it is like any other.
    """

    sql: str
    operand: Operand = Operand.VALUE
    description: str | None = None
    null: str | None = None
    prepare: Callable[[Any], Any] | None = None
    blames: frozenset[tuple[str, str]] = frozenset()
    empty: bool | None = None


def _escaped(text: str) -> str:
    """A text as a pattern of LIKE that only it matches (PostgreSQL §9.7.1)."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def anywhere(text: str) -> str:
    """A pattern of LIKE for what has a text in it."""
    return f"%{_escaped(text)}%"


def at_start(text: str) -> str:
    """A pattern of LIKE for what begins with a text."""
    return f"{_escaped(text)}%"


def at_end(text: str) -> str:
    """A pattern of LIKE for what ends with a text."""
    return f"%{_escaped(text)}"


def pattern(text: str) -> str:
    """A pattern of LIKE as it was given; raises ValueError."""
    if _TRAILING_ESCAPE.search(text):
        raise ValueError("must not end with a backslash that escapes nothing")
    return text


def path(text: str) -> str:
    """An SQL/JSON path as it was given; raises ValueError."""
    if _PATH_VARIABLE.search(_PATH_STRING.sub('""', text)):
        raise ValueError("names a variable, and there are none")
    return text

"""What a program may ask of its runtime: values, each with a typed helper to `yield from`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

__all__ = ["Effect", "Fetch", "Program", "Row", "Statement", "fetch"]

Row: TypeAlias = tuple[bytes | None, ...]
"""One row as PostgreSQL's text format gives it; None is NULL."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement, with `$1`, `$2`, ... where its parameters go.

    Attributes:
        sql: the text, UTF-8.
        columns: how many columns its row has.
    """

    sql: bytes
    columns: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """Run one statement and give its only row.

    Attributes:
        statement: what to run.
        parameters: one value for each `$n`, in PostgreSQL's text format; None is NULL.
    """

    statement: Statement
    parameters: tuple[bytes | None, ...]


Effect: TypeAlias = Fetch

_Result = TypeVar("_Result")
Program: TypeAlias = Generator[Effect, Any, _Result]
"""One operation: it yields effects, is sent their results, or has their errors thrown in, and returns its result."""


def fetch(statement: Statement, parameters: tuple[bytes | None, ...]) -> Program[Row]:
    """Run one statement and return its only row; raises DatabaseError."""
    row: Row = yield Fetch(statement, parameters)
    return row

"""What is asked of the database: statements, and the transactions that they are in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

__all__ = [
    "Begin",
    "Commit",
    "Execute",
    "Fetch",
    "Isolation",
    "ResultSet",
    "Rollback",
    "Row",
    "Settings",
    "Statement",
]

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


Settings: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Names and values that PostgreSQL is told by `set_config(name, value, true)`: they hold until the transaction ends."""


class Isolation(Enum):
    """What a transaction sees of others (PostgreSQL §13.2)."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


@dataclass(slots=True)  # not frozen: made for each request, in a third of the time
class Fetch:
    """Run one statement and give its only row.

    Attributes:
        statement: what to run.
        parameters: one value for each `$n`, in PostgreSQL's text format; None is NULL.
        timeout: seconds to wait for the row, once there is a connection; None for as long as it takes.
        settings: told before the statement, in the same transaction and the same round trip.
        transaction: what Begin gave; None for a transaction of its own.
        guarded: whether the transaction can go on after an error of the statement: it has a savepoint before it.
        read_only: whether it is taken to write nothing, so that it may be run again, in company, and on a replica; one
            that writes all the same is found out by the server, and runs alone on the primary.
        primary: whether it must see what was just written, which a replica may not have yet.
    """

    statement: Statement
    parameters: tuple[bytes | None, ...]
    timeout: float | None = None
    settings: Settings = ()
    transaction: Any = None
    guarded: bool = False
    read_only: bool = False
    primary: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Execute:
    """Run one statement of a user's own, and give a ResultSet.

    Attributes:
        sql: with `$1`, `$2`, ... for the parameters.
        parameters: Python values; PostgreSQL's types are chosen by theirs.
        timeout, settings, transaction: as of Fetch.
        guarded: as of Fetch; not where the statement is itself about the transaction or its savepoints.
    """

    sql: str
    parameters: tuple[Any, ...] = ()
    timeout: float | None = None
    settings: Settings = ()
    transaction: Any = None
    guarded: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ResultSet:
    """What a statement gave.

    Attributes:
        columns: their names; none for a statement that gives no rows.
        rows: of Python values.
        affected: how many rows were inserted, updated, deleted or selected.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    affected: int


@dataclass(frozen=True, slots=True)
class Begin:
    """Open a transaction; gives a handle, which Fetch, Execute, Commit and Rollback name.

    The connection is its own until it ends; one that is open when the program ends is rolled back.
    """

    isolation: Isolation = Isolation.READ_COMMITTED


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """Commit a transaction; raises DatabaseError, 08007 where nobody can tell whether it was committed.

    Attributes:
        settings: told before it, in the same round trip: what is deferred runs under them.
    """

    transaction: Any
    settings: Settings = ()


@dataclass(frozen=True, slots=True, eq=False)
class Rollback:
    """Roll a transaction back, whatever state it is in; raises nothing, and does nothing where it has ended."""

    transaction: Any

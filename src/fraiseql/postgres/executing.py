"""A user's own statement: Python values to PostgreSQL and back, by psycopg's adaptation, without its connection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import abc
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Loader, PyFormat, Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult
from psycopg.types.json import JsonbDumper

from fraiseql.effects import Execute, ResultSet
from fraiseql.errors import DatabaseError
from fraiseql.postgres.connection import Connection
from fraiseql.postgres.exchange import Exchange

__all__ = ["UserStatement"]

_MOST_PARAMETERS = 65_535  # the protocol counts them in 16 bits
_CONTROL = frozenset({b"BEGIN", b"START TRANSACTION", b"COMMIT", b"ROLLBACK", b"PREPARE TRANSACTION"})
_PREPARES = frozenset({b"PREPARE", b"DO", b"CALL"})
_FORGETS = frozenset({b"DEALLOCATE ALL", b"DISCARD ALL"})
# `ROLLBACK TO SAVEPOINT`, which has the tag of `ROLLBACK`, with any comments that are not nested.
_GAP = r"(?: \s | --[^\n]*\n | /\*.*?\*/ )"
_TO_SAVEPOINT = re.compile(
    rf"{_GAP}*+ ROLLBACK {_GAP}++ (?: (?: WORK | TRANSACTION ) {_GAP}++ )? TO \b",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# What is about the transaction or its savepoints: a savepoint around it would be in its way, or take what it does back.
_STEERS = re.compile(
    rf"""(?: {_GAP} | ; )*+ (?:
        ABORT | BEGIN | COMMIT | END | RELEASE | ROLLBACK | SAVEPOINT | START | (?: PREPARE | SET ) {_GAP}++ TRANSACTION
    ) \b""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_INTERVAL = re.compile(
    rb"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?"
    rb"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d{1,6}))?S)?)?\Z"
)


class _IntervalLoader(Loader):
    """Reads ISO 8601, in which our sessions write; a year has 365 days and a month 30, as in psycopg."""

    def load(self, data: Buffer) -> timedelta:
        if (match := _INTERVAL.match(bytes(data))) is None:
            raise psycopg.DataError(f"an interval that is no ISO 8601: {bytes(data)!r}")
        years, months, weeks, days, hours, minutes = (int(part or 0) for part in match.groups()[:6])
        micros = int(match[8] or 0) * 1_000_000 + int((match[9] or b"").ljust(6, b"0"))
        if match[7]:
            micros = -micros
        return timedelta(
            days=365 * years + 30 * months + 7 * weeks + days,
            seconds=3600 * hours + 60 * minutes,
            microseconds=micros,
        )


class _Context:
    """How values are adapted: as psycopg does, mappings as jsonb, and there is no connection to ask."""

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_loader("interval", _IntervalLoader)
        self.adapters.register_dumper(dict, JsonbDumper)
        self.connection = None


_CONTEXT: AdaptContext = _Context()


class UserStatement:
    """One statement of a user's, its parameters told as PostgreSQL reads them.

    Attributes:
        steers: whether it is about the transaction or its savepoints, so that it cannot be guarded by one.

    Raises:
        DatabaseError: 22021 for a NUL character or what is no Unicode, 42804 for a value that PostgreSQL cannot be
            told, both with its number as `parameter`; 54000 for too many.
    """

    __slots__ = ("_formats", "_is_to_savepoint", "_parameters", "_sql", "_transformer", "_types", "steers")

    def __init__(self, effect: Execute) -> None:
        if len(effect.parameters) > _MOST_PARAMETERS:
            raise DatabaseError(f"{len(effect.parameters)} parameters: 65,535 are the most", sqlstate="54000")
        self._sql = _text(effect.sql)
        self.steers = _STEERS.match(effect.sql) is not None
        self._is_to_savepoint = _TO_SAVEPOINT.match(effect.sql) is not None
        self._transformer = Transformer(_CONTEXT)
        self._parameters = _dumped(self._transformer, effect.parameters)
        self._types = self._transformer.types or ()
        self._formats = self._transformer.formats or ()

    def put_into(self, exchange: Exchange) -> None:
        """Send it."""
        exchange.foreign(self._sql, self._parameters, self._types, self._formats)

    def is_control(self, result: PGresult) -> bool:
        """Whether it begins or ends a transaction, by what PostgreSQL says that it was."""
        return result.command_status in _CONTROL and not self._is_to_savepoint

    def note(self, connection: Connection, result: PGresult | None) -> None:
        """Remember what it did to prepared statements; without a result, as after an error, it may have done anything.

        PREPARE is not undone with its transaction.
        """
        if result is None or result.command_status in _PREPARES:
            connection.may_prepare = True
        if result is not None and result.command_status in _FORGETS:
            connection.prepared.clear()

    def result_set(self, result: PGresult) -> ResultSet:
        """What it gave.

        Raises:
            DatabaseError: 42601 where there was no statement, 22000 where a value has no like in Python: what the
                statement did holds all the same, and is committed where that was outside of a transaction.
        """
        if result.status == ExecStatus.EMPTY_QUERY:
            raise DatabaseError("there is no statement in the text", sqlstate="42601")
        affected = result.command_tuples or 0
        if result.status != ExecStatus.TUPLES_OK:
            return ResultSet((), [], affected)
        names = tuple((result.fname(column) or b"").decode() for column in range(result.nfields))
        try:
            self._transformer.set_pgresult(result)
            rows = self._transformer.load_rows(0, result.ntuples, tuple)
        except Exception as error:  # infinite dates, intervals out of range, and whatever else loaders of users meet
            found = f"{type(error).__name__}: {error}"
            text = f"the statement was carried out, but a value of its result has no like in Python: {found}"
            raise DatabaseError(text, sqlstate="22000") from None
        return ResultSet(names, rows, affected)


def _text(sql: str) -> bytes:
    try:
        text = sql.encode()
    except UnicodeEncodeError:
        raise DatabaseError("the statement is no Unicode", sqlstate="22021") from None
    if 0 in text:  # libpq would read it up to there
        raise DatabaseError("a NUL character in the statement", sqlstate="22021")
    return text


def _dumped(transformer: abc.Transformer, values: Sequence[Any]) -> Sequence[Any]:
    try:
        return transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
    except Exception:
        for number, value in enumerate(values, 1):
            _try_out(number, value)
        raise


def _try_out(number: int, value: Any) -> None:
    try:
        Transformer(_CONTEXT).dump_sequence([value], [PyFormat.AUTO])
    except Exception as error:
        is_text = isinstance(error, (psycopg.DataError, UnicodeError)) and isinstance(value, str)
        text = f"${number}: a value of {type(value).__name__} cannot be told to PostgreSQL: {error}"
        raise DatabaseError(text, sqlstate="22021" if is_text else "42804", parameter=number) from None

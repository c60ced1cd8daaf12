"""What PostgreSQL's and libpq's errors mean: SQLSTATE, whether to try again, and whose parameter it was."""

from __future__ import annotations

import re

from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult

from fraiseql.errors import DatabaseError, ErrorPlace, SettingRefused

__all__ = [
    "connection_failed",
    "connection_lost",
    "is_fatal",
    "is_stale_plan",
    "is_taken_name",
    "is_unknown_statement",
    "outcome_unknown",
    "own_copy",
    "setting_refused",
    "statement_failed",
]

# Worth another try: connection (08), serialization and deadlock (40), resources (53), lock not available, a server that
# shuts down or starts (57P0x, but not a dropped database).
_RETRYABLE_CLASSES = frozenset({"08", "53"})
_RETRYABLE = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05"})

# libpq does not tell the SQLSTATE of a failed connection, only its text, in the server's language. What is not known
# here counts as worth another try: a waiting request then fails at its own deadline instead of at once.
_CONNECTION_FAILURES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sqlstate)
    for pattern, sqlstate in (
        (r"the database system is |the database system has ", "57P03"),
        (r"too many clients|too many connections|connection slots are reserved", "53300"),
        (r"password authentication failed|no password supplied|authentication method .* not supported", "28P01"),
        (r"authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|certificate", "28000"),
        (r"role \".*\" (does not exist|is not permitted to log in)", "28000"),
        (r"database \".*\" does not exist|is not currently accepting connections", "3D000"),
        (r"permission denied for database", "42501"),
        (r"unrecognized configuration parameter|invalid (value for parameter|command-line argument)", "22023"),
        (r"invalid (sslmode|port|integer|connection option|\S+ value)|does not support SSL", "08P01"),
    )
)
_PERMANENT = frozenset({"28P01", "28000", "3D000", "42501", "22023", "08P01"})

# "unnamed portal parameter $2 = '...'", in the server's language, but not the list after "portal with parameters:". It
# is the outermost of what PostgreSQL was doing, which stands last. A statement's text, which may end so, does not: it
# is quoted, and the function that ran it follows.
_PARAMETER = re.compile(
    r"""^ (?: [^:"$\n] | "[^"\n]*" )* [ ] \$([0-9]{1,5}) (?: [ ]=[ ] '(?: [^'] | '' )*' )? \Z""",
    re.MULTILINE | re.VERBOSE,
)


_PLACE = (
    DiagnosticField.SCHEMA_NAME,
    DiagnosticField.TABLE_NAME,
    DiagnosticField.COLUMN_NAME,
    DiagnosticField.CONSTRAINT_NAME,
)


def statement_failed(result: PGresult) -> DatabaseError:
    """The error that a statement's result holds."""
    sqlstate = _field(result, DiagnosticField.SQLSTATE) or "XX000"
    fields = (DiagnosticField.MESSAGE_PRIMARY, DiagnosticField.MESSAGE_DETAIL, DiagnosticField.MESSAGE_HINT)
    texts = [text for field in fields if (text := _field(result, field))]
    return DatabaseError(
        "; ".join(texts) or "PostgreSQL gave no message",
        sqlstate=sqlstate,
        retryable=(sqlstate[:2] in _RETRYABLE_CLASSES and sqlstate != "08P01") or sqlstate in _RETRYABLE,
        # 42601 is a syntax error, also one in a value of a type with a syntax, as jsonpath or ltree.
        parameter=_parameter(result) if sqlstate.startswith("22") or sqlstate == "42601" else None,
        source_file=re.split(r"[\\/]", _field(result, DiagnosticField.SOURCE_FILE))[-1],
        source_function=_field(result, DiagnosticField.SOURCE_FUNCTION),
        said=_field(result, DiagnosticField.MESSAGE_PRIMARY),
        place=ErrorPlace(*(_field(result, field) for field in _PLACE)),
    )


def connection_lost(reason: str) -> DatabaseError:
    """The connection broke under a conversation."""
    return DatabaseError(f"the database connection was lost: {_one_line(reason)}", sqlstate="08006", retryable=True)


def connection_failed(reason: str) -> DatabaseError:
    """No connection could be made; not `retryable` where only a change of settings can help."""
    text = _one_line(reason)
    for pattern, sqlstate in _CONNECTION_FAILURES:
        if pattern.search(text):
            return DatabaseError(text, sqlstate=sqlstate, retryable=sqlstate not in _PERMANENT)
    return DatabaseError(text, sqlstate="08001", retryable=True)


def is_stale_plan(result: PGresult) -> bool:
    """Whether a prepared statement's result type changed under it: "cached plan must not change result type"."""
    return (
        result.error_field(DiagnosticField.SQLSTATE) == b"0A000"
        and result.error_field(DiagnosticField.SOURCE_FUNCTION) == b"RevalidateCachedQuery"
    )


def is_unknown_statement(result: PGresult) -> bool:
    """Whether the prepared statement is gone: somebody deallocated it, or a pooler changed the server."""
    return result.error_field(DiagnosticField.SQLSTATE) == b"26000"


def is_taken_name(result: PGresult) -> bool:
    """Whether a prepared statement has our name already: somebody's PREPARE gave it."""
    return result.error_field(DiagnosticField.SQLSTATE) == b"42P05"


def is_fatal(result: PGresult) -> bool:
    """Whether an error ended the session, or stands for the loss of the connection."""
    severity = result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED)
    return severity in (b"FATAL", b"PANIC") or not result.error_field(DiagnosticField.SQLSTATE)


def setting_refused(result: PGresult) -> DatabaseError:
    """The error of a `set_config` before a statement."""
    error = statement_failed(result)
    if error.unavailable:
        return error
    return SettingRefused(f"a setting was refused: {error}", sqlstate=error.sqlstate, retryable=error.retryable)


def outcome_unknown(reason: str) -> DatabaseError:
    """Something was sent to be committed, and no answer came."""
    text = f"nobody can tell whether it was committed: {_one_line(reason)}"
    return DatabaseError(text, sqlstate="08007", retryable=False)


def own_copy(error: DatabaseError) -> DatabaseError:
    """What several are told, for one of them: it will be raised, and so changed."""
    return DatabaseError(str(error), sqlstate=error.sqlstate, retryable=error.retryable)


def _parameter(result: PGresult) -> int | None:
    match = _PARAMETER.search(_field(result, DiagnosticField.CONTEXT))
    return int(match[1]) if match else None


def _field(result: PGresult, field: DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def _one_line(text: str) -> str:
    return "; ".join(part for line in text.splitlines() if (part := line.strip()))

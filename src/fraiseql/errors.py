"""The error tree: every exception that this package raises on purpose.

Anything else that escapes from it is a bug of ours. What a client is shown is decided by the pipeline; the texts here
are written for the developer and the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "NOWHERE",
    "ConfigurationError",
    "DatabaseError",
    "ErrorPlace",
    "FraiseQLError",
    "LimitExceeded",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "RequestError",
    "SchemaError",
    "SettingRefused",
    "StartupError",
    "ValueRefused",
]


class FraiseQLError(Exception):
    """Base of all errors that this package raises on purpose."""


class ProtocolError(FraiseQLError):
    """A wire protocol's rules were broken, by the peer or by our caller."""


class LocalProtocolError(ProtocolError):
    """Our caller used a protocol machine in a way its state does not allow: a bug on this side of the wire."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol.

    Args:
        message: what was wrong, safe to show to the peer.
        status: the HTTP status, or the WebSocket close code, to answer with.
        close: whether the connection must be closed after that answer.
    """

    def __init__(self, message: str, *, status: int = 400, close: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.close = close


class LimitExceeded(RemoteProtocolError):
    """The peer sent more than a limit allows (status 413, 414 or 431 in HTTP)."""


class SchemaError(FraiseQLError):
    """A declared schema is wrong; raised while it is built, never while it serves.

    Args:
        where: the class or function, and the field or argument, that is wrong: `User.posts`.
        found: what stands there.
        expected: what should stand there.
    """

    def __init__(self, where: str, *, found: str, expected: str) -> None:
        super().__init__(f"{where}: found {found}; expected {expected}")
        self.where = where
        self.found = found
        self.expected = expected


class RequestError(FraiseQLError):
    """A GraphQL request, or one field of it, cannot be answered; becomes one entry of `errors`.

    Args:
        message: shown to the client: holds no SQL, path or traceback.
        code: the value of `extensions.code`.
        path: the response path of the field in error, where there is one.
        locations: `(line, column)` pairs in the document, counted from 1.
        extensions: further entries of `extensions`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        path: Sequence[str | int] | None = None,
        locations: Sequence[tuple[int, int]] = (),
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.path = None if path is None else tuple(path)
        self.locations = tuple(locations)
        self.extensions = dict(extensions or {})


@dataclass(frozen=True, slots=True)
class ErrorPlace:
    """What an error of PostgreSQL is about; empty texts where it does not say."""

    schema: str = ""
    table: str = ""
    column: str = ""
    constraint: str = ""


NOWHERE: Final = ErrorPlace()


class DatabaseError(FraiseQLError):
    """PostgreSQL refused a statement, or could not be reached.

    Args:
        message: the server's own words, for the log only.
        sqlstate: the five-character SQLSTATE; `08006` where the connection was lost, `08001` where none could be made,
            `53300` where the pool had no connection to give in time.
        retryable: whether the same statement may succeed if it is sent again.
        parameter: the number, from 1, of the parameter whose value PostgreSQL could not read, where it names one.
        source_file: the file of PostgreSQL's own that raised it, as `datetime.c`; empty where none is told.
        source_function: the function in it, as `exec_stmt_raise`.
        said: the server's message alone, without its detail and hint; empty where no server said anything.
        place: of what the error is about, as far as it is told: schema, table, column and constraint.
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str,
        retryable: bool = False,
        parameter: int | None = None,
        source_file: str = "",
        source_function: str = "",
        said: str = "",
        place: ErrorPlace = NOWHERE,
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.retryable = retryable
        self.parameter = parameter
        self.source_file = source_file
        self.source_function = source_function
        self.said = said
        self.place = place

    @property
    def unavailable(self) -> bool:
        """Whether the database could not be reached or had no room, rather than refused this statement.

        These are the classes 08, but for 08P01, which says that we broke the protocol, 53 and 57P0x.
        """
        if self.sqlstate == "08P01":
            return False
        return self.sqlstate[:2] in {"08", "53"} or self.sqlstate[:4] == "57P0"


class SettingRefused(DatabaseError):
    """PostgreSQL refused a setting that it was told before a statement: the statement did not run, and is not to blame.

    Its `parameter`, `said` and `place` are empty, whatever PostgreSQL says.
    """


class ValueRefused(FraiseQLError):
    """For the log: what PostgreSQL said where the client is told that it, and nobody else, can mend it.

    Args:
        doubtful: whether a mistake of the database's owner is as likely.
    """

    def __init__(self, message: str, *, doubtful: bool = False) -> None:
        super().__init__(message)
        self.doubtful = doubtful


class ConfigurationError(FraiseQLError):
    """A setting is unknown, missing or out of range; the message names the setting."""


class StartupError(FraiseQLError):
    """The server or the embedded database could not start; the message is one clear sentence."""

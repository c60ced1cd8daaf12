"""The place of an event in the outbox: its transaction, and its number within."""

from __future__ import annotations

import re
from typing import NamedTuple

from fraiseql.errors import RequestError

__all__ = ["Cursor", "expired", "not_a_cursor", "parse_cursor"]

_PATTERN = re.compile(r"(0|[1-9][0-9]{0,19})\.(0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_XID = 2**64 - 1
_MAX_ID = 2**63 - 1


class Cursor(NamedTuple):
    """A place; ordered as events are delivered.

    Attributes:
        xid: of the transaction, its epoch included.
        id: increases within a transaction.
    """

    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.xid}.{self.id}"


def parse_cursor(text: str) -> Cursor:
    """Read `xid.id`.

    Raises:
        RequestError: BAD_USER_INPUT, it is something else.
    """
    match = _PATTERN.fullmatch(text)
    if match is not None:
        cursor = Cursor(int(match[1]), int(match[2]))
        if cursor.xid <= _MAX_XID and cursor.id <= _MAX_ID:
            return cursor
    raise not_a_cursor()


def not_a_cursor() -> RequestError:
    """The refusal of what no event of this bus ever had."""
    return RequestError("`after` is not a cursor that this server gave", code="BAD_USER_INPUT")


def expired() -> RequestError:
    """The end of who would miss events that are not kept any more."""
    text = "events after this cursor are not kept any more; subscribe again without it"
    return RequestError(text, code="CURSOR_EXPIRED")

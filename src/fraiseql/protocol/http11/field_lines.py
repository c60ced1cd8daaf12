"""Takes field lines apart: those of heads and those of trailers."""

from __future__ import annotations

from typing import Final

from fraiseql.protocol.http11.events import Headers
from fraiseql.protocol.http11.grammar import FIELD_LINES, MAX_LINES, field_lines
from fraiseql.protocol.http11.scanner import PARTS, Cursor

__all__ = ["skip_lines", "split_fields"]

_NEXT_FIELD: Final = PARTS["next-field"]
_LF: Final = 10


def split_fields(buffer: bytearray, start: int, end: int, count: int) -> Headers | None:
    """Lower-case names and values of so many field lines, which end there; None where one is malformed."""
    fields: list[tuple[bytes, bytes]] = []
    is_padded = buffer.find(b" \r", start, end) >= 0 or buffer.find(b"\t\r", start, end) >= 0
    while count:
        some = min(count, MAX_LINES)
        found = field_lines(some).match(buffer, start)
        if found is None:
            return None
        rest = iter(found.groups())
        fields += zip(map(bytes.lower, rest), map(bytes.rstrip, rest) if is_padded else rest)  # noqa: B905
        start = found.end()
        count -= some
    return tuple(fields)


def skip_lines(cursor: Cursor, buffer: bytearray) -> int:
    """Go to the end of the complete field lines that begin at the cursor; their number."""
    end = FIELD_LINES.match(buffer, cursor.pos, min(len(buffer), cursor.end)).end()  # type: ignore[union-attr]
    count = buffer.count(_LF, cursor.pos, end)
    if count:
        cursor.part, cursor.pos = _NEXT_FIELD, end
    return count

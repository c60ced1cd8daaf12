"""Connections over lists of records: a cursor is found again by the `id` in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from golden.oracle.values import Record

__all__ = ["CURSOR", "connection", "is_cursor"]

CURSOR = "a cursor"
"""What stands for every cursor where answers are compared: which values it holds is not the client's business."""


def connection(
    page: Sequence[Record], whole: Sequence[Record], default_size: int, id_place: int, **given: Any
) -> dict[str, Any]:
    """The object of a connection.

    Args:
        page: the records that meet the conditions, in order.
        whole: all records of the type, in the same order.
        id_place: which of the values of a cursor is the `id`.
    """
    first, after, last, before = (given.get(name) for name in ("first", "after", "last", "before"))
    places = {id(record): place for place, record in enumerate(whole)}
    start = -1 if after is None else _place(whole, after, id_place)
    end = len(whole) if before is None else _place(whole, before, id_place)
    between = [record for record in page if start < places[id(record)] < end]
    size = default_size if first is None and last is None else last if first is None else first
    cut = between[:size] if last is None else between[max(0, len(between) - size) :]
    has_more, is_behind_after = len(between) > size, any(places[id(record)] <= start for record in page)
    is_before_end = any(places[id(record)] >= end for record in page)
    edges = [{"cursor": CURSOR, "node": record} for record in cut]
    end_of_page = CURSOR if cut else None
    info = {"startCursor": end_of_page, "endCursor": end_of_page}
    if last is None:
        info |= {"hasNextPage": has_more, "hasPreviousPage": is_behind_after}
    else:
        info |= {"hasNextPage": is_before_end, "hasPreviousPage": has_more}
    return {"edges": edges, "nodes": cut, "pageInfo": info, "totalCount": len(page)}


def _place(whole: Sequence[Record], cursor: str, id_place: int) -> int:
    wanted = json.loads(base64.b64decode(cursor))[1 + id_place]
    return next(place for place, record in enumerate(whole) if str(record["id"]) == wanted)


def is_cursor(value: Any) -> bool:
    """Whether a text is one of the product's cursors."""
    try:
        found = json.loads(base64.b64decode(value, validate=True))
    except ValueError:
        return False
    return isinstance(found, list) and len(found) > 1 and isinstance(found[0], str) and len(found[0]) == 8

"""What the oracle makes of embedded objects and lists, whoever reads their values.

An object is whatever the callbacks take for one, None where there is none; a list is a list, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["embedded_conditions", "embedded_page", "embedded_value"]

Truth = bool | None  # SQL's three values; None is unknown
Hold = Callable[[Mapping[str, Any], Any], Truth]
"""Whether an object meets the conditions of its type's `where`."""


def embedded_conditions(
    held: Any, below: Mapping[str, Any], hold: Hold, compare: Callable[[int | None, str, Any], Truth]
) -> list[Truth]:
    """What `where` says of a list of objects.

    Args:
        compare: a count with a value, by one condition of Int.
    """
    truths: list[Truth] = []
    for name, given in below.items():
        if name == "isnull":
            truths.append((held is None) is given)
        elif given is not None and name == "count":
            count = None if held is None else len(held)
            truths.extend(compare(count, *condition) for condition in given.items())
        elif given is not None:
            found = [each is not None and hold(given, each) is True for each in held or ()]
            truths.append({"some": any(found), "none": not any(found), "every": all(found)}[name])
    return truths


def embedded_value(held: Any, names: Sequence[str], value: Callable[[Sequence[str], Any], Any]) -> Any:
    """What `orderBy` orders by below a field: of an object as `value` reads it, of a list its count."""
    if held is None:
        return None
    return len(held) if names == ["count"] and isinstance(held, list) else value(names, held)


def embedded_page(
    held: list[Any] | None,
    hold: Hold,
    ordered: Callable[[list[Any], Any], Iterable[Any]],
    where: Mapping[str, Any] | None = None,
    orderBy: Any = None,
    limit: int | None = None,
    offset: int | None = None,
) -> list[Any] | None:
    """The elements that a field shows.

    Args:
        ordered: the elements as `orderBy` asks for them, equal ones as they were.
    """
    if held is None:
        return None
    found = [each for each in held if where is None or (each is not None and hold(where, each) is True)]
    start = offset or 0
    return list(ordered(found, orderBy or []))[start : None if limit is None else start + limit]

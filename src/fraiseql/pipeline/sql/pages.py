"""How large pages are."""

from __future__ import annotations

from fraiseql.limits import QueryLimits
from fraiseql.schema.model import PageSizes

__all__ = ["page_bounds"]


def page_bounds(limits: QueryLimits, *declared: PageSizes) -> tuple[int, int]:
    """The default and the largest size of a list's pages: the nearest declaration of each, within the limits."""
    largest = next((each.largest for each in declared if each.largest is not None), limits.max_page_size)
    default = next((each.default for each in declared if each.default is not None), limits.default_page_size)
    largest = min(largest, limits.max_page_size)
    return min(default, largest), largest

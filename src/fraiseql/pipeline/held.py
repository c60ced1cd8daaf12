"""What a Python value holds under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fraiseql.schema.declarations import FieldOptions, RelationOptions

__all__ = ["MISSING", "NO_OBJECT", "held"]

MISSING: Final = object()
"""What `held` gives where a value does not hold a name."""

NO_OBJECT: Final = (str, bytes, int, float, list, tuple, set, frozenset)
"""The types whose values have no fields."""


def held(value: Any, name: str) -> Any:
    """What a mapping or an object holds under a name, or MISSING; raises what a user's property raises.

    An object of a declared class has what its class says of a field, until it is given a value: that is none.
    """
    if isinstance(value, Mapping):
        return value.get(name, MISSING)
    try:
        found = MISSING if isinstance(value, NO_OBJECT) else getattr(value, name, MISSING)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # a `sys.exit()` somewhere below it would end the server
        raise RuntimeError(f"a user's property ended with {error!r}") from error
    return MISSING if isinstance(found, (FieldOptions, RelationOptions)) else found

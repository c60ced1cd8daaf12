"""Says that the rows of a table or view are others now."""

from __future__ import annotations

from fraiseql.bus.arguments import check_topic
from fraiseql.effects import Event, changed_topic

__all__ = ["invalidate"]


def invalidate(*sources: type | str) -> tuple[Event, ...]:
    """The events that make live queries over these sources run again; publish them when the change is committed.

    Args:
        sources: each a class under `@fraiseql.type`, or the name of a table or view as `sql_source` spells it.

    Raises:
        TypeError: a class without a `sql_source`, or something else.
        ValueError: a name is empty, or PostgreSQL cannot hold it.
    """
    names = dict.fromkeys(_name_of(source) for source in sources)
    return tuple(Event(changed_topic(name)) for name in names)


def _name_of(source: object) -> str:
    if isinstance(source, str):
        if not source:
            raise ValueError("invalidate takes names of tables and views, not an empty one")
        check_topic(source)
        return source
    declaration = vars(source).get("__fraiseql__") if isinstance(source, type) else None
    name = getattr(declaration, "sql_source", None)
    if not isinstance(name, str):
        raise TypeError(f"invalidate takes names and classes with a sql_source, not {source!r}")
    return name

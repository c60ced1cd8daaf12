"""Objects of interfaces and unions: one JSON object for each row, of the member that its discriminator names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, Selection
from fraiseql.pipeline.sql.values import Base, literal
from fraiseql.schema.model import AbstractType, ObjectType

if TYPE_CHECKING:
    from fraiseql.pipeline.sql.rendering import Rendering

__all__ = ["MemberColumns", "abstract_object"]

MemberColumns = Callable[["Rendering", Selection, Base, list[tuple[str, str]]], str]
"""Renders the object of one member, with some keys and values put before those that are selected."""

_NONE: Final = "null::text"


def abstract_object(rendering: Rendering, selection: Selection, base: Base, member_object: MemberColumns) -> str:
    """The expression for an object of an abstract type: of no member, it has null for its type's name."""
    target = selection.type
    assert isinstance(target, AbstractType)
    assert target.discriminator is not None
    objects: dict[str, str] = {}
    with rendering.alternatives() as alternative:
        for member in selection.members:
            with alternative():
                objects[member.type.name] = member_object(rendering, member, base, _mark(selection, member.type))
    cases = " ".join(f"when {literal(value)} then to_json({objects[name]})" for value, name in target.values.items())
    told = rendering.values.discriminator(target.discriminator, base)
    unknown = f"json_build_object({literal(selection.type_key)}, {_NONE})"
    return f"case {told} {cases} else {unknown} end"


def _mark(selection: Selection, member: ObjectType) -> list[tuple[str, str]]:
    if selection.type_key != HIDDEN_TYPE_KEY:
        return []
    return [(HIDDEN_TYPE_KEY, f"{literal(member.name)}::text")]

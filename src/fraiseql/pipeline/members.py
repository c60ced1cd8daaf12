"""Which member of an abstract type an object is: one that SQL made, or a Python value."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from fraiseql.pipeline.held import held
from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, Selection
from fraiseql.schema.model import AbstractType, ObjectType

__all__ = ["made_member", "member_of", "member_type"]

_TYPENAME: Final = "__typename"


def made_member(selection: Selection, value: dict[str, Any]) -> Selection | None:
    """What is selected of an object that SQL made, which loses its hidden key; None where it is of no member."""
    key = selection.type_key
    name = value.pop(key) if key == HIDDEN_TYPE_KEY else value[key]
    return next((member for member in selection.members if member.type.name == name), None)


def member_of(selection: Selection, value: Any) -> Selection:
    """What is selected of a Python value: the selection itself, or that of its member.

    Raises:
        TypeError, Exception: as `member_type`.
    """
    if not isinstance(selection.type, AbstractType):
        return selection
    name = member_type(selection.type, value).name
    return next(member for member in selection.members if member.type.name == name)


def member_type(target: AbstractType, value: Any) -> ObjectType:
    """The member of an abstract type that a Python value is of.

    It is the one whose class the value is an instance of, or that `__typename` names, or that the discriminator stands
    for.

    Raises:
        TypeError: none of these tells.
        Exception: what a property of the value raises.
    """
    for cls in type(value).__mro__:
        for member in target.members.values():
            if member.declared is cls:
                return member
    told = held(value, _TYPENAME)
    name = told if isinstance(told, str) else _named_by_discriminator(target, value)
    if name in target.members:
        return target.members[name]
    ways = " or ".join((_TYPENAME, *_attributes(target)))
    raise TypeError(f"{type(value).__name__} is of no type of {target.name}, by its class, {ways}")


def _named_by_discriminator(target: AbstractType, value: Any) -> str:
    for attribute in _attributes(target):
        told = held(value, attribute)
        text = _text(told.value if isinstance(told, Enum) else told)
        if text is not None:
            return target.values.get(text, "")
    return ""


def _text(value: Any) -> str | None:
    """As SQL shows a discriminator; None where that is no text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float, Decimal, UUID)) else None


def _attributes(target: AbstractType) -> Iterator[str]:
    """The names in Python that the discriminator may have: of the fields that show it, and its own."""
    assert target.discriminator is not None
    own = target.discriminator.attribute
    for field in target.fields.values():
        is_plain = field.is_held and field.expression is None
        if is_plain and field.attribute != own and own == (field.column or field.key):
            yield field.attribute
    yield own

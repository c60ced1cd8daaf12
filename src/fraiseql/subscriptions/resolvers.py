"""From an event to the value of a field: what users register, and what holds where nothing is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias

from fraiseql.effects import Event
from fraiseql.errors import ConfigurationError
from fraiseql.pipeline import PreparedSubscription
from fraiseql.pipeline.held import MISSING, held
from fraiseql.pipeline.project import enum_name
from fraiseql.schema.model import EnumType, InputType, SubscriptionKind
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.validate import filtered_field
from fraiseql.subscriptions.calling import plain_value

__all__ = ["SKIP", "Resolver", "check_default", "default_value", "resolved_value"]


class _Skip(Enum):
    SKIP = "SKIP"

    def __repr__(self) -> str:
        return self.name


SKIP: Final = _Skip.SKIP
"""What a resolver returns to leave an event out."""

Resolver: TypeAlias = Callable[[Event, Mapping[str, Any]], Any]
"""Called with an event and the arguments by their Python names; gives the field's value, or SKIP."""


def check_default(prepared: PreparedSubscription) -> None:
    """Hold a subscription to what can be done for it without a resolver; raises ConfigurationError."""
    field = prepared.field
    given = prepared.arguments or prepared.root.arguments
    if given and (field.kind is not SubscriptionKind.EVENT or _has_input_object(prepared)):
        raise ConfigurationError(f"{field.name!r} was given arguments: register a resolver that heeds them")


def _has_input_object(prepared: PreparedSubscription) -> bool:
    types = prepared.model.types
    return any(isinstance(types[each.type.named], InputType) for each in prepared.field.arguments.values())


def resolved_value(resolver: Resolver, event: Event, arguments: Mapping[str, Any]) -> Any:
    """What a resolver gives.

    Raises:
        TypeError: it gives something to be awaited, which nobody does here.
        Exception: what it raises.
    """
    return plain_value(resolver(event, arguments))


def default_value(prepared: PreparedSubscription, event: Event) -> Any:
    """The payload itself; SKIP where an argument of an event subscription does not equal what the payload holds.

    Raises:
        LookupError: the payload does not hold what an argument is compared with.
        Exception: what it holds there does not fit the argument's type, or cannot be had.
    """
    field, model, payload = prepared.field, prepared.model, event.payload
    for argument in field.arguments.values():
        if argument.target not in prepared.arguments:
            continue
        compared = filtered_field(model.object_type(field.type.named), argument)
        assert compared is not None  # or the schema would not have been built
        value = held(payload, compared.attribute)
        if value is MISSING:
            raise LookupError(f"the payload of {event.topic!r} holds no {compared.attribute!r} to compare")
        # An ID may be of any column's type; UUIDs are equal however they are written
        named = model.types[compared.type.named if compared.type.named == "UUID" else argument.type.named]
        if _comparable(named, prepared.arguments[argument.target]) != _comparable(named, value):
            return SKIP
    return payload


def _comparable(named: object, value: Any) -> Any:
    """A value as it is written in JSON, so that a UUID equals its text; null equals null only."""
    if value is None:
        return None
    if isinstance(named, EnumType):
        return enum_name(named, value)
    assert isinstance(named, Scalar)
    written = named.serialize(value)
    return Decimal(written) if named.name == "Decimal" else written

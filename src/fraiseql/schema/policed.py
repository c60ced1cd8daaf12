"""Event subscriptions where PostgreSQL is told of the caller: rows are read, so that policies hold for events too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from fraiseql.errors import SchemaError
from fraiseql.schema.model import NamedType, ObjectType, SubscriptionField, SubscriptionKind

__all__ = ["policed"]


def policed(
    subscriptions: Mapping[str, SubscriptionField], types: Mapping[str, NamedType]
) -> Mapping[str, SubscriptionField]:
    """The same, but that events are shown by the row that their payload names, unless the payload is trusted.

    A payload is what a trigger wrote, which no policy of row-level security has passed.

    Raises:
        SchemaError: the returned type has no `id` that could name the row.
    """
    return MappingProxyType({name: _policed(field, types[field.target]) for name, field in subscriptions.items()})


def _policed(field: SubscriptionField, target: NamedType) -> SubscriptionField:
    if field.kind is not SubscriptionKind.EVENT or field.by is not None or field.trust_payload:
        return field
    if not isinstance(target, ObjectType) or target.source is None:
        return field  # which is an error of its own
    identity = target.fields.get("id")
    if identity is None:
        found = f"payloads of {target.name}, which no policy of the database has passed"
        expected = "by=..., the column that names the row, or trust_payload=True"
        raise SchemaError(f"Subscription.{field.name}", found=found, expected=expected)
    # Of a document it is that of its source, by which relations find it too.
    return replace(field, by=identity.column or "id")

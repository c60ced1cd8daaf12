"""Which functions of a schema must be awaited, which a runtime without an event loop cannot do."""

from __future__ import annotations

from collections.abc import Iterator

from fraiseql.schema.functions import is_coroutine_function
from fraiseql.schema.model import ObjectType, Resolver, SchemaModel

__all__ = ["asynchronous_functions"]


def asynchronous_functions(model: SchemaModel) -> tuple[str, ...]:
    """The coordinates of the fields that asynchronous functions or generators serve, as `Query.serverTime`."""
    return tuple(_found(model))


def _found(model: SchemaModel) -> Iterator[str]:
    for query in model.queries.values():
        if query.resolver is not None and is_coroutine_function(query.resolver.function):
            yield f"Query.{query.name}"
    for mutation in model.mutations.values():
        if isinstance(mutation.action, Resolver) and is_coroutine_function(mutation.action.function):
            yield f"Mutation.{mutation.name}"
    for subscription in model.subscriptions.values():
        if subscription.is_async:
            yield f"Subscription.{subscription.name}"
    for named in model.types.values():
        for field in named.fields.values() if isinstance(named, ObjectType) else ():
            if field.resolver is not None and is_coroutine_function(field.resolver.function):
                yield f"{named.name}.{field.name}"

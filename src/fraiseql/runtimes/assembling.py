"""What applications are made of, whichever runtime serves them: read from a schema and the settings."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

from fraiseql.bus import EventBus
from fraiseql.context import ClientRequest
from fraiseql.errors import ConfigurationError, DatabaseError, StartupError
from fraiseql.observations import Observer
from fraiseql.pipeline import Pipeline, Refusal
from fraiseql.protocol.websocket import Deflate, Origins
from fraiseql.runtimes.codings import compression_of
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.naming import load_function
from fraiseql.schema import Schema
from fraiseql.schema.model import SubscriptionKind
from fraiseql.session import Endpoint

__all__ = [
    "address_of",
    "bus_of",
    "cannot_connect",
    "context_of",
    "endpoint_of",
    "needs_bus",
    "pipeline_of",
    "url_of",
]


def url_of(database_url: str | None, config: FraiseQLConfig) -> str:
    """Where the database is; raises ConfigurationError where neither says so.

    Args:
        database_url: goes before that of the settings.
    """
    url = database_url if database_url is not None else config.database_url
    if url is None:
        raise ConfigurationError(
            "database_url is not set: give it as an argument, or in the environment as FRAISEQL_DATABASE_URL"
        )
    return url


def context_of(context: Callable[[ClientRequest], Any] | None, config: FraiseQLConfig) -> Any:
    """The function that says who a client is, or None; raises ConfigurationError where that of the settings is not."""
    if context is None and config.context is not None:
        return load_function("context", config.context)
    return context


def bus_of(bus: EventBus | None, config: FraiseQLConfig) -> EventBus:
    """What carries events: the one that is given, else what the settings say."""
    if bus is not None:
        return bus
    return EventBus.memory() if config.event_bus == "memory" else EventBus.postgresql()


def pipeline_of(schema: Schema, config: FraiseQLConfig) -> Pipeline:
    """The pipeline of a schema, ready for its first request; raises ConfigurationError where it is no Schema."""
    limits = (config.query_limits, config.subscription_limits, config.mutation_limits)
    pipeline = Pipeline(schema, *limits, introspection=config.introspection)
    with contextlib.suppress(Refusal):  # limits may be that tight
        pipeline.explain("{ __typename }")  # what is put off to the first request is done now
    return pipeline


def endpoint_of(
    pipeline: Pipeline, config: FraiseQLConfig, context: Callable[[ClientRequest], Any] | None, observe: Observer
) -> Endpoint:
    """What clients are served; raises ConfigurationError for a coding that is not there."""
    return Endpoint(
        pipeline=pipeline,
        observe=observe,
        http=config.http_limits,
        websocket=config.websocket_limits,
        subscriptions=config.subscription_limits,
        origins=_origins(config.allowed_origins),
        deflate=Deflate() if config.websocket_compression else None,
        compression=compression_of(config.compression, config.compression_min_size),
        etags=config.etags,
        context=context,
    )


def needs_bus(schema: Schema) -> bool:
    """Whether it has subscriptions to events."""
    return any(field.kind is not SubscriptionKind.RESOLVER for field in schema.model.subscriptions.values())


def cannot_connect(place: str, error: DatabaseError) -> StartupError:
    """What a start is ended with; the place is without a password."""
    return StartupError(f"cannot connect to the database at {place}: {str(error).removeprefix(f'{place}: ')}")


def address_of(sock: socket.socket) -> str | None:
    """The client's IP address; None where it has left, or is of this machine alone."""
    try:
        peer = sock.getpeername()
    except OSError:
        return None
    return peer[0] if isinstance(peer, tuple) else None


def _origins(text: str) -> Origins:
    """Read the setting `allowed_origins`."""
    names = [name.strip() for name in text.split(",")]
    return Origins([name for name in names if name not in ("", "same")], same_host="same" in names)

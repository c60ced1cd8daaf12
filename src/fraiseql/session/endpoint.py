"""What all connections of a server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fraiseql.context import ANONYMOUS, Caller, ClientRequest
from fraiseql.effects import Program, call
from fraiseql.errors import RequestError
from fraiseql.limits import HttpLimits, SubscriptionLimits, WebSocketLimits
from fraiseql.observations import Observer
from fraiseql.pipeline import Pipeline
from fraiseql.protocol.websocket import Deflate, Origins
from fraiseql.session.coding import Compression

__all__ = ["Endpoint"]


@dataclass(slots=True, kw_only=True, eq=False)
class Endpoint:
    """A GraphQL endpoint.

    Attributes:
        pipeline: answers GraphQL requests; the only thing here that may be replaced: what was begun with the one before
            goes on with it, so sessions ask for it anew with each request.
        observe: is told what happened.
        origins: the web pages that may open a WebSocket.
        deflate: whether WebSocket messages may be compressed, and how; None for not.
        compression: of answers to HTTP requests.
        etags: whether answers to GET have an entity tag.
        context: called with the ClientRequest of each WebSocket and each other request, asynchronous or not;
            gives the Caller, or None (or raises RequestError) where nobody is let in. Without one all are anonymous.
    """

    pipeline: Pipeline
    observe: Observer
    http: HttpLimits = field(default_factory=HttpLimits)
    websocket: WebSocketLimits = field(default_factory=WebSocketLimits)
    subscriptions: SubscriptionLimits = field(default_factory=SubscriptionLimits)
    origins: Origins = field(default_factory=Origins)
    deflate: Deflate | None = None
    compression: Compression = field(default_factory=Compression)
    etags: bool = True
    context: Callable[[ClientRequest], Any] | None = None

    def authorise(self, request: ClientRequest) -> Program[Caller]:
        """Find out who connects.

        Raises:
            RequestError: code FORBIDDEN: nobody who is let in.
            Exception: what `context` raises; TypeError for a result of another kind.
        """
        if self.context is None:
            return ANONYMOUS
        found = yield from call(self.context, request)
        if found is None or found is False:
            raise RequestError("Forbidden", code="FORBIDDEN")
        if not isinstance(found, Caller):
            raise TypeError(f"context gave {found!r}; expected a fraiseql.Caller, or None to refuse")
        return found

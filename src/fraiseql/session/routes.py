"""What is served where, beside GraphQL itself: the health check, and the door to WebSockets."""

from __future__ import annotations

from typing import Final

from fraiseql.protocol.graphql_transport_ws import SUBPROTOCOL
from fraiseql.protocol.http11 import Request
from fraiseql.protocol.websocket import Handshake, HandshakeRefused, accept
from fraiseql.session.endpoint import Endpoint
from fraiseql.session.graphql_http import Answer, HttpRefusal, error_answer

__all__ = ["GRAPHQL", "answer_other_path", "open_websocket", "wants_websocket"]

GRAPHQL: Final = frozenset({b"/graphql", b"/graphql/subscriptions"})
_HEALTH: Final = b"/health"
_HEALTHY: Final = Answer(200, ((b"content-type", b"application/json; charset=utf-8"),), b'{"status":"ok"}')


def answer_other_path(request: Request) -> Answer:
    """The answer where no GraphQL is served."""
    if request.path != _HEALTH:
        return error_answer(404, "Nothing is served at this path.", "NOT_FOUND")
    if request.method not in (b"GET", b"HEAD"):
        allowed = ((b"allow", b"GET, HEAD"),)
        return error_answer(405, "The health check is served by GET.", "METHOD_NOT_ALLOWED", allowed)
    return _HEALTHY


def wants_websocket(request: Request) -> bool:
    """Whether a request asks for a WebSocket, in whatever shape."""
    upgrade = request.get(b"upgrade")
    return upgrade is not None and b"websocket" in upgrade.lower()


def open_websocket(endpoint: Endpoint, request: Request, *, has_body: bool, is_draining: bool) -> Handshake:
    """Agree to a WebSocket (RFC 6455 §4.2).

    Raises:
        HttpRefusal: with the answer that says why not.
    """
    try:
        if has_body:
            raise HandshakeRefused("a WebSocket handshake has no body", status=400)
        if is_draining:
            raise HandshakeRefused("the server is stopping", status=503)
        return accept(request, subprotocols=[SUBPROTOCOL], origins=endpoint.origins, deflate=endpoint.deflate)
    except HandshakeRefused as refusal:
        answer = error_answer(refusal.status, str(refusal), "BAD_REQUEST", refusal.headers)
        raise HttpRefusal(answer) from None

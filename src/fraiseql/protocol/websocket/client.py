"""One WebSocket connection, seen from the client."""

from __future__ import annotations

from collections.abc import Callable

from fraiseql.errors import LocalProtocolError
from fraiseql.limits import WebSocketLimits
from fraiseql.protocol.websocket.connection import Connection
from fraiseql.protocol.websocket.deflate import Deflate, Deflater, Inflater
from fraiseql.protocol.websocket.frames import masked_frame

__all__ = ["ClientConnection"]


class ClientConnection(Connection):
    """The client's side of one WebSocket connection, after `ClientHandshake.check`.

    It is driven as `ServerConnection` is.

    Args:
        limits: of what the server may send.
        deflate: `Handshake.deflate`.
        masking_key: gives 4 bytes for each frame, which nobody can foresee (RFC 6455 §5.3, §10.3).

    Attributes:
        our_state: the client's side.
        their_state: the server's side.
    """

    __slots__ = ("_masking_key",)

    _PEER_MASKS = False

    def __init__(
        self,
        limits: WebSocketLimits | None = None,
        deflate: Deflate | None = None,
        *,
        masking_key: Callable[[], bytes],
    ) -> None:
        super().__init__(limits, deflate)
        self._masking_key = masking_key

    def _codecs(self, deflate: Deflate) -> tuple[Inflater, Deflater]:
        inflater = Inflater(
            bits=deflate.server_max_window_bits,
            forgets=deflate.server_no_context_takeover,
            max_blocks=self._limits.max_fragments,
        )
        bits, forgets = deflate.client_max_window_bits, deflate.client_no_context_takeover
        return inflater, Deflater(deflate, bits=bits, forgets=forgets)

    def _frame(self, first: int, payload: bytes) -> bytes:
        key = self._masking_key()
        if len(key) != 4:
            raise LocalProtocolError("a masking key has 4 bytes")
        return masked_frame(first, payload, key)

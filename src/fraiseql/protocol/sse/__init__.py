"""GraphQL over server-sent events, in distinct connections mode: one operation to a response, without I/O.

    send(encode_next(b'{"data":{"a":1}}'))
    send(KEEP_ALIVE)
    send(encode_complete())

`Decoder` reads any event stream (WHATWG HTML §9.2), however its bytes arrive.
"""

from __future__ import annotations

from fraiseql.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.sse.reading import NEED_DATA, Decoder, ServerSentEvent, Signal
from fraiseql.protocol.sse.writing import CONTENT_TYPE, KEEP_ALIVE, encode_complete, encode_next

__all__ = [
    "CONTENT_TYPE",
    "KEEP_ALIVE",
    "NEED_DATA",
    "Decoder",
    "LimitExceeded",
    "LocalProtocolError",
    "RemoteProtocolError",
    "ServerSentEvent",
    "Signal",
    "encode_complete",
    "encode_next",
]

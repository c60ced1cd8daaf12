"""Three readers of a client's frames behind one call: ours, wsproto's and that of websockets."""

from __future__ import annotations

import codecs
from typing import Any, NamedTuple

import websockets.frames
import wsproto
import wsproto.connection
import wsproto.events
import wsproto.extensions
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from fraiseql.protocol import websocket

__all__ = ["PEERS", "Outcome", "read_ours", "read_websockets", "read_wsproto"]

PARAMETERS = "server_no_context_takeover; client_no_context_takeover"


class Outcome(NamedTuple):
    """What a reader made of a stream.

    Attributes:
        events: what it read, each as its kind and its values.
        ending: `open`, `closed` after a close frame, or the code that it would close with.
    """

    events: tuple[tuple[Any, ...], ...]
    ending: str | int


def read_ours(raw: bytes, deflate: bool) -> Outcome:
    conn = websocket.ServerConnection(deflate=websocket.Deflate(client_max_window_bits=15) if deflate else None)
    conn.receive_data(raw)
    found: list[tuple[Any, ...]] = []
    try:
        while (event := conn.next_event()) is not websocket.NEED_DATA:
            if isinstance(event, websocket.Close):
                return Outcome((*found, ("close", event.code, event.reason)), "closed")
            found.append((type(event).__name__.lower(), *[getattr(event, name) for name in event.__match_args__]))
    except websocket.RemoteProtocolError as error:
        return Outcome(tuple(found), error.status)
    return Outcome(tuple(found), "open")


_WSPROTO_MESSAGES = {wsproto.events.TextMessage: "text", wsproto.events.BytesMessage: "bytes"}
_WSPROTO_CONTROLS = {wsproto.events.Ping: "ping", wsproto.events.Pong: "pong"}


def read_wsproto(raw: bytes, deflate: bool) -> Outcome:
    extension = wsproto.extensions.PerMessageDeflate()
    if deflate:
        extension.accept(f"permessage-deflate; {PARAMETERS}")
    conn = wsproto.connection.Connection(wsproto.ConnectionType.SERVER, [extension] if deflate else [])
    found: list[tuple[Any, ...]] = []
    message: Any = None
    conn.receive_data(raw)
    for event in conn.events():
        if isinstance(event, wsproto.events.CloseConnection):
            if conn.state is not wsproto.connection.ConnectionState.REMOTE_CLOSING:  # its way to tell a fault
                return Outcome(tuple(found), int(event.code))
            return Outcome((*found, ("close", int(event.code), event.reason or "")), "closed")
        if type(event) in _WSPROTO_CONTROLS:
            found.append((_WSPROTO_CONTROLS[type(event)], bytes(event.payload)))
            continue
        assert isinstance(event, wsproto.events.Message)
        message = event.data if message is None else message + event.data
        if event.message_finished:
            found.append((_WSPROTO_MESSAGES[type(event)], message if isinstance(message, str) else bytes(message)))
            message = None
    return Outcome(tuple(found), "open")


_OPEN = (
    "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)
_CONTROLS = {websockets.frames.Opcode.PING: "ping", websockets.frames.Opcode.PONG: "pong"}


def read_websockets(raw: bytes, deflate: bool) -> Outcome:
    factory = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)
    conn = ServerProtocol(extensions=[factory] if deflate else None)
    offer = f"Sec-WebSocket-Extensions: permessage-deflate; {PARAMETERS}\r\n" if deflate else ""
    conn.receive_data((_OPEN % offer).encode())
    (request,) = conn.events_received()
    conn.send_response(conn.accept(request))  # type: ignore[arg-type]
    conn.receive_data(raw)
    found: list[tuple[Any, ...]] = []
    message, decoder = b"", None
    for frame in conn.events_received():
        assert isinstance(frame, websockets.frames.Frame)
        data = bytes(frame.data)
        if frame.opcode is websockets.frames.Opcode.CLOSE:
            close = websockets.frames.Close.parse(data)
            return Outcome((*found, ("close", int(close.code), close.reason)), "closed")
        if frame.opcode in _CONTROLS:
            found.append((_CONTROLS[frame.opcode], data))
            continue
        if frame.opcode is not websockets.frames.Opcode.CONT:
            is_text = frame.opcode is websockets.frames.Opcode.TEXT
            message, decoder = b"", codecs.getincrementaldecoder("utf-8")() if is_text else None
        message += data
        try:  # it leaves UTF-8 to its user
            if decoder is not None:
                decoder.decode(data, frame.fin)
        except UnicodeDecodeError:
            return Outcome(tuple(found), 1007)
        if frame.fin:
            found.append(("bytes", message) if decoder is None else ("text", message.decode()))
    if conn.close_sent is not None:
        return Outcome(tuple(found), int(conn.close_sent.code))
    return Outcome(tuple(found), "open")


PEERS = {"wsproto": read_wsproto, "websockets": read_websockets}

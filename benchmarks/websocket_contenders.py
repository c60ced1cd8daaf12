"""The codecs that `benchmarks.websocket` compares, each behind the same few calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import wsproto
import wsproto.connection
import wsproto.events
import wsproto.extensions
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.server import ServerProtocol

from fraiseql.protocol.websocket import NEED_DATA, ClientConnection, Deflate, ServerConnection, Text

__all__ = ["CONTENDERS", "Contender"]

# The same for all: no context is kept, windows of 12 bits, memory level 5. wsproto's level and memory are zlib's own.
DEFLATE = Deflate(min_size=1)
PARAMETERS = (
    "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12"
)


class Contender(Protocol):
    """A server's end of a connection."""

    def read(self, reads: Sequence[bytes]) -> None:
        """Read texts, one in each read."""

    def write(self, text: str, count: int) -> None:
        """Write a text some times."""


class Ours:
    def __init__(self, deflate: bool) -> None:
        self._agreed = DEFLATE if deflate else None
        self._conn = ServerConnection(deflate=self._agreed)

    def client_frame(self, text: str, key: bytes) -> bytes:
        """What a client sends."""
        return ClientConnection(deflate=self._agreed, masking_key=lambda: key).send(Text(text))

    def read(self, reads: Sequence[bytes]) -> None:
        conn = self._conn
        for data in reads:
            conn.receive_data(data)
            while (event := conn.next_event()) is not NEED_DATA:
                assert type(event) is Text

    def write(self, text: str, count: int) -> None:
        conn = self._conn
        for _ in range(count):
            conn.send_text(text)


class Wsproto:
    def __init__(self, deflate: bool) -> None:
        extension = wsproto.extensions.PerMessageDeflate()
        if deflate:
            extension.accept(f"permessage-deflate; {PARAMETERS}")
        extensions: list[Any] = [extension] if deflate else []
        self._conn = wsproto.connection.Connection(wsproto.ConnectionType.SERVER, extensions)

    def read(self, reads: Sequence[bytes]) -> None:
        conn = self._conn
        for data in reads:
            conn.receive_data(data)
            for event in conn.events():
                assert type(event) is wsproto.events.TextMessage

    def write(self, text: str, count: int) -> None:
        conn = self._conn
        for _ in range(count):
            conn.send(wsproto.events.TextMessage(data=text))


class Websockets:
    def __init__(self, deflate: bool) -> None:
        factory = ServerPerMessageDeflateFactory(
            server_no_context_takeover=True,
            client_no_context_takeover=True,
            server_max_window_bits=12,
            client_max_window_bits=12,
            compress_settings={"memLevel": DEFLATE.memory_level, "level": DEFLATE.level},
        )
        self._conn = ServerProtocol(extensions=[factory] if deflate else None)
        offer = f"Sec-WebSocket-Extensions: permessage-deflate; {PARAMETERS}\r\n" if deflate else ""
        self._conn.receive_data(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n".encode()
        )
        (request,) = self._conn.events_received()
        self._conn.send_response(self._conn.accept(request))  # type: ignore[arg-type]
        self._conn.data_to_send()

    def read(self, reads: Sequence[bytes]) -> None:
        conn = self._conn
        for data in reads:
            conn.receive_data(data)
            for frame in conn.events_received():
                frame.data.decode()  # type: ignore[union-attr]

    def write(self, text: str, count: int) -> None:
        conn = self._conn
        for _ in range(count):
            conn.send_text(text.encode())
            conn.data_to_send()


CONTENDERS: dict[str, Callable[[bool], Any]] = {"ours": Ours, "websockets": Websockets, "wsproto": Wsproto}

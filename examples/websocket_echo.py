"""A WebSocket echo server around `fraiseql.protocol.http11` and `fraiseql.protocol.websocket`, under asyncio or trio.

    python websocket_echo.py --runtime asyncio --port 9001

Texts and bytes are sent back as they came, up to 16 MiB, compressed where the client offers that. All that is protocol
is in `Peer`, which does no I/O; a driver moves bytes between it and a socket, and half-closes in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass, replace

import trio

from fraiseql.protocol import http11, websocket
from fraiseql.protocol.http11 import HttpLimits
from fraiseql.protocol.websocket import WebSocketLimits

READ_SIZE = 65_536
MAX_MESSAGE = 16 * 1_048_576  # what test suites send; a server of small messages takes less
MAX_FRAGMENTS = MAX_MESSAGE // 64
DEFLATE = websocket.Deflate()
TEXT = (b"content-type", b"text/plain; charset=utf-8")
CLOSE = (b"connection", b"close")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take."""

    http: HttpLimits
    websocket: WebSocketLimits


class Peer:
    """One client: bytes and the time in, bytes out.

    Attributes:
        deadline: when to call `time_out`.
        closing: whether to close, once what was returned is written.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits.websocket
        self._http = http11.ServerConnection(limits.http)
        self._request: http11.Request | None = None
        self._websocket: websocket.ServerConnection | None = None  # after the handshake
        self._heartbeat = websocket.Heartbeat(limits.websocket, now)
        self.deadline = now + limits.http.head_timeout
        self.closing = False

    def receive(self, data: bytes, now: float) -> bytes:
        """Take what was read; no bytes mean that the client sends nothing more. Gives what to write."""
        if self._websocket is not None:
            if not data:
                self._websocket.receive_eof()
            return self._exchange(self._websocket, data, now)
        if data:
            self._http.receive_data(data)
        else:
            self._http.receive_eof()
        return self._open(now)

    def time_out(self, now: float) -> bytes:
        """The deadline has come: 408 without a handshake, else a ping, unless the last one was not answered."""
        if self._websocket is None:
            return self._refuse(408, "The request did not arrive in time.")
        payload = self._heartbeat.deadline_reached(now)
        self.deadline = self._heartbeat.deadline
        if payload is None:
            self.closing = True  # nobody is there to read a close frame
            return b""
        return self._websocket.send(websocket.Ping(payload))

    def _open(self, now: float) -> bytes:
        http = self._http
        try:
            while not isinstance(event := http.next_event(), http11.Signal):
                if isinstance(event, http11.Request):
                    self._request = event
                elif isinstance(event, http11.EndOfMessage) and self._request is not None:
                    handshake = websocket.accept(self._request, deflate=DEFLATE)
                    answer = http.send(handshake.response)
                    self._websocket = websocket.ServerConnection(self._limits, handshake.deflate)
                    return answer + self._exchange(self._websocket, http.trailing_data, now)
                elif isinstance(event, http11.ConnectionClosed):
                    self.closing = True
                    break
        except websocket.HandshakeRefused as refused:
            return self._refuse(refused.status, str(refused), refused.headers)
        except http11.RemoteProtocolError as error:
            return self._refuse(error.status, str(error))
        return b""

    def _refuse(self, status: int, reason: str, headers: http11.Headers = ()) -> bytes:
        self.closing = True
        return self._http.send_response(status, (TEXT, CLOSE, *headers), reason.encode() + b"\n")

    def _exchange(self, conn: websocket.ServerConnection, data: bytes, now: float) -> bytes:
        if data:
            conn.receive_data(data)
        self._heartbeat.data_received(now)
        answers = []
        try:
            while not self.closing and (event := conn.next_event()) is not websocket.NEED_DATA:
                if isinstance(event, websocket.Text | websocket.Bytes):
                    answers.append(conn.send(event))
                elif isinstance(event, websocket.Ping):
                    answers.append(conn.send(event.answer()))
                elif isinstance(event, websocket.Pong):
                    self._heartbeat.pong_received(event.payload, now)
                else:  # Close, or ConnectionClosed without one
                    self.closing = True
                    if isinstance(event, websocket.Close):
                        answers.append(conn.send(event.answer()))
        except websocket.RemoteProtocolError as error:
            self.closing = True
            answers.append(conn.send(websocket.Close(error.status, str(error))))
        self.deadline = self._heartbeat.deadline
        return b"".join(answers)


# asyncio


async def serve_asyncio(port: int, limits: Limits) -> None:
    async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await exchange_asyncio(reader, writer, limits)
        except OSError:
            pass  # the client has gone, or does not read
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve_client, "127.0.0.1", port)
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def exchange_asyncio(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits) -> None:
    peer = Peer(limits, time.monotonic())
    while not peer.closing:
        try:
            async with asyncio.timeout(peer.deadline - time.monotonic()):
                data = await reader.read(READ_SIZE)
        except TimeoutError:
            answer = peer.time_out(time.monotonic())
        else:
            answer = peer.receive(data, time.monotonic())
        writer.write(answer)
        async with asyncio.timeout(limits.http.write_timeout):
            await writer.drain()
    writer.write_eof()
    async with asyncio.timeout(limits.websocket.close_timeout):
        while await reader.read(READ_SIZE):
            pass


# trio


async def serve_trio(port: int, limits: Limits) -> None:
    async def serve_client(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await exchange_trio(stream, limits)
        except (trio.BrokenResourceError, trio.TooSlowError):
            pass  # the client has gone, or does not read

    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    announce(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(serve_client, listeners)


async def exchange_trio(stream: trio.SocketStream, limits: Limits) -> None:
    peer = Peer(limits, time.monotonic())
    while not peer.closing:
        data = None
        with trio.move_on_after(max(0, peer.deadline - time.monotonic())):
            data = await stream.receive_some(READ_SIZE)
        answer = peer.time_out(time.monotonic()) if data is None else peer.receive(data, time.monotonic())
        with trio.fail_after(limits.http.write_timeout):
            await stream.send_all(answer)
    await stream.send_eof()
    with trio.move_on_after(limits.websocket.close_timeout):
        while await stream.receive_some(READ_SIZE):
            pass


def announce(port: int) -> None:
    print(f"ws://127.0.0.1:{port}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="A WebSocket echo server.")
    parser.add_argument("--runtime", choices=("asyncio", "trio"), default="asyncio")
    parser.add_argument("--port", type=int, default=9001, help="0 for any that is free")
    parser.add_argument("--timeout", type=float, help="seconds for each deadline, instead of the usual ones")
    options = parser.parse_args()
    http, ws = HttpLimits(), WebSocketLimits(max_message=MAX_MESSAGE, max_fragments=MAX_FRAGMENTS)
    if options.timeout is not None:
        seconds = options.timeout
        http = replace(http, head_timeout=seconds, write_timeout=seconds)
        ws = replace(ws, ping_interval=seconds, ping_timeout=seconds, close_timeout=seconds)
    limits = Limits(http, ws)
    if options.runtime == "asyncio":
        asyncio.run(serve_asyncio(options.port, limits))
    else:
        trio.run(serve_trio, options.port, limits)


if __name__ == "__main__":
    try:
        main()
    except* KeyboardInterrupt:  # trio puts it in a group
        pass

"""An HTTP/1.1 echo server around `fraiseql.protocol.http11`, under asyncio, trio or threads.

    python http11_echo.py --runtime asyncio --port 8000

GET and HEAD are answered with a line of text; any other request with its own body, piece by piece as it arrives. All
that is HTTP is in `respond` and `Peer`, which do no I/O; a driver moves bytes between them and a socket.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import socket
import threading
import time
from email.utils import formatdate

import trio

from fraiseql.protocol.http11 import (
    ConnectionClosed,
    Data,
    DeadlineKind,
    EndOfMessage,
    Event,
    HttpLimits,
    InformationalResponse,
    RemoteProtocolError,
    Request,
    Response,
    ServerConnection,
    Signal,
    State,
)

READ_SIZE = 65_536
LINGER = 2.0  # seconds for the client to read the last answer before the connection goes
TEXT = (b"content-type", b"text/plain; charset=utf-8")
BINARY = (b"content-type", b"application/octet-stream")


def respond(conn: ServerConnection, event: Event, date: bytes) -> bytes:
    """What to send after one event of a request."""
    if isinstance(event, Request):
        if event.method in (b"GET", b"HEAD"):
            return conn.send_response(200, (TEXT,), b"%b %b\n" % (event.method, event.target), date)
        invitation = conn.send(InformationalResponse(100)) if conn.client_is_waiting_for_100_continue else b""
        length = event.get(b"content-length")
        framing = ((b"content-length", length),) if length is not None else ()  # else in chunks
        return invitation + conn.send(Response(200, (BINARY, *framing)), date)
    if conn.our_state is State.SEND_BODY:
        if isinstance(event, Data):
            return conn.send(event)
        if isinstance(event, EndOfMessage):
            return conn.send(EndOfMessage())
    return b""


class Peer:
    """One client: bytes and the time in, bytes out.

    Attributes:
        deadline: when to call `time_out`.
        closing: whether to close, once what was returned is written.
    """

    def __init__(self, limits: HttpLimits, now: float) -> None:
        self._conn = ServerConnection(limits)
        self._timeouts = {
            DeadlineKind.HEAD: limits.head_timeout,
            DeadlineKind.BODY: limits.body_timeout,
            DeadlineKind.IDLE: limits.idle_timeout,
        }
        self._requests = 0
        self._waiting: tuple[DeadlineKind | None, int] | None = None
        self.deadline = math.inf
        self.closing = False
        self._set_deadline(now)

    def receive(self, data: bytes, now: float) -> bytes:
        """Take what was read; no bytes mean that the client sends nothing more. Gives what to write."""
        if data:
            self._conn.receive_data(data)
        else:
            self._conn.receive_eof()
        answers = self._answer()
        self._set_deadline(now)
        return answers

    def time_out(self) -> bytes:
        """The deadline has come: 408 where a request had begun (RFC 9110 §15.5.9), else no word."""
        self.closing = True
        begun = self._conn.deadline_kind is not DeadlineKind.IDLE
        return self._refuse(408, b"The request did not arrive in time.\n") if begun else b""

    def _answer(self) -> bytes:
        conn, answers = self._conn, []
        date = formatdate(usegmt=True).encode("ascii")
        try:
            while not isinstance(event := conn.next_event(), Signal | ConnectionClosed):
                answers.append(respond(conn, event, date))
                if conn.our_state is State.DONE and conn.their_state is State.DONE:
                    conn.start_next_cycle()
                    self._requests += 1
            self.closing = isinstance(event, ConnectionClosed) or conn.our_state is State.MUST_CLOSE
        except RemoteProtocolError as error:
            answers.append(self._refuse(error.status, str(error).encode("utf-8") + b"\n"))
            self.closing = True
        return b"".join(answers)

    def _refuse(self, status: int, reason: bytes) -> bytes:
        """An answer, unless one has begun: that one is left without its end, so that nobody takes it for whole."""
        if self._conn.our_state not in (State.IDLE, State.SEND_RESPONSE):
            return b""
        return self._conn.send_response(status, (TEXT, (b"connection", b"close")), reason)

    def _set_deadline(self, now: float) -> None:
        """It is set when what is waited for changes, and not moved by bytes that trickle in."""
        kind = self._conn.deadline_kind
        if (kind, self._requests) != self._waiting:
            self._waiting = kind, self._requests
            self.deadline = math.inf if kind is None else now + self._timeouts[kind]


# asyncio


async def serve_asyncio(port: int, limits: HttpLimits) -> None:
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


async def exchange_asyncio(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: HttpLimits) -> None:
    peer = Peer(limits, time.monotonic())
    while not peer.closing:
        try:
            async with asyncio.timeout(peer.deadline - time.monotonic()):
                data = await reader.read(READ_SIZE)
        except TimeoutError:
            answer = peer.time_out()
        else:
            answer = peer.receive(data, time.monotonic())
        writer.write(answer)
        async with asyncio.timeout(limits.write_timeout):
            await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    async with asyncio.timeout(LINGER):
        while await reader.read(READ_SIZE):
            pass


# trio


async def serve_trio(port: int, limits: HttpLimits) -> None:
    async def serve_client(stream: trio.SocketStream) -> None:
        try:
            async with stream:
                await exchange_trio(stream, limits)
        except (trio.BrokenResourceError, trio.TooSlowError):
            pass  # the client has gone, or does not read

    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    announce(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(serve_client, listeners)


async def exchange_trio(stream: trio.SocketStream, limits: HttpLimits) -> None:
    peer = Peer(limits, time.monotonic())
    while not peer.closing:
        data = None
        with trio.move_on_after(max(0, peer.deadline - time.monotonic())):
            data = await stream.receive_some(READ_SIZE)
        answer = peer.time_out() if data is None else peer.receive(data, time.monotonic())
        with trio.fail_after(limits.write_timeout):
            await stream.send_all(answer)
    await stream.send_eof()
    with trio.move_on_after(LINGER):
        while await stream.receive_some(READ_SIZE):
            pass


# Threads


def serve_threads(port: int, limits: HttpLimits) -> None:
    def serve_client(client: socket.socket) -> None:
        try:
            with client:
                exchange_blocking(client, limits)
        except OSError:
            pass  # the client has gone, or does not read

    with socket.create_server(("127.0.0.1", port)) as server:
        announce(server.getsockname()[1])
        while True:
            threading.Thread(target=serve_client, args=(server.accept()[0],), daemon=True).start()


def exchange_blocking(client: socket.socket, limits: HttpLimits) -> None:
    peer = Peer(limits, time.monotonic())
    while not peer.closing:
        try:
            answer = peer.receive(read_until(client, peer.deadline), time.monotonic())
        except TimeoutError:
            answer = peer.time_out()
        client.settimeout(limits.write_timeout)
        client.sendall(answer)
    client.shutdown(socket.SHUT_WR)
    end = time.monotonic() + LINGER
    while read_until(client, end):
        pass


def read_until(client: socket.socket, deadline: float) -> bytes:
    """Read once; raises TimeoutError at the deadline."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    client.settimeout(None if math.isinf(remaining) else remaining)
    return client.recv(READ_SIZE)


def announce(port: int) -> None:
    print(f"http://127.0.0.1:{port}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="An HTTP/1.1 echo server.")
    parser.add_argument("--runtime", choices=("asyncio", "trio", "threads"), default="asyncio")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    parser.add_argument("--timeout", type=float, help="seconds for each deadline, instead of the usual ones")
    options = parser.parse_args()
    limits = HttpLimits()
    if options.timeout is not None:
        seconds = options.timeout
        limits = HttpLimits(head_timeout=seconds, body_timeout=seconds, idle_timeout=seconds, write_timeout=seconds)
    if options.runtime == "asyncio":
        asyncio.run(serve_asyncio(options.port, limits))
    elif options.runtime == "trio":
        trio.run(serve_trio, options.port, limits)
    else:
        serve_threads(options.port, limits)


if __name__ == "__main__":
    try:
        main()
    except* KeyboardInterrupt:  # trio puts it in a group
        pass

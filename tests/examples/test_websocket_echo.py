"""The WebSocket echo server of the examples, over real sockets, under both runtimes, with clients of other packages."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio_websocket
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

EXAMPLE = Path(__file__).parents[2] / "examples" / "websocket_echo.py"
SHORT = 0.2  # seconds
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n" % base64.b64encode(b"k" * 16)
)
MASK = bytes(4)  # leaves the payload as it is


class Server:
    """The example in a process of its own."""

    def __init__(self, runtime: str, *options: str) -> None:
        command = [sys.executable, "-W", "error", str(EXAMPLE), "--runtime", runtime, "--port", "0", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", int(self.url.rpartition(":")[2])), timeout=10)

    def open(self, more: bytes = b"") -> socket.socket:
        """A connection after its handshake."""
        client = self.connect()
        client.sendall(HANDSHAKE + more)
        assert until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        return client

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        _, errors = self._process.communicate(timeout=10)
        assert (self._process.returncode, errors) == (0, "")


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def runtime(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def server(runtime: str) -> Iterator[Server]:
    server = Server(runtime)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def impatient(runtime: str) -> Iterator[Server]:
    server = Server(runtime, "--timeout", str(SHORT))
    yield server
    server.stop()


def until(client: socket.socket, end: bytes) -> bytes:
    """What comes up to and with these bytes."""
    data = b""
    while not data.endswith(end):
        received = client.recv(1)
        assert received, f"the connection ended after {data!r}"
        data += received
    return data


def rest(client: socket.socket) -> bytes:
    """What comes until the server ends the connection."""
    data = b""
    while received := client.recv(65_536):
        data += received
    return data


MESSAGES = ["", "a", "Grüße, 世界 🌍", b"", b"\x00\xff", "x" * 126, "y" * 65_536, os.urandom(300_000)]


@pytest.mark.parametrize("compression", ["deflate", None])
def test_websockets_gets_its_messages_back(server, compression):
    with connect(server.url, compression=compression) as client:
        assert [extension.name for extension in client.protocol.extensions] == (
            ["permessage-deflate"] if compression else []
        )
        for message in MESSAGES:
            client.send(message)
            assert client.recv(timeout=10) == message
        for message in MESSAGES:
            client.send(message)
        assert [client.recv(timeout=10) for _ in MESSAGES] == MESSAGES
        client.close(4000, "bye")
        assert (client.protocol.close_rcvd.code, client.protocol.close_rcvd_then_sent) == (4000, False)


@pytest.mark.parametrize(
    "parameters",
    [
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_max_window_bits": 9},
        {"client_max_window_bits": 9},
        {"server_no_context_takeover": True, "server_max_window_bits": 10, "client_max_window_bits": 12},
    ],
    ids=lambda parameters: ",".join(parameters),
)
def test_websockets_negotiates_its_compression(server, parameters):
    with connect(server.url, compression=None, extensions=[ClientPerMessageDeflateFactory(**parameters)]) as client:
        assert client.protocol.extensions, "it was accepted"
        for message in MESSAGES:
            client.send(message)
            assert client.recv(timeout=10) == message


def test_fragments_with_pings_between_them(server):
    with connect(server.url) as client:

        def fragments() -> Iterator[str]:
            for word in ("one ", "two ", "three"):
                assert client.ping(word).wait(10), "the pong came"
                yield word

        client.send(fragments())
        assert client.recv(timeout=10) == "one two three"


def test_trio_websocket_gets_its_messages_back(server):
    async def talk() -> None:
        async with trio_websocket.open_websocket_url(server.url) as client:
            for message in MESSAGES:
                await client.send_message(message)
                assert await client.get_message() == message
            await client.ping(b"are you there")
            await client.aclose(4001, "bye")
            assert (client.closed.code, client.closed.reason) == (4001, None)

    trio.run(talk)


def test_a_message_that_comes_with_the_handshake(server):
    with server.open(b"\x81\x82" + MASK + b"hi") as client:
        assert until(client, b"hi") == b"\x81\x02hi"


@pytest.mark.parametrize(
    ("raw", "status", "field"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, b"connection: close"),
        (HANDSHAKE.replace(b"13", b"8"), 426, b"sec-websocket-version: 13"),
        (HANDSHAKE.replace(b"Key", b"Lock"), 400, b"connection: close"),
        (b"GET / HTTP/1.1\n", 400, b"connection: close"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 400, b"connection: close"),
    ],
    ids=["no upgrade", "another version", "no key", "no HTTP", "another method"],
)
def test_what_is_no_handshake_is_refused(server, raw, status, field):
    with server.connect() as client:
        client.sendall(raw)
        head = until(client, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert field in head
        assert rest(client).endswith(b"\n")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\x83\x80" + MASK, 1002),
        (b"\x81\x02hi", 1002),
        (b"\x81\x81" + MASK + b"\xff", 1007),
        (b"\x82\xff" + (16 * 1_048_576 + 1).to_bytes(8, "big") + MASK, 1009),
    ],
    ids=["an unknown frame", "no mask", "no UTF-8", "too long"],
)
def test_a_fault_is_answered_though_the_client_goes_on_sending(server, raw, code):
    with server.open() as client:
        client.sendall(raw)
        client.sendall(bytes(200_000))
        answer = rest(client)
        assert answer[:1] == b"\x88"
        assert int.from_bytes(answer[2:4], "big") == code


def test_a_close_without_a_code_is_answered_alike(server):
    with server.open() as client:
        client.sendall(b"\x88\x80" + MASK + bytes(100_000))
        assert rest(client) == b"\x88\x00"


def test_a_client_that_goes_without_a_close(server):
    with server.open() as client:
        client.shutdown(socket.SHUT_WR)
        assert rest(client) == b""


def test_a_handshake_that_does_not_come(impatient):
    with impatient.connect() as client:
        client.sendall(b"GET / HT")
        assert rest(client).startswith(b"HTTP/1.1 408 ")


def test_a_silent_client_is_asked_and_then_left(impatient):
    with impatient.open() as client:
        ping = until(client, b"\x00\x00\x00\x01")
        assert ping[:2] == b"\x89\x04"
        assert rest(client) == b""


def test_a_client_that_answers_pings_is_kept(impatient):
    with connect(impatient.url) as client:
        with pytest.raises(TimeoutError):
            client.recv(timeout=4 * SHORT)
        client.send("still there")
        assert client.recv(timeout=10) == "still there"

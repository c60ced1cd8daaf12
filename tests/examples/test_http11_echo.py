"""The echo server of the documentation, over real sockets, under all three runtimes."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h11
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "http11_echo.py"
SHORT = 0.3  # seconds
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


class Server:
    """The example in a process of its own."""

    def __init__(self, runtime: str, *options: str) -> None:
        command = [sys.executable, "-W", "error", str(EXAMPLE), "--runtime", runtime, "--port", "0", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().rpartition(":")[2])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        _, errors = self._process.communicate(timeout=10)
        assert (self._process.returncode, errors) == (0, "")


@pytest.fixture(scope="module", params=["asyncio", "trio", "threads"])
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


def test_answers_on_one_connection(server):
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.connect()
    first = client.sock
    for method, target, body, expected in [
        ("GET", "/a?b", None, b"GET /a?b\n"),
        ("HEAD", "/", None, b""),
        ("POST", "/", b"hello", b"hello"),
        ("PUT", "/", b"", b""),
        ("POST", "/", [b"hel", b"lo"], b"hello"),
        ("POST", "/", b"x" * 300_000, b"x" * 300_000),
    ]:
        client.request(method, target, body, encode_chunked=True)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, expected)
        assert answer.getheader("date", "").endswith(" GMT")
    assert client.sock is first, "the connection was kept"
    client.close()


def test_another_parser_reads_its_answers(server):
    conn = h11.Connection(h11.CLIENT)
    request = h11.Request(method="POST", target="/", headers=[("host", "a"), ("transfer-encoding", "chunked")])
    with server.connect() as client:
        client.sendall(conn.send(request) + conn.send(h11.Data(data=b"hi")) + conn.send(h11.EndOfMessage()))
        events = []
        while h11.EndOfMessage not in map(type, events):
            event = conn.next_event()
            if event is h11.NEED_DATA:
                conn.receive_data(client.recv(65_536))
            else:
                events.append(event)
    assert events[0].status_code == 200
    assert b"".join(event.data for event in events if isinstance(event, h11.Data)) == b"hi"


def test_a_body_is_echoed_while_it_arrives(server):
    with server.connect() as client:
        client.sendall(CHUNKED + b"3\r\none\r\n")
        assert b"\r\ntransfer-encoding: chunked\r\n" in until(client, b"\r\n\r\n")
        assert until(client, b"one\r\n") == b"3\r\none\r\n"
        client.sendall(b"3\r\ntwo\r\n")
        assert until(client, b"two\r\n") == b"3\r\ntwo\r\n"
        client.sendall(b"0\r\n\r\n")
        assert until(client, b"\r\n\r\n") == b"0\r\n\r\n"


def test_pipelined_requests_are_answered_in_their_order(server):
    with server.connect() as client:
        client.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(50)))
        for number in range(50):
            assert until(client, b"\n").startswith(b"HTTP/1.1 200 OK")
            until(client, b"GET /%d\n" % number)


def test_a_body_that_waits_is_asked_for(server):
    with server.connect() as client:
        client.sendall(HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
        client.sendall(b"hi" + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert until(client, b"hi") == b"hi"
        assert rest(client).endswith(b"GET /\n")


def test_http_10_gets_a_body_that_ends_with_the_connection(server):
    with server.connect() as client:
        client.sendall(b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
        assert rest(client).endswith(b"\r\nconnection: close\r\n\r\nhi")


def test_a_client_that_has_closed_its_side_is_answered(server):
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        assert rest(client).endswith(b"\r\n\r\nGET /\n")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01", 400),
        (b"GET / HTTP/1.1\n", 400),
        (HEAD + b"Content-Length: 9999999\r\n\r\n", 413),
        (HEAD + b"X: " + b"x" * 20_000, 431),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
    ],
    ids=repr,
)
def test_a_fault_is_answered_though_the_client_goes_on_sending(server, raw, status):
    """Without the half-close, the bytes that nobody reads would reset the connection, and with it the answer."""
    with server.connect() as client:
        client.sendall(raw)
        client.sendall(b"x" * 200_000)
        assert until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 %d " % status)
        assert rest(client).endswith(b"\n")


def test_an_answer_that_has_begun_is_not_ended_after_a_fault(server):
    with server.connect() as client:
        client.sendall(CHUNKED + b"2\r\nhi\r\nx")
        assert rest(client).endswith(b"\r\n\r\n2\r\nhi\r\n")


@pytest.mark.parametrize("raw", [b"G", b"\r\n", HEAD, b"GET / HTTP/1.1\r\nHost: a\r\n"], ids=repr)
def test_a_head_that_does_not_arrive(impatient, raw):
    with impatient.connect() as client:
        client.sendall(raw)
        assert until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 408 ")
        assert rest(client) == b"The request did not arrive in time.\n"


def test_bytes_that_trickle_in_do_not_move_the_deadline(impatient):
    with impatient.connect() as client:
        client.settimeout(SHORT / 10)
        client.sendall(HEAD + b"X: ")
        received = b""
        for _ in range(100):
            try:
                received = client.recv(65_536)
                break
            except TimeoutError:
                client.sendall(b"x")
        assert received.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_arrive(impatient):
    with impatient.connect() as client:
        client.sendall(HEAD + b"Content-Length: 3\r\n\r\nhi")
        assert rest(client).endswith(b"\r\n\r\nhi")


@pytest.mark.parametrize("raw", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], ids=repr)
def test_an_idle_connection_is_closed_without_a_word(impatient, raw):
    with impatient.connect() as client:
        client.sendall(raw)
        answer = rest(client)
        assert answer.count(b"HTTP/1.1") == (1 if raw else 0)

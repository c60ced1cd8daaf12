"""Compression as a client meets it, with the decoders that clients have; and the threads that it runs in."""

from __future__ import annotations

import threading
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import anyio
import brotli
import pytest
import zstandard
from anyio.streams.buffered import BufferedByteReceiveStream

import fraiseql
from fraiseql.errors import ConfigurationError
from fraiseql.runtimes import codings
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.anyio.calling import Calls
from fraiseql.runtimes.codings import compression_of, installed_codings
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.threads import ThreadedApp

DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
    "br": brotli.decompress,
    "gzip": lambda data: zlib.decompress(data, wbits=31),
}
TEXT = ("All that was said before is said again. " * 2_500)[:100_000]
EXPECTED = b'{"data":{"text":"%b"}}' % TEXT.encode()


def request(method: str, accepted: str, fields: str = "") -> bytes:
    body = '{"query":"{ text }"}' if method == "POST" else ""
    target = "/graphql" if body else "/graphql?query=%7Btext%7D"
    fields += f"Host: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{method} {target} HTTP/1.1\r\n{fields}Accept-Encoding: {accepted}\r\n\r\n{body}".encode()


@fraiseql.query
def text() -> str:
    """Something long."""
    return TEXT


def test_all_codings_are_there() -> None:
    assert list(installed_codings()) == ["zstd", "br", "gzip"]


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_what_is_coded_in_many_threads_is_decoded(name: str, size: int) -> None:
    bodies = [(TEXT[number:] + TEXT)[:size].encode() for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        coded = list(pool.map(installed_codings()[name].encode, bodies))
    assert [DECODERS[name](data) for data in coded] == bodies


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("auto", ["zstd", "br", "gzip"]),
        ("off", []),
        ("gzip", ["gzip"]),
        ("gzip, br", ["gzip", "br"]),  # in this order
    ],
)
def test_the_setting_names_codings_in_their_order(setting: str, expected: list[str]) -> None:
    chosen = compression_of(setting, 1)
    for name in expected:
        choice = chosen.choose(b"*", b"application/json")
        assert choice is not None
        assert choice.coding.name == name.encode()
        chosen = compression_of(",".join(expected[expected.index(name) + 1 :]) or "off", 1)
    assert chosen.choose(b"*", b"application/json") is None


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("deflate", "compression names 'deflate'; expected auto, off, or some of zstd, br, gzip"),
        ("gzip,", "compression names ''; expected auto, off, or some of zstd, br, gzip"),
        ("gzip,gzip", "compression names gzip twice"),
        ("br", "compression names br, which is not installed; pip install 'fraiseql[compression]' brings it"),
        ("gzip,zstd", "compression names zstd, which is not installed; pip install 'fraiseql[compression]' brings it"),
    ],
)
def test_what_is_not_there_cannot_be_asked_for(setting: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codings, "_imported", lambda name: None)
    assert list(installed_codings()) == ["gzip"]
    with pytest.raises(ConfigurationError, match=message.replace("[", r"\[")):
        FraiseQLApp(
            fraiseql.Schema(queries=[text]), "host=127.0.0.1", FraiseQLConfig(compression=setting), observe=[].append
        )


@asynccontextmanager
async def serving(threads: bool) -> AsyncIterator[int]:
    """The port of a server without a database."""
    config = FraiseQLConfig(port=0, wait_for_database=True, event_bus="memory", shutdown_grace=0.0)
    schema = fraiseql.Schema(queries=[text])
    if not threads:
        async with FraiseQLApp(schema, "host=127.0.0.1 port=1", config, observe=[].append) as app:
            yield app.port
        return
    threaded = ThreadedApp(schema, "host=127.0.0.1 port=1", config, observe=[].append)
    await anyio.to_thread.run_sync(threaded.start)
    try:
        yield threaded.port
    finally:
        await anyio.to_thread.run_sync(threaded.shutdown)


@pytest.mark.anyio
@pytest.mark.parametrize("threads", [False, True], ids=["loop", "threads"])
async def test_large_answers_are_compressed_for_clients_that_ask_for_it(threads: bool) -> None:
    async with serving(threads) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        reader = BufferedByteReceiveStream(stream)

        async def receive() -> tuple[int, dict[str, str]]:
            lines = (await reader.receive_until(b"\r\n\r\n", 65_536)).decode().split("\r\n")
            return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:])

        wanted = [*DECODERS, "identity"]
        for name in wanted:  # pipelined
            await stream.send(request("POST", name))
        with anyio.fail_after(30):
            for name in wanted:
                status, fields = await receive()
                data = await reader.receive_exactly(int(fields["content-length"]))
                assert (status, fields.get("content-encoding", "identity")) == (200, name)
                assert DECODERS.get(name, bytes)(data) == EXPECTED
                assert (len(data) < len(EXPECTED) / 10) is (name != "identity")

            await stream.send(request("HEAD", "br"))
            _, shown = await receive()
            await stream.send(request("GET", "br"))
            _, fields = await receive()
            assert brotli.decompress(await reader.receive_exactly(int(fields["content-length"]))) == EXPECTED
            assert {**shown, "date": ""} == {**fields, "date": ""}
            await stream.send(request("GET", "gzip", f"If-None-Match: {shown['etag']}\r\n"))
            status, fields = await receive()
            assert (status, fields["etag"], "content-length" in fields) == (304, shown["etag"], False)
            await stream.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await receive())[0] == 200  # nothing came after the 304


@pytest.mark.anyio
async def test_what_is_computed_does_not_stop_the_event_loop() -> None:
    began, may_end = threading.Event(), threading.Event()
    results: list[bool] = []

    def work() -> bool:
        began.set()
        return may_end.wait(10)

    async def compute() -> None:
        results.append(await Calls(None, 1).compute(work, ()))

    async with anyio.create_task_group() as group:
        group.start_soon(compute)
        while not began.is_set():
            await anyio.sleep(0)
        may_end.set()
    assert results == [True]


@pytest.mark.anyio
async def test_few_threads_compute_and_who_gives_up_waiting_for_one_computes_nothing() -> None:
    calls, may_end, running, most = Calls(None, 1), threading.Event(), 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        may_end.wait(10)
        with lock:
            running -= 1

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(calls.compute, work, ())
        with anyio.fail_after(10):
            while not running:
                await anyio.sleep(0)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
        may_end.set()
    assert 1 <= most <= 4
    assert running == 0  # those that computed were waited for
    assert await calls.compute(len, (b"123",)) == 3

"""Thousands of clients of one server process: they connect, are served, and leave; none of them takes much memory.

    CROWD=10000 pytest tests/runtimes/test_crowds.py -n 0 -s

has so many of each kind; `make soak` does so, which takes about a minute on each event loop. A server needs a file
descriptor for each client, and the clients here need as many.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import psycopg
import pytest
from benchmarks.crowd import INSERT, opened, raise_descriptor_limit, stay, subscribe
from benchmarks.server import ServerProcess, request_bytes, running_server

from fraiseql.cli.demo.data import generate
from fraiseql.cli.demo.database import load

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has /proc")

COUNT = int(os.environ.get("CROWD", "2000"))  # of each kind
ON_THREADS = 100  # each client is a thread there: see docs/explanations/connections.md
FEWEST = 1_000
MAX_KIB = 20.0
SAMPLE = 50  # idle clients that ask again
OWN = 40  # sockets that a server may open for itself meanwhile: to the database
PATIENCE = 60.0


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "threads"])
def test_a_crowd_connects_is_served_and_leaves(runtime: str, database_url: str) -> None:
    load(database_url, generate(users=20, posts=20, comments=20))
    count = ON_THREADS if runtime == "threads" else COUNT
    for subscribers, idle in crowds(count, raise_descriptor_limit(2 * count)):
        # Each crowd has a server of its own: what one has left is used again for the next, and would not be counted.
        with running_server(runtime, database_url, "--max-connections", str(2 * count + 100)) as server:
            sizes = visit(server, database_url, subscribers, idle)
            report(runtime, subscribers, idle, sizes)
            if runtime != "threads":
                assert max(sizes) <= MAX_KIB


def crowds(count: int, room: int) -> Iterator[tuple[int, int]]:
    """How many come at a time, of each kind: all, or, where there are not enough descriptors, first one kind alone.

    Args:
        count: how many shall come, of each kind.
        room: for how many there are descriptors at once.
    """
    if room >= 2 * count:
        yield count, count
        return
    advice = (
        f"{2 * count:,} clients at once need as many file descriptors, and the hard limit leaves {room:,}: raise it"
        " (ulimit -Hn as root, LimitNOFILE= of systemd, --ulimit nofile= of Docker);"
        " see docs/explanations/connections.md, What to set for many clients"
    )
    if room < 2 * FEWEST:  # too few to tell what each takes
        pytest.skip(advice)
    sys.stderr.write(f"\n{advice}; smaller crowds come\n")
    yield min(count, room), 0
    yield 0, min(count, room)
    yield room // 2, room // 2


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (20_000, [(10_000, 10_000)]),
        (12_001, [(10_000, 0), (0, 10_000), (6_000, 6_000)]),
        (2_000, [(2_000, 0), (0, 2_000), (1_000, 1_000)]),
    ],
)
def test_crowds_are_as_large_as_there_are_descriptors(room: int, expected: list[tuple[int, int]]) -> None:
    assert list(crowds(10_000, room)) == expected


def test_too_few_descriptors_are_said_with_what_to_do() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"the hard limit leaves 924: raise it"):
        next(crowds(2_000, 924))


def visit(server: ServerProcess, database_url: str, subscribers: int, idle: int) -> list[float]:
    """Come, be served, and leave; gives the KiB of the server's memory for each client of each kind."""
    open_before, sizes = descriptors(server), []
    with opened(server.port) as waiting, opened(server.port) as watching:
        resident = server.memory()[0]
        if idle:
            stay(waiting, idle)
            sizes.append((server.memory()[0] - resident) * 1e6 / 1024 / idle)
        resident = server.memory()[0]
        if subscribers:
            subscribe(watching, subscribers)
            with psycopg.connect(database_url, autocommit=True) as connection:
                watching.listen(lambda: connection.execute(INSERT))
            sizes.append((server.memory()[0] - resident) * 1e6 / 1024 / subscribers)
        assert descriptors(server) >= open_before + subscribers + idle
        if idle:
            sample = waiting.clients[:: max(1, idle // SAMPLE)]
            waiting.say(request_bytes(), sample)
            waiting.wait_for(b"HTTP/1.1 200", sample)
    give_up = time.monotonic() + PATIENCE
    while descriptors(server) > open_before + OWN:
        assert time.monotonic() < give_up, "the server keeps connections of clients that have left"
        time.sleep(0.05)
    return sizes


def descriptors(server: ServerProcess) -> int:
    """How many sockets the server has to clients, about."""
    folder, found = f"/proc/{server.pid}/fd", 0
    for name in os.listdir(folder):
        try:
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
        except FileNotFoundError:  # closed since it was listed
            continue
    return found


def report(runtime: str, subscribers: int, idle: int, sizes: list[float]) -> None:
    shown = " and ".join(f"{size:.1f}" for size in sizes)
    sys.stderr.write(
        f"\n{runtime}: {idle:,} idle clients, {subscribers:,} subscribers: the server grew by {shown} KiB for each\n"
    )

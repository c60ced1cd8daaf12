"""What is done to answers before they go out: content codings, entity tags, and the thread that takes their work.

The bodies are lists of users with posts, as the sample blog has them, in sizes from 1 KiB to 1 MB; texts are of random
words. Times are of the CPU of the whole process.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from time import process_time

import anyio
import orjson

from benchmarks.figures import Figure, Setting
from benchmarks.server import RUNTIMES
from fraiseql.runtimes.anyio.calling import Calls
from fraiseql.runtimes.codings import installed_codings
from fraiseql.session.validators import entity_tag

__all__ = ["SIZES", "answer", "measure"]

SIZES = (1_024, 2_048, 4_096, 16_384, 102_400, 1_000_000)
SECONDS = 0.02  # of one turn
HOPS = 1_000
WORDS = (
    *("lorem", "ipsum", "dolor", "sit", "amet", "elit", "sed", "do", "eiusmod", "tempor", "ut", "labore", "et"),
    *("magna", "aliqua", "async", "query", "session"),
)


def measure(setting: Setting) -> list[Figure]:
    figures = []
    for size in SIZES:
        body = answer(size)
        for name, coding in installed_codings().items():
            values = tuple(_cpu(partial(coding.encode, body)) for _ in range(setting.runs))
            share = len(coding.encode(body)) / len(body)
            figures.append(Figure(f"{name}, {size:,} bytes, which become {share:.0%}", "µs", values))
        values = tuple(_cpu(partial(entity_tag, body, b"application/json")) for _ in range(setting.runs))
        figures.append(Figure(f"entity tag, {size:,} bytes", "µs", values))
    for runtime in RUNTIMES:
        values = tuple(anyio.run(_hop, backend=runtime) for _ in range(setting.runs))
        figures.append(Figure(f"to have a thread do nothing, {runtime}", "µs", values))
    return figures


def answer(size: int) -> bytes:
    """An answer cut to a size; the same each time."""
    chance = random.Random(1)

    def words(count: int) -> str:
        return " ".join(chance.choices(WORDS, k=count))

    rows: list[bytes] = []
    while sum(map(len, rows)) < size:
        posts = [{"id": str(chance.randrange(10**6)), "title": words(6), "body": words(20)} for _ in range(3)]
        rows.append(orjson.dumps({"id": str(len(rows)), "name": words(2), "posts": posts}))
    return (b'{"data":{"users":[' + b",".join(rows))[:size]


def _cpu(work: Callable[[], object]) -> float:
    """Microseconds of one call."""
    count, began = 0, process_time()
    while (spent := process_time() - began) < SECONDS:
        work()
        count += 1
    return spent / count * 1e6


async def _hop() -> float:
    calls = Calls(None, 1)
    await calls.compute(len, (b"",))
    began = process_time()
    for _ in range(HOPS):
        await calls.compute(len, (b"",))
    return (process_time() - began) / HOPS * 1e6

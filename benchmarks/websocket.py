"""The WebSocket machine beside wsproto and websockets: messages of a client read, and messages of the server written.

Each contender is a server after its handshake, without extensions unless the row says so, and gets each message in one
read. Reading ends with the text as a str, writing with the bytes for the socket. websockets masks in C, as it does
wherever it has a wheel; wsproto and ours are Python. websockets leaves UTF-8 to its user, so it is decoded here. With
64 KB, masking in Python is what costs. Where there is a target it is for the row of ratios.

The contenders run in turns, and a ratio is taken within one turn, so that a busy moment hits both sides of it. Times
are of the CPU, without garbage collection; a value is the median of a run's turns. "delivered" is what 2,000
subscribers cost for whom a message was serialised once: one `send_text` for each.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import process_time

from benchmarks.figures import Figure, Setting
from benchmarks.websocket_contenders import CONTENDERS, Contender
from fraiseql.protocol.websocket import ServerConnection
from fraiseql.protocol.websocket.frames import masked_frame

__all__ = ["measure"]

TURNS = 15  # of one run
KEYS = 64  # masking keys, in turns, so that no key is foreseen
THEIRS = "websockets"

# Name, bytes, messages in one turn, targets for reading and writing: times what websockets takes.
SIZES: Sequence[tuple[str, int, int, float | None, float | None]] = (
    ("60 B", 60, 2_000, 0.6, 0.25),
    ("1 KB", 1_024, 2_000, 1.0, 0.25),
    ("64 KB", 65_536, 100, None, None),
)
PHRASE = '{"id":"3","type":"next","payload":{"data":{"post":{"title":"Ünder the sea"}}}} '
SUBSCRIBERS = 2_000


def measure(setting: Setting) -> list[Figure]:
    figures: list[Figure] = []
    for name, size, count, reading, writing in SIZES:
        text = "x" * size
        frames = [masked_frame(0x81, text.encode(), key) for key in _keys()]
        figures += _compare(f"{name}: read", _readers(frames, count, deflate=False), reading, count, setting.runs)
        figures += _compare(f"{name}: written", _writers(text, count, deflate=False), writing, count, setting.runs)
    text = (PHRASE * 13)[:1_024]
    count = 500
    frames = [CONTENDERS["ours"](True).client_frame(text, key) for key in _keys()]
    figures += _compare(
        "1 KB of JSON, deflated: read", _readers(frames, count, deflate=True), None, count, setting.runs
    )
    figures += _compare(
        "1 KB of JSON, deflated: written", _writers(text, count, deflate=True), None, count, setting.runs
    )
    figures.append(_delivered(setting.runs))
    return figures


def _keys() -> list[bytes]:
    return [(number * 2_654_435_761 % (1 << 32)).to_bytes(4, "big") for number in range(1, KEYS + 1)]


def _readers(frames: Sequence[bytes], count: int, *, deflate: bool) -> dict[str, Callable[[], None]]:
    reads = [frames[number % len(frames)] for number in range(count)]
    return {name: _reader(make(deflate), reads) for name, make in CONTENDERS.items()}


def _reader(contender: Contender, reads: Sequence[bytes]) -> Callable[[], None]:
    return lambda: contender.read(reads)


def _writers(text: str, count: int, *, deflate: bool) -> dict[str, Callable[[], None]]:
    return {name: _writer(make(deflate), text, count) for name, make in CONTENDERS.items()}


def _writer(contender: Contender, text: str, count: int) -> Callable[[], None]:
    return lambda: contender.write(text, count)


def _compare(
    name: str, calls: Mapping[str, Callable[[], None]], target: float | None, count: int, runs: int
) -> list[Figure]:
    """What each contender takes for a message, and ours in the time of websockets."""
    times: dict[str, list[float]] = {key: [] for key in calls}
    ratios: list[float] = []
    for _ in range(runs):
        turns = [{key: _time(call) / count for key, call in calls.items()} for _ in range(TURNS)]
        for key in calls:
            times[key].append(median([turn[key] for turn in turns]) * 1e6)
        ratios.append(median([turn["ours"] / turn[THEIRS] for turn in turns]))
    figures = [Figure(f"{name}: {key}", "µs", tuple(values)) for key, values in times.items()]
    return [*figures, Figure(f"{name}: ours", THEIRS, tuple(ratios), target)]


def _delivered(runs: int) -> Figure:
    subscribers = [ServerConnection() for _ in range(SUBSCRIBERS)]
    message = (PHRASE * 2).encode()

    def deliver() -> None:
        for subscriber in subscribers:
            subscriber.send_text(message)

    values = [median([_time(deliver) for _ in range(TURNS)]) / SUBSCRIBERS * 1e6 for _ in range(runs)]
    return Figure("delivered: one message, the codec's part", "µs", tuple(values))


def _time(call: Callable[[], None]) -> float:
    """Seconds of CPU of one call."""
    gc.collect()
    gc.disable()
    try:
        started = process_time()
        call()
        return process_time() - started
    finally:
        gc.enable()

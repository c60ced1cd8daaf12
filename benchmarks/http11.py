"""The HTTP/1.1 machine beside h11, httptools and zttp: requests and their answers, on one keep-alive connection.

Cold: each head differs from the one before in the value of one field, so that no memory of the last head helps. All
else is warm: the compiled pattern, the connection, the answer's fields, which are checked and encoded once, and the
header pairs are not made. The rows beside it take away one of these each: "pairs read", "new answer fields" and "new
connection each" (for httptools too). Warm: all heads are the same. Where there is a target it is for the row "ours" and
printed behind it; rows without one are for comparison.

The contenders run in turns, and a ratio is taken within one turn, so that a busy moment hits both sides of it. Times
are of the CPU, without garbage collection; a value is the median of a run's turns.

The worst head, and the worst body, are those that take most for each byte that was fed before they were refused, if
they were.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from statistics import median
from time import process_time

from benchmarks.figures import Figure, Setting
from benchmarks.http11_contenders import BASELINES, CONTENDERS, OURS, Contender, Requests
from fraiseql.limits import HttpLimits
from fraiseql.protocol import http11

__all__ = ["measure"]

TURNS = 15  # of one run
EXCHANGES = 800  # of each contender in one turn
WARM_UP = 100  # exchanges before them

LABELS = {"cold": "cold head, all else warm", "warm": "same head"}
COLD, WARM, CHUNKS = 1.3, 0.35, 3.0  # targets: times what httptools takes
NANOSECONDS = 50.0  # target: for each byte of the worst head

BROWSER = (
    b"GET /blog/2024/11/sansio?page=2&sort=new HTTP/1.1\r\n"
    b"Host: www.example.org\r\n"
    b"Connection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"\r\n'
    b'sec-ch-ua-platform: "Linux"\r\n'
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/130.0.0.0 Safari/537.36\r\n"
    b"Accept: application/graphql-response+json, application/json;q=0.9, */*;q=0.8\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-Mode: cors\r\n"
    b"Referer: https://www.example.org/index.html\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    b"Cookie: theme=dark; consent=all; csrf=8Kd02hQz; session=%016x\r\n\r\n"
)
"""12 fields, 629 bytes."""
CURL = (
    b"GET /graphql HTTP/1.1\r\n"
    b"Host: 127.0.0.1:8000\r\n"
    b"User-Agent: curl/8.9.1\r\n"
    b"Accept: */*\r\n"
    b"Accept-Encoding: gzip\r\n"
    b"Authorization: Bearer %016x\r\n\r\n"
)
"""5 fields."""
POST = BROWSER.replace(b"GET", b"POST")[:-2] + b"Content-Type: application/json\r\nContent-Length: 28\r\n\r\n"
QUERY = b'{"query":"{ users { name }"}'
CHUNKED = CURL.replace(b"GET", b"POST")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"fa\r\n" + b"x" * 250 + b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def measure(setting: Setting) -> list[Figure]:
    assert len(BROWSER % 0) == 629
    runs, figures = setting.runs, []
    for name, head, body in (("browser", BROWSER, b""), ("curl", CURL, b""), ("GraphQL POST", POST, QUERY)):
        cold = [[head % number + body] for number in range(EXCHANGES)]
        targets = {} if body else {"cold": COLD, "warm": WARM}
        figures += _compare(name, {"cold": cold, "warm": [cold[0]] * EXCHANGES}, targets, runs)
    many = [[CHUNKED % number, *[CHUNK] * 16, LAST_CHUNK] for number in range(EXCHANGES // 4)]
    requests = {"one read": [[b"".join(reads)] for reads in many], "18 reads": many}
    figures += _compare("16 chunks", requests, {"one read": CHUNKS}, runs)
    for name, limits in (("usual limits", HttpLimits()), ("raised limits", RAISED)):
        for cut, size in (("whole", WHOLE), ("cut", SEGMENT)):
            figures.append(_worst(f"worst head, {name}, {cut}", HEADS, size, limits, runs, NANOSECONDS))
            figures.append(_worst(f"worst body, {name}, {cut}", BODIES, size, limits, runs, None))
    return figures


def _compare(name: str, variants: Mapping[str, Requests], targets: Mapping[str, float], runs: int) -> list[Figure]:
    """What each contender takes for an exchange, and each way of driving ours in the time of httptools."""
    figures = []
    for variant, requests in variants.items():
        times: dict[str, list[float]] = {contender: [] for contender in CONTENDERS}
        ratios: dict[str, list[float]] = {contender: [] for contender in BASELINES}
        for _ in range(runs):
            turns = [{key: _time(run, requests) for key, run in CONTENDERS.items()} for _ in range(TURNS)]
            for key in CONTENDERS:
                times[key].append(median([turn[key] for turn in turns]) * 1e6)
            for key, base in BASELINES.items():
                ratios[key].append(median([turn[key] / turn[base] for turn in turns]))
        label = f"{name}, {LABELS.get(variant, variant)}"
        figures += [Figure(f"{label}: {key}", "µs", tuple(values)) for key, values in times.items()]
        for key, values in ratios.items():
            target = targets.get(variant) if key == OURS else None
            figures.append(Figure(f"{label}: {key}", "httptools", tuple(values), target))
    return figures


def _time(run: Contender, requests: Requests) -> float:
    """Seconds of CPU for one exchange."""
    run(requests[:WARM_UP])
    with _no_garbage_collection():
        started = process_time()
        run(requests)
        return (process_time() - started) / len(requests)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


RAISED = HttpLimits(
    max_head=65_536,
    max_target=65_536,
    max_fields=65_536,
    max_chunk_extensions=65_536,
    max_chunk_size_digits=65_536,
    max_trailers=65_536,
)
START = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED_START = START + b"Transfer-Encoding: chunked\r\n\r\n"
SIZE = 30_000  # bytes at least, of each input
WHOLE = 65_536
SEGMENT = 1_460  # of TCP, in an Ethernet frame


def _fill(start: bytes, unit: bytes) -> bytes:
    raw = start + unit * -(-(SIZE - len(start)) // len(unit))
    assert SIZE <= len(raw) < RAISED.max_head, "a figure for each byte needs bytes"
    return raw


HEADS: dict[str, tuple[bytes, bytes]] = {
    "a method": (b"", b"G"),
    "a target": (b"GET /", b"a"),
    "escapes": (b"GET /", b"%41"),
    "a host": (b"GET / HTTP/1.1\r\nHost: ", b"a"),
    "an IPv6 host": (b"GET / HTTP/1.1\r\nHost: [", b":"),
    "an authority": (b"GET http://", b"%41"),
    "a name": (START, b"a"),
    "a value": (START + b"A: ", b"a"),
    "white space": (START + b"A: ", b" "),
    "words": (START + b"A: ", b"a "),
    "obs-text": (START + b"A: ", b"\xe9"),
    "tiny fields": (START, b"a:\r\n"),
    "tiny fields, spaced": (START, b"a: \r\n"),
    "small fields": (START, b"a: b\r\n"),
    "upper-case fields": (START, b"ABCDEF: b\r\n"),
    "Accept": (START, b"Accept: */*\r\n"),
    "Cookie": (START, b"Cookie: a=b; c=d\r\n"),
    "Connection": (START, b"Connection: close\r\n"),
    "connection options": (START + b"Connection: ", b"a,"),
    "empty options": (START + b"Connection: ", b","),
    "offers": (START + b"Connection: upgrade\r\nUpgrade: ", b"a,"),
    "codings": (START + b"Transfer-Encoding: ", b"a,"),
    "expectations": (START + b"Expect: ", b"a,"),
    "a length": (START + b"Content-Length: ", b"1"),
    "lengths": (START, b"Content-Length: 1\r\n"),
    "hosts": (START, b"Host: a\r\n"),
    "distinct names": (START, b"".join([b"%x:\r\n" % number for number in range(5_200)])),
    "blank lines": (b"", b"\r\n"),
    "colons": (START, b":"),
    "NUL": (b"", b"\0"),
    "LF": (START + b"A: a", b"\n"),
}
BODIES: dict[str, tuple[bytes, bytes]] = {
    "a chunk size": (CHUNKED_START, b"0"),
    "a chunk extension": (CHUNKED_START + b"1", b";a"),
    "tiny chunks": (CHUNKED_START, b"1\r\nx\r\n"),
    "tiny chunks, extended": (CHUNKED_START, b"1;a\r\nx\r\n"),
    "trailers": (CHUNKED_START + b"0\r\n", b"a:\r\n"),
}
"""What an input begins with and what fills it up."""


def _worst(
    name: str,
    inputs: Mapping[str, tuple[bytes, bytes]],
    size: int,
    limits: HttpLimits,
    runs: int,
    below: float | None,
) -> Figure:
    """Nanoseconds for each byte that was fed of the input that takes most, in reads of this size."""
    costs: dict[str, list[float]] = {}
    for kind, (start, unit) in inputs.items():
        for end in (b"", b"\r\n\r\n", b"\n", b"\0"):
            raw = _fill(start, unit) + end
            reads = [raw[at : at + size] for at in range(0, len(raw), size)]
            found = [median([_time_one(reads, limits) for _ in range(5)]) for _ in range(runs)]
            costs[kind] = max(costs.get(kind, [0.0]), found, key=median)
    worst = max(costs, key=lambda kind: median(costs[kind]))
    return Figure(f"{name}: {worst}", "ns/byte", tuple(costs[worst]), below)


def _time_one(reads: Sequence[bytes], limits: HttpLimits) -> float:
    """Nanoseconds of CPU for each byte that was fed; nothing is fed after a refusal."""
    conn = http11.ServerConnection(limits)
    fed = 0
    with _no_garbage_collection():
        started = process_time()
        with suppress(http11.RemoteProtocolError):
            for data in reads:
                fed += len(data)
                conn.receive_data(data)
                while not isinstance(conn.next_event(), http11.Signal):
                    pass
        taken = process_time() - started
    return taken / fed * 1e9

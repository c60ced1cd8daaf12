"""Runs the contenders in turn, several rounds of all, and takes their figures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.contenders import CONTENDERS, Contender, Running, Setup, running
from benchmarks.peers.processes import cpu_seconds
from benchmarks.peers.queries import QUERIES, first_difference
from benchmarks.peers.wrk import Load, LoadError, Wrk

__all__ = ["Options", "Sample", "Start", "compare", "measure", "postmaster", "window"]

ENOUGH = 25  # answers per connection
LONGEST = 4  # times the seconds that were asked for


@dataclass(frozen=True, slots=True)
class Sample:
    """One contender under one query for some seconds.

    Attributes:
        rate: answers per second.
        server: microseconds of the server's CPU per answer.
        postgres: microseconds of PostgreSQL's CPU per answer, all its processes together.
        p50: median latency in milliseconds.
        p99: the latency that 99 % are below, in milliseconds.
        busy: CPU seconds of the server per second: at 1 a single thread is at its limit.
    """

    round: int
    contender: str
    query: str
    requests: int
    rate: float
    server: float
    postgres: float
    p50: float
    p99: float
    busy: float


@dataclass(frozen=True, slots=True)
class Start:
    """One run of a contender's process.

    Attributes:
        startup: seconds to the first answer.
        idle: resident bytes after it.
        loaded: resident bytes after all queries.
        peak: the most resident bytes.
    """

    round: int
    contender: str
    startup: float
    idle: int
    loaded: int
    peak: int


@dataclass(frozen=True, slots=True)
class Options:
    """How it is measured; times in seconds."""

    contenders: Sequence[str]
    queries: Sequence[str]
    seconds: float
    warm_up: float
    rounds: int
    connections: int


def postmaster(data_directory: Path) -> int:
    """The process from which all of a PostgreSQL's are descended."""
    return int((data_directory / "postmaster.pid").read_text().split()[0])


def compare(setup: Setup, contenders: Sequence[str]) -> dict[str, Any]:
    """The answers to all queries, which all contenders must give alike.

    Raises:
        RuntimeError: two differ; it says where.
    """
    expected: dict[str, Any] = {}
    for name in contenders:
        with running(CONTENDERS[name], setup) as server:
            for query in QUERIES:
                answer, _ = server.ask(query)
                if "errors" in answer:
                    raise RuntimeError(f"{name}, {query}: {answer['errors']}")
                difference = first_difference(expected.setdefault(query, answer), answer)
                if difference is not None:
                    raise RuntimeError(f"{name} and {contenders[0]} give different answers to {query}: {difference}")
    return expected


def measure(
    setup: Setup, options: Options, expected: dict[str, Any], wrk: Wrk, database: int
) -> tuple[list[Sample], list[Start]]:
    """All figures of all rounds; in each, every contender has a new process and all queries."""
    samples: list[Sample] = []
    starts: list[Start] = []
    for number in range(1, options.rounds + 1):
        for name in options.contenders:
            with running(CONTENDERS[name], setup) as server:
                idle = server.memory().resident
                for query in options.queries:
                    samples.append(_sample(server, query, number, options, expected[query], wrk, database))
                    print(_progress(samples[-1]), flush=True)
                after = server.memory()
                starts.append(Start(number, name, server.startup, idle, after.resident, after.peak))
    return samples, starts


def _sample(
    server: Running, query: str, number: int, options: Options, expected: Any, wrk: Wrk, database: int
) -> Sample:
    contender: Contender = server.contender
    url, body = server.url(query), contender.body(query)
    try:
        seconds = window(options, wrk.run(url, body, options.warm_up))
        before, before_database = server.cpu_seconds(), cpu_seconds(database)
        load = wrk.run(url, body, seconds)
        spent, spent_database = server.cpu_seconds() - before, cpu_seconds(database) - before_database
        answer, size = server.ask(query)
        load.check_size(size, options.connections)
    except LoadError as error:
        raise LoadError(f"{contender.name}, {query}: {error}") from None
    difference = first_difference(expected, answer)
    if difference is not None:
        raise RuntimeError(f"{contender.name} gives another answer to {query} after the load: {difference}")
    return Sample(
        round=number,
        contender=contender.name,
        query=query,
        requests=load.requests,
        rate=load.requests / load.seconds,
        server=spent / load.requests * 1e6,
        postgres=spent_database / load.requests * 1e6,
        p50=load.p50,
        p99=load.p99,
        busy=spent / load.seconds,
    )


def window(options: Options, warm_up: Load) -> float:
    """How long to measure: what was asked for, or longer where answers come slowly.

    At the end of a load one request per connection is under way, whose CPU is counted and whose answer is not. Of
    `ENOUGH` answers per connection this is at most 4 %.
    """
    rate = warm_up.requests / warm_up.seconds
    needed = ENOUGH * options.connections / rate if rate else math.inf
    return max(options.seconds, min(needed, options.seconds * LONGEST))


def _progress(sample: Sample) -> str:
    cores = os.getloadavg()[0]
    return (
        f"round {sample.round}  {sample.contender:<17} {sample.query:<9}{sample.rate:>8,.0f} req/s"
        f"{sample.server:>9,.1f} µs server{sample.postgres:>9,.1f} µs PostgreSQL"
        f"  p50 {sample.p50:.2f} ms  p99 {sample.p99:.2f} ms  (load {cores:.1f})"
    )

"""Where a contender's CPU goes under the load: samples of its stacks, added up by function."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.peers.contenders import (
    APPS,
    CONTENDERS,
    OURS,
    POSTGRAPHILE,
    Command,
    Contender,
    Running,
    Setup,
    running,
)
from benchmarks.peers.measuring import Options
from benchmarks.peers.report import table
from benchmarks.peers.wrk import Load, Wrk

__all__ = ["PROFILED", "profile", "shares"]

PROFILED = [name for name in CONTENDERS if name != POSTGRAPHILE]
THREADED = OURS[3]
SHOWN = 40
_WRITE_LIMIT = 10.0  # seconds


def shares(stacks: Iterable[str]) -> tuple[int, Counter[str], Counter[str]]:
    """Add up samples by function.

    Args:
        stacks: lines of frames, from the outermost on with ";" between, and a count.

    Returns:
        The number of samples, those of each function itself, and those of each with what it called.
    """
    total, own, inclusive = 0, Counter[str](), Counter[str]()
    for line in stacks:
        stack, _, count = line.strip().rpartition(" ")
        names = stack.split(";")
        total += int(count)
        own[names[-1]] += int(count)
        for name in set(names):
            inclusive[name] += int(count)
    return total, own, inclusive


def profile(setup: Setup, name: str, options: Options, wrk: Wrk, folder: Path) -> None:
    """Write profile-<contender>-<query>.md, and the samples beside it, for each query.

    Raises:
        RuntimeError: the process could not be sampled.
    """
    folder.mkdir(parents=True, exist_ok=True)
    samples = folder / "samples.txt"
    with running(_sampled(CONTENDERS[name], samples), setup) as server:
        for query in options.queries:
            wrk.run(server.url(query), server.contender.body(query), options.warm_up)
            samples.unlink(missing_ok=True)
            cost = _record(setup, server, query, options, wrk, samples)
            stacks = samples.rename(folder / f"profile-{name}-{query}.txt")
            text = page(name, query, cost, stacks.read_text(encoding="utf-8").splitlines())
            stacks.with_suffix(".md").write_text(text, encoding="utf-8")
            print(text)


def page(name: str, query: str, cost: float, stacks: Iterable[str]) -> str:
    """The shares of the functions, and of the microseconds of CPU per request what they stand for."""
    total, own, inclusive = shares(stacks)
    parts = [f"# {name}, {query}: {cost:.1f} µs of CPU per request while sampled ({total:,} samples)"]
    for title, counts in (("In the function itself", own), ("With what it calls", inclusive)):
        rows = [
            (f"`{function}`", f"{100 * count / total:.1f} %", f"{cost * count / total:.1f} µs")
            for function, count in counts.most_common(SHOWN)
        ]
        parts += [f"## {title}", table(("", "share", "per request"), rows)]
    return "\n\n".join(parts) + "\n"


def _sampled(contender: Contender, samples: Path) -> Contender:
    """The same contender, whose process takes samples of itself."""

    def command(setup: Setup, port: int) -> Command:
        arguments, settings = contender.command(setup, port)
        paths = [str(APPS / "sampler"), settings.get("PYTHONPATH", "")]
        return arguments, {**settings, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "SAMPLES": str(samples)}

    return contender if contender.name == THREADED else replace(contender, command=command)


def _record(setup: Setup, server: Running, query: str, options: Options, wrk: Wrk, samples: Path) -> float:
    """Sample the server under load; gives its CPU per request, that of the samples included."""
    loads: list[Load] = []
    url, body = server.url(query), server.contender.body(query)
    load = threading.Thread(target=lambda: loads.append(wrk.run(url, body, options.seconds)))
    before = server.cpu_seconds()
    load.start()
    if server.contender.name == THREADED:
        _spy(setup, server.pid, options.seconds, samples)
        load.join()
    else:
        os.kill(server.pid, signal.SIGUSR1)
        load.join()
        os.kill(server.pid, signal.SIGUSR2)
        _wait_for(samples)
    if not loads:
        raise RuntimeError("the load failed while the server was sampled")
    return (server.cpu_seconds() - before) / loads[0].requests * 1e6


def _spy(setup: Setup, pid: int, seconds: float, samples: Path) -> None:
    """py-spy's samples of the thread that holds the interpreter: a process's own are of its main thread only."""
    spy = Path(setup.environments.interpreter("tools")).with_name("py-spy")
    options = ["--gil", "--function", "--format", "raw", "--output", str(samples), "--rate", "250"]
    duration = str(max(1, round(seconds) - 1))
    command = [str(spy), "record", "--pid", str(pid), *options, "--duration", duration]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"py-spy could not look into the server: {done.stderr.strip()}")


def _wait_for(samples: Path) -> None:
    give_up = time.perf_counter() + _WRITE_LIMIT
    while not samples.exists():
        if time.perf_counter() > give_up:
            raise RuntimeError("the server wrote no samples")
        time.sleep(0.01)

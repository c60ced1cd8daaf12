"""Where a contender's CPU goes under the load: py-spy's samples, added up by function."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.peers.contenders import CONTENDERS, Running, Setup, running
from benchmarks.peers.measuring import Options
from benchmarks.peers.report import table
from benchmarks.peers.wrk import Load, Wrk

__all__ = ["profile", "shares"]

RATE = 250  # samples per second; each stops the process for a moment
SHOWN = 40


def shares(stacks: Iterable[str]) -> tuple[int, Counter[str], Counter[str]]:
    """Add up samples by function.

    Args:
        stacks: lines of py-spy's raw format: frames from the outermost on with ";" between, and a count.

    Returns:
        The number of samples, those of each function itself, and those of each with what it called.
    """
    total, own, inclusive = 0, Counter[str](), Counter[str]()
    for line in stacks:
        stack, _, count = line.strip().rpartition(" ")
        frames = [frame.rpartition(":")[0] or frame for frame in stack.split(";")]
        names = [f"{frame})" if frame.count("(") > frame.count(")") else frame for frame in frames]
        if names and count.isdigit():
            total += int(count)
            own[names[-1]] += int(count)
            for name in set(names):
                inclusive[name] += int(count)
    return total, own, inclusive


def profile(setup: Setup, name: str, options: Options, wrk: Wrk, folder: Path) -> None:
    """Write profile-<contender>-<query>.md, with the samples beside it, for each query.

    Raises:
        RuntimeError: py-spy could not look into the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with running(CONTENDERS[name], setup) as server:
        for query in options.queries:
            wrk.run(server.url(query), server.contender.body(query), options.warm_up)
            stacks = folder / f"profile-{name}-{query}.txt"
            cost = _record(setup, server, query, options, wrk, stacks)
            text = _page(name, query, cost, stacks.read_text(encoding="utf-8"))
            stacks.with_suffix(".md").write_text(text, encoding="utf-8")
            print(text)


def _record(setup: Setup, server: Running, query: str, options: Options, wrk: Wrk, stacks: Path) -> float:
    """Sample the server under load; gives its CPU per request, that of being sampled included."""
    loads: list[Load] = []
    url, body = server.url(query), server.contender.body(query)
    before = server.cpu_seconds()
    load = threading.Thread(target=lambda: loads.append(wrk.run(url, body, options.seconds)))
    load.start()
    spy = str(Path(setup.environments.interpreter("tools")).with_name("py-spy"))
    command = [spy, "record", "--pid", str(server.pid), "--format", "raw", "--output", str(stacks), "--rate", str(RATE)]
    done = subprocess.run(
        [*command, "--native", "--duration", str(max(1, round(options.seconds) - 1))], capture_output=True, text=True
    )
    load.join()
    if done.returncode:
        raise RuntimeError(f"py-spy could not look into the server: {done.stderr.strip()}")
    if not loads:
        raise RuntimeError("the load failed while the server was sampled")
    return (server.cpu_seconds() - before) / loads[0].requests * 1e6


def _page(name: str, query: str, cost: float, stacks: str) -> str:
    total, own, inclusive = shares(stacks.splitlines())
    parts = [f"# {name}, {query}: {cost:.1f} µs of CPU per request while sampled ({total} samples)"]
    for title, counts in (("In the function itself", own), ("With what it calls", inclusive)):
        rows = [
            (f"`{function}`", f"{100 * count / total:.1f} %", f"{cost * count / total:.1f} µs")
            for function, count in counts.most_common(SHOWN)
        ]
        parts += [f"## {title}", table(("", "share", "per request"), rows)]
    return "\n\n".join(parts) + "\n"

"""What is left of a run: a page with its tables, and all its figures as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers.contenders import CONTENDERS
from benchmarks.peers.measuring import Sample, Start
from benchmarks.peers.queries import QUERIES
from benchmarks.peers.targets import Medians, Verdict, verdicts

__all__ = ["page", "table", "write"]

_LEFT = "---"
_RIGHT = "--:"


def write(folder: Path, facts: Mapping[str, Any], samples: Sequence[Sample], starts: Sequence[Start]) -> list[Verdict]:
    """Write peers.md and peers.json; gives what was met and missed.

    Args:
        folder: where to; made where it is missing.
        facts: about the run: versions, options, the machine.
    """
    medians = Medians(samples, starts)
    found = verdicts(medians)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.md").write_text(page(facts, medians, found), encoding="utf-8")
    data = {
        "facts": dict(facts),
        "contenders": {name: CONTENDERS[name].title for name in medians.contenders},
        "queries": {name: QUERIES[name].title for name in medians.queries},
        "samples": [asdict(sample) for sample in samples],
        "starts": [asdict(start) for start in starts],
        "targets": [{**asdict(verdict), "met": verdict.met} for verdict in found],
    }
    (folder / "peers.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return found


def page(facts: Mapping[str, Any], medians: Medians, found: Sequence[Verdict]) -> str:
    """The tables in Markdown; all figures are medians over the rounds."""
    parts = ["# Peers", "\n".join(f"- {name}: {value}" for name, value in facts.items())]
    for query in medians.queries:
        parts += [f"## {QUERIES[query].title}", table(_HEAD, _query_rows(medians, query))]
    parts += ["## Processes", table(("", "start-up", "idle", "after the load", "most"), _process_rows(medians))]
    if found:
        rows = [
            (
                verdict.name,
                f"{verdict.found:.4g} {verdict.unit}",
                f"{'≥' if verdict.at_least else '≤'} {verdict.target:g}",
                "met" if verdict.met else "**missed**",
            )
            for verdict in found
        ]
        parts += ["## Targets", table(("", "found", "aimed at", ""), rows)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are flush right."""
    lines = [head, [_LEFT, *[_RIGHT] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_HEAD = ("", "req/s", "server CPU", "PostgreSQL CPU", "p50", "p99", "cores")


def _query_rows(medians: Medians, query: str) -> list[Sequence[str]]:
    return [(CONTENDERS[name].title, *_cells(medians, name, query)) for name in medians.contenders]


def _cells(medians: Medians, name: str, query: str) -> Iterator[str]:
    yield f"{medians.of(name, query, 'rate'):,.0f}"
    for figure in ("server", "postgres"):
        yield f"{medians.of(name, query, figure):,.1f} µs"
    for figure in ("p50", "p99"):
        yield f"{medians.of(name, query, figure):,.2f} ms"
    yield f"{medians.of(name, query, 'busy'):.2f}"


def _process_rows(medians: Medians) -> list[Sequence[str]]:
    return [
        (
            CONTENDERS[name].title,
            f"{medians.of_start(name, 'startup'):.2f} s",
            *(f"{medians.of_start(name, figure) / 1e6:,.0f} MB" for figure in ("idle", "loaded", "peak")),
        )
        for name in medians.contenders
    ]

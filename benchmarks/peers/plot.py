"""`python plot.py peers.json peers.svg`: the medians as bars. Run where matplotlib is, it imports nothing of ours."""

from __future__ import annotations

import json
import sys
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

OURS, THEIRS, DATABASE = "#1f6fb4", "#8a8f98", "#d9a441"


def main() -> None:
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        data = json.load(file)
    queries = data["queries"]
    figure, axes = plt.subplots(len(queries), 2, figsize=(12, 0.8 + 2.4 * len(queries)), squeeze=False)
    for row, (query, title) in zip(axes, queries.items(), strict=True):
        _rates(row[0], data, query)
        _costs(row[1], data, query)
        row[0].set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes[-1][0].set_xlabel("requests per second")
    axes[-1][1].set_xlabel("µs of CPU per request: the server, and PostgreSQL")
    figure.suptitle(f"{data['facts'].get('Python', '')}; {data['facts'].get('measured', '')}", fontsize=9)
    figure.tight_layout()
    figure.savefig(target)


def _of(data: dict[str, Any], contender: str, query: str, name: str) -> float:
    return median(s[name] for s in data["samples"] if s["contender"] == contender and s["query"] == query)


def _rates(axis: Any, data: dict[str, Any], query: str) -> None:
    names = list(data["contenders"])
    values = [_of(data, name, query, "rate") for name in names]
    bars = axis.barh(list(data["contenders"].values()), values, color=[_colour(name) for name in names])
    _finish(axis, bars, [f"{value:,.0f}" for value in values], max(values))


def _costs(axis: Any, data: dict[str, Any], query: str) -> None:
    names, titles = list(data["contenders"]), list(data["contenders"].values())
    server = [_of(data, name, query, "server") for name in names]
    database = [_of(data, name, query, "postgres") for name in names]
    axis.barh(titles, server, color=[_colour(name) for name in names])
    bars = axis.barh(titles, database, left=server, color=DATABASE)
    sums = [sum(pair) for pair in zip(server, database, strict=True)]
    _finish(axis, bars, [f"{ours:,.0f} + {its:,.0f}" for ours, its in zip(server, database, strict=True)], max(sums))


def _colour(name: str) -> str:
    return OURS if name.startswith("fraiseql") else THEIRS


def _finish(axis: Any, bars: Any, labels: list[str], most: float) -> None:
    axis.bar_label(bars, labels, padding=3, fontsize=8)
    axis.set_xlim(0, most * 1.25)
    axis.invert_yaxis()
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


main()

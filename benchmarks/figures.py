"""Figures: what was measured, and how it is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.server import RUNTIMES

__all__ = ["Benchmark", "Figure", "Setting", "per_runtime"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all benchmarks share: a PostgreSQL that holds the sample blog, and how often to measure."""

    database_url: str
    runs: int


@dataclass(frozen=True, slots=True)
class Figure:
    """The values of several runs; the median counts."""

    name: str
    unit: str
    values: tuple[float, ...]
    below: float | None = None  # the target

    def __str__(self) -> str:
        middle = median(self.values)
        spread = f"{min(self.values):,.4g} to {max(self.values):,.4g}"
        verdict = (
            "" if self.below is None else f"  target < {self.below:g}: {'met' if middle < self.below else 'MISSED'}"
        )
        return f"{self.name:<66}{middle:>10,.4g} {self.unit:<10} ({spread}){verdict}"


Benchmark = Callable[[Setting], list[Figure]]


def per_runtime(
    setting: Setting, name: str, unit: str, measure: Callable[[str], float], *, below: float | None = None
) -> list[Figure]:
    """Measure once per run and runtime, the runtimes in turns, so that a busy moment hits both."""
    values: dict[str, list[float]] = {runtime: [] for runtime in RUNTIMES}
    for _ in range(setting.runs):
        for runtime in RUNTIMES:
            values[runtime].append(measure(runtime))
    return [Figure(f"{name}, {runtime}", unit, tuple(found), below) for runtime, found in values.items()]

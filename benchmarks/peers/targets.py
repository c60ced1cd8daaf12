"""What is aimed at, and whether it was reached: medians over the rounds, and ratios of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.peers.contenders import CEILING, OURS, POSTGRAPHILE, STRAWBERRY
from benchmarks.peers.measuring import Sample, Start

__all__ = ["Medians", "Verdict", "verdicts"]

SERVER_CPU = {OURS[0]: 45.0, OURS[1]: 60.0, OURS[2]: 60.0, OURS[3]: 80.0}  # µs, the first query
TIMES_AS_FAST = (
    ("users", POSTGRAPHILE, 2.5),
    ("comments", POSTGRAPHILE, 3.0),
    ("users", STRAWBERRY, 8.0),
    ("comments", STRAWBERRY, 40.0),
)
TAIL = 5.0  # p99 / p50
IDLE, LOADED = 50.0, 200.0  # MB


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure beside its target.

    Attributes:
        at_least: whether the target is a lower bound; else an upper one.
    """

    name: str
    found: float
    target: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the unrounded figure is within the bound."""
        return self.found >= self.target if self.at_least else self.found <= self.target

    def __str__(self) -> str:
        bound = f"{'>=' if self.at_least else '<='} {self.target:g}"
        return f"{self.name}: {self.found:.4g} {self.unit}, aimed at {bound}: {'met' if self.met else 'MISSED'}"


class Medians:
    """The medians over the rounds, by contender and query."""

    def __init__(self, samples: Sequence[Sample], starts: Sequence[Start]) -> None:
        self._samples, self._starts = samples, starts
        self.contenders = list(dict.fromkeys(sample.contender for sample in samples))
        self.queries = list(dict.fromkeys(sample.query for sample in samples))

    def has(self, contender: str, query: str) -> bool:
        """Whether it was measured."""
        return contender in self.contenders and query in self.queries

    def of(self, contender: str, query: str, figure: str) -> float:
        """The median of one of the figures of a `Sample`."""
        found = [s for s in self._samples if (s.contender, s.query) == (contender, query)]
        return float(median(getattr(sample, figure) for sample in found))

    def of_start(self, contender: str, figure: str) -> float:
        """The median of one of the figures of a `Start`."""
        return float(median(getattr(start, figure) for start in self._starts if start.contender == contender))

    def ratio(self, contender: str, other: str, query: str, figure: str) -> float:
        """The median over the rounds of one contender's figure by another's of the same round."""
        values: dict[int, dict[str, float]] = {}
        for sample in self._samples:
            if sample.query == query:
                values.setdefault(sample.round, {})[sample.contender] = getattr(sample, figure)
        return median(each[contender] / each[other] for each in values.values())


def verdicts(medians: Medians) -> list[Verdict]:
    """All targets for which both sides were measured; rates and PostgreSQL's CPU are those of ours on uvloop."""
    return [*_server_cpu(medians), *_rates(medians), *_postgres_cpu(medians), *_tails(medians), *_memory(medians)]


def _server_cpu(medians: Medians) -> Iterator[Verdict]:
    for name, target in SERVER_CPU.items():
        if medians.has(name, "users"):
            found = medians.of(name, "users", "server")
            yield Verdict(f"server CPU per request, users, {name}", found, target, "µs")


def _rates(medians: Medians) -> Iterator[Verdict]:
    ours = OURS[0]
    pairs = [(query, CEILING, 1.0) for query in medians.queries]
    for query, other, target in (*pairs, *TIMES_AS_FAST):
        if medians.has(ours, query) and medians.has(other, query):
            found = medians.ratio(ours, other, query, "rate")
            yield Verdict(f"requests per second, {query}, {ours} / {other}", found, target, "x", at_least=True)


def _postgres_cpu(medians: Medians) -> Iterator[Verdict]:
    for query in medians.queries:
        if medians.has(OURS[0], query) and medians.has(CEILING, query):
            found = medians.ratio(OURS[0], CEILING, query, "postgres")
            yield Verdict(f"PostgreSQL's CPU per request, {query}, {OURS[0]} / by hand", found, 1.0, "x")


def _tails(medians: Medians) -> Iterator[Verdict]:
    for name in OURS:
        for query in medians.queries:
            if medians.has(name, query):
                found = medians.of(name, query, "p99") / medians.of(name, query, "p50")
                yield Verdict(f"p99 / p50, {query}, {name}", found, TAIL, "x")


def _memory(medians: Medians) -> Iterator[Verdict]:
    for name in OURS:
        if name in medians.contenders:
            yield Verdict(f"memory idle, {name}", medians.of_start(name, "idle") / 1e6, IDLE, "MB")
            yield Verdict(f"memory under load, {name}", medians.of_start(name, "peak") / 1e6, LOADED, "MB")

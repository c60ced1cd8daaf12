"""`python -m fraiseql.testing.simulation`: one seed with its story, or many."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NoReturn, get_args

from fraiseql.testing.simulation.world import Outcome, Runtime, failure_of, simulate

__all__ = ["main"]

_PART = 250  # seeds that one process takes at once


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate as the command line says, and return its exit status: 1 where something was violated."""
    parser = _Parser(prog="python -m fraiseql.testing.simulation", description=__doc__)
    parser.add_argument("--seed", type=_number, default=0, help="the only seed, or the first of many")
    parser.add_argument("--seeds", type=_count, default=None, help="how many to try; without it, one, and its story")
    parser.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="processes; by default one for each processor"
    )
    parser.add_argument("--runtime", choices=get_args(Runtime), default="loops", help="of the server")
    given = parser.parse_args(arguments)
    first: int = given.seed
    runtime: Runtime = given.runtime
    if given.seeds is None:
        outcome = simulate(first, runtime)
        sys.stdout.write(outcome.story.text())
        return _tell(outcome)
    return _many(range(first, first + given.seeds), given.jobs, runtime)


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _number(text: str) -> int:
    try:
        return int(text or 0)  # a Makefile gives nothing where nothing is said
    except ValueError:
        raise argparse.ArgumentTypeError(f"it must be a whole number, and is {text!r}") from None


def _count(text: str) -> int:
    count = _number(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"it must be at least 1, and is {text!r}")
    return count


def _many(seeds: range, jobs: int, runtime: Runtime) -> int:
    parts = [seeds[start : start + _PART] for start in range(0, len(seeds), _PART)]
    with ProcessPoolExecutor(min(jobs, len(parts))) as pool:
        requests = 0
        for asked, failed in pool.map(partial(_part, runtime), parts):
            requests += asked
            if failed is not None:
                pool.shutdown(cancel_futures=True)
                outcome = simulate(failed, runtime)
                sys.stdout.write(outcome.story.text())
                return _tell(outcome)
    sys.stdout.write(f"{len(seeds)} worlds, {requests} requests: nothing was violated\n")
    return 0


def _part(runtime: Runtime, seeds: Iterable[int]) -> tuple[int, int | None]:
    """How many requests there were, and the first seed that fails."""
    requests = 0
    for seed in seeds:
        outcome = simulate(seed, runtime)
        requests += outcome.requests
        if outcome.violations:
            return requests, seed
    return requests, None


def _tell(outcome: Outcome) -> int:
    if not outcome.violations:
        return 0
    sys.stderr.write(f"{failure_of(outcome)}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

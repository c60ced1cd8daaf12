"""`python -m benchmarks`: measures, beside a PostgreSQL with the sample blog if need be, and prints every figure."""

from __future__ import annotations

import argparse
import platform
import sys
from contextlib import ExitStack

from benchmarks import (
    answers,
    fanout,
    http11,
    memory,
    pipeline,
    shapes,
    sharing,
    startup,
    subscribers,
    throughput,
    transactions,
    websocket,
)
from benchmarks.figures import Benchmark, Setting
from fraiseql.cli.demo.database import load
from fraiseql.testing.embedded import EmbeddedPostgres

BENCHMARKS: dict[str, Benchmark] = {
    "answers": answers.measure,
    "fanout": fanout.measure,
    "http11": http11.measure,
    "memory": memory.measure,
    "pipeline": pipeline.measure,
    "shapes": shapes.measure,
    "sharing": sharing.measure,
    "startup": startup.measure,
    "subscribers": subscribers.measure,
    "throughput": throughput.measure,
    "transactions": transactions.measure,
    "websocket": websocket.measure,
}
WITHOUT_DATABASE = {"answers", "fanout", "http11", "pipeline", "websocket"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which to run: {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--runs", type=int, default=5, help="how often to measure each (default 5)")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if not sys.platform.startswith("linux"):
        parser.error("the figures are read from /proc, which only Linux has")
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}; median (least to most)"
    )
    names = options.names or list(BENCHMARKS)
    with ExitStack() as stack:
        database_url = ""
        if set(names) - WITHOUT_DATABASE:
            database_url = stack.enter_context(EmbeddedPostgres()).conninfo
            load(database_url)
        setting = Setting(database_url, max(1, options.runs))
        for name in names:
            for figure in BENCHMARKS[name](setting):
                print(figure, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks.peers`: FraiseQL beside its peers, on one PostgreSQL, under the same load.

Sets up what is missing in `.peers` (virtual environments, npm packages, wrk), compares the answers of all contenders,
then measures them in turns, and leaves tables, all figures and a plot in `.peers/results`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NoReturn

from benchmarks.peers import database, profiling
from benchmarks.peers.contenders import CONTENDERS, POSTGRAPHILE, Setup
from benchmarks.peers.environments import ROOT, Environments, SetUpError
from benchmarks.peers.measuring import Options, compare, measure, postmaster
from benchmarks.peers.queries import QUERIES
from benchmarks.peers.report import write
from benchmarks.peers.wrk import Wrk
from fraiseql.errors import FraiseQLError
from fraiseql.testing.embedded import EmbeddedPostgres

PACKAGES = (
    "psycopg",
    "uvloop",
    "trio",
    "strawberry-graphql",
    "fastapi",
    "uvicorn",
    "httptools",
    "asyncpg",
    "postgraphile",
)


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    if not sys.platform.startswith("linux"):
        parser.error("the figures are read from /proc, which only Linux has")
    options = Options(given.only, given.queries, given.seconds, given.warm_up, given.rounds, given.connections)
    environments = Environments(given.python)
    try:
        environments.identity()
    except SetUpError as error:
        parser.error(f"argument --python: {error}")
    try:
        install(environments, [given.profile] if given.profile else options.contenders)
        command, variables = environments.wrk()
        wrk = Wrk(command, variables, options.connections)
        with EmbeddedPostgres(settings=database.SETTINGS) as postgres:
            _run(given, options, environments, wrk, postgres)
    except (FraiseQLError, RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


def install(environments: Environments, names: Sequence[str]) -> None:
    """All that is needed, before anything is measured; Node.js only for who runs in it."""
    for name in names:
        CONTENDERS[name].install(environments)
    environments.interpreter("tools")


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m benchmarks.peers", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add(
        "--seconds",
        type=_number(float),
        default=10,
        help="under load for each query of each contender in a round (default 10)",
    )
    add("--warm-up", type=_number(float), default=3, help="seconds under load before (default 3)")
    add("--rounds", type=_number(int), default=3, help="how often all contenders have their turn (default 3)")
    add("--connections", type=_number(int), default=32, help="keep-alive connections (default 32)")
    add("--only", type=_names(CONTENDERS), default=list(CONTENDERS), metavar="a,b", help=f"of {','.join(CONTENDERS)}")
    add("--queries", type=_names(QUERIES), default=list(QUERIES), metavar="a,b", help=f"of {','.join(QUERIES)}")
    add("--python", default=sys.executable, help="the CPython of all contenders (default: the one that runs this)")
    add("--results", type=Path, default=ROOT / ".peers" / "results", help="where the figures go")
    add("--profile", choices=profiling.PROFILED, metavar="NAME", help="in place of all: sample where its CPU goes")
    return parser


def _number(kind: type[int] | type[float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            kinds = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"it must be {kinds}, and is {text!r}") from None
        if not 1 <= value < math.inf:
            raise argparse.ArgumentTypeError(f"it must be at least 1, and is {text!r}")
        return value

    return number


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        given = text.split(",")
        unknown = [name for name in given if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; known are {', '.join(known)}")
        return [name for name in known if name in given]

    return names


def _run(
    given: argparse.Namespace, options: Options, environments: Environments, wrk: Wrk, postgres: EmbeddedPostgres
) -> None:
    print("Filling the database ...", flush=True)
    database.fill(postgres)
    fastest = database.fastest_statements(postgres.conninfo)
    setup = Setup(environments, postgres.conninfo, {query: text for query, (_, text) in fastest.items()})
    names = [given.profile] if given.profile else options.contenders
    expected = compare(setup, names)
    if given.profile:
        profiling.profile(setup, given.profile, options, wrk, given.results)
        return
    print(f"All answers are equal: {', '.join(names)}", flush=True)
    samples, starts = measure(setup, options, expected, wrk, postmaster(postgres.data_directory))
    facts = _facts(options, environments, postgres)
    facts["statements by hand"] = ", ".join(f"{query}: {way}" for query, (way, _) in fastest.items())
    for verdict in write(given.results, facts, samples, starts):
        print(verdict)
    _plot(environments, given.results)
    print(f"Tables, figures and plot: {given.results}")


def _plot(environments: Environments, results: Path) -> None:
    command = [environments.interpreter("tools"), str(Path(__file__).with_name("plot.py"))]
    done = subprocess.run([*command, str(results / "peers.json"), str(results / "peers.svg")])
    if done.returncode:
        raise RuntimeError(f"the plot could not be made; the figures are in {results}")


def _facts(options: Options, environments: Environments, postgres: EmbeddedPostgres) -> dict[str, str]:
    node: dict[str, str] = {}
    if POSTGRAPHILE in options.contenders:
        version = subprocess.run([environments.node(), "--version"], capture_output=True, text=True)
        node = {"Node.js": version.stdout.strip()}
    return {
        "measured": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "Python": environments.identity().rpartition(" ")[0],
        **node,
        "PostgreSQL": postgres.execute("show server_version")[0][0],
        "packages": ", ".join(f"{name} {version}" for name, version in environments.versions(PACKAGES).items()),
        "load": f"{options.connections} connections, {options.rounds} rounds of {options.seconds:g} s"
        f" after {options.warm_up:g} s",
    }


if __name__ == "__main__":
    sys.exit(main())

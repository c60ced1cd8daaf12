"""`python -m fuzz`: fuzz every target for a while; ends with 1 where an invariant was broken."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from fuzz.corpus import TARGETS, keep, load

NOT_HERE = (
    "atheris is not installed. `make fuzz` installs it where it has a wheel: CPython 3.11 to 3.14 on Linux, x86-64. "
    "Elsewhere it has to be built with clang; the kept inputs are replayed by `make test` everywhere."
)
MAX_KEPT = 400  # bytes of an input that is worth keeping


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="target", help=f"which: {', '.join(TARGETS)}; default all")
    parser.add_argument("--seconds", type=int, default=60, help="for all of them together (default 60)")
    parser.add_argument("--grow", action="store_true", help="keep the inputs that reached something new")
    options = parser.parse_args()
    unknown = set(options.names) - set(TARGETS)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if find_spec("atheris") is None:
        parser.error(NOT_HERE)
    names = options.names or TARGETS
    seconds = max(1, options.seconds // len(names))
    return max([fuzz(name, seconds, options.grow) for name in names])


def fuzz(name: str, seconds: int, grow: bool) -> int:
    """Fuzz one target; 1 where it was broken."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        corpus, found = Path(folder, "corpus"), Path(folder, "found")
        corpus.mkdir()
        found.mkdir()
        for number, data in enumerate(load(name)):
            (corpus / str(number)).write_bytes(data)
        options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=1200"]
        code, log = run(name, [str(corpus), f"-artifact_prefix={found}/", "-print_final_stats=1", *options])
        broken = [path.read_bytes() for path in found.iterdir()]
        if code or broken:
            print(log[-6_000:])
            print(f"{name}: broken. Once it is mended, keep this line in fuzz/corpus/{name}.txt:")
            print(*map(repr, broken), sep="\n")
            return 1
        executions = re.search(r"number_of_executed_units: (\d+)", log)
        coverage = re.findall(r"cov: (\d+) ft: (\d+)", log)
        if executions is None or not coverage:
            print(f"{log[-6_000:]}\n{name}: libFuzzer did not run")
            return 1
        edges, features = coverage[-1]
        print(f"{name}: {executions[1]} executions in {seconds} s, {edges} edges, {features} features, nothing found")
        if grow:
            kept = keep_new(name, corpus, Path(folder, "merged"))
            print(f"{name}: {kept} inputs kept")
    return 0


def keep_new(name: str, corpus: Path, merged: Path) -> int:
    """Keep the fewest inputs that together reach what all of them reach."""
    merged.mkdir()
    for number, data in enumerate(load(name)):
        (merged / str(number)).write_bytes(data)
    code, log = run(name, ["-merge=1", str(merged), str(corpus)])
    if code:
        raise RuntimeError(f"libFuzzer did not merge:\n{log[-2_000:]}")
    return keep(name, [data for path in merged.iterdir() if len(data := path.read_bytes()) <= MAX_KEPT])


def run(name: str, options: list[str]) -> tuple[int, str]:
    """Run one target in a process of its own; its exit code and what it printed."""
    command = [sys.executable, "-m", "fuzz.one", name, *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


if __name__ == "__main__":
    sys.exit(main())

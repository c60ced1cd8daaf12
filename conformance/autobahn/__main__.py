"""`python -m conformance.autobahn`: judges the WebSocket codec by the Autobahn|Testsuite.

It ends with 1 where a case is not passed. The suite and its reports are kept in `.autobahn`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.autobahn.suite import Suite, SuiteError, find_python
from conformance.autobahn.verdict import judge, read_reports

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".autobahn"
EXAMPLE = ROOT / "examples" / "websocket_echo.py"
RUNTIMES = ("asyncio", "trio")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m conformance.autobahn", description=__doc__)
    parser.add_argument("runtimes", nargs="*", metavar="runtime", help=f"{' or '.join(RUNTIMES)}; default both")
    parser.add_argument("--cases", default="*", help="such as 1.*,7.7.1; default all, which takes ten minutes and more")
    parser.add_argument("--jobs", type=int, default=1, help="cases to play at once (default 1)")
    parser.add_argument("--timeout", type=float, default=3_600, help="seconds for one runtime (default 3600)")
    parser.add_argument("--python", default=os.environ.get("AUTOBAHN_PYTHON"), help="a CPython 2.7, or AUTOBAHN_PYTHON")
    options = parser.parse_args()
    runtimes = options.runtimes or RUNTIMES
    if unknown := set(runtimes) - set(RUNTIMES):
        parser.error(f"there is no runtime {', '.join(sorted(unknown))}")
    suite = Suite(HOME / "suite")
    try:
        if not suite.is_installed:
            python = find_python(options.python)
            print(f"Installing the Autobahn|Testsuite with {python} into .autobahn ...", flush=True)
            suite.install(python)
        cases = suite.cases([pattern.strip() for pattern in options.cases.split(",")])
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    return max([play(suite, runtime, cases, options.jobs, options.timeout) for runtime in runtimes])


def play(suite: Suite, runtime: str, cases: list[str], jobs: int, timeout: float) -> int:
    """Play the cases under one runtime and print what came of it; 1 where they were not passed."""
    reports = HOME / "reports" / runtime
    started = time.monotonic()
    with served(runtime) as server:
        suite.run(server.url, cases, reports, jobs=jobs, timeout=timeout)
    verdict = judge(cases, read_reports(reports))
    print(f"{runtime}: {verdict} in {time.monotonic() - started:.0f} s, see {reports.relative_to(ROOT)}", flush=True)
    if server.complaints:
        print(f"{runtime}: the server said:\n{server.complaints[-4_000:]}", file=sys.stderr)
    return 0 if verdict.is_passed and not server.complaints else 1


class Server:
    """The example in a process of its own.

    Attributes:
        url: of the server.
        complaints: all that it wrote to its standard error, and how it ended where that was not well; known at the end.
    """

    def __init__(self, runtime: str, errors: int) -> None:
        command = [sys.executable, str(EXAMPLE), "--runtime", runtime, "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.complaints = ""


@contextmanager
def served(runtime: str) -> Iterator[Server]:
    log = HOME / f"server-{runtime}.log"
    with log.open("w") as errors:
        server = Server(runtime, errors.fileno())
    with server.process as process:
        try:
            yield server
        finally:
            code = process.poll()  # None, unless it has fallen over
            process.terminate()
    server.complaints = log.read_text() + ("" if code is None else f"It ended with {code}.")


if __name__ == "__main__":
    sys.exit(main())

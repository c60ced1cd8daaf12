"""Installs and runs the suite, which has never left Python 2.7."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from conformance.autobahn.verdict import AGENT

__all__ = ["NoPython", "Suite", "SuiteError", "find_python"]

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
SUITE = "autobahntestsuite==25.10.1"
VIRTUALENV = "virtualenv==20.15.1"  # the last that makes an environment for Python 2.7, and runs on it

NO_PYTHON = """\
The Autobahn|Testsuite runs on CPython 2.7 only, and {found}.
Get one with `pyenv install 2.7.18` (it needs a C compiler and the headers of OpenSSL and zlib) or from your system's
packages, then say `make autobahn` again, or AUTOBAHN_PYTHON=/path/to/python2.7 make autobahn. Nothing else needs it."""

LIST_CASES = """\
import sys
from autobahntestsuite import case, caseset
known = caseset.CaseSet(case.CaseSetname, case.CaseBasename, case.Cases, case.CaseCategories, case.CaseSubCategories)
for number in known.parseSpecCases({"cases": sys.argv[1:], "exclude-cases": []}):
    if number in known.CasesById:
        print(number)
"""


class SuiteError(Exception):
    """The suite cannot be installed or run; the message says why."""


class NoPython(SuiteError):
    """There is no CPython 2.7."""


def find_python(named: str | None) -> str:
    """The path of a CPython 2.7: the one named, else one of pyenv's, else the one on PATH; raises NoPython."""
    if named:
        if not _is_python_27(named):
            raise NoPython(NO_PYTHON.format(found=f"{named} is none"))
        return named
    for candidate in (*_of_pyenv(), "python2.7", "python2"):
        if _is_python_27(candidate):
            return candidate
    raise NoPython(NO_PYTHON.format(found="neither pyenv nor PATH has one"))


def _is_python_27(python: str) -> bool:
    check = "import platform; print(platform.python_implementation(), platform.python_version_tuple()[:2])"
    try:
        said = _output([python, "-c", check])
    except (OSError, subprocess.CalledProcessError):
        return False
    return said.strip() == "('CPython', ('2', '7'))"


def _of_pyenv() -> Iterator[str]:
    if shutil.which("pyenv") is None:
        return
    for version in reversed(_output(["pyenv", "versions", "--bare"]).split()):
        if version.startswith("2.7."):
            yield _output(["pyenv", "prefix", version]).strip() + "/bin/python"


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


class Suite:
    """An installation of the suite, which stays for the next time.

    Args:
        home: a folder of its own.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._bin = home / "python27" / "bin"
        self._stamp = home / ".installed"

    @property
    def is_installed(self) -> bool:
        return self._stamp.is_file() and self._stamp.read_text() == self._wanted()

    def _wanted(self) -> str:
        return "\n".join([str(self._bin), SUITE, CONSTRAINTS.read_text()])

    def install(self, python: str) -> None:
        """Make an environment with this interpreter and install into it; raises SuiteError."""
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        log, tool = self._home / "install.log", self._home / "virtualenv"
        environment = {**os.environ, "PYTHONPATH": str(tool), "VIRTUALENV_OVERRIDE_APP_DATA": str(tool / "data")}
        steps = [
            [python, "-m", "pip", "install", "--target", str(tool), VIRTUALENV],
            [python, "-m", "virtualenv", str(self._bin.parent)],
            [str(self._bin / "python"), "-m", "pip", "install", "--constraint", str(CONSTRAINTS), SUITE],
        ]
        with log.open("w") as output:
            for step, variables in zip(steps, (None, environment, None), strict=True):
                if subprocess.run(step, env=variables, stdout=output, stderr=subprocess.STDOUT).returncode:
                    end = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                    raise SuiteError(f"{end}\nThe suite could not be installed: {' '.join(step)} failed, see {log}.")
        shutil.rmtree(tool)
        self._stamp.write_text(self._wanted())

    def cases(self, patterns: Sequence[str]) -> list[str]:
        """The numbers of all cases that patterns name (`*`, `9.*`, `7.7.1`); raises SuiteError where one names none."""
        for pattern in patterns:
            if not self._cases(pattern):
                raise SuiteError(f"the suite has no case {pattern}")
        return self._cases(*patterns)

    def _cases(self, *patterns: str) -> list[str]:
        try:
            return _output([str(self._bin / "python"), "-c", LIST_CASES, *patterns]).split()
        except subprocess.CalledProcessError:
            return []

    def run(self, url: str, cases: Sequence[str], reports: Path, *, jobs: int, timeout: float) -> None:
        """Play cases against the server at `url`.

        Args:
            reports: a folder to write the suite's reports to, one folder for each job; it is emptied first.
            jobs: how many clients play at once, with the cases dealt out among them.
            timeout: seconds for all.
        """
        shutil.rmtree(reports, ignore_errors=True)
        with ExitStack() as stack:
            clients = []
            for number in range(min(jobs, len(cases))):
                folder = reports / f"job{number}"
                folder.mkdir(parents=True)
                log = stack.enter_context((folder / "wstest.log").open("w"))
                clients.append(self._start(url, cases[number::jobs], folder, log.fileno()))
                stack.callback(clients[-1].kill)
            try:
                for client in clients:
                    client.wait(timeout)
            except subprocess.TimeoutExpired:
                pass  # the cases that are left have no report

    def _start(self, url: str, cases: Sequence[str], folder: Path, log: int) -> subprocess.Popen[bytes]:
        server = {"agent": AGENT, "url": url}
        rest = {"outdir": str(folder), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
        specification = folder / "specification.json"
        specification.write_text(json.dumps({"servers": [server], **rest}))
        command = [str(self._bin / "wstest"), "--mode", "fuzzingclient", "--spec", str(specification)]
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)

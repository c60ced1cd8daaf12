"""What the suite's reports come to: which cases were passed, and which stand against us."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["AGENT", "Verdict", "judge", "read_reports"]

AGENT = "fraiseql"  # our name in the reports

# Any other word counts against us: FAILED, WRONG CODE, UNCLEAN, FAILED BY CLIENT, and UNIMPLEMENTED too, which it
# says of a compression that was not negotiated.
PASSED = ("OK", "NON-STRICT", "INFORMATIONAL")
CLEAN = ("OK", "INFORMATIONAL")

Report = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of all cases that were asked for."""

    passed: Mapping[str, Sequence[str]]  # cases by what the suite calls them
    failed: Mapping[str, Sequence[str]]

    @property
    def is_passed(self) -> bool:
        return not self.failed and any(self.passed.values())

    def __str__(self) -> str:
        parts = [f"{sum(map(len, (*self.passed.values(), *self.failed.values())))} cases"]
        parts += [f"{name} {len(cases)}" for name, cases in self.passed.items() if cases]
        parts += [f"{name} {len(cases)} ({_listed(cases)})" for name, cases in self.failed.items()]
        return ", ".join([*parts, "passed" if self.is_passed else "NOT PASSED"])


def _listed(cases: Sequence[str]) -> str:
    shown = " ".join(cases[:40])
    return shown if len(cases) <= 40 else f"{shown} and {len(cases) - 40} more"


def judge(wanted: Iterable[str], reports: Mapping[str, Report]) -> Verdict:
    """Sort the wanted cases.

    Args:
        wanted: the numbers of all cases that should have run, such as `9.1.2`.
        reports: what the suite noted, by number.
    """
    passed: dict[str, list[str]] = {name: [] for name in PASSED}
    failed: dict[str, list[str]] = {}
    for case in wanted:
        report = reports.get(case)
        if report is None:
            failed.setdefault("not run", []).append(case)
        elif report["behavior"] not in PASSED:
            failed.setdefault(report["behavior"], []).append(case)
        elif report["behaviorClose"] not in CLEAN:
            failed.setdefault(f"closed {report['behaviorClose']}", []).append(case)
        else:
            passed[report["behavior"]].append(case)
    return Verdict(passed, failed)


def read_reports(folder: Path) -> dict[str, Report]:
    """The reports of all jobs, by the case's number; those of a job that was cut short are missing."""
    reports: dict[str, Report] = {}
    for index in folder.glob("job*/index.json"):
        reports.update(json.loads(index.read_bytes()).get(AGENT, {}))
    return reports

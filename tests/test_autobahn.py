"""How `make autobahn` judges the suite's reports, and what it says where it cannot run; the suite itself is not run."""

from __future__ import annotations

import json
import sys

import pytest
from conformance.autobahn.suite import NoPython, find_python
from conformance.autobahn.verdict import judge, read_reports

OK = {"behavior": "OK", "behaviorClose": "OK"}


def report(behavior: str, close: str = "OK") -> dict[str, str]:
    return {"behavior": behavior, "behaviorClose": close}


@pytest.mark.parametrize(
    ("reports", "line"),
    [
        ({"1.1.1": OK, "9.1.2": OK}, "2 cases, OK 2, passed"),
        ({"1.1.1": OK, "9.1.2": report("NON-STRICT")}, "2 cases, OK 1, NON-STRICT 1, passed"),
        ({"1.1.1": OK, "9.1.2": report("INFORMATIONAL", "INFORMATIONAL")}, "2 cases, OK 1, INFORMATIONAL 1, passed"),
        ({"1.1.1": OK, "9.1.2": report("FAILED")}, "2 cases, OK 1, FAILED 1 (9.1.2), NOT PASSED"),
        ({"1.1.1": OK, "9.1.2": report("UNIMPLEMENTED")}, "2 cases, OK 1, UNIMPLEMENTED 1 (9.1.2), NOT PASSED"),
        ({"1.1.1": OK, "9.1.2": report("OK", "UNCLEAN")}, "2 cases, OK 1, closed UNCLEAN 1 (9.1.2), NOT PASSED"),
        ({"1.1.1": OK, "9.1.2": report("OK", "WRONG CODE")}, "2 cases, OK 1, closed WRONG CODE 1 (9.1.2), NOT PASSED"),
        ({"1.1.1": OK, "9.1.2": report("anything else")}, "2 cases, OK 1, anything else 1 (9.1.2), NOT PASSED"),
        ({"1.1.1": OK}, "2 cases, OK 1, not run 1 (9.1.2), NOT PASSED"),
        ({}, "2 cases, not run 2 (1.1.1 9.1.2), NOT PASSED"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_counts_as_passed(reports, line):
    verdict = judge(["1.1.1", "9.1.2"], reports)
    assert str(verdict) == line
    assert verdict.is_passed is (not line.endswith("NOT PASSED"))


def test_no_case_at_all_is_no_success():
    assert not judge([], {}).is_passed


def test_the_reports_of_all_jobs_are_read(tmp_path):
    for number, case in enumerate(["1.1.1", "9.1.2"]):
        (tmp_path / f"job{number}").mkdir()
        (tmp_path / f"job{number}" / "index.json").write_text(json.dumps({"fraiseql": {case: OK}}))
    (tmp_path / "job2").mkdir()
    assert read_reports(tmp_path) == {"1.1.1": OK, "9.1.2": OK}


@pytest.mark.parametrize(
    ("named", "said"),
    [(None, "and neither pyenv nor PATH has one.\n"), (sys.executable, f"and {sys.executable} is none.\n")],
    ids=["none", "another"],
)
def test_a_missing_python_27_is_said(tmp_path, monkeypatch, named, said):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPython) as raised:
        find_python(named)
    assert said in str(raised.value)
    assert "AUTOBAHN_PYTHON=/path/to/python2.7 make autobahn" in str(raised.value)

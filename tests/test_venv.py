"""`.ci/venv`, which every make target calls: which interpreter it takes, and when it leaves all as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "tests" / "peers"


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an environment that was made with this interpreter, and filled."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "venv", tmp_path / ".ci")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "tests" / "peers" / "node_modules").mkdir(parents=True)
    shutil.copy(PEERS / "npm.py", tmp_path / "tests" / "peers")
    for name in ("package.json", "node_modules/.installed"):
        (tmp_path / "tests" / "peers" / name).write_text("{}\n")
    script(tmp_path / ".venv" / "bin" / "python", f"exec '{sys.executable}' \"$@\"")
    (tmp_path / ".venv" / ".installed-dev").write_text(f"{tmp_path.resolve()}\n[project]\n")
    return tmp_path


def run(project: Path, python: str | None, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON"} | variables
    if python is not None:
        environment["PYTHON"] = python
    command = [str(project / ".ci" / "venv"), "dev"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("python", [None, "", sys.executable], ids=["unset", "empty", "the same"])
def test_an_environment_that_fits_is_left_alone(project: Path, python: str | None) -> None:
    done = run(project, python)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_interpreter_that_is_not_there_is_said(project: Path) -> None:
    done = run(project, "/no/such/python")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "PYTHON=/no/such/python is not a Python of 3.11 or newer.\n"
    assert (project / ".venv").exists()


def test_another_interpreter_makes_the_environment_anew(project: Path) -> None:
    other = script(
        project / "other",
        f"""case "$*" in
            *base_prefix*) echo /elsewhere 3.99 ;;
            -V) echo Python 3.99 ;;
            *"-m venv"*) exit 1 ;;
            *) exec '{sys.executable}' "$@" ;;
        esac""",
    )
    done = run(project, str(other))
    assert (done.returncode, done.stdout) == (1, "Making .venv with Python 3.99 ...\n")
    assert not (project / ".venv").exists()


def test_npm_packages_that_cannot_be_installed_are_said_and_stop_nothing(project: Path) -> None:
    (project / "tests" / "peers" / "package.json").write_text('{"dependencies": {"ws": "8.23.0"}}\n')
    done = run(project, None, npm_config_offline="true", npm_config_cache=str(project / "cache"))
    assert (done.returncode, done.stdout) == (0, "Installing the npm packages of tests/peers ...\n")
    assert "ws" in done.stderr
    assert "will be skipped. Repeat `make test` where PyPI and npm's registry can be reached.\n" in done.stderr

"""What the tests with npm packages say where they are skipped."""

from __future__ import annotations

import shutil

import pytest

from peers import npm

HOW_TO = "Repeat `make test` where PyPI and npm's registry can be reached."


@pytest.fixture
def no_wheel(monkeypatch, tmp_path):
    monkeypatch.setattr(npm, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_missing_packages_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(npm, "INSTALLED", tmp_path / ".installed")
    reason = npm.missing()
    assert reason is not None
    assert reason.startswith("the npm packages of tests/peers/package.json are missing")
    assert reason.endswith(HOW_TO)


def test_packages_of_other_versions_are_missing(monkeypatch, tmp_path):
    (tmp_path / ".installed").write_text("{}")
    monkeypatch.setattr(npm, "INSTALLED", tmp_path / ".installed")
    assert npm.missing() is not None
    shutil.copy(npm.WANTED, tmp_path / ".installed")
    assert npm.missing() is None


def test_a_missing_node_is_said(no_wheel):
    reason = npm.missing()
    assert reason is not None
    assert reason.startswith("Node.js is missing")
    assert reason.endswith(HOW_TO)
    assert npm.npm_command() is None


def test_a_node_of_the_system_serves_where_there_is_no_wheel(no_wheel, tmp_path):
    for name in ("node", "npm"):
        (tmp_path / name).touch(0o755)
    assert npm.node_command() == [str(tmp_path / "node")]
    assert npm.npm_command() == [str(tmp_path / "npm")]

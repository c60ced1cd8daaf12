"""What a server listens on: ports, paths, and what it is given."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fraiseql.errors import ConfigurationError, StartupError
from fraiseql.runtimes import listening
from fraiseql.runtimes.balancing import Shares
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import open_listeners

# Listens on what it was given, tells its URLs, and answers one client of each socket.
INHERITOR = """
from fraiseql.errors import FraiseQLError
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import open_listeners
try:
    listeners = open_listeners(FraiseQLConfig(inherit_sockets=True))
except FraiseQLError as error:
    raise SystemExit(f"{type(error).__name__}: {error}")
print(listeners.url, listeners.port, flush=True)
for sock in listeners.sockets:
    sock.setblocking(True)
    with sock.accept()[0] as client:
        client.sendall(b"hello")
listeners.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a Unix socket; short, since it has room for 107 bytes only."""
    found = Path(os.path.relpath(tmp_path / "s"))
    return found if len(bytes(found)) < 100 else tmp_path / "s"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "::", "0.0.0.0"])
def test_every_address_of_a_name_is_listened_on_at_one_port(host: str) -> None:
    listeners = open_listeners(FraiseQLConfig(host=host, port=0))
    assert {port for _, port in listeners.addresses} == {listeners.port}
    shown = f"[{host}]" if ":" in host else host
    assert listeners.url == f"http://{shown}:{listeners.port}/graphql"
    socket.create_connection(listeners.addresses[0]).close()
    for sock in listeners.sockets:
        if sock.family == socket.AF_INET6:  # lest it take what belongs to another program's IPv4 socket
            assert bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) is (host != "::")
    listeners.close()
    listeners.close()
    assert listeners.sockets == []


def test_the_url_says_that_it_is_https() -> None:
    listeners = open_listeners(FraiseQLConfig(port=0, tls_certificate="cert.pem"))
    listeners.close()
    assert listeners.url == f"https://127.0.0.1:{listeners.port}/graphql"


def test_a_port_that_is_in_use() -> None:
    listeners = open_listeners(FraiseQLConfig(port=0))
    with pytest.raises(StartupError, match=f"port {listeners.port} on 127.0.0.1 is in use by another program"):
        open_listeners(FraiseQLConfig(port=listeners.port))
    listeners.close()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "port 80 on 127.0.0.1 needs more rights than this process has"),
        (errno.ENOBUFS, "cannot listen on 127.0.0.1 port 80: trouble"),
    ],
)
def test_why_a_port_cannot_be_listened_on(monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    def refuse(*arguments: Any) -> socket.socket:
        raise OSError(number, "trouble")

    monkeypatch.setattr(listening, "_bound", refuse)
    with pytest.raises(StartupError, match=f"^{re.escape(message)}$"):
        open_listeners(FraiseQLConfig(port=80))


@pytest.mark.parametrize(("mode", "bits"), [(None, 0o660), ("600", 0o600), ("0666", 0o666)])
def test_a_unix_socket_is_for_whom_its_mode_says(path: Path, mode: str | None, bits: int) -> None:
    given = {} if mode is None else {"unix_socket_mode": mode}
    listeners = open_listeners(FraiseQLConfig(unix_socket=str(path), **given))
    assert stat.S_IMODE(path.stat().st_mode) == bits
    assert (listeners.url, listeners.port) == (f"http://unix:{path.resolve()}:/graphql", 0)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listeners.close()
    assert not path.exists()


def test_a_dead_servers_socket_is_replaced_and_a_living_ones_is_not(path: Path) -> None:
    config = FraiseQLConfig(unix_socket=str(path))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listeners = open_listeners(config)
    with pytest.raises(StartupError, match=r"the Unix socket .* is in use by another program"):
        open_listeners(config)
    path.unlink()
    other = open_listeners(config)
    listeners.close()
    assert path.exists(), "it belongs to the other one"
    other.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "where there is a file that is no socket"),
        ("nowhere/s", "there is no folder .*/nowhere"),
        ("s" * 200, "cannot listen on the Unix socket"),
    ],
)
def test_why_a_path_cannot_be_listened_on(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StartupError, match=message):
        open_listeners(FraiseQLConfig(unix_socket=str(tmp_path / name)))
    assert (tmp_path / "file").read_text() == "mine"


def test_where_to_listen_is_said_once() -> None:
    with pytest.raises(ConfigurationError, match="exclude each other"):
        open_listeners(FraiseQLConfig(unix_socket="s", inherit_sockets=True))


# Becomes a program with descriptors of its own as 3 and so on, and the environment that is given; `$$` is its process.
GIVER = """
import os, sys
program, environment, *descriptors = sys.argv[1:]
for target, fd in enumerate(descriptors, start=3):
    os.dup2(int(fd), target)
given = dict(pair.split("=") for pair in environment.replace("$$", str(os.getpid())).split())
os.execve(sys.executable, [sys.executable, "-W", "error", "-c", program], {**os.environ, **given})
"""


def inherit(sockets: list[socket.socket], environment: str) -> subprocess.Popen[str]:
    """Run INHERITOR with sockets as its descriptors 3 and so on, as systemd would."""
    descriptors = [fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD, 20) for sock in sockets]
    try:
        return subprocess.Popen(
            [sys.executable, "-c", GIVER, INHERITOR, environment, *map(str, descriptors)],
            pass_fds=descriptors,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        for fd in descriptors:
            os.close(fd)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an abstract namespace")
def test_an_inherited_socket_may_have_an_abstract_name() -> None:
    name = f"fraiseql-{os.getpid()}-{os.urandom(4).hex()}"
    given = socket.socket(socket.AF_UNIX)
    given.bind(f"\0{name}")
    with given, inherit([given], "LISTEN_FDS=1 LISTEN_PID=$$") as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"\0{name}")
            assert client.recv(5) == b"hello"
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")
    assert told == f"http://unix:@{name}:/graphql 0\n"


def test_inherited_sockets_are_listened_on(path: Path) -> None:
    by_port, by_path = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    by_path.bind(str(path))
    with by_port, by_path, inherit([by_port, by_path], "LISTEN_FDS=2 LISTEN_PID=$$") as process:
        assert process.stdout is not None
        port = by_port.getsockname()[1]
        assert process.stdout.readline() == f"http://127.0.0.1:{port}/graphql {port}\n"
        with socket.create_connection(("127.0.0.1", port)) as client, socket.socket(socket.AF_UNIX) as local:
            assert client.recv(5) == b"hello"
            local.connect(str(path))
            assert local.recv(5) == b"hello"
        _, errors = process.communicate(timeout=10)
        assert (process.returncode, errors) == (0, "")
    assert path.exists(), "it belongs to who made it"


@pytest.mark.parametrize(
    ("kind", "environment", "message"),
    [
        (None, "LISTEN_X=1", "inherit_sockets is set, but no sockets were given: there is no LISTEN_FDS"),
        (None, "LISTEN_FDS=1 LISTEN_PID=1", "were given to another process"),
        (None, "LISTEN_FDS=1 LISTEN_PID=$$", "cannot listen on the inherited descriptor 3: Bad file descriptor"),
        (socket.SOCK_DGRAM, "LISTEN_FDS=1 LISTEN_PID=$$", "descriptor 3: it is no stream socket"),
    ],
)
def test_sockets_that_are_not_given(kind: int | None, environment: str, message: str) -> None:
    sockets = [] if kind is None else [socket.socket(socket.AF_INET, kind)]
    with inherit(sockets, environment) as process:
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert errors.startswith("StartupError: ")
    assert message in errors
    for sock in sockets:
        sock.close()


def test_who_has_more_clients_gives_the_others_a_head_start() -> None:
    shares = Shares(3)
    shares.take(0)
    shares.join()
    assert shares.head_start == 0.0, "nobody else is there"
    shares.take(1)
    shares.count(1)
    shares.join()
    assert shares.head_start > 0
    shares.leave(0)
    assert shares.head_start == 0.0
    shares.take(2)
    shares.count(32)
    shares.take(1)
    shares.count(34)
    assert shares.head_start == 0.0, "some more are no matter"
    shares.count(35)
    assert shares.head_start > 0


def test_all_addresses_are_those_of_ipv4_too() -> None:
    listeners = open_listeners(FraiseQLConfig(host="::", port=0))
    try:
        for host in ("127.0.0.1", "::1"):
            with socket.create_connection((host, listeners.port), timeout=5):
                pass
    finally:
        listeners.close()

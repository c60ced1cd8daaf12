"""The sockets that a server listens on: of a name and a port, of a path, or given by whoever started the process."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable, Mapping
from typing import Final

from fraiseql.errors import ConfigurationError, StartupError
from fraiseql.runtimes.balancing import Shares
from fraiseql.runtimes.config import FraiseQLConfig

__all__ = ["Listeners", "open_listeners"]

_BACKLOG: Final = 1_024
_FIRST_INHERITED: Final = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)


class Listeners:
    """Listening sockets, non-blocking, and how to speak of them.

    Args:
        sockets: at least one; they belong to this object now.
        scheme: `http` or `https`.
        host: how a client names the server, where that is known better than by the socket's address.
        remove: called at the end, in the process that opened them.

    Attributes:
        sockets: to accept clients from; none any more once it is closed.
        addresses: the IP addresses and ports among them.
        port: the first of these; 0 where all are Unix sockets.
        url: where GraphQL is served. A Unix socket is written as nginx does: `http://unix:/run/app.sock:/graphql`;
            one that systemd gives may have an abstract name, `@app`.
        shares: of the processes that share them, where there are several.
    """

    def __init__(
        self,
        sockets: list[socket.socket],
        scheme: str = "http",
        host: str | None = None,
        remove: Callable[[], None] | None = None,
    ) -> None:
        self.sockets = sockets
        self.addresses: list[tuple[str, int]] = [
            sock.getsockname()[:2] for sock in sockets if sock.family != socket.AF_UNIX
        ]
        self.port = self.addresses[0][1] if self.addresses else 0
        self.url = _url_of(sockets[0], scheme, host)
        self.shares: Shares | None = None
        self._remove = remove
        self._owner = os.getpid()

    def count(self, clients: int) -> None:
        """Say how many clients this process has; to be called whenever that changes."""
        if self.shares is not None:
            self.shares.count(clients)

    @property
    def head_start(self) -> float:
        """Seconds for which to leave the next client to another process, 0 in most cases.

        Where it is more, do not accept before they are over, and then accept one whatever this says: see Shares. For
        the same reason one client is accepted each time that a socket becomes readable, not all that wait.
        """
        return 0.0 if self.shares is None else self.shares.head_start

    def close(self) -> None:
        """Close the sockets, and remove the file of a Unix socket; does nothing the second time."""
        sockets, self.sockets = self.sockets, []
        if sockets and self._remove is not None and os.getpid() == self._owner:
            self._remove()  # first: who finds the file must find somebody
        for sock in sockets:
            sock.close()


def open_listeners(config: FraiseQLConfig, environ: Mapping[str, str] = os.environ) -> Listeners:
    """Open all that the settings name.

    Args:
        config: of it `host` and `port`, or `unix_socket`, or `inherit_sockets`.
        environ: where whoever started the process says which sockets it gives.

    Raises:
        ConfigurationError: settings that exclude each other.
        StartupError: the port or the path is in use, or may not be used, or no sockets were given.
    """
    scheme = "http" if config.tls_certificate is None else "https"
    if config.inherit_sockets:
        if config.unix_socket is not None:
            raise ConfigurationError("inherit_sockets and unix_socket exclude each other: set one of them")
        return Listeners(_inherited(environ), scheme)
    if config.unix_socket is not None:
        path = os.path.abspath(config.unix_socket)
        listener = _open_unix(path, int(config.unix_socket_mode, 8))
        return Listeners([listener], scheme, remove=_remover_of(path))
    return Listeners(_open_all(config.host, config.port), scheme, config.host)


def _url_of(sock: socket.socket, scheme: str, host: str | None) -> str:
    address = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        name = os.fsdecode(address).replace("\0", "@", 1)  # of Linux's abstract namespace, unix(7)
        return f"{scheme}://unix:{name}:/graphql"
    host = address[0] if host is None else host
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{address[1]}/graphql"


# A name and a port


def _open_all(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a name, all on one port; 0 for a free one."""
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise StartupError(f"cannot listen on {host}: the name cannot be resolved") from error
    listeners: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((answer[0], answer[4]) for answer in answers):
            chosen = listeners[0].getsockname()[1] if listeners else port
            listeners.append(_bound(family, (address[0], chosen, *address[2:])))
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise StartupError(_why_no_port(host, port, error)) from error
    return listeners


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # those of the last run may still be in TIME_WAIT
        if family == socket.AF_INET6:  # `::` is every address, those of IPv4 too (RFC 3493 §5.3)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        sock.bind(address)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _why_no_port(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights than this process has"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"


# A path


def _open_unix(path: str, mode: int) -> socket.socket:
    try:
        _remove_dead(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.bind(path)
            os.chmod(path, mode)  # nobody can connect before it listens
            sock.listen(_BACKLOG)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise StartupError(_why_no_path(path, error)) from error
    return sock


def _remove_dead(path: str) -> None:
    """Remove the file that a server left which ended without removing it."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise StartupError(f"unix_socket is {path!r}, where there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        number = probe.connect_ex(path)
    if number == errno.ECONNREFUSED:
        os.unlink(path)
    elif number not in (errno.ENOENT,):  # it was removed just now
        raise StartupError(_why_no_path(path, OSError(errno.EADDRINUSE if number != errno.EACCES else number, "")))


def _why_no_path(path: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the Unix socket {path} is in use by another program"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"the Unix socket {path} needs more rights than this process has"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"cannot listen on the Unix socket {path}: there is no folder {os.path.dirname(path)}"
    return f"cannot listen on the Unix socket {path}: {error.strerror or error}"


def _remover_of(path: str) -> Callable[[], None]:
    """What removes the file that is at a path now, unless somebody puts another one in its place."""
    ours = os.lstat(path)

    def remove() -> None:
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            if (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino):
                os.unlink(path)

    return remove


# Given by whoever started the process: sd_listen_fds(3)


def _inherited(environ: Mapping[str, str]) -> list[socket.socket]:
    count, pid = environ.get("LISTEN_FDS", ""), environ.get("LISTEN_PID", "")
    if not count.isdecimal() or int(count) == 0:
        raise StartupError("inherit_sockets is set, but no sockets were given: there is no LISTEN_FDS")
    if pid != str(os.getpid()):
        raise StartupError("inherit_sockets is set, but the sockets were given to another process: see LISTEN_PID")
    listeners: list[socket.socket] = []
    try:
        for fd in range(_FIRST_INHERITED, _FIRST_INHERITED + int(count)):
            listeners.append(_adopted(fd))
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise StartupError(f"cannot listen on the inherited descriptor {fd}: {error.strerror or error}") from error
    return listeners


def _adopted(fd: int) -> socket.socket:
    sock = socket.socket(fileno=fd)
    try:
        if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            raise OSError(errno.ESOCKTNOSUPPORT, "it is no stream socket of IP or of this machine")
        sock.set_inheritable(False)
        sock.setblocking(False)
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock

"""A client's socket under asyncio and trio, without a buffer of our own: what was sent, the kernel has."""

from __future__ import annotations

import contextlib
import errno
import socket

import anyio

__all__ = ["ClientSocket", "accept"]

_CHUNK = 65_536  # bytes of one read: a request rarely has more than 4 KiB, a body up to a megabyte
_LINGER_CHUNKS = 1_024

# Those of a client that left before it was accepted, and those that pass when other descriptors are closed (accept(2)).
_GONE = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EINTR})
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXHAUSTED_PAUSE = 0.1


class ClientSocket:
    """One client's connection.

    Args:
        sock: connected and non-blocking; belongs to this object now.
    """

    __slots__ = ("_socket",)

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        with contextlib.suppress(OSError):  # not on a Unix socket
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def address(self) -> str | None:
        """The client's IP address; None where it has left, or is of this machine alone."""
        try:
            peer = self._socket.getpeername()
        except OSError:
            return None
        return peer[0] if isinstance(peer, tuple) else None

    async def receive(self) -> bytes:
        """Wait for bytes; none is the end, orderly or not. Cancelled, it has lost nothing."""
        while True:
            try:
                await anyio.wait_readable(self._socket)
                return self._socket.recv(_CHUNK)
            except (BlockingIOError, InterruptedError):
                continue
            except (anyio.ClosedResourceError, OSError):
                return b""

    def send_nowait(self, data: bytes) -> int:
        """Give the kernel what it takes at once; gives how many bytes that were, -1 where the client has left."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return -1

    async def send(self, data: bytes | memoryview, *, patience: float) -> bool:
        """Give all bytes to the kernel.

        Args:
            data: what to send.
            patience: seconds to wait while the client takes nothing at all.

        Returns:
            Whether that worked; if not, the client has left, or does not read.
        """
        rest = memoryview(data)
        while True:
            try:
                rest = rest[self._socket.send(rest) :]
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                return False
            if not rest:
                return True
            try:
                with anyio.move_on_after(patience) as scope:
                    await anyio.wait_writable(self._socket)
            except (anyio.ClosedResourceError, OSError):
                return False
            if scope.cancelled_caught:
                return False

    async def linger(self, patience: float) -> None:
        """Close our side and wait for the client to close its own (RFC 9112 §9.6).

        Closed at once, with bytes of the client unread, the kernel would reset the connection, and the client lose the
        answer that is still on its way.
        """
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            with anyio.move_on_after(patience):
                for _ in range(_LINGER_CHUNKS):
                    if not await self.receive():
                        return

    def close(self) -> None:
        """Close it; whoever waits for it is woken."""
        if self._socket.fileno() >= 0:
            anyio.notify_closing(self._socket)
            self._socket.close()


async def accept(listener: socket.socket) -> ClientSocket | None:
    """Wait for the next client; None when the listener was closed."""
    while True:
        try:
            await anyio.wait_readable(listener)
            sock, _ = listener.accept()
        except (BlockingIOError, InterruptedError):
            continue
        except (anyio.ClosedResourceError, ValueError):  # ValueError: it has no descriptor any more
            return None
        except OSError as error:
            if error.errno in _EXHAUSTED:
                await anyio.sleep(_EXHAUSTED_PAUSE)
            elif error.errno not in _GONE:
                return None
        else:
            sock.setblocking(False)
            return ClientSocket(sock)

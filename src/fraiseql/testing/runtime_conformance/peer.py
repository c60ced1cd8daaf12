"""A client of blocking sockets that holds what it receives against what it shall."""

from __future__ import annotations

import contextlib
import socket
import struct
import time

from fraiseql.testing.runtime_conformance.transcript import Mismatch, Transcript, fill_in

__all__ = ["Peer"]

_CHUNK = 262_144
_STANDSTILL = 0.3  # seconds in which nothing goes, where a server reads no more
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, without an orderly end


class Peer:
    """One connection to a server.

    Args:
        address: of the server.
        patience: seconds for anything that is waited for.
        values: what stood for `<cursor>` and the like last, with any client.
        buffer: bytes that the kernel takes in before they are read, if not the usual.
    """

    def __init__(
        self, address: tuple[str, int], patience: float, values: dict[bytes, bytes], buffer: int | None = None
    ) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self._patience = patience
        self._transcript = Transcript(values)
        self._ended = False
        if buffer is not None:  # before it connects, for it counts in the handshake
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(patience)
        self._socket.connect(address)

    def send(self, data: bytes) -> None:
        """Send all of it; one that the server has left sends in vain."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(fill_in(data, self._transcript.values))

    def send_bytewise(self, data: bytes) -> None:
        """Send each byte by itself."""
        for number in range(len(data)):
            self.send(data[number : number + 1])

    def flood(self, data: bytes, most: int) -> None:
        """Send it again and again until nothing more goes.

        Raises:
            Mismatch: more than `most` bytes have gone.
        """
        data, sent = data * (_CHUNK // len(data) + 1), 0
        self._socket.settimeout(_STANDSTILL)
        try:
            while sent <= most:
                sent += self._socket.send(data)
        except TimeoutError:
            return
        except ConnectionError:
            raise Mismatch("the server has ended the connection instead of reading no more") from None
        finally:
            self._socket.settimeout(self._patience)
        raise Mismatch(f"the server has been sent {sent:,} bytes, and still reads")

    def expect(self, data: bytes) -> None:
        """Read until all of it has come.

        Raises:
            Mismatch: something else came, or too little.
        """
        give_up = time.monotonic() + self._patience
        while not self._transcript.take(data):
            if self._ended or not self._receive(give_up):
                why = "the end" if self._ended else f"nothing more in {self._patience:g} s"
                raise Mismatch(f"expected {data[:300]!r}\n but came {self._transcript.rest[:300]!r}, and then {why}")

    def expect_end(self) -> None:
        """Read the end.

        Raises:
            Mismatch: bytes came, or a reset, or no end.
        """
        give_up = time.monotonic() + self._patience
        while not self._ended and not self._transcript.rest:
            if not self._receive(give_up, resets=False):
                raise Mismatch("expected the end of the connection, which is still open")
        self.check()

    def expect_cut(self) -> None:
        """Read until the end or a reset, whatever comes before.

        Raises:
            Mismatch: there is none.
        """
        give_up = time.monotonic() + self._patience
        while not self._ended:
            if not self._receive(give_up):
                raise Mismatch("expected the connection to be cut, which is still open")
        self._transcript.forget()

    def half_close(self) -> None:
        """Send the end, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()

    def check(self) -> None:
        """Look for bytes that nobody expected.

        Raises:
            Mismatch: there are some.
        """
        if self._socket.fileno() >= 0 and not self._ended:
            self._receive(0.0)
        if self._transcript.rest:
            raise Mismatch(f"expected nothing more, but came {self._transcript.rest[:300]!r}")

    def close(self) -> None:
        """End the connection, if it has not ended."""
        self._socket.close()

    def _receive(self, give_up: float, *, resets: bool = True) -> bool:
        """Wait for bytes, the end or a reset; False where none comes in time."""
        self._socket.settimeout(max(0.0, give_up - time.monotonic()))
        try:
            data = self._socket.recv(_CHUNK)
        except (TimeoutError, BlockingIOError):
            return False
        except ConnectionError:
            if not resets:
                raise Mismatch("expected the end of the connection, which was reset") from None
            data = b""
        finally:
            self._socket.settimeout(self._patience)
        self._ended = not data
        self._transcript.receive(data)
        return True

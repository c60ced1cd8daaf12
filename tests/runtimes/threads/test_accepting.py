"""What the thread that accepts clients does where accept(2) fails."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

import pytest

from fraiseql.observations import AcceptFailed, Observation
from fraiseql.runtimes.accepting import AcceptTrouble
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.listening import open_listeners
from fraiseql.runtimes.threads.accepting import Acceptor
from runtimes.threads.plainly import until


class Troubled:
    """A listening socket that meets errors first."""

    def __init__(self, listener: socket.socket, *numbers: int) -> None:
        self._listener = listener
        self._numbers = list(numbers)

    def fileno(self) -> int:
        return self._listener.fileno()

    def accept(self) -> Any:
        if self._numbers:
            raise OSError(self._numbers.pop(0), "trouble")
        return self._listener.accept()

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENETUNREACH, []),
        (errno.ENFILE, [AcceptFailed("Too many open files in system")]),
        (errno.EIO, [AcceptFailed("Input/output error")]),
    ],
)
def test_accepting_survives_passing_trouble(
    monkeypatch: pytest.MonkeyPatch, number: int, told: list[Observation]
) -> None:
    monkeypatch.setattr("fraiseql.runtimes.accepting._PAUSE", 0.001)
    seen: list[Observation] = []
    admitted: list[socket.socket] = []
    listeners = open_listeners(FraiseQLConfig(port=0))
    troubled: Any = Troubled(listeners.sockets[0], number, number)
    listeners.sockets[0] = troubled
    acceptor = Acceptor(listeners, lambda: True, admitted.append, AcceptTrouble(seen.append, time.monotonic))
    acceptor.start()
    try:
        with socket.create_connection(("127.0.0.1", listeners.port)):
            until(lambda: bool(admitted))
    finally:
        acceptor.stop()
        listeners.close()
        for sock in admitted:
            sock.close()
    assert seen == told  # once, not for each attempt

"""Messages on their way to the client of a WebSocket, which may not read them."""

from __future__ import annotations

from fraiseql.protocol.websocket import ServerConnection
from fraiseql.session.delivery import Unread
from fraiseql.session.events import Command, SendData

__all__ = ["Outgoing"]


class Outgoing:
    """Sends text messages, or holds them while the client does not read.

    Args:
        socket: frames them.
        unread: bounds what is held, together with the results that are kept.

    Attributes:
        paused: whether the client does not read.
        overflowed: whether there was no room for a message: the connection cannot go on.
        held_bytes: the size of what is held.
    """

    __slots__ = ("_closed", "_held", "_socket", "_unread", "held_bytes", "overflowed", "paused")

    def __init__(self, socket: ServerConnection, unread: Unread) -> None:
        self._socket = socket
        self._unread = unread
        self.overflowed = False
        self._held: list[bytes] = []
        self._closed = False
        self.paused = False
        self.held_bytes = 0

    def say(self, message: bytes, commands: list[Command]) -> None:
        """Send a message; an empty one is none, and nothing is sent after the end."""
        if not message or self._closed:
            return
        if self.paused:
            if not self._unread.add(len(message)):
                self.overflowed = True
                return
            self._held.append(message)
            self.held_bytes += len(message)
        else:
            commands.append(SendData(self._socket.send_text(message)))

    def resume(self, commands: list[Command]) -> None:
        """The client reads again: send what was held."""
        self.paused = False
        self._unread.remove(self.held_bytes)
        held, self._held, self.held_bytes = self._held, [], 0
        for message in held:
            self.say(message, commands)

    def end(self) -> None:
        """Forget what is held: a close frame follows."""
        self._closed = True
        self._held, self.held_bytes = [], 0

"""When to send a ping, and when its answer is overdue: finds peers that have gone without a word."""

from __future__ import annotations

from typing import Final

from fraiseql.limits import WebSocketLimits

__all__ = ["Heartbeat"]

_PAYLOADS: Final = 1 << 32  # pings are numbered, so that an answer to an earlier one is told apart


class Heartbeat:
    """The pings of one connection.

    A ping is due when no byte has come from the peer for `ping_interval`. Only its own pong answers it: what else
    arrives meanwhile may have waited in a buffer.

    Args:
        limits: `ping_interval` and `ping_timeout`; infinite ones switch it off.
        now: the time in seconds, of any steady clock.

    Attributes:
        deadline: when to call `deadline_reached`.
    """

    __slots__ = ("_awaited", "_interval", "_number", "_timeout", "deadline")

    def __init__(self, limits: WebSocketLimits, now: float) -> None:
        self._interval = limits.ping_interval
        self._timeout = limits.ping_timeout
        self._number = 0
        self._awaited: bytes | None = None
        self.deadline = now + self._interval

    def data_received(self, now: float) -> None:
        """Bytes came from the peer, whatever they are."""
        if self._awaited is None:
            self.deadline = now + self._interval

    def pong_received(self, payload: bytes, now: float) -> None:
        """A pong came; one that does not answer the latest ping is ignored (RFC 6455 §5.5.3)."""
        if payload == self._awaited:
            self._awaited = None
            self.deadline = now + self._interval

    def deadline_reached(self, now: float) -> bytes | None:
        """What to do at the deadline.

        Returns:
            The payload of the ping to send now; None where the answer to the last one is overdue: the peer is gone.
        """
        if self._awaited is not None:
            return None
        self._number = (self._number + 1) % _PAYLOADS
        self._awaited = self._number.to_bytes(4, "big")
        self.deadline = now + self._timeout
        return self._awaited

"""What the machine reads and writes: the messages of RFC 9112 as values.

Plain slots dataclasses, not frozen: a frozen one costs three times as much to make, and several are made for each
request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

__all__ = [
    "NEED_DATA",
    "PAUSED",
    "ConnectionClosed",
    "Data",
    "EndOfMessage",
    "Event",
    "Headers",
    "InformationalResponse",
    "Request",
    "Response",
    "Signal",
    "combine",
]

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Field lines in the order of the wire: lower-case name, value without the white space around it."""


class Signal(Enum):
    """Why `next_event()` has no event to give."""

    NEED_DATA = "NEED_DATA"
    PAUSED = "PAUSED"

    def __repr__(self) -> str:
        return self.name


NEED_DATA: Final = Signal.NEED_DATA
"""Nothing more can be read before the peer sends more bytes."""
PAUSED: Final = Signal.PAUSED
"""The bytes at hand are not for this exchange: a pipelined request, or another protocol after an upgrade."""


@dataclass(slots=True)
class Request:
    """A request's head.

    Attributes:
        method: as sent, case-sensitive.
        target: as sent: origin-form, absolute-form or `*`.
        headers: the field lines; names in lower case.
        http_version: `b"1.1"` or `b"1.0"`; a later minor version is read as 1.1 (RFC 9110 §2.5).
    """

    method: bytes
    target: bytes
    headers: Headers
    http_version: bytes = b"1.1"
    _fields: dict[bytes, bytes] | None = field(default=None, repr=False, compare=False)

    def get(self, name: bytes) -> bytes | None:
        """The value of a field, or None; several lines are joined with `, ` (RFC 9110 §5.2).

        The machine has already refused repeated lines of the fields that hold one value only, such as Content-Type.

        Args:
            name: in lower case.
        """
        fields = self._fields
        if fields is None:
            fields = self._fields = combine(self.headers)
        return fields.get(name)

    def get_all(self, name: bytes) -> list[bytes]:
        """The values of all lines of a field, in their order.

        Args:
            name: in lower case.
        """
        return [value for key, value in self.headers if key == name]

    @property
    def authority(self) -> bytes | None:
        """Host and port that the request is for: the target's, else Host (RFC 9112 §3.2.2); None only in HTTP/1.0."""
        scheme, separator, rest = self.target.partition(b"://")
        if separator and not scheme.startswith(b"/"):
            return rest.partition(b"?")[0].partition(b"/")[0]
        return self.get(b"host")

    @property
    def path(self) -> bytes:
        """The target's path, still percent-encoded: `b"/"` where an absolute-form has none, `b"*"` for `OPTIONS *`."""
        target = self.target.partition(b"?")[0]
        if target.startswith(b"/") or target == b"*":
            return target
        return b"/" + target.partition(b"://")[2].partition(b"/")[2]

    @property
    def query(self) -> bytes:
        """What follows the target's first `?`, still percent-encoded; empty where there is none."""
        return self.target.partition(b"?")[2]


@dataclass(slots=True)
class InformationalResponse:
    """An interim answer, 1xx except 101; never sent to an HTTP/1.0 client."""

    status: int
    headers: Headers = ()
    reason: bytes = b""


@dataclass(slots=True)
class Response:
    """The head of the final answer; 101 hands the connection over to another protocol.

    Attributes:
        status: 200 to 599, or 101.
        headers: the machine adds what frames the body and what says whether the connection stays.
        reason: the standard phrase where it is empty.
    """

    status: int
    headers: Headers = ()
    reason: bytes = b""


@dataclass(slots=True)
class Data:
    """Some bytes of a body; how they are cut means nothing."""

    data: bytes


@dataclass(slots=True)
class EndOfMessage:
    """The end of a message, with the trailer fields of a chunked body, which are never merged into the headers."""

    trailers: Headers = ()


@dataclass(slots=True)
class ConnectionClosed:
    """The peer sends nothing more. It may still read."""


Event: TypeAlias = Request | Data | EndOfMessage | ConnectionClosed
"""What `next_event()` of the server role gives."""


def combine(headers: Headers) -> dict[bytes, bytes]:
    """Each field's value; several lines of one name are joined with `, ` (RFC 9110 §5.2)."""
    fields = dict(headers)
    if len(fields) == len(headers):
        return fields
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    return {name: b", ".join(values) for name, values in lines.items()}

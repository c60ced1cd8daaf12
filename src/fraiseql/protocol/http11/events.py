"""What the machine reads and writes: the messages of RFC 9112 as values.

Plain slots classes, not frozen: a frozen dataclass costs three times as much to make, and several are made for each
request. Only EndOfMessage is frozen, since most bodies end with the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final, TypeAlias

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
    "ResponseEvent",
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


class _Message:
    """What the heads have in common: their fields, and that they are values."""

    __slots__ = ("_fields", "_headers")
    __match_args__: ClassVar[tuple[str, ...]]
    __hash__ = None  # type: ignore[assignment]

    _headers: Headers | None
    _fields: dict[bytes, bytes] | None

    def __init__(self, headers: Headers | dict[bytes, bytes]) -> None:
        # One makes the other, as soon as it is asked for: a dict has the order of the wire too.
        if isinstance(headers, dict):
            self._headers, self._fields = None, headers
        else:
            self._headers, self._fields = headers, None

    @property
    def headers(self) -> Headers:
        """The field lines; names in lower case where they were received."""
        if self._headers is None:
            assert self._fields is not None
            self._headers = tuple(self._fields.items())
        return self._headers

    def get(self, name: bytes) -> bytes | None:
        """The value of a field, or None; several lines are joined with `, ` (RFC 9110 §5.2).

        The machine has already refused repeated lines of the fields that hold one value only, such as Content-Type.
        The lines of Set-Cookie cannot be joined: use `get_all`.

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

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__match_args__)

    def __repr__(self) -> str:
        parts = [f"{name}={getattr(self, name)!r}" for name in self.__match_args__]
        return f"{type(self).__name__}({', '.join(parts)})"


class Request(_Message):
    """A request's head.

    Args:
        method: as sent, case-sensitive.
        target: as sent: origin-form, absolute-form or `*`.
        headers: the field lines, names in lower case; or, where no name is repeated, a dict of them, which is kept.
        http_version: `b"1.1"` or `b"1.0"`; a later minor version is read as 1.1 (RFC 9110 §2.5).
    """

    __slots__ = ("http_version", "method", "target")
    __match_args__ = ("method", "target", "headers", "http_version")

    def __init__(
        self, method: bytes, target: bytes, headers: Headers | dict[bytes, bytes], http_version: bytes = b"1.1"
    ) -> None:
        self.method = method
        self.target = target
        self.http_version = http_version
        if isinstance(headers, dict):  # as in the base class, whose call costs as much as all of this
            self._headers, self._fields = None, headers
        else:
            self._headers, self._fields = headers, None

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


class InformationalResponse(_Message):
    """An interim answer, 1xx except 101; never sent to an HTTP/1.0 client."""

    __slots__ = ("reason", "status")
    __match_args__ = ("status", "headers", "reason")

    def __init__(self, status: int, headers: Headers | dict[bytes, bytes] = (), reason: bytes = b"") -> None:
        super().__init__(headers)
        self.status = status
        self.reason = reason


class Response(_Message):
    """The head of the final answer; 101 hands the connection over to another protocol.

    Args:
        status: 200 to 599, or 101.
        headers: to be sent: the machine adds what frames the body and what says whether the connection stays.
        reason: to be sent: the standard phrase where it is empty.
    """

    __slots__ = ("reason", "status")
    __match_args__ = ("status", "headers", "reason")

    def __init__(self, status: int, headers: Headers | dict[bytes, bytes] = (), reason: bytes = b"") -> None:
        super().__init__(headers)
        self.status = status
        self.reason = reason


@dataclass(slots=True)
class Data:
    """Some bytes of a body; how they are cut means nothing."""

    data: bytes


@dataclass(frozen=True, slots=True)
class EndOfMessage:
    """The end of a message, with the trailer fields of a chunked body, which are never merged into the headers."""

    trailers: Headers = ()


@dataclass(slots=True)
class ConnectionClosed:
    """The peer sends nothing more. It may still read."""


Event: TypeAlias = Request | Data | EndOfMessage | ConnectionClosed
"""What `next_event()` of the server role gives."""

ResponseEvent: TypeAlias = InformationalResponse | Response | Data | EndOfMessage | ConnectionClosed
"""What `next_event()` of the client role gives."""


def combine(headers: Headers) -> dict[bytes, bytes]:
    """Each field's value; several lines of one name are joined with `, ` (RFC 9110 §5.2)."""
    fields = dict(headers)
    if len(fields) == len(headers):
        return fields
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    return {name: b", ".join(values) for name, values in lines.items()}

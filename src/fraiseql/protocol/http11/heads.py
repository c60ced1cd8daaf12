"""Encodes heads, and refuses what could not be read back as the same message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.http11.events import Headers, InformationalResponse, Response
from fraiseql.protocol.http11.grammar import FIELD_VALUE, TARGET, TOKEN
from fraiseql.protocol.http11.semantics import MAX_LENGTH_DIGITS, options, protocols
from fraiseql.protocol.http11.target import check_target, target_authority, valid_host

__all__ = [
    "CheckedFields",
    "check_fields",
    "final_head",
    "interim_head",
    "request_head",
    "switching_head",
]

_MAX_CACHED: Final = 128  # most servers use a handful of header sets

_SPECIAL: Final = frozenset((b"content-length", b"transfer-encoding", b"date", b"upgrade", b"host", b"expect", b"te"))

_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}


def _status_line(status: int, reason: bytes) -> bytes:
    """RFC 9112 §4; the version is ours, whatever the peer's is (RFC 9110 §6.2)."""
    if not reason:
        known = _STATUS_LINES.get(status)
        if known is not None:
            return known
    elif FIELD_VALUE.fullmatch(reason) is None:
        raise LocalProtocolError("the reason holds a control character, or white space around it")
    return b"HTTP/1.1 %d %s\r\n" % (status, reason)


@lru_cache(maxsize=4)
def _date_line(date: bytes) -> bytes:
    """The Date field (RFC 9110 §6.6.1); one value serves for a second."""
    if not date or FIELD_VALUE.fullmatch(date) is None:
        raise LocalProtocolError("bad Date")
    return b"date: %b\r\n" % date


@dataclass(slots=True)
class CheckedFields:
    """Fields that are safe to send: a value, never changed.

    Attributes:
        block: their lines, Connection and Transfer-Encoding apart.
        length: the value of Content-Length.
        is_chunked: whether Transfer-Encoding said so.
        has_date: whether there is a Date.
        close: whether Connection said so.
        options: what else Connection said, except keep-alive, which is for the machine to say.
        upgrade: the value of Upgrade, in lower case.
        host: the value of Host.
        expects_continue: whether Expect says so.
        headers: the fields that were checked.
    """

    block: bytes
    length: int | None
    is_chunked: bool
    has_date: bool
    close: bool
    options: tuple[bytes, ...]
    upgrade: bytes | None
    host: bytes | None
    expects_continue: bool
    headers: Headers


def check_fields(headers: Headers) -> CheckedFields:
    """Check and encode fields.

    Args:
        headers: pairs of name and value; a list of them will do.

    Raises:
        LocalProtocolError: a name or value would split the message or is not in the grammar (RFC 9110 §5), or the
            fields that frame the body are repeated, malformed or contradict each other (RFC 9112 §6).
    """
    try:
        return _check_fields(headers)
    except (TypeError, ValueError):  # a list has no hash
        pass
    try:
        return _check_fields(tuple([(name, value) for name, value in headers]))
    except (TypeError, ValueError):
        raise LocalProtocolError("the fields are not pairs of a name and a value in bytes") from None


@lru_cache(maxsize=_MAX_CACHED)
def _check_fields(headers: Headers) -> CheckedFields:
    lines: list[bytes] = []
    special: dict[bytes, bytes] = {}
    said: list[bytes] = []
    for name, value in headers:
        if TOKEN.fullmatch(name) is None:
            raise LocalProtocolError(f"not a field name: {name!r}")
        if FIELD_VALUE.fullmatch(value) is None:
            raise LocalProtocolError(f"the value of {name!r} holds a control character, or white space around it")
        key = name.lower()
        if key == b"connection":
            said += _listed(options, value)
            continue
        if key in _SPECIAL:
            if key in special:
                raise LocalProtocolError(f"more than one {key.decode('ascii')}")
            special[key] = value
        if key != b"transfer-encoding":
            lines += (name, b": ", value, b"\r\n")
    length, coding = special.get(b"content-length"), special.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or length is not None):
        raise LocalProtocolError("Transfer-Encoding can only be chunked, and not go with Content-Length")
    if length is not None and (not length.isdigit() or len(length) > MAX_LENGTH_DIGITS):
        raise LocalProtocolError("bad Content-Length")
    upgrade = special.get(b"upgrade")
    if b"te" in special:
        said.append(b"te")  # RFC 9110 §10.1.4
    if upgrade is not None:
        _listed(protocols, upgrade)
    return CheckedFields(
        block=b"".join(lines),
        length=None if length is None else int(length),
        is_chunked=coding is not None,
        has_date=b"date" in special,
        close=b"close" in said,
        options=tuple([option for option in dict.fromkeys(said) if option not in (b"close", b"keep-alive")]),
        upgrade=None if upgrade is None else upgrade.lower(),
        host=special.get(b"host"),
        expects_continue=special.get(b"expect", b"").lower() == b"100-continue",
        headers=headers,
    )


def _listed(parse: Callable[[bytes], tuple[bytes, ...]], value: bytes) -> tuple[bytes, ...]:
    try:
        return parse(value)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from None


def request_head(method: bytes, target: bytes, fields: CheckedFields, framing: bytes) -> bytes:
    """The head of a request; `framing` is the line that says how its body is framed."""
    if TOKEN.fullmatch(method) is None or TARGET.fullmatch(target) is None:
        raise LocalProtocolError("the method or the target has a character that cannot stand there")
    try:
        check_target(method, target)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from None
    if fields.host is None or not valid_host(fields.host):
        raise LocalProtocolError("no Host, or a bad one")  # RFC 9112 §3.2
    authority = target_authority(target)
    if authority is not None and authority.lower() != fields.host.lower():
        raise LocalProtocolError("Host is not the authority of the target")  # RFC 9112 §3.2
    connection = _connection_line(fields, not fields.close, True)
    return b"".join((method, b" ", target, b" HTTP/1.1\r\n", fields.block, framing, connection, b"\r\n"))


def final_head(
    status: int,
    reason: bytes,
    fields: CheckedFields,
    *,
    framing: bytes,
    keep_alive: bool,
    is_http11: bool,
    date: bytes | None,
) -> bytes:
    """The head of a final answer; `framing` is the line that says how its body is framed."""
    connection = _connection_line(fields, keep_alive, is_http11)
    dated = b"" if date is None else _date_line(date)  # a bad one is refused in any case
    if fields.has_date:
        dated = b""
    return b"".join((_status_line(status, reason), fields.block, framing, dated, connection, b"\r\n"))


def interim_head(event: InformationalResponse) -> bytes:
    """The head of an interim answer (RFC 9110 §15.2)."""
    if not 100 <= event.status <= 199 or event.status == 101:
        raise LocalProtocolError(f"{event.status} is not the status of an informational response")
    fields = check_fields(event.headers)
    if fields.length is not None or fields.is_chunked or fields.close or fields.options:
        raise LocalProtocolError("an informational response frames no body and has no connection options")
    if fields.upgrade is not None:  # RFC 9110 §7.8: it goes with a connection option
        raise LocalProtocolError("only 101 and final answers say Upgrade")
    return b"".join((_status_line(event.status, event.reason), fields.block, b"\r\n"))


def switching_head(event: Response, offers: tuple[bytes, ...], date: bytes | None) -> bytes:
    """The head of 101, for one of the protocols that the client offered (RFC 9110 §7.8)."""
    fields = check_fields(event.headers)
    if fields.upgrade not in offers:
        raise LocalProtocolError("the client did not offer this protocol")
    if fields.length is not None or fields.is_chunked or fields.close:
        raise LocalProtocolError("a change of protocol frames no body and closes nothing")
    return final_head(101, event.reason, fields, framing=b"", keep_alive=True, is_http11=True, date=date)


def _connection_line(fields: CheckedFields, keep_alive: bool, is_http11: bool) -> bytes:
    """The Connection field, or nothing where it would say what is understood (RFC 9110 §7.6.1, RFC 9112 §9.3)."""
    if keep_alive and is_http11 and fields.upgrade is None and not fields.options:
        return b""
    options = list(fields.options)
    if fields.upgrade is not None and b"upgrade" not in options:
        options.append(b"upgrade")  # RFC 9110 §7.8
    if not keep_alive:
        options.append(b"close")
    elif not is_http11:
        options.append(b"keep-alive")  # RFC 9112 App. C.2.2
    return b"connection: %b\r\n" % b", ".join(options) if options else b""

"""The opening handshake (RFC 6455 §4): one HTTP request and its answer, for both roles."""

from __future__ import annotations

import binascii
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.http11 import Headers, Request, Response
from fraiseql.protocol.http11.grammar import TOKEN
from fraiseql.protocol.websocket.deflate import Deflate
from fraiseql.protocol.websocket.extensions import agree, check_answer, offer, read_extensions

__all__ = ["ClientHandshake", "Handshake", "HandshakeRefused", "Origins", "accept"]

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_VERSION: Final = b"13"
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")  # 16 bytes in base64
_NONCE_SIZE: Final = 16
_DEFAULT_PORTS: Final = {b"http": b":80", b"https": b":443"}
_BAD_GATEWAY: Final = 502
_EVERY_PAGE: Final = "*"

_KEY_FIELD: Final = b"sec-websocket-key"
_VERSION_FIELD: Final = b"sec-websocket-version"
_ACCEPT_FIELD: Final = b"sec-websocket-accept"
_PROTOCOL_FIELD: Final = b"sec-websocket-protocol"
_EXTENSIONS_FIELD: Final = b"sec-websocket-extensions"
_UPGRADE: Final[Headers] = ((b"upgrade", b"websocket"), (b"connection", b"Upgrade"))


class HandshakeRefused(RemoteProtocolError):
    """The request or the answer opens no WebSocket.

    Args:
        message: why, safe to show to the peer.
        status: what a server answers: 400, 403 or 426. 502 in the client role, where there is nobody to answer.
        headers: fields of that answer.
    """

    def __init__(self, message: str, *, status: int = 400, headers: Headers = ()) -> None:
        super().__init__(message, status=status)
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Origins:
    """From which pages a browser may connect (RFC 6455 §10.2). CORS does not cover WebSockets.

    Args:
        allowed: origins as browsers send them: `https://example.org`, `http://localhost:3000`; `*` is every page.
        same_host: whether the pages of the very host and port that is asked may, too. The scheme is not compared: it
            is not known behind a proxy that ends TLS.
        absent: whether a request without Origin may: browsers always send one, other clients hardly ever.

    Raises:
        LocalProtocolError: one string where several are expected.
    """

    allowed: Collection[str] = ()
    same_host: bool = field(default=True, kw_only=True)
    absent: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.allowed, str):
            raise LocalProtocolError("allowed is a collection of origins, not one")

    @classmethod
    def any(cls) -> Origins:
        """Every page: only where nothing is said to a browser because of its cookies or its network."""
        return cls((_EVERY_PAGE,))

    def allow(self, origin: bytes | None, authority: bytes | None) -> bool:
        """Whether a request may go on.

        Args:
            origin: its Origin, None where it has none.
            authority: the host and port that it asks.
        """
        if _EVERY_PAGE in self.allowed:
            return True
        if origin is None:
            return self.absent
        origin = origin.lower()
        if origin in [allowed.lower().encode("utf-8", "surrogatepass") for allowed in self.allowed]:
            return True
        scheme, _, host = origin.partition(b"://")
        if not self.same_host or not host or authority is None:
            return False
        # Either may name the port that the scheme has anyway (RFC 6454 §4).
        port = _DEFAULT_PORTS.get(scheme, b"")
        return host.removesuffix(port) == authority.lower().removesuffix(port)


_SAME_HOST: Final = Origins()


@dataclass(frozen=True, slots=True)
class Handshake:
    """What was agreed.

    Attributes:
        response: the answer, for `fraiseql.protocol.http11.ServerConnection.send`.
        subprotocol: the one that both sides know; None where there is none.
        deflate: how messages are deflated; None where they are not.
    """

    response: Response
    subprotocol: bytes | None
    deflate: Deflate | None


def accept(
    request: Request,
    *,
    subprotocols: Sequence[bytes] = (),
    origins: Origins = _SAME_HOST,
    deflate: Deflate | None = None,
) -> Handshake:
    """Answer the request for a WebSocket (RFC 6455 §4.2).

    Args:
        request: the whole head; no byte of a body.
        subprotocols: those that the server speaks, the best first. Where the client offers none of them, the
            connection opens without one.
        origins: from which pages browsers may connect; by default from those of the same host.
        deflate: how to deflate messages, if the client offers to; not at all by default.

    Raises:
        HandshakeRefused: the answer is its status with its headers.
    """
    key = _check_request(request)
    origin = request.get_all(b"origin")
    if len(origin) > 1:
        raise HandshakeRefused("more than one origin")  # RFC 6454 §7.3
    if not origins.allow(origin[0] if origin else None, request.authority):
        raise HandshakeRefused("this origin may not connect", status=403)  # RFC 6455 §10.2
    offered = _tokens(request.get(_PROTOCOL_FIELD), "bad Sec-WebSocket-Protocol")
    subprotocol = next((name for name in subprotocols if name in offered), None)
    headers = [*_UPGRADE, (_ACCEPT_FIELD, _answer_to(key))]
    if subprotocol is not None:
        headers.append((b"Sec-WebSocket-Protocol", subprotocol))  # spelled so: PyPI's gql looks for nothing else
    agreed = _agree(request, deflate)
    if agreed is not None:
        headers.append((_EXTENSIONS_FIELD, agreed[0]))
    return Handshake(Response(101, tuple(headers)), subprotocol, None if agreed is None else agreed[1])


def _check_request(request: Request) -> bytes:
    """The key of a request that asks for a WebSocket (RFC 6455 §4.2.1)."""
    if request.method != b"GET" or request.http_version != b"1.1":
        raise HandshakeRefused("not a GET of HTTP/1.1")
    if not request.get_all(b"host"):
        raise HandshakeRefused("no Host")
    if not _lists(request, b"upgrade", b"websocket") or not _lists(request, b"connection", b"upgrade"):
        raise HandshakeRefused("not a request for a WebSocket")
    if request.get(b"transfer-encoding") is not None or request.get(b"content-length") not in (None, b"0"):
        raise HandshakeRefused("a WebSocket handshake has no body")
    if request.get_all(_VERSION_FIELD) != [_VERSION]:  # RFC 6455 §4.2.2, §4.4
        raise HandshakeRefused("only version 13 is spoken here", status=426, headers=((_VERSION_FIELD, _VERSION),))
    keys = request.get_all(_KEY_FIELD)
    if len(keys) != 1 or _KEY.fullmatch(keys[0]) is None:
        raise HandshakeRefused("not one Sec-WebSocket-Key of 16 bytes")
    return keys[0]


def _agree(request: Request, deflate: Deflate | None) -> tuple[bytes, Deflate] | None:
    value = request.get(_EXTENSIONS_FIELD)
    if value is None:
        return None
    try:
        offers = read_extensions(value)  # RFC 6455 §9.1: a bad list fails the handshake, whatever we speak
    except RemoteProtocolError as error:
        raise HandshakeRefused(str(error)) from None
    return None if deflate is None else agree(offers, deflate)


def _lists(message: Request | Response, name: bytes, wanted: bytes) -> bool:
    """Whether the list in a field holds a token, in whatever case."""
    value = message.get(name)
    return value is not None and wanted in [element.strip(b" \t") for element in value.lower().split(b",")]


def _tokens(value: bytes | None, fault: str) -> list[bytes]:
    """The tokens of a list; raises HandshakeRefused for what is none."""
    if value is None:
        return []
    found = [token for element in value.split(b",") if (token := element.strip(b" \t"))]
    if not all(map(TOKEN.fullmatch, found)):
        raise HandshakeRefused(fault)
    return found


def _answer_to(key: bytes) -> bytes:
    """RFC 6455 §4.2.2: shows that the server speaks WebSocket; it secures nothing."""
    import hashlib  # OpenSSL's, half a megabyte: not before it is needed

    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False)


class ClientHandshake:
    """The client's side: what it asks, and the check of the answer (RFC 6455 §4.1).

    Args:
        host: the value of Host.
        target: the path and query.
        nonce: 16 bytes, new for each connection.
        subprotocols: those that the client speaks, the best first.
        deflate: how to deflate messages, if the server agrees; not offered by default.
        headers: further fields, such as Origin or Authorization.

    Attributes:
        request: for `fraiseql.protocol.http11.ClientConnection.send`.

    Raises:
        LocalProtocolError: the nonce has another length.
    """

    __slots__ = ("_accept", "_deflate", "_subprotocols", "request")

    def __init__(
        self,
        host: bytes,
        target: bytes,
        nonce: bytes,
        *,
        subprotocols: Sequence[bytes] = (),
        deflate: Deflate | None = None,
        headers: Headers = (),
    ) -> None:
        if len(nonce) != _NONCE_SIZE:
            raise LocalProtocolError("a nonce has 16 bytes")
        key = binascii.b2a_base64(nonce, newline=False)
        self._accept = _answer_to(key)
        self._subprotocols = tuple(subprotocols)
        self._deflate = deflate
        fields = [(b"host", host), *_UPGRADE, (_VERSION_FIELD, _VERSION), (_KEY_FIELD, key)]
        if subprotocols:
            fields.append((_PROTOCOL_FIELD, b", ".join(subprotocols)))
        if deflate is not None:
            fields.append((_EXTENSIONS_FIELD, offer(deflate)))
        self.request = Request(b"GET", target, (*fields, *headers))

    def check(self, response: Response) -> Handshake:
        """What the server has agreed to.

        Raises:
            HandshakeRefused: it has not, or to something that was not offered; close the connection.
        """
        if response.status != 101:
            raise HandshakeRefused(f"the server answered {response.status}", status=_BAD_GATEWAY)
        if not _lists(response, b"upgrade", b"websocket") or not _lists(response, b"connection", b"upgrade"):
            raise HandshakeRefused("the server changed to another protocol", status=_BAD_GATEWAY)
        if response.get_all(_ACCEPT_FIELD) != [self._accept]:
            raise HandshakeRefused("the server did not answer this key", status=_BAD_GATEWAY)
        chosen = response.get_all(_PROTOCOL_FIELD)
        if len(chosen) > 1 or not set(chosen) <= set(self._subprotocols):
            raise HandshakeRefused("a subprotocol that was not offered", status=_BAD_GATEWAY)
        try:
            extensions = read_extensions(response.get(_EXTENSIONS_FIELD) or b"")
            deflate = check_answer(extensions, self._deflate)
        except RemoteProtocolError as error:
            raise HandshakeRefused(str(error), status=_BAD_GATEWAY) from None
        return Handshake(response, chosen[0] if chosen else None, deflate)

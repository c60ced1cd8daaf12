"""TLS without I/O: a channel over memory, and a session that puts it between a client and another session."""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

from fraiseql.errors import ConfigurationError
from fraiseql.observations import Observer, TlsFailed
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.driving import Session
from fraiseql.session import (
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    SendData,
    SessionEvent,
)

__all__ = ["TlsChannel", "TlsSession", "make_tls_context", "tls_context_of"]

_CHUNK: Final = 65_536  # bytes of one read; a record has up to 16 KiB (RFC 8446 §5.1)


def tls_context_of(config: FraiseQLConfig) -> ssl.SSLContext | None:
    """The context that the settings name, or None where the server speaks plain HTTP; raises ConfigurationError."""
    if config.tls_certificate is not None:
        return make_tls_context(config.tls_certificate, config.tls_key, config.tls_key_password)
    for name in ("tls_key", "tls_key_password"):
        if getattr(config, name) is not None:
            raise ConfigurationError(f"{name} is set, but tls_certificate is not")
    return None


def make_tls_context(certificate: str, key: str | None = None, password: str | None = None) -> ssl.SSLContext:
    """A server's context: TLS 1.2 or newer, HTTP/1.1 by ALPN (RFC 7301).

    Args:
        certificate: the path of a PEM file: the server's certificate, followed by those that it depends on.
        key: the path of a PEM file with the private key; by default it is in the certificate's.
        password: of an encrypted key.

    Raises:
        ConfigurationError: a file cannot be read or is none of that kind, the key is another certificate's, or the
            password does not open it; the message names the setting and the file, and shows nothing of what is in it.
    """
    _check_readable("tls_certificate", certificate)
    if key is not None:
        _check_readable("tls_key", key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # TLS 1.2: a client could have us negotiate without end
    context.set_alpn_protocols(["http/1.1"])
    asked = False

    def give_password() -> str:  # without it, OpenSSL would ask at the terminal
        nonlocal asked
        asked = True
        return password or ""

    try:
        context.load_cert_chain(certificate, key, give_password)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(_why_no_pair(certificate, key, password, error, asked)) from None
    return context


def _check_readable(setting: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ConfigurationError(f"{setting} is {path!r}, which cannot be read: {error.strerror}") from None


def _why_no_pair(certificate: str, key: str | None, password: str | None, error: Exception, asked: bool) -> str:
    setting, path = ("tls_certificate", certificate) if key is None else ("tls_key", key)
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"{setting} is {path!r}, whose private key is not that of the certificate in {certificate!r}"
    if isinstance(error, ssl.SSLError) and error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return f"tls_certificate is {certificate!r}, which is too weak for this machine's OpenSSL"
    if isinstance(error, ssl.SSLError) and error.reason == "NO_CERTIFICATE_ASSIGNED":
        return f"{setting} is {path!r}, whose private key is of another kind than the certificate in {certificate!r}"
    if asked and password is None:
        return f"{setting} is {path!r}, where the private key is encrypted: set tls_key_password"
    if asked:
        return f"tls_key_password does not open the private key in {path!r}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    except ssl.SSLError:
        return f"tls_certificate is {certificate!r}, which holds no certificate in PEM format"
    return f"{setting} is {path!r}, which holds no private key in PEM format"


class TlsChannel:
    """The server's side of one TLS connection: ciphertext in, plaintext out, and the other way round.

    Args:
        context: as `make_tls_context` gives.

    Attributes:
        is_open: the handshake is done.
        at_end: the client has said that it sends nothing more (close_notify, RFC 8446 §6.1).
        failure: why nothing can be received or sent any more; None in most cases.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "at_end", "failure", "is_open")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_open = False
        self.at_end = False
        self.failure: str | None = None

    def receive_data(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes from the client.

        Returns:
            What the client said, and what is to be sent to it; either may be empty. After a failure the latter is an
            alert, after which to close.
        """
        said: list[bytes] = []
        if self.failure is None and not self.at_end:
            self._incoming.write(data)
            try:
                self._receive(said)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLZeroReturnError:
                self.at_end = True
            except ssl.SSLError as error:
                self.failure = (error.reason or "unknown error").lower().replace("_", " ")
        return b"".join(said), self._outgoing.read()

    def _receive(self, said: list[bytes]) -> None:
        if not self.is_open:
            self._tls.do_handshake()
            self.is_open = True
        while data := self._tls.read(_CHUNK):
            said.append(data)
        self.at_end = True

    def send(self, data: bytes) -> bytes:
        """What to send, so that the client gets these bytes; only while the channel is open."""
        if data:
            self._tls.write(data)
        return self._outgoing.read()

    def close(self) -> bytes:
        """What to send before the connection is closed, so that the client knows that it has got all."""
        if not self.is_open or self.failure is not None:
            return b""
        with contextlib.suppress(ssl.SSLError):  # the client has not closed its side, for which nobody has to wait
            self._tls.unwrap()
        return self._outgoing.read()


class TlsSession:
    """Serves one client over TLS: what is between the bytes of the connection and a session that knows nothing of it.

    The session is told ConnectionMade once the handshake is done. A client that leaves without a close_notify has
    left: HTTP says itself where its messages end.

    Args:
        session: serves the client.
        context: as `make_tls_context` gives.
        connection_id: for observations.
        timeout: seconds for the handshake.
        observe: is told of what fails.
    """

    __slots__ = ("_begun", "_channel", "_closed", "_connection_id", "_observe", "_session", "_timeout", "_until")

    def __init__(
        self, session: Session, context: ssl.SSLContext, connection_id: str, timeout: float, observe: Observer
    ) -> None:
        self._session = session
        self._channel = TlsChannel(context)
        self._connection_id = connection_id
        self._timeout = timeout
        self._observe = observe
        self._until: float | None = None
        self._begun = False  # the client has sent something
        self._closed = False

    @property
    def deadline(self) -> float | None:
        """When to deliver DeadlineReached, in the seconds of `now`; None where nothing is waited for."""
        return self._session.deadline if self._channel.is_open else self._until

    @property
    def wants_data(self) -> bool:
        """Whether to read from the client now."""
        return not self._closed and (not self._channel.is_open or self._session.wants_data)

    @property
    def lasts(self) -> bool:
        """Whether the client means to stay: it has a WebSocket."""
        return self._session.lasts

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order; see ClientSession."""
        if self._closed:
            return []
        commands: list[Command] = []
        if isinstance(event, DataReceived):
            self._received(event.data, now, date, commands)
        elif self._channel.is_open:
            self._pass_on(event, now, date, commands)
        else:
            self._before(event, now, commands)
        return commands

    def _before(self, event: SessionEvent, now: float, commands: list[Command]) -> None:
        """Whatever happens before the handshake is done."""
        match event:
            case ConnectionMade():
                self._until = now + self._timeout
            case DrainRequested():
                self._close(commands)
            case EofReceived():
                if self._begun:  # who only looked whether somebody listens is no trouble
                    self._observe(TlsFailed(self._connection_id, "the client left during the handshake"))
                self._close(commands)
            case DeadlineReached() if self._until is not None and now >= self._until:
                self._observe(TlsFailed(self._connection_id, "the handshake took too long"))
                self._close(commands)

    def _received(self, data: bytes, now: float, date: bytes, commands: list[Command]) -> None:
        channel = self._channel
        was_open, was_at_end, self._begun = channel.is_open, channel.at_end, True
        said, answer = channel.receive_data(data)
        if answer:
            commands.append(SendData(answer))
        if channel.is_open and not was_open:
            self._until = None
            self._pass_on(ConnectionMade(), now, date, commands)
        if said:
            self._pass_on(DataReceived(said), now, date, commands)
        if channel.failure is not None:
            self._observe(TlsFailed(self._connection_id, channel.failure))
        if channel.is_open and (channel.failure is not None or (channel.at_end and not was_at_end)):
            self._pass_on(EofReceived(), now, date, commands)
        if channel.failure is not None:
            self._close(commands)

    def _pass_on(self, event: SessionEvent, now: float, date: bytes, commands: list[Command]) -> None:
        """Tell the session, and encrypt what it says."""
        if self._closed:
            return
        for command in self._session.handle(event, now, date):
            if isinstance(command, SendData):
                if self._channel.failure is None:
                    commands.append(SendData(self._channel.send(command.data)))
            elif isinstance(command, CloseConnection):
                self._close(commands)
            else:
                commands.append(command)

    def _close(self, commands: list[Command]) -> None:
        if self._closed:
            return
        if last := self._channel.close():
            commands.append(SendData(last))
        commands.append(CloseConnection())
        self._closed = True

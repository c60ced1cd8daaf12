"""TLS without I/O, held against Python's own client."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraiseql.errors import ConfigurationError
from fraiseql.observations import Observation, TlsFailed
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.tls import TlsChannel, TlsSession, make_tls_context, tls_context_of
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
from runtimes.certificates import Files


class Client:
    """Python's own TLS, on memory."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def shake(self, given: bytes = b"") -> bytes:
        """Go on with the handshake."""
        self.incoming.write(given)
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def says(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def leaves(self) -> bytes:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    def hears(self, data: bytes) -> bytes | None:
        """The plaintext; None at the end."""
        self.incoming.write(data)
        heard = b""
        try:
            while piece := self.tls.read(65_536):
                heard += piece
        except ssl.SSLWantReadError:
            return heard
        except ssl.SSLZeroReturnError:
            pass
        return heard or None


class Echo:
    """A session that says what it hears, and closes after `bye`."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.wants_data = True
        self.lasts = False
        self.events: list[SessionEvent] = []

    @property
    def heard(self) -> bytes:
        return b"".join(event.data for event in self.events if isinstance(event, DataReceived))

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        self.events.append(event)
        match event:
            case ConnectionMade():
                self.deadline = now + 75
            case DataReceived(data):
                return [SendData(data), *([CloseConnection()] if b"bye" in data else [])]
            case EofReceived():
                return [CloseConnection()]
        return []


class Served:
    """A client of an Echo over TLS."""

    def __init__(self, files: Files, context: ssl.SSLContext | None = None) -> None:
        self.observations: list[Observation] = []
        self.echo = Echo()
        server = make_tls_context(files.certificate, files.key)
        self.session = TlsSession(self.echo, server, "c1", 10.0, self.observations.append)
        self.client = Client(context or files.client())
        self.closed = False
        self.heard: bytes | None = b""
        assert self.tell(ConnectionMade(), 100.0) == b""

    def tell(self, event: SessionEvent, now: float = 101.0) -> bytes:
        """What it sends."""
        commands = self.session.handle(event, now, b"")
        if commands and commands[-1] == CloseConnection():
            self.closed = True
            commands.pop()
        assert all(isinstance(command, SendData) and command.data for command in commands)
        return b"".join(command.data for command in commands if isinstance(command, SendData))

    def shake(self, cuts: int = 1 << 20) -> None:
        """The handshake, and the tickets after it."""
        sent = self.client.shake()
        while sent:
            answer = b"".join(self.tell(DataReceived(piece)) for piece in pieces(sent, cuts))
            sent = self.client.shake(answer)

    def say(self, data: bytes) -> None:
        self.heard = self.client.hears(self.tell(DataReceived(self.client.says(data))))


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_a_conversation(files: Files, version: ssl.TLSVersion, size: int) -> None:
    context = files.client()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    served = Served(files, context)
    assert (served.session.deadline, served.session.wants_data) == (110.0, True)
    served.shake(size)
    assert served.client.tls.selected_alpn_protocol() == "http/1.1"
    assert served.session.deadline == 176.0, "its own"
    served.say(b"hello" * 10_000)
    assert served.heard == b"hello" * 10_000
    served.echo.wants_data = False
    assert not served.session.wants_data
    served.echo.wants_data = True
    served.say(b"bye")
    assert served.heard == b"bye"
    assert served.client.hears(b"") is None, "it was told that it has got all"
    assert served.closed
    assert not served.session.wants_data
    assert served.observations == []


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_it_is_no_matter_how_the_bytes_are_cut(files: Files, data: st.DataObject) -> None:
    served = Served(files)
    served.shake(data.draw(st.integers(1, 700)))
    said = served.client.says(b"a" * 40_000) + served.client.says(b"b") + served.client.leaves()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=20)))
    sent = b""
    for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True):
        if start < end:
            sent += served.tell(DataReceived(said[start:end]))
    assert served.echo.heard == b"a" * 40_000 + b"b"
    assert served.echo.events[-1] == EofReceived()
    assert served.client.hears(sent) == served.echo.heard
    assert served.closed


def test_a_client_that_is_cut_off_has_left(files: Files) -> None:
    served = Served(files)
    served.shake()
    last = served.tell(EofReceived())
    assert served.echo.events == [ConnectionMade(), EofReceived()]
    assert served.closed
    assert served.client.hears(last) is None
    assert served.observations == []


def test_bytes_that_were_changed_on_the_way(files: Files) -> None:
    served = Served(files)
    served.shake()
    said = served.client.says(b"one") + served.client.says(b"two")[:-1] + b"\x00\x00"
    alert = served.tell(DataReceived(said))
    assert (served.echo.heard, served.closed) == (b"one", True)
    assert served.echo.events[-1] == EofReceived()
    (observation,) = served.observations
    assert isinstance(observation, TlsFailed)
    with pytest.raises(ssl.SSLError):
        served.client.hears(alert)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", "http request"),
        (b"\x00" * 64, ""),
        (b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", ""),
    ],
)
def test_what_is_no_tls(files: Files, data: bytes, reason: str) -> None:
    served = Served(files)
    served.tell(DataReceived(data))
    assert served.closed
    (observation,) = served.observations
    assert isinstance(observation, TlsFailed)
    assert reason in observation.reason
    assert served.echo.events == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_version_is_refused(files: Files) -> None:
    context = files.client()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    served = Served(files, context)
    with pytest.raises(ssl.SSLError):
        served.shake()
    assert served.observations == [TlsFailed("c1", "unsupported protocol")]


def test_a_client_that_does_not_trust_us_says_so(files: Files) -> None:
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    served = Served(files, context)
    sent = served.client.shake()
    with pytest.raises(ssl.SSLCertVerificationError):
        served.client.shake(served.tell(DataReceived(sent)))
    served.tell(DataReceived(served.client.outgoing.read()))
    assert served.closed
    (observation,) = served.observations
    assert isinstance(observation, TlsFailed)
    assert "unknown ca" in observation.reason


@pytest.mark.parametrize(
    ("event", "begun", "reason"),
    [
        (DeadlineReached(), True, "the handshake took too long"),
        (DeadlineReached(), False, "the handshake took too long"),
        (EofReceived(), True, "the client left during the handshake"),
        (EofReceived(), False, None),
        (DrainRequested(), True, None),
    ],
)
def test_a_handshake_that_comes_to_no_end(files: Files, event: SessionEvent, begun: bool, reason: str | None) -> None:
    served = Served(files)
    if begun:
        served.tell(DataReceived(served.client.shake()[:50]))
    assert served.tell(DeadlineReached(), 109.9) == b""
    assert not served.closed
    assert served.tell(event, 110.0) == b""
    assert served.closed
    assert served.observations == ([] if reason is None else [TlsFailed("c1", reason)])
    assert served.echo.events == []


def test_nothing_is_said_before_the_channel_is_open(files: Files) -> None:
    channel = TlsChannel(make_tls_context(files.both))
    assert channel.close() == b""
    assert channel.receive_data(b"no TLS at all")[0] == b""
    assert channel.failure is not None
    assert channel.receive_data(b"more") == (b"", b"")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"certificate": "absent.pem"}, "tls_certificate is '.*absent.pem', which cannot be read: No such file"),
        ({"certificate": "cert.pem", "key": "absent.pem"}, "tls_key is '.*absent.pem', which cannot be read"),
        ({"certificate": "cert.pem"}, "tls_certificate is '.*cert.pem', which holds no private key in PEM format"),
        ({"certificate": "key.pem"}, "tls_certificate is '.*key.pem', which holds no certificate in PEM format"),
        ({"certificate": "words.pem", "key": "key.pem"}, "tls_certificate is '.*words.pem', which holds no cert"),
        ({"certificate": "cert.pem", "key": "words.pem"}, "tls_key is '.*words.pem', which holds no private key"),
        ({"certificate": "cert.pem", "key": "other.pem"}, "tls_key is '.*other.pem', whose private key is not that of"),
        ({"certificate": "cert.pem", "key": "locked.pem"}, "tls_key is '.*', where the private key is encrypted: set"),
        (
            {"certificate": "cert.pem", "key": "locked.pem", "key_password": "wrong-word"},
            "tls_key_password does not open the private key in '.*locked.pem'",
        ),
        ({"key": "key.pem"}, "tls_key is set, but tls_certificate is not"),
        ({"key_password": "wrong-word"}, "tls_key_password is set, but tls_certificate is not"),
    ],
)
def test_files_that_do_not_serve(files: Files, given: dict[str, str], message: str) -> None:
    (files.folder / "words.pem").write_text("secret words")
    paths = {f"tls_{name}": str(files.folder / value) for name, value in given.items() if name != "key_password"}
    if "key_password" in given:
        paths["tls_key_password"] = given["key_password"]
    with pytest.raises(ConfigurationError, match=message) as caught:
        tls_context_of(FraiseQLConfig(**paths))
    assert "secret words" not in str(caught.value)
    assert "wrong-word" not in str(caught.value)


def test_an_encrypted_key_and_a_key_beside_the_certificate(files: Files) -> None:
    assert tls_context_of(FraiseQLConfig()) is None
    make_tls_context(files.certificate, files.locked, "sesame")
    assert tls_context_of(FraiseQLConfig(tls_certificate=files.both)) is not None

"""The opening handshake: each verdict on a request and on an answer, and what is agreed about deflating."""

from __future__ import annotations

import pytest

from fraiseql.protocol import http11
from fraiseql.protocol.http11 import Request, Response
from fraiseql.protocol.websocket import (
    ClientHandshake,
    Deflate,
    HandshakeRefused,
    LocalProtocolError,
    Origins,
    RemoteProtocolError,
    accept,
)

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 §1.3
ANSWER = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
NONCE = b"the sample nonce"
FIELDS = {
    b"host": b"example.org",
    b"upgrade": b"websocket",
    b"connection": b"Upgrade",
    b"sec-websocket-key": KEY,
    b"sec-websocket-version": b"13",
}
PROTOCOL, EXTENSIONS, ORIGIN = b"sec-websocket-protocol", b"sec-websocket-extensions", b"origin"
KEPT = Deflate(
    server_no_context_takeover=False,
    client_no_context_takeover=False,
    server_max_window_bits=15,
    client_max_window_bits=15,
)


def request(changes=(), *, method=b"GET", version=b"1.1", more=()) -> Request:
    fields = {**FIELDS, **dict(changes)}
    lines = [(name, value) for name, value in fields.items() if value is not None]
    return Request(method, b"/chat", (*lines, *more), version)


def test_the_example_of_the_rfc():
    handshake = accept(request(), subprotocols=[b"chat"])
    headers = ((b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-accept", ANSWER))
    assert handshake.response == Response(101, headers)
    assert handshake.subprotocol is None
    assert handshake.deflate is None


GOOD = {
    "upgrade in another case": {b"upgrade": b"WebSocket"},
    "several upgrades": {b"upgrade": b"h2c, websocket"},
    "several options": {b"connection": b"keep-alive, UPGRADE"},
    "a length of 0": {b"content-length": b"0"},
    "loose bits in the key": {b"sec-websocket-key": KEY[:-3] + b"R=="},
    "extensions that are not spoken": {EXTENSIONS: b'x; a; b="c", permessage-deflate'},
    "the same origin": {ORIGIN: b"https://example.org"},
    "the same origin in another case": {ORIGIN: b"https://Example.ORG"},
    "no extensions": {EXTENSIONS: b" , "},
    "an empty list of subprotocols": {PROTOCOL: b""},
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
def test_accepted(changes):
    assert accept(request(changes)).response.status == 101


BAD = {
    "no host": ({b"host": None}, 400),
    "no upgrade": ({b"upgrade": None}, 400),
    "another upgrade": ({b"upgrade": b"h2c"}, 400),
    "no connection": ({b"connection": None}, 400),
    "no upgrade in connection": ({b"connection": b"keep-alive, xupgrade"}, 400),
    "no key": ({b"sec-websocket-key": None}, 400),
    "a short key": ({b"sec-websocket-key": b"YWJj"}, 400),
    "a long key": ({b"sec-websocket-key": b"YWJj" * 6}, 400),
    "a key that is not base64": ({b"sec-websocket-key": b"-" * 22 + b"=="}, 400),
    "a body": ({b"content-length": b"1"}, 400),
    "a chunked body": ({b"transfer-encoding": b"chunked"}, 400),
    "no version": ({b"sec-websocket-version": None}, 426),
    "an old version": ({b"sec-websocket-version": b"8"}, 426),
    "another way to write it": ({b"sec-websocket-version": b"013"}, 426),
    "another origin": ({ORIGIN: b"https://evil.example"}, 403),
    "another port": ({ORIGIN: b"https://example.org:8443"}, 403),
    "no origin at all": ({ORIGIN: b"null"}, 403),
    "an empty origin": ({ORIGIN: b""}, 403),
    "bad subprotocols": ({PROTOCOL: b"a b"}, 400),
    "bad extensions": ({EXTENSIONS: b"permessage-deflate; ="}, 400),
    "an empty parameter": ({EXTENSIONS: b"x;"}, 400),
    "an empty quoted value": ({EXTENSIONS: b'x; a=""'}, 400),
    "a quoted value that is no token": ({EXTENSIONS: b'x; a="b c"'}, 400),
    "an open quoted value": ({EXTENSIONS: b'x; a="b'}, 400),
    "no comma": ({EXTENSIONS: b"x y"}, 400),
    "no name": ({EXTENSIONS: b"; a"}, 400),
}


@pytest.mark.parametrize(("changes", "status"), BAD.values(), ids=BAD)
def test_refused(changes, status):
    with pytest.raises(HandshakeRefused) as caught:
        accept(request(changes))
    assert caught.value.status == status
    assert isinstance(caught.value, RemoteProtocolError)
    assert caught.value.headers == (((b"sec-websocket-version", b"13"),) if status == 426 else ())


@pytest.mark.parametrize("method", [b"POST", b"HEAD", b"get"])
def test_another_method(method):
    with pytest.raises(HandshakeRefused):
        accept(request(method=method))


def test_http_10():
    with pytest.raises(HandshakeRefused):
        accept(request(version=b"1.0"))


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (((b"sec-websocket-key", KEY),), 400),
        (((b"sec-websocket-version", b"13"),), 426),
        (((b"origin", b"https://example.org"), (b"origin", b"https://example.org")), 400),
    ],
)
def test_a_field_of_one_value_twice(more, status):
    with pytest.raises(HandshakeRefused) as caught:
        accept(request(more=more))
    assert caught.value.status == status


ORIGINS = [
    (Origins(), None, True),
    (Origins(absent=False), None, False),
    (Origins(), b"http://example.org", True),
    (Origins(same_host=False), b"http://example.org", False),
    (Origins(["https://app.example"]), b"https://app.example", True),
    (Origins(["https://App.example"]), b"https://app.EXAMPLE", True),
    (Origins(["https://app.example"]), b"http://app.example", False),
    (Origins(["https://app.example"]), b"https://app.example.evil", False),
    (Origins(["null"]), b"null", True),
    (Origins(["*"]), b"https://evil.example", True),
    (Origins.any(), b"null", True),
    (Origins.any(), None, True),
]


@pytest.mark.parametrize(("origins", "origin", "is_allowed"), ORIGINS)
def test_origins(origins, origin, is_allowed):
    asked = request({ORIGIN: origin})
    if is_allowed:
        assert accept(asked, origins=origins)
    else:
        with pytest.raises(HandshakeRefused) as caught:
            accept(asked, origins=origins)
        assert caught.value.status == 403


@pytest.mark.parametrize(
    ("origin", "host", "is_allowed"),
    [
        (b"https://example.org", b"example.org:443", True),
        (b"http://example.org", b"example.org:80", True),
        (b"https://example.org:443", b"example.org", True),
        (b"https://example.org", b"example.org:80", False),
        (b"https://example.org:8443", b"example.org:443", False),
        (b"http://example.org:8000", b"example.org:8000", True),
    ],
)
def test_the_port_of_the_scheme_may_be_left_out(origin, host, is_allowed):
    assert Origins().allow(origin, host) is is_allowed


def test_one_string_is_no_collection_of_origins():
    with pytest.raises(LocalProtocolError):
        Origins("https://app.example")


@pytest.mark.parametrize(
    ("offered", "spoken", "chosen"),
    [
        (b"a, b", [b"b", b"a"], b"b"),
        (b"a,, b", [b"a"], b"a"),
        (b"A", [b"a"], None),
        (b"c", [b"a", b"b"], None),
        (None, [b"a"], None),
        (b"a", [], None),
    ],
)
def test_subprotocols(offered, spoken, chosen):
    handshake = accept(request({PROTOCOL: offered}), subprotocols=spoken)
    assert handshake.subprotocol == chosen
    fields = {name.lower(): value for name, value in handshake.response.headers}
    assert fields.get(PROTOCOL) == chosen


SERVER_FORGETS, CLIENT_FORGETS = b"server_no_context_takeover", b"client_no_context_takeover"
SERVER_BITS, CLIENT_BITS = b"server_max_window_bits", b"client_max_window_bits"
NAME = b"permessage-deflate"
BOTH_FORGET = b"; ".join([NAME, SERVER_FORGETS, CLIENT_FORGETS])
OFFERS = [
    # what is offered, what the server wants, its answer
    (NAME, Deflate(), BOTH_FORGET),
    (NAME, KEPT, NAME),
    (NAME + b";" + CLIENT_BITS, Deflate(), BOTH_FORGET + b"; " + CLIENT_BITS + b"=12"),
    (NAME + b"; " + CLIENT_BITS + b"=10", Deflate(), BOTH_FORGET + b"; " + CLIENT_BITS + b"=10"),
    (NAME + b"; " + CLIENT_BITS + b"=15", KEPT, NAME + b"; " + CLIENT_BITS + b"=15"),
    (NAME + b"; " + SERVER_BITS + b"=10", KEPT, NAME + b"; " + SERVER_BITS + b"=10"),
    (NAME + b"; " + SERVER_BITS + b"=15", Deflate(), BOTH_FORGET + b"; " + SERVER_BITS + b"=12"),
    (NAME + b"; " + SERVER_FORGETS, KEPT, NAME + b"; " + SERVER_FORGETS),
    (NAME + b"; " + CLIENT_FORGETS, KEPT, NAME + b"; " + CLIENT_FORGETS),
    (NAME + b'; server_max_window_bits="1\\0"', KEPT, NAME + b"; " + SERVER_BITS + b"=10"),
    (b"x, " + NAME, KEPT, NAME),
    (NAME + b"; unknown, " + NAME, KEPT, NAME),
    (NAME + b"; " + SERVER_BITS + b"=8", KEPT, None),
    (NAME + b"; " + CLIENT_BITS + b"=8", KEPT, None),
    (NAME + b"; " + SERVER_BITS + b"=16", KEPT, None),
    (NAME + b"; " + SERVER_BITS + b"=09", KEPT, None),
    (NAME + b"; " + SERVER_BITS, KEPT, None),
    (NAME + b"; " + SERVER_FORGETS + b"=1", KEPT, None),
    (NAME + b"; " + SERVER_FORGETS + b"; " + SERVER_FORGETS, KEPT, None),
    (NAME + b"; unknown", KEPT, None),
    (b"x-webkit-deflate-frame", KEPT, None),
    (None, KEPT, None),
    (NAME, None, None),
]


@pytest.mark.parametrize(("offered", "policy", "answer"), OFFERS)
def test_deflate_is_agreed(offered, policy, answer):
    handshake = accept(request({EXTENSIONS: offered}), deflate=policy)
    assert handshake.response.get(EXTENSIONS) == answer
    agreed = handshake.deflate
    assert (agreed is None) is (answer is None)
    if agreed is not None:
        assert agreed.server_no_context_takeover is (SERVER_FORGETS in answer)
        assert agreed.client_no_context_takeover is (CLIENT_FORGETS in answer)
        assert agreed.client_max_window_bits == (15 if CLIENT_BITS not in offered else int(answer[-2:]))
        if SERVER_BITS in answer:
            assert agreed.server_max_window_bits == int(answer[-2:])


# The client's side


def answered(client, changes=(), *, status=101, more=()) -> Response:
    fields = {b"upgrade": b"websocket", b"connection": b"Upgrade", b"sec-websocket-accept": ANSWER, **dict(changes)}
    return Response(status, (*[(name, value) for name, value in fields.items() if value is not None], *more))


def test_the_clients_request():
    client = ClientHandshake(b"example.org", b"/chat", NONCE, subprotocols=[b"a", b"b"], headers=((ORIGIN, b"o"),))
    assert client.request == Request(
        b"GET",
        b"/chat",
        (
            (b"host", b"example.org"),
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-version", b"13"),
            (b"sec-websocket-key", KEY),
            (PROTOCOL, b"a, b"),
            (ORIGIN, b"o"),
        ),
    )


@pytest.mark.parametrize("nonce", [b"", b"a" * 15, b"a" * 17])
def test_a_nonce_has_16_bytes(nonce):
    with pytest.raises(LocalProtocolError):
        ClientHandshake(b"a", b"/", nonce)


def test_the_clients_offer():
    def offered(policy):
        return ClientHandshake(b"a", b"/", NONCE, deflate=policy).request.get(EXTENSIONS)

    assert offered(None) is None
    bits = (SERVER_BITS + b"=12", CLIENT_BITS + b"=12")
    assert offered(Deflate()) == b"; ".join([NAME, SERVER_FORGETS, CLIENT_FORGETS, *bits])
    assert offered(KEPT) == NAME + b"; " + CLIENT_BITS + b"=15"


ANSWERS_REFUSED = {
    "another status": ({}, {"status": 200}),
    "another upgrade": ({b"upgrade": b"h2c"}, {}),
    "no upgrade": ({b"upgrade": None}, {}),
    "no connection": ({b"connection": None}, {}),
    "another key answered": ({b"sec-websocket-accept": ANSWER[::-1]}, {}),
    "no key answered": ({b"sec-websocket-accept": None}, {}),
    "the key answered twice": ({}, {"more": ((b"sec-websocket-accept", ANSWER),)}),
    "a subprotocol not offered": ({PROTOCOL: b"c"}, {}),
    "two subprotocols": ({PROTOCOL: b"a"}, {"more": ((PROTOCOL, b"b"),)}),
    "bad extensions": ({EXTENSIONS: b"="}, {}),
    "another extension": ({EXTENSIONS: b"x"}, {}),
    "two extensions": ({EXTENSIONS: NAME + b", " + NAME}, {}),
    "an unknown parameter": ({EXTENSIONS: NAME + b"; x"}, {}),
    "a window without its size": ({EXTENSIONS: NAME + b"; " + CLIENT_BITS}, {}),
    "a window of 8": ({EXTENSIONS: NAME + b"; " + CLIENT_BITS + b"=8"}, {}),
    "a larger window": ({EXTENSIONS: NAME + b"; " + CLIENT_BITS + b"=13"}, {}),
}


@pytest.mark.parametrize(("changes", "more"), ANSWERS_REFUSED.values(), ids=ANSWERS_REFUSED)
def test_an_answer_is_refused(changes, more):
    client = ClientHandshake(b"a", b"/", NONCE, subprotocols=[b"a", b"b"], deflate=Deflate())
    with pytest.raises(HandshakeRefused) as caught:
        client.check(answered(client, changes, **more))
    assert caught.value.status == 502


def test_an_extension_that_was_not_offered():
    client = ClientHandshake(b"a", b"/", NONCE)
    with pytest.raises(HandshakeRefused):
        client.check(answered(client, {EXTENSIONS: NAME}))


def test_what_the_client_learns():
    client = ClientHandshake(b"a", b"/", NONCE, subprotocols=[b"a", b"b"], deflate=KEPT)
    assert client.check(answered(client)).deflate is None
    value = b"; ".join([NAME, SERVER_FORGETS, SERVER_BITS + b"=10", CLIENT_BITS + b"=11"])
    handshake = client.check(answered(client, {PROTOCOL: b"b", EXTENSIONS: value}))
    assert handshake.subprotocol == b"b"
    assert handshake.deflate == Deflate(
        server_no_context_takeover=True,
        client_no_context_takeover=False,
        server_max_window_bits=10,
        client_max_window_bits=11,
    )


POLICIES = [None, Deflate(), KEPT, Deflate(client_max_window_bits=9, server_max_window_bits=9)]


@pytest.mark.parametrize("ours", POLICIES)
@pytest.mark.parametrize("theirs", POLICIES)
def test_both_ends_agree_over_http(ours, theirs):
    client = ClientHandshake(b"a", b"/", NONCE, subprotocols=[b"x", b"y"], deflate=theirs)
    browser, server = http11.ClientConnection(), http11.ServerConnection()
    server.receive_data(browser.send(client.request) + browser.send(http11.EndOfMessage()) + b"frames")
    asked = server.next_event()
    server.next_event()
    handshake = accept(asked, subprotocols=[b"y"], deflate=ours)
    browser.receive_data(server.send(handshake.response))
    learnt = client.check(browser.next_event())
    assert (learnt.subprotocol, handshake.subprotocol) == (b"y", b"y")
    assert server.trailing_data == b"frames"
    if ours is None or theirs is None:
        assert handshake.deflate is learnt.deflate is None
    else:
        for name in ("server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits"):
            assert getattr(handshake.deflate, name) == getattr(learnt.deflate, name)
        assert handshake.deflate.server_max_window_bits <= learnt.deflate.server_max_window_bits

"""Client and server, joined by wires that cut the bytes at random, hand each other exactly what was sent."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraiseql.protocol.http11 import (
    ClientConnection,
    Data,
    EndOfMessage,
    Headers,
    InformationalResponse,
    Request,
    Response,
    ServerConnection,
    Signal,
    State,
)

thorough = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])

names = st.sampled_from([b"x", b"x-y", b"accept", b"cookie", b"set-cookie"])
values = st.sampled_from([b"", b"a", b"a b", b"a\tb", b"\xe9", b"a:b, c", b"w" * 300])
headers = st.lists(st.tuples(names, values), max_size=40).map(tuple)
pieces = st.lists(st.binary(min_size=1, max_size=400), max_size=5)
LENGTH, CHUNKED, WHOLE = "length", "chunked", "whole"


@dataclass(frozen=True)
class Message:
    """What one side sends: its head's own fields, its body, and how this is framed."""

    headers: Headers
    pieces: list[bytes]
    framing: str
    trailers: Headers

    def framed(self) -> Headers:
        if self.framing == CHUNKED:
            return (*self.headers, (b"transfer-encoding", b"chunked"))
        return (*self.headers, (b"content-length", b"%d" % len(self.body)))

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


messages = st.builds(
    lambda headers, pieces, framing, trailers: Message(
        headers, pieces, framing, trailers if framing == CHUNKED else ()
    ),
    headers,
    pieces,
    st.sampled_from([LENGTH, CHUNKED, WHOLE]),
    st.lists(st.tuples(st.sampled_from([b"x-sum", b"x"]), values), max_size=3).map(tuple),
)
exchanges = st.tuples(
    st.sampled_from([b"GET", b"POST", b"HEAD", b"QUERY"]),
    st.sampled_from([b"/", b"/a?b=%41", b"http://a/b", b"/" + b"x" * 500]),
    messages,
    st.lists(st.sampled_from([100, 102, 103]), max_size=2),
    st.sampled_from([200, 204, 205, 304, 404, 500]),
    messages,
    st.booleans(),
)


def transfer(data: bytes, to: ClientConnection | ServerConnection, cuts: list[int]) -> list[object]:
    """Deliver the bytes in pieces; all events, with the data in one piece."""
    found: list[object] = []
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    for start, end in zip([0, *ends], ends, strict=False):
        to.receive_data(data[start:end])
        while not isinstance(event := to.next_event(), Signal):
            if isinstance(event, Data) and isinstance(found[-1], Data):
                event = Data(found.pop().data + event.data)
            found.append(event)
    return found


def rest(body: bytes, trailers: Headers = ()) -> list[object]:
    return [*([Data(body)] if body else []), EndOfMessage(trailers)]


def own(event: object) -> Headers:
    """The fields of a head without those that the machines add."""
    assert isinstance(event, Request | Response)
    added = (b"content-length", b"transfer-encoding", b"connection")
    return tuple([field for field in event.headers if field[0] not in added])


@thorough
@given(conversation=st.lists(exchanges, min_size=1, max_size=4), cuts=st.lists(st.integers(0, 2_000), max_size=6))
def test_what_is_sent_is_what_is_received(conversation, cuts):
    client, server = ClientConnection(), ServerConnection()
    for method, target, asked, interim, status, told, closing in conversation:
        sent = ask(client, method, target, asked)
        found = transfer(sent, server, cuts)
        assert (found[0].method, found[0].target, own(found[0])) == (method, target, ((b"host", b"a"), *asked.headers))
        assert found[1:] == rest(asked.body, asked.trailers)

        hints = [InformationalResponse(number, ((b"link", b"</a>"),), b"why") for number in interim]
        sent = b"".join([server.send(hint) for hint in hints])
        body = told.body if status not in (204, 205, 304) else b""
        sent += tell(server, status, told, body, closing)
        found = transfer(sent, client, cuts)
        assert found[: len(hints)] == hints
        head = found[len(hints)]
        assert (head.status, own(head)) == (status, told.headers)
        seen = b"" if method == b"HEAD" else body
        bare = told.framing == WHOLE or status in (204, 205, 304) or method == b"HEAD"
        assert found[len(hints) + 1 :] == rest(seen, () if bare else told.trailers)

        assert client.keep_alive is server.keep_alive is not closing
        after = State.MUST_CLOSE if closing else State.DONE
        states = (client.our_state, client.their_state, server.our_state, server.their_state)
        assert states == (after,) * 4
        if closing:
            break
        client.start_next_cycle()
        server.start_next_cycle()


def ask(client: ClientConnection, method: bytes, target: bytes, message: Message) -> bytes:
    host = ((b"host", b"a"),)
    if message.framing == WHOLE:
        return client.send_request(method, target, (*host, *message.headers), message.body)
    sent = client.send(Request(method, target, (*host, *message.framed())))
    sent += b"".join([client.send(Data(piece)) for piece in message.pieces])
    return sent + client.send(EndOfMessage(message.trailers))


def tell(server: ServerConnection, status: int, message: Message, body: bytes, closing: bool) -> bytes:
    close = ((b"connection", b"close"),) if closing else ()
    if message.framing == WHOLE:
        return server.send_response(status, (*message.headers, *close), body)
    if status in (204, 205, 304):
        return server.send(Response(status, (*message.headers, *close))) + server.send(EndOfMessage())
    sent = server.send(Response(status, (*message.framed(), *close)))
    sent += b"".join([server.send(Data(piece)) for piece in message.pieces])
    return sent + server.send(EndOfMessage(message.trailers))

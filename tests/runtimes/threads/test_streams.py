"""Subscriptions of the server on threads: over a WebSocket, and as an event stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fraiseql.protocol import graphql_transport_ws as graphql
from fraiseql.protocol import websocket
from fraiseql.runtimes.threads import ThreadedApp
from runtimes.threads.plainly import Client, Make, WebSocketClient, connected, until

EVENTS = ("accept: text/event-stream",)


@pytest.fixture
def socket(app: ThreadedApp) -> Iterator[WebSocketClient]:
    client = WebSocketClient(app.port)
    yield client
    client.close()


def test_queries_and_generators_over_one_websocket(socket: WebSocketClient) -> None:
    counting = socket.subscribe("subscription { count(to: 3) }")
    expected = [graphql.Next(counting, {"data": {"count": n}}) for n in (1, 2, 3)]
    assert [socket.next() for _ in range(4)] == [*expected, graphql.Complete(counting)]
    query = socket.subscribe("{ things(limit: 1, orderBy: [{id: ASC}]) { id doubled } }")
    assert socket.next() == graphql.Next(query, {"data": {"things": [{"id": 1, "doubled": 2}]}})
    assert socket.next() == graphql.Complete(query)


def test_operations_of_one_websocket_do_not_wait_for_each_other(
    socket: WebSocketClient, sleepers: Callable[[int], None]
) -> None:
    slow = socket.subscribe("{ slowThings(where: {id: {eq: 600}}) { id } }")
    sleepers(1)
    quick = socket.subscribe("{ __typename }")
    assert socket.next() == graphql.Next(quick, {"data": {"__typename": "Query"}})
    assert socket.next() == graphql.Complete(quick)
    socket.complete(slow)
    sleepers(0)


def test_events_reach_websockets_and_event_streams(app: ThreadedApp, socket: WebSocketClient, client: Client) -> None:
    before = app.streams.listening
    added = socket.subscribe("subscription { thingAdded { id name } }")
    with connected(app) as reader:
        reader.send("subscription { thingAdded { id } }", *EVENTS)
        assert reader.head()[0] == 200
        until(lambda: app.streams.listening == before + 2)
        client.ask("mutation { addThing(id: 20) { id } }")
        assert socket.next() == graphql.Next(added, {"data": {"thingAdded": {"id": 20, "name": "told"}}})
        assert b'data: {"data":{"thingAdded":{"id":20}}' in reader.read_until(b"\n\n")
        app.bus.publish("thing_added", {"id": 21, "name": "by hand"})
        assert b'"id":21' in reader.read_until(b'"id":21')
    socket.complete(added)
    until(lambda: app.streams.listening == before)


def test_an_event_stream_may_answer_a_query_and_the_connection_goes_on(client: Client) -> None:
    client.send("{ things(limit: 1, orderBy: [{id: ASC}]) { id } }", *EVENTS)
    assert client.head()[0] == 200
    assert b"event: complete" in client.read_until(b"\r\n0\r\n\r\n")
    client.send("subscription { count(to: 2) }", *EVENTS)
    assert client.head()[0] == 200
    assert b'"count":2' in client.read_until(b"\r\n0\r\n\r\n")
    assert client.ask("{ __typename }") == {"data": {"__typename": "Query"}}


def test_a_server_that_stops_says_so(make: Make) -> None:
    with make(subscription_close_spread=0.05) as app:
        first, second = WebSocketClient(app.port), WebSocketClient(app.port)
        first.subscribe("subscription { thingAdded { id } }")
        with connected(app) as reader:
            reader.send("subscription { thingAdded { name } }", *EVENTS)
            assert reader.head()[0] == 200
            until(lambda: app.streams.listening == 2)
            app.shutdown(grace=1.0)
            for client in (first, second):
                event = client.next()
                assert isinstance(event, websocket.Close)
                assert event.code == 1001
                client.close()
            assert b"complete" not in reader.read_until(b"0\r\n\r\n")
            assert reader.at_end()

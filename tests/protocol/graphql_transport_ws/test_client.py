"""The client's machine: what it sends, and its verdict on whatever a server may send."""

from __future__ import annotations

import json

import pytest

from fraiseql.protocol.graphql_transport_ws import (
    ClientConnection,
    Complete,
    ConnectionAck,
    Error,
    LocalProtocolError,
    Next,
    Ping,
    Pong,
    RemoteProtocolError,
    State,
)
from fraiseql.protocol.graphql_transport_ws.state import CLIENT, Input

NEW, INITIALISING, READY, CLOSED = State.NEW, State.INITIALISING, State.READY, State.CLOSED

ACK = '{"type":"connection_ack"}'
NEXT = '{"id":"1","type":"next","payload":{"data":{"a":1}}}'
ERROR = '{"id":"1","type":"error","payload":[{"message":"no","path":["a"]}]}'
COMPLETE = '{"id":"1","type":"complete"}'
PING = '{"type":"ping"}'
PONG = '{"type":"pong","payload":{"a":1}}'


def connection(state: State = READY) -> ClientConnection:
    machine = ClientConnection()
    if state is not NEW:
        machine.connect()
    if state is READY:
        machine.receive_text(ACK)
    if state is CLOSED:
        machine.close()
    assert machine.state is state
    return machine


CELLS = [
    *[(NEW, text, 4400) for text in (ACK, NEXT, ERROR, COMPLETE, "{")],
    *[(NEW, text, NEW) for text in (PING, PONG)],
    (INITIALISING, ACK, READY),
    *[(INITIALISING, text, 4400) for text in (NEXT, ERROR, COMPLETE, "{")],
    *[(INITIALISING, text, INITIALISING) for text in (PING, PONG)],
    *[(READY, text, 4400) for text in (ACK, "{")],
    *[(READY, text, READY) for text in (NEXT, ERROR, COMPLETE, PING, PONG)],
    *[(CLOSED, text, CLOSED) for text in (ACK, NEXT, ERROR, COMPLETE, PING, PONG, "{")],
]


@pytest.mark.parametrize(("state", "text", "verdict"), CELLS)
def test_what_becomes_of_a_message(state, text, verdict):
    machine = connection(state)
    if isinstance(verdict, State):
        machine.receive_text(text)
        assert machine.state is verdict
        return
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive_text(text)
    assert caught.value.status == verdict
    assert machine.state is CLOSED


def test_the_table_has_a_row_for_every_message_in_every_open_state():
    messages = {
        *(Input.CONNECTION_ACK, Input.NEXT, Input.ERROR, Input.COMPLETE, Input.PING, Input.PONG, Input.MALFORMED),
    }
    assert {(state, what) for state in (NEW, INITIALISING, READY) for what in messages} <= set(CLIENT)


MALFORMED = [
    "[]",
    '{"type":"connection_init"}',
    '{"id":"1","type":"subscribe","payload":{"query":"{a}"}}',
    '{"type":"connection_ack","payload":[]}',
    *[f'{{"id":"1","type":"next","payload":{payload}}}' for payload in ("null", "[]", "1", '"{}"')],
    '{"id":"1","type":"next"}',
    *[
        f'{{"id":"1","type":"error","payload":{payload}}}'
        for payload in ("null", "[]", "{}", '"no"', '["no"]', '[{"message":"no"},{}]', '[{"message":1}]')
    ],
    '{"id":"1","type":"error"}',
    *[
        f'{{{id_}"type":"{kind}","payload":{payload}}}'
        for kind, payload in (("next", "{}"), ("error", '[{"message":"no"}]'), ("complete", "null"))
        for id_ in ("", '"id":"",', '"id":1,', '"id":null,')
    ],
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_message_of_a_server(text):
    machine = connection()
    operation, _ = machine.subscribe("{a}")
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive_text(text)
    assert caught.value.status == 4400
    assert not operation.active


def test_binary_messages_are_refused():
    with pytest.raises(RemoteProtocolError) as caught:
        connection().receive_bytes(b"{}")
    assert caught.value.status == 4400


def test_a_connection_from_its_first_message_to_its_last():
    machine = ClientConnection()
    assert machine.connect({"token": "x"}) == b'{"type":"connection_init","payload":{"token":"x"}}'
    assert machine.receive_text('{"type":"connection_ack","payload":{"a":1}}') == ConnectionAck({"a": 1})
    operation, data = machine.subscribe(
        "query A($b: Int) { a(b: $b) }", operation_name="A", variables={"b": None}, extensions={}
    )
    assert json.loads(data) == {
        "id": "1",
        "type": "subscribe",
        "payload": {
            "query": "query A($b: Int) { a(b: $b) }",
            "operationName": "A",
            "variables": {"b": None},
            "extensions": {},
        },
    }
    assert machine.receive_text(PING) == Ping()
    assert machine.send_pong() == b'{"type":"pong"}'
    assert machine.receive_text(PONG) == Pong({"a": 1})
    assert machine.receive_text(NEXT) == Next(operation, {"data": {"a": 1}})
    assert machine.receive_text(COMPLETE) == Complete(operation)
    assert not operation.active
    assert machine.operations == ()
    assert machine.complete(operation) == b""


def test_an_operation_that_fails():
    machine = connection()
    operation, _ = machine.subscribe("{a}")
    assert machine.receive_text(ERROR) == Error(operation, [{"message": "no", "path": ["a"]}])
    assert not operation.active


def test_what_crosses_our_complete_is_ignored():
    machine = connection()
    operation, _ = machine.subscribe("{a}")
    assert machine.complete(operation) == b'{"id":"1","type":"complete"}'
    assert [machine.receive_text(text) for text in (NEXT, ERROR, COMPLETE)] == [None] * 3


def test_ids_are_counted_or_given():
    machine = connection()
    given, _ = machine.subscribe("{a}", id="2")
    counted = [machine.subscribe("{a}")[0] for _ in range(2)]
    assert [operation.id for operation in (given, *counted)] == ["2", "1", "3"]
    assert machine.operations == (given, *counted)
    for id_ in ("", "1", "\ud800"):
        with pytest.raises(LocalProtocolError):
            machine.subscribe("{a}", id=id_)
    machine.complete(given)
    assert machine.subscribe("{a}", id="2")[0] is not given


def test_what_cannot_be_sent_changes_nothing():
    machine = connection()
    with pytest.raises(LocalProtocolError):
        machine.subscribe("{a}", variables={"b": object()})
    assert machine.operations == ()
    machine = connection(NEW)
    with pytest.raises(LocalProtocolError):
        machine.connect({"b": object()})
    assert machine.state is NEW


@pytest.mark.parametrize("state", [NEW, INITIALISING, CLOSED])
def test_nothing_is_subscribed_before_the_acknowledgement(state):
    machine = connection(state)
    with pytest.raises(LocalProtocolError):
        machine.subscribe("{a}")
    assert machine.operations == ()


@pytest.mark.parametrize("state", [INITIALISING, READY, CLOSED])
def test_a_connection_begins_once(state):
    with pytest.raises(LocalProtocolError):
        connection(state).connect()


def test_the_deadline_of_the_acknowledgement():
    machine = connection(INITIALISING)
    error = machine.ack_timed_out()
    assert error is not None
    assert error.status == 4504
    for state in (NEW, READY, CLOSED):
        assert connection(state).ack_timed_out() is None


def test_closing_ends_all_operations():
    machine = connection()
    operation, _ = machine.subscribe("{a}")
    machine.close()
    assert (machine.operations, machine.complete(operation), machine.send_ping()) == ((), b"", b"")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_know_is_never_sent_as_null(number):
    client = ClientConnection()
    with pytest.raises(LocalProtocolError, match="JSON"):
        client.connect({"a": [number, None]})
    assert client.connect({"a": [None]})

"""The server's machine: a verdict for every state and message, and what becomes of operations when messages cross."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraiseql.protocol.graphql_transport_ws import (
    CloseCode,
    Complete,
    ConnectionInit,
    LocalProtocolError,
    Operation,
    Ping,
    Pong,
    Refused,
    RemoteProtocolError,
    ServerConnection,
    State,
    Subscribe,
    close_reason,
)
from fraiseql.protocol.graphql_transport_ws.state import SERVER, Input

NEW, INITIALISING, READY, CLOSED = State.NEW, State.INITIALISING, State.READY, State.CLOSED

INIT = '{"type":"connection_init"}'
PING = '{"type":"ping"}'
PONG = '{"type":"pong"}'


def subscribe(id_: str = "1", query: str = "{ a }", **payload: Any) -> str:
    return json.dumps({"id": id_, "type": "subscribe", "payload": {"query": query, **payload}}, ensure_ascii=False)


def complete(id_: str = "1") -> str:
    return json.dumps({"id": id_, "type": "complete"}, ensure_ascii=False)


def connection(state: State = READY, **options: Any) -> ServerConnection:
    machine = ServerConnection(**{"max_operations": 100, **options})
    if state is not NEW:
        machine.receive_text(INIT)
    if state is READY:
        machine.accept()
    if state is CLOSED:
        machine.close()
    assert machine.state is state
    return machine


def begin(machine: ServerConnection, id_: str = "1") -> Operation:
    event = machine.receive_text(subscribe(id_))
    assert isinstance(event, Subscribe)
    return event.operation


def refusal(machine: ServerConnection, text: str) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive_text(text)
    assert machine.state is CLOSED
    assert machine.operations == ()
    assert len(str(caught.value).encode()) <= 123
    return caught.value


# Every cell of the table: a state, a message, and the state after it or the close code

CELLS = [
    (NEW, INIT, INITIALISING),
    (NEW, subscribe(), 4401),
    (NEW, complete(), NEW),
    (NEW, PING, NEW),
    (NEW, PONG, NEW),
    (NEW, "{", 4400),
    (INITIALISING, INIT, 4429),
    (INITIALISING, subscribe(), 4401),
    (INITIALISING, complete(), INITIALISING),
    (INITIALISING, PING, INITIALISING),
    (INITIALISING, PONG, INITIALISING),
    (INITIALISING, "{", 4400),
    (READY, INIT, 4429),
    (READY, subscribe(), READY),
    (READY, complete(), READY),
    (READY, PING, READY),
    (READY, PONG, READY),
    (READY, "{", 4400),
    *[(CLOSED, text, CLOSED) for text in (INIT, subscribe(), complete(), PING, PONG, "{")],
]


@pytest.mark.parametrize(("state", "text", "verdict"), CELLS)
def test_what_becomes_of_a_message(state, text, verdict):
    machine = connection(state)
    if isinstance(verdict, State):
        machine.receive_text(text)
        assert machine.state is verdict
    else:
        assert refusal(machine, text).status == verdict


def test_the_table_has_a_row_for_every_message_in_every_open_state():
    messages = {Input.CONNECTION_INIT, Input.SUBSCRIBE, Input.COMPLETE, Input.PING, Input.PONG, Input.MALFORMED}
    assert {(state, what) for state in (NEW, INITIALISING, READY) for what in messages} <= set(SERVER)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        (PING, Ping(None)),
        ('{"type":"ping","payload":null}', Ping(None)),
        ('{"type":"ping","payload":{"a":[1]}}', Ping({"a": [1]})),
        ('{"type":"pong","payload":{}}', Pong({})),
    ],
)
@pytest.mark.parametrize("state", [NEW, INITIALISING, READY])
def test_pings_and_pongs_at_any_time(state, text, event):
    machine = connection(state)
    assert machine.receive_text(text) == event
    assert machine.state is state


def test_connection_init_has_a_payload():
    machine = connection(NEW)
    assert machine.receive_text('{"type":"connection_init","payload":{"token":"x"}}') == ConnectionInit({"token": "x"})


def test_a_subscription_is_read_as_it_was_said():
    event = connection().receive_text(
        subscribe("é", "{ a }", operationName="A", variables={"b": None, "c": [1, 1.0, "\u2028"]}, extensions={})
    )
    assert isinstance(event, Subscribe)
    assert (event.operation.id, event.query, event.operation_name) == ("é", "{ a }", "A")
    assert event.variables == {"b": None, "c": [1, 1.0, "\u2028"]}
    assert [type(value) for value in event.variables["c"]] == [int, float, str]
    assert event.extensions == {}


@pytest.mark.parametrize("null", [{}, {"operationName": None, "variables": None, "extensions": None}])
def test_what_may_be_left_out(null):
    event = connection().receive_text(subscribe(**null))
    assert isinstance(event, Subscribe)
    assert (event.operation_name, event.variables, event.extensions) == (None, None, None)


def test_keys_that_nobody_knows_are_tolerated():
    machine = connection()
    assert machine.receive_text('{"type":"ping","id":7,"x":[]}') == Ping(None)
    text = '{"id":"1","type":"subscribe","x":1,"payload":{"query":"{a}","key":"value"}}'
    assert isinstance(machine.receive_text(text), Subscribe)


DEEP = 100_000
MALFORMED = [
    "",
    " ",
    "{",
    "nonsense",
    "\ufeff" + PING,
    PING + "x",
    "null",
    "true",
    "1",
    '"ping"',
    "[]",
    f"[{PING}]",
    "{}",
    '{"type":null}',
    '{"type":7}',
    '{"type":["ping"]}',
    '{"type":{"ping":1}}',
    '{"type":""}',
    '{"type":"start"}',
    '{"type":"Ping"}',
    json.dumps({"type": "é" * 200}),
    # JSON that Python parses but JSON does not know
    '{"type":"ping","payload":{"a":NaN}}',
    '{"type":"ping","payload":{"a":Infinity}}',
    '{"type":"ping","payload":{"a":-Infinity}}',
    "NaN",
    '{"type":"ping","payload":{"a":1e999}}',
    '{"type":"ping","payload":{"a":' + "9" * 5_000 + "}}",
    '{"type":"ping","payload":{"a":-' + "9" * 5_000 + "}}",
    "9" * 5_000,
    # nesting
    "[" * DEEP + "]" * DEEP,
    "[" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    '{"type":"ping","payload":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}",
    '{"type":"ping","payload":{"a":' + "[" * 1_000 + "]" * 1_000 + "}}",
    '{"type":"ping","payload":{"a":' + "[" * 199 + "]" * 199 + "}}",
    '{"type":"ping","payload":' + '{"a":' * 200 + "1" + "}" * 200 + "}",
    # text that is not Unicode
    '{"type":"ping","payload":{"a":"\\ud800"}}',
    '{"type":"ping","payload":{"a":"\\udc00\\ud800"}}',
    '{"type":"ping","payload":{"\ud800":1}}',
    '{"type":"\\ud800"}',
    '{"type":"ping","payload":{"a":"\x00"}}',
    # wrong payloads
    *[
        f'{{"type":"{kind}","payload":{payload}}}'
        for kind in ("connection_init", "ping", "pong")
        for payload in ("[]", '""', '"a"', "0", "true", "false")
    ],
    *[
        f'{{"id":"1","type":"subscribe","payload":{payload}}}'
        for payload in (
            "null",
            "[]",
            '"{a}"',
            "1",
            "{}",
            '{"query":null}',
            '{"query":1}',
            '{"query":["{a}"]}',
            *[f'{{"query":"{{a}}","operationName":{value}}}' for value in ("1", "{}", "[]", "false")],
            *[f'{{"query":"{{a}}","variables":{value}}}' for value in ("1", '"{}"', "[]", "false")],
            *[f'{{"query":"{{a}}","extensions":{value}}}' for value in ("1", '"{}"', "[]", "false")],
        )
    ],
    '{"id":"1","type":"subscribe"}',
    # bad ids
    *[
        f'{{{id_}"type":"{kind}","payload":{{"query":"{{a}}"}}}}'
        for kind in ("subscribe", "complete")
        for id_ in ("", '"id":null,', '"id":"",', '"id":1,', '"id":["1"],', '"id":{},', '"id":true,')
    ],
    # what only a server sends
    '{"type":"connection_ack"}',
    '{"id":"1","type":"next","payload":{"data":null}}',
    '{"id":"1","type":"error","payload":[{"message":"no"}]}',
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: ascii(text[:50]))
@pytest.mark.parametrize("state", [NEW, INITIALISING, READY])
def test_what_is_no_message_of_a_client(state, text):
    assert refusal(connection(state), text).status == 4400


@pytest.mark.parametrize("state", [NEW, INITIALISING, READY])
def test_binary_messages_are_refused(state):
    machine = connection(state)
    with pytest.raises(RemoteProtocolError) as caught:
        machine.receive_bytes(PING.encode())
    assert caught.value.status == 4400
    assert machine.state is CLOSED
    machine.receive_bytes(b"")


def test_what_is_accepted_can_be_echoed():
    machine = connection()
    for levels in (198, 150):
        ping = machine.receive_text('{"type":"ping","payload":{"a":' + "[" * levels + "]" * levels + "}}")
        assert isinstance(ping, Ping)
        assert json.loads(machine.send_pong(ping.payload)) == {"type": "pong", "payload": ping.payload}
    assert isinstance(machine.receive_text(subscribe(query="{" * 300 + "[" * 300)), Subscribe)


# Accepting, refusing, and deadlines


def test_ready_before_the_acknowledgement_has_left():
    machine = connection(INITIALISING)
    data = machine.accept()
    assert data == b'{"type":"connection_ack"}'
    assert machine.state is READY
    begin(machine)


def test_an_acknowledgement_with_a_payload():
    assert connection(INITIALISING).accept({"a": 1}) == b'{"type":"connection_ack","payload":{"a":1}}'


def test_an_acknowledgement_that_cannot_be_written_changes_nothing():
    machine = connection(INITIALISING)
    with pytest.raises(LocalProtocolError):
        machine.accept({"a": object()})
    assert machine.state is INITIALISING


@pytest.mark.parametrize("state", [NEW, READY])
def test_nobody_is_accepted_who_does_not_wait_for_it(state):
    machine = connection(state)
    with pytest.raises(LocalProtocolError):
        machine.accept()
    assert machine.state is state


@pytest.mark.parametrize("state", [INITIALISING, READY])
def test_refusing(state):
    machine = connection(state)
    error = machine.refuse()
    assert (error.status, str(error)) == (CloseCode.FORBIDDEN, "Forbidden")
    assert machine.state is CLOSED


@pytest.mark.parametrize("state", [NEW, CLOSED])
def test_nobody_is_refused_who_has_not_come(state):
    with pytest.raises(LocalProtocolError):
        connection(state).refuse()


def test_the_deadline_of_connection_init():
    machine = connection(NEW)
    error = machine.init_timed_out()
    assert error is not None
    assert error.status == 4408
    assert machine.state is CLOSED


@pytest.mark.parametrize("state", [INITIALISING, READY, CLOSED])
def test_the_deadline_counts_only_for_who_has_not_come(state):
    machine = connection(state)
    assert machine.init_timed_out() is None
    assert machine.state is state


def test_closed_while_starting():
    machine = connection(INITIALISING)
    machine.close()
    assert machine.accept() == b""
    assert machine.state is CLOSED
    assert machine.send_ping() == machine.send_pong({"a": 1}) == b""


# Operations


def test_the_messages_of_an_operation():
    machine = connection()
    operation = begin(machine, 'a"é')
    result = '{"data":{"a":1}}'
    assert json.loads(machine.send_next(operation, result.encode())) == {
        "id": 'a"é',
        "type": "next",
        "payload": {"data": {"a": 1}},
    }
    assert machine.operations == (operation,)
    assert json.loads(machine.send_complete(operation)) == {"id": 'a"é', "type": "complete"}
    assert machine.operations == ()
    failed = begin(machine, 'a"é')
    assert json.loads(machine.send_error(failed, b'[{"message":"no"}]')) == {
        "id": 'a"é',
        "type": "error",
        "payload": [{"message": "no"}],
    }
    assert machine.operations == ()


def nothing_is_sent_for(machine: ServerConnection, operation: Operation) -> bool:
    sent = (
        machine.send_next(operation, b'{"data":null}'),
        machine.send_error(operation, b'[{"message":"late"}]'),
        machine.send_complete(operation),
    )
    return sent == (b"", b"", b"") and not operation.active


def test_results_after_the_clients_complete_go_nowhere():
    machine = connection()
    operation = begin(machine)
    event = machine.receive_text(complete())
    assert event == Complete(operation)
    assert nothing_is_sent_for(machine, operation)
    assert machine.receive_text(complete()) is None


@pytest.mark.parametrize("end", ["send_complete", "send_error"])
def test_the_clients_complete_may_cross_our_end(end):
    machine = connection()
    operation = begin(machine)
    assert machine.send_complete(operation) if end == "send_complete" else machine.send_error(operation, b"[]")
    assert machine.receive_text(complete()) is None
    assert nothing_is_sent_for(machine, operation)


def test_an_id_is_used_again():
    machine = connection()
    old = begin(machine)
    machine.receive_text(complete())
    new = begin(machine)
    assert new is not old
    assert nothing_is_sent_for(machine, old)
    assert new.active
    assert machine.operations == (new,)
    assert machine.receive_text(complete()) == Complete(new)


def test_an_id_is_used_again_after_our_end_and_a_late_complete_ends_the_new_one():
    """The wire does not tell which one the client means; it names the id that it uses now."""
    machine = connection()
    machine.send_complete(begin(machine))
    new = begin(machine)
    assert machine.receive_text(complete()) == Complete(new)


@pytest.mark.parametrize("id_", ["1", "x" * 93, "x" * 94, "x" * 10_000, "é" * 60, "😀" * 4_000])
def test_an_id_in_use(id_):
    machine = connection()
    operation = begin(machine, id_)
    error = refusal(machine, subscribe(id_))
    assert error.status == 4409
    assert str(error).startswith(f"Subscriber for {id_[:20]}")
    assert str(error).endswith(" already exists")
    assert nothing_is_sent_for(machine, operation)


def test_a_broken_message_ends_all_operations():
    machine = connection()
    operations = [begin(machine, str(number)) for number in range(3)]
    refusal(machine, "{")
    assert all(nothing_is_sent_for(machine, operation) for operation in operations)


def test_closing_ends_all_operations_and_discards_the_rest():
    machine = connection()
    operation = begin(machine)
    machine.close()
    machine.close()
    assert machine.operations == ()
    assert nothing_is_sent_for(machine, operation)
    assert machine.receive_text(subscribe()) is None


def test_too_many_operations():
    machine = connection(max_operations=2)
    first = begin(machine, "1")
    begin(machine, "2")
    event = machine.receive_text(subscribe("3"))
    assert isinstance(event, Refused)
    answer = json.loads(event.answer)
    assert (event.id, answer["id"], answer["type"]) == ("3", "3", "error")
    assert answer["payload"][0]["extensions"] == {"code": "TOO_MANY_OPERATIONS"}
    assert [operation.id for operation in machine.operations] == ["1", "2"]
    assert machine.receive_text(complete("3")) is None
    machine.send_complete(first)
    begin(machine, "3")


def test_ids_that_are_too_long_together():
    machine = connection(max_id_bytes=1_000)
    first = begin(machine, "a" * 600)
    assert isinstance(machine.receive_text(subscribe("b" * 600)), Refused)
    machine.receive_text(complete(first.id))
    second = begin(machine, "b" * 600)
    machine.send_error(second, b"[]")
    begin(machine, "a" * 600)


def test_pings_of_our_own():
    machine = connection()
    assert machine.send_ping() == b'{"type":"ping"}'
    assert machine.send_ping({"a": "é"}) == '{"type":"ping","payload":{"a":"é"}}'.encode()
    assert machine.send_pong() == b'{"type":"pong"}'
    with pytest.raises(LocalProtocolError):
        machine.send_pong({"a": object()})


@pytest.mark.parametrize(
    ("text", "bound"), [("a", 1), ("a" * 124, 123), ("é" * 62, 122), ("😀" * 31, 120), ("\ud800", 1)]
)
def test_a_close_reason_holds_whole_characters(text, bound):
    assert len(close_reason(text).encode()) == bound


def test_what_is_shown_of_values():
    machine = connection()
    operation = begin(machine)
    assert repr(operation) == "<Operation '1', active>"
    machine.close()
    assert repr(operation) == "<Operation '1', over>"
    assert repr((State.NEW, Input.PING, CloseCode.FORBIDDEN)) == "(NEW, PING, FORBIDDEN)"

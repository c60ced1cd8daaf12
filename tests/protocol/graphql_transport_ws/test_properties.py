"""What holds for any messages in any order: both ends understand each other, and only declared errors escape."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fraiseql.protocol import graphql_transport_ws as ws

quick = settings(deadline=None, max_examples=300)

scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
kinds = st.sampled_from(
    ["connection_init", "connection_ack", "subscribe", "next", "error", "complete", "ping", "pong", "start"]
)
payloads = (
    values
    | st.fixed_dictionaries({"query": st.just("{a}") | values}, optional={"variables": values})
    | st.lists(st.fixed_dictionaries({"message": values}), max_size=2)
)
messages = st.fixed_dictionaries(
    {"type": kinds | values}, optional={"id": st.sampled_from(["1", "2", ""]) | values, "payload": payloads}
)
texts = messages.map(json.dumps) | values.map(json.dumps) | st.text(max_size=20)
CODES = {4400, 4401, 4409, 4429}


@pytest.mark.parametrize("make", [lambda: ws.ServerConnection(max_operations=2), ws.ClientConnection])
@quick
@given(steps=st.lists(texts | st.just("accept"), max_size=12))
def test_only_declared_errors_escape(make, steps):
    machine = make()
    if isinstance(machine, ws.ClientConnection):
        machine.connect()
    for step in steps:
        if step == "accept":
            if isinstance(machine, ws.ServerConnection) and machine.state is ws.State.INITIALISING:
                machine.accept()
            elif isinstance(machine, ws.ClientConnection) and machine.state is ws.State.READY:
                machine.subscribe("{a}")
            continue
        event: Any
        try:
            event = machine.receive_text(step)
        except ws.RemoteProtocolError as error:
            event = error
        if isinstance(event, ws.RemoteProtocolError):
            assert event.status in CODES
            assert len(str(event).encode()) <= 123
            assert machine.state is ws.State.CLOSED
        elif isinstance(event, ws.Ping | ws.Pong):
            assert json.loads(machine.send_pong(event.payload)).get("payload") == event.payload


@quick
@given(
    query=st.text(max_size=30),
    name=st.none() | st.text(max_size=5),
    variables=st.none() | st.dictionaries(st.text(max_size=5), values, max_size=3),
    id_=st.text(min_size=1, max_size=200),
)
def test_what_a_client_subscribes_to_is_what_the_server_reads(query, name, variables, id_):
    client, server = ws.ClientConnection(), ws.ServerConnection(max_operations=1)
    server.receive_text(client.connect().decode())
    client.receive_text(server.accept().decode())
    try:
        operation, data = client.subscribe(query, operation_name=name, variables=variables, id=id_)
    except ws.LocalProtocolError:  # an integer beyond 64 bits, or no finite number
        return
    event = server.receive_text(data.decode())
    assert isinstance(event, ws.Subscribe)
    assert (event.operation.id, event.query, event.operation_name) == (id_, query, name)
    assert event.variables == variables
    result = {"data": {"a": id_}}
    body = json.dumps(result).encode()
    assert client.receive_text(server.send_next(event.operation, body).decode()) == ws.Next(operation, result)


class TwoEnds(RuleBasedStateMachine):
    """A client and a server with messages under way in both directions, delivered in their order, at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.client, self.server = ws.ClientConnection(), ws.ServerConnection(max_operations=3)
        self.to_server: deque[bytes] = deque([self.client.connect()])
        self.to_client: deque[bytes] = deque()
        self.known: list[ws.Operation] = []  # what the server was asked for
        self.asked: list[ws.Operation] = []
        self.query: dict[int, str] = {}  # of each operation, at both ends: which of them belong together
        self.count = 0

    def _give(self, queue: deque[bytes], data: bytes) -> None:
        if data:
            queue.append(data)

    @precondition(lambda self: self.to_server)
    @rule()
    def server_reads(self) -> None:
        event: Any = self.server.receive_text(self.to_server.popleft().decode())
        if isinstance(event, ws.ConnectionInit):
            self.to_client.append(self.server.accept())
        elif isinstance(event, ws.Subscribe):
            self.known.append(event.operation)
            self.query[id(event.operation)] = event.query
        elif isinstance(event, ws.Refused):
            self.to_client.append(event.answer)

    @precondition(lambda self: self.to_client)
    @rule()
    def client_reads(self) -> None:
        event: Any = self.client.receive_text(self.to_client.popleft().decode())
        if isinstance(event, ws.Next):
            assert event.operation.active
            assert event.result == {"data": self.query[id(event.operation)]}, "another operation's result"

    @precondition(lambda self: self.client.state is ws.State.READY and len(self.client.operations) < 5)
    @rule()
    def subscribe(self) -> None:
        self.count += 1
        operation, data = self.client.subscribe(f"{{ a{self.count} }}")
        self.asked.append(operation)
        self.query[id(operation)] = f"{{ a{self.count} }}"
        self.to_server.append(data)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def client_completes(self, data: st.DataObject) -> None:
        self._give(self.to_server, self.client.complete(data.draw(st.sampled_from(self.asked))))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), end=st.sampled_from(["next", "next", "complete", "error"]))
    def server_sends(self, data: st.DataObject, end: str) -> None:
        operation = data.draw(st.sampled_from(self.known))
        if end == "next":
            body = json.dumps({"data": self.query[id(operation)]}).encode()
            sent = self.server.send_next(operation, body)
        elif end == "error":
            sent = self.server.send_error(operation, b'[{"message":"no"}]')
        else:
            sent = self.server.send_complete(operation)
        assert not sent or operation in self.known
        self._give(self.to_client, sent)

    @invariant()
    def the_active_ones_are_listed(self) -> None:
        for machine, ever in ((self.server, self.known), (self.client, self.asked)):
            assert set(machine.operations) == {operation for operation in ever if operation.active}

    def teardown(self) -> None:
        while self.to_server or self.to_client:
            if self.to_server:
                self.server_reads()
            if self.to_client:
                self.client_reads()
        server = {operation.id for operation in self.server.operations}
        assert {operation.id for operation in self.client.operations} == server


TwoEnds.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestTwoEnds = TwoEnds.TestCase

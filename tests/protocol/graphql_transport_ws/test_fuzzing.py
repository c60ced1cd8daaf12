"""The invariants that fuzzing holds both roles to are noticed where they are broken."""

from __future__ import annotations

import pytest
from fuzz.graphql_transport_ws import check

from fraiseql.protocol import graphql_transport_ws as ws
from fraiseql.protocol.graphql_transport_ws import connection

SUBSCRIBE = b'{"id":"1","type":"subscribe","payload":{"query":"{a}"}}'
COMPLETE = b'{"id":"1","type":"complete"}'
SERVER = b"\2\1" + SUBSCRIBE + b"\xfe" + COMPLETE + b"\xfe!next"
CLIENT = b'\3\0{"id":"1","type":"next","payload":{}}\xfe' + COMPLETE


def _another_error(monkeypatch):
    monkeypatch.setattr(connection, "read_message", lambda text, types: {}["no such key"])


def _never_over(monkeypatch):
    def wrong(self, operation):
        del self._operations[operation.id]

    monkeypatch.setattr(connection.Connection, "_finish", wrong)
    monkeypatch.setattr(ws.ServerConnection, "_finish", wrong)


def _a_wrong_code(monkeypatch):
    monkeypatch.setattr(connection, "read_message", _raise(ws.RemoteProtocolError("no", status=4000)))


def _a_long_reason(monkeypatch):
    monkeypatch.setattr(connection, "read_message", _raise(ws.RemoteProtocolError("é" * 62, status=4400)))


def _raise(error):
    def wrong(text, types):
        raise error

    return wrong


@pytest.mark.parametrize("data", [SERVER, CLIENT])
@pytest.mark.parametrize(
    ("plant", "error"),
    [
        (_another_error, KeyError),
        (_never_over, AssertionError),
        (_a_wrong_code, AssertionError),
        (_a_long_reason, AssertionError),
    ],
)
def test_a_planted_fault_is_found(plant, error, data, monkeypatch):
    check(data)
    plant(monkeypatch)
    with pytest.raises(error):
        check(data)


def test_a_result_for_an_operation_that_is_over_is_found(monkeypatch):
    monkeypatch.setattr(ws.ServerConnection, "send_next", lambda self, operation, result: result)
    with pytest.raises(AssertionError):
        check(SERVER.replace(b"!next", b"x")[:-1] + b"!next")


def test_a_subscription_that_reads_back_as_another_is_found(monkeypatch):
    subscribe = ws.ClientConnection.subscribe
    monkeypatch.setattr(
        ws.ClientConnection, "subscribe", lambda self, query, **options: subscribe(self, query + " ", **options)
    )
    with pytest.raises(AssertionError):
        check(SERVER)

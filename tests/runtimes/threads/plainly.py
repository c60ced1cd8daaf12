"""A schema of plain functions, its tables, and clients that block."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fraiseql
from fraiseql import BlockingInfo
from fraiseql.errors import DatabaseError
from fraiseql.protocol import graphql_transport_ws as graphql
from fraiseql.protocol import http11, websocket
from fraiseql.runtimes.threads import ThreadedApp

TIMEOUT = 15.0

Make = Callable[..., ThreadedApp]

DDL = (
    "CREATE TABLE things (id int PRIMARY KEY, name text NOT NULL)",
    "INSERT INTO things SELECT i, 'thing ' || i FROM generate_series(1, 3) i",
    "CREATE FUNCTION nap(s float8) RETURNS text VOLATILE LANGUAGE sql AS $$ SELECT pg_sleep(s)::text $$",
    "CREATE VIEW slow_things AS SELECT i AS id, nap(i) AS name FROM (VALUES (0.3), (600)) v(i)",
    "CREATE VIEW large_things AS SELECT i AS id, repeat('x', 100000) AS name FROM generate_series(1, 200) i",
)


@fraiseql.type(sql_source="things", jsonb_column=None)
class Thing:
    id: int
    name: str

    @fraiseql.field(batch=True, needs=["id"])
    @staticmethod
    def doubled(things: list[Thing], info: BlockingInfo) -> list[int]:
        found = info.db.fetch_all("select i, 2 * i as twice from unnest($1::int[]) i", [each.id for each in things])
        twice = {row["i"]: row["twice"] for row in found}
        return [twice[each.id] for each in things]


@fraiseql.type(sql_source="slow_things", jsonb_column=None)
class SlowThing:
    id: float
    name: str


@fraiseql.type(sql_source="large_things", jsonb_column=None)
class LargeThing:
    id: int
    name: str


@fraiseql.query
def things() -> list[Thing]: ...


@fraiseql.query
def slow_things() -> list[SlowThing]: ...


@fraiseql.query
def large_things() -> list[LargeThing]: ...


bodies: dict[str, Callable[[BlockingInfo], Any]] = {}


@fraiseql.query
def run(info: BlockingInfo, name: str) -> fraiseql.JSON | None:
    """What a test put under the name."""
    return bodies[name](info)


@fraiseql.mutation
def add_thing(info: BlockingInfo, id: int, fails: bool = False) -> Thing | None:
    info.db.execute("insert into things values ($1, 'new')", id)
    try:
        with info.db.transaction():
            info.db.execute("insert into things values ($1, 'twice')", id)
    except DatabaseError:
        info.db.execute("update things set name = 'undone' where id = $1", id)
    if fails:
        raise ValueError("a secret")
    info.bus.publish("thing_added", {"id": id, "name": "told"})
    return info.db.find_one(Thing, id=id)


@fraiseql.subscription
def count(to: int) -> Iterator[int]:
    yield from range(1, to + 1)


@fraiseql.subscription(topic="thing_added", trust_payload=True)
def thing_added() -> Thing: ...


SCHEMA = fraiseql.Schema(
    types=[Thing, SlowThing, LargeThing],
    queries=[things, slow_things, large_things, run],
    mutations=[add_thing],
    subscriptions=[count, thing_added],
)


class Client:
    """One connection; requests one after the other."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._reader = self.socket.makefile("rb")

    def send(self, query: str, *headers: str) -> None:
        body = json.dumps({"query": query}).encode()
        lines = ["POST /graphql HTTP/1.1", "host: test", "content-type: application/json", *headers]
        head = "\r\n".join([*lines, f"content-length: {len(body)}"])
        self.socket.sendall(f"{head}\r\n\r\n".encode() + body)

    def receive(self) -> tuple[int, dict[str, str], Any]:
        """Status, fields and decoded body of the next answer."""
        status, fields = self.head()
        return status, fields, json.loads(self._reader.read(int(fields["content-length"])))

    def head(self) -> tuple[int, dict[str, str]]:
        lines = []
        while line := self._reader.readline().strip().decode():
            lines.append(line)
        if not lines:
            raise EOFError
        return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:])

    def ask(self, query: str) -> Any:
        self.send(query)
        return self.receive()[2]

    def read_until(self, text: bytes) -> bytes:
        found = b""
        while text not in found:
            if not (data := self._reader.read1(65_536)):
                raise EOFError(found)
            found += data
        return found

    def at_end(self) -> bool:
        """Whether the server closes, with nothing more to say."""
        try:
            return self._reader.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._reader.close()
        self.socket.close()


class WebSocketClient:
    """One WebSocket with graphql-transport-ws."""

    def __init__(self, port: int) -> None:
        handshake = websocket.ClientHandshake(
            b"127.0.0.1", b"/graphql", secrets.token_bytes(16), subprotocols=[graphql.SUBPROTOCOL]
        )
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        http = http11.ClientConnection()
        self._socket.sendall(http.send(handshake.request) + http.send(http11.EndOfMessage()))
        while not isinstance(response := http.next_event(), http11.Response):
            http.receive_data(self._socket.recv(65_536))
        handshake.check(response)
        self._frames = websocket.ClientConnection(None, None, masking_key=lambda: secrets.token_bytes(4))
        self._frames.receive_data(http.trailing_data)
        self._machine = graphql.ClientConnection()
        self._say(self._machine.connect(None))
        assert isinstance(self.next(), graphql.ConnectionAck)

    def subscribe(self, query: str) -> graphql.Operation:
        operation, message = self._machine.subscribe(query)
        self._say(message)
        return operation

    def complete(self, operation: graphql.Operation) -> None:
        self._say(self._machine.complete(operation))

    def next(self) -> Any:
        """What the server says next: an event of graphql-transport-ws, or the Close of the WebSocket."""
        while True:
            event = self._frames.next_event()
            if isinstance(event, websocket.Text):
                return self._machine.receive_text(event.data)
            if isinstance(event, websocket.Close):
                return event
            if not isinstance(event, websocket.Ping):
                if not (data := self._socket.recv(65_536)):
                    raise EOFError
                self._frames.receive_data(data)

    def close(self) -> None:
        self._socket.close()

    def _say(self, message: str | bytes) -> None:
        self._socket.sendall(self._frames.send_text(message))


@contextmanager
def connected(app: ThreadedApp | int) -> Iterator[Client]:
    """To an app, or to a port."""
    client = Client(app if isinstance(app, int) else app.port)
    try:
        yield client
    finally:
        client.close()


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that nobody tells of."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)

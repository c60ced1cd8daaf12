"""What stands for replicas: other databases with other contents, so that each answer says who gave it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict, make_conninfo

import fraiseql
from fraiseql import BlockingInfo
from fraiseql.effects import Fetch, Statement
from fraiseql.testing.embedded import EmbeddedPostgres

WHO = Statement(b"SELECT name FROM who", 1)
QUERY = Fetch(WHO, (), read_only=True)
WRITE = Fetch(Statement(b"INSERT INTO notes VALUES (1) RETURNING 'kept'", 1), (), read_only=True)
CONFLICT = Fetch(Statement(b"DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", 1), (), read_only=True)
MISTAKE = Fetch(Statement(b"SELECT nothing", 1), (), read_only=True)


def slow(seconds: float) -> Fetch:
    """Says who it is after so long."""
    return Fetch(Statement(b"SELECT name FROM who, pg_sleep(%g)" % seconds, 1), (), read_only=True)


@fraiseql.type(sql_source="who", jsonb_column=None)
class Server:
    name: str


@fraiseql.query
def servers() -> list[Server]: ...


@fraiseql.mutation
def note(info: BlockingInfo) -> bool:
    info.db.execute("insert into notes values (2)")
    return True


SCHEMA = fraiseql.Schema(types=[Server], queries=[servers], mutations=[note])
ASK = "{ servers { name } }"


def told_by(name: str) -> dict[str, object]:
    """The answer to ASK."""
    return {"data": {"servers": [{"name": name}]}}


@contextmanager
def databases(postgres: EmbeddedPostgres) -> Iterator[list[str]]:
    """Connection strings of the primary and two replicas."""
    names = ["the_primary", "replica_1", "replica_2"]
    for name in names:
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        postgres.execute(f"CREATE TABLE who AS SELECT '{name}'::text AS name", name)
        postgres.execute("CREATE TABLE notes (id int)", name)
    for name in names[1:]:
        postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    yield [postgres.conninfo_for(name) for name in names]
    for name in names:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def away(postgres: EmbeddedPostgres, name: str) -> Iterator[None]:
    """Ends the connections to a database, and lets nobody in meanwhile."""
    postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        for pid in postgres.backend_pids(name):
            postgres.execute(f"SELECT pg_terminate_backend({pid})")
        while postgres.backend_pids(name):
            time.sleep(0.005)
        yield
    finally:
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def uri(conninfo: str) -> str:
    """The same as a URI."""
    parts = conninfo_to_dict(conninfo)
    return f"postgresql:///{parts.pop('dbname')}?{urlencode(parts)}"


class Freezing:
    """Between the server and a replica: once frozen, it takes what comes and passes on nothing, until it is thawed.

    Attributes:
        conninfo: leads to it.
        connections: how many were made.
    """

    def __init__(self, conninfo: str) -> None:
        self._there = conninfo_to_dict(conninfo)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.conninfo = make_conninfo(**{**self._there, "host": "127.0.0.1", "port": port, "sslmode": "disable"})
        self.connections = 0
        self._thawed = threading.Event()
        self._thawed.set()
        self._is_over = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def freeze(self) -> None:
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def __enter__(self) -> Freezing:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        self.thaw()
        socket.create_connection(self._listener.getsockname()).close()
        self._threads[0].join()
        for each in self._sockets:
            _end(each)
        for thread in self._threads:
            thread.join()
        for each in (*self._sockets, self._listener):
            each.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            here, _ = self._listener.accept()
            self._sockets.append(here)
            if self._is_over:
                return
            self.connections += 1
            there = socket.socket(socket.AF_UNIX)
            self._sockets.append(there)
            there.connect(f"{self._there['host']}/.s.PGSQL.{self._there.get('port', 5432)}")
            self._start(self._pass_on, here, there)
            self._start(self._pass_on, there, here)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._thawed.wait()
                target.sendall(data)
        _end(source)
        _end(target)


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)

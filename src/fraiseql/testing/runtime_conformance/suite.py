"""Runs scenarios on a runtime."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from fraiseql.observations import InternalErrorMasked, Observation
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.schema import Schema
from fraiseql.testing.clock import FakeClock
from fraiseql.testing.runtime_conformance import steps as do
from fraiseql.testing.runtime_conformance.example import database_sql, reset_sql
from fraiseql.testing.runtime_conformance.peer import Peer
from fraiseql.testing.runtime_conformance.scenario import Runtime, Scenario, Served, Setup
from fraiseql.testing.runtime_conformance.witness import Witness

__all__ = ["Failed", "Suite", "run"]

# Nothing that happens by itself, and no two deadlines alike where one could be taken for another.
_SETTINGS: dict[str, Any] = {
    "port": 0,
    "http_head_timeout": 7.0,  # unlike any other, so that it can be told from them
    "http_write_timeout": 9.0,
    "pool_acquire_timeout": 8.0,
    "event_bus": "memory",
    "pool_max_size": 16,
    "pool_max_idle": 80_000.0,
    "pool_max_lifetime": 80_000.0,
    "subscription_outbox_poll": 80_000.0,
    "subscription_live_poll": 80_000.0,
    "subscription_live_interval": 0.0,
    "shutdown_grace": 6.0,
}


class Failed(AssertionError):
    """A scenario did not go as it should; says at which step."""


class _Server:
    """A server under test, its clock, and what it has observed."""

    def __init__(self, runtime: Runtime, schema: Schema, settings: dict[str, Any], name: str, url: str) -> None:
        self.name = name
        self.clock = FakeClock()
        self.seen: list[Observation] = []
        config = FraiseQLConfig(database_url=url, **{**_SETTINGS, **settings})
        setup = Setup(schema=schema, config=config, clock=self.clock, observe=self.seen.append)
        self.served: Served = runtime.start(setup)


class Suite:
    """Runs scenarios on one runtime; scenarios with the same settings share a server.

    Args:
        runtime: starts the servers.
        database_url: of an empty database that is the suite's alone; it makes its tables there. Its user must be
            allowed to see and to end the processes of the server.
        patience: real seconds for anything that is waited for; only what fails takes as long.
    """

    def __init__(self, runtime: Runtime, database_url: str, *, patience: float = 10.0) -> None:
        self._runtime = runtime
        self._patience = patience
        self._witness = Witness(database_url, patience)
        self._witness.execute(database_sql())
        self._servers: dict[Any, _Server] = {}

    def __enter__(self) -> Suite:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def run(self, scenario: Scenario) -> None:
        """Go through the steps of a scenario, and see that it leaves nothing behind.

        Raises:
            Failed: it went another way.
            ValueError: the runtime does not provide what it needs.
        """
        missing = scenario.needs - self._runtime.provides
        if missing:
            raise ValueError(
                f"{scenario.name!r} needs {', '.join(sorted(missing))}, which this runtime does not provide"
            )
        server = self._server(scenario)
        performance = _Performance(server, self._witness, self._patience)
        try:
            performance.run(scenario)
        except BaseException:
            performance.close()
            self._drop(server)  # who knows in which state it is
            raise
        finally:
            performance.close()
            self._witness.execute(reset_sql)
        if scenario.stops_its_server:
            self._drop(server)

    def close(self) -> None:
        """Stop all servers."""
        try:
            for server in self._servers.values():
                server.served.stop()
        finally:
            self._servers.clear()
            self._witness.close()

    def _server(self, scenario: Scenario) -> _Server:
        key = scenario.name if scenario.stops_its_server else (id(scenario.schema), scenario.settings)
        if key not in self._servers:
            name = self._witness.new_name()
            url = self._witness.url_for(name)
            self._servers[key] = _Server(self._runtime, scenario.schema, dict(scenario.settings), name, url)
        return self._servers[key]

    def _drop(self, server: _Server) -> None:
        self._servers = {key: other for key, other in self._servers.items() if other is not server}
        server.served.stop()


def run(scenario: Scenario, runtime: Runtime, database_url: str) -> None:
    """Run one scenario by itself; see Suite, which is quicker for many."""
    with Suite(runtime, database_url) as suite:
        suite.run(scenario)


class _Performance:
    """One run of one scenario."""

    def __init__(self, server: _Server, witness: Witness, patience: float) -> None:
        self._server = server
        self._witness = witness
        self._patience = patience
        self._peers: dict[str, Peer] = {}
        self._values: dict[bytes, bytes] = {}
        self._seen = len(server.seen)

    def run(self, scenario: Scenario) -> None:
        """All steps, and the look at what is left."""
        for number, step in enumerate(scenario.steps, 1):
            try:
                self._take(step)
            except Exception as error:
                raise Failed(f"{scenario.name}, step {number}, {_told(step)}: {error}") from error
        try:
            self._end()
        except Exception as error:
            raise Failed(f"{scenario.name}, after the last step: {error}") from error

    def close(self) -> None:
        """Let go of all."""
        for peer in self._peers.values():
            peer.close()
        self._witness.release()

    def _take(self, step: do.Step) -> None:
        match step:
            case do.Connect(client, buffer):
                if client in self._peers:
                    self._leave(client)
                self._peers[client] = Peer(self._server.served.address, self._patience, self._values, buffer)
            case do.Send(data, client):
                self._peers[client].send(data)
            case do.SendBytewise(data, client):
                self._peers[client].send_bytewise(data)
            case do.Flood(data, client, most):
                self._peers[client].flood(data, most)
            case do.Expect(data, client):
                self._peers[client].expect(data)
            case do.ExpectEnd(client):
                self._peers[client].expect_end()
            case do.ExpectCut(client):
                self._peers[client].expect_cut()
            case do.HalfClose(client):
                self._peers[client].half_close()
            case do.Reset(client):
                self._peers[client].reset()
            case do.Due(seconds):
                self._server.clock.wait_until_due(seconds, self._patience)
            case do.Advance(seconds):
                self._advance(seconds)
            case do.Drain():
                self._server.served.drain()
            case do.ExpectStopped():
                self._expect_stopped()
            case _:
                self._watch(step)

    def _watch(self, step: do.Step) -> None:
        """The steps beside the server."""
        witness, name = self._witness, self._server.name
        match step:
            case do.Lock(table):
                witness.lock(table)
            case do.Release():
                witness.release()
            case do.Waiting(count):
                witness.until(
                    lambda: len(witness.waiting(name)) == count,
                    lambda: f"{len(witness.waiting(name))} statements wait",
                )
            case do.Listening(count):
                witness.until(
                    lambda: self._server.served.listening_streams == count,
                    lambda: f"{self._server.served.listening_streams} streams wait",
                )
            case do.Kill():
                witness.kill(name)
            case do.Execute(sql):
                witness.execute(sql)
            case do.Rows(sql, rows):
                found = tuple(witness.execute(sql))
                if found != rows:
                    raise AssertionError(f"the database gives {found}")
            case do.Observe():
                self._observe(step)

    def _advance(self, seconds: float) -> None:
        """Let time pass where nothing is under way that would take none, were the clock a real one."""
        witness, name = self._witness, self._server.name
        witness.until(lambda: not witness.at_work(name), lambda: f"{witness.at_work(name)} statements are at work")
        self._server.clock.advance(seconds)

    def _observe(self, step: do.Observe) -> None:
        def matches(seen: Observation) -> bool:
            return isinstance(seen, step.kind) and all(
                getattr(seen, field) == value for field, value in step.fields.items()
            )

        def found() -> bool:
            for number, seen in enumerate(self._server.seen[self._seen :], self._seen + 1):
                if matches(seen):
                    self._seen = number
                    return True
            return False

        self._witness.until(found, lambda: f"it is not among {self._server.seen[self._seen :]}")

    def _expect_stopped(self) -> None:
        served, witness, name = self._server.served, self._witness, self._server.name
        witness.until(lambda: served.has_stopped, lambda: "the server has not stopped")
        witness.until(
            lambda: witness.connections(name) == 0,
            lambda: f"{witness.connections(name)} connections to the database are left",
        )

    def _leave(self, client: str) -> None:
        """The client has read all, and goes."""
        peer = self._peers[client]
        peer.check()
        peer.close()

    def _end(self) -> None:
        """No byte too many, and no connection, operation, statement or transaction left."""
        for client in self._peers:
            self._leave(client)
        witness, name, served = self._witness, self._server.name, self._server.served
        if served.has_stopped:
            return
        witness.until(lambda: not served.active_connections, lambda: f"{served.active_connections} clients are left")
        witness.until(
            lambda: not served.lent_connections,
            lambda: f"{served.lent_connections} connections to the database are not given back",
        )
        witness.until(lambda: not served.listening_streams, lambda: f"{served.listening_streams} streams are left")
        witness.until(lambda: not witness.states(name), lambda: f"the database is left with {witness.states(name)}")
        witness.release()
        for seen in self._server.seen[self._seen :]:
            if isinstance(seen, InternalErrorMasked):
                raise AssertionError(f"it observed {seen}") from seen.error


def _told(step: do.Step) -> str:
    text = repr(step)
    return text if len(text) <= 200 else f"{text[:200]}..."

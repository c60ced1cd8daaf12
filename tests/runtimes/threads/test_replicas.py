"""Read replicas on threads: as under asyncio and trio."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from fraiseql.effects import Fetch, Isolation
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.threads import ThreadedApp
from fraiseql.runtimes.threads.replicas import RoutedDatabase
from fraiseql.runtimes.threads.waiting import Interrupted, Patience
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.replicas import ASK, CONFLICT, MISTAKE, QUERY, SCHEMA, WHO, WRITE, Freezing, away, slow, told_by, uri
from runtimes.threads.plainly import WebSocketClient, connected, until

Sleepers = Callable[[int], None]


@contextmanager
def opened(primary: str, *replicas: str, well: int | None = None, **limits: Any) -> Iterator[RoutedDatabase]:
    database = RoutedDatabase(primary, replicas, PoolLimits(**{"backoff_initial": 0.02, **limits}), [].append)
    database.start()
    try:
        until(lambda: database.replicas >= (len(replicas) if well is None else well))
        yield database
    finally:
        database.close(2.0)


class Leaving(Patience):
    """Somebody who waits no longer than that."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._by = self.now() + seconds

    def wait(self, fd: int | None, events: int, until: float | None) -> int:
        ready = super().wait(fd, events, self._by if until is None else min(until, self._by))
        if not ready and self.now() >= self._by:
            raise Interrupted
        return ready


def who(database: RoutedDatabase, effect: Fetch = QUERY, patience: float = 10.0) -> str:
    with Leaving(patience) as waiter:
        (name,) = database.perform(effect, waiter)
    return (name or b"").decode()


def test_only_what_only_reads_runs_on_a_replica(urls: list[str]) -> None:
    with opened(*urls[:2]) as database, Patience() as waiter:
        assert who(database) == "replica_1"
        assert who(database, replace(QUERY, settings=((b"app.x", b"1"),))) == "replica_1"
        assert who(database, Fetch(WHO, ())) == "the_primary"
        assert who(database, replace(QUERY, primary=True)) == "the_primary"
        transaction = database.begin(Isolation.READ_COMMITTED, waiter)
        assert who(database, replace(QUERY, transaction=transaction)) == "the_primary"
        transaction.commit((), waiter)


def test_the_replica_with_the_least_to_do_is_chosen(urls: list[str], sleepers: Sleepers) -> None:
    with opened(*urls) as database, ThreadPoolExecutor(4) as pool:
        asked = []
        for number in range(4):
            asked.append(pool.submit(who, database, slow(1.0)))
            sleepers(number + 1)
        assert sorted(each.result() for each in asked) == ["replica_1", "replica_1", "replica_2", "replica_2"]


def test_what_writes_after_all_runs_on_the_primary(postgres: EmbeddedPostgres, urls: list[str]) -> None:
    postgres.execute("TRUNCATE notes", "the_primary")
    with opened(*urls[:2]) as database:
        assert who(database, WRITE) == "kept"
        assert who(database, WRITE) == "kept"
        assert postgres.execute("SELECT count(*) FROM notes", "the_primary") == [(2,)]
        assert who(database) == "replica_1"
        assert database.replicas == 1


def test_a_replica_that_is_away_is_passed_over_and_tried_again(postgres: EmbeddedPostgres, urls: list[str]) -> None:
    with opened(*urls[:2]) as database:
        assert who(database) == "replica_1"
        with away(postgres, "replica_1"):
            assert [who(database) for _ in range(3)] == ["the_primary"] * 3
            assert database.replicas == 0
        until(lambda: who(database) == "replica_1")


def test_what_runs_when_a_replica_goes_runs_elsewhere(
    postgres: EmbeddedPostgres, urls: list[str], sleepers: Sleepers
) -> None:
    with opened(*urls[:2]) as database, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(who, database, slow(0.3))
        sleepers(1)
        for pid in postgres.backend_pids("replica_1"):
            postgres.execute(f"SELECT pg_terminate_backend({pid})")
        assert asked.result() == "the_primary"


def test_a_conflict_with_recovery_runs_on_the_primary_and_an_error_of_the_statement_does_not(urls: list[str]) -> None:
    with opened(*urls[:2]) as database:
        for effect, sqlstate in ((CONFLICT, "40001"), (MISTAKE, "42703")):  # the primary says the same here
            with pytest.raises(DatabaseError) as caught:
                who(database, effect)
            assert caught.value.sqlstate == sqlstate
            assert database.replicas == 1


def test_without_any_replica_the_primary_answers(urls: list[str]) -> None:
    with opened(urls[0], "host=127.0.0.1 port=1", well=0) as database:
        assert who(database) == "the_primary"


def test_a_cancelled_query_ends_on_its_replica(urls: list[str], sleepers: Sleepers) -> None:
    with opened(*urls[:2]) as database:
        with pytest.raises(Interrupted):
            who(database, slow(60.0), 0.2)
        sleepers(0)
        assert who(database) == "replica_1"


@contextmanager
def freezing(
    urls: list[str], monkeypatch: pytest.MonkeyPatch, **limits: Any
) -> Iterator[tuple[Freezing, RoutedDatabase]]:
    monkeypatch.setattr("fraiseql.runtimes.routing._SILENCE", 0.05)
    limits = {"connect_timeout": 0.2, "recovery_timeout": 0.1, **limits}
    with Freezing(urls[1]) as replica, opened(urls[0], replica.conninfo, **limits) as database:
        yield replica, database


def test_a_frozen_replica_is_given_up_and_used_again_once_it_answers(
    urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with freezing(urls, monkeypatch, backoff_initial=0.01) as (replica, database), ThreadPoolExecutor(20) as pool:
        assert who(database) == "replica_1"
        replica.freeze()
        asked = [pool.submit(who, database) for _ in range(20)]
        assert [each.result() for each in asked] == ["the_primary"] * 20
        before = replica.connections
        while replica.connections < before + 3:  # its connections of before seem to be open: they prove nothing
            assert database.replicas == 0
            assert who(database) == "the_primary"
        replica.thaw()
        until(lambda: who(database) == "replica_1")


def test_what_waits_for_a_connection_to_a_frozen_replica_runs_on_the_primary_too(
    urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with freezing(urls, monkeypatch, max_size=1) as (replica, database), ThreadPoolExecutor(4) as pool:
        monkeypatch.setattr("fraiseql.runtimes.routing._SILENCE", 0.01)  # it is given up before they wait in earnest
        replica.freeze()
        asked = [pool.submit(who, database, QUERY, 5.0) for _ in range(4)]
        assert [each.result() for each in asked] == ["the_primary"] * 4


def test_queries_that_are_given_up_on_a_frozen_replica_count_against_it(
    urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with freezing(urls, monkeypatch) as (replica, database):
        assert who(database) == "replica_1"
        replica.freeze()
        with suppress(Interrupted):
            who(database, QUERY, 0.02)  # sooner than anybody gives it up
        until(lambda: not database.replicas)  # though nobody waits any more
        assert who(database) == "the_primary"


def test_a_slow_query_stays_on_its_replica(urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with freezing(urls, monkeypatch, connect_timeout=5.0, max_size=1) as (replica, database):
        monkeypatch.setattr("fraiseql.runtimes.routing._SILENCE", 0.3)
        before = replica.connections
        assert who(database, slow(0.5)) == "replica_1"
        assert replica.connections > before  # it was asked
        assert database.replicas == 1


def test_closing_waits_for_what_runs_on_a_replica_and_leaves_no_thread(urls: list[str], sleepers: Sleepers) -> None:
    before = threading.active_count()
    with ThreadPoolExecutor(1) as pool:
        with opened(*urls[:2]) as database:
            asked = pool.submit(who, database, slow(0.3))
            sleepers(1)
        assert asked.result() == "replica_1"
        assert database.replicas == 0
    until(lambda: threading.active_count() <= before)


def test_a_client_that_has_written_is_answered_by_the_primary(urls: list[str]) -> None:
    config = FraiseQLConfig(port=0, replica_urls=uri(urls[1]), subscription_close_spread=0.05)
    with ThreadedApp(SCHEMA, urls[0], config) as app, connected(app) as client, connected(app) as other:
        until(lambda: client.ask(ASK) == told_by("replica_1"))
        assert client.ask("mutation { note }") == {"data": {"note": True}}
        assert client.ask(ASK) == told_by("the_primary")
        assert other.ask(ASK) == told_by("replica_1")


def test_so_is_a_client_of_a_websocket(urls: list[str]) -> None:
    config = FraiseQLConfig(port=0, replica_urls=uri(urls[1]), subscription_close_spread=0.05)
    with ThreadedApp(SCHEMA, urls[0], config) as app:
        client = WebSocketClient(app.port)

        def ask(query: str) -> Any:
            client.subscribe(query)
            answer = client.next()
            client.next()
            return answer.result

        until(lambda: ask(ASK) == told_by("replica_1"))
        assert ask("mutation { note }") == {"data": {"note": True}}
        assert ask(ASK) == told_by("the_primary")
        client.close()

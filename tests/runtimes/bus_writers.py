"""Writers that fill an outbox from threads, and what is true of the events that they have committed."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg

from fraiseql.effects import Event


@dataclass
class Transaction:
    """One that was committed: its events by number, and when it began and had ended, counted over all writers."""

    began: int
    ended: int
    numbers: list[int]


@dataclass
class Writers:
    """Writes from several threads at once, with overlapping transactions, rollbacks and savepoints.

    Attributes:
        conninfo: where to.
        committed: by writer, in the order in which each has committed.
    """

    conninfo: str
    committed: dict[int, list[Transaction]] = field(default_factory=dict)
    clock: Any = field(default_factory=lambda: itertools.count(1))

    def write(self, writer: int, count: int) -> None:
        """Commit at least `count` events, whatever happens to the server meanwhile."""
        chance = random.Random(writer)
        transactions = self.committed[writer] = []
        numbers = itertools.count(1)
        connection: psycopg.Connection[Any] | None = None
        written = 0
        while written < count:
            began = next(self.clock)
            try:
                connection = connection or psycopg.connect(self.conninfo, autocommit=True)
                kept = self._transaction(connection, writer, numbers, chance)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                connection = None
                kept = self._committed_after_all(writer)
            if kept:
                written += len(kept)
                transactions.append(Transaction(began, next(self.clock), kept))
        if connection is not None:
            connection.close()

    def _transaction(
        self, connection: psycopg.Connection[Any], writer: int, numbers: Any, chance: random.Random
    ) -> list[int]:
        kept: list[int] = []
        connection.execute("BEGIN")
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            number = next(numbers)
            connection.execute("SAVEPOINT one")
            connection.execute(
                "SELECT fraiseql_publish('written', jsonb_build_array(%s::int, %s::int))", (writer, number)
            )
            if chance.random() < 0.1:
                connection.execute("ROLLBACK TO one")
            else:
                kept.append(number)
            if chance.random() < 0.3:
                time.sleep(chance.random() * 0.004)
        if chance.random() < 0.1:
            connection.execute("ROLLBACK")
            return []
        connection.execute("COMMIT")
        return kept

    def _committed_after_all(self, writer: int) -> list[int]:
        """What a transaction whose end was cut off has left: all of it, or nothing."""
        known = {number for transaction in self.committed[writer] for number in transaction.numbers}
        while True:
            try:
                with psycopg.connect(self.conninfo) as connection:
                    rows = connection.execute(
                        "SELECT (payload ->> 1)::int FROM fraiseql_outbox"
                        " WHERE payload -> 0 = to_jsonb(%s::int) ORDER BY 1",
                        (writer,),
                    ).fetchall()
                return [number for (number,) in rows if number not in known]
            except psycopg.OperationalError:
                time.sleep(0.02)

    @property
    def total(self) -> int:
        return sum(len(transaction.numbers) for all_ in self.committed.values() for transaction in all_)

    def check(self, events: list[Event]) -> None:
        """Each event once, each writer's in order, and none before one committed before its transaction began."""
        seen = [tuple(event.payload) for event in events]
        assert len(seen) == len(set(seen)), "an event was delivered twice"
        by_event = {
            (writer, number): transaction
            for writer, transactions in self.committed.items()
            for transaction in transactions
            for number in transaction.numbers
        }
        assert set(seen) == set(by_event), "an event was lost, or made up"
        for writer in self.committed:
            numbers = [number for owner, number in seen if owner == writer]
            assert numbers == sorted(numbers), "a writer's events are out of order"
        earliest_end = float("inf")  # of those delivered later
        for event in reversed(seen):
            assert earliest_end > by_event[event].began, "an event came before one committed before it began"
            earliest_end = min(earliest_end, by_event[event].ended)

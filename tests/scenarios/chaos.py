"""Clients that write at random over HTTP, and a killer of the backends that serve them."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
import psycopg

from scenarios.clients import Client, connected
from scenarios.history import Attempt, Told, told_by
from scenarios.watching import Bank

__all__ = ["ACCOUNTS", "Killer", "Server", "Writer"]

ACCOUNTS = 8
_SAME = "status account { id balance entries(limit: 1) { token } }"
_UNION = f"{{ __typename ... on Transferred {{ {_SAME} }} ... on TransferRefused {{ code message fields }} }}"


@dataclass(frozen=True, slots=True)
class Server:
    """One of several servers of the same database.

    Attributes:
        careful: whether careless functions are safe there.
        is_whole: whether all root fields are one transaction.
    """

    port: int
    careful: bool = False
    is_whole: bool = True


@dataclass(slots=True)
class Writer:
    """A client: one mutation after the other, on whichever server, until it is told to stop.

    Attributes:
        attempts: all of them, in order.
        statuses: of the answers that were whole.
    """

    name: str
    servers: Sequence[Server]
    seed: str
    attempts: list[Attempt] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    is_over: bool = False
    is_busy: bool = False
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def run(self) -> None:
        chance = random.Random(f"{self.seed} {self.name}")
        while not self.is_over:
            self.is_busy = True
            await self._mutate(chance)
            self.is_busy = False

    async def _mutate(self, chance: random.Random) -> None:
        """One mutation; with a key it is tried until it has an answer, and at times once more."""
        server = chance.choice(self.servers)
        tokens = [f"{self.name}.{next(self._numbers)}" for _ in range(chance.choice((1, 1, 1, 2, 3, 5)))]
        keys = [f"f{number}" for number in range(len(tokens))]
        document, variables = _document(chance, server, tokens, keys)
        key = f"key {tokens[0]}".replace(" ", "-") if chance.random() < 0.5 else None
        again = 2 if key is not None and chance.random() < 0.3 else 1
        while again:
            # At times the client leaves before its answer is there.
            patience = chance.random() * 0.05 if chance.random() < 0.05 else None
            answer = await self._ask(server, document, variables, key, patience)
            told = told_by(None if answer is None else json.loads(answer), keys)
            self.attempts.append(Attempt(tuple(tokens), told, key, server.is_whole or key is not None, answer))
            if key is None or Told.UNKNOWN not in told:
                again -= 1

    async def _ask(
        self, server: Server, document: str, variables: Mapping[str, Any], key: str | None, patience: float | None
    ) -> bytes | None:
        fields = {} if key is None else {"idempotency-key": key}
        with anyio.move_on_after(patience):
            async with connected(server.port) as client:
                answer = await _answer(client, document, variables, fields)
                self.answers.append(answer)
                return answer.body
        return None


async def _answer(client: Client, document: str, variables: Mapping[str, Any], fields: Mapping[str, str]) -> Any:
    return await client.ask(document, variables, accept="application/graphql-response+json", **fields)


def _document(
    chance: random.Random, server: Server, tokens: Sequence[str], keys: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """A mutation with one root field for each token."""
    names: list[str] = []
    types: list[str] = []
    variables: dict[str, Any] = {}

    def variable(kind: str, value: Any) -> str:
        name = f"v{len(names)}"
        names.append(name)
        types.append(f"${name}: {kind}")
        variables[name] = value
        return f"${name}"

    if len(tokens) == 1 and chance.random() < 0.03:  # alone, as it keeps its locks for as long
        fields = [f"{keys[0]}: stall(token: {variable('String!', tokens[0])})"]
    else:
        fields = [f"{key}: {_field(chance, server, token, variable)}" for token, key in zip(tokens, keys, strict=True)]
    return f"mutation ({', '.join(types)}) {{ {' '.join(fields)} }}", variables


def _field(chance: random.Random, server: Server, token: str, variable: Any) -> str:
    kind = chance.choice(("transfer", "transfer", "careless", "count", "create", "wrong", "note", "plainNote"))
    if kind in ("note", "plainNote"):
        return f"{kind}(token: {variable('String!', token)})"
    if kind == "count":
        return f"count(name: {variable('String!', chance.choice('xy'))}, token: {variable('String!', token)})"
    if kind == "create":
        given = variable("CreateEntryInput!", {"token": token, "amount": chance.randrange(1, 10)})
        return f"createEntry(input: {given}) {{ id token }}"
    if kind == "wrong" and chance.random() < 0.5:  # COMMIT refuses it
        return f"dangle(token: {variable('String!', token)})"
    source, target = chance.sample(range(1, ACCOUNTS + 1), 2)
    if kind == "wrong":
        source, target = chance.choice(((source, 999), (999, target)))
    name = "carelessTransfer" if kind == "careless" and server.careful else "transfer"
    given = {"token": token, "source": source, "target": target, "amount": chance.randrange(0, 30)}
    return f"{name}(input: {variable('TransferInput!', given)}) {_UNION}"


@dataclass(slots=True)
class Killer:
    """Ends backends of one database at random: by `kill -9`, which ends all of the server's, or by asking.

    Attributes:
        killed: how many by `kill -9`.
        ended: how many by pg_terminate_backend.
        stalled: how many of either had committed something, and told nobody yet.
    """

    bank: Bank
    seed: str
    pause: float = 0.3
    killed: int = 0
    ended: int = 0
    stalled: int = 0
    is_over: bool = False

    async def run(self) -> None:
        chance = random.Random(f"{self.seed} killer")
        while not self.is_over:
            await anyio.sleep(chance.random() * 2 * self.pause)
            await anyio.to_thread.run_sync(self._strike, chance)

    def _strike(self, chance: random.Random) -> None:
        found: list[tuple[int, bool]] = self.bank.execute(
            "select pid, wait_event is not distinct from 'SyncRep' from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        stalled = [each for each in found if each[1]]
        if not found:
            return
        pid, is_stalled = chance.choice(stalled if stalled and chance.random() < 0.7 else found)
        try:
            if chance.random() < 0.4:
                self.bank.postgres.kill_backend(pid)
                self.killed += 1
            else:
                self.bank.execute(f"select pg_terminate_backend({pid})")
                self.ended += 1
            self.stalled += is_stalled
        except (psycopg.OperationalError, ValueError, ProcessLookupError):
            return  # it is gone already, or the server recovers: there is a next time

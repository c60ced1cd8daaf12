"""Runtimes that are wrong on purpose: the suite has to notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from fraiseql.session import (
    CancelOperation,
    ClientSession,
    CloseConnection,
    Command,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    OperationEnded,
    SendData,
    SessionEvent,
)
from fraiseql.testing.runtime_conformance import SCENARIOS, AsyncioRuntime, Failed, Scenario, Suite, ThreadsRuntime
from fraiseql.testing.runtime_conformance.example import PLAIN
from fraiseql.testing.runtime_conformance.exchanges import answer, failure, post, request
from fraiseql.testing.runtime_conformance.steps import (
    Connect,
    Expect,
    ExpectEnd,
    Flood,
    Lock,
    Observe,
    Rows,
    Send,
    Waiting,
)

Handle: TypeAlias = Callable[[SessionEvent], list[Command]]
Mistake: TypeAlias = Callable[[Handle, SessionEvent], list[Command]]


def deaf_to(kind: type[SessionEvent]) -> Mistake:
    """Tells the session nothing of one kind."""
    return lambda handle, event: [] if isinstance(event, kind) else handle(event)


def without(kind: type[Any]) -> Mistake:
    """Does nothing of one kind that the session says."""
    return lambda handle, event: [command for command in handle(event) if not isinstance(command, kind)]


def swapping(handle: Handle, event: SessionEvent) -> list[Command]:
    """Sends the other way round what is to be sent."""
    commands = handle(event)
    sent = [command for command in commands if isinstance(command, SendData)]
    return [*reversed(sent), *(command for command in commands if not isinstance(command, SendData))]


def repeating(handle: Handle, event: SessionEvent) -> list[Command]:
    """Sends answers of operations twice."""
    commands = handle(event)
    return commands * 2 if isinstance(event, OperationEnded) else commands


def losing(handle: Handle, event: SessionEvent) -> list[Command]:
    """Loses the last byte of what is large."""
    return [
        SendData(command.data[:-1]) if isinstance(command, SendData) and len(command.data) > 100_000 else command
        for command in handle(event)
    ]


CAUGHT = [
    ("swapped answers", swapping, "two answers that come at once keep their order"),
    ("an answer twice", repeating, "a query by POST"),
    ("a byte lost", losing, "a large answer"),
    ("a half-close lost", deaf_to(EofReceived), "a client that closes its side between requests"),
    ("a leaving client lost", deaf_to(EofReceived), "a client that closes its side while its query runs has left"),
    ("SQL not cancelled", without(CancelOperation), "a query that its client completes is cancelled with its SQL"),
    ("never closed", without(CloseConnection), "a client that asks to close"),
    ("deadlines forgotten", deaf_to(DeadlineReached), "a body that comes too slowly"),
    ("draining forgotten", deaf_to(DrainRequested), "a server that stops closes idle connections at once"),
]  # fmt: skip


THREADED = ["swapped answers", "a half-close lost", "SQL not cancelled", "deadlines forgotten"]


def scenario_named(name: str) -> Scenario:
    (found,) = [scenario for scenario in SCENARIOS if str(scenario) == name]
    return found


@pytest.fixture(scope="module")
def suites(new_database: Callable[[], str]) -> Iterator[dict[str, Suite]]:
    """Those that soon lose patience."""
    with (
        Suite(AsyncioRuntime(), new_database(), patience=0.3) as first,
        Suite(ThreadsRuntime(), new_database(), patience=0.3) as second,
    ):
        yield {"asyncio": first, "threads": second}


@pytest.fixture(scope="module")
def suite(new_database: Callable[[], str]) -> Iterator[Suite]:
    with Suite(AsyncioRuntime(), new_database(), patience=1.0) as suite:
        yield suite


@pytest.mark.parametrize(
    ("runtime", "mistake", "name"),
    [("asyncio", mistake, name) for _, mistake, name in CAUGHT]
    + [("threads", mistake, name) for what, mistake, name in CAUGHT if what in THREADED],
    ids=[f"asyncio, {what}" for what, _, _ in CAUGHT] + [f"threads, {what}" for what in THREADED],
)
def test_a_mistake_is_noticed(
    runtime: str, mistake: Mistake, name: str, suites: dict[str, Suite], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ClientSession.handle

    def handle(session: ClientSession, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        return mistake(lambda event: original(session, event, now, date), event)

    monkeypatch.setattr(ClientSession, "handle", handle)
    with pytest.raises(Failed, match=name):
        suites[runtime].run(scenario_named(name))


BLUNDER = failure("Internal server error.", "INTERNAL_SERVER_ERROR", b"null", "blunder")
HEALTH, HEALTHY = request(b"GET", b"/health"), answer(200, b'{"status":"ok"}')
WRONG = [
    ("another answer", [Send(HEALTH), Expect(answer(200, b'{"status":"no"}'))], r"step 3, Expect.*\n but came b'HTTP"),
    ("more than there is", [Send(HEALTH), Expect(HEALTHY + b"!")], r"and then nothing more in"),
    ("less than there is", [Send(HEALTH), Expect(HEALTHY[:-1])], r"after the last step: .* but came b'\}'"),
    ("the end", [ExpectEnd()], "step 2, ExpectEnd.*still open"),
    ("rows", [Rows("select count(*) from note", ((3,),))], r"the database gives \(\(2,\),\)"),
    ("a statement", [Waiting(1)], "0 statements wait"),
    ("what is not observed", [Send(HEALTH), Expect(HEALTHY), Observe(OperationEnded)], "it is not among"),  # type: ignore[list-item]
    ("an error in Python", [Send(post("{ blunder }")), Expect(BLUNDER)], "it observed InternalErrorMasked"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_expectation_is_told(steps: list[Any], message: str, suite: Suite) -> None:
    scenario = Scenario(name="wrong", schema=PLAIN, steps=(Connect(), *steps))
    with pytest.raises(Failed, match=rf"(?s)^wrong, .*{message}"):
        suite.run(scenario)


def test_an_operation_that_is_left_is_noticed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is gone, and its statement still waits."""
    original = ClientSession.handle

    def handle(session: ClientSession, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        if isinstance(event, EofReceived):
            return []
        return original(session, event, now, date)

    monkeypatch.setattr(ClientSession, "handle", handle)
    steps = (Connect(), Lock("note"), Send(post("{ note(id: 1) { id } }")), Waiting(1))
    with pytest.raises(Failed, match=r"after the last step: .* left|not given back"):
        suite.run(Scenario(name="left", schema=PLAIN, steps=steps))


@pytest.mark.parametrize("runtime", ["asyncio", "threads"])
def test_a_runtime_that_reads_on_is_noticed(
    runtime: str, suites: dict[str, Suite], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientSession, "wants_data", True)
    steps = (
        Connect(),
        Lock("note"),
        Send(post("{ note(id: 1) { id } }")),
        Waiting(1),
        Flood(b"\r\n" * 100, most=10_000_000),
    )
    with pytest.raises(Failed, match="and still reads"):
        suites[runtime].run(Scenario(name="reads on", schema=PLAIN, steps=steps))

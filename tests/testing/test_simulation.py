"""The simulation: a thousand worlds in which all is well, and broken servers in which it finds what is wrong."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from fraiseql.errors import DatabaseError
from fraiseql.postgres import Pool
from fraiseql.runtimes.clients import ClientDriver
from fraiseql.runtimes.dispatching import Ticket
from fraiseql.runtimes.sharing import Sharing
from fraiseql.runtimes.threads.connection import ClientConnection
from fraiseql.runtimes.threads.streaming import GivenOperation
from fraiseql.runtimes.threads.waiting import Interrupted
from fraiseql.session import HttpSession, SendingPaused
from fraiseql.session.delivery import Delivery
from fraiseql.session.event_stream import EventStream
from fraiseql.testing.simulation import Runtime, SimulatedLoop, failure_of, simulate
from fraiseql.testing.simulation.__main__ import main
from fraiseql.testing.simulation.network import Wire

SEEDS = 1_000  # half of them for each runtime
PARTS = 4
WITHIN = 400  # seeds, in which what is broken has to be found


@pytest.mark.parametrize("runtime", ["loops", "threads"])
@pytest.mark.parametrize("part", range(PARTS))
def test_all_is_well(part: int, runtime: Runtime) -> None:
    shared = []
    for seed in range(part, SEEDS // 2, PARTS):
        outcome = simulate(seed, runtime)
        assert not outcome.violations, f"{outcome.story.text()}{failure_of(outcome)}"
        shared.append(outcome.shared)
    assert sum(shared) >= 200 // PARTS, "statements have hardly ever shared a round trip"
    assert sum(map(bool, shared)) >= 30 // PARTS


@pytest.mark.parametrize("runtime", ["loops", "threads"])
def test_a_seed_gives_one_story_whatever_hashes_are(runtime: Runtime) -> None:
    code = (
        "import sys; from fraiseql.testing.simulation import simulate\n"
        f"for seed in range(40): sys.stdout.write(simulate(seed, {runtime!r}).story.text())"
    )

    def stories(hash_seed: str) -> bytes:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        return subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True).stdout

    first = stories("1")
    assert len(first) > 100_000
    assert first == stories("4242")
    in_this_process = "".join(simulate(seed, runtime).story.text() for seed in range(40))
    assert first.decode() == in_this_process  # with caches that are warm


# Broken servers: each is a patch of one method


def answers_twice(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: ClientDriver, data: bytes) -> None:
        original(self, data)
        if b'"data"' in data and len(data) % 7 == 0:
            original(self, data)

    return send


def forgets_to_release(original: Callable[..., Any]) -> Callable[..., Any]:
    def ended(self: Any, row: Any, error: Exception | None) -> None:
        if isinstance(error, DatabaseError) and not self.shares:
            self._done(row, error)
        else:
            original(self, row, error)

    return ended


def mixes_up_rows(original: Callable[..., Any]) -> Callable[..., Any]:
    kept: list[Any] = []

    def ended(self: Any, row: Any, error: Exception | None) -> None:
        kept.append(row)
        original(self, kept.pop(0) if len(kept) > 5 and row is not None else row, error)

    return ended


def loses_cancels(original: Callable[..., Any]) -> Callable[..., Any]:
    def abandon(self: Any, then: Any = None) -> None:
        self._done = None

    return abandon


def releases_before_the_cancel(original: Callable[..., Any]) -> Callable[..., Any]:
    def cancel(self: Any, reason: str, error: Any = None) -> None:
        self.link.abandon(self, lambda: None)
        self.release(reason)

    return cancel


def lets_operations_run(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, operation_id: self._operations.pop(operation_id, None)


def lets_all_wait(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, now: None


def keeps_all_results(original: Callable[..., Any]) -> Callable[..., Any]:
    def keep(self: Any, emission: Any, is_state: bool) -> bool:
        self._kept.append(emission)
        return True

    return keep


def answers_who_does_not_read(original: Callable[..., Any]) -> Callable[..., Any]:
    def handle(self: HttpSession, event: Any, now: float, date: bytes) -> Any:
        return [] if isinstance(event, SendingPaused) else original(self, event, now, date)

    return handle


def waits_for_ever(original: Callable[..., Any]) -> Callable[..., Any]:
    def look(self: Any, now: float) -> None:
        self._write_due = math.inf

    return look


def closes_at_once(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: self._transport.close()


def tells_nobody_of_a_drain(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: None


def reads_on(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: self.resume_reading()


def keeps_its_connection(original: Callable[..., Any]) -> Callable[..., Any]:
    def over(self: Any, *arguments: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self._dispatcher, "released", lambda *_: None)
            original(self, *arguments)

    return over


def forgets_who_is_left(original: Callable[..., Any]) -> Callable[..., Any]:
    def over(self: Any, trip: Any, tickets: Any, began: float, left: Any, slow: Any, went_well: bool) -> None:
        original(self, trip, tickets, began, [], slow, went_well)

    return over


def takes_the_last_first(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: original(self)[::-1]


def lets_any_number_gather(original: Callable[..., Any]) -> Callable[..., Any]:
    def add(self: Any, ticket: Any) -> None:
        self._most = math.inf
        original(self, ticket)

    return add


@pytest.mark.parametrize(
    ("owner", "method", "broken"),
    [
        (ClientDriver, "_send", answers_twice),
        (ClientDriver, "_abandon", lets_operations_run),
        (ClientDriver, "_look_for_progress", waits_for_ever),
        (ClientDriver, "_linger", closes_at_once),
        (ClientDriver, "drain", tells_nobody_of_a_drain),
        (Wire, "pause_reading", reads_on),
        (Ticket, "ended", forgets_to_release),
        (Ticket, "ended", mixes_up_rows),
        (Ticket, "abandon", loses_cancels),
        (Ticket, "_cancel", releases_before_the_cancel),
        (Pool, "_why_not", lets_all_wait),
        (Sharing, "_over", keeps_its_connection),
        (Sharing, "_over", forgets_who_is_left),
        (Sharing, "_take", takes_the_last_first),
        (Sharing, "add", lets_any_number_gather),
        (Delivery, "keep", keeps_all_results),
        (HttpSession, "handle", answers_who_does_not_read),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_is_broken_is_found(
    owner: type, method: str, broken: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, method, broken(getattr(owner, method)))
    found = next((seed for seed in range(WITHIN) if simulate(seed).violations), None)
    assert found is not None


def ends_without_a_word(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, response: self._kept() + self.cut()


@pytest.mark.parametrize("runtime", ["loops", "threads"])
def test_an_event_stream_that_is_not_said_to_be_complete_is_found(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventStream, "finish", ends_without_a_word(EventStream.finish))
    texts = (violation for seed in range(WITHIN) for violation in simulate(seed, runtime).violations)
    assert any("ends without being complete" in text for text in texts)


# The same of threads


def wakes_nobody_for_a_drain(original: Callable[..., Any]) -> Callable[..., Any]:
    def drain(self: Any) -> None:
        self._draining = True

    return drain


def leaves_who_was_cut(original: Callable[..., Any]) -> Callable[..., Any]:
    def cut(self: Any) -> None:
        self._cut = True

    return cut


def loses_what_is_said(original: Callable[..., Any]) -> Callable[..., Any]:
    def read_inbox(self: Any) -> None:
        if len(self._inbox) > 1:
            self._inbox.popleft()
        original(self)

    return read_inbox


def is_not_interrupted(original: Callable[..., Any]) -> Callable[..., Any]:
    def wait(self: Any, fd: Any, events: int, until: Any) -> Any:
        try:
            return original(self, fd, events, until)
        except Interrupted:
            return 0

    return wait


def keeps_an_end_to_itself(original: Callable[..., Any]) -> Callable[..., Any]:
    def told_eof(self: Any) -> None:
        self._eof = True

    return told_eof


def does_nothing(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *arguments: None


def hears_the_last_alone(original: Callable[..., Any]) -> Callable[..., Any]:
    def when_read(self: Any, tell: Any) -> None:
        self._when_read.clear()
        original(self, tell)

    return when_read


@pytest.mark.parametrize(
    ("owner", "method", "broken"),
    [
        (ClientConnection, "drain", wakes_nobody_for_a_drain),
        (ClientConnection, "cut", leaves_who_was_cut),
        (ClientConnection, "_read_inbox", loses_what_is_said),
        (ClientConnection, "wait", is_not_interrupted),
        (ClientConnection, "_told_eof", keeps_an_end_to_itself),
        (ClientConnection, "_linger", does_nothing),
        (ClientConnection, "_look_at_deadline", does_nothing),
        (ClientConnection, "_cancel", does_nothing),
        (ClientConnection, "when_read", hears_the_last_alone),
        (GivenOperation, "abandon", does_nothing),
        (GivenOperation, "resume", does_nothing),
        (GivenOperation, "_has_read", does_nothing),
    ],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_what_is_broken_on_threads_is_found(
    owner: type, method: str, broken: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, method, broken(getattr(owner, method)))
    found = next((seed for seed in range(WITHIN) if simulate(seed, "threads").violations), None)
    assert found is not None


def test_a_mutation_that_is_committed_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fraiseql.pipeline.mutations.program._CUT", ("08006", "08007"))
    texts = (violation for seed in range(WITHIN) for violation in simulate(seed).violations)
    assert any("is committed 2 times" in text for text in texts)


def test_a_failure_tells_its_story_and_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ClientDriver, "_send", answers_twice(ClientDriver._send))
    seed = next(seed for seed in range(WITHIN) if simulate(seed).violations)
    assert main(["--seed", str(seed)]) == 1
    story, failure = capsys.readouterr()
    assert "VIOLATION" in story
    assert "database       backend 101 begins" in story
    assert re.search(r"client \d+ +connects as s-\d+: ", story)
    assert failure.splitlines()[-1] == f"python -m fraiseql.testing.simulation --seed {seed}"


def test_whatever_a_server_raises_is_found_with_its_seed_and_its_story(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(self: SimulatedLoop, until: float, max_steps: int = 0) -> bool:
        raise KeyError(4)

    monkeypatch.setattr(SimulatedLoop, "run", run)
    assert main(["--seed", "3"]) == 1
    story, failure = capsys.readouterr()
    assert "VIOLATION      a defect: KeyError: 4 (test_simulation.py:" in story
    assert failure.splitlines()[-1] == "python -m fraiseql.testing.simulation --seed 3"


def test_a_failure_on_threads_is_shown_again_by_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ClientConnection, "_read_inbox", loses_what_is_said(ClientConnection._read_inbox))
    seed = next(seed for seed in range(WITHIN) if simulate(seed, "threads").violations)
    assert main(["--seed", str(seed), "--runtime", "threads"]) == 1
    story, failure = capsys.readouterr()
    assert story == simulate(seed, "threads").story.text()
    assert failure.splitlines()[-1] == f"python -m fraiseql.testing.simulation --seed {seed} --runtime threads"


def test_a_thread_that_waits_without_letting_others_run_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(self: Any, seconds: float | None) -> None:
        self._look_at_deadline()

    monkeypatch.setattr(ClientConnection, "_receive", receive)
    texts = (violation for seed in range(WITHIN) for violation in simulate(seed, "threads").violations)
    assert any("a thread goes round and round" in text for text in texts)


def test_many_seeds_are_tried_in_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "", "--seeds", "3", "--jobs", "1"]) == 0
    assert main(["--runtime", "threads", "--seeds", "3", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.startswith("3 worlds, ")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--seeds", "0"), "--seeds: it must be at least 1, and is '0'"),
        (("--seeds", "-3"), "--seeds: it must be at least 1, and is '-3'"),
        (("--seeds", "5", "--jobs", "0"), "--jobs: it must be at least 1, and is '0'"),
        (("--seed", "abc"), "--seed: it must be a whole number, and is 'abc'"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    arguments: tuple[str, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"python -m fraiseql.testing.simulation: argument {why}\n"


# The loop


def test_what_is_called_soon_keeps_its_order_and_what_is_due_together_does_not() -> None:
    orders = set()
    for seed in range(20):
        loop, calls = SimulatedLoop(Random(seed)), list[str]()
        for name in "abc":
            loop.call_at(loop.time() + 1.0, calls.append, name)
        for name in "123":
            loop.call_soon(calls.append, name)
        assert loop.run(loop.time() + 5.0)
        assert calls[:3] == ["1", "2", "3"]
        orders.add("".join(calls[3:]))
    assert len(orders) == 6


def test_time_goes_on_only_where_nothing_is_left_to_do() -> None:
    loop = SimulatedLoop(Random(0))
    begin = loop.time()
    times: list[float] = []
    loop.call_later(2.5, lambda: times.append(loop.time() - begin))
    cancelled = loop.call_later(1.0, times.append, math.nan)
    cancelled.cancel()
    assert not loop.run(begin + 2.0)
    assert loop.pending() == [
        f"{begin + 2.5:.3f} {test_time_goes_on_only_where_nothing_is_left_to_do.__name__}.<locals>.<lambda>"
    ]
    assert loop.run(begin + 3.0)
    assert times == [2.5]


def test_what_comes_to_no_end_is_an_error() -> None:
    loop = SimulatedLoop(Random(0))

    def again() -> None:
        loop.call_soon(again)

    again()
    with pytest.raises(RuntimeError, match="no end"):
        loop.run(loop.time() + 1.0, max_steps=100)


def test_there_are_no_descriptors() -> None:
    loop = SimulatedLoop(Random(0))
    with pytest.raises(RuntimeError, match="no descriptors"):
        loop.add_reader(0, print)

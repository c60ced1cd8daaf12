"""The driver of one client: a session that does as it is told, a scripted transport, a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraiseql.effects import Effect, Fetch, Join, Program, Sleep, Statement, Stream, fetch, join, sleep
from fraiseql.errors import DatabaseError
from fraiseql.observations import InternalErrorMasked, Observation, RequestRefused
from fraiseql.pipeline import GraphQLResponse, Outcome
from fraiseql.runtimes.clients import ClientDriver
from fraiseql.runtimes.driving import Done, Surroundings
from fraiseql.runtimes.operations import Gate, Participant
from fraiseql.session import (
    CancelOperation,
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    OperationEmitted,
    OperationEnded,
    OperationFailed,
    OperationJoined,
    SendData,
    SendingPaused,
    SendingResumed,
    SessionEvent,
    StartOperation,
)

ONE = Statement(b"SELECT 1", 1)
React = Callable[[SessionEvent], list[Command]]


class ScriptedSession:
    """Answers each event with what `react` gives for it, and keeps what it was told."""

    def __init__(self, react: React) -> None:
        self.react = react
        self.told: list[SessionEvent] = []
        self.deadline: float | None = None
        self.wants_data = True
        self.lasts = False

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        assert date == b"today"
        self.told.append(event)
        if isinstance(event, DeadlineReached):
            self.deadline = None
        return self.react(event)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.told]


class ScriptedClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[_Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any) -> _Timer:
        timer = _Timer(self, when, callback)
        self.timers.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.when <= end]:
            timer = min(due, key=lambda timer: timer.when)
            self.timers.remove(timer)
            self.now = max(self.now, timer.when)
            timer.callback()
        self.now = end


class _Timer:
    def __init__(self, clock: ScriptedClock, when: float, callback: Callable[[], Any]) -> None:
        self.clock, self.when, self.callback = clock, when, callback

    def cancel(self) -> None:
        if self in self.clock.timers:
            self.clock.timers.remove(self)


class ScriptedTransport:
    """Takes `room` bytes and keeps the rest."""

    def __init__(self) -> None:
        self.room = 10_000
        self.sent = b""
        self.unsent = 0
        self.reading = True
        self.ended: str | None = None
        self.halves = True

    def send(self, data: bytes) -> bool:
        taken = data[: self.room]
        self.room -= len(taken)
        self.sent += taken
        self.unsent += len(data) - len(taken)
        return not self.unsent

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def half_close(self) -> bool:
        self.ended = "half closed"
        return self.halves

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class ScriptedOperations:
    """Statements and tasks wait until they are told their end."""

    def __init__(self) -> None:
        self.statements: list[Running] = []
        self.parts: list[Running] = []  # in shared streams
        self.tasks: list[Running] = []

    def submit(self, effect: Fetch, done: Done) -> Running:
        self.statements.append(Running(effect, done))
        return self.statements[-1]

    def join(self, effect: Join, participant: Participant, done: Done) -> Running | None:
        if effect.stream.key is None:
            return None
        self.parts.append(Running(effect, done, None, participant))
        return self.parts[-1]

    def run(self, program: Program[Any], effect: Effect, participant: Participant, gate: Gate, done: Done) -> Running:
        self.tasks.append(Running(effect, done, program, participant))
        return self.tasks[-1]


class Running:
    def __init__(
        self, effect: Effect, done: Done, program: Program[Any] | None = None, participant: Participant | None = None
    ) -> None:
        self.effect, self.done, self.program = effect, done, program
        self.participant = participant
        self.is_abandoned = False

    def abandon(self) -> None:
        assert not self.is_abandoned
        self.is_abandoned = True


class Bench:
    """A driver under test and all that surrounds it."""

    def __init__(self, react: React, *, max_statements: int = 2) -> None:
        self.session = ScriptedSession(react)
        self.transport = ScriptedTransport()
        self.operations = ScriptedOperations()
        self.clock = ScriptedClock()
        self.seen: list[Observation] = []
        self.gone: list[ClientDriver] = []
        around = Surroundings(
            clock=self.clock,
            date=lambda: b"today",
            operations=self.operations,
            max_statements=max_statements,
            write_timeout=5.0,
            observe=self.seen.append,
            gone=self.gone.append,
        )
        self.driver = ClientDriver(self.session, self.transport, around, "c")
        self.driver.start()

    def say(self, *messages: bytes) -> None:
        for message in messages:
            self.driver.data_received(message)

    def lose(self) -> None:
        """The transport closes, as it was asked to or by itself."""
        self.driver.connection_lost()


def program(*parameters: bytes) -> Program[Any]:
    row = yield from fetch(ONE, parameters)
    return row[0]


def napping() -> Program[Any]:
    yield from sleep(1)
    row = yield from fetch(ONE, ())
    return row[0]


def watching(stream: Stream) -> Program[Any]:
    result = yield from join(stream, "ada")
    return result


SHARED = Stream("key", lambda: program(b"0"))
ALONE = Stream(None, lambda: program(b"0"))


def asking(event: SessionEvent) -> list[Command]:
    """A session whose client says what to do."""
    match event:
        case DataReceived(b"cancel"):
            return [CancelOperation(1)]
        case DataReceived(b"nap"):
            return [StartOperation(1, napping())]
        case DataReceived(b"watch"):
            return [StartOperation(1, watching(SHARED))]
        case DataReceived(b"watch alone"):
            return [StartOperation(1, watching(ALONE))]
        case DataReceived(b"bye"):
            return [SendData(b"good bye"), CloseConnection()]
        case DataReceived(b"large"):
            return [SendData(b"x" * 20_000)]
        case DataReceived(b"large, bye"):
            return [SendData(b"x" * 20_000), CloseConnection()]
        case DataReceived(b"go"):
            return [CloseConnection()]
        case DataReceived(parameter):
            return [StartOperation(int(parameter), program(parameter))]
        case OperationEnded(_, result):
            return [SendData(b"ended " + result)]
        case OperationFailed(_, error):
            return [SendData(repr(error).encode())]
        case EofReceived():
            return [CancelOperation(1), CloseConnection()]
    return []


def test_a_statement_is_run_in_place() -> None:
    bench = Bench(asking)
    bench.say(b"1")
    (statement,) = bench.operations.statements
    assert statement.effect == Fetch(ONE, (b"1",))
    statement.done((b"row",), None)
    assert bench.transport.sent == b"ended row"
    assert not bench.operations.tasks
    assert bench.session.told == [ConnectionMade(), DataReceived(b"1"), OperationEnded(1, b"row")]


def test_an_error_of_the_database_is_thrown_into_the_program() -> None:
    bench = Bench(asking)
    bench.say(b"1")
    bench.operations.statements[0].done(None, DatabaseError("no", sqlstate="XX000"))
    assert bench.transport.sent == b"DatabaseError('no')"


def test_another_effect_is_given_to_a_task_with_the_rest_of_the_program() -> None:
    bench = Bench(asking)
    bench.say(b"nap")
    (task,) = bench.operations.tasks
    assert task.effect == Sleep(1)
    assert task.program is not None
    assert task.program.send(0.0) == Fetch(ONE, ())
    task.done(b"slept", None)
    assert bench.transport.sent == b"ended slept"


def test_a_client_has_so_many_statements_at_once_and_the_next_waits_in_a_task() -> None:
    bench = Bench(asking, max_statements=2)
    bench.say(b"1", b"2", b"3")
    assert len(bench.operations.statements) == 2
    assert [task.effect for task in bench.operations.tasks] == [Fetch(ONE, (b"3",))]
    bench.operations.statements[0].done((b"a",), None)
    bench.say(b"4")
    assert len(bench.operations.statements) == 3


@pytest.mark.parametrize("request_", [b"1", b"nap"])
def test_a_cancelled_operation_is_abandoned_and_not_told_of(request_: bytes) -> None:
    bench = Bench(asking, max_statements=1)
    bench.say(request_, b"cancel")
    (running,) = bench.operations.statements + bench.operations.tasks
    assert running.is_abandoned
    if running.program is not None:
        running.done(None, None)
    assert "OperationEnded" not in bench.session.kinds()
    bench.say(b"2")  # its place is free again
    assert len(bench.operations.statements) == (2 if request_ == b"1" else 1)


def test_what_a_cancelled_task_meets_on_its_way_out_is_observed() -> None:
    bench = Bench(asking)
    error = RuntimeError("finaliser")
    bench.say(b"nap", b"cancel")
    bench.operations.tasks[0].done(None, error)
    cause = GraphQLResponse(b"{}", Outcome.FAILED, cause=error)
    bench.say(b"nap", b"cancel")
    bench.operations.tasks[1].done(cause, None)
    assert bench.seen == [InternalErrorMasked("c-1", error)] * 2


def test_a_client_that_leaves_ends_its_operations() -> None:
    bench = Bench(asking)
    bench.say(b"1", b"2")
    bench.lose()
    assert all(statement.is_abandoned for statement in bench.operations.statements)
    assert bench.gone == [bench.driver]
    assert bench.session.kinds()[-1] == "EofReceived"


def test_a_driver_is_gone_when_its_last_task_has_ended() -> None:
    bench = Bench(asking)
    bench.say(b"nap")
    bench.lose()
    assert not bench.gone
    bench.operations.tasks[0].done(None, None)
    assert bench.gone == [bench.driver]


def test_the_clients_end_is_told_once() -> None:
    bench = Bench(lambda event: [])
    bench.driver.eof_received()
    bench.driver.eof_received()
    bench.lose()
    assert bench.session.kinds() == ["ConnectionMade", "EofReceived"]


def test_events_that_come_of_an_event_are_told_after_it() -> None:
    """An operation that ends at once does not end within the commands that started it."""

    def at_once(number: int) -> Program[Any]:
        return b"%d" % number
        yield

    def react(event: SessionEvent) -> list[Command]:
        match event:
            case DataReceived():
                return [StartOperation(1, at_once(1)), StartOperation(2, at_once(2)), SendData(b"begun ")]
            case OperationEnded(_, result):
                return [SendData(result)]
        return []

    bench = Bench(react)
    bench.say(b"x")
    assert bench.transport.sent == b"begun 12"


def test_a_thousand_operations_that_end_at_once_do_not_nest() -> None:
    left = 5_000

    def at_once() -> Program[Any]:
        return b""
        yield

    def react(event: SessionEvent) -> list[Command]:
        nonlocal left
        left -= 1
        return [StartOperation(left, at_once())] if left > 0 else []

    Bench(react)
    assert left == 0


def test_the_deadline_is_delivered_once_it_has_come() -> None:
    bench = Bench(lambda event: [])
    bench.session.deadline = 110.0
    bench.say(b"x")
    bench.clock.advance(9)
    assert "DeadlineReached" not in bench.session.kinds()
    bench.session.deadline = 120.0  # moved, and told of with no event
    bench.clock.advance(5)
    assert "DeadlineReached" not in bench.session.kinds()
    bench.clock.advance(6)
    assert bench.session.told[-1] == DeadlineReached()


def test_a_deadline_that_comes_nearer_is_kept() -> None:
    bench = Bench(lambda event: [])
    bench.session.deadline = 150.0
    bench.say(b"x")
    bench.session.deadline = 101.0
    bench.say(b"y")
    bench.clock.advance(1)
    assert bench.session.told[-1] == DeadlineReached()


def test_nothing_is_read_while_the_session_wants_nothing() -> None:
    bench = Bench(lambda event: [])
    bench.session.wants_data = False
    bench.say(b"x")
    assert not bench.transport.reading
    bench.session.wants_data = True
    bench.say(b"y")
    assert bench.transport.reading


def test_the_session_is_told_of_a_client_that_does_not_read_and_that_it_reads_again() -> None:
    bench = Bench(asking)
    bench.say(b"large", b"1")
    assert bench.session.told[-2:] == [SendingPaused(), DataReceived(b"1")]
    bench.operations.statements[0].done((b"row",), None)  # it goes on all the same
    bench.transport.room, bench.transport.unsent = 10_000, 0
    bench.driver.written()
    assert bench.session.told[-1] == SendingResumed()
    bench.clock.advance(60)
    assert bench.transport.ended is None


@pytest.mark.parametrize("message", [b"large", b"large, bye"])
def test_a_client_that_takes_nothing_is_given_up(message: bytes) -> None:
    bench = Bench(asking)
    bench.say(b"1", message)
    bench.clock.advance(4.9)
    assert bench.transport.ended is None
    bench.clock.advance(0.2)
    assert bench.transport.ended == "aborted"
    assert bench.operations.statements[0].is_abandoned
    assert [type(seen) for seen in bench.seen] == [RequestRefused]
    bench.lose()
    assert bench.gone


def test_a_slow_but_steady_reader_is_waited_for() -> None:
    bench = Bench(asking)
    bench.say(b"large")
    for _ in range(10):
        bench.clock.advance(4)
        bench.transport.unsent -= 1
    assert bench.transport.ended is None
    bench.clock.advance(10)
    assert bench.transport.ended == "aborted"


def test_after_its_last_answer_a_client_is_waited_for() -> None:
    """Closed with bytes of its unread, the kernel would reset the connection, and the answer be lost."""
    bench = Bench(asking)
    bench.say(b"bye")
    assert bench.transport.ended == "half closed"
    bench.say(b"more")  # is read and thrown away
    assert bench.session.told[-1] == DataReceived(b"bye")
    bench.driver.eof_received()
    assert bench.transport.ended == "closed"


def test_after_its_last_answer_a_client_is_not_waited_for_in_vain() -> None:
    bench = Bench(asking)
    bench.say(b"bye")
    bench.clock.advance(2.1)
    assert bench.transport.ended == "aborted"
    chatty = Bench(asking)
    chatty.say(b"bye", *[bytes(1_048_576)] * 65)
    assert chatty.transport.ended == "aborted"


def test_the_last_answer_is_written_before_the_connection_ends() -> None:
    bench = Bench(asking)
    bench.say(b"large, bye")
    assert bench.transport.ended is None
    bench.transport.unsent = 0
    bench.driver.written()
    assert bench.transport.ended == "half closed"


@pytest.mark.parametrize("case", ["the client has closed", "no half of an end"])
def test_where_there_is_nothing_to_wait_for_the_connection_is_closed(case: str) -> None:
    bench = Bench(lambda event: asking(event) if not isinstance(event, EofReceived) else [])
    bench.transport.halves = case != "no half of an end"
    if case == "the client has closed":
        bench.driver.eof_received()
    bench.say(b"bye")
    assert bench.transport.ended == "closed"


def test_of_a_client_that_was_told_nothing_what_has_come_is_read_and_no_more() -> None:
    bench = Bench(asking)
    bench.say(b"go")
    assert bench.transport.ended == "half closed"
    bench.say(b"1")
    assert not bench.operations.statements
    bench.clock.advance(0)
    assert bench.transport.ended == "aborted"


def test_draining_is_told_once() -> None:
    bench = Bench(lambda event: [CloseConnection()] if isinstance(event, DrainRequested) else [])
    bench.driver.drain()
    bench.driver.drain()
    assert bench.session.kinds() == ["ConnectionMade", "DrainRequested"]
    assert bench.transport.ended == "half closed"


def test_a_server_that_has_stopped_cuts_its_clients_off() -> None:
    bench = Bench(asking)
    bench.say(b"1")
    bench.driver.cut()
    assert bench.operations.statements[0].is_abandoned
    assert bench.transport.ended == "aborted"


def test_a_defect_of_the_session_ends_its_connection_alone() -> None:
    error = ValueError("a defect")

    def react(event: SessionEvent) -> list[Command]:
        if isinstance(event, DataReceived):
            raise error
        return []

    bench = Bench(react)
    bench.say(b"x")
    assert bench.seen == [InternalErrorMasked("c", error)]
    assert bench.transport.ended == "aborted"


def test_what_a_stream_emits_is_told_while_the_operation_takes_part() -> None:
    bench = Bench(asking)
    bench.say(b"nap")
    participant = bench.operations.tasks[0].participant
    assert participant is not None
    participant.joined()
    participant.deliver("an emission", True)  # type: ignore[arg-type]
    assert bench.session.told[-2:] == [OperationJoined(1), OperationEmitted(1, "an emission", True)]  # type: ignore[arg-type]
    bench.say(b"cancel")
    participant.deliver("late", True)  # type: ignore[arg-type]
    assert bench.session.kinds()[-1] == "DataReceived"


def test_a_shared_stream_takes_no_task() -> None:
    bench = Bench(asking)
    bench.say(b"watch")
    (part,) = bench.operations.parts
    assert part.effect == Join(SHARED, "ada")
    assert part.participant is not None
    part.participant.deliver("an emission", False)  # type: ignore[arg-type]
    assert bench.session.told[2:] == [OperationJoined(1), OperationEmitted(1, "an emission", False)]  # type: ignore[arg-type]
    part.done(b"the end", None)
    assert bench.transport.sent == b"ended the end"
    assert not bench.operations.tasks


def test_a_stream_of_ones_own_takes_a_task() -> None:
    bench = Bench(asking)
    bench.say(b"watch alone")
    assert (len(bench.operations.parts), len(bench.operations.tasks)) == (0, 1)


def test_an_error_of_a_shared_stream_is_thrown_into_the_program() -> None:
    bench = Bench(asking)
    bench.say(b"watch")
    bench.operations.parts[0].done(None, DatabaseError("no", sqlstate="XX000"))
    assert bench.transport.sent == b"DatabaseError('no')"


@pytest.mark.parametrize("end", ["cancelled", "lost"])
def test_who_leaves_a_shared_stream_is_told_nothing_more(end: str) -> None:
    bench = Bench(asking)
    bench.say(b"watch")
    (part,) = bench.operations.parts
    if end == "cancelled":
        bench.say(b"cancel")
    else:
        bench.lose()
    assert part.is_abandoned
    assert part.participant is not None
    part.participant.deliver("late", False)  # type: ignore[arg-type]
    assert "OperationEmitted" not in bench.session.kinds()
    assert bench.gone == ([bench.driver] if end == "lost" else [])

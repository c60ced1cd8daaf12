"""Streams: one run for all who take part, and what their programs may do."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest

from fraiseql.context import Caller, Info
from fraiseql.effects import (
    Absent,
    Effect,
    Emission,
    Emit,
    Join,
    Next,
    Open,
    Program,
    ResolverSource,
    Sleep,
    Stream,
    emit,
    join,
    next_item,
    open_source,
    sleep,
)
from fraiseql.errors import RequestError
from fraiseql.observations import Observation
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.generators import Generators
from fraiseql.runtimes.anyio.programs import Participant, Run, run_program
from fraiseql.runtimes.anyio.streams import Streams

pytestmark = pytest.mark.anyio


class Listener(Participant):
    """Keeps what it is given."""

    __slots__ = ("heard",)

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[bytes, bool]] = []

    def joined(self) -> None:
        pass

    def deliver(self, emission: Emission, is_state: bool) -> None:
        self.heard.append((emission.body, is_state))

    async def has_heard(self, count: int) -> list[bytes]:
        with anyio.fail_after(5):
            while len(self.heard) < count:
                await anyio.sleep(0.001)
        return [body for body, _ in self.heard]


class Bench:
    """Streams, and how effects are carried out where there is neither a database nor a bus."""

    def __init__(self, background: Background) -> None:
        self.streams = Streams(background, 5)
        self.seen: list[Observation] = []
        self.generators = Generators(2, self.seen.append)

    async def perform(self, effect: Effect, run: Run) -> Any:
        match effect:
            case Emit(emission, to_newcomers):
                assert run.audience is not None
                return await run.audience.emit(emission, to_newcomers=to_newcomers)
            case Join(stream, user):
                assert run.participant is not None
                return await self.streams.join(stream, run.participant, user, self.perform)
            case Open(ResolverSource() as source):
                handle = self.generators.open(source, "the bus", partial(self.perform, run=run))
                run.finalisers.append(handle.aclose)
                return handle
            case Next(handle, timeout):
                assert run.audience is not None
                return await run.audience.next(handle, timeout)
            case Sleep(seconds):
                await anyio.sleep(seconds)
                return anyio.current_time()
        raise AssertionError(effect)

    async def take_part(self, stream: Stream, listener: Listener, user: str | None = None) -> Any:
        return await run_program(join(stream, user), self.perform, Run(listener))


@asynccontextmanager
async def benched() -> AsyncIterator[Bench]:
    background = Background()
    await background.start()
    try:
        yield Bench(background)
    finally:
        await background.stop()


class Script:
    """A stream's program that emits what it is told to, and counts its runs."""

    def __init__(self) -> None:
        self.begun = self.finished = 0
        self.say: list[bytes] = []
        self.error: Exception | None = None
        self.result: Any = None
        self.end = False

    def program(self) -> Program[Any]:
        self.begun += 1
        try:
            while not self.end:
                while self.say:
                    yield from emit(Emission(self.say.pop(0)))
                if self.error is not None:
                    raise self.error
                yield from sleep(0.001)
            return self.result
        finally:
            self.finished += 1


async def test_operations_with_equal_keys_share_one_run() -> None:
    script, first, second = Script(), Listener(), Listener()
    async with benched() as bench:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(bench.take_part, Stream("key", script.program), first)
                group.start_soon(bench.take_part, Stream("key", script.program), second)
                await anyio.sleep(0.01)
                script.say += [b"1", b"2"]
                assert await first.has_heard(2) == [b"1", b"2"]
                assert await second.has_heard(2) == [b"1", b"2"]
                assert bench.streams.shared == 1
                group.cancel_scope.cancel()
        while not script.finished:
            await anyio.sleep(0.001)
        assert (script.begun, bench.streams.shared) == (1, 0)


async def test_the_run_ends_with_the_last_participant_and_begins_anew_with_the_next() -> None:
    script, first, second = Script(), Listener(), Listener()
    async with benched() as bench:
        for listener in (first, second):
            script.say = [b"x"]
            async with anyio.create_task_group() as group:
                group.start_soon(bench.take_part, Stream("key", script.program), listener)
                await listener.has_heard(1)
                group.cancel_scope.cancel()
        while script.finished < 2:
            await anyio.sleep(0.001)
        assert script.begun == 2


@pytest.mark.parametrize("key", ["key", None])
async def test_what_the_program_returns_each_participant_gets(key: str | None) -> None:
    script, results = Script(), []

    async def take_part(bench: Bench) -> None:
        results.append(await bench.take_part(Stream(key, script.program), Listener()))

    async with benched() as bench, anyio.create_task_group() as group:
        group.start_soon(take_part, bench)
        group.start_soon(take_part, bench)
        await anyio.sleep(0.01)
        script.result, script.end = "done", True
    assert results == ["done", "done"]
    assert script.begun == (1 if key else 2)


@pytest.mark.parametrize("key", ["key", None])
async def test_what_the_program_raises_each_participant_gets_and_the_next_run_is_a_new_one(key: str | None) -> None:
    script = Script()
    script.error = ValueError("broken")
    async with benched() as bench:
        for _ in range(2):
            with pytest.raises(ValueError, match="broken"):
                await bench.take_part(Stream(key, script.program), Listener())
        assert script.begun == 2


class Clock:
    """A source of states: gives an item when it is told to."""

    def __init__(self) -> None:
        self.news = anyio.Event()

    async def next(self, timeout: float | None) -> Any:
        await self.news.wait()
        self.news = anyio.Event()
        return "item"

    async def aclose(self) -> None:
        pass


async def test_a_newcomer_is_given_the_present_state_and_the_others_only_what_is_new() -> None:
    clock, state, runs = Clock(), [b"1"], []

    def program() -> Program[Any]:
        last = b""
        while True:
            runs.append(state[0])
            yield from emit(Emission(state[0]), to_newcomers=state[0] == last)
            last = state[0]
            item = yield from next_item(clock)
            assert item in ("item", Absent.JOINED)

    stream = Stream("key", program, True)
    first, second, third = Listener(), Listener(), Listener()
    async with benched() as bench, anyio.create_task_group() as group:
        group.start_soon(bench.take_part, stream, first)
        assert await first.has_heard(1) == [b"1"]
        group.start_soon(bench.take_part, stream, second)
        assert await second.has_heard(1) == [b"1"]
        state[0] = b"2"  # nobody tells of it ...
        group.start_soon(bench.take_part, stream, third)
        assert await third.has_heard(1) == [b"2"]  # ... but who comes is given what is true now
        assert await first.has_heard(2) == [b"1", b"2"]
        clock.news.set()
        while len(runs) < 4:
            await anyio.sleep(0.001)
        assert [len(listener.heard) for listener in (first, second, third)] == [2, 2, 1]
        group.cancel_scope.cancel()


async def test_nobody_joins_a_stream_that_has_ended_while_its_finalisers_run() -> None:
    begun = []

    async def slow() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.1)

    def program() -> Program[Any]:
        begun.append(1)
        handle = yield from open_source(ResolverSource(slow, {}, False, "slow"))
        yield from next_item(handle)
        return len(begun)

    async with benched() as bench:
        results = []

        async def take_part() -> None:
            results.append(await bench.take_part(Stream("key", program), Listener()))

        async with anyio.create_task_group() as group:
            group.start_soon(take_part)
            await anyio.sleep(0.05)
            group.start_soon(take_part)
        assert sorted(results) == [1, 2]


async def test_a_stream_of_ones_own_waits_for_a_slow_participant_and_a_shared_one_does_not() -> None:
    for key, expected in ((None, []), ("key", [b"1", b"2", b"3"])):
        script, listener = Script(), Listener()
        script.say = [b"1", b"2", b"3"]
        listener.pause()
        async with benched() as bench, anyio.create_task_group() as group:
            group.start_soon(bench.take_part, Stream(key, script.program), listener)
            await anyio.sleep(0.02)
            assert [body for body, _ in listener.heard] == expected
            listener.resume()
            assert await listener.has_heard(3) == [b"1", b"2", b"3"]
            group.cancel_scope.cancel()


async def test_a_shared_stream_asks_for_nothing_while_all_who_take_part_are_paused() -> None:
    asked = 0

    async def count() -> AsyncIterator[int]:
        nonlocal asked
        while True:
            await anyio.sleep(0)
            asked += 1
            yield asked

    def program() -> Program[Any]:
        handle = yield from open_source(ResolverSource(count, {}, False, "count", Caller("me")))
        while (item := (yield from next_item(handle))) is not Absent.ENDED:
            yield from emit(Emission(str(item).encode()))

    async with benched() as bench, anyio.create_task_group() as group:
        listeners = [Listener(), Listener()]
        for listener in listeners:
            group.start_soon(bench.take_part, Stream("key", program), listener)
            await listener.has_heard(1)
        listeners[0].pause()
        before = len(listeners[1].heard)
        await listeners[1].has_heard(before + 2)  # one of them reads
        listeners[1].pause()
        await anyio.sleep(0.01)
        paused_at = asked
        await anyio.sleep(0.01)
        assert asked == paused_at
        listeners[0].resume()
        await listeners[0].has_heard(len(listeners[0].heard) + 1)
        listeners[0].pause()
        newcomer = Listener()
        group.start_soon(bench.take_part, Stream("key", program), newcomer)
        await newcomer.has_heard(2)
        group.cancel_scope.cancel()


async def test_what_is_for_one_user_reaches_no_other() -> None:
    def program() -> Program[Any]:
        yield from sleep(0.02)
        yield from emit(Emission(b"1", user="a"))
        yield from emit(Emission(b"2"))

    async with benched() as bench, anyio.create_task_group() as group:
        listeners = {"a": Listener(), "b": Listener(), None: Listener()}
        for user, listener in listeners.items():
            group.start_soon(bench.take_part, Stream("key", program), listener, user)
    heard = {user: [body for body, _ in listener.heard] for user, listener in listeners.items()}
    assert heard == {"a": [b"1", b"2"], "b": [b"2"], None: [b"2"]}


def items(function: Callable[..., Any], *, takes_info: bool = False, **arguments: Any) -> Stream:
    """A stream of what a generator yields, as text."""

    def program() -> Program[Any]:
        source = ResolverSource(function, arguments, takes_info, "count", Caller("me"))
        handle = yield from open_source(source)
        while (item := (yield from next_item(handle))) is not Absent.ENDED:
            yield from emit(Emission(str(item).encode()))
        return "ended"

    return Stream(None, program)


async def test_an_asynchronous_generator_is_told_who_asks() -> None:
    async def count(info: Info, to: int) -> AsyncIterator[str]:
        for number in range(to):
            yield f"{number} {info.caller.user_id} {info.field_name} {info.bus}"

    listener = Listener()
    async with benched() as bench:
        assert await bench.take_part(items(count, takes_info=True, to=2), listener) == "ended"
    assert [body for body, _ in listener.heard] == [b"0 me count the bus", b"1 me count the bus"]


async def test_a_plain_generator_runs_in_a_thread() -> None:
    def count() -> Iterator[bool]:
        yield threading.current_thread() is threading.main_thread()

    listener = Listener()
    async with benched() as bench:
        assert await bench.take_part(items(count), listener) == "ended"
    assert [body for body, _ in listener.heard] == [b"False"]


async def test_plain_generators_that_block_are_bounded_and_stop_nobody_else() -> None:
    release = threading.Event()

    def blocking() -> Iterator[int]:
        yield 1
        release.wait()

    def quick() -> Iterator[int]:
        yield 1

    async with benched() as bench:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                listener = Listener()
                group.start_soon(bench.take_part, items(blocking), listener)
                await listener.has_heard(1)
            with pytest.raises(RequestError) as refused:
                await bench.take_part(items(quick), Listener())
            assert refused.value.code == "TOO_MANY_OPERATIONS"
            group.cancel_scope.cancel()  # their threads stay where they are
        with pytest.raises(RequestError):
            await bench.take_part(items(quick), Listener())
        release.set()
        with anyio.fail_after(5):
            while True:
                try:
                    assert await bench.take_part(items(quick), Listener()) == "ended"
                    break
                except RequestError:
                    await anyio.sleep(0.001)


@pytest.mark.parametrize("error", [SystemExit(1), asyncio.CancelledError(), BaseException("odd")])
async def test_what_is_no_exception_is_an_error_like_any_other(error: BaseException) -> None:
    async def asynchronous() -> AsyncIterator[int]:
        yield 1
        raise error

    def plain() -> Iterator[int]:
        yield 1
        raise error

    async with benched() as bench:
        for function in (asynchronous, plain):
            listener = Listener()
            with anyio.fail_after(5), pytest.raises(RuntimeError, match=type(error).__name__):
                await bench.take_part(items(function), listener)
            assert [body for body, _ in listener.heard] == [b"1"]


async def test_what_a_plain_generator_raises_when_it_is_closed_is_told() -> None:
    def bitter() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            raise ValueError("not like this")

    async with benched() as bench:
        listener = Listener()
        async with anyio.create_task_group() as group:
            group.start_soon(bench.take_part, items(bitter), listener)
            await listener.has_heard(1)
            group.cancel_scope.cancel()
        with anyio.fail_after(5):
            while not bench.seen:
                await anyio.sleep(0.001)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancellation_of_a_users_own_is_an_error_like_any_other() -> None:
    async def awaits_a_cancelled_task() -> AsyncIterator[int]:
        yield 1
        task = asyncio.ensure_future(asyncio.sleep(60))
        task.cancel()
        await task

    listener = Listener()
    async with benched() as bench:
        with pytest.raises(RuntimeError, match="CancelledError"):
            await bench.take_part(items(awaits_a_cancelled_task), listener)
        assert [body for body, _ in listener.heard] == [b"1"]


async def test_the_finalisers_of_a_generator_run_when_its_operation_is_cancelled() -> None:
    seen: list[str] = []

    async def forever() -> AsyncIterator[int]:
        try:
            yield 1
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
            seen.append("finished")

    async def suspended() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await anyio.sleep(0)
            seen.append("finished")

    async with benched() as bench:
        for number, function in enumerate((forever, suspended), 1):
            listener = Listener()
            async with anyio.create_task_group() as group:
                group.start_soon(bench.take_part, items(function), listener)
                await listener.has_heard(1)
                listener.pause()
                await anyio.sleep(0.01)
                group.cancel_scope.cancel()
            assert len(seen) == number


@pytest.mark.parametrize("raised", [SystemExit("no way out"), GeneratorExit("no way out")])
async def test_a_program_raises_nothing_but_exceptions(raised: BaseException) -> None:
    def broken() -> Program[None]:
        yield Sleep(0.0)
        raise raised

    async def perform(effect: Any, run: Run) -> None:
        await anyio.sleep(0)

    with pytest.raises(RuntimeError, match="no way out"):
        await run_program(broken(), perform, Run())


async def test_a_part_without_a_task_is_told_the_end_unless_it_was_abandoned() -> None:
    script = Script()
    script.result = "over"
    stream = Stream("key", script.program)
    told: list[tuple[str, Any, Exception | None]] = []
    ended = anyio.Event()

    def leave_and_tell(result: Any, error: Exception | None) -> None:
        told.append(("first", result, error))
        second.abandon()  # while the others are told
        ended.set()

    async with benched() as bench:
        bench.streams.take_part(stream, Listener(), None, bench.perform, leave_and_tell)
        second = bench.streams.take_part(
            stream, Listener(), None, bench.perform, lambda result, error: told.append(("second", result, error))
        )
        assert not told, "never within the call"
        script.end = True
        with anyio.fail_after(5):
            await ended.wait()
        assert bench.streams.shared == 0
    assert told == [("first", "over", None)]
    assert script.begun == script.finished == 1


async def test_the_last_part_that_is_abandoned_ends_the_stream() -> None:
    script = Script()
    async with benched() as bench:
        parts = [
            bench.streams.take_part(Stream("key", script.program), Listener(), None, bench.perform, lambda *told: None)
            for _ in range(2)
        ]
        parts[0].abandon()
        assert bench.streams.shared == 1
        parts[1].abandon()
        assert bench.streams.shared == 0
    assert script.begun == script.finished


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_callback_that_knows_of_no_event_loop_takes_part_and_leaves(anyio_backend: str) -> None:
    """As asyncio makes them for what others than tasks have added: without the variable by which libraries tell."""
    script, listener = Script(), Listener()
    script.say = [b"1"]
    parts: list[Any] = []
    failures: list[Exception] = []

    async with benched() as bench:

        def called(step: Callable[[], Any]) -> None:
            try:
                parts.append(step())
            except Exception as error:
                failures.append(error)

        def call(step: Callable[[], Any]) -> None:
            asyncio.get_running_loop().call_soon(called, step, context=contextvars.Context())

        stream = Stream("key", script.program)
        call(lambda: bench.streams.take_part(stream, listener, None, bench.perform, lambda *_: None))
        assert await listener.has_heard(1) == [b"1"]
        call(lambda: parts[0].abandon())
        with anyio.fail_after(5):
            while not script.finished:
                await anyio.sleep(0.001)
    assert not failures

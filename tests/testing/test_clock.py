"""The clock that stands still: what is due is called in order, on the thread that asked for it."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from fraiseql.testing import FakeClock


def test_time_passes_only_when_it_is_told_to() -> None:
    clock = FakeClock(5.0)
    assert clock.time() == 5.0
    clock.advance(2.5)
    assert clock.time() == 7.5
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


@pytest.mark.parametrize("seconds", [math.nan, math.inf])
def test_what_is_no_time_is_refused(seconds: float) -> None:
    clock = FakeClock(5.0)
    clock.call_at(6.0, print, "never")
    with pytest.raises(ValueError, match="finite"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match="finite"):
        FakeClock(seconds)
    with pytest.raises(ValueError, match="not a number"):
        clock.call_at(math.nan, print)
    assert (clock.time(), clock.next_due) == (5.0, 6.0)


def test_a_call_may_let_more_time_pass_than_was_asked_for() -> None:
    clock, called = FakeClock(0.0), []
    clock.call_at(1.0, clock.advance, 5)
    clock.call_at(3.0, lambda: called.append(clock.time()))
    clock.advance(2)
    assert (called, clock.time()) == ([3.0], 6.0)


def test_what_is_due_is_called_in_order_and_each_at_its_time() -> None:
    clock, called = FakeClock(0.0), []

    def note(name: str) -> None:
        called.append((name, clock.time()))

    for when, name in ((3.0, "c"), (1.0, "a"), (3.0, "d"), (2.0, "b"), (4.1, "later")):
        clock.call_at(when, note, name)
    clock.call_at(1.0, lambda: clock.call_at(1.5, note, "made on the way"))
    clock.call_at(2.0, note, "cancelled").cancel()
    assert clock.next_due == 1.0
    clock.advance(4)
    assert called == [("a", 1.0), ("made on the way", 1.5), ("b", 2.0), ("c", 3.0), ("d", 3.0)]
    assert clock.next_due == 4.1


def test_nothing_is_called_within_the_call_that_asks_for_it() -> None:
    clock, called = FakeClock(10.0), []
    clock.call_at(5.0, called.append, "past")
    assert called == []
    clock.advance(0)
    assert called == ["past"]


def test_what_a_call_raises_is_raised_and_the_rest_is_called_later() -> None:
    clock, called = FakeClock(0.0), []
    clock.call_at(1.0, [].pop)
    clock.call_at(1.0, called.append, "next")
    with pytest.raises(IndexError):
        clock.advance(2)
    clock.advance(1)
    assert called == ["next"]


def test_hooks_are_called_after_each_move_until_they_are_forgotten() -> None:
    clock, woken = FakeClock(0.0), []
    forget = clock.when_advanced(lambda: woken.append(clock.time()))
    clock.advance(1)
    clock.advance(0)
    forget()
    clock.advance(1)
    assert woken == [1.0, 1.0]


@contextmanager
def another_thread() -> Iterator[Callable[..., None]]:
    """A thread that calls what it is given."""
    calls: queue.Queue[Callable[[], object] | None] = queue.Queue()

    def work() -> None:
        while (call := calls.get()) is not None:
            with suppress(IndexError):
                call()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield calls.put
    finally:
        calls.put(None)
        thread.join()


def test_each_call_is_made_on_the_thread_that_asked_for_it() -> None:
    clock, called, bound = FakeClock(0.0), [], threading.Event()

    def begin() -> None:
        clock.bind(call_soon)
        clock.call_at(2.0, lambda: called.append(("theirs", clock.time(), threading.get_ident() == here)))
        clock.call_at(4.0, [].pop)
        bound.set()

    with another_thread() as call_soon:
        here = threading.get_ident()
        clock.call_at(3.0, lambda: called.append(("ours", clock.time(), threading.get_ident() == here)))
        call_soon(begin)
        bound.wait()
        clock.advance(3)
        assert called == [("theirs", 2.0, False), ("ours", 3.0, True)]
        with pytest.raises(IndexError):
            clock.advance(1)


def test_a_bound_thread_calls_at_once_what_is_due_already() -> None:
    clock, called = FakeClock(10.0), threading.Event()

    def begin() -> None:
        clock.bind(call_soon)
        clock.call_at(5.0, called.set)

    with another_thread() as call_soon:
        call_soon(begin)
        assert called.wait(10)


def test_one_may_wait_until_another_thread_waits_for_the_clock() -> None:
    clock = FakeClock(0.0)
    with another_thread() as call_soon:
        call_soon(lambda: clock.call_at(5.0, print))
        clock.wait_until_due(5.0)
        with pytest.raises(TimeoutError, match=r"^nothing is due in 6 s, but in 5$"):
            clock.wait_until_due(6.0, patience=0.001)
    with pytest.raises(TimeoutError, match="but in nothing"):
        FakeClock().wait_until_due(1.0, patience=0.001)

"""The policy of the reader, as playbooks: what came of each step, and the step that follows."""

from __future__ import annotations

from typing import Any

import pytest

from fraiseql.bus.cursors import Cursor
from fraiseql.bus.fanout import Fanout, StreamState
from fraiseql.bus.reader import Connect, Disconnect, OutboxReader, Place, Read, Step, Wait
from fraiseql.bus.statements import Entry, Page
from fraiseql.effects import Absent, Event, EventSource
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.observations import EventsDelayed, Observation

LOST = DatabaseError("gone", sqlstate="08006", retryable=True)
TOPICS = frozenset({"a"})
REFUSED = DatabaseError("no rights", sqlstate="42501")


def page(*ids: int, at: int = 0, more: bool = False, pending: bool = False, expired: bool = False) -> Page:
    entries = tuple(Entry(Cursor(id, 1), Event("a", id, cursor=f"{id}.1")) for id in ids)
    position = entries[-1].cursor if entries else Cursor(at, 1)
    return Page(entries, position, more, pending, known=True, expired=expired)


class Playbook:
    """A reader with its streams; times are seconds from the beginning."""

    def __init__(self, **limits: Any) -> None:
        self.seen: list[Observation] = []
        self.fanout = Fanout()
        self.reader = OutboxReader(self.fanout, SubscriptionLimits(**limits), self.seen.append)

    def open(self, topics: frozenset[str] = TOPICS) -> StreamState:
        stream = StreamState(EventSource(topics), 100, lambda: None)
        self.fanout.add(stream)
        return stream

    def reading(self, now: float = 0.0) -> StreamState:
        """Go on to where it waits for notifications, at 5.1."""
        stream = self.open()
        assert self.step(now) == Connect()
        self.reader.connected()
        assert self.step(now) == Place()
        self.reader.placed(Cursor(5, 1))
        assert self.step(now) == Read(Cursor(5, 1), TOPICS)
        self.reader.read(page(at=5), now)
        return stream

    def step(self, now: float) -> Step:
        return self.reader.step(now)


def test_nothing_is_done_before_somebody_listens() -> None:
    play = Playbook()
    assert play.step(0) == Wait(None)
    stream = play.open()
    assert play.step(0) == Connect()
    assert not stream.placed


def test_a_notification_or_the_time_makes_it_read() -> None:
    play = Playbook(outbox_poll=5.0)
    stream = play.reading()
    assert stream.placed
    assert play.step(1) == Wait(5)
    play.reader.notified()
    assert play.step(1) == Read(Cursor(5, 1), TOPICS)
    play.reader.read(page(6, 7), 1)
    assert play.step(1) == Wait(6)
    assert play.step(6) == Read(Cursor(7, 1), TOPICS)
    assert [event.payload for event in stream.take() or ()] == [6, 7]  # type: ignore[union-attr]


def test_a_full_page_is_followed_by_the_next_at_once() -> None:
    play = Playbook()
    play.reading()
    play.reader.notified()
    play.reader.read(page(6, more=True), 1)
    assert play.step(1) == Read(Cursor(6, 1), TOPICS)


def test_it_reads_what_somebody_waits_for_and_who_comes_meanwhile_reads_it_by_itself() -> None:
    play = Playbook()
    first = play.reading()
    play.reader.notified()
    assert play.step(1) == Read(Cursor(5, 1), TOPICS)
    late = play.open(frozenset("ab"))
    play.reader.read(page(6, 7), 1)
    assert (late.must_read, late.position) == (True, Cursor(5, 1)), "an event of b may be among these"
    assert [event.payload for event in first.take() or ()] == [6, 7]  # type: ignore[union-attr]
    play.reader.notified()
    assert play.step(2) == Read(Cursor(7, 1), frozenset("ab"))
    later = play.open()
    play.reader.read(page(8), 2)
    assert not later.behind, "its topic was asked for"
    for n in range(1_000):
        play.open(frozenset({f"topic {n}"}))
    play.reader.notified()
    assert play.step(3) == Read(Cursor(8, 1), None), "so many are not sent each time"
    late = play.open(frozenset("z"))
    play.reader.read(page(9), 3)
    assert not late.behind, "all were asked for"


def test_held_back_events_are_asked_for_ever_more_seldom() -> None:
    play = Playbook(outbox_poll=5.0)
    play.reading()
    now, pauses = 0.0, []
    for _ in range(8):
        play.reader.read(page(at=5, pending=True), now)
        step = play.step(now)
        assert isinstance(step, Wait)
        assert step.until is not None
        pauses.append(round(step.until - now, 3))
        now = step.until
    assert pauses == [0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5, 0.5]
    play.reader.read(page(6, pending=True), now)
    assert play.step(now) == Wait(now + 0.02)
    play.reader.read(page(7), now)
    assert play.step(now) == Wait(now + 5)


def test_events_held_back_for_long_are_told_once() -> None:
    play = Playbook()
    play.reading()
    for now in (0, 5, 9.9, 10, 11, 50):
        play.reader.read(page(at=5, pending=True), now)
    assert play.seen == [EventsDelayed(10)]
    play.reader.read(page(6), 51)
    for now in (60, 75):
        play.reader.read(page(at=6, pending=True), now)
    assert play.seen == [EventsDelayed(10), EventsDelayed(15)]


def test_a_lost_connection_goes_on_where_it_was() -> None:
    play = Playbook()
    stream = play.reading()
    play.reader.failed(LOST, 1)
    assert play.step(1) == Wait(1.1)
    assert play.step(1.1) == Connect()
    play.reader.failed(LOST, 1.2)
    assert play.step(1.3) == Wait(1.4)
    assert play.step(1.4) == Connect()
    play.reader.connected()
    assert play.step(1.5) == Read(Cursor(5, 1), TOPICS), "behind the last event that was handed out"
    assert stream.take() is None


def test_a_stream_that_is_opened_during_a_short_outage_gets_what_comes_after_it() -> None:
    play = Playbook()
    play.reading()
    play.reader.failed(LOST, 1)
    assert play.open().placed


def test_pauses_between_attempts_grow_to_two_seconds() -> None:
    play = Playbook()
    play.open()
    now, pauses = 0.0, []
    for _ in range(7):
        assert play.step(now) == Connect()
        play.reader.failed(LOST, now)
        pauses.append(round(play.reader.retry_at - now, 3))
        now = play.reader.retry_at
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2]


def test_an_outage_that_lasts_ends_the_streams() -> None:
    play = Playbook(recovery_timeout=3.0)
    stream = play.reading()
    for now in (10, 11, 12.9):
        play.reader.failed(LOST, now)
        assert stream.take() is None
    play.reader.failed(LOST, 13)
    with pytest.raises(DatabaseError) as caught:
        stream.take()
    assert caught.value is not LOST
    assert caught.value.unavailable
    assert play.step(13) == Wait(None), "nobody listens any more"
    later = play.open()
    assert play.step(20) == Connect()
    play.reader.failed(LOST, 20)
    assert later.take() is None
    play.reader.failed(LOST, 23)
    with pytest.raises(DatabaseError):
        later.take()
    last = play.open()
    assert play.step(30) == Connect()
    play.reader.connected()
    assert play.step(30) == Place(), "not where it was: nobody has waited for that"
    play.reader.placed(Cursor(9, 1))
    assert last.placed


def test_an_outage_is_counted_from_its_first_failure() -> None:
    play = Playbook(recovery_timeout=3.0)
    stream = play.reading()
    play.reader.failed(LOST, 10)
    play.reader.connected()
    play.reader.read(page(6), 11)
    stream.take()
    play.reader.failed(LOST, 20)
    assert stream.take() is None


def test_what_no_attempt_can_help_ends_the_streams_at_once() -> None:
    play = Playbook()
    stream = play.reading()
    play.reader.failed(REFUSED, 1)
    with pytest.raises(DatabaseError) as caught:
        stream.take()
    assert caught.value.sqlstate == "42501"


def test_a_position_below_the_floor_ends_the_streams_and_later_ones_begin_anew() -> None:
    play = Playbook()
    stream = play.reading()
    play.reader.read(page(9, expired=True), 1)
    with pytest.raises(RequestError) as caught:
        stream.take()
    assert caught.value.code == "CURSOR_EXPIRED"
    play.open()
    assert play.step(1) == Place()


def test_the_connection_is_given_back_when_nobody_listens_for_a_while() -> None:
    play = Playbook(outbox_poll=100.0)
    stream = play.reading()
    play.fanout.remove(stream)
    assert play.step(10) == Wait(100)
    again = play.open()
    assert play.step(50) == Wait(100)
    play.fanout.remove(again)
    assert play.step(60) == Wait(100)
    play.reader.notified()
    assert play.step(119) == Read(Cursor(5, 1), frozenset()), "so that the server has not to keep its notifications"
    assert play.step(120) == Disconnect()
    assert play.step(120) == Wait(None)
    assert not play.open().placed
    assert play.step(121) == Connect()


def test_the_end_comes_behind_what_was_given() -> None:
    play = Playbook()
    stream = play.reading()
    play.reader.read(page(6), 1)
    play.fanout.end()
    assert [event.payload for event in stream.take() or ()] == [6]  # type: ignore[union-attr]
    assert stream.take() is Absent.ENDED

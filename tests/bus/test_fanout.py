"""Streams that fall behind and catch up, against a bus in memory: each event once and in order, whatever the pace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraiseql.bus.cursors import Cursor
from fraiseql.bus.fanout import Fanout, StreamState
from fraiseql.bus.statements import Entry, Page
from fraiseql.effects import Absent, Event, EventSource
from fraiseql.errors import RequestError


class World:
    """An outbox with a reader and streams that read by themselves, three events at a time."""

    def __init__(self) -> None:
        self.fanout = Fanout()
        self.fanout.place(Cursor(0, 0))
        self.outbox: list[Entry] = []
        self.under_way: tuple[Page, frozenset[str] | None] | None = None

    def write(self, topic: str) -> None:
        cursor = Cursor(len(self.outbox) + 1, 1)
        self.outbox.append(Entry(cursor, Event(topic, None, cursor=str(cursor))))

    def page(self, position: Cursor, topics: frozenset[str] | None = None) -> Page:
        behind = [entry for entry in self.outbox if entry.cursor > position]
        found = behind[:3]
        entries = tuple(entry for entry in found if topics is None or entry.event.topic in topics)
        last = found[-1].cursor if found else position
        return Page(entries, last, more=len(behind) > 3, pending=False, known=True, expired=False)

    def begin_read(self) -> None:
        assert self.fanout.position is not None
        topics = self.fanout.topics
        self.under_way = (self.page(self.fanout.position, topics), topics)

    def read(self) -> None:
        """End the read that is under way, or do a whole one."""
        if self.under_way is None:
            self.begin_read()
        assert self.under_way is not None
        (page, topics), self.under_way = self.under_way, None
        self.fanout.deliver(page.entries, page.position, topics)


class Client:
    """A stream, and all it has got."""

    def __init__(self, world: World, topics: frozenset[str], room: int, after: Cursor | None) -> None:
        self.world = world
        self.topics = topics
        self.state = StreamState(EventSource(topics), room, lambda: None)
        self.begin = after or world.fanout.position
        world.fanout.add(self.state)
        if after is not None:
            self.state.begin_at(after)
        self.got: list[Event] = []
        self.under_way: Page | None = None

    def act(self) -> None:
        """Take what is there, or begin a read, or end it: others act between."""
        if self.under_way is not None:
            self.got += self.state.caught(self.under_way, self.world.fanout.position)
            self.under_way = None
        elif self.state.must_read:
            assert self.state.position is not None
            self.under_way = self.world.page(self.state.position, self.topics)
        else:
            item = self.state.take()
            self.got += item if isinstance(item, list) else []

    def check(self) -> None:
        assert self.begin is not None
        expected = [
            entry.event for entry in self.world.outbox if entry.cursor > self.begin and entry.event.topic in self.topics
        ]
        assert self.got == expected


ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from("abc")),
    st.tuples(st.just("begin_read"), st.none()),
    st.tuples(st.just("read"), st.none()),
    st.tuples(st.just("act"), st.integers(0, 4)),
    st.tuples(
        st.just("open"),
        st.tuples(st.sampled_from(["a", "ab", "abc", "b", "c"]), st.integers(1, 4), st.none() | st.integers(0, 20)),
    ),
)


@given(st.lists(ACTIONS, max_size=80))
def test_every_stream_gets_each_event_once_and_in_order(actions: list[tuple[str, object]]) -> None:
    world, clients = World(), []
    for name, argument in actions:
        if name == "write":
            world.write(argument)  # type: ignore[arg-type]
        elif name == "begin_read":
            if world.under_way is None:
                world.begin_read()
        elif name == "read":
            world.read()
        elif name == "open":
            topics, room, after = argument  # type: ignore[misc]
            place = None if after is None else Cursor(min(after, len(world.outbox)), 1)
            clients.append(Client(world, frozenset(topics), room, place))
        elif clients:
            clients[argument % len(clients)].act()  # type: ignore[operator]
    for _ in range(100):
        world.read()
        for client in clients:
            client.act()
    for client in clients:
        client.check()
        assert not client.state.behind


def test_a_stream_that_has_read_further_than_the_others_is_given_nothing_twice() -> None:
    world = World()
    ahead = Client(world, frozenset("a"), 9, Cursor(0, 0))
    world.write("a")
    world.write("a")
    ahead.act()
    ahead.act()  # it has read both, the others none
    assert not ahead.state.behind
    world.read()
    world.write("a")
    world.read()
    ahead.act()
    ahead.check()


def test_a_stream_that_is_removed_gets_nothing_more() -> None:
    world = World()
    one, two = (Client(world, frozenset("ab"), 9, None) for _ in range(2))
    world.fanout.remove(one.state)
    world.fanout.remove(one.state)
    world.write("a")
    world.read()
    assert one.state.take() is None
    assert len(two.state.take() or ()) == 1  # type: ignore[arg-type]
    assert len(world.fanout) == 1


def test_a_page_below_the_floor_is_an_error() -> None:
    world = World()
    client = Client(world, frozenset("a"), 1, Cursor(0, 0))
    with pytest.raises(RequestError) as caught:
        client.state.caught(replace(world.page(Cursor(0, 0)), expired=True), world.fanout.position)
    assert caught.value.code == "CURSOR_EXPIRED"


def test_only_those_are_woken_who_get_something() -> None:
    woken: list[str] = []
    fanout = Fanout()
    for topic, tenant in (("a", None), ("a", "x"), ("b", None)):
        fanout.add(
            StreamState(EventSource(frozenset(topic), tenant), 9, lambda t=topic, n=tenant: woken.append(f"{t}{n}"))
        )
    fanout.broadcast([Event("a", tenant="x"), Event("a", tenant="x"), Event("c")])
    assert woken == ["ax"]


def test_the_fanout_ends() -> None:
    world = World()
    client = Client(world, frozenset("a"), 9, None)
    world.fanout.end()
    assert client.state.take() is Absent.ENDED
    assert len(world.fanout) == 0

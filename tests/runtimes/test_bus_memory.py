"""The bus within one process, under asyncio and trio."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any

import anyio
import pytest

from fraiseql.bus import Bus, EventBus, EventStream
from fraiseql.effects import Absent, Event, EventSource
from fraiseql.errors import RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.runtimes.anyio.bus import connect_bus

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    bus = connect_bus(EventBus.memory(), limits=SubscriptionLimits(max_buffered=3))
    await bus.start()
    await bus.check()
    yield bus
    await bus.aclose()


def source(*topics: str, **options: Any) -> EventSource:
    return EventSource(frozenset(topics), **options)


async def received(stream: EventStream) -> list[Any]:
    """The payloads that are there."""
    item = await stream.next(0)
    return [] if isinstance(item, Absent) else [event.payload for event in item]


async def test_events_reach_the_streams_of_their_topic(bus: Bus) -> None:
    one, both = await bus.open(source("a")), await bus.open(source("a", "b"))
    assert await bus.publish("a", 1) is None
    await bus.publish([Event("b", 2), Event("a", 3, cursor="7.7")])
    assert (await received(one), await received(both)) == ([1, 3], [1, 2, 3])
    assert await one.next(0) is Absent.TIMED_OUT
    late = await bus.open(source("a"))
    assert await late.next(0.01) is Absent.TIMED_OUT


async def test_a_stream_waits_for_what_comes(bus: Bus) -> None:
    items: list[Any] = []

    async def wait(stream: EventStream) -> None:
        items.append(await stream.next(5))

    async with anyio.create_task_group() as group:
        group.start_soon(wait, await bus.open(source("a")))
        await anyio.sleep(0.01)
        await bus.publish("a", {"x": 1})
    assert items == [[Event("a", {"x": 1})]]


@pytest.mark.parametrize(
    ("event", "reaches"),
    [
        (Event("a"), {"xu", "xv", "y", "none"}),
        (Event("a", tenant="x"), {"xu", "xv"}),
        (Event("a", user="u"), {"xu"}),
        (Event("a", tenant="x", user="u"), {"xu"}),
        (Event("a", tenant="y", user="u"), set()),
        (Event("a", tenant=""), set()),
    ],
)
async def test_whom_an_event_reaches(bus: Bus, event: Event, reaches: set[str]) -> None:
    streams = {
        "xu": await bus.open(source("a", tenant="x", user="u")),
        "xv": await bus.open(source("a", tenant="x", user="v")),
        "y": await bus.open(source("a", tenant="y")),
        "none": await bus.open(source("a")),
    }
    await bus.publish(event)
    assert {name for name, stream in streams.items() if await received(stream)} == reaches


async def test_subscribers_do_not_share_a_payload_with_the_publisher(bus: Bus) -> None:
    stream = await bus.open(source("a"))
    payload = {"n": (1, 2)}
    await bus.publish("a", payload)
    payload.clear()
    assert await received(stream) == [{"n": [1, 2]}]


async def test_a_slow_consumer_is_told_behind_what_it_was_given(bus: Bus) -> None:
    slow, fast = await bus.open(source("a")), await bus.open(source("a"))
    for n in range(6):
        await bus.publish("a", n)
        assert await received(fast) == [n]
    assert await received(slow) == [0, 1, 2]
    for _ in range(2):
        with pytest.raises(RequestError) as caught:
            await slow.next(0)
        assert caught.value.code == "SLOW_CONSUMER"


async def test_nothing_can_be_resumed(bus: Bus) -> None:
    with pytest.raises(RequestError) as caught:
        await bus.open(source("a", after="1.1"))
    assert caught.value.code == "BAD_USER_INPUT"


async def test_the_end(bus: Bus) -> None:
    stream, closed = await bus.open(source("a")), await bus.open(source("a"))
    closed.close()
    closed.close()
    await bus.publish("a", 1)
    assert await closed.next() is Absent.ENDED
    await bus.aclose()
    assert await received(stream) == [1]
    assert await stream.next() is Absent.ENDED


async def test_a_subscription_that_is_left_is_closed(bus: Bus) -> None:
    async with bus.subscribe("a") as events:
        await bus.publish("a", 1)
    async for _ in events:
        raise AssertionError("it is closed, and what it had not given is gone")

    async def first() -> Event:
        async for event in bus.subscribe("a"):
            return event
        raise AssertionError

    got: list[Event] = []

    async def get() -> None:
        got.append(await first())

    async with anyio.create_task_group() as group:
        group.start_soon(get)
        await anyio.sleep(0.01)
        await bus.publish("a", 2)
    gc.collect()
    assert [event.payload for event in got] == [2]
    assert len(bus._fanout) == 0  # type: ignore[attr-defined]


class Number(Enum):
    NAN = float("nan")


@dataclass
class Measure:
    value: float


@pytest.mark.parametrize(
    "payload",
    [
        *(object(), {1}, b"bytes", float, float("nan"), float("inf"), -float("inf"), Decimal("nan"), Number.NAN),
        *([None, float("nan")], {"x": {"y": (1, float("inf"))}}, Measure(float("nan")), [Measure(float("inf"))]),
    ],
)
async def test_what_json_cannot_hold_is_no_payload(bus: Bus, payload: object) -> None:
    with pytest.raises(TypeError, match="payload"):
        await bus.publish("a", payload)


@pytest.mark.parametrize("payload", [None, [None], {"null": "null"}, Measure(1.5), 1e308])
async def test_what_only_looks_like_it_is_a_payload(bus: Bus, payload: object) -> None:
    await bus.publish("a", payload)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        *[((event,), TypeError) for event in (b"x", bytearray(b"x"), 5, None, {"a": 1}, ["x"], [Event("a"), "b"])],
        *[((Event(topic),), TypeError) for topic in (None, 5, b"a")],  # type: ignore[arg-type]
        *[((topic,), ValueError) for topic in ("", "a\0b", "\ud800")],
        (([Event("a"), Event("")],), ValueError),
    ],
)
async def test_what_cannot_be_published(bus: Bus, arguments: tuple[Any, ...], error: type[Exception]) -> None:
    stream = await bus.open(source("a"))
    with pytest.raises(error, match=r"topic|Event"):
        await bus.publish(*arguments)
    assert await received(stream) == []


@pytest.mark.parametrize("name", ["tenant", "user"])
@pytest.mark.parametrize(("value", "error"), [(5, TypeError), (b"x", TypeError), ([], TypeError), ("a\0", ValueError)])
async def test_whose_an_event_is_is_a_text(bus: Bus, name: str, value: Any, error: type[Exception]) -> None:
    for publish in (bus.publish("a", **{name: value}), bus.publish([Event("a", **{name: value})])):
        with pytest.raises(error, match=name):
            await publish
    with pytest.raises(error, match=name):
        bus.subscribe("a", **{name: value})
    with pytest.raises(error, match=name):
        await bus.open(source("a", **{name: value}))


@pytest.mark.parametrize(
    ("topics", "after", "error"),
    [
        ((), None, TypeError),
        ((5,), None, TypeError),
        ((["a"],), None, TypeError),
        (("a",), 5, TypeError),
        (("a",), b"1.1", TypeError),
        (("a", ""), None, ValueError),
        (("a\0b",), None, ValueError),
    ],
)
async def test_what_cannot_be_subscribed_to(bus: Bus, topics: Any, after: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        bus.subscribe(*topics, after=after)


@pytest.mark.parametrize(
    "argument",
    [None, "a", source(), EventSource("a"), EventSource({"a"}), source(5), source("a", after=5)],  # type: ignore
)
async def test_what_is_no_source(bus: Bus, argument: Any) -> None:
    with pytest.raises(TypeError):
        await bus.open(argument)


async def test_whole_events_take_no_further_arguments(bus: Bus) -> None:
    with pytest.raises(TypeError, match="whole events"):
        await bus.publish(Event("a"), tenant="x")

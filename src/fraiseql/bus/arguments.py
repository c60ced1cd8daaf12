"""What users give to a bus, held to its types: what is wrong is told where it was given, not by the database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fraiseql.effects import Event, EventSource

__all__ = ["check_source", "check_topic", "events_of", "source_of"]


def events_of(
    event: str | Event | Iterable[Event], payload: Any, tenant: str | None, user: str | None
) -> tuple[Event, ...]:
    """What `Bus.publish` was given, as events.

    Raises:
        TypeError: no topic and no events, whole events and further arguments, or a topic, tenant or user is no text.
        ValueError: a topic is empty, or a text is none that the bus can carry.
    """
    if isinstance(event, str):
        events: tuple[Any, ...] = (Event(event, payload, tenant, user),)
    elif payload is not None or tenant is not None or user is not None:
        raise TypeError("publish takes a topic with its payload, tenant and user, or whole events")
    elif isinstance(event, Event):
        events = (event,)
    else:
        events = _several(event)
    for each in events:
        if not isinstance(each, Event):
            raise TypeError(f"publish takes a topic, an Event, or several Events; among these is {each!r}")
        check_topic(each.topic)
        _check_whose("tenant", each.tenant)
        _check_whose("user", each.user)
    return events


def _several(events: object) -> tuple[Any, ...]:
    if not isinstance(events, Iterable) or isinstance(events, bytes | bytearray | memoryview | dict):
        raise TypeError(f"publish takes a topic, an Event, or several Events, not {events!r}")
    return tuple(events)


def source_of(topics: Iterable[str], tenant: str | None, user: str | None, after: str | None) -> EventSource:
    """What `Bus.subscribe` was given, as a source; raises what `check_source` does."""
    given = tuple(topics)
    for topic in given:
        check_topic(topic)  # before they are hashed
    source = EventSource(frozenset(given), tenant, user, after)
    check_source(source)
    return source


def check_source(source: EventSource) -> None:
    """Hold a source to what a bus can serve.

    Raises:
        TypeError: it has no topics, or something in it has another type.
        ValueError: a topic is empty, or a text is none that the bus can carry.
    """
    if not isinstance(source, EventSource):
        raise TypeError(f"a stream needs an EventSource, not {source!r}")
    if not isinstance(source.topics, frozenset):
        raise TypeError(f"the topics of an EventSource are a frozenset, not {source.topics!r}")
    if not source.topics:
        raise TypeError("a stream needs a topic at least")
    for topic in source.topics:
        check_topic(topic)
    _check_whose("tenant", source.tenant)
    _check_whose("user", source.user)
    if source.after is not None and not isinstance(source.after, str):
        raise TypeError(f"`after` is the text of a cursor, or None, not {source.after!r}")


def check_topic(topic: object) -> None:
    """Hold a topic to a text that is not empty, and that PostgreSQL can hold; raises TypeError or ValueError."""
    if not isinstance(topic, str):
        raise TypeError(f"a topic is a text, not {topic!r}")
    if not topic:
        raise ValueError("a topic must not be empty")
    _check_characters("topic", topic)


def _check_whose(what: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"the {what} of an event or stream is a text or None, not {value!r}")
    _check_characters(what, value)


def _check_characters(what: str, text: str) -> None:
    if "\0" in text:
        raise ValueError(f"the {what} {text!r} holds a NUL character, which PostgreSQL cannot")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the {what} {text!r} is not Unicode: it holds half a character") from None

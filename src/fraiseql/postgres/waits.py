"""The one interface between a conversation with PostgreSQL and whatever waits for its socket.

A conversation is a generator: it yields `(fd, wait)`, is sent which of the two became ready, and returns its result.
The descriptor may change from one wait to the next while a connection is being made.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

__all__ = ["Conversation", "Ready", "Wait", "on"]

_Result = TypeVar("_Result")
Conversation: TypeAlias = Generator[tuple[int, Wait], Ready, _Result]
"""Yields waits, is sent what became ready, returns its result; raises DatabaseError."""


def on(fd: int, generator: PQGen[_Result]) -> Conversation[_Result]:
    """Add the descriptor to the waits of one of psycopg's generators, which leave it out once a connection is made."""
    try:
        wait = next(generator)
        while True:
            wait = generator.send((yield fd, wait))
    except StopIteration as stop:
        result: _Result = stop.value
        return result

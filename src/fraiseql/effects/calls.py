"""Calls of users' functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fraiseql.context import ANONYMOUS, Caller

__all__ = [
    "Call",
    "CallAll",
    "Compute",
    "ResolverCall",
]


@dataclass(frozen=True, slots=True)
class Call:
    """Call a user's function, await what it returns where that is awaitable, and give its result."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Compute:
    """Call a function of ours that takes its time, and give its result.

    Attributes:
        function: pure, and safe to call in any thread: nobody else waits for it. It raises nothing but an Exception.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ResolverCall:
    """A call of a resolver: of a user's function that computes a field, asynchronous or not.

    Attributes:
        function: called with `arguments`, with those of `named` by name, and with an Info as `info` where `takes_info`.
        field_name: in GraphQL.
        access: what `info.db` asks the database through; None where it has none.
        blocks: whether a function that is not asynchronous may take its time: it is given a thread.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    takes_info: bool
    field_name: str
    caller: Caller = ANONYMOUS
    access: Any = None
    blocks: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class CallAll:
    """Make calls that do not depend on each other; gives what each came to, in order: its result or its Exception.

    Attributes:
        limit: how many of them may be under way at once, where they wait.
    """

    calls: tuple[ResolverCall, ...]
    limit: int

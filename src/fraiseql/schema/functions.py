"""What can be told of a declared function without calling it."""

from __future__ import annotations

import collections.abc as abc
import dis
import inspect
from collections.abc import Callable
from types import NoneType
from typing import Any, Final, get_args, get_origin

from fraiseql.errors import SchemaError

__all__ = ["has_no_body", "is_asynchronous", "refuse_iterator", "takes_info", "yielded"]

_ASYNCHRONOUS: Final = (abc.AsyncIterator, abc.AsyncGenerator, abc.AsyncIterable)
_SYNCHRONOUS: Final = (abc.Iterator, abc.Generator, abc.Iterable)


def _nothing() -> None: ...


async def _nothing_asynchronous() -> None: ...


def _steps(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    return [(step.opname, step.argval) for step in dis.get_instructions(function)]


_BODYLESS: Final = (_steps(_nothing), _steps(_nothing_asynchronous))


def has_no_body(function: Callable[..., Any]) -> bool:
    """Whether a function has nothing but a docstring, `...` or `pass`: it then compiles to what an empty one does."""
    return _steps(function) in _BODYLESS


def takes_info(function: Callable[..., Any]) -> bool:
    """Whether the first parameter is named `info`."""
    return next(iter(inspect.signature(function).parameters), None) == "info"


def is_asynchronous(function: Callable[..., Any]) -> bool:
    """Whether a generator function is asynchronous; raises SchemaError for a function that is no generator."""
    if inspect.isasyncgenfunction(function):
        return True
    if inspect.isgeneratorfunction(function):
        return False
    kind = "a coroutine function" if inspect.iscoroutinefunction(function) else "a function"
    raise SchemaError(
        function.__name__,
        found=f"{kind} with a body and without yield",
        expected="a generator function, or no body: a docstring only",
    )


def refuse_iterator(returned: Any, where: str) -> None:
    """A function without a body yields nothing: its annotation says what one result is."""
    if get_origin(returned) in (*_ASYNCHRONOUS, *_SYNCHRONOUS):
        found = f"{_shown(returned)} without a function body"
        raise SchemaError(where, found=found, expected="a body that yields, or -> list[T], -> T or -> T | None")


def _shown(annotation: Any) -> str:
    return str(annotation).replace("typing.", "").replace("collections.abc.", "")


def yielded(returned: Any, *, asynchronous: bool, where: str) -> Any:
    """The annotation of what a generator function yields, from its resolved return annotation."""
    origin, arguments = get_origin(returned), get_args(returned)
    wanted = _ASYNCHRONOUS if asynchronous else _SYNCHRONOUS
    if origin in wanted and arguments and all(rest in (None, NoneType) for rest in arguments[1:]):
        return arguments[0]
    expected = "AsyncIterator[T] or AsyncGenerator[T, None]" if asynchronous else "Iterator[T] or Generator[T]"
    raise SchemaError(where, found=_shown(returned), expected=expected)

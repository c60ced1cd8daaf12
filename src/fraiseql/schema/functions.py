"""What can be told of a declared function without calling it."""

from __future__ import annotations

import collections.abc as abc
import dis
import inspect
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Final, get_args, get_origin

from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import SubscriptionDeclaration
from fraiseql.schema.model import InputField, Resolver, SubscriptionKind
from fraiseql.schema.names import database_text, identifier
from fraiseql.schema.validate import AFTER_ARGUMENT

__all__ = [
    "check_names",
    "check_targets",
    "has_no_body",
    "is_asynchronous",
    "is_coroutine_function",
    "kind_of",
    "refuse_iterator",
    "resolver_of_root",
    "takes_info",
    "yielded",
]

_RESERVED: Final = "fraiseql."

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


def is_coroutine_function(function: Callable[..., Any]) -> bool:
    """Whether what a call gives is to be awaited; a decorator that names what it wraps is looked through."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inspect.unwrap(function))


def resolver_of_root(function: Callable[..., Any], where: str) -> Resolver:
    """How a function with a body serves a field of Query or Mutation; raises SchemaError."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SchemaError(where, found="a generator function", expected="a function that returns")
    return Resolver(function, takes_info(function))


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


def kind_of(declaration: SubscriptionDeclaration) -> SubscriptionKind:
    """Which kind a declaration is of, by its body and its topic."""
    where, topic, by = declaration.function.__name__, declaration.topic, declaration.by
    if not isinstance(declaration.trust_payload, bool):
        raise SchemaError(where, found=f"trust_payload={declaration.trust_payload!r}", expected="True or False")
    if declaration.trust_payload and (topic is None or by is not None):
        raise SchemaError(where, found="trust_payload=True", expected="topic=... without by=..., or none of it")
    if by is not None:
        identifier(by, f"{where} (by)")
        if topic is None:
            raise SchemaError(where, found=f"by={by!r} without topic=...", expected="topic=..., or neither")
    if topic is not None and database_text(topic, f"{where} (topic)", "a topic").startswith(_RESERVED):
        raise SchemaError(where, found=f"topic={topic!r}", expected=f"another: {_RESERVED}* are our own")
    if has_no_body(declaration.function):
        return SubscriptionKind.LIVE if topic is None else SubscriptionKind.EVENT
    if topic is not None:
        raise SchemaError(
            where, found="a function body and topic=...", expected="one of them: SQL serves the events of a topic"
        )
    return SubscriptionKind.RESOLVER


def check_targets(
    where: str, kind: SubscriptionKind, arguments: Mapping[str, InputField], parameters: list[tuple[str, Any, Any]]
) -> None:
    """A resolver is called by its parameters' names; an event subscription has one argument of its own."""
    if kind is SubscriptionKind.RESOLVER:
        check_names(where, arguments, parameters, "name=... only: Python serves it")
    for argument, (parameter, *_) in zip(arguments.values(), parameters, strict=True):
        place = f"{where}({parameter})"
        if kind is SubscriptionKind.EVENT and argument.name == AFTER_ARGUMENT:
            raise SchemaError(
                place, found=f"the argument {AFTER_ARGUMENT}", expected="another name: every topic has this one"
            )


def check_names(
    where: str, arguments: Mapping[str, InputField], parameters: list[tuple[str, Any, Any]], expected: str
) -> None:
    """Arguments that are called by their parameters' names have no columns."""
    for argument, (parameter, *_) in zip(arguments.values(), parameters, strict=True):
        if argument.target != parameter:
            raise SchemaError(f"{where}({parameter})", found=f"column={argument.target!r}", expected=expected)

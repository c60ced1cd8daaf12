"""Runs the programs of the manager: they ask for nothing but calls, which are made at once."""

from __future__ import annotations

from collections.abc import Coroutine
from inspect import isawaitable
from typing import Any, TypeVar

from fraiseql.context import BlockingInfo, NoDatabase
from fraiseql.effects import CallAll, Program, ResolverCall

__all__ = ["plain_value", "run_at_once"]

_Result = TypeVar("_Result")


def run_at_once(program: Program[_Result]) -> _Result:
    """Make the calls of a program and return its result."""
    try:
        effect = next(program)
        while True:
            assert isinstance(effect, CallAll)
            effect = program.send([_outcome(call) for call in effect.calls])
    except StopIteration as stop:
        result: _Result = stop.value
        return result


def plain_value(value: Any) -> Any:
    """A value that a user's function gave; raises TypeError for something to be awaited, which nobody does here."""
    if isawaitable(value):
        if isinstance(value, Coroutine):
            value.close()  # or Python would warn that it was never awaited
        raise TypeError(f"a resolver must give a value, not something to be awaited: {type(value).__name__}")
    return value


def _outcome(call: ResolverCall) -> Any:
    named = dict(call.named)
    if call.takes_info:
        named["info"] = BlockingInfo(call.caller, call.field_name, None, NoDatabase("the manager has none"))
    try:
        return plain_value(call.function(*call.arguments, **named))
    except Exception as error:  # a user's code raises anything
        return error

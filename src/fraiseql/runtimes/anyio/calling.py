"""Calls of resolvers: one after the other, or some at once where they wait."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import anyio

from fraiseql.context import Info
from fraiseql.effects import CallAll, ResolverCall
from fraiseql.runtimes.anyio.programs import guarded

__all__ = ["call_all"]


async def call_all(effect: CallAll, bus: Any) -> list[Any]:
    """Make all calls and give what each came to; cancelled, all are.

    Args:
        bus: for their Info.
    """
    results: list[Any] = [None] * len(effect.calls)
    left = iter(enumerate(effect.calls))

    async def work(left: Iterator[tuple[int, ResolverCall]]) -> None:
        for place, call in left:
            try:
                results[place] = await guarded(_call(call, bus))
            except Exception as error:
                results[place] = error

    functions = {call.function for call in effect.calls}
    waiting = len(effect.calls) > 1 and any(map(inspect.iscoroutinefunction, functions))
    if not waiting:
        await work(left)
        return results
    async with anyio.create_task_group() as group:
        for _ in range(min(effect.limit, len(effect.calls))):
            group.start_soon(work, left)
    return results


async def _call(call: ResolverCall, bus: Any) -> Any:
    named = dict(call.named)
    if call.takes_info:
        named["info"] = Info(call.caller, call.field_name, bus)
    result = call.function(*call.arguments, **named)
    return await result if inspect.isawaitable(result) else result

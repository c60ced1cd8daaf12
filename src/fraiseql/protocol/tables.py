"""What the machines do with their tables of states alike."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from fraiseql.errors import LocalProtocolError

__all__ = ["move"]

_State = TypeVar("_State", bound=Enum)
_Input = TypeVar("_Input", bound=Enum)


def move(table: Mapping[tuple[_State, _Input], _State], state: _State, what: _Input) -> _State:
    """The state after an input; raises LocalProtocolError where the table has none."""
    after = table.get((state, what))
    if after is None:
        raise LocalProtocolError(f"{what.value} is not possible in state {state.name}")
    return after

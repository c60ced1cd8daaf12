"""What a field of Mutation becomes: who serves it, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fraiseql.schema.fields import UNDECLARED, InputField, PageSizes, Resolver, Shape, TypeReference
from fraiseql.schema.function_actions import FunctionAction
from fraiseql.schema.table_actions import TableAction

__all__ = ["Action", "MutationField"]

Action: TypeAlias = FunctionAction | TableAction | Resolver
"""A PostgreSQL function, a statement about a table, or a function in Python."""


@dataclass(frozen=True, slots=True)
class MutationField:
    """A field of the root Mutation.

    Attributes:
        target: the type of what it gives.
        action: what serves it.
    """

    name: str
    type: TypeReference
    description: str | None
    arguments: Mapping[str, InputField]
    target: str
    shape: Shape
    action: Action
    page_sizes: PageSizes = UNDECLARED
    deprecated: str | None = None

"""Mutations that a PostgreSQL function serves."""

from __future__ import annotations

from dataclasses import dataclass

from fraiseql.schema.fields import Source

__all__ = ["FunctionAction"]


@dataclass(frozen=True, slots=True)
class FunctionAction:
    """A call of a PostgreSQL function.

    Attributes:
        function: its name.
    """

    function: Source

"""Mutations of a table that a type is declared over."""

from __future__ import annotations

from dataclasses import dataclass

from fraiseql.schema.fields import Source

__all__ = ["TableAction"]


@dataclass(frozen=True, slots=True)
class TableAction:
    """Rows of a table inserted, updated or deleted.

    Attributes:
        table: their table.
    """

    table: Source

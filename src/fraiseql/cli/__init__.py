"""The `fraiseql` command."""

from __future__ import annotations

from fraiseql.cli.app import main

__all__ = ["main"]

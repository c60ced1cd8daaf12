"""What users and we test with."""

from __future__ import annotations

from fraiseql.testing.clock import FakeClock

__all__ = ["FakeClock"]

"""What is wrong between a schema and a database: one line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

__all__ = ["Finding", "Severity", "nearest"]


class Severity(Enum):
    """How bad a finding is."""

    ERROR = "error"
    """Some requests fail."""
    WARNING = "warning"
    """Some rows may be errors, or slow to find."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    Attributes:
        where: in Python: the class and its attribute, `User.email`.
        found: what is wrong.
        advice: what to do.
    """

    severity: Severity
    where: str
    found: str
    advice: str

    def __str__(self) -> str:
        line = f"{self.severity.value}: {self.where}: {self.found}; {self.advice}"
        return " ".join(line.split())  # a name may hold a line break


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the name that was perhaps meant, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""

"""A pipeline whose mutations are served by one statement each, for tests of what is around that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraiseql.limits import MutationLimits
from fraiseql.pipeline import Pipeline
from pipeline.mutations.scripted import Ran, run, schema, serve

Mutate = Callable[..., Ran]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pipeline]:
    """Makes a pipeline with the limits of mutations that it is given."""
    monkeypatch.setattr("fraiseql.pipeline.mutations.program.serve", serve)
    return lambda **limits: Pipeline(schema, mutations=MutationLimits(**limits))


@pytest.fixture
def mutate(scripted: Callable[..., Pipeline]) -> Mutate:
    """Answers one request; `limits` are those of mutations."""

    def mutate(query: str, *arguments: Any, limits: dict[str, Any] | None = None, **options: Any) -> Ran:
        return run(scripted(**(limits or {})), query, *arguments, **options)

    return mutate

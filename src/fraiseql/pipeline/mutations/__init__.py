"""Mutations: served field by field in transactions that are all or nothing."""

from fraiseql.pipeline.mutations.program import mutate
from fraiseql.pipeline.mutations.serving import Asking

__all__ = ["Asking", "mutate"]

"""Mutations: served field by field in transactions that are all or nothing."""

from fraiseql.pipeline.mutations.explaining import first_statements
from fraiseql.pipeline.mutations.idempotency import IdempotencyKeys
from fraiseql.pipeline.mutations.program import mutate
from fraiseql.pipeline.mutations.serving import Asking

__all__ = ["Asking", "IdempotencyKeys", "first_statements", "mutate"]

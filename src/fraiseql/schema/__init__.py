"""Declarations in Python, read into one frozen schema."""

from fraiseql.schema.build import Schema
from fraiseql.schema.declarations import enum, field, input, query, relation, subscription, type
from fraiseql.schema.scalars import ID, JSON

__all__ = ["ID", "JSON", "Schema", "enum", "field", "input", "query", "relation", "subscription", "type"]

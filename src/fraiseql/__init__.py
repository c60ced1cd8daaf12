"""PostgreSQL over GraphQL, with no I/O in its core."""

from fraiseql._version import __version__
from fraiseql.schema import ID, JSON, Schema, enum, field, input, query, relation, type

__all__ = ["ID", "JSON", "Schema", "__version__", "enum", "field", "input", "query", "relation", "type"]

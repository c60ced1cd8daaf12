"""PostgreSQL over GraphQL, with no I/O in its core."""

from fraiseql._version import __version__

__all__ = ["__version__"]

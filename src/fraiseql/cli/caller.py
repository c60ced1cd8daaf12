"""The caller that a command line describes, in place of what the context function would make of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fraiseql.context import Caller
from fraiseql.errors import ConfigurationError

__all__ = ["read_caller"]

_KEYS = ("user_id", "tenant_id", "roles", "context")


def read_caller(given: Mapping[str, Any]) -> Caller:
    """The Caller with these attributes, `roles` a list of texts; raises ConfigurationError."""
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        raise ConfigurationError(f"--context has {unknown[0]!r}; expected {', '.join(_KEYS)}")
    roles = given.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise ConfigurationError(f"--context has roles={roles!r}; expected a list of texts")
    try:
        return Caller(**{**given, "roles": frozenset(roles)})
    except TypeError as error:
        raise ConfigurationError(f"--context: {error}") from None

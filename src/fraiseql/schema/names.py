"""Names: in GraphQL, and in PostgreSQL."""

from __future__ import annotations

import re
from typing import Any, Final

from fraiseql.errors import SchemaError

__all__ = ["camel_case", "database_text", "graphql_name", "identifier"]

_NAME: Final = re.compile(r"(?!__)[_A-Za-z][_0-9A-Za-z]*")  # GraphQL §2.1.9; names with `__` belong to introspection


def camel_case(name: str) -> str:
    """`created_at` -> `createdAt`; leading underscores stay."""
    bare = name.lstrip("_")
    first, *rest = bare.split("_")
    return name[: len(name) - len(bare)] + first + "".join(part[:1].upper() + part[1:] for part in rest)


def graphql_name(name: Any, where: str) -> str:
    """A name that a user has chosen for GraphQL."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise SchemaError(
            where, found=f"the name {name!r}", expected="a GraphQL name: letters, digits, _, no leading __"
        )
    return name


def database_text(value: Any, where: str, expected: str) -> str:
    """A text that PostgreSQL can hold, and not an empty one."""
    try:
        if isinstance(value, str) and value.encode() and "\0" not in value:
            return value
    except UnicodeEncodeError:
        pass
    raise SchemaError(where, found=repr(value), expected=expected)


def identifier(name: Any, where: str) -> str:
    """A name that PostgreSQL takes whole."""
    expected = "a PostgreSQL identifier of 1 to 63 bytes"
    # PostgreSQL cuts an identifier after 63 bytes and goes on with another name.
    if len(database_text(name, where, expected).encode()) > 63:
        raise SchemaError(where, found=repr(name), expected=expected)
    return str(name)

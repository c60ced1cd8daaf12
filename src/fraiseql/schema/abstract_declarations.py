"""The decorators for abstract types: interfaces, whose members derive from them, and unions, which name theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from fraiseql.schema.declarations import (
    InterfaceDeclaration,
    UnionDeclaration,
    description_of,
    remember,
    require_class,
)
from fraiseql.schema.directives import Use

__all__ = ["interface", "union"]

_Class = TypeVar("_Class", bound=Callable[..., Any])


@overload
def interface(cls: _Class, /) -> _Class: ...
@overload
def interface(
    *,
    sql_source: str | None = None,
    jsonb_column: str | None = "data",
    discriminator: str | None = None,
    name: str | None = None,
    description: str | None = None,
    directives: Sequence[Use] = (),
) -> Callable[[_Class], _Class]: ...
def interface(
    cls: Any = None,
    /,
    *,
    sql_source: str | None = None,
    jsonb_column: str | None = "data",
    discriminator: str | None = None,
    name: str | None = None,
    description: str | None = None,
    directives: Sequence[Use] = (),
) -> Any:
    """Declare an interface, which the types implement that derive from the class.

    Without a discriminator it only says which fields its types share; nothing can be of it. With one, its types say by
    `when=` which value of the discriminator is theirs, and are read from the interface's source unless they have one.

    Args:
        sql_source: the table or view that holds the rows of all its types, as for `type`; None for objects that lie in
            the jsonb of others.
        jsonb_column: as for `type`.
        discriminator: the column that tells of which type a row is; without a `sql_source` the key that does.
        name: in GraphQL; the class's name by default.
        description: the docstring by default.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: not a class.
    """

    def declare(declared: Any) -> Any:
        require_class(declared, "interface")
        text = description_of(declared, description)
        left = InterfaceDeclaration(
            declared, name or declared.__name__, sql_source, jsonb_column, text, discriminator, directives
        )
        return remember(declared, left)

    return declare if cls is None else declare(cls)


def union(
    *,
    types: Mapping[str, Callable[..., Any]],
    discriminator: str,
    sql_source: str | None = None,
    jsonb_column: str | None = "data",
    name: str | None = None,
    description: str | None = None,
    directives: Sequence[Use] = (),
) -> Callable[[_Class], _Class]:
    """Declare a union on a class without attributes.

    Args:
        types: value of the discriminator -> class under `@fraiseql.type`. Its fields are columns of the union's source,
            or keys of its jsonb column, whether or not the type has a source of its own.
        discriminator: the column that tells of which type a row is; without a `sql_source` the key that does.
        sql_source: the table or view that holds the rows, as for `type`; None for objects that lie in the jsonb of
            others.
        jsonb_column: as for `type`.
        name: in GraphQL; the class's name by default.
        description: the docstring by default.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: not a class.
    """

    def declare(declared: Any) -> Any:
        require_class(declared, "union")
        text = description_of(declared, description)
        left = UnionDeclaration(
            declared,
            name or declared.__name__,
            sql_source,
            jsonb_column,
            text,
            discriminator=discriminator,
            types=types,
            directives=directives,
        )
        return remember(declared, left)

    return declare

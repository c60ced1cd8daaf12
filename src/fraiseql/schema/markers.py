"""The markers of fields that a user writes: what their annotations do not say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fraiseql.schema.declarations import FieldOptions, RelationOptions
from fraiseql.schema.directives import Use, hashable

__all__ = ["field", "relation"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


if TYPE_CHECKING:

    class _Marker(Any):  # type: ignore[misc]  # the value of an attribute of any annotation
        def __call__(self, function: _Function, /) -> _Function: ...


@overload
def field(function: _Function, /) -> _Function: ...
@overload
def field(
    *,
    column: str | None = None,
    key: str | None = None,
    sql: str | None = None,
    name: str | None = None,
    description: str | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
    needs: Iterable[str] | None = None,
    batch: bool = False,
) -> _Marker: ...
def field(
    function: Any = None,
    /,
    *,
    column: str | None = None,
    key: str | None = None,
    sql: str | None = None,
    name: str | None = None,
    description: str | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
    needs: Iterable[str] | None = None,
    batch: bool = False,
) -> Any:
    """Say more of a field than its annotation does, as its default or inside `Annotated`; or make a method a field.

    A method computes the field, asynchronous or not: it is called with an instance that holds what it needs, an
    optional `info` and the field's arguments.

    Args:
        column: the real column that holds it, also where the type's other fields are keys of a jsonb column.
        key: its key in jsonb; the attribute's name by default.
        sql: an SQL expression that computes it, in which `{name}` is a column of the type's source, `{{` and `}}` are
            braces. Its value is cast to the annotation's type.
        name: in GraphQL; the attribute's name in camelCase by default.
        description: in GraphQL; a method's docstring by default.
        deprecated: why it should not be used any more, and what should.
        directives: what `fraiseql.directive` made, with arguments.
        needs: of a method: the attributes that it reads; all but relations and other methods by default.
        batch: of a static method: it is called once with a list of all instances, and gives a list of as many values.

    Raises:
        SchemaError: not a method.
    """
    given = needs if needs is None or isinstance(needs, str) or not isinstance(needs, Iterable) else tuple(needs)
    applied = hashable(directives)
    options = FieldOptions(
        *(column, key, name, description, sql, deprecated, applied),
        needs=given,  # type: ignore[arg-type]  # is checked later
        batch=batch,
    )
    return options if function is None else options(function)


def relation(
    *,
    on: Mapping[str, str],
    through: str | None = None,
    own: Mapping[str, str] | None = None,
    name: str | None = None,
    description: str | None = None,
    default_page_size: int | None = None,
    max_page_size: int | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
) -> Any:
    """Lead a field to rows of another source: all of them for a `list[...]`, at most one otherwise.

    Args:
        on: column of the related source -> column of this type's source, equal in both; several make a composite key.
            With `through`: column of the related source -> column of the table between.
        through: the table or view between both, for many-to-many, `schema.name` or `name`, exactly as PostgreSQL
            spells it. A row that it names several times is there once.
        own: with `through`: column of the table between -> column of this type's source.
        name: in GraphQL; the attribute's name in camelCase by default.
        description: in GraphQL.
        default_page_size: rows of the list where `limit` is not given; the schema's by default.
        max_page_size: the largest `limit` of the list; the schema's by default.
        deprecated: why it should not be used any more, and what should.
        directives: what `fraiseql.directive` made, with arguments.
    """
    sizes = (default_page_size, max_page_size)
    return RelationOptions(on, name, description, *sizes, through, own, deprecated, directives)

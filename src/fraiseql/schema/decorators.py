"""The decorators of classes and functions that a user writes; they only remember, `build` reads and checks."""

from __future__ import annotations

import enum as _enum
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import (
    EnumDeclaration,
    InputDeclaration,
    QueryDeclaration,
    SubscriptionDeclaration,
    TypeDeclaration,
    description_of,
    remember,
    require_class,
)
from fraiseql.schema.directives import Use

__all__ = ["enum", "input", "query", "subscription", "type"]

_Class = TypeVar("_Class", bound=Callable[..., Any])
_Function = TypeVar("_Function", bound=Callable[..., Any])


@overload
def type(cls: _Class, /) -> _Class: ...
@overload
def type(
    *,
    sql_source: str | None = None,
    jsonb_column: str | None = "data",
    when: str | None = None,
    name: str | None = None,
    description: str | None = None,
    directives: Sequence[Use] = (),
) -> Callable[[_Class], _Class]: ...
def type(
    cls: Any = None,
    /,
    *,
    sql_source: str | None = None,
    jsonb_column: str | None = "data",
    when: str | None = None,
    name: str | None = None,
    description: str | None = None,
    directives: Sequence[Use] = (),
) -> Any:
    """Declare an output type.

    Args:
        sql_source: the table or view that holds it, `schema.name` or `name`, exactly as PostgreSQL spells it; None for
            an object that lives inside the jsonb of others.
        jsonb_column: the jsonb column whose keys are the fields; None where the fields are columns.
        when: for a class that derives from an interface with a discriminator: the value of that for this type. Without
            a `sql_source` its rows are those of the interface's source with that value.
        name: in GraphQL; the class's name by default.
        description: the docstring by default.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: not a class.
    """

    def declare(declared: Any) -> Any:
        require_class(declared, "type")
        text = description_of(declared, description)
        left = TypeDeclaration(
            declared, name or declared.__name__, sql_source, jsonb_column, text, when, directives=directives
        )
        return remember(declared, left)

    return declare if cls is None else declare(cls)


@overload
def input(cls: _Class, /) -> _Class: ...
@overload
def input(
    *, name: str | None = None, description: str | None = None, one_of: bool = False, directives: Sequence[Use] = ()
) -> Callable[[_Class], _Class]: ...
def input(
    cls: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    one_of: bool = False,
    directives: Sequence[Use] = (),
) -> Any:
    """Declare an input object type; a class attribute's value is the field's default.

    Args:
        name: in GraphQL; the class's name by default.
        description: the docstring by default.
        one_of: whether exactly one of the fields must be given, and not as null; all are then `| None`.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: not a class.
    """

    def declare(declared: Any) -> Any:
        require_class(declared, "input")
        text = description_of(declared, description)
        left = InputDeclaration(declared, name or declared.__name__, text, one_of, directives)
        return remember(declared, left)

    return declare if cls is None else declare(cls)


@overload
def enum(cls: _Class, /) -> _Class: ...
@overload
def enum(
    *,
    name: str | None = None,
    description: str | None = None,
    values: Mapping[str, Any] | None = None,
    directives: Sequence[Use] = (),
) -> Callable[[_Class], _Class]: ...
def enum(
    cls: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    values: Mapping[str, Any] | None = None,
    directives: Sequence[Use] = (),
) -> Any:
    """Declare an enum: the members' names are GraphQL's, their values the texts that the database holds.

    Args:
        name: in GraphQL; the class's name by default.
        description: the docstring by default.
        values: more about some of the members, by name: `{"OLD": fraiseql.field(deprecated="Use NEW.")}`, with
            `description`, `deprecated` and `directives`.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: not an Enum.
    """

    def declare(declared: Any) -> Any:
        require_class(declared, "enum", _enum.Enum)
        text = description_of(declared, description)
        return remember(declared, EnumDeclaration(declared, name or declared.__name__, text, values, directives))

    return declare if cls is None else declare(cls)


@overload
def query(function: _Function, /) -> _Function: ...
@overload
def query(
    *,
    name: str | None = None,
    description: str | None = None,
    default_page_size: int | None = None,
    max_page_size: int | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
) -> Callable[[_Function], _Function]: ...
def query(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    default_page_size: int | None = None,
    max_page_size: int | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
) -> Any:
    """Declare a field of Query: a function without a body, whose return annotation says what SQL serves.

    Its arguments are equality filters on the fields of the same names. Lists get `where`, `orderBy`, `limit`, `offset`.

    Args:
        name: in GraphQL; the function's name in camelCase by default.
        description: the docstring by default.
        default_page_size: rows of the list where `limit` is not given; the schema's by default.
        max_page_size: the largest `limit` of the list; the schema's by default.
        deprecated: why it should not be used any more, and what should.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: not a function.
    """

    def declare(declared: Any) -> Any:
        if not inspect.isfunction(declared):
            raise SchemaError("@fraiseql.query", found=repr(declared), expected="a function")
        text = description_of(declared, description)
        sizes = (default_page_size, max_page_size)
        return remember(declared, QueryDeclaration(declared, name, text, *sizes, deprecated, directives))

    return declare if function is None else declare(function)


@overload
def subscription(function: _Function, /) -> _Function: ...
@overload
def subscription(
    *,
    name: str | None = None,
    description: str | None = None,
    topic: str | None = None,
    by: str | None = None,
    default_page_size: int | None = None,
    max_page_size: int | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
    trust_payload: bool = False,
) -> Callable[[_Function], _Function]: ...
def subscription(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    topic: str | None = None,
    by: str | None = None,
    default_page_size: int | None = None,
    max_page_size: int | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
    trust_payload: bool = False,
) -> Any:
    """Declare a field of Subscription, of one of three kinds.

    With a body it is a generator function, asynchronous or not: each value that it yields is a result. Without a body
    and without a topic it is a live query: what a query of the same annotations gives, again whenever it has changed.
    With a topic each event of that topic is a result, whose payload is a row of the returned type's source.

    Args:
        name: in GraphQL; the function's name in camelCase by default.
        description: the docstring by default.
        topic: of the events, whose payload is an object of columns and values, as `to_jsonb(row)` gives.
        by: the column by which the payload names a row, where its other columns are read from the source.
        default_page_size: rows of a live list where `limit` is not given; the schema's by default.
        max_page_size: the largest `limit` of a live list; the schema's by default.
        deprecated: why it should not be used any more, and what should.
        directives: what `fraiseql.directive` made, with arguments.
        trust_payload: whether an event's payload is shown as it is to everybody whom the event is for, also where the
            schema has a `database_context`: no policy of PostgreSQL's is asked then.

    Raises:
        SchemaError: not a function.
    """

    def declare(declared: Any) -> Any:
        if not inspect.isfunction(declared):
            raise SchemaError("@fraiseql.subscription", found=repr(declared), expected="a function")
        text = description_of(declared, description)
        sizes = (default_page_size, max_page_size)
        left = SubscriptionDeclaration(declared, name, text, topic, by, *sizes, deprecated, directives, trust_payload)
        return remember(declared, left)

    return declare if function is None else declare(function)

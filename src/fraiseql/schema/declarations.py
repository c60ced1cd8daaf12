"""The decorators and markers that a user writes; they only remember, `build` reads and checks."""

from __future__ import annotations

import enum as _enum
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from fraiseql.errors import SchemaError
from fraiseql.schema.directives import Use, hashable

__all__ = [
    "Declaration",
    "EnumDeclaration",
    "FieldOptions",
    "InputDeclaration",
    "InterfaceDeclaration",
    "MethodDeclaration",
    "QueryDeclaration",
    "RelationOptions",
    "SubscriptionDeclaration",
    "TypeDeclaration",
    "UnionDeclaration",
    "declaration_of",
    "description_of",
    "enum",
    "field",
    "input",
    "query",
    "relation",
    "remember",
    "require_class",
    "subscription",
    "type",
]

_ATTRIBUTE: Final = "__fraiseql__"
_Class = TypeVar("_Class", bound=Callable[..., Any])
_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Absent:
    """Stands in a class for an attribute: an instance that does not hold it has none of that name."""

    __slots__ = ()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        entries = (entry for base in instance.__class__.__mro__ for entry in vars(base).items())
        name = next((name for name, value in entries if value is self), "")
        message = f"{instance.__class__.__name__!r} object has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=instance)


@dataclass(frozen=True, slots=True)
class FieldOptions(_Absent):
    """What `field` was given; called with a method, as a decorator is."""

    column: str | None = None
    key: str | None = None
    name: str | None = None
    description: str | None = None
    sql: str | None = None
    deprecated: str | None = None
    directives: Sequence[Use] = ()
    needs: tuple[Any, ...] | None = None
    batch: bool = False

    def __call__(self, function: Any, /) -> Any:
        declared = function.__func__ if isinstance(function, staticmethod) else function
        if not inspect.isfunction(declared):
            raise SchemaError("@fraiseql.field", found=repr(function), expected="a method")
        for option in ("column", "key", "sql"):
            if getattr(self, option) is not None:
                found = f"{option}={getattr(self, option)!r} for a method"
                raise SchemaError(declared.__qualname__, found=found, expected='needs=["attribute", ...], or none')
        setattr(declared, _ATTRIBUTE, MethodDeclaration(declared, self))
        return function


@dataclass(frozen=True, slots=True)
class MethodDeclaration:
    """A method under `@fraiseql.field`."""

    function: Callable[..., Any]
    options: FieldOptions


if TYPE_CHECKING:

    class _Marker(Any):  # type: ignore[misc]  # the value of an attribute of any annotation
        def __call__(self, function: _Function, /) -> _Function: ...


@dataclass(frozen=True, slots=True)
class RelationOptions(_Absent):
    """What `relation` was given."""

    on: Mapping[str, str]
    name: str | None = None
    description: str | None = None
    default_page_size: int | None = None
    max_page_size: int | None = None
    through: str | None = None
    own: Mapping[str, str] | None = None
    deprecated: str | None = None
    directives: Sequence[Use] = ()


@dataclass(frozen=True, slots=True)
class _SourceDeclaration:
    """A class whose objects may be rows of a source."""

    cls: Callable[..., Any]
    name: str
    sql_source: str | None
    jsonb_column: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class TypeDeclaration(_SourceDeclaration):
    """A class under `@fraiseql.type`."""

    when: str | None = None
    directives: Sequence[Use] = ()


@dataclass(frozen=True, slots=True)
class InterfaceDeclaration(_SourceDeclaration):
    """A class under `@fraiseql.interface`."""

    discriminator: str | None = None
    directives: Sequence[Use] = ()


@dataclass(frozen=True, slots=True)
class UnionDeclaration(_SourceDeclaration):
    """A class under `@fraiseql.union`."""

    discriminator: str
    types: Mapping[str, Callable[..., Any]]
    directives: Sequence[Use] = ()


@dataclass(frozen=True, slots=True)
class InputDeclaration:
    """A class under `@fraiseql.input`."""

    cls: Callable[..., Any]
    name: str
    description: str | None
    one_of: bool = False
    directives: Sequence[Use] = ()


@dataclass(frozen=True, slots=True)
class EnumDeclaration:
    """An Enum under `@fraiseql.enum`."""

    cls: Callable[..., Any]
    name: str
    description: str | None
    values: Mapping[str, FieldOptions] | None = None
    directives: Sequence[Use] = ()


@dataclass(frozen=True, slots=True)
class QueryDeclaration:
    """A function under `@fraiseql.query`."""

    function: Callable[..., Any]
    name: str | None
    description: str | None
    default_page_size: int | None
    max_page_size: int | None
    deprecated: str | None = None
    directives: Sequence[Use] = ()


@dataclass(frozen=True, slots=True)
class SubscriptionDeclaration:
    """A function under `@fraiseql.subscription`."""

    function: Callable[..., Any]
    name: str | None
    description: str | None
    topic: str | None
    by: str | None
    default_page_size: int | None
    max_page_size: int | None
    deprecated: str | None = None
    directives: Sequence[Use] = ()


Declaration = (
    TypeDeclaration
    | InterfaceDeclaration
    | UnionDeclaration
    | InputDeclaration
    | EnumDeclaration
    | QueryDeclaration
    | SubscriptionDeclaration
    | MethodDeclaration
)


def declaration_of(declared: object) -> Declaration | None:
    """What a decorator left on this very class or function, inherited ones not counted."""
    found = getattr(declared, "__dict__", {}).get(_ATTRIBUTE)
    return found if isinstance(found, Declaration) else None


def remember(declared: Any, declaration: Declaration) -> Any:
    """Leave a declaration on its class or function, and give that."""
    setattr(declared, _ATTRIBUTE, declaration)
    return declared


def description_of(declared: Any, given: str | None) -> str | None:
    """The description that was given, or the docstring."""
    if given is not None:
        return given
    text = declared.__dict__.get("__doc__") if inspect.isclass(declared) else declared.__doc__
    # A dataclass without a docstring is given its signature as one, an Enum (3.11) a placeholder.
    if text is None or text.startswith(f"{declared.__name__}(") or text == "An enumeration.":
        return None
    return inspect.cleandoc(text) or None


def require_class(declared: Any, decorator: str, base: Any = object) -> None:
    """Raise SchemaError for what a decorator is put on that is no class."""
    if not inspect.isclass(declared) or not issubclass(declared, base):
        wanted = "a class" if base is object else f"a subclass of {base.__name__}"
        raise SchemaError(f"@fraiseql.{decorator}", found=repr(declared), expected=wanted)


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
        setattr(declared, _ATTRIBUTE, left)
        return declared

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
        setattr(declared, _ATTRIBUTE, EnumDeclaration(declared, name or declared.__name__, text, values, directives))
        return declared

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
        setattr(declared, _ATTRIBUTE, QueryDeclaration(declared, name, text, *sizes, deprecated, directives))
        return declared

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

    Raises:
        SchemaError: not a function.
    """

    def declare(declared: Any) -> Any:
        if not inspect.isfunction(declared):
            raise SchemaError("@fraiseql.subscription", found=repr(declared), expected="a function")
        text = description_of(declared, description)
        sizes = (default_page_size, max_page_size)
        left = SubscriptionDeclaration(declared, name, text, topic, by, *sizes, deprecated, directives)
        setattr(declared, _ATTRIBUTE, left)
        return declared

    return declare if function is None else declare(function)


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

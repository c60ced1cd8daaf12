"""What decorators and markers leave behind, for `build` to read and check."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fraiseql.errors import SchemaError
from fraiseql.schema.directives import Use
from fraiseql.schema.function_actions import UNTOLD, FunctionOptions

__all__ = [
    "Declaration",
    "EnumDeclaration",
    "FieldOptions",
    "InputDeclaration",
    "InterfaceDeclaration",
    "MethodDeclaration",
    "MutationDeclaration",
    "QueryDeclaration",
    "RelationOptions",
    "SubscriptionDeclaration",
    "TypeDeclaration",
    "UnionDeclaration",
    "declaration_of",
    "description_of",
    "remember",
    "require_class",
]

_ATTRIBUTE: Final = "__fraiseql__"


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
    trust_payload: bool = False


@dataclass(frozen=True, slots=True)
class MutationDeclaration:
    """A function or a class under `@fraiseql.mutation`.

    Attributes:
        declared: a class has annotations `input`, `success` and, if it likes, `error`.
        sql_function: the PostgreSQL function that serves it; None where the function has a body.
        options: of that PostgreSQL function.
    """

    declared: Callable[..., Any]
    name: str | None
    description: str | None
    sql_function: str | None
    deprecated: str | None = None
    directives: Sequence[Use] = ()
    options: FunctionOptions = UNTOLD


Declaration = (
    TypeDeclaration
    | InterfaceDeclaration
    | UnionDeclaration
    | InputDeclaration
    | EnumDeclaration
    | QueryDeclaration
    | MutationDeclaration
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

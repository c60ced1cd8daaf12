"""`fraiseql.directive`: directives that a schema declares itself, and what they are applied to."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, ParamSpec

from fraiseql.errors import SchemaError
from fraiseql.schema.names import camel_case, graphql_name

__all__ = ["EXECUTABLE_LOCATIONS", "TYPE_SYSTEM_LOCATIONS", "Directive", "Use", "directive", "hashable"]

EXECUTABLE_LOCATIONS: Final = (
    *("QUERY", "MUTATION", "SUBSCRIPTION", "FIELD", "FRAGMENT_DEFINITION", "FRAGMENT_SPREAD", "INLINE_FRAGMENT"),
    "VARIABLE_DEFINITION",
)
"""Where a document may have a directive (GraphQL §3.13)."""

TYPE_SYSTEM_LOCATIONS: Final = (
    *("SCHEMA", "SCALAR", "OBJECT", "FIELD_DEFINITION", "ARGUMENT_DEFINITION", "INTERFACE", "UNION", "ENUM"),
    *("ENUM_VALUE", "INPUT_OBJECT", "INPUT_FIELD_DEFINITION"),
)
"""Where a schema may have one."""

_SPECIFIED: Final = ("skip", "include", "deprecated", "specifiedBy", "oneOf")

Parameters = ParamSpec("Parameters")


@dataclass(frozen=True, slots=True, eq=False)
class Directive(Generic[Parameters]):
    """A declared directive; called with its arguments, it is something to apply.

    Attributes:
        function: whose parameters are the arguments.
        name: in GraphQL.
        locations: where it may stand.
        repeatable: whether it may stand several times in one place.
    """

    function: Callable[Parameters, None]
    name: str
    description: str | None
    locations: tuple[str, ...]
    repeatable: bool

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Use:
        """This directive with these arguments; raises SchemaError where it has none such."""
        signature = inspect.signature(self.function)
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise SchemaError(f"@{self.name}", found=str(error), expected=f"arguments {signature}") from None
        return Use(self, given)


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A directive with its arguments, by the names of parameters, as `directives=[...]` takes it."""

    directive: Directive[...]
    arguments: Mapping[str, Any]


def directive(
    *,
    locations: Iterable[str],
    name: str | None = None,
    description: str | None = None,
    repeatable: bool = False,
) -> Callable[[Callable[Parameters, None]], Directive[Parameters]]:
    """Declare a directive: a function without a body, whose parameters are the arguments.

    What it makes of the function is called with arguments and given to `directives=[...]` of a decorator or a field,
    and then stands in the SDL. In a document it is checked, and changes nothing of what is served.

    Args:
        locations: where it may stand, as GraphQL §3.13 names them: `OBJECT`, `FIELD_DEFINITION`, `QUERY`, `FIELD`, ...
        name: in GraphQL, without `@`; the function's name in camelCase by default.
        description: the docstring by default.
        repeatable: whether it may stand several times in one place.

    Raises:
        SchemaError: no function, a name that is GraphQL's own, or locations that there are not.
    """

    def declare(function: Callable[Parameters, None]) -> Directive[Parameters]:
        if not inspect.isfunction(function):
            raise SchemaError("@fraiseql.directive", found=repr(function), expected="a function")
        where = f"@fraiseql.directive {function.__name__}"
        chosen = graphql_name(camel_case(function.__name__) if name is None else name, where)
        if chosen in _SPECIFIED:
            raise SchemaError(where, found=f"the name {chosen}", expected="another: GraphQL has this one itself")
        text = inspect.getdoc(function) if description is None else description
        return Directive(function, chosen, text or None, _locations(locations, where), repeatable)

    return declare


def _locations(given: Any, where: str) -> tuple[str, ...]:
    known = (*EXECUTABLE_LOCATIONS, *TYPE_SYSTEM_LOCATIONS)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SchemaError(where, found=f"locations={given!r}", expected='a list: locations=["OBJECT", "FIELD"]')
    found = list(given)
    unknown = [each for each in found if each not in known]
    if unknown or not found:
        what = f"the location {unknown[0]!r}" if unknown else "no location"
        raise SchemaError(where, found=what, expected=f"some of {', '.join(known)}")
    return tuple(dict.fromkeys(found))


def hashable(uses: Sequence[Use]) -> Sequence[Use]:
    """The same as `Annotated` needs it, whose parts are hashed where it stands in a union; mistakes are found later."""
    return tuple(uses) if isinstance(uses, list) else uses

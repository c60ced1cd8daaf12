"""The decorator of mutations."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, overload

from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import MutationDeclaration, description_of, remember
from fraiseql.schema.directives import Use
from fraiseql.schema.function_actions import FunctionOptions

__all__ = ["mutation"]

_Declared = TypeVar("_Declared", bound=Callable[..., Any])


@overload
def mutation(declared: _Declared, /) -> _Declared: ...
@overload
def mutation(
    *,
    function: str | None = None,
    arguments: Literal["jsonb", "named"] | None = None,
    prefix: str | None = None,
    returns: Literal["result", "row"] | None = None,
    entity: str | None = None,
    result_name: str | None = None,
    name: str | None = None,
    description: str | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
) -> Callable[[_Declared], _Declared]: ...
def mutation(
    declared: Any = None,
    /,
    *,
    function: str | None = None,
    arguments: Literal["jsonb", "named"] | None = None,
    prefix: str | None = None,
    returns: Literal["result", "row"] | None = None,
    entity: str | None = None,
    result_name: str | None = None,
    name: str | None = None,
    description: str | None = None,
    deprecated: str | None = None,
    directives: Sequence[Use] = (),
) -> Any:
    """Declare a field of Mutation: a function in Python that has a body, or one in PostgreSQL.

    Args:
        function: the PostgreSQL function, `schema.name` or `name`, exactly as PostgreSQL spells it. What is decorated
            is then a function without a body, or a class with the attributes `input`, `success` and `error`.
        arguments: `jsonb`, by default, for one jsonb that holds the input; `named` for an SQL argument for each field
            of the input. An only argument of an input type is the input; otherwise the arguments together are.
        prefix: what the names of such SQL arguments begin with, as `p_`.
        returns: `result` for a status and what belongs to it, as columns or as one jsonb; `row` for rows, their ids or
            scalars. By default a union with an error type, or a type without sql_source, is a result.
        entity: the attribute of the success type that shows the entity, where several could.
        result_name: of the union of success and error; the field's name and `Result` by default.
        name: in GraphQL; the function's or class's name in camelCase by default.
        description: the docstring by default.
        deprecated: why it should not be used any more, and what should.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: neither a function nor a class.
    """

    def declare(given: Any) -> Any:
        if not inspect.isfunction(given) and not inspect.isclass(given):
            raise SchemaError("@fraiseql.mutation", found=repr(given), expected="a function or a class")
        text = description_of(given, description)
        options = FunctionOptions(arguments, prefix, returns, entity, result_name)
        return remember(given, MutationDeclaration(given, name, text, function, deprecated, directives, options))

    return declare if declared is None else declare(declared)

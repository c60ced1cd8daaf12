"""The methods of a class that are fields: what can be told of them without calling them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from fraiseql.context import Info
from fraiseql.errors import SchemaError
from fraiseql.schema.annotations import check_info, parameter_annotations
from fraiseql.schema.declarations import FieldOptions, MethodDeclaration, declaration_of
from fraiseql.schema.functions import check_targets, has_no_body, is_coroutine_function
from fraiseql.schema.model import InputField, Resolver, SubscriptionKind, TypeReference

__all__ = ["Method", "methods_of", "refuse_method_options", "resolver_of", "signature_of"]

_Parameters = list[tuple[str, Any, Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """A function in a class under `@fraiseql.field`."""

    attribute: str
    function: Callable[..., Any]
    options: FieldOptions
    is_static: bool

    @property
    def takes_info(self) -> bool:
        """Whether the parameter behind the instance is named `info`."""
        return list(inspect.signature(self.function).parameters)[1:2] == ["info"]


def methods_of(cls: Any) -> Iterator[Method]:
    """The methods of a class and its bases that are fields."""
    for attribute in dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base)):
        found = inspect.getattr_static(cls, attribute)
        is_static = isinstance(found, staticmethod)
        function = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
        left = declaration_of(function) if inspect.isfunction(function) else None
        if not isinstance(left, MethodDeclaration):
            continue
        if isinstance(found, classmethod):
            raise SchemaError(f"{cls.__name__}.{attribute}", found="a class method", expected="a method of instances")
        yield Method(attribute, function, left.options, is_static)


def refuse_method_options(options: FieldOptions, where: str) -> None:
    """An attribute is given none of a method's options; raises SchemaError."""
    if options.needs is not None or options.batch:
        found = f"needs={options.needs!r}" if options.needs is not None else "batch=True"
        raise SchemaError(where, found=f"{found} for an attribute", expected="a method under @fraiseql.field")


def signature_of(method: Method, names: Mapping[str, Any], where: str) -> tuple[_Parameters, Any]:
    """The parameters behind the instance and `info`, and the annotation of one value; raises SchemaError."""
    function = method.function
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise SchemaError(where, found="a generator function", expected="a function that returns")
    if method.is_static is not method.options.batch:
        found = "a static method without batch=True" if method.is_static else "batch=True for a method of instances"
        raise SchemaError(where, found=found, expected="both or neither: @fraiseql.field(batch=True) @staticmethod")
    first = next(iter(inspect.signature(function).parameters.values()), None)
    if first is None or first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        found = "no first parameter"
        raise SchemaError(where, found=found, expected="the list of instances" if method.is_static else "self")
    if method.takes_info and is_coroutine_function(function):  # a plain one may be told either: it is served anywhere
        check_info(function, names, Info, where)
    parameters, returned = parameter_annotations(function, names, skipped=1 + method.takes_info, where=where)
    if method.options.batch:
        if get_origin(returned) is not list or not get_args(returned):
            found = str(returned).replace("typing.", "")
            raise SchemaError(f"{where} -> ...", found=found, expected="list[T]: one value for each instance")
        (returned,) = get_args(returned)
    return parameters, returned


def resolver_of(
    method: Method, reference: TypeReference, arguments: Mapping[str, InputField], parameters: _Parameters, where: str
) -> Resolver:
    """How the field, of the type `reference`, is computed; raises SchemaError."""
    if has_no_body(method.function) and (method.is_static or not reference.nullable):
        raise SchemaError(where, found="a method without a body", expected=f"one that returns {reference}")
    check_targets(where, SubscriptionKind.RESOLVER, arguments, parameters)
    needs: Any = method.options.needs
    if needs is not None and not (isinstance(needs, tuple) and all(isinstance(each, str) for each in needs)):
        raise SchemaError(f"{where} (needs)", found=repr(needs), expected='["attribute", ...]')
    return Resolver(method.function, method.takes_info, needs, method.options.batch)

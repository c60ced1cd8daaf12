"""The functions of mutations held against a database: whether each is there, and takes what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from fraiseql.catalog.facts import DataType
from fraiseql.catalog.findings import Finding, Severity, nearest
from fraiseql.catalog.function_results import check_returned
from fraiseql.catalog.functions import FoundFunctions, Named, SqlFunction, SqlParameter, functions_of
from fraiseql.catalog.types import TEXTS, fit_of
from fraiseql.schema.function_actions import FunctionAction, Passing
from fraiseql.schema.function_checks import passed_fields
from fraiseql.schema.model import EnumType, InputField, InputType, MutationField, SchemaModel, TypeReference
from fraiseql.schema.scalar import Scalar

__all__ = ["check_functions"]

_KINDS: Final = {"p": "a procedure", "a": "an aggregate", "w": "a window function"}


def check_functions(model: SchemaModel, answer: FoundFunctions) -> list[Finding]:
    """Every difference between the functions that a schema names and those of a database.

    Args:
        answer: for `functions_of(model)`.
    """
    found = dict(zip(functions_of(model), answer.found, strict=True))
    findings: list[Finding] = []
    for mutation in model.mutations.values():
        if isinstance(mutation.action, FunctionAction):
            findings += _check(model, mutation, mutation.action, found[mutation.action.function], answer.role)
    return findings


def _error(action: FunctionAction, found: str, advice: str) -> Finding:
    return Finding(Severity.ERROR, action.where, found, advice)


def _check(
    model: SchemaModel, mutation: MutationField, action: FunctionAction, named: Named, role: str
) -> Iterator[Finding]:
    name = action.function
    if not named.functions:
        path = "" if name.schema is not None else " on the search path"
        hint = nearest(str(name), named.names) or "make it, or change function=..."
        yield _error(action, f"there is no function {name}{path}", hint)
        return
    called = [(each, _obstacles(model, mutation, action, each)) for each in named.functions]
    fitting = [each for each, obstacles in called if not obstacles]
    if not fitting:
        for function, obstacles in called:
            for found, advice in obstacles:
                yield _error(action, f"{function.signature} {found}", advice)
        return
    if len(fitting) > 1:
        found = f"{' and '.join(each.signature for each in fitting)} can both be meant"
        yield _error(action, found, "give one of them another name")
        return
    (function,) = fitting
    if not named.usable:
        found = f"the role {role} may not use the schema {name.schema}"
        yield _error(action, found, f'grant usage on schema "{name.schema}" to {role};')
    if not function.executable:
        found = f"the role {role} may not execute {function.signature}"
        yield _error(action, found, f"grant execute on function {function.signature} to {role};")
    if not function.is_volatile:
        found = f"{function.signature} is declared stable or immutable, and cannot write"
        yield Finding(Severity.WARNING, action.where, found, "declare it volatile where it does")
    yield from check_returned(model, mutation, action, function)


def _obstacles(
    model: SchemaModel, mutation: MutationField, action: FunctionAction, function: SqlFunction
) -> list[tuple[str, str]]:
    """Why a function cannot be called as the mutation does, and what to do."""
    if function.kind != "f":
        return [(f"is {_KINDS.get(function.kind, 'no function')}", "make it a function")]
    if function.is_variadic:
        return [("takes any number of values", "make its last argument an array")]
    if action.passing is Passing.NAMED:
        return list(_named_obstacles(model, mutation, action, function))
    return list(_jsonb_obstacles(model, mutation, function))


def _jsonb_obstacles(model: SchemaModel, mutation: MutationField, function: SqlFunction) -> Iterator[tuple[str, str]]:
    arguments, others = list(mutation.arguments.values()), list(function.parameters)
    if arguments:
        first = others.pop(0) if others else None
        if first is None or first.type.bare.name != "jsonb":
            yield "takes no jsonb", "make its argument one jsonb, or declare arguments='named'"
            return
        in_input = passed_fields(model, mutation) != arguments
        if in_input and not _must_be_given(arguments[0]) and not first.has_default:
            yield "has no default for its argument, which may be left out", "give it one: default '{}'"
    for each in others:
        if not each.has_default:
            yield (
                f"needs {each.name or 'an argument'} of the type {each.shown} too",
                "give it a default, or take it out",
            )


def _must_be_given(field: InputField) -> bool:
    """Whether a request has a value for it in any case."""
    return field.has_default or not field.type.nullable


def _named_obstacles(
    model: SchemaModel, mutation: MutationField, action: FunctionAction, function: SqlFunction
) -> Iterator[tuple[str, str]]:
    parameters = {each.name: each for each in function.parameters if each.name}
    passed = {action.prefix + field.target: field for field in passed_fields(model, mutation)}
    is_optional = any(argument.type.nullable for argument in mutation.arguments.values())
    in_input = passed_fields(model, mutation) != list(mutation.arguments.values())
    for name, field in passed.items():
        parameter = parameters.get(name)
        if parameter is None:
            yield f"has no argument {name}", nearest(name, parameters) or "add it, or name another by field(column=...)"
            continue
        if not _fits(model, field.type, parameter.type):
            yield f"takes {name} as {parameter.shown}, {field.name} is {field.type}", "change one of them"
        yield from _unknown_labels(model, field, parameter)
        may_lack = not _must_be_given(field) or (in_input and is_optional)
        if may_lack and not parameter.has_default:
            yield f"has no default for {name}, which may be left out", "give it one, or make the input field required"
    for parameter in function.parameters:
        if not parameter.has_default and parameter.name not in passed:
            what = parameter.name or f"an argument without a name, of the type {parameter.shown}"
            yield f"needs {what}, which it is not given", "give it a default, or add an input field"


def _fits(model: SchemaModel, reference: TypeReference, actual: DataType) -> bool:
    """Whether an SQL argument can read the texts of a type's values."""
    named, found = model.types[reference.named], actual.bare
    if isinstance(named, InputType):
        return found.name in ("json", "jsonb")
    if isinstance(named, Scalar) and named.is_json and found.name in ("json", "jsonb"):
        return reference.item is None
    if (reference.item is not None) != (found.element is not None):
        return False
    element = found.element.bare if found.element is not None else found
    if isinstance(named, EnumType):
        return element.kind == "e" or element.name in TEXTS
    if not isinstance(named, Scalar):
        return False
    if named.is_json:
        return element.name in ("json", "jsonb")
    # What is wider takes it too: a number of any kind, a text anything.
    return element.name in TEXTS or element.name in _WIDER.get(named.name, ()) or fit_of(named, element).fits


_WIDER: Final[Mapping[str, tuple[str, ...]]] = {
    "Int": ("int8", "numeric", "float8"),
    "BigInt": ("numeric",),
    "Float": ("numeric",),
    "Date": ("timestamp", "timestamptz"),
}


def _unknown_labels(model: SchemaModel, field: InputField, parameter: SqlParameter) -> Iterator[tuple[str, str]]:
    named, found = model.types[field.type.named], parameter.type.bare
    if isinstance(named, EnumType) and found.labels:
        unknown = [value for value in named.values.values() if value not in found.labels]
        if unknown:
            listed = ", ".join(map(repr, unknown))
            yield (
                f"takes {parameter.name} as {parameter.shown}, which has no {listed}",
                f"add it, or take it out of {named.name}",
            )

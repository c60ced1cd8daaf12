"""Checks of function mutations, which need the whole model."""

from __future__ import annotations

from collections import Counter

from fraiseql.errors import SchemaError
from fraiseql.schema.abstract_checks import refuse_untold
from fraiseql.schema.function_actions import FunctionAction, Passing
from fraiseql.schema.model import Field, InputField, InputType, MutationField, ObjectType, SchemaModel
from fraiseql.schema.names import identifier

__all__ = ["check_function", "passed_fields", "result_types", "shows_rows"]


def result_types(model: SchemaModel) -> frozenset[str]:
    """The success and error types, whose fields a function's result fills."""
    actions = (mutation.action for mutation in model.mutations.values())
    return frozenset(name for action in actions if isinstance(action, FunctionAction) for name in action.parts)


def shows_rows(model: SchemaModel, field: Field) -> bool:
    """Whether a field of such a type shows rows of a source, which are selected by their ids."""
    target = model.types[field.type.named]
    return field.is_held and isinstance(target, ObjectType) and target.source is not None


def passed_fields(model: SchemaModel, mutation: MutationField) -> list[InputField]:
    """What a function is given by name: the fields of the only argument, or all arguments."""
    arguments = list(mutation.arguments.values())
    if len(arguments) == 1 and arguments[0].type.item is None:
        named = model.types[arguments[0].type.name]
        if isinstance(named, InputType):
            return list(named.fields.values())
    return arguments


def check_function(model: SchemaModel, mutation: MutationField) -> None:
    """Raise SchemaError for the first thing that is wrong with what a PostgreSQL function serves."""
    action = mutation.action
    if not isinstance(action, FunctionAction):
        return
    target = model.types[action.success.named]
    if isinstance(target, InputType):
        raise SchemaError(action.where, found=f"the input type {target.name}", expected="an output type")
    refuse_untold(target, action.where)
    passed = passed_fields(model, mutation)
    for name, count in Counter(field.target for field in passed).items():
        if count > 1:
            expected = "names of their own: name the column or key of one by field(column=...)"
            raise SchemaError(
                action.where, found=f"{count} arguments that the function is given as {name}", expected=expected
            )
    if action.passing is Passing.NAMED:
        for field in passed:
            identifier(action.prefix + field.target, f"{action.where} ({field.name})")

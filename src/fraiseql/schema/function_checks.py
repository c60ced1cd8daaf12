"""Checks of function mutations, which need the whole model."""

from __future__ import annotations

from collections import Counter

from fraiseql.errors import SchemaError
from fraiseql.schema.abstract_checks import refuse_untold
from fraiseql.schema.function_actions import FunctionAction, Passing
from fraiseql.schema.model import (
    AbstractType,
    Field,
    InputField,
    InputType,
    MutationField,
    ObjectType,
    QueryField,
    Resolver,
    SchemaModel,
    SubscriptionField,
    SubscriptionKind,
)
from fraiseql.schema.names import identifier

__all__ = ["check_function", "passed_fields", "result_types", "shows_rows"]


def result_types(model: SchemaModel) -> frozenset[str]:
    """The types whose fields a function's result fills: success and error types, and what Python gives."""
    actions = (mutation.action for mutation in model.mutations.values())
    found = {name for action in actions if isinstance(action, FunctionAction) for name in action.parts}
    fields: list[QueryField | MutationField | SubscriptionField] = [
        *model.queries.values(),
        *model.mutations.values(),
        *model.subscriptions.values(),
    ]
    left = [each.type.named for each in fields if _is_python(each)]
    while left:
        target = model.types[left.pop()]
        if isinstance(target, ObjectType) and target.source is None and target.name not in found:
            found.add(target.name)
            left += [field.type.named for field in target.fields.values() if field.is_held]
            left += target.members if isinstance(target, AbstractType) else ()
    return frozenset(found)


def _is_python(field: QueryField | MutationField | SubscriptionField) -> bool:
    if isinstance(field, MutationField):
        return isinstance(field.action, Resolver)
    return field.resolver is not None if isinstance(field, QueryField) else field.kind is SubscriptionKind.RESOLVER


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

"""Names that a PostgreSQL function knows, as its clients know them."""

from __future__ import annotations

from collections.abc import Mapping

from fraiseql.schema.function_actions import FunctionAction
from fraiseql.schema.model import InputField, InputType, MutationField, ObjectType, SchemaModel

__all__ = ["entity_field", "input_field", "known_names"]


def known_names(model: SchemaModel, arguments: Mapping[str, InputField]) -> Mapping[str, str]:
    """The names in GraphQL of all fields of the input by what the function knows them as, the outermost first."""
    found: dict[str, str] = {}
    _, fields = _outermost(model, arguments)
    level, seen = [("", fields)], set[str]()
    while level:
        below = list[tuple[str, Mapping[str, InputField]]]()
        for place, fields in level:
            for field in fields.values():
                found.setdefault(field.target, f"{place}{field.name}")
                inside = _inside(model, field)
                if inside is not None and field.type.named not in seen:
                    seen.add(field.type.named)
                    below.append((f"{place}{field.name}.", inside))
        level = below
    return found


def input_field(model: SchemaModel, mutation: MutationField, name: str) -> str | None:
    """The name in GraphQL of a field of the input, dots leading into objects; None where it names none."""
    action = mutation.action
    assert isinstance(action, FunctionAction)
    found: list[str] = []
    parts = name.split(".")
    only, fields = _outermost(model, mutation.arguments)
    if only is not None and len(parts) > 1 and parts[0] in (only.name, only.target):
        parts = parts[1:]
    inside: Mapping[str, InputField] | None = fields
    for place, part in enumerate(parts):
        if part.isdecimal() and place:  # of an element of a list
            found.append(part)
            continue
        prefix = action.prefix if place == 0 else ""
        field = None if inside is None else _named(inside, part, prefix)
        if field is None:
            return None
        found.append(field.name)
        inside = _inside(model, field)
    return ".".join(found)


def _outermost(
    model: SchemaModel, arguments: Mapping[str, InputField]
) -> tuple[InputField | None, Mapping[str, InputField]]:
    """An object that is the only argument, which goes without saying, and its fields; or all arguments."""
    only = next(iter(arguments.values())) if len(arguments) == 1 else None
    fields = None if only is None else _inside(model, only)
    return (None, arguments) if fields is None else (only, fields)


def _inside(model: SchemaModel, field: InputField) -> Mapping[str, InputField] | None:
    named = model.types[field.type.named]
    return named.fields if isinstance(named, InputType) else None


def _named(fields: Mapping[str, InputField], name: str, prefix: str) -> InputField | None:
    for each in fields.values():
        if name in (each.target, each.name, prefix + each.target):
            return each
    return None


def entity_field(target: ObjectType | None, name: str) -> str | None:
    """The name in GraphQL of a field of the entity; None where it names none."""
    fields = [] if target is None else [each for each in target.row_fields.values() if each.is_held]
    for each in fields:
        if name in (each.column, each.key, each.attribute, each.name):
            return each.name
    return None

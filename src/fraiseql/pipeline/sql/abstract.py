"""Objects of interfaces and unions: one JSON object for each row, of the member that its discriminator names.

What every member has in the same place, and what lies below it, is selected once for all of them; behind a fence
(OFFSET 0), since PostgreSQL would else copy it into each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from fraiseql.pipeline.plan import HIDDEN_TYPE_KEY, SelectedField, Selection
from fraiseql.pipeline.sql.documents import inside_document
from fraiseql.pipeline.sql.values import Base, literal
from fraiseql.schema.model import AbstractType, ObjectType

if TYPE_CHECKING:
    from fraiseql.pipeline.sql.rendering import Rendering

__all__ = ["FieldRenderer", "ObjectRenderer", "abstract_object"]

FieldRenderer: TypeAlias = "Callable[[Rendering, SelectedField, Base, ObjectType], str]"
"""Makes the value of a field of an object of a type."""

ObjectRenderer: TypeAlias = "Callable[[Rendering, list[tuple[str, str]]], str]"
"""Makes an object of keys and their values."""


def abstract_object(
    rendering: Rendering, selection: Selection, base: Base, field: FieldRenderer, made: ObjectRenderer
) -> str:
    """The expression for an object of an abstract type: of no member, it has null for its type's name."""
    target, members = selection.type, selection.members
    assert isinstance(target, AbstractType)
    assert target.discriminator is not None
    alias, shared = f"s${next(rendering.numbers)}", _shared(members)
    texts = [field(rendering, each, base, members[0].type) for each in shared]
    known = {id(each): f"{alias}.c{index}" for index, each in enumerate(shared)}

    def member_object(member: Selection) -> str:
        rendering.cost.fields += len(member.fields)
        values = [
            (each.key, known.get(id(each)) or field(rendering, each, base, member.type)) for each in member.fetched
        ]
        values = inside_document(rendering, member, base, values)
        mark = f"{literal(member.type.name)}::text"
        return made(rendering, [(HIDDEN_TYPE_KEY, mark), *values] if _is_marked(selection) else values)

    objects: dict[str, str] = {}
    with rendering.alternatives() as alternative:
        for member in members:
            with alternative():
                objects[member.type.name] = member_object(member)
    chosen = _chosen(rendering.values.discriminator(target.discriminator, base), target.values, objects, selection)
    if not shared:
        return chosen
    columns = ", ".join(f"{text} as c{index}" for index, text in enumerate(texts))
    return f"(select {chosen} from (select {columns} offset 0) {alias})"


def _shared(members: tuple[Selection, ...]) -> list[SelectedField]:
    """What was planned once for all members, and has something below it."""
    first, *others = members
    if not others:
        return []
    planned = [{id(each) for each in member.fields} for member in others]
    return [each for each in first.fetched if each.selection is not None and all(id(each) in ids for ids in planned)]


def _is_marked(selection: Selection) -> bool:
    return selection.type_key == HIDDEN_TYPE_KEY


def _chosen(told: str, values: Mapping[str, str], objects: Mapping[str, str], selection: Selection) -> str:
    cases = " ".join(f"when {literal(value)} then to_json({objects[name]})" for value, name in values.items())
    return f"case {told} {cases} else json_build_object({literal(selection.type_key)}, null::text) end"

"""Sources that several types share: how each is read from there, and the discriminator that tells them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from fraiseql.catalog.constraints import listed_values
from fraiseql.catalog.facts import Table
from fraiseql.catalog.findings import Finding, Severity, nearest
from fraiseql.schema.model import AbstractType, Field, ObjectType, SchemaModel

__all__ = ["check_discriminator", "served_types"]


def served_types(model: SchemaModel) -> Iterator[tuple[ObjectType, bool]]:
    """Each type as it is read from a source, and whether others share that.

    Of a type that shares an interface's source there are only those fields that the interface has not.
    """
    for named in model.types.values():
        if not isinstance(named, ObjectType) or named.source is None:
            continue
        if named.membership is None:
            yield named, False
        if isinstance(named, AbstractType):
            for member in named.members.values():
                own = {name: field for name, field in member.fields.items() if not _is_shown(field, named.fields)}
                yield replace(member, fields=MappingProxyType(own)), True


def _is_shown(field: Field, fields: Mapping[str, Field]) -> bool:
    shown = fields.get(field.name)
    return shown is not None and shown.place == field.place


def check_discriminator(target: AbstractType, table: Table) -> Iterator[Finding]:
    """What is wrong with the column that tells of which type a row is."""
    assert target.discriminator is not None
    name, where = target.discriminator.key, f"{target.name} (discriminator)"
    column = table.columns.get(name)
    if column is None:
        known = [each.name for each in table.columns.values() if each.number > 0]
        hint = nearest(name, known) or "name another in `discriminator=`, or add the column"
        yield Finding(Severity.ERROR, where, f"{table.quoted} has no column {name}", hint)
        return
    if not column.required and not table.is_view:
        found = f"{table.quoted}.{column.quoted} may be null: such rows are errors"
        yield Finding(Severity.WARNING, where, found, "set the column not null")
    listed = listed_values(column, table)
    if listed is None:
        return
    unknown = [value for value in target.values if value not in listed.values]
    if unknown:
        found = f"{target.name} has {_shown(unknown)}, {listed.origin} has not"
        advice = "add it there, or name another value" if target.is_union else "add it there, or change `when=`"
        yield Finding(Severity.ERROR, where, found, advice)
    untold = [value for value in listed.values if value not in target.values]
    if untold:
        found = f"{listed.origin} has {_shown(untold)}, no type of {target.name} has: such rows are errors"
        yield Finding(Severity.WARNING, where, found, "declare a type for it")


def _shown(values: list[str]) -> str:
    return ", ".join(map(repr, values))

"""Computed fields held against a database: PostgreSQL reads each expression over no row, and says its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import orjson

from fraiseql.catalog.facts import DataType, Table
from fraiseql.catalog.findings import Finding, Severity, nearest
from fraiseql.catalog.shared import served_types
from fraiseql.catalog.types import TEXTS, fit_of
from fraiseql.effects import Fetch, Row, Statement
from fraiseql.errors import DatabaseError
from fraiseql.schema.expressions import Expression
from fraiseql.schema.model import EnumType, Field, ObjectType, SchemaModel
from fraiseql.schema.scalar import Scalar

__all__ = ["Computed", "ExpressionTypes", "check_expression", "computed_fields", "expression_statement", "read_type"]

_TYPE: Final = """\
select json_build_object(
    'schema', n.nspname, 'name', p.typname, 'kind', p.typtype, 'shown', format_type(p.oid, null),
    'element', e.typname, 'element_kind', e.typtype
)::text
from (select pg_typeof(({bare})) as oid, pg_typeof(({cast})) as cast_type offset 0) x
join pg_type p on p.oid = x.oid
join pg_namespace n on n.oid = p.typnamespace
left join pg_type e on e.oid = p.typelem and e.typarray = p.oid"""


class Computed(NamedTuple):
    """A field that an expression computes."""

    owner: ObjectType
    field: Field
    expression: Expression

    @property
    def place(self) -> tuple[str, str, str]:
        """The names of the source, the type and the field."""
        return (str(self.owner.source), self.owner.name, self.field.name)


ExpressionTypes: TypeAlias = Mapping[tuple[str, str, str], "tuple[str, DataType] | DatabaseError"]
"""By the place of a computed field: how SQL spells the type of its expression, and the type; or the refusal."""


def computed_fields(model: SchemaModel) -> Iterator[Computed]:
    """Those of the types that have sources."""
    for owner, _ in served_types(model):
        for field in owner.fields.values():
            if field.expression is not None:
                yield Computed(owner, field, field.expression)


def expression_statement(computed: Computed, table: Table) -> Fetch | None:
    """Ask for the type of an expression; None where the table has not all of its columns."""
    expression = computed.expression
    if any(column not in table.columns for column in expression.columns):
        return None
    cast, bare = expression.over("t"), expression.uncast("t")
    rows = f"from {table.quoted} t limit 0"
    return Fetch(Statement(_TYPE.format(bare=f"select {bare} {rows}", cast=f"select {cast} {rows}").encode(), 1), ())


def read_type(row: Row) -> tuple[str, DataType]:
    """The answer."""
    found = orjson.loads(row[0] or b"null")
    element = DataType("", found["element"], found["element_kind"]) if found["element"] else None
    return found["shown"], DataType(found["schema"], found["name"], found["kind"], element=element)


def check_expression(
    model: SchemaModel, computed: Computed, where: str, table: Table, types: ExpressionTypes
) -> Iterator[Finding]:
    """What is wrong with one computed field."""
    for name in dict.fromkeys(computed.expression.columns):
        if name not in table.columns:
            known = [column.name for column in table.columns.values() if column.number > 0]
            hint = nearest(name, known) or "name another in `sql=`, or add the column"
            yield Finding(Severity.ERROR, where, f"{table.quoted} has no column {name}", hint)
    answer = types.get(computed.place)
    if isinstance(answer, DatabaseError):
        yield Finding(Severity.ERROR, where, f"PostgreSQL refuses the expression: {answer}", "change `sql=`")
    elif answer is not None:
        shown, actual = answer
        if not _suits(model, computed.field, actual):
            found = f"the expression is {shown}, and is cast to the field's type, {computed.field.type}"
            yield Finding(Severity.WARNING, where, found, "cast it in `sql=` where that is meant")


def _suits(model: SchemaModel, field: Field, actual: DataType) -> bool:
    """Whether the cast refuses and changes no value."""
    if actual.kind == "d":
        return True
    found = actual if field.type.item is None else actual.element
    named = model.types[field.type.named]
    if found is None:
        return False
    if isinstance(named, ObjectType):
        return True
    if isinstance(named, EnumType):
        return found.kind == "e" or found.name in TEXTS
    assert isinstance(named, Scalar)
    fit = fit_of(named, found)
    return fit.fits and fit.warning is None

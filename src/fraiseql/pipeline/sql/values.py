"""SQL expressions for single values: where a field is held, and how it is shown, compared and ordered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from fraiseql.pipeline.sql.forms import form_of
from fraiseql.pipeline.sql.quoting import identifier, literal
from fraiseql.schema.model import EnumType, Field, ObjectType, Relation, SchemaModel, Source, TypeReference
from fraiseql.schema.scalar import Scalar

__all__ = [
    "Base",
    "Values",
    "empty_row",
    "finite",
    "identifier",
    "joined",
    "literal",
    "related",
    "siblings",
    "source_name",
    "typed",
]

_AGGREGATES: Final = {
    "countDistinct": "count(distinct {})",
    **{function: f"{function}({{}})" for function in ("sum", "avg", "min", "max")},
}


def source_name(source: Source) -> str:
    """A table or view as SQL."""
    prefix = "" if source.schema is None else f"{identifier(source.schema)}."
    return prefix + identifier(source.name)


def empty_row(source: Source) -> str:
    """A row of a table's or view's type with nulls alone, for `json_populate_record` to put values in.

    Only where it starts from no row, as `null::t` is none, it makes the columns that are given no value too: a domain
    that is not null would refuse that.
    """
    name = source_name(source)
    return f"row((null::{name}).*)::{name}"


def joined(relation: Relation, theirs: str, ours: str, between: str) -> list[str]:
    """The conditions between the aliases of both ends of a relation, and of the table between where there is one.

    A row that a table between names several times is there as often.
    """
    through = relation.through
    if through is None:
        return _equal(relation.on, theirs, ours)
    return _equal(through.own, between, ours) + _equal(relation.on, theirs, between)


def siblings(relation: Relation, others: str, others_between: str, theirs: str, between: str) -> list[str]:
    """The conditions that other rows are related to the same one as theirs, without its alias."""
    through = relation.through
    if through is None:
        return _equal(_itself(relation.on), others, theirs)
    return _equal(_itself(through.own), others_between, between) + _equal(relation.on, others, others_between)


def related(relation: Relation, theirs: str, ours: str, numbers: Iterator[int]) -> list[str]:
    """The same as conditions only, for which each row is there once."""
    if relation.through is None:
        return joined(relation, theirs, ours, "")
    between = f"t${next(numbers)}"
    origin, conditions = source_name(relation.through.source), joined(relation, theirs, ours, between)
    # A semi-join: a plain one where PostgreSQL knows from a unique index that no pair is there twice.
    return [f"exists (select from {origin} {between} where {' and '.join(conditions)})"]


def _equal(pairs: tuple[tuple[str, str], ...], left: str, right: str) -> list[str]:
    return [f"{left}.{identifier(column)} = {right}.{identifier(other)}" for column, other in pairs]


def _itself(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((column, column) for column, _ in pairs)


@dataclass(frozen=True, slots=True)
class Base:
    """Where an object's fields are: columns of `alias`, or keys of the jsonb expression `jsonb`.

    What an expression computes is computed from columns of `alias`, unless the jsonb expression `computed` holds it.
    """

    alias: str
    jsonb: str
    computed: str = ""

    @classmethod
    def of_source(cls, alias: str, source: Source) -> Base:
        """The base of a row of a source."""
        return cls(alias, "" if source.jsonb_column is None else f"{alias}.{identifier(source.jsonb_column)}")

    def named(self, column: str) -> str:
        """A column of the row by its name."""
        return f"{self.alias}.{identifier(column)}"

    def column(self, field: Field) -> str | None:
        """The column that holds a field, or what computes it from others; None where jsonb holds it."""
        if field.expression is not None:
            return None if self.computed else field.expression.over(self.alias)
        if field.column is None or not self.alias:
            return None
        return f"{self.alias}.{identifier(field.column)}"

    def element(self, field: Field) -> str:
        """A field as jsonb."""
        column = self.column(field)
        return f"({self._document(field)}->{literal(field.key)})" if column is None else f"to_jsonb({column})"

    def text(self, field: Field) -> str:
        """A field of jsonb as text."""
        return f"({self._document(field)}->>{literal(field.key)})"

    def _document(self, field: Field) -> str:
        return self.jsonb if field.expression is None else self.computed


class Values:
    """Makes expressions by a schema's types; each has the type that its field declares, so a misfit is an error.

    What must not be reached reads as an integer what is none.
    """

    def __init__(self, model: SchemaModel) -> None:
        self._model = model
        self._numbers: Iterator[int] = count()

    def is_json(self, reference: TypeReference) -> bool:
        """Whether any JSON is a value of a type."""
        named = self._model.types[reference.name] if reference.item is None else None
        return isinstance(named, Scalar) and named.is_json

    def compared(self, field: Field, base: Base) -> str:
        """A scalar or enum field to filter or order by: a bare column, so that its index serves."""
        column = base.column(field)
        if column is not None:
            return column
        named = self._model.types[field.type.named]
        if isinstance(named, Scalar) and named.sql_type != "text":
            return f"{base.text(field)}::{named.sql_type}"
        return base.text(field)

    def is_row(self, field: Field, base: Base, source: Source, text: str) -> str:
        """The condition that a scalar field of a source's row has a value, which an SQL text names."""
        if field.column is None:
            named = self._model.types[field.type.named]
            wanted = f"{text}::{named.sql_type}" if isinstance(named, Scalar) else text
        else:  # of the column's own type, so that its index serves
            built = f"jsonb_build_object({literal(field.column)}, {text})"
            wanted = f"(jsonb_populate_record({empty_row(source)}, {built})).{identifier(field.column)}"
        return f"{self.compared(field, base)} = {wanted}"

    def ordering(self, target: ObjectType) -> Field | None:
        """The field that rows are in the order of where nothing else decides; None where there is none."""
        field = target.identity
        if field is None or field.type.item is not None or not field.is_held:
            return None
        return None if isinstance(self._model.types[field.type.name], ObjectType) else field

    def discriminator(self, field: Field, base: Base) -> str:
        """What tells of which type a row is, as text: it may hold what no type has."""
        column = base.column(field)
        return base.text(field) if column is None else f"{column}::text"

    def membership(self, target: ObjectType, base: Base) -> list[str]:
        """The condition that a row of a source that several types share is of this one; none for any other source."""
        own = target.membership
        return [] if own is None else [f"{self.compared(own.discriminator, base)} = {literal(own.value)}"]

    def condition(self, field: Field, base: Base) -> str:
        """A field as conditions see it: `compared`, any JSON as jsonb, a list as an array."""
        column = base.column(field)
        item = field.type.item
        named = self._model.types[field.type.named]
        if item is None:
            if isinstance(named, Scalar) and named.is_json:
                return base.element(field) if column is None else f"{column}::jsonb"
            return self.compared(field, base)
        if column is not None:
            return column
        sql_type, jsonb = named.sql_type if isinstance(named, Scalar) else "text", base.element(field)
        return f"(case when jsonb_typeof({jsonb}) = 'array' then {self._array_of(sql_type, jsonb)} end)"

    def _array_of(self, sql_type: str, jsonb: str) -> str:
        """The elements of a jsonb list as conditions see them."""
        alias = f"e${next(self._numbers)}"
        return f"array(select {alias}.value::{sql_type} from jsonb_array_elements_text({jsonb}) {alias}(value))"

    def grouped(self, field: Field, base: Base) -> str:
        """A scalar or enum field to group by: a bare column; inside jsonb, an error where it does not fit its type."""
        column, named = base.column(field), self._model.types[field.type.named]
        if column is not None:
            return column
        if not isinstance(named, Scalar):
            return base.text(field)
        fitting = self._fitting(named, base.text(field), base.element(field))
        return fitting if named.sql_type == "text" else f"{fitting}::{named.sql_type}"

    def aggregate(self, function: str, field: Field, base: Base) -> str:
        """What an aggregate function makes of a scalar or enum field of all rows."""
        named, column = self._model.types[field.type.named], base.column(field)
        value = self.grouped(field, base)
        if function != "countDistinct" and column is not None and isinstance(named, Scalar):
            value = f"{column}::{named.sql_type}"  # whose functions there are
        if function == "avg" and named.name == "Float":
            return f"(sum({value}) / count({value}))"  # avg() sums squares too, which overflow from 1e154 on
        return _AGGREGATES[function].format(value)

    def shown(self, field: Field, base: Base) -> str:
        """A field of scalars or enums as JSON shall hold it."""
        column = base.column(field)
        item = field.type.item
        if column is None:
            if item is None:
                return self._from_text(field.type.name, base.text(field), base.element(field))
            return self.elements(base.element(field), field.type)
        if item is None:
            computes = None if base.computed else field.expression
            return self.from_column(field.type.name, column if computes is None else computes.uncast(base.alias))
        named = self._model.types[item.named]
        if isinstance(named, Scalar) and named.is_json:
            return f"to_json({column})"
        if item.item is not None:  # PostgreSQL's arrays of arrays are matrices, which `unnest` would make one list of
            return self.elements(f"to_jsonb({column})", field.type)
        return self._from_array(named.name, column)

    def elements(self, jsonb: str, reference: TypeReference) -> str:
        """A value inside jsonb: a list is taken apart, so that each of its elements has its declared type."""
        if reference.item is None:
            return self._from_text(reference.name, f"({jsonb} #>> '{{}}')", jsonb)
        return self.each(jsonb, self.elements, reference.item)

    def each(
        self, jsonb: str, element: Callable[[str, TypeReference], str], item: TypeReference, rows: str = ""
    ) -> str:
        """A jsonb list as an array of what `element` makes of each; null for null, an error for anything else.

        Args:
            rows: what FROM has for those elements that are meant; all by default.
        """
        alias = f"e${next(self._numbers)}"
        value = element(f"{alias}.value", item)
        if item.item is not None:  # PostgreSQL's arrays of arrays are matrices
            value = f"to_json({value})"
        rows = rows or f"jsonb_array_elements({jsonb})"
        array = f"array(select {value} from {rows} {alias}(value))"
        return f"case when jsonb_typeof({jsonb}) <> 'null' then {array} end"

    def embedded(self, jsonb: str, made: str) -> str:
        """An object inside jsonb, of which `made` is what is selected; null for null, an error for anything else."""
        kind = f"jsonb_typeof({jsonb})"
        wrong = _error("no object", kind)
        return f"case when {kind} = 'object' then {made} when {kind} = 'null' then null when {wrong} then null end"

    def inside_document(self, document: str, shown: str, reference: TypeReference) -> str:
        """A field's value, where the row's jsonb is the object that it must be; `reference` is its type."""
        kind = f"jsonb_typeof({document})"
        return f"case when {kind} in ('object', 'null') then {shown} when {_error('no object', kind)} then null end"

    def _from_text(self, name: str, text: str, jsonb: str) -> str:
        named = self._model.types[name]
        if isinstance(named, EnumType):
            return _enum_name(named, text)
        assert isinstance(named, Scalar)
        if named.is_json:
            return jsonb
        fitting = self._fitting(named, text, jsonb)
        if named.sql_type == "text":
            return fitting
        form = form_of(named.sql_type)
        return finite(named, fitting) if form is None or form.guard is None else typed(named, fitting)

    def _fitting(self, named: Scalar, text: str, jsonb: str) -> str:
        """The text of a value inside jsonb; an error where it has another form than its type's."""
        form = form_of(named.sql_type)
        if form is None or form.is_text:  # any text may do, and each jsonb has one
            begins = f"ascii({text}) in (91, 123)"  # `[` and `{`, which is quicker than to look at every value's type
            wrong = f"{begins} and jsonb_typeof({jsonb}) in ('object', 'array')"
            return f"(case when {wrong} then ('no scalar: ' || {text})::int4::text else {text} end)"
        if form.guard is None:
            return text
        wrong = f"('not a {named.sql_type}: ' || {text})::int4::text"
        return f"(case when {form.guard(text)} then {text} else {wrong} end)"

    def from_column(self, name: str, column: str) -> str:
        """An SQL value as JSON shall hold it, by the name of its type."""
        named = self._model.types[name]
        if isinstance(named, EnumType):
            return _enum_name(named, f"{column}::text")
        assert isinstance(named, Scalar)
        return f"to_json({column})" if named.is_json else finite(named, column)

    def _from_array(self, name: str, column: str) -> str:
        named = self._model.types[name]
        if isinstance(named, Scalar) and named.finite is None and named.shown_as is None:
            array = f"{column}::{named.sql_type}[]{'::text[]' if named.as_text else ''}"
        else:
            alias = f"e${next(self._numbers)}"
            array = f"array(select {self.from_column(name, f'{alias}.value')} from unnest({column}) {alias}(value))"
        # An empty array has no dimensions.
        is_list, wrong = f"coalesce(array_ndims({column}), 1) = 1", _error("no list", f"array_dims({column})")
        return f"case when {column} is null then null when {is_list} then {array} when {wrong} then null end"


def _error(what: str, value: str) -> str:
    """A condition that is an error, for the place in a CASE that must not be reached."""
    return f"({literal(f'{what}: ')} || {value})::int4 = 0"


def finite(named: Scalar, value: str) -> str:
    """A value cast to its scalar's type; what does not meet `Scalar.finite` is an error: no integer."""
    if named.finite is None:
        return typed(named, value)
    cast = f"{value}::{named.sql_type}"
    misfit = f"('out of range: ' || {cast})::int4::text::{named.sql_type}"
    return _written(named, f"(case when {named.finite.format(cast)} then {cast} else {misfit} end)")


def typed(named: Scalar, value: str) -> str:
    """A value cast to its scalar's type, as JSON shall hold it."""
    return _written(named, f"{value}::{named.sql_type}")


def _written(named: Scalar, cast: str) -> str:
    if named.shown_as is not None:
        return named.shown_as.format(cast)
    return f"{cast}::text" if named.as_text else cast


def _enum_name(named: EnumType, text: str) -> str:
    """The GraphQL name of an enum's database text; one that is not declared is an error, since it fits no integer."""
    cases = " ".join(f"when {literal(value)} then {literal(name)}" for name, value in named.values.items())
    return f"case {text} {cases} else ({literal(f'not in {named.name}: ')} || {text})::int4::text end"

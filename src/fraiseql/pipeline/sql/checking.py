"""The same values as `Values` makes, for a statement that finds those that do not fit their declared types.

What fits is shown by the same expression. What does not is shown as `misfits` expects it: in place of a scalar or an
object a list of the one value, in place of a list an object of it. Of a scalar whose texts we do not know, each value
is shown so. A JSON number such as `5.0` is an integer here (GraphQL §3.5.1): PostgreSQL's cast, which is quick and
therefore the first statement's, does not read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fraiseql.pipeline.sql.forms import form_of
from fraiseql.pipeline.sql.quoting import literal
from fraiseql.pipeline.sql.values import Base, Values, typed
from fraiseql.schema.model import EnumType, Field, TypeReference
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS

__all__ = ["CheckedValues"]

_OWN_TYPES: Final = frozenset(scalar.sql_type for scalar in SCALARS.values())
_RANGES: Final = {"int4": (-(2**31), 2**31 - 1), "int8": (-(2**63), 2**63 - 1)}


class CheckedValues(Values):
    """Makes expressions none of which is an error for a value that does not fit."""

    def compared(self, field: Field, base: Base) -> str:
        """A scalar or enum field to filter or order by."""
        named = self._model.types[field.type.named]
        if base.column(field) is None and isinstance(named, Scalar) and named.sql_type in _RANGES:
            return f"{_whole(base.text(field), base.element(field))}::{named.sql_type}"
        return super().compared(field, base)

    def _array_of(self, sql_type: str, jsonb: str) -> str:
        if sql_type not in _RANGES:
            return super()._array_of(sql_type, jsonb)
        alias = f"e${next(self._numbers)}"
        value = _whole(f"({alias}.value #>> '{{}}')", f"{alias}.value")
        return f"array(select {value}::{sql_type} from jsonb_array_elements({jsonb}) {alias}(value))"

    def _fitting(self, named: Scalar, text: str, jsonb: str) -> str:
        return _whole(text, jsonb) if named.sql_type in _RANGES else super()._fitting(named, text, jsonb)

    def each(
        self, jsonb: str, element: Callable[[str, TypeReference], str], item: TypeReference, rows: str = ""
    ) -> str:
        """A jsonb list as JSON of what `element` makes of each."""
        alias = f"e${next(self._numbers)}"
        value = element(f"{alias}.value", item)
        rows = rows or f"jsonb_array_elements({jsonb})"
        array = f"to_json(array(select to_json({value}) from {rows} {alias}(value)))"
        return _of_type(jsonb, "array", array, _no_list(jsonb))

    def embedded(self, jsonb: str, made: str) -> str:
        """An object inside jsonb, of which `made` is what is selected."""
        return _of_type(jsonb, "object", f"to_json({made})", _no_value(jsonb))

    def inside_document(self, document: str, shown: str, reference: TypeReference) -> str:
        """A field's value, where the row's jsonb is the object that it must be."""
        if self.is_json(reference):  # which cannot be shown as wrong: the statement must fail
            return super().inside_document(document, shown, reference)
        misfit = _no_value(document) if reference.item is None else _no_list(document)
        return f"case when jsonb_typeof({document}) in ('object', 'null') then to_json({shown}) else {misfit} end"

    def _from_text(self, name: str, text: str, jsonb: str) -> str:
        named = self._model.types[name]
        if isinstance(named, EnumType):
            return _enum_name(named, text, jsonb)
        assert isinstance(named, Scalar)
        if named.is_json:
            return jsonb
        misfit = _no_value(jsonb)
        if named.sql_type == "text":
            is_scalar = f"jsonb_typeof({jsonb}) not in ('object', 'array')"
            return f"case when {text} is null then null when {is_scalar} then to_json({text}) else {misfit} end"
        if named.sql_type in _RANGES:
            text = _whole(text, jsonb)
        return self._read(named, text, f"jsonb_typeof({jsonb}) not in ('object', 'array')", misfit)

    def from_column(self, name: str, column: str) -> str:
        named = self._model.types[name]
        misfit = _no_value(f"to_json({column})")
        if isinstance(named, EnumType):
            return _enum_name(named, f"{column}::text", f"to_json({column})")
        assert isinstance(named, Scalar)
        if named.is_json or named.sql_type == "text":
            return super().from_column(name, column)
        # A text is cast as it is read from jsonb; what else PostgreSQL casts is an error only by its size.
        kind = f"(select typcategory from pg_catalog.pg_type where oid = pg_typeof({column}))"
        whens = [
            f"when {column} is null then null",
            f"when pg_typeof({column}) <> {literal(named.sql_type)}::regtype and {kind} = 'S' "
            f"then {self._read(named, f'{column}::text', 'true', misfit)}",
        ]
        if named.sql_type in _RANGES:
            low, high = _RANGES[named.sql_type]
            outside = f"round({column}::text::numeric) not between {low} and {high}"
            whens.append(f"when case when {kind} = 'N' then {outside} end then {misfit}")
        elif not _is_cast_known(named.sql_type):
            whens.append(f"when pg_typeof({column}) <> {literal(named.sql_type)}::regtype then {misfit}")
        if named.finite is not None:
            is_finite = named.finite.format(f"{column}::{named.sql_type}")
            whens.append(f"when not {is_finite} then {misfit}")
        return f"case {' '.join(whens)} else to_json({typed(named, column)}) end"

    def _from_array(self, name: str, column: str) -> str:
        alias = f"e${next(self._numbers)}"
        value = self.from_column(name, f"{alias}.value")
        array = f"to_json(array(select to_json({value}) from unnest({column}) {alias}(value)))"
        return (
            f"case when {column} is null then null when array_ndims({column}) > 1 "
            f"then {_no_list(f'to_json({column})')} else {array} end"
        )

    @staticmethod
    def _read(named: Scalar, text: str, is_scalar: str, misfit: str) -> str:
        """A value read from a text; each of those whose texts we do not know is shown as a misfit."""
        form = form_of(named.sql_type)
        if form is None:
            return f"case when {text} is not null then {misfit} end"
        fits = f"{is_scalar} and {form.fits(text)}"
        shown = f"to_json({typed(named, text)})"
        return f"case when {text} is null then null when {fits} then {shown} else {misfit} end"


def _of_type(jsonb: str, kind: str, shown: str, misfit: str) -> str:
    return f"case jsonb_typeof({jsonb}) when '{kind}' then {shown} when 'null' then null else {misfit} end"


def _is_cast_known(sql_type: str) -> bool:
    """Whether the conditions here are all that a cast from another type than a text can fail for."""
    form = form_of(sql_type)
    return form is not None and (form.is_text or sql_type in _OWN_TYPES)


def _whole(text: str, jsonb: str) -> str:
    """The text of a value inside jsonb, without a fraction of noughts where it is a number."""
    return f"(case when jsonb_typeof({jsonb}) = 'number' then regexp_replace({text}, '[.]0+$', '') else {text} end)"


def _no_value(raw: str) -> str:
    return f"(case when {raw} is not null then json_build_array({raw}) end)"


def _no_list(raw: str) -> str:
    return f"(case when {raw} is not null then json_build_object('', {raw}) end)"


def _enum_name(named: EnumType, text: str, raw: str) -> str:
    cases = " ".join(
        f"when {literal(value)} then to_json({literal(name)}::text)" for name, value in named.values.items()
    )
    return f"case when {text} is not null then case {text} {cases} else {_no_value(raw)} end end"

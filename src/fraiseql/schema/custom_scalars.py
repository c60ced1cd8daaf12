"""`fraiseql.scalar`: scalars that a schema defines itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final

from fraiseql.errors import SchemaError
from fraiseql.schema.directives import Use, hashable
from fraiseql.schema.names import graphql_name
from fraiseql.schema.numbers import plain
from fraiseql.schema.scalar import FilterFamily, Scalar, checked_text, excerpt
from fraiseql.schema.scalars import SCALARS

__all__ = ["scalar"]

_SQL_TYPE: Final = re.compile(r"[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?(?: precision)?(?:\([0-9]+(?:, ?[0-9]+)?\))?")
_FAMILIES: Final = {
    family.value: family for family in FilterFamily if family not in (FilterFamily.RANGE, FilterFamily.TEXT_SEARCH)
}
_UNSORTABLE: Final = (FilterFamily.NONE, FilterFamily.JSON)


def scalar(
    name: str,
    *,
    sql_type: str,
    parse: Callable[[Any], Any] | None = None,
    serialize: Callable[[Any], Any] | None = None,
    load: Callable[[Any], Any] | None = None,
    filters: str = "equality",
    description: str | None = None,
    specified_by_url: str | None = None,
    directives: Sequence[Use] = (),
) -> Scalar:
    """Define a scalar, to be named in an annotation: `Email = Annotated[str, fraiseql.scalar("Email", ...)]`.

    Args:
        name: in GraphQL.
        sql_type: the PostgreSQL type that its values are read as: a plain name in small letters, with a schema and with
            numbers in parentheses where needed.
        parse: from what JSON or a literal holds to the text, number or boolean that PostgreSQL reads; what it raises
            refuses the value, and the words of a ValueError are shown to the client. Any text by default.
        serialize: from what Python code gives to what JSON shall hold; `parse` by default.
        load: from what `parse` gave to what a resolver is called with; the same by default.
        filters: which conditions `where` offers: none, equality, ordered, text, json, network or tree.
        description: in GraphQL.
        specified_by_url: of a page that specifies it.
        directives: what `fraiseql.directive` made, with arguments.

    Raises:
        SchemaError: one of them is not of its form, or the name is that of another scalar.
    """
    where = f"fraiseql.scalar({name!r})"
    if not isinstance(name, str) or graphql_name(name, where) in SCALARS:
        raise SchemaError(where, found=f"the name {name!r}", expected="a name that no other scalar has")
    if not isinstance(sql_type, str) or _SQL_TYPE.fullmatch(sql_type) is None:
        raise SchemaError(where, found=f"sql_type={sql_type!r}", expected="the name of a type, in small letters")
    if filters not in _FAMILIES:
        raise SchemaError(where, found=f"filters={filters!r}", expected=f"one of {', '.join(_FAMILIES)}")
    for argument, given in (("parse", parse), ("serialize", serialize), ("load", load)):
        if given is not None and not callable(given):
            raise SchemaError(where, found=f"{argument}={given!r}", expected="a function of one argument")
    if specified_by_url is not None and (not isinstance(specified_by_url, str) or not specified_by_url.isascii()):
        raise SchemaError(where, found=f"specified_by_url={specified_by_url!r}", expected="a URL")
    is_json = sql_type in ("json", "jsonb")
    family = _FAMILIES[filters]
    if (family is FilterFamily.JSON) != is_json and (is_json or family is FilterFamily.JSON) and filters != "none":
        raise SchemaError(where, found=f"filters={filters!r} with sql_type={sql_type!r}", expected="json for both")
    read = _guarded(name, parse or (_as_it_is if is_json else _text(name)), any_json=is_json, load=load)
    return Scalar(
        name,
        sql_type,
        read,
        read if serialize is None else _guarded(name, serialize, any_json=is_json),
        plain if load is None else _of_plain(load),
        description,
        specified_by_url,
        family=family,
        sortable=family not in _UNSORTABLE,
        directives=hashable(directives),
    )


def _as_it_is(value: Any) -> Any:
    return value


def _of_plain(load: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: load(plain(value))


def _text(name: str) -> Callable[[Any], Any]:
    def parse(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{name} cannot represent a non string value: {excerpt(value)}")
        return value

    return parse


def _guarded(
    name: str, function: Callable[[Any], Any], *, any_json: bool, load: Callable[[Any], Any] | None = None
) -> Callable[[Any], Any]:
    """The function of a user, whatever it raises and returns; a value that `load` would not take is refused too."""

    def call(value: Any) -> Any:
        try:
            found = function(value)
            if load is not None:
                load(plain(found))
            if any_json:
                json.dumps(found, allow_nan=False)
        except ValueError as error:
            raise ValueError(str(error) or f"{name} cannot represent value: {excerpt(value)}") from None
        except Exception:
            raise ValueError(f"{name} cannot represent value: {excerpt(value)}") from None
        if any_json:
            return found
        if isinstance(found, str):
            return checked_text(found)
        if isinstance(found, (bool, int)) or (isinstance(found, float) and isfinite(found)):
            return found
        raise ValueError(f"{name} cannot represent value: {excerpt(value)}")

    return call

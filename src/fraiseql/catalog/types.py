"""Which PostgreSQL types a declared scalar can serve, and which declared type serves a PostgreSQL type best."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, get_args

import fraiseql.schema
from fraiseql.catalog.facts import DataType
from fraiseql.schema.scalars import PYTHON_SCALARS, Scalar

__all__ = ["TEXTS", "Fit", "Spelling", "fit_of", "spelling_of"]

_SAME: Final = MappingProxyType({"boolean": "bool", "integer": "int4", "bigint": "int8", "smallint": "int2"})

TEXTS: Final = frozenset({"text", "varchar", "bpchar", "citext", "name"})
"""The types whose values are texts."""

# By the type that a scalar's values are read as: what else is read so without loss, and compared with it.
_FITS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "text": TEXTS,
        "int4": frozenset({"int2", "int4"}),
        "int8": frozenset({"int2", "int4", "int8"}),
        "float8": frozenset({"float4", "float8", "int2", "int4"}),
        "timestamptz": frozenset({"timestamptz", "timestamp", "date"}),
        "numeric": frozenset({"numeric", "int2", "int4", "int8"}),
        "jsonb": frozenset({"jsonb", "json"}),
        "inet": frozenset({"inet", "cidr"}),
    }
)
# What is read so as long as the values are small, or with fewer digits.
_NEARLY: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "int4": {"int8": "values beyond 32 bits are errors", "oid": "values beyond 31 bits are errors"},
        "float8": {
            "int8": "values beyond 53 bits lose digits",
            "numeric": "values of more than 15 digits lose some",
        },
        "numeric": {"float4": "its digits are those of a float", "float8": "its digits are those of a float"},
    }
)


class Fit(NamedTuple):
    """How a column's type suits a declared one: whether at all, and what to be warned of."""

    fits: bool
    warning: str | None = None


def fit_of(scalar: Scalar, actual: DataType) -> Fit:
    """Whether a column of a type, no array, can be read and compared as a scalar."""
    found = actual.bare
    if scalar.name == "JSON":  # to_json takes anything
        return Fit(True)
    if found.element is not None or found.kind not in "ber":
        return Fit(False)
    if scalar.name == "ID":  # a text, whatever its column holds; but documents have no identity
        return Fit(found.name not in ("json", "jsonb", "xml", "bytea"))
    wanted = _SAME.get(scalar.sql_type, scalar.sql_type)
    if found.name in _FITS.get(wanted, ()) or found.name == wanted:
        return Fit(True)
    warning = _NEARLY.get(wanted, {}).get(found.name)
    return Fit(warning is not None, warning)


class Spelling(NamedTuple):
    """A scalar as an annotation: its text, the module to import it from, and its name there."""

    scalar: str
    text: str
    module: str = ""
    name: str = ""


# For types that no scalar is read as: the best of those there are.
_INSTEAD: Final = {
    **dict.fromkeys(TEXTS, "text"),
    "int2": "int4",
    "int8": "numeric",
    "float4": "float8",
    "timestamp": "timestamptz",
    "json": "jsonb",
}


def _spelled(python: Any, scalar: Scalar) -> Spelling:
    if python.__module__ == "builtins":
        return Spelling(scalar.name, python.__name__)
    if python.__module__ == "datetime":
        return Spelling(scalar.name, f"dt.{python.__name__}", "datetime")
    return Spelling(scalar.name, python.__name__, python.__module__, python.__name__)


def _spellings() -> Mapping[str, Spelling]:
    """By PostgreSQL type: the scalars that this package knows and Python has a name for."""
    found: dict[str, Spelling] = {}
    for name in fraiseql.schema.__all__:  # those that are `Annotated`
        for scalar in get_args(getattr(fraiseql.schema, name))[1:]:
            if isinstance(scalar, Scalar) and scalar.name != "ID":
                found.setdefault(_SAME.get(scalar.sql_type, scalar.sql_type), Spelling(scalar.name, f"fraiseql.{name}"))
    for python, scalar in PYTHON_SCALARS.items():
        found.setdefault(_SAME.get(scalar.sql_type, scalar.sql_type), _spelled(python, scalar))
    return found


_SPELLINGS: Final = _spellings()
_ID: Final = Spelling("ID", "fraiseql.ID")


def spelling_of(actual: DataType, *, identifies: bool = False) -> Spelling | None:
    """How to declare a column of a type, neither array nor enum; None where no scalar reads it.

    Args:
        identifies: whether it is a key, which is declared as an ID where it can be one.
    """
    found = actual.bare
    if found.kind not in "br" or found.element is not None:
        return None
    if identifies and (found.name in TEXTS or found.name in ("int2", "int4", "int8", "uuid")):
        return _ID
    return _SPELLINGS.get(found.name) or _SPELLINGS.get(_INSTEAD.get(found.name, ""))

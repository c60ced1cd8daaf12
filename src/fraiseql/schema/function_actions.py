"""Mutations that a PostgreSQL function serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from fraiseql.schema.fields import Source, TypeReference

__all__ = ["UNTOLD", "FunctionAction", "FunctionOptions", "Part", "Passing", "Returned"]


class Passing(Enum):
    """How a function is given the arguments of its field; the values are what `mutation(arguments=...)` takes."""

    JSONB = "jsonb"
    """One jsonb: the only argument where that is an input object, else an object of all of them."""
    NAMED = "named"
    """By name: the fields of the only argument where that is an input object, else the arguments."""


class Returned(Enum):
    """What a function returns; the values are what `mutation(returns=...)` takes."""

    RESULT = "result"
    """A status, and what belongs to it: columns, or the keys of a jsonb."""
    ROW = "row"
    """The row or the rows themselves, their ids, or scalars."""


class Part(Enum):
    """What of a result a field of a success or an error type shows."""

    STATUS = auto()
    MESSAGE = auto()
    CODE = auto()
    FIELDS = auto()
    ENTITY = auto()
    ENTITY_ID = auto()
    ENTITY_TYPE = auto()
    UPDATED_FIELDS = auto()
    CASCADE = auto()
    METADATA = auto()
    OTHER = auto()
    """The key of the metadata that has the field's name; for a type with a source the id of a row."""


@dataclass(frozen=True, slots=True)
class FunctionOptions:
    """What `mutation` was told of a PostgreSQL function; None where nothing is."""

    arguments: str | None = None
    prefix: str | None = None
    returns: str | None = None
    entity: str | None = None
    result_name: str | None = None


UNTOLD: Final = FunctionOptions()
"""Nothing is told."""


@dataclass(frozen=True, slots=True)
class FunctionAction:
    """A call of a PostgreSQL function.

    Attributes:
        function: its name.
        where: the class or function in Python that declares it.
        success: what the field gives where all went well.
        error: the type of what it gives where the function refuses; None where that is a GraphQL error.
        prefix: stands before each name of an argument that is passed by name.
        parts: by the name of a success or an error type and by those of its fields in GraphQL, what they show. A
            success that is not among them is the entity itself.
    """

    function: Source
    where: str
    success: TypeReference
    error: str | None = None
    passing: Passing = Passing.JSONB
    prefix: str = ""
    returned: Returned = Returned.RESULT
    parts: Mapping[str, Mapping[str, Part]] = field(default_factory=lambda: MappingProxyType({}))

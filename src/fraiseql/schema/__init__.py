"""Declarations in Python, read into one frozen schema."""

from fraiseql.schema.abstract_declarations import interface, union
from fraiseql.schema.build import Schema
from fraiseql.schema.crud import crud
from fraiseql.schema.custom_scalars import scalar
from fraiseql.schema.decorators import enum, input, query, subscription, type
from fraiseql.schema.directives import directive
from fraiseql.schema.error_rules import ErrorRule
from fraiseql.schema.markers import field, relation
from fraiseql.schema.mutation_decorator import mutation
from fraiseql.schema.scalars import (
    CIDR,
    ID,
    IP,
    JSON,
    MAC,
    BigInt,
    Bytes,
    DateRange,
    Int4Range,
    Int8Range,
    Interval,
    LTree,
    NumRange,
    TsRange,
    TstzRange,
    TSVector,
)
from fraiseql.schema.shapes import Aggregate, Connection, Group

__all__ = [
    "CIDR",
    "ID",
    "IP",
    "JSON",
    "MAC",
    "Aggregate",
    "BigInt",
    "Bytes",
    "Connection",
    "DateRange",
    "ErrorRule",
    "Group",
    "Int4Range",
    "Int8Range",
    "Interval",
    "LTree",
    "NumRange",
    "Schema",
    "TSVector",
    "TsRange",
    "TstzRange",
    "crud",
    "directive",
    "enum",
    "field",
    "input",
    "interface",
    "mutation",
    "query",
    "relation",
    "scalar",
    "subscription",
    "type",
    "union",
]

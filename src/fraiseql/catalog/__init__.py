"""What a database holds: its catalogs as facts, a schema held against them, and a module written from them."""

from __future__ import annotations

from fraiseql.catalog.checking import check_schema, sources_of
from fraiseql.catalog.expressions import ExpressionTypes, computed_fields, expression_statement, read_type
from fraiseql.catalog.facts import Catalog
from fraiseql.catalog.findings import Finding, Severity
from fraiseql.catalog.function_checking import check_functions
from fraiseql.catalog.functions import functions_of, functions_statement, read_functions
from fraiseql.catalog.generation import generate_module
from fraiseql.catalog.mutating import check_error_rules, check_idempotency, constraints_statement
from fraiseql.catalog.statements import read_catalog, schemas_statement, sources_statement

__all__ = [
    "Catalog",
    "ExpressionTypes",
    "Finding",
    "Severity",
    "check_error_rules",
    "check_functions",
    "check_idempotency",
    "check_schema",
    "computed_fields",
    "constraints_statement",
    "expression_statement",
    "functions_of",
    "functions_statement",
    "generate_module",
    "read_catalog",
    "read_functions",
    "read_type",
    "schemas_statement",
    "sources_of",
    "sources_statement",
]

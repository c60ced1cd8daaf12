"""The commands that need no server: the SQL of a query, and the schema as text."""

from __future__ import annotations

import argparse
import json
import sys

from fraiseql.cli.target import load_schema

__all__ = ["print_schema", "print_sql"]


def print_sql(options: argparse.Namespace) -> int:
    """Print the one statement that serves a query, and its parameters; no database is asked."""
    from fraiseql.limits import QueryLimits
    from fraiseql.pipeline import Pipeline

    schema = load_schema(options.target)
    document = sys.stdin.read() if options.query == "-" else options.query
    explanation = Pipeline(schema, QueryLimits()).explain(
        document, variables=options.variables, operation_name=options.operation
    )
    print(explanation.sql)
    for number, value in enumerate(explanation.parameters, start=1):
        print(f"-- ${number} = {'NULL' if value is None else json.dumps(value, ensure_ascii=False)}")
    return 0


def print_schema(options: argparse.Namespace) -> int:
    """Print the schema in GraphQL's schema definition language."""
    from fraiseql.pipeline import print_sdl

    print(print_sdl(load_schema(options.target)).rstrip())
    return 0

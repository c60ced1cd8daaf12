"""The commands that ask a database, and serve nobody: `check`, `introspect`, `sql --analyze`."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from fraiseql.cli.output import write
from fraiseql.cli.serving import RUNTIMES, run_async
from fraiseql.cli.settings import read_config
from fraiseql.cli.target import load_schema
from fraiseql.errors import ConfigurationError, DatabaseError
from fraiseql.pipeline import Explanation

__all__ = ["check", "introspect", "plan_of"]

_Result = TypeVar("_Result")


def check(options: argparse.Namespace) -> int:
    """Hold a schema against the database: print each finding; 1 where one is an error."""
    from fraiseql.catalog import Severity
    from fraiseql.runtimes.anyio.inspection import check_database

    schema, config = load_schema(options.target), read_config(options)
    findings = _ask(partial(check_database, schema, config))
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    counts = f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}"
    write("\n".join([*map(str, findings), counts]))
    return 1 if errors else 0


def introspect(options: argparse.Namespace) -> int:
    """Print a Python module for what the database holds."""
    from fraiseql.catalog import generate_module
    from fraiseql.runtimes.anyio.inspection import read_schemas

    config, schemas, tables = read_config(options), options.schema or ["public"], options.table
    catalog = _ask(partial(read_schemas, schemas, tables, config))
    found = {table.name for table in catalog.found if table is not None}
    missing = [name for name in tables if name not in found]
    places = f"in the schema {', '.join(schemas)}" if len(schemas) == 1 else f"in the schemas {', '.join(schemas)}"
    if missing:
        raise ConfigurationError(f"there is no table or view {', '.join(missing)} {places}")
    module = generate_module(catalog)
    if module is None:
        raise ConfigurationError(f"there is no table or view that can be served {places}")
    write(module.rstrip("\n"))
    return 0


def plan_of(explanation: Explanation, options: argparse.Namespace) -> str:
    """Run an explained statement, roll it back, and give PostgreSQL's plan of it."""
    from fraiseql.effects import Fetch, Statement
    from fraiseql.runtimes.anyio.inspection import analyze

    parameters = tuple(None if value is None else value.encode() for value in explanation.parameters)
    settings = tuple((name.encode(), value.encode()) for name, value in explanation.settings)
    fetch = Fetch(Statement(explanation.sql.encode(), 1), parameters, settings=settings)
    return _ask(partial(analyze, fetch, read_config(options)))


def _ask(function: Callable[[], Awaitable[_Result]]) -> _Result:
    """Run an async function in an event loop of its own; a DatabaseError keeps its SQLSTATE beside its words."""
    results: list[_Result] = []

    async def run() -> None:
        results.append(await function())

    try:
        run_async(RUNTIMES[0], run)
    except DatabaseError as error:
        raise DatabaseError(f"PostgreSQL: {error} (SQLSTATE {error.sqlstate})", sqlstate=error.sqlstate) from error
    return results[0]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

"""What each command runs. What only one of them needs is imported by it alone."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial

from fraiseql.cli.output import write
from fraiseql.cli.serving import THREADS, leave_functions_behind, run_async
from fraiseql.cli.settings import read_config
from fraiseql.cli.target import load_context, load_schema

__all__ = [
    "check",
    "demo",
    "introspect",
    "print_idempotency",
    "print_outbox",
    "print_rls",
    "print_schema",
    "print_sql",
    "serve",
]


def serve(options: argparse.Namespace) -> int:
    """Serve a schema until a signal ends it."""
    from fraiseql.runtimes.workers import serve_workers

    schema, config = load_schema(options.target), read_config(options)
    context = None if config.context is None else load_context(config.context)
    if config.workers > 1:
        serve_workers(schema, runtime=options.runtime, config=config, context=context)
    elif options.runtime == THREADS:
        from fraiseql.runtimes.threads import serve_threads

        serve_threads(schema, config=config, context=context)
    else:
        from fraiseql.runtimes.anyio import serve

        run_async(options.runtime, partial(serve, schema, config=config, context=context), uvloop=config.uvloop)
        leave_functions_behind()
    return 0


def demo(options: argparse.Namespace) -> int:
    """Serve the sample blog until a signal ends it."""
    from fraiseql.cli.demo.command import demo

    return demo(options)


def print_sql(options: argparse.Namespace) -> int:
    """Print the statement that serves a query, and its parameters; a database is asked for a plan only.

    Of a mutation there is one for each field, which writes; `--analyze` runs the first, and rolls it back.
    """
    from fraiseql.cli.caller import read_caller
    from fraiseql.pipeline import Pipeline

    schema, config = load_schema(options.target), read_config(options)
    document = sys.stdin.read() if options.query == "-" else options.query
    caller = None if options.caller is None else read_caller(options.caller)
    explanation = Pipeline(schema, config.query_limits, introspection=config.introspection).explain(
        document, variables=options.variables, operation_name=options.operation, caller=caller
    )
    lines = [f"-- {name} = {json.dumps(value, ensure_ascii=False)}" for name, value in explanation.settings]
    for each in (explanation, *explanation.further):
        if each.sql:
            lines.append(each.sql)
        elif not explanation.called:
            lines.append("-- no SQL: the schema alone answers this")
        for number, value in enumerate(each.parameters, start=1):
            lines.append(f"-- ${number} = {'NULL' if value is None else json.dumps(value, ensure_ascii=False)}")
    lines += [f"-- {key}: a function in Python serves this" for key in explanation.called]
    write("\n".join(lines))
    if options.analyze and explanation.sql:
        from fraiseql.cli.database import plan_of

        write(f"\n{plan_of(explanation, options)}")  # behind the SQL, which is wanted most where it fails
    return 0


def check(options: argparse.Namespace) -> int:
    """Hold a schema against the database."""
    from fraiseql.cli.database import check

    return check(options)


def introspect(options: argparse.Namespace) -> int:
    """Print a Python module for what the database holds."""
    from fraiseql.cli.database import introspect

    return introspect(options)


def print_schema(options: argparse.Namespace) -> int:
    """Print the schema in GraphQL's schema definition language."""
    from fraiseql.pipeline import print_sdl

    write(print_sdl(load_schema(options.target)).rstrip())
    return 0


def print_outbox(options: argparse.Namespace) -> int:
    """Print the SQL that makes the outbox and its triggers; no database is asked."""
    from fraiseql.cli.outbox import print_outbox

    return print_outbox(options)


def print_rls(options: argparse.Namespace) -> int:
    """Print the SQL function for policies; no database is asked."""
    from fraiseql.cli.rls import print_rls

    return print_rls(options)


def print_idempotency(options: argparse.Namespace) -> int:
    """Print the SQL that makes the table of idempotency keys; no database is asked."""
    from fraiseql.pipeline.mutations.idempotency_table import IdempotencyTable

    table = IdempotencyTable(options.table, options.schema)
    write(table.ddl(options.grant).rstrip())
    return 0

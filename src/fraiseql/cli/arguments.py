"""The arguments of every command."""

from __future__ import annotations

import argparse
import json
from typing import Any, NoReturn

from fraiseql import __version__
from fraiseql.cli import commands
from fraiseql.cli.serving import RUNTIMES
from fraiseql.cli.settings import add_settings
from fraiseql.cli.target import Target, parse_target

__all__ = ["build_parser"]


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument as every other error is reported, and with exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nTry '{self.prog} --help'.\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser; each command leaves the function that runs it in `run`."""
    parser = _Parser(prog="fraiseql", description="GraphQL over PostgreSQL.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"fraiseql {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="command", required=True)
    _add_serve(subparsers)
    _add_demo(subparsers)
    _add_sql(subparsers)
    _add_schema(subparsers)
    _add_check(subparsers)
    _add_introspect(subparsers)
    _add_outbox(subparsers)
    _add_rls(subparsers)
    _add_idempotency(subparsers)
    return parser


def _add_serve(subparsers: Any) -> None:
    command = _add_command(subparsers, "serve", commands.serve, "serve a schema over HTTP")
    _add_target(command)
    _add_runtime(command)
    add_settings(command)


def _add_demo(subparsers: Any) -> None:
    text = "serve a sample blog from a PostgreSQL of its own"
    command = _add_command(subparsers, "demo", commands.demo, text)
    _add_runtime(command)
    command.add_argument("--temp-dir", metavar="PATH", help="where the database's temporary folder is made")
    add_settings(command, ("host", "port"))


def _add_sql(subparsers: Any) -> None:
    command = _add_command(subparsers, "sql", commands.print_sql, "print the SQL of a query, and its plan where asked")
    _add_target(command)
    command.add_argument("query", help="a GraphQL document; - reads it from standard input")
    command.add_argument("--variables", type=_json_object, metavar="JSON", help="the variables, as a JSON object")
    command.add_argument("--operation", metavar="NAME", help="which operation, where the document has several")
    text = "who asks, as a JSON object of user_id, tenant_id, roles and context; what PostgreSQL is told is shown, too"
    command.add_argument("--context", dest="caller", type=_json_object, metavar="JSON", help=text)
    text = "run the statement, roll it back, and print PostgreSQL's plan with what it cost"
    command.add_argument("--analyze", action="store_true", help=text)
    add_settings(command, ("database_url",))


def _add_check(subparsers: Any) -> None:
    text = "hold a schema against the live database"
    command = _add_command(subparsers, "check", commands.check, text)
    _add_target(command)
    add_settings(command, ("database_url",))


def _add_introspect(subparsers: Any) -> None:
    text = "print a Python module that serves an existing database"
    command = _add_command(subparsers, "introspect", commands.introspect, text)
    for option, what in (
        ("--schema", "whose tables and views (default public)"),
        ("--table", "only the tables and views of this name"),
    ):
        command.add_argument(option, metavar="NAME", action="append", default=[], help=f"{what}; may be repeated")
    add_settings(command, ("database_url",))


def _add_schema(subparsers: Any) -> None:
    command = _add_command(subparsers, "schema", commands.print_schema, "print the schema in GraphQL's own language")
    _add_target(command)


def _add_outbox(subparsers: Any) -> None:
    text = "print the SQL that makes the outbox for subscriptions; needs no database"
    command = _add_command(subparsers, "outbox", commands.print_outbox, text)
    command.add_argument(
        "target",
        metavar="module:schema",
        nargs="?",
        type=_target,
        help="whose subscriptions the triggers are for: app:schema",
    )
    command.add_argument(
        "--watch",
        metavar="SOURCE",
        action="append",
        default=[],
        help="a further table or view whose changes are told to live queries; may be repeated",
    )
    command.add_argument("--schema", metavar="NAME", help="where the outbox is (default the first of the search path)")
    for option, what in (("--table", "the outbox's table"), ("--channel", "the channel of its notifications")):
        default = "fraiseql_outbox"
        command.add_argument(option, metavar="NAME", default=default, help=f"{what} (default {default})")


def _add_rls(subparsers: Any) -> None:
    text = "print the SQL function by which policies read the caller's settings; needs no database"
    command = _add_command(subparsers, "rls", commands.print_rls, text)
    command.add_argument("--schema", metavar="NAME", help="where it is (default the first of the search path)")


def _add_idempotency(subparsers: Any) -> None:
    text = "print the SQL that makes the table of idempotency keys; needs no database"
    command = _add_command(subparsers, "idempotency", commands.print_idempotency, text)
    command.add_argument("--schema", metavar="NAME", help="where the table is (default the first of the search path)")
    default = "fraiseql_idempotency"
    command.add_argument("--table", metavar="NAME", default=default, help=f"its name (default {default})")
    grant = "a role that the server connects as, where that does not own the table; may be repeated"
    command.add_argument("--grant", metavar="ROLE", action="append", default=[], help=grant)


def _add_command(subparsers: Any, name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
    description = f"{help_text[0].upper()}{help_text[1:]}."
    command: argparse.ArgumentParser = subparsers.add_parser(
        name, help=help_text, description=description, allow_abbrev=False
    )
    command.set_defaults(run=run)
    return command


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "target", metavar="module:schema", type=_target, help="where the fraiseql.Schema is: app:schema"
    )


def _add_runtime(command: argparse.ArgumentParser) -> None:
    command.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0], help="what serves (default asyncio)")


def _target(text: str) -> Target:
    try:
        return parse_target(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    return value

"""`fraiseql outbox`: the SQL that makes the outbox and the triggers that a schema's subscriptions need."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from fraiseql.bus import EventBus, PostgresqlBus, outbox_sql, watch_sql
from fraiseql.bus.ddl import quote_identifier, quote_literal
from fraiseql.cli.output import write
from fraiseql.cli.target import load_schema
from fraiseql.schema.model import SchemaModel

__all__ = ["outbox_script", "print_outbox"]


def print_outbox(options: argparse.Namespace) -> int:
    """Print the SQL; no database is asked."""
    bus = EventBus.postgresql(schema=options.schema, table=options.table, channel=options.channel)
    model = None if options.target is None else load_schema(options.target).model
    write(outbox_script(bus, model, options.watch).rstrip())
    return 0


def outbox_script(bus: PostgresqlBus, model: SchemaModel | None, sources: Iterable[str]) -> str:
    """All of it, in one transaction.

    Args:
        bus: which outbox.
        model: whose live queries are to be told of changes, and whose event subscriptions are shown a trigger.
        sources: further tables and views to watch.
    """
    watched = sorted({*sources, *(model.watched_sources if model is not None else ())})
    parts = ["begin;\n", outbox_sql(bus)]
    if watched:
        parts.append("-- Tell live queries when what they read has changed.")
        parts += [watch_sql(bus, source) for source in watched]
    parts.append("\ncommit;")
    if model is not None:
        parts += _row_triggers(bus, model)
    return "\n".join(parts) + "\n"


def _row_triggers(bus: PostgresqlBus, model: SchemaModel) -> Iterator[str]:
    """An example for each topic, as only its author knows the table, and which changes count."""
    prefix = "" if bus.schema is None else f"{quote_identifier(bus.schema)}."
    if model.event_topics:
        yield "\n-- Publish rows to event subscriptions: put your table, and which of insert, update and delete count."
        yield "-- A second argument names the column that holds the tenant, a third that of the only user to see it."
    for topic in sorted(model.event_topics):
        yield f"-- create trigger {quote_identifier(f'publish {topic}')} after insert on your_table"
        yield f"--     for each row execute function {prefix}fraiseql_publish_row({quote_literal(topic)});"

"""One connection for a few questions: what the catalogs hold, and how a statement runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio

from fraiseql.bus import PostgresqlBus
from fraiseql.bus.statements import Outbox
from fraiseql.catalog import (
    Catalog,
    ExpressionTypes,
    Finding,
    check_error_rules,
    check_functions,
    check_idempotency,
    check_schema,
    computed_fields,
    constraints_statement,
    expression_statement,
    functions_of,
    functions_statement,
    read_catalog,
    read_functions,
    read_type,
    schemas_statement,
    sources_of,
)
from fraiseql.catalog import sources_statement as ask_for_sources
from fraiseql.catalog.facts import DataType
from fraiseql.effects import Fetch
from fraiseql.errors import ConfigurationError, DatabaseError, StartupError
from fraiseql.limits import PoolLimits
from fraiseql.pipeline.mutations.idempotency_table import IdempotencyTable
from fraiseql.postgres import Connection, cancel, drain, explain, run
from fraiseql.postgres.conversation import CAN_CANCEL
from fraiseql.runtimes.anyio.connecting import Connector
from fraiseql.runtimes.anyio.waits import drive
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.schema import Schema
from fraiseql.schema.model import SchemaModel, SubscriptionKind

__all__ = ["analyze", "check_database", "read_schemas"]


async def check_database(schema: Schema, config: FraiseQLConfig) -> list[Finding]:
    """Hold a schema against the database of the settings; only its catalogs are read.

    Raises:
        ConfigurationError: there is no `database_url`, or libpq cannot read it.
        StartupError: the database cannot be reached.
        DatabaseError: the catalogs cannot be read.
    """
    model = schema.model
    sources = [(source.schema, source.name) for source in sources_of(model)]
    missing = None
    async with _connected(config) as connection:
        catalog = read_catalog(await drive(run(connection, ask_for_sources(sources))))
        kinds = {subscription.kind for subscription in model.subscriptions.values()}
        if config.event_bus == "postgresql" and kinds - {SubscriptionKind.RESOLVER}:
            outbox = Outbox(PostgresqlBus())
            (found,) = await drive(run(connection, outbox.check()))
            missing = None if found == b"t" else outbox.name
        expressions = await _expression_types(connection, model, catalog)
        further = await _check_mutating(connection, model, config)
    return [*check_schema(model, catalog, missing, expressions), *further]


async def _check_mutating(connection: Connection, model: SchemaModel, config: FraiseQLConfig) -> list[Finding]:
    """What mutations, and the rules of errors, miss in the database."""
    found: list[Finding] = []
    named = constraints_statement(model)
    if named is not None:
        found += check_error_rules(await drive(run(connection, named)))
    if model.mutations:
        table = IdempotencyTable.of(config.mutation_idempotency_table)
        found += check_idempotency(table.sql, table.remedy, await drive(run(connection, table.check())))
    functions = functions_of(model)
    if functions:
        called = read_functions(await drive(run(connection, functions_statement(functions))))
        found += check_functions(model, called)
    return found


async def _expression_types(connection: Connection, model: SchemaModel, catalog: Catalog) -> ExpressionTypes:
    """What PostgreSQL says of the expressions of computed fields whose sources and columns are there."""
    tables = {
        (source.schema, source.name): table for source, table in zip(sources_of(model), catalog.found, strict=True)
    }
    found: dict[tuple[str, str, str], tuple[str, DataType] | DatabaseError] = {}
    for computed in computed_fields(model):
        source = computed.owner.source
        table = None if source is None else tables[source.schema, source.name]
        fetch = None if table is None else expression_statement(computed, table)
        if fetch is not None:
            try:
                found[computed.place] = read_type(await drive(run(connection, fetch)))
            except DatabaseError as error:
                if error.unavailable:
                    raise
                found[computed.place] = error
    return found


async def read_schemas(schemas: Iterable[str], tables: Iterable[str], config: FraiseQLConfig) -> Catalog:
    """What some schemas of the database hold, or some of their tables; raises as `check_database`."""
    async with _connected(config) as connection:
        return read_catalog(await drive(run(connection, schemas_statement(schemas, tables))))


async def analyze(fetch: Fetch, config: FraiseQLConfig) -> str:
    """Run a statement in a transaction that is rolled back, and return its plan with what it cost.

    Raises:
        DatabaseError: PostgreSQL refused the statement, or it took longer than `query_request_timeout`.
        ConfigurationError, StartupError: as for `check_database`.
    """
    async with _connected(config) as connection:
        try:
            with anyio.fail_after(config.query_request_timeout):
                return await drive(explain(connection, fetch))
        except TimeoutError:
            text = f"the statement took longer than query_request_timeout, {config.query_request_timeout:g} s"
            raise DatabaseError(text, sqlstate="57014") from None


@asynccontextmanager
async def _connected(config: FraiseQLConfig) -> AsyncIterator[Connection]:
    if config.database_url is None:
        raise ConfigurationError(
            "database_url is not set: give --database-url, or FRAISEQL_DATABASE_URL in the environment"
        )
    connector = Connector(config.database_url, config.pool_limits)
    try:
        connection = await connector.connect()
    except DatabaseError as error:
        reason = str(error).removeprefix(f"{connector.description}: ")
        raise StartupError(f"cannot connect to the database at {connector.description}: {reason}") from error
    try:
        yield connection
    finally:
        await _end(connection, config.pool_limits)


async def _end(connection: Connection, limits: PoolLimits) -> None:
    """Close the connection; what still runs on it is cancelled, as PostgreSQL would run it to its end."""
    try:
        if not connection.is_idle and not connection.is_lost and CAN_CANCEL:
            with anyio.move_on_after(limits.recovery_timeout, shield=True):
                await drive(cancel(connection))
                await drive(drain(connection))
    except DatabaseError:
        pass  # closed all the same
    finally:
        anyio.notify_closing(connection.fd)
        connection.close()

"""PostgreSQL over GraphQL, with no I/O in its core.

What is needed to declare a schema is imported at once. The server is imported when it is first asked for, since who
takes only the protocol machines or the SQL of a query needs neither a database driver nor an event loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fraiseql._version import __version__
from fraiseql.bus import EventBus, invalidate
from fraiseql.context import (
    BlockingDatabase,
    BlockingInfo,
    Caller,
    ClientRequest,
    Database,
    Info,
)
from fraiseql.database_context import DatabaseContext, Setting
from fraiseql.effects import Event
from fraiseql.errors import (
    ConfigurationError,
    DatabaseError,
    FraiseQLError,
    LimitExceeded,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    RequestError,
    SchemaError,
    StartupError,
)
from fraiseql.schema import (
    CIDR,
    ID,
    IP,
    JSON,
    MAC,
    Aggregate,
    BigInt,
    Bytes,
    Connection,
    DateRange,
    ErrorRule,
    Group,
    Int4Range,
    Int8Range,
    Interval,
    LTree,
    NumRange,
    Schema,
    TsRange,
    TstzRange,
    TSVector,
    crud,
    directive,
    enum,
    field,
    input,
    interface,
    mutation,
    query,
    relation,
    scalar,
    subscription,
    type,
    union,
)

if TYPE_CHECKING:
    from fraiseql.runtimes.anyio import FraiseQLApp, create_fraiseql_app, serve
    from fraiseql.runtimes.config import FraiseQLConfig
    from fraiseql.runtimes.threads import ThreadedApp, serve_threads
    from fraiseql.runtimes.workers import serve_workers

__all__ = [
    "CIDR",
    "ID",
    "IP",
    "JSON",
    "MAC",
    "Aggregate",
    "BigInt",
    "BlockingDatabase",
    "BlockingInfo",
    "Bytes",
    "Caller",
    "ClientRequest",
    "ConfigurationError",
    "Connection",
    "Database",
    "DatabaseContext",
    "DatabaseError",
    "DateRange",
    "ErrorRule",
    "Event",
    "EventBus",
    "FraiseQLApp",
    "FraiseQLConfig",
    "FraiseQLError",
    "Group",
    "Info",
    "Int4Range",
    "Int8Range",
    "Interval",
    "LTree",
    "LimitExceeded",
    "LocalProtocolError",
    "NumRange",
    "ProtocolError",
    "RemoteProtocolError",
    "RequestError",
    "Schema",
    "SchemaError",
    "Setting",
    "StartupError",
    "TSVector",
    "ThreadedApp",
    "TsRange",
    "TstzRange",
    "__version__",
    "create_fraiseql_app",
    "crud",
    "directive",
    "enum",
    "field",
    "input",
    "interface",
    "invalidate",
    "mutation",
    "query",
    "relation",
    "scalar",
    "serve",
    "serve_threads",
    "serve_workers",
    "subscription",
    "type",
    "union",
]


def __getattr__(name: str) -> Any:
    if name == "FraiseQLConfig":
        from fraiseql.runtimes.config import FraiseQLConfig

        return FraiseQLConfig
    if name == "serve_workers":
        from fraiseql.runtimes.workers import serve_workers

        return serve_workers
    if name in ("FraiseQLApp", "create_fraiseql_app", "serve"):
        from fraiseql.runtimes import anyio

        return getattr(anyio, name)
    if name in ("ThreadedApp", "serve_threads"):
        from fraiseql.runtimes import threads

        return getattr(threads, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Every setting, in one place: as an argument, as a `FRAISEQL_*` variable and as an option of the command line.

A setting has one name: `pool_max_size` is the argument `pool_max_size=20`, the variable `FRAISEQL_POOL_MAX_SIZE` and
the option `--pool-max-size`. Those that begin with `http_`, `query_`, `mutation_`, `websocket_`, `subscription_` and
`pool_` are the limits of HttpLimits, QueryLimits, MutationLimits, WebSocketLimits, SubscriptionLimits and PoolLimits,
with their defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fraiseql.errors import ConfigurationError
from fraiseql.limits import HttpLimits, MutationLimits, PoolLimits, QueryLimits, SubscriptionLimits, WebSocketLimits

__all__ = ["FraiseQLConfig", "Setting"]

_PREFIX = "FRAISEQL_"
_SECRETS = ("database_url", "replica_urls", "tls_key_password")
_LEVELS = ("debug", "info", "warning", "error", "critical")
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_KINDS = {"str": str, "int": int, "float": float, "bool": bool}
_WANTED = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}

# What Origins takes, written as browsers write it: no path, not even a slash (RFC 6454 §6.2).
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%-]+)"
_ORIGIN = rf"\s*(?:same|\*|null|[A-Za-z][A-Za-z0-9+.-]*://{_HOST}(?::[0-9]{{1,5}})?)\s*"
_ORIGINS = (
    re.compile(rf"{_ORIGIN}(?:,{_ORIGIN})*"),
    "origins such as https://example.org or http://localhost:3000, same, or *, with commas between",
)
_MODE = (re.compile(r"(?:0o)?0*[0-7]{1,3}"), "an octal mode of at most 777, as in 660")
_PATH = (re.compile(r"[^@\0][^\0]*", re.DOTALL), "the path of a file; Linux's abstract names, @name, have no mode")

_Limits = TypeVar("_Limits", HttpLimits, QueryLimits, MutationLimits, WebSocketLimits, SubscriptionLimits, PoolLimits)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as documentation and command lines need it.

    Attributes:
        name: the argument's name, with underscores.
        kind: str, int, float or bool.
        default: its value where nothing is given; None for none.
        help: one line.
        minimum: the smallest value allowed; None where every text or both of true and false are.
        maximum: the largest value allowed.
        choices: the only values allowed, where there are only some.
        form: how a text is written, and that in words, where not every text is a value.
    """

    name: str
    kind: type
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    form: tuple[re.Pattern[str], str] | None = None

    @property
    def variable(self) -> str:
        """The environment variable's name."""
        return _PREFIX + self.name.upper()

    @property
    def option(self) -> str:
        """The command line's option."""
        return "--" + self.name.replace("_", "-")

    def parse(self, text: str) -> Any:
        """Read a value from text; raises ValueError with what was expected."""
        try:
            value = _WORDS[text.strip().lower()] if self.kind is bool else self.kind(text)
        except (ValueError, KeyError):
            raise ValueError(self.expected) from None
        self.check(value)
        return value

    def check(self, value: Any) -> None:
        """Raise ValueError, with what was expected, unless this is a value of the setting."""
        if value is None and self.default is None:
            return
        # In Python a bool is an int; in a setting it is a mistake.
        allowed = (int, float) if self.kind is float else (self.kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and self.kind is not bool):
            raise ValueError(self.expected)
        if (self.choices and value not in self.choices) or value == "" or not self._in_range(value):
            raise ValueError(self.expected)
        if self.form is not None and not self.form[0].fullmatch(str(value)):
            raise ValueError(self.expected)

    def _in_range(self, value: Any) -> bool:
        """NaN is in no range."""
        return (self.minimum is None or value >= self.minimum) and (self.maximum is None or value <= self.maximum)

    @property
    def is_secret(self) -> bool:
        """Whether its value may hold a password, and is never shown."""
        return self.name in _SECRETS

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.form is not None:
            return self.form[1]
        wanted = _WANTED[self.kind]
        if self.minimum is None:
            return wanted
        return f"{wanted} of at least {self.minimum:g}" + (
            "" if self.maximum is None else f" and at most {self.maximum:g}"
        )


def _setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    form: tuple[re.Pattern[str], str] | None = None,
    secret: bool = False,
) -> Any:
    metadata = {"help": help, "range": (minimum, maximum), "choices": choices, "form": form}
    return field(default=default, repr=not secret, metadata=metadata)


def _limit(
    limits: type[_Limits],
    name: str,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float = 86_400.0,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of one of the limits; times and sizes of zero would let nothing through, so they begin above it."""
    default = next(item.default for item in dataclasses.fields(limits) if item.name == name)
    least = minimum if minimum is not None else (0.001 if isinstance(default, float) else 1)
    most = maximum if isinstance(default, float) else None
    reach = (None, None) if isinstance(default, str) else (least, most)
    metadata = {"help": help, "range": reach, "choices": choices, "limit": (limits, name)}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class FraiseQLConfig:
    """The settings of a server; sizes in bytes, times in seconds.

    Raises:
        ConfigurationError: a value is of another type or out of range; the message names the setting.
    """

    database_url: str | None = _setting(None, "PostgreSQL's connection string or URI, as libpq reads it", secret=True)
    replica_urls: str | None = _setting(
        None, "URIs of read replicas, with spaces between; queries run there", secret=True
    )
    host: str = _setting("127.0.0.1", "the name or address to listen on; 0.0.0.0 or :: for all")
    port: int = _setting(8000, "the port to listen on; 0 for any free one", minimum=0, maximum=65_535)
    max_connections: int = _setting(1_000, "clients served at once; further ones are answered with 503", minimum=1)
    wait_for_database: bool = _setting(False, "start although the database cannot be reached")
    shutdown_grace: float = _setting(10.0, "for requests to finish when the server stops", minimum=0, maximum=86_400)
    allowed_origins: str = _setting(
        "same",
        "web pages that may open a WebSocket: origins with commas between, 'same' for the server's own, or '*'",
        form=_ORIGINS,
    )
    compression: str = _setting(
        "auto", "codings of large answers: auto for those installed, off, or of zstd, br and gzip with commas between"
    )
    compression_min_size: int = _setting(4_096, "bytes of an answer from which on it is compressed", minimum=1)
    etags: bool = _setting(True, "give answers to GET an ETag, and answer 304 to a client that has them")
    websocket_compression: bool = _setting(False, "compress WebSocket messages for clients that offer it")
    introspection: bool = _setting(True, "answer __schema and __type, by which clients learn the schema")
    context: str | None = _setting(None, "the function that says who asks, as module:function")
    event_bus: str = _setting("postgresql", "what carries events to subscriptions", choices=("postgresql", "memory"))
    log_level: str = _setting("info", "how much is logged", choices=_LEVELS)
    workers: int = _setting(1, "processes that serve on the same port", minimum=1, maximum=1_024)
    unix_socket: str | None = _setting(
        None, "the path of a Unix socket to listen on in place of host and port", form=_PATH
    )
    unix_socket_mode: str = _setting("660", "who may connect to it, as chmod writes it in octal", form=_MODE)
    inherit_sockets: bool = _setting(False, "listen on the sockets that systemd gives, in place of host and port")
    tls_certificate: str | None = _setting(None, "the PEM file of the certificate and those it depends on: serve HTTPS")
    tls_key: str | None = _setting(None, "the PEM file of its private key, where the certificate's has none")
    tls_key_password: str | None = _setting(None, "what opens the private key, where it is encrypted", secret=True)
    retry_after: int = _setting(
        5, "seconds after which a client that found the server full may ask again", minimum=0, maximum=86_400
    )
    uvloop: bool = _setting(False, "run asyncio on uvloop's event loop")
    pin_threads: bool = _setting(False, "on threads: keep those of a process on one processor")
    transport: str = _setting(
        "auto", "what carries bytes under asyncio: its own transports, or anyio", choices=("auto", "anyio")
    )

    http_max_head: int = _limit(HttpLimits, "max_head", "a request's line and header fields")
    http_max_target: int = _limit(HttpLimits, "max_target", "a request's target, its query string included")
    http_max_fields: int = _limit(HttpLimits, "max_fields", "how many header fields")
    http_max_body: int = _limit(HttpLimits, "max_body", "a request's body")
    http_max_chunk_extensions: int = _limit(
        HttpLimits, "max_chunk_extensions", "chunk extensions of one body", minimum=0
    )
    http_max_chunk_size_digits: int = _limit(HttpLimits, "max_chunk_size_digits", "digits of a chunk's size")
    http_max_trailers: int = _limit(HttpLimits, "max_trailers", "the fields after a body", minimum=0)
    http_max_blank_lines: int = _limit(HttpLimits, "max_blank_lines", "blank lines before a request", minimum=0)
    http_max_pipelined: int = _limit(HttpLimits, "max_pipelined", "further requests kept while one is answered")
    http_head_timeout: float = _limit(HttpLimits, "head_timeout", "for a request's head to arrive")
    http_body_timeout: float = _limit(HttpLimits, "body_timeout", "for a request's body to arrive")
    http_idle_timeout: float = _limit(HttpLimits, "idle_timeout", "between two requests of a connection")
    http_write_timeout: float = _limit(HttpLimits, "write_timeout", "for a client that reads nothing of its answer")

    query_max_tokens: int = _limit(QueryLimits, "max_tokens", "tokens of a document")
    query_max_depth: int = _limit(QueryLimits, "max_depth", "levels of nested fields")
    query_max_fields: int = _limit(QueryLimits, "max_fields", "fields of an operation, fragments expanded")
    query_max_root_fields: int = _limit(QueryLimits, "max_root_fields", "fields at the root of an operation")
    query_max_aliases: int = _limit(QueryLimits, "max_aliases", "aliases of an operation, fragments expanded")
    query_max_cost: int = _limit(QueryLimits, "max_cost", "fields of an operation times the pages that they are on")
    query_max_input_depth: int = _limit(
        QueryLimits, "max_input_depth", "levels of nested objects and lists in variables"
    )
    query_max_conditions: int = _limit(QueryLimits, "max_conditions", "conditions of an operation's filters")
    query_default_page_size: int = _limit(QueryLimits, "default_page_size", "rows of a list without a limit")
    query_max_page_size: int = _limit(QueryLimits, "max_page_size", "the largest limit of a list")
    query_max_written_rows: int = _limit(QueryLimits, "max_written_rows", "rows that one field of a mutation writes")
    query_request_timeout: float = _limit(QueryLimits, "request_timeout", "from a complete request to its answer")
    query_max_concurrent_calls: int = _limit(
        QueryLimits, "max_concurrent_calls", "asynchronous methods of one operation under way at once"
    )
    query_max_threads: int = _limit(
        QueryLimits, "max_threads", "plain functions of queries and mutations under way at once, of all clients"
    )
    query_max_cached_documents: int = _limit(QueryLimits, "max_cached_documents", "documents kept parsed and planned")
    query_max_cached_statements: int = _limit(
        QueryLimits, "max_cached_statements", "statements kept, one for each shape of filter"
    )

    mutation_isolation: str = _limit(
        MutationLimits,
        "isolation",
        "of a mutation's transaction",
        choices=("read_committed", "repeatable_read", "serializable"),
    )
    mutation_transaction: str = _limit(
        MutationLimits,
        "transaction",
        "one for all root fields of a request, or one for each",
        choices=("request", "field"),
    )
    mutation_max_attempts: int = _limit(
        MutationLimits, "max_attempts", "of a transaction that others are in the way of"
    )
    mutation_first_pause: float = _limit(MutationLimits, "first_pause", "before its second attempt, then doubled")
    mutation_longest_pause: float = _limit(MutationLimits, "longest_pause", "the most that this grows to")
    mutation_idempotency_table: str = _limit(
        MutationLimits, "idempotency_table", "where idempotency keys are kept: table, or schema.table"
    )
    mutation_idempotency_retention: float = _limit(
        MutationLimits, "idempotency_retention", "for which an idempotency key is known", maximum=31_536_000
    )

    websocket_max_message: int = _limit(WebSocketLimits, "max_message", "a WebSocket message, inflated")
    websocket_max_fragments: int = _limit(WebSocketLimits, "max_fragments", "frames of one WebSocket message")
    websocket_ping_interval: float = _limit(WebSocketLimits, "ping_interval", "of silence before a ping")
    websocket_ping_timeout: float = _limit(WebSocketLimits, "ping_timeout", "for the answer to a ping")
    websocket_close_timeout: float = _limit(WebSocketLimits, "close_timeout", "for a client to close after us")

    subscription_init_timeout: float = _limit(SubscriptionLimits, "init_timeout", "for a client's connection_init")
    subscription_max_operations: int = _limit(SubscriptionLimits, "max_operations", "at once on one WebSocket")
    subscription_max_unread: int = _limit(
        SubscriptionLimits, "max_unread", "results kept for one client that does not read, in bytes"
    )
    subscription_max_queued: int = _limit(SubscriptionLimits, "max_queued", "results kept for a client that is slow")
    subscription_max_buffered: int = _limit(SubscriptionLimits, "max_buffered", "events kept for a stream that is busy")
    subscription_statement_timeout: float = _limit(
        SubscriptionLimits, "statement_timeout", "for one statement of a subscription"
    )
    subscription_max_plain_generators: int = _limit(
        SubscriptionLimits, "max_plain_generators", "generators at once that are not asynchronous, of all clients"
    )
    subscription_recovery_timeout: float = _limit(
        SubscriptionLimits, "recovery_timeout", "without the database before subscriptions end"
    )
    subscription_live_interval: float = _limit(
        SubscriptionLimits, "live_interval", "at least between two runs of a live query", minimum=0
    )
    subscription_live_poll: float = _limit(SubscriptionLimits, "live_poll", "after which a live query runs anyway")
    subscription_outbox_poll: float = _limit(SubscriptionLimits, "outbox_poll", "after which the outbox is read anyway")
    subscription_outbox_retention: float = _limit(
        SubscriptionLimits, "outbox_retention", "for which events are kept", maximum=31_536_000
    )
    subscription_keep_alive: float = _limit(SubscriptionLimits, "keep_alive", "between comments on an event stream")
    subscription_close_spread: float = _limit(
        SubscriptionLimits, "close_spread", "over which a stopping server closes WebSockets", minimum=0
    )

    pool_max_size: int = _limit(PoolLimits, "max_size", "connections to the database")
    pool_max_waiting: int = _limit(PoolLimits, "max_waiting", "requests that wait for one of them")
    pool_acquire_timeout: float = _limit(PoolLimits, "acquire_timeout", "for a request to wait for one of them")
    pool_connect_timeout: float = _limit(PoolLimits, "connect_timeout", "for one attempt to connect")
    pool_max_idle: float = _limit(PoolLimits, "max_idle", "after which an unused connection is closed")
    pool_max_lifetime: float = _limit(PoolLimits, "max_lifetime", "after which a connection is replaced")
    pool_backoff_initial: float = _limit(
        PoolLimits, "backoff_initial", "before connecting is tried again, doubled each time"
    )
    pool_backoff_max: float = _limit(PoolLimits, "backoff_max", "the most that this grows to")
    pool_recovery_timeout: float = _limit(PoolLimits, "recovery_timeout", "for the clean end of a cancelled statement")
    pool_max_prepared: int = _limit(
        PoolLimits, "max_prepared", "statements kept prepared per connection; 0 for none", minimum=0
    )
    pool_pipeline_depth: int = _limit(
        PoolLimits, "pipeline_depth", "queries that may share a round trip to the database; 1 for none", maximum=1_000
    )

    def __post_init__(self) -> None:
        for setting in self.settings():
            value = getattr(self, setting.name)
            try:
                setting.check(value)
            except ValueError as error:
                raise ConfigurationError(f"{setting.name} is {_shown(setting, value)}; expected {error}") from None
        if not all(url.startswith(("postgresql://", "postgres://")) for url in self.replicas):
            raise ConfigurationError("replica_urls: expected URIs that begin with postgresql://, with spaces between")

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """All settings, in the order of the documentation."""
        return tuple(_describe(item) for item in dataclasses.fields(cls))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], **overrides: Any) -> FraiseQLConfig:
        """The settings that the environment gives.

        Args:
            environ: as `os.environ`; of it, what begins with `FRAISEQL_`.
            overrides: settings by name, which go before the environment; None stands for not given.

        Raises:
            ConfigurationError: a variable or an override is not a setting, or its value is wrong; the message names it.
        """
        settings = {setting.name: setting for setting in cls.settings()}
        values: dict[str, Any] = {}
        for variable in sorted(name for name in environ if name.startswith(_PREFIX)):
            setting = settings.get(variable.removeprefix(_PREFIX).lower())
            if setting is None or setting.variable != variable:
                raise ConfigurationError(_unknown(variable, [known.variable for known in settings.values()]))
            try:
                values[setting.name] = setting.parse(environ[variable])
            except ValueError as error:
                shown = _shown(setting, environ[variable])
                raise ConfigurationError(f"{variable} is {shown}; expected {error}") from None
        for name, value in overrides.items():
            if name not in settings:
                raise ConfigurationError(_unknown(name, list(settings)))
            if value is not None:
                values[name] = value
        return cls(**values)

    @classmethod
    def of(cls, config: FraiseQLConfig | None = None, **settings: Any) -> FraiseQLConfig:
        """Single settings over a configuration, or over that of this process's environment where there is none.

        Args:
            config: the configuration.
            settings: as the overrides of `from_environment`.

        Raises:
            ConfigurationError: as `from_environment`.
        """
        if config is None:
            return cls.from_environment(os.environ, **settings)
        if not settings:
            return config
        given = {setting.name: getattr(config, setting.name) for setting in cls.settings()}
        for name, value in settings.items():
            if value is not None or name not in given:  # a name that is unknown is refused, whatever is given for it
                given[name] = value
        return cls.from_environment({}, **given)

    @property
    def http_limits(self) -> HttpLimits:
        """The settings that begin with `http_`."""
        return self._limits(HttpLimits)

    @property
    def query_limits(self) -> QueryLimits:
        """The settings that begin with `query_`."""
        return self._limits(QueryLimits)

    @property
    def mutation_limits(self) -> MutationLimits:
        """The settings that begin with `mutation_`."""
        return self._limits(MutationLimits)

    @property
    def websocket_limits(self) -> WebSocketLimits:
        """The settings that begin with `websocket_`."""
        return self._limits(WebSocketLimits)

    @property
    def subscription_limits(self) -> SubscriptionLimits:
        """The settings that begin with `subscription_`."""
        return self._limits(SubscriptionLimits)

    @property
    def replicas(self) -> tuple[str, ...]:
        """Those of `replica_urls`."""
        return tuple((self.replica_urls or "").split())

    @property
    def pool_limits(self) -> PoolLimits:
        """The settings that begin with `pool_`."""
        return self._limits(PoolLimits)

    def _limits(self, limits: type[_Limits]) -> _Limits:
        values = {}
        for item in dataclasses.fields(self):
            owner, name = item.metadata.get("limit", (None, ""))
            if owner is limits:
                values[name] = getattr(self, item.name)
        return limits(**values)


def _describe(item: dataclasses.Field[Any]) -> Setting:
    kind = _KINDS[str(item.type).removesuffix(" | None")]
    minimum, maximum = item.metadata["range"]
    choices, form = item.metadata["choices"], item.metadata.get("form")
    return Setting(item.name, kind, item.default, item.metadata["help"], minimum, maximum, choices, form)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _shown(setting: Setting, value: Any) -> str:
    """The value, unless it may hold a password."""
    return "not valid" if setting.is_secret else repr(value)

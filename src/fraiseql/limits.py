"""What bounds a peer or a query, with the reason for each default."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HttpLimits", "MutationLimits", "PoolLimits", "QueryLimits", "SubscriptionLimits", "WebSocketLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of one HTTP/1.1 connection; sizes in bytes, times in seconds."""

    max_head: int = 16_384  # request line and fields: browsers send below 4 KiB; cookies and tokens grow it
    max_target: int = 8_192  # the length RFC 9110 §4.1 recommends to support
    max_fields: int = 100  # browsers send about 15
    max_body: int = 1_048_576  # a GraphQL document with its variables; uploads are not its business
    max_chunk_extensions: int = 1_024  # of one body in total: nobody sends any
    max_chunk_size_digits: int = 16  # 64 bits in hexadecimal
    max_trailers: int = 4_096  # nobody sends any
    max_blank_lines: int = 2  # before a request line: RFC 9112 §2.2 asks for one
    max_pipelined: int = 65_536  # bytes kept while an answer is under way, then reading pauses
    head_timeout: float = 10.0  # from a request's first byte to the end of its head: slow senders
    body_timeout: float = 30.0  # from the end of the head to the end of the body
    idle_timeout: float = 75.0  # between requests: longer than the 60 s of common proxies
    write_timeout: float = 30.0  # for a client that does not read its answer


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Bounds of one GraphQL request, all checked before any SQL."""

    max_tokens: int = 2_000  # the introspection query has about 250; validation is quadratic in the worst case
    max_depth: int = 16  # nested fields, introspection apart; as well of relations nested in a filter or an order
    max_fields: int = 1_000  # fields of the plan, fragments expanded: a fragment can double at each level
    max_root_fields: int = 50  # each is a subquery of its own
    max_aliases: int = 250  # in the plan, fragments expanded: many-fold answers need them; a dashboard has some dozens
    max_cost: int = 10_000_000  # fields x pages: three lists of 100 inside each other with 9 fields, no fourth list
    max_input_depth: int = 32  # nested objects and lists in `variables`
    max_conditions: int = 1_000  # of all filters: each grows the SQL, most are a parameter; relations of orders
    default_page_size: int = 100  # rows of a list whose `limit` is not given
    max_page_size: int = 1_000  # the largest `limit`
    max_written_rows: int = 1_000  # of one field of a mutation, nested ones too: each is locked until the end of all
    request_timeout: float = 30.0  # seconds from the complete request to its answer
    max_concurrent_calls: int = 20  # of asynchronous resolvers, for one request: each may hold a connection elsewhere
    max_threads: int = 40  # of plain functions of queries and mutations, of all clients: each has a thread
    max_cached_documents: int = 1_000  # a client has some dozens of operations; their bytes are bounded too
    max_cached_statements: int = 1_000  # one for each operation and shape of its filter variables


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketLimits:
    """Bounds of one WebSocket connection; sizes in bytes, times in seconds."""

    max_message: int = 1_048_576  # after inflating: a GraphQL document with its variables
    max_fragments: int = 1_024  # frames of one message: browsers send one, proxies cut at some kilobytes
    ping_interval: float = 20.0  # without a byte from the peer: below the 30 to 60 s after which proxies cut off
    ping_timeout: float = 20.0  # for the answer to a ping
    close_timeout: float = 10.0  # from our close frame to the peer's


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationLimits:
    """How mutations run, and their bounds; times in seconds."""

    isolation: str = "read_committed"  # as PostgreSQL; "repeatable_read" and "serializable" are retried more often
    transaction: str = "request"  # all root fields or none; "field" gives each its own
    max_attempts: int = 5  # of one transaction that meets others: most come through at the second
    first_pause: float = 0.01  # between attempts, up to this, doubled each time ...
    longest_pause: float = 0.5  # ... up to this
    idempotency_table: str = "fraiseql_idempotency"  # `table`, or `schema.table`
    idempotency_retention: float = 86_400.0  # how long a key is known: clients try again for minutes, queues for hours


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionLimits:
    """Bounds of operations that go on; times in seconds."""

    init_timeout: float = 3.0  # from the handshake to connection_init, as the reference server has it
    max_operations: int = 100  # at once on one WebSocket: a page has some ten
    max_unread: int = 16_777_216  # bytes of results kept for one connection whose client does not read
    max_queued: int = 100  # results kept for a client that does not read, before its operation ends with an error
    max_buffered: int = 10_000  # events kept for a stream that is busy, before it reads them again from the outbox
    statement_timeout: float = 10.0  # one statement of a stream: behind it wait all who take part
    max_plain_generators: int = 40  # that are not asynchronous, of all clients: each may hold a thread
    recovery_timeout: float = 60.0  # a database away for longer ends subscriptions: a restart takes some seconds
    live_interval: float = 0.05  # the least time between two runs of one live query
    live_poll: float = 30.0  # a live query runs again after this even if no event named its sources
    outbox_poll: float = 5.0  # the outbox is read after this even if no notification came
    outbox_retention: float = 86_400.0  # how long events stay for who resumes
    keep_alive: float = 12.0  # a comment on an event stream without events: proxies cut at 30 to 60 s
    close_spread: float = 2.0  # a stopping server closes its WebSockets over this long, lest all come back at once


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Bounds of the database connection pool; times in seconds."""

    max_size: int = 10  # PostgreSQL's default max_connections is 100, shared by several processes
    max_waiting: int = 1_000  # requests in the queue for a connection; one more is refused at once
    acquire_timeout: float = 10.0  # longer than a restart of PostgreSQL takes
    connect_timeout: float = 5.0  # one attempt
    max_idle: float = 600.0  # an unused connection is given back to the server
    max_lifetime: float = 3_600.0  # bounds what a backend's caches grow to
    backoff_initial: float = 0.1  # between failed attempts to connect, doubled each time ...
    backoff_max: float = 2.0  # ... up to this
    recovery_timeout: float = 2.0  # for the clean end of a cancelled statement, after which the connection is discarded
    pipeline_depth: int = 16  # statements that may share a round trip: more save little, and wait for each other
    max_prepared: int = 100  # statements kept prepared on one connection, the least recently used closed first

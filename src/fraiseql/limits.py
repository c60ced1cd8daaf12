"""What bounds a peer or a query, with the reason for each default."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HttpLimits", "PoolLimits", "QueryLimits"]


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
    max_depth: int = 16  # nested fields, introspection apart
    max_fields: int = 1_000  # fields of the plan, fragments expanded: a fragment can double at each level
    max_root_fields: int = 50  # each is a subquery of its own
    max_input_depth: int = 32  # nested objects and lists in `variables`
    max_conditions: int = 1_000  # of all filters: each grows the SQL, and most are a parameter (PostgreSQL: 65,535)
    default_page_size: int = 100  # rows of a list whose `limit` is not given
    max_page_size: int = 1_000  # the largest `limit`
    request_timeout: float = 30.0  # seconds from the complete request to its answer
    max_cached_documents: int = 1_000  # a client has some dozens of operations; their bytes are bounded too
    max_cached_statements: int = 1_000  # one for each operation and shape of its filter variables


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
    max_prepared: int = 100  # statements kept prepared on one connection, the least recently used closed first

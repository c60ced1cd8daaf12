"""The pipeline alone, without database and sockets: from a request's body to the bytes of its answer.

Warm: the document, its plan and its statement were seen before. What is left is to decode the body, to look up, to
coerce, to bind and to put the answer together around rows that are at hand. Each query has three variables, whose
values are others in each request. With "nulls in the answer" a field that may be null is so in some rows. Beside them
stands what no design can leave out: `orjson.loads` of the same body.

Cold: nothing was seen before, but for the schema. Each document differs from all others in one name, and nothing is
kept: it is parsed, validated, planned and rendered. graphql-core's `parse` and `validate` of the same stand beside it.

Times are of the CPU, without garbage collection. The rows run in turns; a value is the median of a run's turns.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from statistics import median
from time import process_time
from typing import Any
from uuid import UUID

import orjson
from graphql import parse, validate

from benchmarks.figures import Figure, Setting
from fraiseql.cli.demo.schema import schema
from fraiseql.effects import Fetch
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLResponse, Outcome, Pipeline, decode_json
from fraiseql.pipeline.graphql_schema import build_graphql_schema

__all__ = ["COLD", "COLD_VARIABLES", "NULLS", "WARM", "body", "execute", "measure"]

TURNS = 15  # of one run
REQUESTS = 1_000  # of each query in one turn
DOCUMENTS = 10  # of each cold figure in one turn
WARM_TARGET = 15.0  # microseconds
COLD_TARGET = 3.0  # milliseconds
MAX_DEPTH = QueryLimits().max_input_depth

ONE = b'{"id":"7","name":"Ada Lovelace","email":"ada@example.com"}'
LIST = b"[" + b",".join([ONE] * 10) + b"]"
NULLS = LIST.replace(b'"ada@example.com"', b"null", 3)
"""Rows at hand: what longer ones cost is a copy of their bytes."""

WARM: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {
    "three scalars": (
        "query Scalars($id: ID!, $key: UUID!, $status: PostStatus!) { user(id: $id) { id name email }"
        " userByKey(key: $key) { id name email }"
        " postsByStatus(status: $status, limit: 10) { id name: title email: publishedOn } }",
        lambda number: {
            "id": str(number),
            "key": str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128)),
            "status": ("DRAFT", "PUBLISHED", "ARCHIVED")[number % 3],
        },
    ),
    "where, limit, offset": (
        "query Filtered($where: UserWhereInput, $limit: Int, $offset: Int)"
        " { users(where: $where, limit: $limit, offset: $offset) { id name email } }",
        lambda number: {
            "where": {"name": {"startsWith": "A"}, "karma": {"gte": number, "lt": number + 1_000}},
            "limit": 20,
            "offset": number,
        },
    ),
    "list of 10, limit, offset": (
        "query Listed($ids: [ID!], $limit: Int, $offset: Int)"
        " { users(where: {id: {in: $ids}}, limit: $limit, offset: $offset) { id name email } }",
        lambda number: {"ids": [str(number + index) for index in range(10)], "limit": 20, "offset": number % 100},
    ),
}
"""A query with three variables, and their values in the nth request."""

COLD = """query Cold_%d($where: UserWhereInput, $limit: Int = 20, $status: PostStatus!) {
  users(where: $where, limit: $limit, orderBy: [{name: ASC}]) {
    id key name email role active karma rating createdAt
    address { street city postcode }
    posts(where: {status: {eq: $status}}, limit: 5) {
      id title status featured views score createdAt
      comments(limit: 3) { id body likes createdAt postId }
    }
  }
  post(id: 7) { title }
}"""
"""30 fields, of lists, relations and a jsonb object, 4 levels deep."""
COLD_VARIABLES = {"where": {"karma": {"gte": 0}, "active": {"eq": True}}, "status": "PUBLISHED"}


def measure(setting: Setting) -> list[Figure]:
    return [*_warm(setting.runs), *_cold(setting.runs)]


def body(query: str, variables: dict[str, Any]) -> bytes:
    """What a client sends."""
    return orjson.dumps({"query": query, "variables": variables})


def execute(pipeline: Pipeline, body: bytes, value: bytes = LIST) -> GraphQLResponse:
    """What a session does for one request; the database's answer is `value` for each column."""
    program = pipeline.execute(decode_json(body, MAX_DEPTH), "benchmark")
    effect = next(program)
    assert type(effect) is Fetch
    try:
        program.send((value,) * effect.statement.columns)
    except StopIteration as stop:
        response: GraphQLResponse = stop.value
        return response
    raise AssertionError("a query asks once")


def _warm(runs: int) -> list[Figure]:
    pipeline = Pipeline(schema)
    rows: dict[str, Callable[[], object]] = {}
    for name, (query, variables) in WARM.items():
        bodies = [body(query, variables(number)) for number in range(REQUESTS)]
        assert execute(pipeline, bodies[0]).outcome is Outcome.DATA
        for answer, value in (("", LIST), (", nulls in the answer", NULLS)):
            rows[f"warm: {name}{answer}"] = _executor(pipeline, bodies, value)
        rows[f"warm: {name}, orjson.loads alone"] = _loader(bodies)
    values = _in_turns(rows, runs, 1e6 / REQUESTS)
    return [Figure(name, "µs", found, None if "alone" in name else WARM_TARGET) for name, found in values.items()]


def _cold(runs: int) -> list[Figure]:
    nothing_kept = QueryLimits(max_cached_documents=0, max_cached_statements=0)
    pipeline, graphql_schema = Pipeline(schema, nothing_kept), build_graphql_schema(schema.model)
    names = count()  # of documents, each of which is new
    parsed = parse(COLD % 0)

    def all_of_it() -> None:
        for _ in range(DOCUMENTS):
            execute(pipeline, body(COLD % next(names), COLD_VARIABLES))

    def parsing() -> None:
        for _ in range(DOCUMENTS):
            parse(COLD % next(names))

    def validation() -> None:
        for _ in range(DOCUMENTS):
            assert not validate(graphql_schema, parsed)

    rows = {"all of it": all_of_it, "graphql.parse alone": parsing, "graphql.validate alone": validation}
    targets = {"all of it": COLD_TARGET}
    values = _in_turns(rows, runs, 1e3 / DOCUMENTS)
    return [Figure(f"cold: {name}", "ms", found, targets.get(name)) for name, found in values.items()]


def _executor(pipeline: Pipeline, bodies: Sequence[bytes], value: bytes) -> Callable[[], None]:
    def run() -> None:
        for each in bodies:
            execute(pipeline, each, value)

    return run


def _loader(bodies: Sequence[bytes]) -> Callable[[], None]:
    def run() -> None:
        for each in bodies:
            orjson.loads(each)

    return run


def _in_turns(rows: Mapping[str, Callable[[], object]], runs: int, scale: float) -> dict[str, tuple[float, ...]]:
    """The median of each run's turns, in seconds of CPU times `scale`."""
    values: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(runs):
        turns = [{name: _time(run) for name, run in rows.items()} for _ in range(TURNS)]
        for name in rows:
            values[name].append(median([turn[name] for turn in turns]) * scale)
    return {name: tuple(found) for name, found in values.items()}


def _time(call: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        started = process_time()
        call()
        return process_time() - started
    finally:
        gc.enable()

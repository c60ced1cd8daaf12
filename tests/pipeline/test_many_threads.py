"""One Pipeline, asked by many threads at once, while its caches have room for a few operations only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import fraiseql
from fraiseql.effects import Fetch
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.pipeline.cache import Cache

THREADS = 8
ROUNDS = 60


@fraiseql.type(sql_source="things", jsonb_column=None)
class Thing:
    id: int
    name: str


@fraiseql.query
def things() -> list[Thing]: ...


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_every_request_gets_its_own_answer() -> None:
    schema = fraiseql.Schema(types=[Thing], queries=[things])
    pipeline = Pipeline(schema, QueryLimits(max_cached_documents=2, max_cached_statements=2))

    def ask(number: int) -> None:
        for turn in range(ROUNDS):
            alias = f"a{(number + turn) % 5}"
            query = f"query ($id: Int!) {{ {alias}: things(where: {{id: {{eq: $id}}}}) {{ id }} }}"
            program = pipeline.execute(GraphQLRequest(query, None, {"id": number}), f"{number}-{turn}")
            fetch = next(program)
            assert isinstance(fetch, Fetch)
            assert str(number).encode() in fetch.parameters
            with pytest.raises(StopIteration) as stop:
                program.send((b'[{"id": %d}]' % number,))
            assert stop.value.value.body == b'{"data":{"%s":[{"id": %d}]}}' % (alias.encode(), number)

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(ask, number) for number in range(THREADS)]:
            done.result()


def test_a_cache_counts_what_it_keeps_whoever_puts_it_there() -> None:
    cache: Cache[int, int] = Cache(4, 16_000)

    def use(number: int) -> None:
        for turn in range(2_000):
            key = (number + turn) % 7
            if (found := cache.get(key)) is None:
                cache.put(key, key, 100 + key)
            else:
                assert found == key

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(use, number) for number in range(THREADS)]:
            done.result()
    assert len(cache) == 4
    for key in range(100, 104):  # each drives out one that is there, and no more: nothing of these is left in the sum
        cache.put(key, key, 1_000)
    assert [cache.get(key) for key in range(100, 104)] == [100, 101, 102, 103]
    for key in range(200, 216):
        cache.put(key, key, 1_000)
    assert len(cache) == 4

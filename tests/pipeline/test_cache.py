"""The bounded mapping: what it keeps, and what it forgets first."""

from __future__ import annotations

from fraiseql.pipeline.cache import Cache


def test_what_was_used_longest_ago_is_forgotten() -> None:
    cache: Cache[str, int] = Cache(2, 1_000)
    cache.put("a", 1, 1)
    cache.put("b", 2, 1)
    assert cache.get("a") == 1
    cache.put("c", 3, 1)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)


def test_all_together_weigh_no_more_than_allowed() -> None:
    cache: Cache[int, int] = Cache(1_000, 160)
    for number in range(100):
        cache.put(number, number, 10)
    assert [number for number in range(100) if cache.get(number) is not None] == list(range(84, 100))


def test_what_is_too_heavy_is_not_kept_and_drives_nothing_out() -> None:
    cache: Cache[str, int] = Cache(10, 160)
    cache.put("light", 1, 10)
    cache.put("heavy", 2, 11)
    assert (cache.get("light"), cache.get("heavy")) == (1, None)

"""Conditions on texts: patterns, regular expressions, words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, Final

__all__ = ["TEXT_CONDITIONS", "has_words", "is_pattern", "is_regular_expression", "search_rank"]


def _small(text: str) -> str:
    """In small letters, one for each, as a locale's rules for single letters have them."""
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _like(text: str, pattern: str) -> bool:
    tokens = re.findall(r"\\(.)|([%_])|(.)", pattern, re.DOTALL)
    wild = {"%": "(?s:.*)", "_": "(?s:.)"}
    return (
        re.fullmatch("".join(wild[sign] if sign else re.escape(own or plain) for own, sign, plain in tokens), text)
        is not None
    )


def is_pattern(pattern: str) -> bool:
    """Whether it does not end in a backslash that escapes nothing."""
    return (len(pattern) - len(pattern.rstrip("\\"))) % 2 == 0


def is_regular_expression(text: str) -> bool:
    """Whether it can be read; only of those that Python and POSIX read alike."""
    try:
        re.compile(text)
    except re.error:
        return False
    return True


def _matches(text: str, given: str) -> bool | None:
    """None where it cannot be read: PostgreSQL, too, refuses it only where a row is compared with it."""
    return re.search(given, text, re.DOTALL) is not None if is_regular_expression(given) else None


_PLAIN: Final[Mapping[str, Callable[[str, str], bool | None]]] = {
    "like": _like,
    "contains": lambda text, given: given in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "matches": _matches,
}


def _in_small(condition: Callable[[str, str], bool | None]) -> Callable[[str, str], bool | None]:
    return lambda text, given: condition(_small(text), _small(given))


TEXT_CONDITIONS: Final[Mapping[str, Callable[[str, str], bool | None]]] = {
    **_PLAIN,
    "ieq": _in_small(lambda text, given: text == given),
    "ilike": _in_small(_like),
    **{f"i{name}": _in_small(condition) for name, condition in _PLAIN.items() if name != "like"},
}


def has_words(value: str | Sequence[str] | None, given: Mapping[str, Any]) -> bool | None:
    """Words of ASCII letters and digits that no language changes; a tsvector is the sequence of its own."""
    asked = {name: text for name, text in given.items() if name not in ("config", "rank")}
    if value is None:
        return None if asked else True
    words = _words(value) if isinstance(value, str) else list(value)
    rank = search_rank(value, asked) if given.get("rank") else 0.0
    ranked = all(_COMPARE[operator](rank, limit) for operator, limit in (given.get("rank") or {}).items())
    return ranked and all(_SEARCHES[name](words, text) for name, text in asked.items())


def search_rank(value: str | Sequence[str] | None, given: Mapping[str, Any]) -> float | None:
    """PostgreSQL's ts_rank of a text for one word: the sum of 0.1 / n² for its n-th place, over pi² / 6."""
    if value is None:
        return None
    (word,) = [text.lower() for name, text in given.items() if name in _SEARCHES]
    assert word.isalnum()
    count = (_words(value) if isinstance(value, str) else list(value)).count(word)
    return sum(0.1 / (place * place) for place in range(1, count + 1)) / 1.64493406685


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _plain(words: list[str], text: str) -> bool:
    wanted = _words(text)
    return bool(wanted) and set(wanted) <= set(words)


def _phrase(words: list[str], text: str) -> bool:
    wanted = _words(text)
    return bool(wanted) and wanted in [words[start : start + len(wanted)] for start in range(len(words))]


def _websearch(words: list[str], text: str) -> bool:
    """`a b or -c "d e"`: `or` binds looser than what stands side by side."""
    found = []
    for part in re.split(r"\s+or\s+", text):
        terms = re.findall(r'(-?)(?:"([^"]*)"|(\S+))', part)
        if terms:
            found.append(all(_phrase(words, quoted or plain) is not bool(sign) for sign, quoted, plain in terms))
    return any(found)


_COMPARE: Final = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_SEARCHES: Final = {"plain": _plain, "phrase": _phrase, "websearch": _websearch}

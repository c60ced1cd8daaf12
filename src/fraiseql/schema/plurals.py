"""English words for one and for many."""

from __future__ import annotations

from typing import Final

__all__ = ["plural", "plural_name", "singular"]

_PAIRS: Final = """
person/people child/children man/men woman/women mouse/mice foot/feet status/statuses bus/buses virus/viruses
alias/aliases campus/campuses analysis/analyses basis/bases axis/axes crisis/crises index/indexes datum/data
medium/media matrix/matrices vertex/vertices movie/movies
"""
_IRREGULAR: Final = dict(pair.split("/") for pair in _PAIRS.split())
_REGULAR: Final = {many: one for one, many in _IRREGULAR.items()} | {"indices": "index"}
_SAME: Final = frozenset({"news", "series", "species", "sheep", "equipment", "information", "metadata"})
_ES: Final = ("ss", "sh", "ch", "x", "z")


def singular(word: str) -> str:
    """`posts` -> `post`, of the last of several words."""
    head, underscore, last = word.rpartition("_")
    return f"{head}{underscore}{_singular(last)}"


def plural(word: str) -> str:
    """`post` -> `posts`, of the last of several words."""
    head, underscore, last = word.rpartition("_")
    return f"{head}{underscore}{_plural(last)}"


def _singular(word: str) -> str:
    if word in _REGULAR:
        return _REGULAR[word]
    if word in _SAME or word in _IRREGULAR or len(word) < 3 or not word.endswith("s") or word[-2:] in ("ss", "us"):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith("es") and word[:-2].endswith(_ES):
        return word[:-2]
    return word if word.endswith("is") else word[:-1]


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in _SAME or _singular(word) != word:
        return word
    if word.endswith("y") and len(word) > 1 and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith((*_ES, "us", "is")) else f"{word}s"


def plural_name(name: str) -> str:
    """`BlogPost` -> `BlogPosts`, of the last of several words."""
    start = max((place for place, each in enumerate(name) if each.isupper() or each == "_"), default=0)
    last = plural(name[start:].lower())
    return f"{name[:start]}{name[start]}{last[1:]}" if name[start : start + 1].isupper() else f"{name[:start]}{last}"

"""Names for Python and GraphQL, made of whatever names a database holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from fraiseql.schema.names import camel_case
from fraiseql.schema.plurals import plural, singular

__all__ = ["Names", "constant_case", "pascal_case", "plural", "singular", "snake_case"]

_WORD: Final = re.compile(r"[a-z][a-z0-9_]*")


def snake_case(name: str, otherwise: str) -> str:
    """`CreatedAt` -> `created_at`, `1st try` -> `<otherwise>_1st_try`: ASCII, a letter first; a fitting name stays."""
    if _WORD.fullmatch(name):
        return name
    text = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    text = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()
    if not text:
        return otherwise
    return text if text[0].isalpha() else f"{otherwise}_{text}"


def pascal_case(name: str, otherwise: str) -> str:
    """`blog_posts` -> `BlogPosts`."""
    words = [word for word in snake_case(name, otherwise).split("_") if word]
    return "".join(word[0].upper() + word[1:] for word in words)


def constant_case(name: str) -> str:
    """`in progress` -> `IN_PROGRESS`."""
    return snake_case(name, "value").strip("_").upper()


class Names:
    """Gives each name away once, in Python and in camelCase.

    Args:
        reserved: what is taken in Python already.
        camel: whether two names that are one in camelCase clash.
    """

    def __init__(self, reserved: Iterable[str] = (), *, camel: bool = True) -> None:
        self._reserved = frozenset(reserved)
        self._taken: set[str] = set()
        self._camel = camel

    def give(self, *candidates: str) -> str:
        """The first that is free, or the last with a number behind it; a reserved one gets an underscore."""
        for candidate in candidates:
            if self._take(candidate) or (candidate in self._reserved and self._take(f"{candidate}_")):
                return candidate if candidate not in self._reserved else f"{candidate}_"
        number = 2
        while not self._take(f"{candidates[-1]}_{number}"):
            number += 1
        return f"{candidates[-1]}_{number}"

    def _take(self, name: str) -> bool:
        shown = camel_case(name) if self._camel else name
        if name in self._reserved or shown in self._taken:
            return False
        self._taken.add(shown)
        return True

"""Full text search: the vector of a row, the query for words, and how well they fit."""

from __future__ import annotations

from typing import Final

from fraiseql.pipeline.arguments import Fields
from fraiseql.pipeline.operators import INVALID_SEARCH, SEARCH_CONFIGS, SEARCHES, Operand, Operator
from fraiseql.pipeline.sql.values import literal
from fraiseql.schema.model import EnumType, NamedType
from fraiseql.schema.scalar import FilterFamily, Scalar

__all__ = ["config_of", "rank_of", "searcher", "vector_of"]

_SEARCHERS: Final = {
    name: Operator(f"{function}({{0}}, {{1}})", Operand.TEXT, blames=INVALID_SEARCH, empty=False)
    for name, (function, _) in SEARCHES.items()
}


def config_of(tree: Fields) -> str:
    """The configuration that a search names, one of our own list: as text, so that an index that names it serves."""
    chosen = tree.fields.get("config")
    return literal((chosen and chosen.value) or SEARCH_CONFIGS[0])


def searcher(name: str) -> Operator:
    """What makes a query of the configuration `{0}` and the words `{1}`."""
    return _SEARCHERS[name]


def vector_of(named: NamedType, value: str, config: str) -> str:
    """What is searched of a String or a TSVector."""
    assert isinstance(named, (Scalar, EnumType))
    is_vector = isinstance(named, Scalar) and named.family is FilterFamily.TEXT_SEARCH
    return value if is_vector else f"to_tsvector({config}, {value})"


def rank_of(vector: str, queries: list[str]) -> str:
    """How well a vector fits queries, all of them."""
    query = queries[0] if len(queries) == 1 else f"({' && '.join(queries)})"
    return f"ts_rank({vector}, {query})"

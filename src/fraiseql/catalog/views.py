"""Which table a view's columns come from, read from the query that PostgreSQL keeps of it (pg_rewrite.ev_action)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["origins_of"]

_TOKEN: Final = re.compile(r"[(){}]|(?:\\.|[^\s(){}\\])+", re.DOTALL)
_FLAGS: Final = ("hasAggs", "hasWindowFuncs", "hasTargetSRFs", "hasDistinctOn")
_CLAUSES: Final = (
    *("groupClause", "groupingSets", "havingQual", "distinctClause"),
    *("limitOffset", "limitCount", "setOperations", "cteList"),
)
_RELATION: Final = "0"  # RTEKind: RTE_RELATION


def origins_of(definition: str) -> dict[str, tuple[int, int]]:
    """The table (its oid) and the column number behind each column of a view that is one.

    Empty for a view that groups, limits or combines: an index of its tables may be of no use there. Also empty for a
    definition of an unknown form: nothing is guessed.
    """
    try:
        return dict(_columns(_parse(definition)))
    except (LookupError, ValueError, TypeError):
        return {}


def _columns(tree: list[Any]) -> Mapping[str, tuple[int, int]]:
    (query,) = tree[0]
    if any(query[flag] != ["false"] for flag in _FLAGS) or any(query[clause] != ["<>"] for clause in _CLAUSES):
        return {}
    tables = query["rtable"][0]
    found = {}
    for entry in query["targetList"][0]:
        variable = entry["expr"][0]
        if entry["resjunk"] != ["false"] or not isinstance(variable, dict) or variable[""] != "VAR":
            continue
        table = tables[int(variable["varno"][0]) - 1]
        if table["rtekind"] == [_RELATION] and variable["varlevelsup"] == ["0"]:
            found[_unescaped(entry["resname"][0])] = int(table["relid"][0]), int(variable["varattno"][0])
    return found


def _unescaped(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token, flags=re.DOTALL)


def _parse(text: str) -> list[Any]:
    """PostgreSQL's node trees: `{NAME :field value ...}` as a dict of lists, its name under "", `( ... )` as a list."""
    top: list[Any] = []
    stack: list[tuple[Any, list[Any]]] = [(top, top)]  # what is being read, and where its next value goes
    for word in _TOKEN.findall(text):
        container, values = stack[-1]
        if word == "(":
            new: list[Any] = []
            values.append(new)
            stack.append((new, new))
        elif word == "{":
            node: dict[str, Any] = {}
            values.append(node)
            stack.append((node, []))
        elif word in (")", "}"):
            stack.pop()
        elif isinstance(container, dict) and not container:
            container[""] = word
        elif isinstance(container, dict) and word[0] == ":" and len(word) > 1:
            fresh: list[Any] = []
            container[word[1:]] = fresh
            stack[-1] = container, fresh
        else:
            values.append(word)
    return top

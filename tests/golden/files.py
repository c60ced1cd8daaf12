"""Golden files: how a case is read from Markdown and written back, with SQL and JSON laid out to be read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

__all__ = ["Case", "as_json", "laid_out", "read_case", "without_layout", "write_case"]

_SECTION: Final = re.compile(r"^## (\w+)\n\n```\w+\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_LANGUAGES: Final = {"Query": "graphql", "Variables": "json", "SQL": "sql", "Parameters": "json", "Result": "json"}
_WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class Case:
    """One golden file.

    Attributes:
        head: the heading and the text before the first section.
        sql: laid out; empty where the request needs none.
        parameters: texts; None is NULL.
        result: `data` as JSON.
    """

    head: str
    query: str
    variables: Mapping[str, Any]
    sql: str
    parameters: tuple[str | None, ...]
    result: Any


def read_case(path: Path) -> Case:
    """Read a case; one that was never run has a query and perhaps variables only."""
    text = path.read_text(encoding="utf-8")
    found = {match[1]: match[2] for match in _SECTION.finditer(text)}
    assert found.keys() <= _LANGUAGES.keys(), f"{path}: a section of another name"
    return Case(
        head=text[: text.index("## ")].rstrip(),
        query=found["Query"],
        variables=json.loads(found.get("Variables", "{}")),
        sql=found.get("SQL", ""),
        parameters=tuple(json.loads(found.get("Parameters", "[]"))),
        result=json.loads(found.get("Result", "null")),
    )


def write_case(path: Path, case: Case, **changed: Any) -> None:
    """Write a case with some of its fields changed; sections without content are left out."""
    case = replace(case, **changed)
    contents = {
        "Query": case.query,
        "Variables": as_json(case.variables) if case.variables else "",
        "SQL": case.sql,
        "Parameters": as_json(list(case.parameters)) if case.parameters else "",
        "Result": as_json(case.result),
    }
    sections = [f"## {name}\n\n```{_LANGUAGES[name]}\n{content}\n```" for name, content in contents.items() if content]
    path.write_text("\n\n".join([case.head, *sections]) + "\n", encoding="utf-8")


def as_json(value: Any, indent: str = "") -> str:
    """JSON, with what fits in one line on one line."""
    text = json.dumps(value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    if len(indent) + len(text) <= _WIDTH or not isinstance(value, (dict, list)) or not value:
        return text
    inner = indent + "  "
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(key, ensure_ascii=False)}: {as_json(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + as_json(item, inner) for item in value) + f"\n{indent}]"


_TOKEN: Final = re.compile(
    r"""
    (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<open> \( ) | (?P<close> \) ) | (?P<comma> ,\ )
    | (?P<clause> \ (?:from|where|group\ by|having|order\ by|limit)(?=\ ))
    | . [^'"(),\s]*
    """,
    re.VERBOSE | re.DOTALL,
)


def laid_out(sql: str) -> str:
    """A statement of ours over several lines: each subselect indented, each clause and each column on its own line."""
    made: list[str] = []
    indent = 0  # of the line under way
    clause = "select"  # where in its subselect the text is; "" between other parentheses
    outer: list[tuple[str, int, int]] = []
    start = 0  # the indent of the subselect's clauses
    for match in _TOKEN.finditer(sql):
        token, kind = match[0], match.lastgroup
        if kind == "open":
            outer.append((clause, start, indent))
            clause = "select" if sql.startswith("select ", match.end()) else ""
            if clause:
                start = indent = indent + 2
                token += _line(indent)
        elif kind == "close":
            inside = clause
            clause, start, before = outer.pop()
            if inside:
                indent = before
                token = _line(indent) + token
        elif kind == "clause" and clause:
            clause, indent = token.strip(), start
            token = _line(indent) + clause
        elif kind == "comma" and clause == "select":
            indent = start + 2
            token = "," + _line(indent)
        made.append(token)
    return "".join(made)


def _line(indent: int) -> str:
    return "\n" + " " * indent


def without_layout(sql: str) -> str:
    """All but the white space, which is all that `laid_out` changes."""
    return "".join(sql.split())

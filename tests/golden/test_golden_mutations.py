"""Each file in `mutation_cases` is a mutation with all that it asks PostgreSQL for, in order, its answer, and the rows
that are other ones afterwards.

`UPDATE_GOLDEN=1 pytest tests/golden/test_golden_mutations.py -n 0` writes all of that anew, for a new case as for a
changed one. There is no oracle: read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fraiseql.context import Caller
from fraiseql.database_context import DatabaseContext
from fraiseql.limits import MutationLimits
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.postgres import Connection
from golden.asking import opened
from golden.files import as_json
from golden.mutating import Recorder
from golden.press import RESET, TABLES, TABLES_SQL, make_schema

_CASES = sorted(Path(__file__).with_name("mutation_cases").glob("*.md"))
_UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
_SECTION = re.compile(r"^## (\w+)\n\n```\w*\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_LANGUAGES = {
    "Mutation": "graphql",
    "Variables": "json",
    "Settings": "json",
    "Caller": "json",
    "Key": "text",
    "Statements": "sql",
    "Result": "json",
    "Changes": "json",
}
_CONTEXT = DatabaseContext({"press.user": "user_id"})


@pytest.fixture(scope="module")
def tables(module_database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Beside the connection that is tested."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(TABLES_SQL.encode())
        yield connection


@pytest.fixture(scope="module")
def connection(module_database_url: str, tables: psycopg.Connection[Any]) -> Iterator[Connection]:
    with opened(module_database_url) as connection:
        yield connection


def read(path: Path) -> tuple[str, dict[str, str]]:
    """The heading and the text before the first section; and the sections."""
    text = path.read_text(encoding="utf-8")
    sections = {match[1]: match[2] for match in _SECTION.finditer(text)}
    assert sections.keys() <= _LANGUAGES.keys(), f"{path}: a section of another name"
    return text[: text.index("## ")].rstrip(), sections


def written(head: str, sections: dict[str, str]) -> str:
    shown = [
        f"## {name}\n\n```{language}\n{sections[name]}\n```"
        for name, language in _LANGUAGES.items()
        if sections.get(name)
    ]
    return "\n\n".join([head, *shown]) + "\n"


@pytest.mark.parametrize("path", _CASES, ids=lambda path: path.stem)
def test_mutation_statements_answer_and_changes(
    path: Path, tables: psycopg.Connection[Any], connection: Connection
) -> None:
    head, sections = read(path)
    tables.execute(RESET.encode())
    before = rows_of(tables)
    recorder = Recorder(connection)
    bodies = [json.loads(body) for body in ask(recorder, sections)]
    changes = changes_between(before, rows_of(tables))
    assert recorder.committed or not changes, "nothing was committed, and something changed"
    made = {
        **sections,
        "Statements": "\n\n".join(recorder.steps),
        "Result": "\n".join(map(as_json, bodies)),
        "Changes": as_json(changes) if changes else "",
    }
    if _UPDATE:
        path.write_text(written(head, made), encoding="utf-8")
    assert written(head, made) == path.read_text(encoding="utf-8")


def ask(recorder: Recorder, sections: dict[str, str]) -> Iterator[bytes]:
    """The answer; with a key the request comes twice."""
    caller, key = sections.get("Caller"), sections.get("Key")
    schema = make_schema(None if caller is None else _CONTEXT)
    limits = MutationLimits(**json.loads(sections.get("Settings", "{}")))
    pipeline = Pipeline(schema, mutations=limits)
    variables = json.loads(sections.get("Variables", "{}"))
    request = GraphQLRequest(sections["Mutation"], None, variables, idempotency_key=key)
    for time in range(1 if key is None else 2):
        if time:
            recorder.steps.append("-- The same request once more")
        who = Caller(**json.loads(caller or "{}"))
        yield recorder.drive(pipeline.operate(request, "request-1", who)).body


def rows_of(tables: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    found = {}
    for name in TABLES:
        rows = tables.execute(f"select to_jsonb(t) from {name} t order by id".encode()).fetchall()
        found[name] = [row for (row,) in rows]
    return found


def changes_between(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, Any]:
    """The rows that are gone, and those that are new; a changed row is both."""
    changes = {}
    for name in before:
        gone = [row for row in before[name] if row not in after[name]]
        new = [row for row in after[name] if row not in before[name]]
        if gone or new:
            changes[name] = {**({"gone": gone} if gone else {}), **({"new": new} if new else {})}
    return changes


def test_there_are_cases_of_every_kind() -> None:
    texts = [path.read_text(encoding="utf-8") for path in _CASES]
    for word in ("-- rollback", "-- behind a savepoint", "-- Python: ", "## Key", "## Caller", "## Settings"):
        assert any(word in text for text in texts), word

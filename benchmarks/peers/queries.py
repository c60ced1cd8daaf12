"""The four queries, in the dialect of each contender, and the data that they have to give."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["QUERIES", "Query", "body", "first_difference", "normalise"]


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    Attributes:
        title: what it asks for.
        plain: its document for contenders whose fields are named as the tables.
        postgraphile: its document for PostGraphile, aliased to the same names.
        variables: of the request.
        parameters: of the statements by hand.
    """

    title: str
    plain: str
    postgraphile: str
    variables: Mapping[str, Any]
    parameters: tuple[str, ...] = ()

    def document(self, dialect: str) -> str:
        """The document in one of the dialects `fraiseql`, `strawberry` and `postgraphile`."""
        if dialect == "postgraphile":
            return self.postgraphile
        # Strawberry's loader knows no other order than the latest first.
        return self.plain.replace(_LATEST, "") if dialect == "strawberry" else self.plain


_LATEST = ", orderBy: [{createdAt: DESC}]"

QUERIES = {
    "users": Query(
        "10 users",
        "{ users(limit: 10) { id name email } }",
        "{ users: allUsersList(first: 10) { id: rowId name email } }",
        {},
    ),
    "posts": Query(
        "20 users x 5 latest posts",
        f"{{ users(limit: 20) {{ id name posts(limit: 5{_LATEST}) {{ id title createdAt }} }} }}",
        "{ users: allUsersList(first: 20) { id: rowId name"
        " posts: postsByAuthorIdList(first: 5, orderBy: [CREATED_AT_DESC]) { id: rowId title createdAt } } }",
        {},
    ),
    "comments": Query(
        "10 users x 5 posts x 3 comments with author",
        f"{{ users(limit: 10) {{ id name posts(limit: 5{_LATEST}) {{ id title"
        " comments(limit: 3) { id body author { id name } } } } }",
        "{ users: allUsersList(first: 10) { id: rowId name"
        " posts: postsByAuthorIdList(first: 5, orderBy: [CREATED_AT_DESC]) { id: rowId title"
        " comments: commentsByPostIdList(first: 3) { id: rowId body author: userByAuthorId { id: rowId name } } } } }",
        {},
    ),
    "user": Query(
        "one user by id",
        "query ($id: ID!) { user(id: $id) { id name email } }",
        "query ($id: Int!) { user: userByRowId(rowId: $id) { id: rowId name email } }",
        {"id": 7},
        ("7",),
    ),
}


def body(query: Query, dialect: str) -> str:
    """What is posted: JSON with `query`, and with `variables` where there are some."""
    request: dict[str, Any] = {"query": query.document(dialect)}
    if query.variables:
        request["variables"] = {
            name: value if dialect == "postgraphile" else str(value) for name, value in query.variables.items()
        }
    return json.dumps(request)


def normalise(answer: Any) -> Any:
    """An answer as plain data: ids as text, whatever their scalar, and instants as such, however they are written."""
    if isinstance(answer, dict):
        return {key: _value(key, value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [normalise(item) for item in answer]
    return answer


def _value(key: str, value: Any) -> Any:
    if key == "id":
        return str(value)
    if key == "createdAt":
        return dt.datetime.fromisoformat(value).astimezone(dt.UTC)
    return normalise(value)


def first_difference(expected: Any, found: Any, path: str = "") -> str | None:
    """Where two normalised answers differ first, with both values; None where they are equal."""
    if type(expected) is type(found):
        pairs: list[tuple[str, Any, Any]] | None = None
        if isinstance(expected, dict) and expected.keys() == found.keys():
            pairs = [(f"{path}.{key}", value, found[key]) for key, value in expected.items()]
        elif isinstance(expected, list) and len(expected) == len(found):
            pairs = [(f"{path}[{n}]", *both) for n, both in enumerate(zip(expected, found, strict=True))]
        if pairs is not None:
            return next(
                (difference for pair in pairs if (difference := first_difference(pair[1], pair[2], pair[0]))), None
            )
        if expected == found:
            return None
    return f"{path or 'the answer'} is {found!r:.200}, not {expected!r:.200}"

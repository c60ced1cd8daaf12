"""The judge of our answers: graphql-core executes the same query over the sample blog's rows as Python objects.

It shares the schema with the pipeline and nothing else: filters, orders, pages, relations and the texts of values are
written here once more, in Python, from the rules that the documentation gives.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter, eq, ge, gt, itemgetter, le, lt, ne
from typing import Any
from uuid import UUID

from graphql import GraphQLList, GraphQLObjectType, GraphQLResolveInfo, get_nullable_type, graphql_sync

from fraiseql.cli.demo.data import Blog
from fraiseql.cli.demo.schema import schema
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from golden.oracle_aggregates import Aggregates

__all__ = ["VALUES", "Oracle", "normalised"]

_Rows = Callable[[str, str, Any], list[Any]]  # those that a relation leads to: of a type, by a field, from a row

Truth = bool | None  # SQL's three values; None is unknown
Getter = Callable[[Any], Any]


def _of_profile(key: str) -> Getter:
    return lambda user: user.profile.get(key)


VALUES: Mapping[str, Mapping[str, tuple[str, Getter]]] = {
    "User": {
        "id": ("ID", attrgetter("id")),
        "key": ("UUID", attrgetter("key")),
        "name": ("String", attrgetter("name")),
        "email": ("String", attrgetter("email")),
        "role": ("Role", attrgetter("role")),
        "active": ("Boolean", attrgetter("active")),
        "karma": ("Int", attrgetter("karma")),
        "rating": ("Float", attrgetter("rating")),
        "balance": ("Decimal", attrgetter("balance")),
        "birthday": ("Date", attrgetter("birthday")),
        "digestAt": ("Time", attrgetter("digest_at")),
        "createdAt": ("DateTime", attrgetter("created_at")),
        "bio": ("String", _of_profile("bio")),
    },
    "Post": {
        "id": ("ID", attrgetter("id")),
        "key": ("UUID", attrgetter("key")),
        "title": ("String", attrgetter("title")),
        "text": ("String", attrgetter("body")),
        "status": ("PostStatus", attrgetter("status")),
        "featured": ("Boolean", attrgetter("featured")),
        "views": ("Int", attrgetter("views")),
        "score": ("Float", attrgetter("score")),
        "price": ("Decimal", attrgetter("price")),
        "publishedOn": ("Date", attrgetter("published_on")),
        "createdAt": ("DateTime", attrgetter("created_at")),
    },
    "Comment": {
        "id": ("ID", attrgetter("id")),
        "body": ("String", attrgetter("body")),
        "likes": ("Int", attrgetter("likes")),
        "createdAt": ("DateTime", attrgetter("created_at")),
    },
}
"""The scalar and enum fields of each type: its GraphQL type, and the row's value as a native Python one."""

_LISTS: Mapping[str, Mapping[str, Getter]] = {"User": {"tags": _of_profile("tags")}}
_JSON: Mapping[str, Mapping[str, Getter]] = {"Post": {"metadata": attrgetter("metadata")}}
_RELATIONS: Mapping[str, Mapping[str, str]] = {
    "User": {"posts": "Post", "comments": "Comment"},
    "Post": {"author": "User", "comments": "Comment", "commenters": "User"},
    "Comment": {"author": "User", "post": "Post"},
}
_SUMMARIES = {
    ("User", "postSummary"): ("Post", "posts"),
    ("User", "postGroups"): ("Post", "posts"),
    ("Post", "commenterSummary"): ("User", "commenters"),
}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "BigInt": int,
    "ID": int,  # the sample's ids are integers, and compare as such
    "UUID": UUID,
    "Decimal": Decimal,
    "Date": dt.date.fromisoformat,
    "Time": dt.time.fromisoformat,
    "DateTime": lambda text: _in_utc(dt.datetime.fromisoformat(text)),
}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"eq": eq, "neq": ne, "gt": gt, "gte": ge, "lt": lt, "lte": le}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "like": lambda text, given: _like(given).fullmatch(text) is not None,
    "contains": lambda text, given: given in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "matches": lambda text, given: re.search(given, text, re.DOTALL) is not None,
}
_LIST: Mapping[str, Callable[[list[Any], list[Any]], bool]] = {
    "eq": eq,
    "neq": ne,
    "contains": lambda values, given: set(given) <= set(values),
    "containedBy": lambda values, given: set(values) <= set(given),
    "overlaps": lambda values, given: bool(set(given) & set(values)),
}


class Oracle:
    """Answers queries over the rows of one blog."""

    def __init__(self, blog: Blog) -> None:
        self._schema = build_graphql_schema(schema.model)
        self._rows: dict[str, Sequence[Any]] = {"User": blog.users, "Post": blog.posts, "Comment": blog.comments}
        self._children_of: dict[tuple[str, str], dict[Any, list[Any]]] = {}
        by_id = {name: {row.id: row for row in rows} for name, rows in self._rows.items()}
        for name, values in VALUES.items():
            for field, (_, getter) in values.items():
                self._resolve(name, field, lambda row, getter=getter: _shown(getter(row)))
        for field in ("address", "links", "tags"):
            self._resolve("User", field, _of_profile(field))
        self._resolve("Post", "metadata", lambda post: _as_jsonb(post.metadata))
        self._resolve("Post", "author", lambda post: by_id["User"].get(post.author_id))
        self._resolve("Comment", "author", lambda comment: by_id["User"].get(comment.author_id))
        self._resolve("Comment", "post", lambda comment: by_id["Post"].get(comment.post_id))
        self._children("User", "posts", "Post", "author_id")
        self._children("User", "comments", "Comment", "author_id")
        self._children("Post", "comments", "Comment", "post_id")
        self._commenters(by_id["User"])
        self._parents = {
            ("Post", "author"): lambda post: by_id["User"].get(post.author_id),
            ("Comment", "author"): lambda comment: by_id["User"].get(comment.author_id),
            ("Comment", "post"): lambda comment: by_id["Post"].get(comment.post_id),
        }
        for (owner, field), (child, relation) in _SUMMARIES.items():
            self._summary(owner, field, child, relation)
        for name in self._type("Query").fields:
            self._root(name)

    def execute(self, query: str, variables: Mapping[str, Any] | None = None, operation: str | None = None) -> Any:
        """The `data` of the answer; the query must be one without errors."""
        result = graphql_sync(
            self._schema, query, variable_values=dict(variables or {}), operation_name=operation or None
        )
        assert not result.errors, result.errors
        return result.data

    def _type(self, name: str) -> GraphQLObjectType:
        found = self._schema.type_map[name]
        assert isinstance(found, GraphQLObjectType)
        return found

    def _resolve(self, type_name: str, field: str, getter: Getter) -> None:
        self._type(type_name).fields[field].resolve = lambda row, _info, **_arguments: getter(row)

    def _children(self, parent: str, field: str, child: str, foreign_key: str) -> None:
        by_parent: dict[Any, list[Any]] = {}
        for row in self._rows[child]:
            by_parent.setdefault(getattr(row, foreign_key), []).append(row)
        self._lists(parent, field, child, by_parent)

    def _lists(self, parent: str, field: str, child: str, by_parent: dict[Any, list[Any]]) -> None:
        self._children_of[parent, field] = by_parent

        def resolve(row: Any, _info: GraphQLResolveInfo, **arguments: Any) -> list[Any]:
            return self._page(child, by_parent.get(row.id, []), **arguments)

        self._type(parent).fields[field].resolve = resolve

    def _commenters(self, users: Mapping[Any, Any]) -> None:
        """Many-to-many through comments: each user once."""
        by_post: dict[Any, dict[Any, Any]] = {}
        for comment in self._rows["Comment"]:
            if comment.author_id is not None:
                by_post.setdefault(comment.post_id, {})[comment.author_id] = users[comment.author_id]
        self._lists("Post", "commenters", "User", {post: list(found.values()) for post, found in by_post.items()})

    def _summary(self, owner: str, field: str, child: str, relation: str) -> None:
        """Figures about the rows of a relation."""

        def resolve(row: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            return self._figures(child, self._related(owner, relation, row), info, **arguments)

        self._type(owner).fields[field].resolve = resolve

    def _figures(
        self,
        target: str,
        rows: Iterable[Any],
        info: GraphQLResolveInfo,
        where: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> Any:
        found = [row for row in rows if where is None or _holds(target, where, row, self._related) is True]
        if isinstance(get_nullable_type(info.return_type), GraphQLList):
            return _aggregates(target).groups(found, info, **arguments)
        return _aggregates(target).aggregate(found)

    def _root(self, name: str) -> None:
        field = self._type("Query").fields[name]
        returned = get_nullable_type(field.type)
        many = isinstance(returned, GraphQLList)
        named = (get_nullable_type(returned.of_type) if many else returned).name
        target = named.removesuffix("Aggregate").removesuffix("Group")
        rows = self._rows[target]

        def resolve(_root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
            paging = ("where", "having", "orderBy", "limit", "offset")
            page = {key: arguments.pop(key) for key in paging if key in arguments}
            wanted = {key: _read(VALUES[target][key][0], value) for key, value in arguments.items()}
            found = [row for row in rows if all(VALUES[target][key][1](row) == wanted[key] for key in wanted)]
            if named != target:
                return self._figures(target, found, info, **page)
            return self._page(target, found, **page) if many else next(iter(found), None)

        field.resolve = resolve

    def _page(
        self,
        target: str,
        rows: Iterable[Any],
        where: Mapping[str, Any] | None = None,
        orderBy: Sequence[Mapping[str, Any]] | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> list[Any]:
        found = [row for row in rows if where is None or _holds(target, where, row, self._related) is True]
        for order in reversed([*(orderBy or ()), {"id": "asc"}]):
            names, direction = _order(order)
            valued = [(self._ordered(target, names, row), row) for row in found]
            nulls = [row for value, row in valued if value is None]
            rest = [pair for pair in valued if pair[0] is not None]
            # Nulls count as larger than all values; a reversed sort keeps the order of equal rows too.
            rest.sort(key=itemgetter(0), reverse=direction.startswith("desc"))
            others = [row for _, row in rest]
            is_first = direction.endswith("nulls_first") or direction == "desc"
            found = nulls + others if is_first else others + nulls
        start = offset or 0
        return found[start : start + (100 if limit is None else limit)]

    def _ordered(self, target: str, names: Sequence[str], row: Any) -> Any:
        name, *below = names
        if name in VALUES[target]:
            return VALUES[target][name][1](row)
        related = self._related(target, name, row)
        if name not in ("author", "post"):
            return _aggregates(_RELATIONS[target][name]).value(related, below)
        return self._ordered(_RELATIONS[target][name], below, related[0]) if related else None

    def _related(self, target: str, field: str, row: Any) -> list[Any]:
        if (target, field) in self._parents:
            parent = self._parents[target, field](row)
            return [] if parent is None else [parent]
        return self._children_of[target, field].get(row.id, [])


def _aggregates(target: str) -> Aggregates:
    return Aggregates(VALUES[target], _shown, _compared)


def _order(entry: Any) -> tuple[list[str], str]:
    """The names down to a value, and the direction."""
    names: list[str] = []
    while isinstance(entry, Mapping):
        ((name, entry),) = entry.items()
        names.append(name)
    return names, entry


def _holds(target: str, where: Mapping[str, Any], row: Any, rows: _Rows) -> Truth:
    truths: list[Truth] = []
    for key, below in where.items():
        if below is None:
            continue
        if key == "AND":
            truths.append(_all(_holds(target, item, row, rows) for item in below))
        elif key == "OR":
            truths.append(_not(_all(_not(_holds(target, item, row, rows)) for item in below)))
        elif key == "NOT":
            truths.append(_not(_holds(target, below, row, rows)))
        elif key in _RELATIONS[target]:
            truths.extend(_across(target, key, below, row, rows))
        elif key in _LISTS.get(target, {}):
            truths.extend(_listed(_LISTS[target][key](row), name, given) for name, given in below.items())
        elif key in _JSON.get(target, {}):
            truths.extend(_documented(_JSON[target][key](row), name, given) for name, given in below.items())
        else:
            type_name, getter = VALUES[target][key]
            truths.extend(_compared(type_name, getter(row), name, given) for name, given in below.items())
    return _all(truths)


def _across(target: str, key: str, below: Mapping[str, Any], row: Any, rows: _Rows) -> list[Truth]:
    child, related = _RELATIONS[target][key], rows(target, key, row)
    if key in ("author", "post"):
        return [any(_holds(child, below, each, rows) is True for each in related)]
    truths: list[Truth] = []
    for name, where in below.items():
        if where is not None and name == "aggregate":
            truths.append(_aggregates(child).holds(related, where) is True)
        elif where is not None:
            found = [_holds(child, where, each, rows) is True for each in related]
            truths.append({"some": any(found), "none": not any(found), "every": all(found)}[name])
    return truths


def _listed(values: list[Any] | None, operator: str, given: Any) -> Truth:
    if operator == "isnull":
        return (values is None) is given
    if operator == "length":
        length = None if values is None else len(values)
        return _all(_compared("Int", length, name, each) for name, each in (given or {}).items())
    if operator == "any":
        met = [_all(_compared("String", value, *each) for each in (given or {}).items()) for value in values or ()]
        return given is None or True in met
    if given is None:
        return (values is None) is (operator == "eq")
    return None if values is None else _LIST[operator](values, given)


def _documented(value: Any, operator: str, given: Any) -> Truth:
    if operator == "isnull":
        return (value is None) is given
    if operator in ("eq", "neq") and given is None:
        return (value is None) is (operator == "eq")
    if value is None:
        return None
    if operator in ("eq", "neq"):
        return (value == given) is (operator == "eq")
    if operator in ("contains", "containedBy"):
        return _contains(value, given) if operator == "contains" else _contains(given, value)
    keys = [given] if operator == "hasKey" else given
    return (any if operator == "hasAnyKeys" else all)(key in value for key in keys)


def _contains(whole: Any, part: Any) -> bool:
    """PostgreSQL §8.14.3."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and _contains(whole[key], each) for key, each in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return all(any(_contains(item, each) for item in whole) for each in part)
    return type(whole) is type(part) and bool(whole == part)


def _compared(type_name: str, value: Any, operator: str, given: Any) -> Truth:
    if operator == "isnull":
        return (value is None) is given
    if operator in ("in", "nin"):
        # Of an empty list SQL knows the answer, whatever the value.
        found = None if value is None and given else value in [_read(type_name, item) for item in given]
        return found if operator == "in" else _not(found)
    if operator == "search":
        return _found(value, given or {})
    if given is None:
        return (value is None) is (operator == "eq")
    if value is None:
        return None
    if operator in _COMPARE:
        return _COMPARE[operator](value, _read(type_name, given))
    if operator in _TEXT:
        return _TEXT[operator](value, given)
    return _TEXT[operator.removeprefix("i")](_small(value), _small(given))


def _small(text: str) -> str:
    """In small letters, those of ASCII only."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def _like(pattern: str) -> re.Pattern[str]:
    parts = {"%": "(?s:.*)", "_": "(?s:.)"}
    tokens = re.findall(r"\\(.)|([%_])|(.)", pattern, re.DOTALL)
    return re.compile("".join(parts[wild] if wild else re.escape(escaped or plain) for escaped, wild, plain in tokens))


def _found(value: str | None, given: Mapping[str, Any]) -> Truth:
    """Plain words and phrases under the configuration without a language."""
    if value is None:
        return None if len(given.keys() - {"config"}) else True
    words = re.findall(r"\w+", value.lower())
    truths: list[Truth] = []
    for name in given.keys() - {"config"}:
        text = given[name]
        wanted = re.findall(r"\w+", text.lower())
        spans = [words[start : start + len(wanted)] for start in range(len(words))]
        truths.append(wanted in spans if name == "phrase" else set(wanted) <= set(words))
    return _all(truths)


def _all(truths: Iterable[Truth]) -> Truth:
    found = list(truths)
    if any(truth is False for truth in found):
        return False
    return None if None in found else True


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _read(type_name: str, given: Any) -> Any:
    return _READ[type_name](given) if type_name in _READ else given


def _in_utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _shown(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, Decimal):
        return f"{value:.2f}"  # all the sample's columns of that type have two decimals
    if isinstance(value, dt.datetime):
        return f"{_without_zeros(value.astimezone(dt.UTC).replace(tzinfo=None))}+00:00"
    return _without_zeros(value) if isinstance(value, dt.time) else str(value)


def _without_zeros(value: dt.datetime | dt.time) -> str:
    """PostgreSQL shows a fraction of a second without the zeros at its end."""
    text = value.isoformat()
    return text.rstrip("0") if "." in text else text


def _as_jsonb(value: Any) -> Any:
    """The order in which jsonb keeps keys: short ones first, then by their bytes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _as_jsonb(value[key]) for key in keys}
    return [_as_jsonb(item) for item in value] if isinstance(value, list) else value


def normalised(value: Any) -> Any:
    """JSON to compare: objects as lists of pairs, since GraphQL orders keys, and 5.0 as 5, which JSON does not tell."""
    if isinstance(value, Mapping):
        return [("key", key, normalised(below)) for key, below in value.items()]
    if isinstance(value, list):
        return [normalised(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

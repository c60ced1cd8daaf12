"""Random valid queries over the sample's schema, as a hypothesis strategy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from fraiseql.cli.demo.data import Blog
from fraiseql.cli.demo.schema import schema
from fraiseql.schema.model import Field, ObjectType, Source
from fraiseql.schema.scalar import Scalar
from golden.oracle import Values, blog_rows
from golden.oracle.values import Record

__all__ = ["RandomQuery", "random_queries"]

_Item = TypeVar("_Item")
_READER: Final = Values(schema.model)


def _getter(field: Field) -> Callable[[Record], Any]:
    return lambda record: _READER.native(field, record)


def _single_values(owner: ObjectType) -> dict[str, tuple[str, Callable[[Record], Any]]]:
    """The scalar and enum fields with one value: the GraphQL type, and the record's native value."""
    return {
        field.name: (field.type.name, _getter(field))
        for field in owner.fields.values()
        if _READER.is_scalar(field) and not _is_json(field)
    }


def _is_json(field: Field) -> bool:
    named = schema.model.types[field.type.name]
    return isinstance(named, Scalar) and named.is_json


_TYPES: Final = ("User", "Post", "Comment", "Address", "Country", "Link")
VALUES: Final = {name: _single_values(schema.model.object_type(name)) for name in _TYPES}

_RELATIONS: Final = {
    "User": {"posts": ("Post", True), "comments": ("Comment", True)},
    "Post": {"author": ("User", False), "comments": ("Comment", True), "commenters": ("User", True)},
    "Comment": {"author": ("User", False), "post": ("Post", False)},
}
_EMBEDDED: Final = {
    "User": {"address": ("Address", False), "links": ("Link", True)},
    "Address": {"country": ("Country", False)},
}
_LEAVES: Final = {name: tuple(values) for name, values in VALUES.items()}
_MORE_LEAVES: Final = {"User": ("tags",), "Post": ("metadata",)}
_ROOTS: Final = {"users": "User", "posts": "Post", "comments": "Comment"}
_SINGLE: Final = {"user": ("User", "id"), "userByKey": ("User", "key"), "post": ("Post", "id")}
_BY_ENUM: Final = {"usersByRole": ("User", "role"), "postsByStatus": ("Post", "status")}
_ALIASES: Final = ("select", "value", "r", "t0", "key", "object", "name", "ID", "id", "data", "e", "a" * 63, "b" * 64)
_ENUMS: Final = {"Role": ("ADMIN", "EDITOR", "AUTHOR", "READER"), "PostStatus": ("DRAFT", "PUBLISHED", "ARCHIVED")}
_NULLABLE: Final = {
    "User": ("email", "rating", "birthday", "digestAt", "bio"),
    "Post": ("score", "price", "publishedOn"),
}
_ORDERED: Final = {"String", "Int", "Float", "Decimal", "Date", "Time", "DateTime"}
_DIRECTIONS: Final = ("ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST", "DESC_NULLS_LAST")
_DEPTH: Final = 4
_PATTERNS: Final = ("contains", "startsWith", "endsWith", "like", "matches")
_TAGS: Final = ("cooking", "running", "fête", "films", "no tag")


@dataclass(frozen=True, slots=True)
class RandomQuery:
    """A document with one operation, and two sets of variables to send with it, which may want different SQL."""

    query: str
    variables: dict[str, Any]
    others: dict[str, Any]


@dataclass(slots=True)
class _Enum:
    """An enum's value, which a literal writes without quotes."""

    name: str


@dataclass(slots=True)
class _Writer:
    """Writes one query; `draw` is hypothesis's."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    records: dict[str, list[Record]]
    variables: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    definitions: list[str] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)
    leaf_fragments: dict[str, str] = field(default_factory=dict)
    numbers: int = 0

    def query(self) -> RandomQuery:
        used: set[str] = set()
        roots = [self._root(used) for _ in range(self._below(3) + 1)]
        definitions = f"({', '.join(self.definitions)})" if self.definitions else ""
        text = f"query {definitions} {{ {' '.join(roots)} }}"
        document = "\n".join([text, *self.fragments, *self.leaf_fragments.values()])
        return RandomQuery(document, self.variables, self.others)

    # Choices

    def _below(self, bound: int) -> int:
        number: int = self.draw(st.integers(0, bound - 1))
        return number

    def _one_in(self, count: int) -> bool:
        return self._below(count) == count - 1  # hypothesis shrinks to 0: to the plainer query

    def _choice(self, items: Sequence[_Item]) -> _Item:
        return items[self._below(len(items))]

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    # Selections

    def _root(self, used: set[str]) -> str:
        kind = self._below(8)
        if kind == 7:
            return self._leaf("__typename")
        if kind == 6:
            name, (target, argument) = self._choice(list(_SINGLE.items()))
            type_name = VALUES[target][argument][0]
            head = f"{name}({argument}: {self._value(f'{type_name}!', self._row_value(target, argument))})"
        elif kind == 5:
            name, (target, argument) = self._choice(list(_BY_ENUM.items()))
            type_name = VALUES[target][argument][0]
            value = self._value(f"{type_name}!", _Enum(self._choice(_ENUMS[type_name])))
            head = f"{name}({', '.join([f'{argument}: {value}', *self._page(target, 10)])})"
        else:
            name, target = self._choice(list(_ROOTS.items()))
            head = self._with_arguments(name, self._page(target, 10))
        return self._object(head, name, target, used, 1)

    def _object(self, head: str, name: str, target: str, used: set[str], depth: int) -> str:
        """A field with a selection; sometimes twice, to be merged."""
        directive = self._directive()
        alias = self._alias(name, used)
        below: set[str] = set()
        texts = [
            f"{alias}{head}{directive} {{ {self._selection(target, below, depth)} }}"
            for _ in range(2 if self._one_in(8) else 1)
        ]
        return " ".join(texts)

    def _alias(self, name: str, used: set[str]) -> str:
        """A response key that the selection does not have yet."""
        if name not in used and not self._one_in(3):
            used.add(name)
            return ""
        key = self._choice(_ALIASES)
        if key in used or key in _all_fields():
            key = f"{key}_{self._number()}"
        used.add(key)
        return f"{key}: "

    def _selection(self, target: str, used: set[str], depth: int) -> str:
        return " ".join(self._entry(target, used, depth) for _ in range(1 + self._below(4)))

    def _entry(self, target: str, used: set[str], depth: int) -> str:
        kind = self._below(12)
        if kind >= 8 and depth < _DEPTH and target in _RELATIONS:
            name, (child, many) = self._choice(list(_RELATIONS[target].items()))
            head = self._with_arguments(name, self._page(child, 4)) if many else name
            return self._object(head, name, child, used, depth + 1)
        if kind == 7 and target in _EMBEDDED:
            name, (child, many) = self._choice(list(_EMBEDDED[target].items()))
            head = self._with_arguments(name, self._page(child, 3)) if many else name
            return self._object(head, name, child, used, depth + 1)
        if kind == 6:
            return self._fragment(target, used, depth)
        if kind == 5:
            return self._leaf(self._choice((*_MORE_LEAVES.get(target, ()), "__typename")))
        return self._leaf(self._choice(_LEAVES[target]))

    def _leaf(self, leaf: str) -> str:
        """A field without arguments: the same key may stand twice, they are merged."""
        if self._one_in(4):
            return f"{self._choice(_ALIASES)}_{self._number()}: {leaf}{self._directive()}"
        return leaf + self._directive()

    def _fragment(self, target: str, used: set[str], depth: int) -> str:
        kind = self._below(3)
        if kind == 0 and target in _LEAVES:
            name = f"{target}Leaves"  # spread in several places
            self.leaf_fragments.setdefault(target, f"fragment {name} on {target} {{ {' '.join(_LEAVES[target])} }}")
            return f"...{name}"
        selection = self._selection(target, used, depth)
        if kind == 1:
            return f"...{self._choice(('', f' on {target}'))}{self._directive()} {{ {selection} }}"
        name = f"F{self._number()}"
        self.fragments.append(f"fragment {name} on {target} {{ {selection} }}")
        return f"...{name}{self._directive()}"

    def _directive(self) -> str:
        if not self._one_in(8):
            return ""
        return f" @{self._choice(('skip', 'include'))}(if: {self._value('Boolean!', self._one_in(2))})"

    # Arguments

    @staticmethod
    def _with_arguments(name: str, arguments: list[str]) -> str:
        return f"{name}({', '.join(arguments)})" if arguments else name

    def _page(self, target: str, largest: int) -> list[str]:
        arguments = []
        if not self._one_in(3):
            arguments.append(f"where: {self._where_argument(target)}")
        if self._one_in(2):
            arguments.append(f"orderBy: {self._order_by(target)}")
        if not self._one_in(6):
            arguments.append(f"limit: {self._value('Int', self._below(largest + 1), may_be_null=True)}")
        if self._one_in(4):
            arguments.append(f"offset: {self._value('Int', self._choice((None, 0, 1, 3)), may_be_null=True)}")
        return arguments

    def _order_by(self, target: str) -> str:
        orders = [self._order(target, 2) for _ in range(self._choice((1, 2, 0, 3)))]
        single = orders[0] if len(orders) == 1 and self._one_in(2) else orders
        return self._value(f"[{target}OrderByInput!]", single, may_be_null=True)

    def _order(self, target: str, depth: int) -> dict[str, Any]:
        direction = _Enum(self._choice(_DIRECTIONS))
        across = _across(target)
        if depth and across and self._one_in(3):
            name, (child, many) = self._choice(across)
            return {name: {"count": direction} if many else self._order(child, depth - 1)}
        nullable = _NULLABLE.get(target)
        names = nullable if nullable and self._one_in(3) else list(VALUES[target])
        return {self._choice(names): direction}

    def _where_argument(self, target: str) -> str:
        """As a variable as a whole, or written out with variables inside."""
        where = self._where(target, 3)
        if self._one_in(3):
            return self._variable(f"{target}WhereInput", where, may_be_null=True)
        return self._written(f"{target}WhereInput", where)

    def _where(self, target: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _ in range(self._choice((1, 2, 1, 0, 1, 3))):
            kind = self._below(11) if depth else 0
            if kind >= 9 and _across(target):
                name, (child, many) = self._choice(_across(target))
                below = self._where(child, depth - 1)
                made[name] = {self._choice(("some", "none", "every")): below} if many else below
                if child == "Link" and self._one_in(3):
                    made[name] = {"count": {self._choice(("eq", "gt", "in")): self._below(3)}}
            elif kind == 8 and target in _MORE_LEAVES:
                made.update(self._list_operators() if target == "User" else self._json_operators())
            elif kind >= 6:
                count = self._choice((2, 1, 0, 3))
                made[self._choice(("OR", "AND"))] = [self._where(target, depth - 1) for _ in range(count)]
            elif kind == 5:
                made["NOT"] = self._where(target, depth - 1)
            else:
                nullable = _NULLABLE.get(target)
                name = self._choice(nullable if nullable and self._one_in(2) else tuple(VALUES[target]))
                made[name] = self._operators(target, name)
        return made

    def _list_operators(self) -> dict[str, Any]:
        operator = self._choice(("contains", "containedBy", "overlaps", "eq", "neq", "length", "any"))
        if operator == "length":
            return {"tags": {operator: {self._choice(("eq", "gt", "lte")): self._below(4)}}}
        if operator == "any":
            return {"tags": {operator: {self._choice(("eq", "neq", "startsWith")): self._choice(_TAGS)}}}
        return {"tags": {operator: [self._choice(_TAGS) for _ in range(self._below(3))]}}

    def _json_operators(self) -> dict[str, Any]:
        operator = self._choice(("contains", "containedBy", "hasKey", "hasAnyKeys", "hasAllKeys", "isnull", "eq"))
        if operator in ("contains", "containedBy"):
            document = self._choice(({"sources": [1.5]}, {"sources": [{"a": True}]}, {}, [], {"words": 5}))
            return {"metadata": {operator: document}}
        if operator in ("isnull", "eq"):
            return {"metadata": {operator: self._one_in(2) if operator == "isnull" else None}}
        keys = [self._choice(("words", "sources", "a'")) for _ in range(1 + self._below(2))]
        return {"metadata": {operator: keys[0] if operator == "hasKey" else keys}}

    def _pattern(self, operator: str, text: str) -> str:
        """A part of a text, as the operator takes it."""
        start = self._below(len(text) + 1)
        part = text[start : start + self._below(6)]
        if operator == "like":
            part = part.replace("\\", "\\\\")
            return self._choice((f"%{part}%", f"{part}_", f"\\%{part}", f"%{part}"))
        return re.escape(part) if operator == "matches" else part

    def _operators(self, target: str, name: str) -> dict[str, Any]:
        type_name = VALUES[target][name][0]
        allowed = ["eq", "neq", "in", "nin", "isnull"] + (["gt", "gte", "lt", "lte"] if type_name in _ORDERED else [])
        allowed += _PATTERNS if type_name == "String" else ()
        made: dict[str, Any] = {}
        for _ in range(self._choice((1, 2, 1, 0))):
            operator = self._choice(allowed)
            if operator == "isnull":
                made[operator] = self._one_in(2)
            elif operator in _PATTERNS:
                made[operator] = self._pattern(operator, self._row_value(target, name))
            elif operator in ("in", "nin"):
                made[operator] = [self._row_value(target, name) for _ in range(self._choice((2, 1, 0, 5)))]
            else:
                nothing = operator in ("eq", "neq") and self._one_in(6)
                made[operator] = None if nothing else self._row_value(target, name)
        return made

    def _row_value(self, target: str, name: str) -> Any:
        """A value from a real row, or one beside it, in one of the forms in which a client may send it."""
        type_name, getter = VALUES[target][name]
        records = self.records[target]
        value = getter(self._choice(records))
        if value is None:
            value = next(found for record in records if (found := getter(record)) is not None)
        if type_name in _ENUMS:
            return _Enum(value.upper())
        if type_name == "ID":
            return self._choice((str(value), value, f"0{value}", "999999"))
        if type_name == "UUID":
            return self._choice((str(value), str(value).upper(), value.hex))
        if type_name == "Decimal":
            return self._choice((str(value), float(value), f"{value}000", f"{value}001"))
        if type_name == "DateTime":
            return self._choice((value.isoformat(), value.replace(tzinfo=None).isoformat(), f"{value:%Y-%m-%d}"))
        if type_name in ("Date", "Time"):
            return value.isoformat()
        return self._choice((value, value + 1)) if type_name in ("Int", "Float") else value

    # Values

    def _value(self, type_name: str, value: Any, *, may_be_null: bool = False) -> str:
        return self._variable(type_name, value, may_be_null=may_be_null) if self._one_in(3) else _literal(value)

    def _variable(self, type_name: str, value: Any, *, may_be_null: bool) -> str:
        """A variable with that value, by request or by default; or without one; or null."""
        name = f"v{self._number()}"
        kind = self._below(7)
        default = f" = {_literal(value)}" if kind == 6 else ""
        self.definitions.append(f"${name}: {type_name}{default}")
        for variables, choice in ((self.variables, kind), (self.others, self._below(6))):
            if choice == 5 and may_be_null:
                variables[name] = None
            elif choice < 4 or (type_name.endswith("!") and not default):
                is_other_condition = variables is self.others and type_name == "Boolean!"
                variables[name] = not value if is_other_condition else _sent(value)
        return f"${name}"

    def _written(self, type_name: str, value: dict[str, Any]) -> str:
        """A filter as a literal, some of its leaves as variables."""
        target = type_name.removesuffix("WhereInput")
        parts = []
        for key, below in value.items():
            if key in ("AND", "OR"):
                parts.append(f"{key}: [{' '.join(self._written(type_name, item) for item in below)}]")
            elif key == "NOT":
                parts.append(f"NOT: {self._written(type_name, below)}")
            elif key not in VALUES[target]:
                parts.append(f"{key}: {_literal(below)}")
            else:
                parts.append(f"{key}: {self._written_operators(VALUES[target][key][0], below)}")
        return f"{{{', '.join(parts)}}}"

    def _written_operators(self, type_name: str, operators: dict[str, Any]) -> str:
        types = {"in": f"[{type_name}!]", "nin": f"[{type_name}!]", "isnull": "Boolean"}
        parts = []
        for name, value in operators.items():
            if name in ("in", "nin") and value and self._one_in(3):
                parts.append(f"{name}: [{' '.join(self._value(f'{type_name}!', item) for item in value)}]")
            else:
                text = self._value(types.get(name, type_name), value, may_be_null=name in ("eq", "neq"))
                parts.append(f"{name}: {text}")
        return f"{{{', '.join(parts)}}}"


def _across(target: str) -> list[tuple[str, tuple[str, bool]]]:
    """The fields that conditions and orders lead across."""
    return [*_RELATIONS.get(target, {}).items(), *_EMBEDDED.get(target, {}).items()]


def _all_fields() -> set[str]:
    """Names that a leaf without an alias may have."""
    return {leaf for leaves in (*_LEAVES.values(), *_MORE_LEAVES.values()) for leaf in leaves}


def _literal(value: Any) -> str:
    if isinstance(value, _Enum):
        return value.name
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_literal(below)}' for key, below in value.items())}}}"
    return json.dumps(value, ensure_ascii=isinstance(value, str) and len(value) % 2 == 0)


def _sent(value: Any) -> Any:
    if isinstance(value, _Enum):
        return value.name
    if isinstance(value, list):
        return [_sent(item) for item in value]
    return {key: _sent(below) for key, below in value.items()} if isinstance(value, dict) else value


def _records(blog: Blog) -> dict[str, list[Record]]:
    rows = blog_rows(blog)
    sources = {name: schema.model.object_type(name).source for name in _RELATIONS}
    found = {name: [_record(row, source) for row in rows[str(source)]] for name, source in sources.items()}
    for owner, fields in _EMBEDDED.items():
        for name, (target, many) in fields.items():
            field = schema.model.object_type(owner).fields[name]
            held = [below for each in found[owner] if (below := _READER.embedded(field, each)) is not None]
            found[target] = [each for elements in held for each in elements] if many else held
    return found


def _record(row: Mapping[str, Any], source: Source | None) -> Record:
    return Record(row, row[source.jsonb_column] if source is not None and source.jsonb_column else None)


@st.composite
def random_queries(draw: Callable[[st.SearchStrategy[Any]], Any], blog: Blog) -> RandomQuery:
    """Queries whose arguments are drawn from the rows of a blog."""
    return _Writer(draw, _records(blog)).query()

"""What a generated module declares: classes, fields, relations and queries, with their names."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from fraiseql.catalog.facts import Catalog, Column, DataType, ForeignKey, Table
from fraiseql.catalog.naming import Names, pascal_case, plural, singular, snake_case
from fraiseql.catalog.types import Spelling, spelling_of
from fraiseql.schema.scalars import SCALARS

__all__ = ["EnumClass", "Member", "Outline", "TableClass", "outline"]

# Of the module: what it imports and defines. Of GraphQL: what each schema has, or may have.
_MODULE: Final = frozenset({"fraiseql", "dt", "sys", "schema", *keyword.kwlist, *dir(builtins)})
_ATTRIBUTES: Final = frozenset({"fraiseql", "dt", "sys", "list", "str", "int", "float", "bool", "dict"})
_TYPES: Final = frozenset(
    {
        *("Query", "Mutation", "Subscription", "OrderDirection", "Enum", "PageInfo", "Node"),
        *("DateUnit", "DateTimeUnit", "BigInt", "Bytes", "Interval", "UUID", "Decimal", "Any"),
        *("TextSearchConfig", "TextSearchInput", "TextSearchRankInput"),
        *SCALARS,
        *keyword.kwlist,
    }
)
_GENERATED: Final = (
    *("WhereInput", "OrderByInput", "Filter", "Input", "Connection", "Edge", "Aggregate", "Range", "SearchRank"),
    *(
        part + suffix
        for part in ("Aggregate", "CountDistinct", "Sum", "Avg", "Min", "Max")
        for suffix in ("", "WhereInput", "OrderByInput")
    ),
)
_PREFIXES: Final = ("tb_", "tv_", "mv_", "v_")
_KEYS: Final = ("_id", "_uuid", "_key", "_fk", "_code", "_no", "_pk")


@dataclass(frozen=True, slots=True)
class EnumClass:
    """An enum of the database."""

    name: str
    type: DataType


@dataclass(frozen=True, slots=True)
class Member:
    """A line of a class: a column, a relation, or what is left out, in words.

    Attributes:
        through: the source of the table between, whose columns `own` pairs with ours, and `on` with theirs.
    """

    name: str = ""
    annotation: str = ""
    column: Column | None = None
    spelling: Spelling | None = None
    on: tuple[tuple[str, str], ...] = ()
    through: str = ""
    own: tuple[tuple[str, str], ...] = ()
    left_out: str | None = None


@dataclass(slots=True)
class TableClass:
    """A table or view.

    Attributes:
        source: as `sql_source` names it.
        list_query: the query of its rows.
        row_query: the query of one row by its primary key.
    """

    table: Table
    name: str
    source: str
    names: Names
    list_query: str = ""
    row_query: str | None = None
    members: list[Member] = field(default_factory=list)

    @property
    def has_fields(self) -> bool:
        """Whether anything of it can be served."""
        return any(member.left_out is None for member in self.members)


@dataclass(frozen=True, slots=True)
class Outline:
    """All of a module; `left_out` says in words what has no class."""

    enums: tuple[EnumClass, ...]
    tables: tuple[TableClass, ...]
    left_out: tuple[str, ...]


def outline(catalog: Catalog) -> Outline:
    """Decide what is declared, and how it is named."""
    return _Outliner(catalog).made()


class _Types(Names):
    """Names of classes: neither a class nor what GraphQL generates for one may have the name of another."""

    def __init__(self) -> None:
        super().__init__(_TYPES, camel=False)

    def _take(self, name: str) -> bool:
        derived = {name + suffix for suffix in _GENERATED}
        bases = {name.removesuffix(suffix) for suffix in _GENERATED} - {name}
        if name in _TYPES or derived & self._taken or bases & self._taken:
            return False
        return super()._take(name)


class _Outliner:
    def __init__(self, catalog: Catalog) -> None:
        self._tables = sorted(
            {table.oid: table for table in catalog.found if table is not None}.values(),
            key=lambda table: (table.schema, table.name),
        )
        self._types = _Types()
        self._enums: dict[tuple[str, str], EnumClass] = {}
        self._identifying = _identifying(self._tables)

    def made(self) -> Outline:
        left_out: list[str] = []
        classes: list[TableClass] = []
        for table in sorted(self._tables, key=_claim):
            reason = _unusable(table)
            if reason is None:
                names = Names({*_ATTRIBUTES, *keyword.kwlist})
                names.give("search_rank")  # a key of orderBy
                each = TableClass(table, self._class_name(table), _source(table), names)
                classes.append(each)
            else:
                left_out.append(f"{table.quoted}: {reason}")
        for each in classes:
            each.members += self._columns(each)
        left_out += [f"{each.table.quoted}: no column can be read" for each in classes if not each.has_fields]
        classes = [each for each in classes if each.has_fields]
        self._relate({each.table.oid: each for each in classes})
        self._name_queries(classes)
        classes.sort(key=lambda each: (each.table.schema, each.table.name))
        enums = sorted(self._enums.values(), key=lambda each: each.name)
        return Outline(tuple(enums), tuple(classes), tuple(sorted(left_out)))

    def _class_name(self, table: Table) -> str:
        word = singular(snake_case(table.name, "table"))
        short = next((word.removeprefix(prefix) for prefix in _PREFIXES if word.startswith(prefix)), word)
        whole = snake_case(table.name, "table")
        candidates = [each for each in (short, word, whole, f"{snake_case(table.schema, 'schema')}_{word}") if each]
        return self._types.give(*(pascal_case(each, "table") for each in candidates))

    def _columns(self, each: TableClass) -> Iterator[Member]:
        table = each.table
        columns = sorted(
            (column for column in table.columns.values() if column.number > 0), key=lambda column: column.number
        )
        # Names that are good as they are come first, so that they stay.
        names: dict[str, str] = {}
        for column in sorted(columns, key=lambda column: snake_case(column.name, "column") != column.name):
            names[column.name] = each.names.give(snake_case(column.name, "column"))
        for column in columns:
            found = self._annotation(table, column)
            if not column.readable:
                yield Member(left_out=f"{column.quoted}: the role that asked may not select it")
            elif found is None:
                yield Member(left_out=f"{column.quoted}: no scalar for {column.shown}")
            else:
                text, spelling = found
                optional = "" if column.required and not table.is_view else " | None"
                yield Member(names[column.name], f"{text}{optional}", column, spelling)

    def _annotation(self, table: Table, column: Column) -> tuple[str, Spelling | None] | None:
        bare = column.type.bare
        element = bare if bare.element is None else bare.element.bare
        spelling: Spelling | None = None
        if element.kind == "e":
            if not all(element.labels) or not element.labels:
                return None
            text = self._enum(element)
        else:
            spelling = spelling_of(element, identifies=(table.oid, column.name) in self._identifying)
            if spelling is None:
                return None
            text = spelling.text
        if bare.element is None:
            return text, spelling
        text = f"list[{text} | None]"  # PostgreSQL cannot say that an element is not null
        for _ in range(1, column.dimensions):
            text = f"list[{text}]"
        return text, spelling

    def _enum(self, type: DataType) -> str:
        key = type.schema, type.name
        if key not in self._enums:
            name = pascal_case(type.name, "enum")
            if name.endswith(("List", "Relation")):  # its filter would have the name of another type's filter
                name += "Enum"
            given = self._types.give(name, f"{name}Enum", f"{pascal_case(type.schema, 'schema')}{name}")
            self._enums[key] = EnumClass(given, type)
        return self._enums[key].name

    def _relate(self, classes: Mapping[int, TableClass]) -> None:
        """Both directions of each foreign key: first all that lead to one row, since the others are named by them."""
        related: list[tuple[TableClass, ForeignKey, TableClass, bool]] = []
        for ours in classes.values():
            keys = [key for key in ours.table.foreign_keys if key.target in classes]
            for key in keys:
                theirs = classes[key.target]
                several = sum(other.target == key.target for other in keys) > 1
                name = ours.names.give(*_to_one(key, theirs, several))
                required = all(ours.table.columns[column].required for column in key.columns)
                optional = "" if required and key.valid and not theirs.table.secured else " | None"
                on = tuple(zip(key.target_columns, key.columns, strict=True))
                ours.members.append(Member(name, f"{theirs.name}{optional}", on=on))
                related.append((ours, key, theirs, several))
        for ours, key, theirs, several in sorted(related, key=lambda each: (each[0].source, each[1].name)):
            only = _is_unique(ours.table, key.columns)
            word = snake_case(ours.name, "table")
            word = word if only else plural(word)
            stem = f"{word}_by_{_stem(key) or _words(key)}"
            first = ["children"] if ours is theirs and _stem(key) == "parent" and not only else []
            candidates = [*first, stem] if several or ours is theirs else [word, stem]
            on = tuple(zip(key.columns, key.target_columns, strict=True))
            annotation = f"{ours.name} | None" if only else f"list[{ours.name}]"
            theirs.members.append(Member(theirs.names.give(*candidates), annotation, on=on))
        for between in sorted(classes.values(), key=lambda each: each.source):
            self._relate_through(between, classes)

    def _relate_through(self, between: TableClass, classes: Mapping[int, TableClass]) -> None:
        """Both directions of many-to-many, where a table is there to pair the rows of two, each pair once."""
        keys = _paired(between.table)
        if keys is None or any(key.target not in classes for key in keys):
            return
        for own, other in (keys, reversed(keys)):
            ours, theirs = classes[own.target], classes[other.target]
            word = plural(snake_case(theirs.name, "table"))
            by_table = f"{word}_by_{snake_case(between.name, 'table')}"
            by_key = f"{by_table}_{_stem(other) or _words(other)}"
            name = ours.names.give(*([by_key] if ours is theirs else [word, by_table, by_key]))
            member = Member(
                name,
                f"list[{theirs.name}]",
                on=tuple(zip(other.target_columns, other.columns, strict=True)),
                through=between.source,
                own=tuple(zip(own.columns, own.target_columns, strict=True)),
            )
            ours.members.append(member)

    def _name_queries(self, classes: list[TableClass]) -> None:
        taken = {each.name for each in classes} | {each.name for each in self._enums.values()}
        names = Names(_MODULE | taken)
        for each in classes:
            word = snake_case(each.name, "table")
            each.list_query = names.give(plural(word), f"{word}_list")
        for each in classes:
            keys = [_filtering(each, name) for name in each.table.primary_key]
            if keys and all(keys):
                word = snake_case(each.name, "table")
                each.row_query = names.give(word, f"{word}_by_{'_and_'.join(map(str, keys))}")


def _claim(table: Table) -> tuple[bool, bool, bool, str, str]:
    """Who has the first choice of a name: tables before views, and what is found by a plain name before the rest."""
    return table.is_view, not table.visible, snake_case(table.name, "table") != table.name, table.schema, table.name


def _unusable(table: Table) -> str | None:
    if "." in table.name or "." in table.schema:
        return "sql_source has no way to spell a name with a dot"
    return None if table.usable else "the role that asked may not use its schema"


def _source(table: Table) -> str:
    return table.name if table.visible else f"{table.schema}.{table.name}"


def _identifying(tables: list[Table]) -> set[tuple[int, str]]:
    """The columns that are a primary key alone, those that refer to one, and those of views that show either."""
    found = {(table.oid, table.primary_key[0]) for table in tables if len(table.primary_key) == 1}
    names = {(table.oid, column.number): column.name for table in tables for column in table.columns.values()}
    while True:
        more = {
            (table.oid, key.columns[0])
            for table in tables
            for key in table.foreign_keys
            if len(key.columns) == 1 and (key.target, key.target_columns[0]) in found
        }
        more |= {
            (view.oid, column)
            for view in tables
            for column, origin in view.origins.items()
            if (origin[0], names.get(origin)) in found
        }
        if more <= found:
            return found
        found |= more


def _words(key: ForeignKey) -> str:
    return "_and_".join(snake_case(column, "column") for column in key.columns)


def _paired(table: Table) -> tuple[ForeignKey, ForeignKey] | None:
    """The two foreign keys of a table of which no two rows have both alike."""
    if len(table.foreign_keys) != 2:
        return None
    first, second = sorted(table.foreign_keys, key=lambda key: key.columns)
    columns = {*first.columns, *second.columns}
    is_pair = len(columns) == len(first.columns) + len(second.columns)
    if not is_pair or not any(index.unique and set(index.columns) == columns for index in table.indexes):
        return None
    return first, second


def _stem(key: ForeignKey) -> str:
    """`author` for the only column `author_id`; nothing where a column's name has no such end."""
    word = _words(key) if len(key.columns) == 1 else ""
    return next((word.removesuffix(end).strip("_") for end in _KEYS if word.endswith(end)), "")


def _to_one(key: ForeignKey, theirs: TableClass, several: bool) -> list[str]:
    """Names for the row that a foreign key leads to, the best first."""
    target = snake_case(theirs.name, "table")
    by_columns = f"{target}_by_{_words(key)}"
    if stem := _stem(key):
        return [stem, by_columns]
    return [by_columns] if several else [target, by_columns]


def _is_unique(table: Table, columns: tuple[str, ...]) -> bool:
    return any(index.unique and set(index.columns) <= set(columns) for index in table.indexes)


def _filtering(each: TableClass, column: str) -> str | None:
    """The argument that asks for a value of a column; None where none can."""
    for member in each.members:
        if member.column is not None and member.column.name == column:
            filtered = member.spelling is None or SCALARS[member.spelling.scalar].filtered
            return member.name if filtered and not member.annotation.startswith("list[") else None
    return None

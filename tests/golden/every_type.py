"""One schema with every type: each scalar and enum, alone and in lists, nullable and not, in columns and in jsonb.

`load` fills its tables with few different values, so that many rows are equal in most of them, and many are null.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import psycopg

import fraiseql
from fraiseql import ID
from golden.every_scalar import OWN_KINDS, SCALARS, Colour, Email, Level, Size
from golden.oracle import JSON_NULL, KINDS, Kind, Rows

__all__ = ["ROWS", "Cell", "Document", "load", "schema"]

_COUNT: Final = 40
_NO_LISTS: Final = ("words",)  # they have no conditions, as test_types.py shows


def _annotations() -> Iterator[tuple[str, Any]]:
    for name, every in SCALARS.items():
        yield name, every.annotation
        yield f"maybe_{name}", every.annotation | None
        if name not in _NO_LISTS:
            yield f"list_of_{name}", list[every.annotation]
            yield f"maybe_list_of_{name}", list[every.annotation | None] | None


_Scalars: Any = type("_Scalars", (), {"__annotations__": dict(_annotations()), "__module__": __name__})


@fraiseql.type
class Country:
    """An object inside the jsonb of an object."""

    size: Size
    name: str | None
    nets: list[fraiseql.CIDR]


@fraiseql.type
class Place:
    """An object inside jsonb."""

    street: str
    floor: int | None
    opened: fraiseql.DateRange | None
    country: Country | None


class _Embedded:
    place: Place | None
    places: list[Place]
    maybe_places: list[Place | None] | None
    matrix: list[list[int]]


@fraiseql.type(sql_source="cells", jsonb_column=None)
class Cell(_Embedded, _Scalars):
    """Each field a column."""

    id: ID
    parent: Cell | None = fraiseql.relation(on={"id": "parent_id"})
    children: list[Cell] = fraiseql.relation(on={"parent_id": "id"}, default_page_size=2)
    document: Document | None = fraiseql.relation(on={"cell_id": "id"})
    documents: list[Document] = fraiseql.relation(on={"owner_id": "id"}, default_page_size=1, max_page_size=3)
    liked: list[Document] = fraiseql.relation(through="likes", own={"cell_id": "id"}, on={"id": "document_id"})
    label: str = fraiseql.field(sql="{code} || ' ' || {text}")
    half: Decimal | None = fraiseql.field(sql="{number} * 0.5")
    offspring: fraiseql.Connection[Cell] = fraiseql.relation(on={"parent_id": "id"}, default_page_size=2)
    friends: list[Cell] = fraiseql.relation(through="friends", own={"one_id": "id"}, on={"id": "other_id"})
    figures: fraiseql.Aggregate[Document] = fraiseql.relation(on={"owner_id": "id"})
    liked_groups: list[fraiseql.Group[Document]] = fraiseql.relation(
        through="likes", own={"cell_id": "id"}, on={"id": "document_id"}, max_page_size=7
    )


@fraiseql.type(sql_source="documents")
class Document(_Embedded, _Scalars):
    """Each field a key of a jsonb document."""

    id: ID = fraiseql.field(column="id")
    cell: Cell | None = fraiseql.relation(on={"id": "cell_id"})
    owner: Cell = fraiseql.relation(on={"id": "owner_id"})
    liked_by: list[Cell] = fraiseql.relation(through="likes", own={"document_id": "id"}, on={"id": "cell_id"})
    likes_count: int = fraiseql.field(sql="(select count(*) from likes l where l.document_id = {id})")
    fans: fraiseql.Connection[Cell] = fraiseql.relation(
        through="likes", own={"document_id": "id"}, on={"id": "cell_id"}, max_page_size=5
    )
    namesakes: list[Document] = fraiseql.relation(on={"owner_id": "owner_id", "kind": "kind"}, max_page_size=5)


_MATCHED: Final = {
    name: every.annotation | None for name, every in SCALARS.items() if name not in ("anything", "words")
}
Match = fraiseql.input(type("Match", (), {"__annotations__": _MATCHED, "__module__": __name__}))


@fraiseql.input
class Look:
    """An input type with defaults."""

    colour: Colour = Colour.RED
    maybe_size: Size | None = Size.LARGE
    email: Email | None


@fraiseql.query
def cells() -> list[Cell]: ...


@fraiseql.query(default_page_size=3)
def cells_by_page(flag: bool | None) -> fraiseql.Connection[Cell]: ...


@fraiseql.query
def cell(id: ID, code: ID | None) -> Cell | None: ...


@fraiseql.query(default_page_size=4)
def cells_like(match: Match, look: Look | None) -> list[Cell]: ...  # type: ignore[valid-type]


@fraiseql.query
def documents(level: Level | None = None) -> list[Document]: ...


@fraiseql.query
def document(id: ID) -> Document | None: ...


@fraiseql.query(default_page_size=2, max_page_size=7)
def documents_like(match: Match | None, span: fraiseql.Interval | None) -> list[Document] | None: ...  # type: ignore


@fraiseql.query
def cell_figures(match: Match | None) -> fraiseql.Aggregate[Cell]: ...  # type: ignore[valid-type]


@fraiseql.query
def cell_groups() -> list[fraiseql.Group[Cell]]: ...


@fraiseql.query(default_page_size=5)
def document_groups(level: Level | None) -> list[fraiseql.Group[Document]]: ...


schema: Final = fraiseql.Schema(
    queries=[
        *(cells, cells_by_page, cell, cells_like, documents, document, documents_like),
        *(cell_figures, cell_groups, document_groups),
    ],
    default_page_size=10,
    max_page_size=30,
)


class _Rows:
    """Draws rows; the same in every run."""

    def __init__(self) -> None:
        self._random = random.Random(20_240_229)

    def __call__(self) -> Rows:
        numbers = range(1, _COUNT + 1)
        return {
            "cells": [self._cell(number) for number in numbers],
            "documents": [self._document(number) for number in numbers],
            "likes": [{"cell_id": self._some(), "document_id": self._some()} for _ in range(60)],
            "friends": [{"one_id": self._some(), "other_id": self._some()} for _ in range(50)],
        }

    def _cell(self, number: int) -> dict[str, Any]:
        parent = self._random.randrange(1, number) if number > 1 and self._is(0.7) else None
        return {"id": number, "parent_id": parent, **self._scalars(), **self._embedded()}

    def _document(self, number: int) -> dict[str, Any]:
        held = {name: _held(name, value) for name, value in self._scalars().items()}
        held |= self._embedded()
        data = {name: value for name, value in held.items() if value is not None or self._is(0.5)}  # or no such key
        cell = 41 - number if self._is(0.8) else None
        return {"id": number, "cell_id": cell, "owner_id": self._some(), "kind": self._pick((None, 1, 2)), "data": data}

    def _scalars(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, every in SCALARS.items():
            values = every.values
            some = [value for value in values if value is not JSON_NULL]
            made[name] = self._pick(some)
            made[f"maybe_{name}"] = self._pick((*values, None, None))
            if name not in _NO_LISTS:
                made[f"list_of_{name}"] = self._list(some)
                made[f"maybe_list_of_{name}"] = self._list((*some, None)) if self._is(0.7) else None
        return made

    def _embedded(self) -> dict[str, Any]:
        return {
            "place": self._place() if self._is(0.7) else None,
            "places": [self._place() for _ in range(self._random.randrange(3))],
            "maybe_places": [self._place() if self._is(0.7) else None for _ in range(2)] if self._is(0.5) else None,
            "matrix": self._pick(([], [[1, 2], [3, 4]], [[5]])),
        }

    def _place(self) -> dict[str, Any]:
        nets = [_held("network", value) for value in self._list(SCALARS["network"].values)]
        country = {"size": self._pick(("small", "it's huge")), "name": self._pick((None, "é")), "nets": nets}
        days = self._pick((None, *(_held("days", value) for value in SCALARS["days"].values)))
        place = {"street": self._pick(SCALARS["text"].values), "opened": days}
        return (
            place | {"country": country}
            if self._is(0.5)
            else place | {"floor": self._pick((None, 0, 3)), "country": None}
        )

    def _list(self, values: Any) -> list[Any]:
        return [self._pick(values) for _ in range(self._random.randrange(4))]

    def _some(self) -> int:
        return self._random.randrange(1, _COUNT + 1)

    def _pick(self, values: Any) -> Any:
        return values[self._random.randrange(len(values))]

    def _is(self, likely: float) -> bool:
        return self._random.random() < likely


def kind_of(name: str) -> Kind:
    """Of a field of `SCALARS`."""
    declared = schema.model.types["Cell"].fields[name].type.name  # type: ignore[union-attr, index]
    return OWN_KINDS.get(declared) or KINDS.get(declared) or Kind(shown=lambda value: getattr(value, "value", value))


def _held(name: str, value: Any) -> Any:
    """A native value of a field as jsonb holds it; of a list, each."""
    if "list_of_" in name and value is not None:
        return [_held(name.removeprefix("maybe_").removeprefix("list_of_"), item) for item in value]
    if value is None or value is JSON_NULL:
        return None
    return f"\\x{value.hex()}" if isinstance(value, bytes) else kind_of(name.removeprefix("maybe_")).shown(value)


def _with_computed(rows: Mapping[str, Any]) -> Rows:
    """What SQL computes, computed here."""
    likes = [row["document_id"] for row in rows["likes"]]
    for row in rows["cells"]:
        row |= {"label": f"{row['code']} {row['text']}", "half": row["number"] * Decimal("0.5")}
    for row in rows["documents"]:
        row |= {"likes_count": likes.count(row["id"])}
    return rows


_COMPUTED: Final = ("label", "half", "likes_count")
ROWS: Final = _with_computed(_Rows()())
_DDL: Final = """
create type colour as enum ('red', 'green', 'blue sky');
create domain email as text check (value like '%@%');
create table documents (id integer primary key, cell_id integer, owner_id integer, kind integer, data jsonb);
create table likes (cell_id integer, document_id integer);
create table friends (one_id integer, other_id integer);
"""


def _definition() -> str:
    columns = ["id integer primary key", "parent_id integer", "matrix integer[]"]
    columns += [f"{name} jsonb" for name in ("place", "places", "maybe_places")]
    for name, every in SCALARS.items():
        columns += [f"{name} {every.sql}", f"maybe_{name} {every.sql}"]
        if name not in _NO_LISTS:
            columns += [f"list_of_{name} {every.sql}[]", f"maybe_list_of_{name} {every.sql}[]"]
    return f"{_DDL} create table cells ({', '.join(columns)});"


def load(conninfo: str) -> None:
    """Create the tables in an empty database and fill them."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(_definition().encode())
        for table, rows in ROWS.items():
            names = [name for name in rows[0] if name not in _COMPUTED]
            with connection.cursor().copy(f"copy {table} ({', '.join(names)}) from stdin".encode()) as copy:
                for row in rows:
                    copy.write_row([_copied(name, row[name]) for name in names])


def _copied(name: str, value: Any) -> Any:
    """A value as COPY takes it."""
    if name in ("data", "place", "places", "maybe_places"):
        return None if value is None else json.dumps(value)
    if "list_of_" in name and value is not None:
        return [_copied(name.removeprefix("maybe_").removeprefix("list_of_"), item) for item in value]
    if name.removeprefix("maybe_") == "anything":
        return None if value is None else json.dumps(None if value is JSON_NULL else value)
    return _held(name, value) if name.removeprefix("maybe_") in SCALARS else value

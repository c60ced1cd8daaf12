"""From the inputs of a mutation to the rows of one statement, nested ones included."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from fraiseql.errors import RequestError
from fraiseql.pipeline.sql.inserts import Insert, Reference, is_there
from fraiseql.pipeline.sql.values import Values
from fraiseql.schema.fields import Source, TypeReference
from fraiseql.schema.model import ObjectType, SchemaModel
from fraiseql.schema.numbers import json_text, stored_number
from fraiseql.schema.table_actions import NestedRows, Nesting, WrittenTable
from fraiseql.schema.table_inputs import CONNECT, CREATE

__all__ = ["Address", "WrittenRows", "column_values", "wrong"]

Address: TypeAlias = tuple[int, int]
"""Of a row: the s-th insert of its place, from 0, and the n-th row of that, from 1."""

_Way: TypeAlias = tuple[str, ...]
_BETWEEN: Final = "+"  # no relation's name
_MAX_INSERTS: Final = 100  # of one statement, each planned: rows with the same columns share one


def column_values(
    model: SchemaModel, table: WrittenTable, given: Mapping[str, Any], path: tuple[str, ...], place: str
) -> dict[str, Any]:
    """What is written to which columns, of the fields of an input that are columns.

    Raises:
        RequestError: null for a field that is never null.
    """
    values: dict[str, Any] = {}
    for name, value in given.items():
        column = table.columns.get(name)
        if column is None:
            continue
        if value is None and not column.field.type.nullable:
            raise wrong(f'The argument "{place}.{name}" must not be null; leave it out instead', path)
        values[column.column] = _stored(model, column.field.type, value)
    return values


def _stored(model: SchemaModel, reference: TypeReference, value: Any) -> Any:
    """A value as a column or jsonb holds it: an object by the keys of its fields, numbers with all their digits."""
    if value is None:
        return None
    if reference.item is not None:
        return [_stored(model, reference.item, each) for each in value]
    named = model.types[reference.name]
    if not isinstance(named, ObjectType):
        return stored_number(named.name, value)
    return {named.fields[name].key: _stored(model, named.fields[name].type, each) for name, each in value.items()}


def _is_needed(table: WrittenTable, name: str) -> bool:
    """Whether a new row must have a field."""
    return name not in table.optional and not table.columns[name].field.type.nullable


def wrong(message: str, path: tuple[str, ...]) -> RequestError:
    """The error for a mistake of the client's."""
    return RequestError(f"{message}.", code="BAD_USER_INPUT", path=path)


class WrittenRows:
    """Collects the rows of one field of a mutation.

    Args:
        tables: of all types.
        path: the field's in the response.
        most: how many rows there may be, of all tables together.
    """

    def __init__(
        self, model: SchemaModel, tables: Mapping[str, WrittenTable], path: tuple[str, ...], most: int
    ) -> None:
        self._model = model
        self._tables = tables
        self._path = path
        self._most = most
        self._count = 0
        self._places: dict[_Way, int] = {(): 0}
        self._inserts: dict[Insert, tuple[int, list[dict[str, Any]]]] = {}
        self._sizes: dict[int, int] = {}  # how many inserts a place has
        self._connected: dict[str, list[tuple[Any, str]]] = {}  # keys and their places among the arguments, by type

    @property
    def inserts(self) -> tuple[Insert, ...]:
        """What the statement is made of."""
        return tuple(self._inserts)

    @property
    def connected(self) -> tuple[str, ...]:
        """The conditions that rows which others are bound to are there: one for each of their types."""
        values = Values(self._model)
        return tuple(
            is_there(values, self._model.object_type(name), self._tables[name].key) for name in self._connected
        )

    def connected_place(self, number: int, index: int) -> str:
        """Where among the arguments the key of such a row is: of the type so numbered, from 0, the n-th, from 1."""
        return list(self._connected.values())[number][index - 1][1]

    def parameters(self) -> list[bytes]:
        """The rows of each insert, and the keys of `connected`."""
        given: list[list[Any]] = [rows for _, rows in self._inserts.values()]
        given += [[key for key, _ in keys] for keys in self._connected.values()]
        return [json_text(each).encode() for each in given]

    def counts(self) -> list[int]:
        """How many rows each insert has."""
        return [len(rows) for _, rows in self._inserts.values()]

    def add(
        self,
        table: WrittenTable,
        given: Mapping[str, Any],
        place: str,
        way: _Way = (),
        bound: Sequence[tuple[Reference, Address]] = (),
    ) -> Address:
        """Add a row and those that are nested in it.

        Args:
            place: of the input among the arguments.
            way: the names of the relations that lead to it.
            bound: the rows that fill columns of it.

        Raises:
            RequestError: the client's mistake.
        """
        values = column_values(self._model, table, given, self._path, place)
        values.update(table.constants)
        filled = {own for reference, _ in bound for own, _ in reference.pairs}
        for nested in self._parents(table, given, place, filled):
            bound = [*bound, *self._parent(nested, given[nested.name], values, f"{place}.{nested.name}", way)]
        address = self._put(table.table, values, way, bound)
        for nested in table.nested.values():
            below = given.get(nested.name)
            if nested.nesting is Nesting.CHILD and below is not None:
                self._child(nested, below, f"{place}.{nested.name}", way, address)
            elif nested.nesting is not Nesting.PARENT:
                add = self._linked if nested.nesting is Nesting.LINKED else self._child
                for index, each in enumerate(below or ()):
                    add(nested, each, f"{place}.{nested.name}[{index}]", way, address)
        return address

    def _parents(
        self, table: WrittenTable, given: Mapping[str, Any], place: str, filled: Collection[str]
    ) -> list[NestedRows]:
        """What is given of the rows that a row names.

        Args:
            filled: the columns that rows above it fill.

        Raises:
            RequestError: a column has no value, or several that need not be the same.
        """
        parents = [each for each in table.nested.values() if each.nesting is Nesting.PARENT]
        parents = [each for each in parents if not {own for _, own in each.on} & set(filled)]
        chosen = [each for each in parents if given.get(each.name) is not None]
        taken: dict[str, NestedRows] = {}
        for nested in chosen:
            for _, own in nested.on:
                other, name = taken.setdefault(own, nested), table.field_of(own)
                # That new rows which share a column have the same there is for the statement to see.
                are_new = CREATE in given[nested.name] and CREATE in given[other.name]
                if name in given or not (other is nested or are_new):
                    second = name if name in given else other.name
                    message = f'The arguments "{place}.{nested.name}" and "{place}.{second}" exclude each other'
                    raise wrong(message, self._path)
        for nested in parents:
            for name in [table.field_of(own) for _, own in nested.on if own not in taken]:
                if name is not None and name not in given and _is_needed(table, name):
                    message = f'One of the arguments "{place}.{nested.name}" and "{place}.{name}" is needed'
                    raise wrong(message, self._path)
        return chosen

    def _parent(
        self, nested: NestedRows, choice: Mapping[str, Any], values: dict[str, Any], place: str, way: _Way
    ) -> list[tuple[Reference, Address]]:
        """Bind a row to one that it names: to a new one, or by its values to one that is there."""
        ((chosen, value),) = choice.items()
        if chosen != CREATE:
            values[nested.on[0][1]] = self._connect(nested, value, place)
            return []
        below = (*way, nested.name)
        address = self.add(self._tables[nested.target], value, f"{place}.{CREATE}", below)
        return [(self._reference(below, [(own, theirs) for theirs, own in nested.on]), address)]

    def _child(self, nested: NestedRows, given: Mapping[str, Any], place: str, way: _Way, owner: Address) -> None:
        """Add a row that names its owner."""
        bound = [(self._reference(way, nested.on), owner)]
        self.add(self._tables[nested.target], given, place, (*way, nested.name), bound)

    def _linked(self, nested: NestedRows, given: Mapping[str, Any], place: str, way: _Way, owner: Address) -> None:
        """Add a row of the table between, and the one that it leads to where that is new."""
        assert nested.through is not None
        below, values = (*way, nested.name), dict[str, Any]()
        bound = [(self._reference(way, nested.through.own), owner)]
        ((chosen, value),) = given.items()
        if chosen == CREATE:
            address = self.add(self._tables[nested.target], value, f"{place}.{CREATE}", below)
            bound.append((self._reference(below, [(its, theirs) for theirs, its in nested.on]), address))
        else:
            values[nested.on[0][1]] = self._connect(nested, value, place)
        self._put(nested.through.source, values, (*below, _BETWEEN), bound)

    def _connect(self, nested: NestedRows, key: Any, place: str) -> Any:
        """The key of a row that must be there."""
        value = _stored(self._model, self._tables[nested.target].key.type, key)
        self._connected.setdefault(nested.target, []).append((value, f"{place}.{CONNECT}"))
        return value

    def _reference(self, way: _Way, pairs: Iterable[tuple[str, str]]) -> Reference:
        return Reference(self._places[way], tuple(pairs))

    def _put(
        self, table: Source, values: Mapping[str, Any], way: _Way, bound: Sequence[tuple[Reference, Address]]
    ) -> Address:
        self._count += 1
        if self._count > self._most:
            raise wrong(f"The mutation writes more than {self._most} rows, which is the limit", self._path)
        place = self._places.setdefault(way, len(self._places))
        filled = {own for reference, _ in bound for own, _ in reference.pairs}
        columns = tuple(sorted(column for column in values if column not in filled))
        insert = Insert(place, table, columns, tuple(reference for reference, _ in bound))
        if insert not in self._inserts:
            if len(self._inserts) == _MAX_INSERTS:
                message = f"The rows that the mutation writes have more than {_MAX_INSERTS} different sets of fields."
                raise RequestError(message, code="QUERY_TOO_COMPLEX", path=self._path)
            number = self._sizes.get(place, 0)
            self._sizes[place] = number + 1
            self._inserts[insert] = (number, [])
        number, rows = self._inserts[insert]
        row: dict[str, Any] = {"v": {column: values[column] for column in columns}}
        if bound:
            row["r"] = [list(address) for _, address in bound]
        rows.append(row)
        return number, len(rows)

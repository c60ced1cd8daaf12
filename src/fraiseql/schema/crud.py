"""What a user asks for of a type's table, remembered on the class for `build` to read and check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from fraiseql.errors import SchemaError
from fraiseql.schema.declarations import TypeDeclaration, declaration_of

__all__ = ["CrudDeclaration", "crud", "crud_of"]

_Class = TypeVar("_Class", bound=Callable[..., Any])
_ATTRIBUTE: Final = "__fraiseql_crud__"


@dataclass(frozen=True, slots=True)
class CrudDeclaration:
    """What `crud` was given; names are those of attributes.

    Attributes:
        upsert: what rows are found by: one tuple for each choice; none for no upsert.
        table: None where the type's source is the table.
        columns: of the table, by attribute.
    """

    create: bool
    update: bool
    delete: bool
    upsert: tuple[tuple[str, ...], ...]
    many: bool
    table: str | None
    columns: Mapping[str, str]
    key: str
    generated: tuple[str, ...]
    optional: tuple[str, ...]
    read_only: tuple[str, ...]
    nested: tuple[str, ...]
    plural: str | None

    @property
    def has_fields(self) -> bool:
        """Whether it makes any field of Mutation."""
        return self.create or self.update or self.delete or bool(self.upsert)


def crud(
    cls: _Class,
    /,
    *,
    create: bool = False,
    update: bool = False,
    delete: bool = False,
    upsert: bool | Iterable[str] | Iterable[Iterable[str]] = False,
    many: bool = True,
    table: str | None = None,
    columns: Mapping[str, str] | None = None,
    key: str = "id",
    generated: Iterable[str] = (),
    optional: Iterable[str] = (),
    read_only: Iterable[str] = (),
    nested: Iterable[str] = (),
    plural: str | None = None,
) -> _Class:
    """Give a type mutations that write its table: each Schema that has the type has them too.

    Every name is that of an attribute of the class. Without create, update, delete and upsert it only says how other
    types' mutations may create rows of this one along with theirs.

    Args:
        cls: a class under `@fraiseql.type` with a `sql_source`.
        create: `createUser` and `createUsers`.
        update: `updateUser` and `updateUsers`.
        delete: `deleteUser` and `deleteUsers`.
        upsert: `upsertUser` and `upsertUsers`: the attributes that tell a row from all others, on whose columns there
            is a unique index; True for the key. Several tuples of them make a choice, the first by default.
        many: whether there are the forms for many rows.
        table: the table behind a view or behind jsonb, `schema.name` or `name`, exactly as PostgreSQL spells it.
        columns: columns of the table by attribute; where it says nothing, a field is in the column that it names
            itself, or in the one of its own name.
        key: what a row is named by; one value, unique and never null.
        generated: what the database makes itself: no input has it.
        optional: what the database has a default for: creating a row does not need it.
        read_only: what is no column of the table.
        nested: relations along which rows are created in the same mutation; their types need `crud` as well.
        plural: of the type's name, as `People`; made from it by default.

    Raises:
        SchemaError: an option is of the wrong kind, or the class is no type.
    """
    where = f"crud({getattr(cls, '__name__', cls)!s})"
    _check_class(cls, where)
    _check_flags({"create": create, "update": update, "delete": delete, "many": many}, where)
    _check_names(key, columns, where)
    left = CrudDeclaration(
        *(create, update, delete, _targets(upsert, key, where), many, table, dict(columns or {}), key),
        generated=_names(generated, f"{where} (generated)"),
        optional=_names(optional, f"{where} (optional)"),
        read_only=_names(read_only, f"{where} (read_only)"),
        nested=_names(nested, f"{where} (nested)"),
        plural=plural,
    )
    setattr(cls, _ATTRIBUTE, left)
    return cls


def _check_class(cls: Any, where: str) -> None:
    if not isinstance(declaration_of(cls), TypeDeclaration):
        raise SchemaError(where, found=repr(cls), expected="a class under @fraiseql.type")
    if crud_of(cls) is not None:
        raise SchemaError(where, found="a second crud(...)", expected="one for each type")


def _check_flags(flags: Mapping[str, Any], where: str) -> None:
    for option, given in flags.items():
        if not isinstance(given, bool):
            raise SchemaError(f"{where} ({option})", found=repr(given), expected="True or False")


def _check_names(key: Any, columns: Any, where: str) -> None:
    if not isinstance(key, str):
        raise SchemaError(f"{where} (key)", found=repr(key), expected="the name of an attribute")
    if columns is not None and not isinstance(columns, Mapping):
        raise SchemaError(f"{where} (columns)", found=repr(columns), expected='{"attribute": "column"}')


def crud_of(cls: object) -> CrudDeclaration | None:
    """What `crud` left on this very class, inherited ones not counted."""
    found = getattr(cls, "__dict__", {}).get(_ATTRIBUTE)
    return found if isinstance(found, CrudDeclaration) else None


def _names(given: Any, where: str) -> tuple[str, ...]:
    names = () if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
    if isinstance(given, str) or not isinstance(given, Iterable) or not all(isinstance(each, str) for each in names):
        raise SchemaError(where, found=repr(given), expected='("attribute", ...)')
    if len(set(names)) < len(names):
        raise SchemaError(where, found=repr(given), expected="each name once")
    return names


def _targets(given: Any, key: str, where: str) -> tuple[tuple[str, ...], ...]:
    where = f"{where} (upsert)"
    if isinstance(given, bool):
        return ((key,),) if given else ()
    expected = 'True, ("attribute", ...), or several such tuples'
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SchemaError(where, found=repr(given), expected=expected)
    several = tuple(given)
    if not several or (
        any(not isinstance(each, str) for each in several) and any(isinstance(each, str) for each in several)
    ):
        raise SchemaError(where, found=repr(given), expected=expected)
    found = (_names(several, where),) if isinstance(several[0], str) else tuple(_names(each, where) for each in several)
    if not all(found) or len(set(map(frozenset, found))) < len(found):
        raise SchemaError(where, found=repr(given), expected=expected)
    return found

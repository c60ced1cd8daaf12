"""The functions that mutations call, as pg_catalog tells of them: one row, for each name those that bear it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from fraiseql.catalog.facts import DataType
from fraiseql.effects import Fetch, Row, Statement
from fraiseql.schema.function_actions import FunctionAction
from fraiseql.schema.model import SchemaModel, Source

__all__ = [
    "FoundFunctions",
    "Named",
    "SqlFunction",
    "SqlParameter",
    "functions_of",
    "functions_statement",
    "read_functions",
]


@dataclass(frozen=True, slots=True)
class SqlParameter:
    """An argument that a function is called with; `name` is empty where it has none."""

    name: str
    type: DataType
    shown: str
    has_default: bool


@dataclass(frozen=True, slots=True)
class SqlFunction:
    """A function.

    Attributes:
        signature: as SQL spells it, with the types of its arguments.
        kind: pg_proc.prokind: f(unction), p(rocedure), a(ggregate), w(indow).
        returned: what it returns, or each of a set.
        shown: the same as SQL spells it.
        columns: of what it returns, where that is a row; None where it is none, or nobody knows its columns.
        is_variadic: whether its last argument takes any number of values.
        is_volatile: whether it may write.
        executable: whether the role may call it.
    """

    signature: str
    kind: str
    parameters: tuple[SqlParameter, ...]
    returned: DataType
    shown: str
    columns: Mapping[str, DataType] | None
    is_set: bool
    is_variadic: bool
    is_volatile: bool
    executable: bool


@dataclass(frozen=True, slots=True)
class Named:
    """The functions of one name.

    Attributes:
        usable: whether the role may use their schema.
        names: of the functions there are beside them.
    """

    functions: tuple[SqlFunction, ...]
    usable: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundFunctions:
    """The answer: those of each name that was asked for, and the role that asked, as SQL spells it."""

    role: str
    found: tuple[Named, ...]


def functions_of(model: SchemaModel) -> list[Source]:
    """The functions that a schema names, each once, in the order that they are asked for."""
    actions = (mutation.action for mutation in model.mutations.values())
    named = (action.function for action in actions if isinstance(action, FunctionAction))
    return list(dict.fromkeys(named))


def functions_statement(functions: Iterable[Source]) -> Fetch:
    """Ask for functions by their names."""
    wanted = orjson.dumps([{"schema": each.schema, "name": each.name} for each in functions])
    return Fetch(_STATEMENT, (wanted,))


def read_functions(row: Row) -> FoundFunctions:
    """The answer."""
    answer = orjson.loads(row[0] or b"null")
    found = [
        Named(tuple(map(_function, each["functions"])), each["usable"], tuple(each["names"]))
        for each in answer["found"]
    ]
    return FoundFunctions(answer["role"], tuple(found))


def _function(raw: Any) -> SqlFunction:
    first_default = len(raw["parameters"]) - raw["defaults"]
    parameters = tuple(
        SqlParameter(each["name"] or "", _type(each["type"]), each["type"]["shown"], place >= first_default)
        for place, each in enumerate(raw["parameters"])
    )
    columns = None if raw["columns"] is None else {each["name"]: _type(each["type"]) for each in raw["columns"]}
    return SqlFunction(
        *(raw["signature"], raw["kind"], parameters, _type(raw["returned"]), raw["returned"]["shown"], columns),
        *(raw["set"], raw["variadic"], raw["volatile"], raw["executable"]),
    )


def _type(raw: Any) -> DataType:
    base = None if raw["base"] is None else DataType("", raw["base"], raw["base_kind"])
    element = None if raw["element"] is None else DataType("", raw["element"], raw["element_kind"])
    return DataType(
        raw["schema"], raw["name"], raw["kind"], base=base, element=element, labels=tuple(raw["labels"] or ())
    )


# What is told of a type, by its oid.
_TYPE: Final = """(
    select json_build_object(
        'schema', n.nspname, 'name', t.typname, 'kind', t.typtype, 'shown', format_type(t.oid, null),
        'base', b.typname, 'base_kind', b.typtype, 'element', e.typname, 'element_kind', e.typtype,
        'labels', (select json_agg(l.enumlabel order by l.enumsortorder) from pg_enum l where l.enumtypid = t.oid)
    )
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    left join pg_type b on b.oid = t.typbasetype
    left join pg_type e on e.oid = t.typelem and e.typarray = t.oid
    where t.oid = {}
)"""
_ALL: Final = """\
with wanted as (
    select w.place, w.value ->> 'schema' as schema, w.value ->> 'name' as name
    from json_array_elements($1::json) with ordinality w(value, place)
)
select json_build_object('role', quote_ident(current_user), 'found', (
    select coalesce(json_agg(json_build_object(
        'usable', coalesce(
            (select has_schema_privilege(n.oid, 'usage') from pg_namespace n where n.nspname = w.schema), true
        ),
        'names', (
            select coalesce(json_agg(distinct concat(w.schema || '.', p.proname)), '[]')
            from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where case when w.schema is null then pg_function_is_visible(p.oid) and n.nspname <> 'pg_catalog'
                else n.nspname = w.schema end
        ),
        'functions', (
            select coalesce(json_agg(json_build_object(
                'signature', p.oid::regprocedure::text,
                'kind', p.prokind,
                'defaults', p.pronargdefaults,
                'set', p.proretset,
                'variadic', p.provariadic <> 0,
                'volatile', p.provolatile = 'v',
                'executable', has_function_privilege(p.oid, 'execute'),
                'returned', {returned},
                'parameters', (
                    select coalesce(json_agg(json_build_object(
                        'name', p.proargnames[a.place], 'type', {argument}
                    ) order by a.place), '[]')
                    from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality a(type, place)
                    where coalesce(p.proargmodes[a.place], 'i') in ('i', 'b', 'v')
                ),
                'columns', case when p.prorettype = 'record'::regtype then (
                    select json_agg(json_build_object(
                        'name', p.proargnames[a.place], 'type', {argument}
                    ) order by a.place)
                    from unnest(p.proallargtypes) with ordinality a(type, place)
                    where p.proargmodes[a.place] in ('o', 'b', 't')
                ) else (
                    select json_agg(json_build_object('name', c.attname, 'type', {column}) order by c.attnum)
                    from pg_type t left join pg_type b on b.oid = t.typbasetype
                    join pg_attribute c on c.attrelid = coalesce(nullif(b.typrelid, 0), t.typrelid)
                    where t.oid = p.prorettype and c.attnum > 0 and not c.attisdropped
                ) end
            ) order by p.oid), '[]')
            from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where p.proname = w.name
                and case when w.schema is null then pg_function_is_visible(p.oid) else n.nspname = w.schema end
        )
    ) order by w.place), '[]')
    from wanted w
))::text"""
_TYPES: Final = {"returned": "p.prorettype", "argument": "a.type", "column": "c.atttypid"}
_STATEMENT: Final = Statement(_ALL.format(**{name: _TYPE.format(oid) for name, oid in _TYPES.items()}).encode(), 1)

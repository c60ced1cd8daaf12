"""The statements that ask pg_catalog, each one row, and what they answer as facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from fraiseql.catalog.facts import Catalog, Column, DataType, ForeignKey, Index, Table
from fraiseql.catalog.views import origins_of
from fraiseql.effects import Fetch, Row, Statement

__all__ = ["read_catalog", "schemas_statement", "sources_statement"]


def sources_statement(sources: Iterable[tuple[str | None, str]]) -> Fetch:
    """Ask for sources, `(schema, name)` each, the schema being None for the search path, and for what views read."""
    wanted = orjson.dumps([{"schema": schema, "name": name} for schema, name in sources])
    return Fetch(_SOURCES, (wanted,))


def schemas_statement(schemas: Iterable[str], tables: Iterable[str]) -> Fetch:
    """Ask for all tables and views of some schemas.

    Args:
        tables: only those of these names; all where there are none. A partition, and what belongs to an extension or
            to the outbox, comes only if it is named.
    """
    return Fetch(_SCHEMAS, (orjson.dumps(list(schemas)), orjson.dumps(list(tables))))


def read_catalog(row: Row) -> Catalog:
    """The answer to either statement."""
    answer = orjson.loads(row[0] or b"null")
    types: dict[int, DataType] = {}
    raw_types = {raw["oid"]: raw for raw in answer["types"]}
    for oid in raw_types:
        _type(oid, raw_types, types)
    names = {raw["oid"]: {column["number"]: column["name"] for column in raw["columns"]} for raw in answer["relations"]}
    tables = {raw["oid"]: _table(raw, types, names) for raw in answer["relations"]}
    found = tuple(None if oid is None else tables[oid] for oid in answer["found"])
    return Catalog(answer["role"], found, tables, tuple(answer["names"] or ()))


def _type(oid: int, raw_types: Mapping[int, Any], made: dict[int, DataType]) -> DataType:
    if oid not in made:
        raw = raw_types[oid]
        made[oid] = DataType(
            raw["schema"],
            raw["name"],
            raw["kind"],
            raw["comment"],
            _type(raw["base"], raw_types, made) if raw["base"] else None,
            _type(raw["element"], raw_types, made) if raw["element"] else None,
            raw["required"],
            tuple(raw["labels"] or ()),
            tuple(raw["checks"] or ()),
        )
    return made[oid]


def _required(type: DataType) -> bool:
    return type.required or (type.base is not None and _required(type.base))


def _table(raw: Any, types: Mapping[int, DataType], names: Mapping[int, Mapping[int, str]]) -> Table:
    ours = names[raw["oid"]]
    columns = (_column(column, types) for column in raw["columns"])
    return Table(
        raw["oid"],
        raw["schema"],
        raw["name"],
        raw["quoted"],
        raw["quoted_schema"],
        raw["kind"],
        {column.name: column for column in columns},
        raw["visible"],
        raw["usable"],
        raw["secured"],
        raw["comment"],
        tuple(ours[number] for number in raw["primary_key"] or ()),
        _foreign_keys(raw["foreign_keys"], ours, names),
        _indexes(raw["indexes"], ours),
        _checks(raw["checks"], ours),
        origins_of(raw["definition"] or ""),
        raw["deletable"],
        raw["shadowed"],
    )


def _column(raw: Any, types: Mapping[int, DataType]) -> Column:
    type = types[raw["type"]]
    return Column(
        raw["number"],
        raw["name"],
        raw["quoted"],
        type,
        raw["shown"],
        raw["required"] or _required(type),
        raw["readable"],
        raw["dimensions"],
        raw["comment"],
        raw["has_default"],
        raw["is_generated"],
        raw["insertable"],
        raw["updatable"],
    )


def _foreign_keys(raw: Any, ours: Mapping[int, str], names: Mapping[int, Mapping[int, str]]) -> tuple[ForeignKey, ...]:
    keys = [
        ForeignKey(
            key["name"],
            tuple(ours[number] for number in key["columns"]),
            key["target"],
            tuple(names[key["target"]][number] for number in key["target_columns"]),
            key["valid"],
        )
        for key in raw
        if key["target"] in names
    ]
    return tuple(sorted(keys, key=lambda key: (key.columns, key.name)))


def _indexes(raw: Any, ours: Mapping[int, str]) -> tuple[Index, ...]:
    indexes = [
        Index(
            tuple(ours.get(number, "") for number in index["columns"]),
            *(index["unique"], index["method"], index["immediate"]),
        )
        for index in raw
    ]
    return tuple(sorted(indexes, key=lambda index: (index.columns, index.method)))


def _checks(raw: Any, ours: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
    checks: dict[str, tuple[str, ...]] = {}
    for check in raw:
        name = ours[check["column"]]
        checks[name] = (*checks.get(name, ()), check["text"])
    return checks


# Sources as a statement would find them. A relation that none may see is found all the same: who lacks a privilege
# shall be told so.
_WANTED_SOURCES: Final = """\
with recursive
path as (
    select n.oid, s.place
    from unnest(current_schemas(true)) with ordinality s(name, place) join pg_namespace n on n.nspname = s.name
),
wanted as (
    select w.place, found.oid
    from json_array_elements($1::json) with ordinality w(value, place)
    left join lateral (
        select c.oid
        from pg_class c join pg_namespace n on n.oid = c.relnamespace left join path p on p.oid = n.oid
        where c.relname = w.value->>'name' and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and case when w.value->>'schema' is null then p.oid is not null else n.nspname = w.value->>'schema' end
        order by p.place limit 1
    ) found on true
),
related as (
    select oid from wanted where oid is not null
    union
    select d.refobjid
    from related r
    join pg_rewrite w on w.ev_class = r.oid and w.rulename = '_RETURN'
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
        and d.refclassid = 'pg_class'::regclass and d.deptype = 'n'
),
"""

_WANTED_SCHEMAS: Final = """\
with recursive
chosen as (
    select array(select json_array_elements_text($1::json)) as schemas,
        array(select json_array_elements_text($2::json)) as tables
),
wanted as (
    select c.oid, row_number() over (order by n.nspname, c.relname) as place
    from chosen, pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any (chosen.schemas) and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and case
            when cardinality(chosen.tables) > 0 then c.relname = any (chosen.tables)
            else not c.relispartition and c.relname !~ '^fraiseql_(outbox|idempotency)'
                and not exists (
                    select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
                )
        end
),
related as (select oid from wanted),
"""

_FACTS: Final = """\
types as (
    select a.atttypid as oid
    from related r join pg_attribute a on a.attrelid = r.oid
    where a.attnum <> 0 and not a.attisdropped
    union
    select below.oid
    from types t
    join pg_type p on p.oid = t.oid
    left join pg_type e on e.oid = p.typelem and e.typarray = p.oid
    cross join lateral (values (p.typbasetype), (e.oid)) below(oid)
    where below.oid <> 0
)
select json_build_object(
    'role', quote_ident(current_user),
    'found', (select coalesce(json_agg(oid::int8 order by place), '[]') from wanted),
    'names', case when exists (select from wanted where oid is null) then (
        select json_agg(case when pg_table_is_visible(c.oid) then '' else n.nspname || '.' end || c.relname
            order by n.nspname, c.relname)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_|^information_schema$'
    ) end,
    'types', (
        select coalesce(json_agg(json_build_object(
            'oid', p.oid::int8,
            'schema', n.nspname,
            'name', p.typname,
            'kind', p.typtype,
            'comment', obj_description(p.oid, 'pg_type'),
            'base', p.typbasetype::int8,
            'element', e.oid::int8,
            'required', p.typnotnull,
            'labels', (
                select json_agg(l.enumlabel order by l.enumsortorder) from pg_enum l where l.enumtypid = p.oid
            ),
            'checks', (
                select json_agg(pg_get_constraintdef(k.oid) order by k.conname) from pg_constraint k
                where k.contypid = p.oid and k.contype = 'c'
            )
        )), '[]')
        from types t
        join pg_type p on p.oid = t.oid
        join pg_namespace n on n.oid = p.typnamespace
        left join pg_type e on e.oid = p.typelem and e.typarray = p.oid
    ),
    'relations', (
        select coalesce(json_agg(json_build_object(
            'oid', c.oid::int8,
            'schema', n.nspname,
            'name', c.relname,
            'quoted', case when pg_table_is_visible(c.oid) then '' else quote_ident(n.nspname) || '.' end
                || quote_ident(c.relname),
            'quoted_schema', quote_ident(n.nspname),
            'kind', c.relkind,
            'comment', obj_description(c.oid, 'pg_class'),
            'visible', pg_table_is_visible(c.oid),
            'usable', has_schema_privilege(n.oid, 'usage'),
            'secured', c.relrowsecurity,
            'deletable', has_table_privilege(c.oid, 'delete'),
            'shadowed', exists (
                select from pg_type p where p.typname = c.relname and p.typnamespace = 'pg_catalog'::regnamespace
            ),
            'columns', (
                select coalesce(json_agg(json_build_object(
                    'number', a.attnum,
                    'name', a.attname,
                    'quoted', quote_ident(a.attname),
                    'type', a.atttypid::int8,
                    'shown', format_type(a.atttypid, a.atttypmod),
                    'dimensions', a.attndims,
                    'required', a.attnotnull,
                    'comment', col_description(c.oid, a.attnum),
                    'readable', has_column_privilege(c.oid, a.attnum, 'select'),
                    'has_default', a.atthasdef or a.attidentity <> '',
                    'is_generated', a.attgenerated <> '' or a.attidentity = 'a',
                    'insertable', has_column_privilege(c.oid, a.attnum, 'insert'),
                    'updatable', has_column_privilege(c.oid, a.attnum, 'update')
                ) order by a.attnum), '[]')
                from pg_attribute a where a.attrelid = c.oid and not a.attisdropped
            ),
            'primary_key', (
                select to_json(k.conkey) from pg_constraint k where k.conrelid = c.oid and k.contype = 'p'
            ),
            'foreign_keys', (
                select coalesce(json_agg(json_build_object(
                    'name', k.conname,
                    'columns', k.conkey,
                    'target', k.confrelid::int8,
                    'target_columns', k.confkey,
                    'valid', k.convalidated
                )), '[]')
                from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.conparentid = 0
            ),
            'checks', (
                select coalesce(json_agg(json_build_object(
                    'column', k.conkey[1], 'text', pg_get_constraintdef(k.oid)
                ) order by k.conname), '[]')
                from pg_constraint k
                where k.conrelid = c.oid and k.contype = 'c' and k.convalidated and cardinality(k.conkey) = 1
            ),
            'indexes', (
                select coalesce(json_agg(json_build_object(
                    'columns', (i.indkey::int2[])[0:i.indnkeyatts - 1],
                    'unique', i.indisunique,
                    'immediate', i.indimmediate,
                    'method', m.amname
                )), '[]')
                from pg_index i join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam
                where i.indrelid = c.oid and i.indisvalid and i.indpred is null
            ),
            'definition', (
                select w.ev_action::text from pg_rewrite w
                where w.ev_class = c.oid and w.rulename = '_RETURN'
            )
        )), '[]')
        from related r join pg_class c on c.oid = r.oid join pg_namespace n on n.oid = c.relnamespace
    )
)::text"""

_SOURCES: Final = Statement((_WANTED_SOURCES + _FACTS).encode(), 1)
_SCHEMAS: Final = Statement((_WANTED_SCHEMAS + _FACTS).encode(), 1)

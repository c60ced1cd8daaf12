"""The SQL that makes the outbox: tables, and the functions that publish, watch and purge."""

from __future__ import annotations

from fraiseql.bus.description import PostgresqlBus

__all__ = ["outbox_sql", "quote_identifier", "quote_literal", "watch_sql"]


def outbox_sql(bus: PostgresqlBus) -> str:
    """The statements that make or renew an outbox; they belong in one transaction, which they do not begin or end.

    They keep what is there, need no superuser, and PostgreSQL 14 or later.
    """
    prefix = "" if bus.schema is None else f"{quote_identifier(bus.schema)}."
    floor = f"{prefix}{quote_identifier(f'{bus.table}_floor')}"
    path = (
        "quote_ident(current_schema()) || ', pg_temp'"
        if bus.schema is None
        else quote_literal(f"{quote_identifier(bus.schema)}, pg_temp")
    )
    names = {
        "@outbox@": f"{prefix}{quote_identifier(bus.table)}",
        "@floor@": floor,
        "@path@": path,
        "@channel@": quote_literal(bus.channel),
        "@changed_name@": quote_literal(f"{prefix}fraiseql_changed"),
        "@outbox_name@": quote_literal(f"{prefix}{quote_identifier(bus.table)}"),
        "@floor_name@": quote_literal(floor),
        "@prefix@": prefix,
    }
    text = _TEMPLATE
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def watch_sql(bus: PostgresqlBus, source: str) -> str:
    """The statement that makes every change of a source's tables tell its live queries."""
    prefix = "" if bus.schema is None else f"{quote_identifier(bus.schema)}."
    return f"select {prefix}fraiseql_watch({quote_literal(source)});"


def quote_identifier(name: str) -> str:
    """A name as SQL takes it literally."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A text as a literal, whatever `standard_conforming_strings` is."""
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in text else quoted


_TEMPLATE = """\
-- The outbox of FraiseQL: events are rows, committed or rolled back with what they tell of.
-- This can be run again at any time: it keeps the events, and renews the functions.

do $fraiseql$
begin
    -- The functions below keep this search path, so that nobody's names come between.
    perform set_config('fraiseql.search_path', current_setting('search_path'), true);
    perform set_config('search_path', @path@, true);
    if to_regclass(@outbox_name@) is null and to_regclass(@floor_name@) is not null then
        drop table @floor@;  -- what it says was of another outbox
    end if;
end
$fraiseql$;

create table if not exists @outbox@ (
    id bigint generated always as identity,
    xid xid8 not null default pg_current_xact_id(),
    topic text not null,
    payload jsonb not null default 'null',
    tenant_id text,
    user_id text,
    created_at timestamptz not null default clock_timestamp(),
    primary key (xid, id)
);

-- Its one row is the last event that is not kept any more: who has seen less than that has a gap.
create table if not exists @floor@ (
    single boolean primary key default true check (single),
    xid xid8 not null,
    id bigint not null
);
insert into @floor@ (xid, id) values (pg_current_xact_id(), 0) on conflict do nothing;

-- A notification is a hint to read; those of one transaction are sent once.
create or replace function @prefix@fraiseql_notify() returns trigger
language plpgsql set search_path from current
as $fraiseql$
begin
    perform pg_notify(tg_argv[0], '');
    return null;
end
$fraiseql$;

create or replace trigger fraiseql_notify after insert on @outbox@
for each statement execute function @prefix@fraiseql_notify(@channel@);

-- Publish an event; gives its cursor.
create or replace function @prefix@fraiseql_publish(
    topic text, payload jsonb default 'null', tenant_id text default null, user_id text default null
) returns text
language plpgsql volatile security definer set search_path from current
as $fraiseql$
declare
    published text;
begin
    if coalesce($1, '') = '' then
        raise exception 'fraiseql_publish: an event needs a topic' using errcode = 'invalid_parameter_value';
    end if;
    insert into @outbox@ (topic, payload, tenant_id, user_id)
    values ($1, coalesce($2, 'null'), $3, $4)
    returning xid::text || '.' || id::text into published;
    return published;
end
$fraiseql$;

-- Say that the rows of a table or view, spelled as in sql_source, are others now; once in a transaction is enough.
create or replace function @prefix@fraiseql_invalidate(source text) returns void
language plpgsql volatile security definer set search_path from current
as $fraiseql$
declare
    changed constant text := 'fraiseql.changed.' || source;
    -- A setting of the transaction, so that a rollback to a savepoint takes back the mark with the event.
    marks constant text := coalesce(current_setting('fraiseql.changed', true), '');
    mark constant text := format('%s %L;', @outbox_name@::regclass::oid, changed);
begin
    if coalesce(source, '') = '' then
        raise exception 'fraiseql_invalidate: a table or view needs a name'
            using errcode = 'invalid_parameter_value';
    end if;
    if strpos(marks, mark) = 0 then
        insert into @outbox@ (topic) values (changed);
        perform set_config('fraiseql.changed', marks || mark, true);
    end if;
end
$fraiseql$;

-- What fraiseql_watch calls after each statement that changes a table.
create or replace function @prefix@fraiseql_changed() returns trigger
language plpgsql security definer set search_path from current
as $fraiseql$
begin
    perform @prefix@fraiseql_invalidate(tg_argv[0]);
    return null;
end
$fraiseql$;

-- For triggers on rows: publishes the row, as JSON, on a topic. Further arguments name the column that holds the
-- tenant, and the one that holds the only user who may see it; '' for none.
create or replace function @prefix@fraiseql_publish_row() returns trigger
language plpgsql security definer set search_path from current
as $fraiseql$
declare
    changed jsonb;
    tenant constant text := nullif(tg_argv[1], '');
    only_user constant text := nullif(tg_argv[2], '');
begin
    if tg_when <> 'AFTER' or tg_level <> 'ROW' then  -- before, the null below would take the row away
        raise exception 'trigger %: fraiseql_publish_row is for triggers AFTER INSERT, UPDATE or DELETE FOR EACH ROW,'
            ' not % FOR EACH %', tg_name, tg_when, tg_level using errcode = 'trigger_protocol_violated';
    end if;
    if coalesce(tg_argv[0], '') = '' then
        raise exception 'trigger %: the first argument of fraiseql_publish_row is the topic', tg_name
            using errcode = 'invalid_parameter_value';
    end if;
    changed := case when tg_op = 'DELETE' then to_jsonb(old) else to_jsonb(new) end;
    if not changed ?& array_remove(array[tenant, only_user], null) then
        raise exception 'trigger %: the table % has no column % or %', tg_name, tg_table_name, tenant, only_user
            using errcode = 'undefined_column';
    end if;
    insert into @outbox@ (topic, payload, tenant_id, user_id)
    values (tg_argv[0], changed, changed ->> tenant, changed ->> only_user);
    return null;
end
$fraiseql$;

-- Put triggers on a table, or on all tables beneath a view, whose changes then invalidate it; gives those tables.
-- A view over other tables, or a new partition, needs this again.
create or replace function @prefix@fraiseql_watch(source text) returns setof regclass
language plpgsql volatile
as $fraiseql$
declare
    start constant regclass := to_regclass(array_to_string(array(
        select quote_ident(part) from unnest(string_to_array(source, '.')) with ordinality parts(part, n) order by n
    ), '.'));
    called constant oid := to_regprocedure(@changed_name@ || '()');
    plain_name constant text := 'fraiseql_changed_'
        || case when octet_length(source) <= 46 then source else hashtextextended(source, 0)::text end;
    -- Where the triggers of another outbox have the plain one.
    own_name constant text := 'fraiseql_changed_' || hashtextextended(@outbox_name@ || ' ' || source, 0)::text;
    relation record;
    found_any boolean := false;
begin
    if start is null then
        raise exception 'there is no table or view %', source using errcode = 'undefined_table';
    end if;
    for relation in
        with recursive beneath(oid) as (
            select start::oid
            union
            select below.oid from beneath cross join lateral (
                select depend.refobjid as oid
                from pg_class view
                join pg_rewrite rule on rule.ev_class = view.oid
                join pg_depend depend on depend.classid = 'pg_rewrite'::regclass and depend.objid = rule.oid
                where view.oid = beneath.oid and view.relkind = 'v'
                    and depend.refclassid = 'pg_class'::regclass and depend.deptype = 'n'
                union all
                select inhrelid from pg_inherits where inhparent = beneath.oid  -- partitions
            ) below
        )
        select class.oid, class.oid::regclass::text as name, class.relkind::text as kind
        from beneath join pg_class class using (oid) where class.relkind in ('r', 'p', 'm', 'f')
        union
        select function.oid, function.oid::regprocedure::text, 'function'
        from beneath
        join pg_class view on view.oid = beneath.oid and view.relkind = 'v'
        join pg_rewrite rule on rule.ev_class = view.oid
        join pg_depend depend on depend.classid = 'pg_rewrite'::regclass and depend.objid = rule.oid
            and depend.refclassid = 'pg_proc'::regclass
        join pg_proc function on function.oid = depend.refobjid
        where function.provolatile <> 'i'  -- an immutable one reads nothing
            and function.pronamespace not in (select oid from pg_namespace
                where nspname in ('pg_catalog', 'information_schema'))
        order by 1
    loop
        if relation.kind = 'function' then
            raise warning 'nobody sees what the function % beneath % reads; after changes of that, call'
                ' fraiseql_invalidate(%)', relation.name, source, quote_literal(source);
            continue;
        elsif relation.kind in ('m', 'f') then
            raise warning 'changes of % cannot be watched; after each, call fraiseql_invalidate(%)',
                relation.name, quote_literal(source);
            continue;
        end if;
        found_any := true;
        if not exists (
            select from pg_trigger
            where tgrelid = relation.oid and tgname in (plain_name, own_name) and tgfoid = called
        ) then
            execute format(
                'create trigger %I after insert or update or delete or truncate on %s'
                ' for each statement execute function %s(%L)',
                case when exists (select from pg_trigger where tgrelid = relation.oid and tgname = plain_name)
                    then own_name else plain_name end,
                relation.name, @changed_name@, source
            );
        end if;
        return next relation.oid::regclass;
    end loop;
    if not found_any then
        raise warning 'there is no table beneath % whose changes can be watched', source;
    end if;
end
$fraiseql$;

-- Forget events of a certain age, but none that some reader cannot see yet; gives how many. Short transactions are
-- better here: while one runs, nothing that began later is delivered.
create or replace function @prefix@fraiseql_purge(older_than interval, at_most integer default 10000) returns bigint
language plpgsql volatile security definer set search_path from current
as $fraiseql$
declare
    last record;
    purged bigint;
begin
    select xid, id into last from (
        select xid, id, bool_and(created_at < clock_timestamp() - older_than) over (order by xid, id) as is_old
        from (
            select xid, id, created_at from @outbox@
            where xid < pg_snapshot_xmin(pg_current_snapshot()) order by xid, id limit at_most
        ) first
    ) first where is_old order by xid desc, id desc limit 1;
    if not exists (select from @floor@) then
        raise exception '% has lost its row; run fraiseql outbox again', @floor_name@
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if last.xid is null then
        return 0;
    end if;
    perform from @floor@ for update skip locked;
    if not found then
        return 0;  -- somebody else is at it
    end if;
    delete from @outbox@ where (xid, id) <= (last.xid, last.id);
    get diagnostics purged = row_count;
    update @floor@ set xid = last.xid, id = last.id where (xid, id) < (last.xid, last.id);
    return purged;
end
$fraiseql$;

-- Who may publish, read, purge and make triggers is yours to say. Who changes a table with triggers needs no rights.
revoke all on function @prefix@fraiseql_publish(text, jsonb, text, text) from public;
revoke all on function @prefix@fraiseql_invalidate(text) from public;
revoke all on function @prefix@fraiseql_purge(interval, integer) from public;
revoke all on function @prefix@fraiseql_changed() from public;
revoke all on function @prefix@fraiseql_publish_row() from public;

do $fraiseql$
begin
    perform set_config('search_path', current_setting('fraiseql.search_path'), true);
end
$fraiseql$;
"""

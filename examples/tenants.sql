-- The database of tenants.py: load what `fraiseql outbox` prints, then this file, into an empty database with `psql -f`,
-- as a role that may make roles. PostgreSQL 15 or later, for security_invoker.

-- The roles. The server connects as desk_server, which may do nothing itself; each request is one of the other two.
-- None of them is a superuser, has BYPASSRLS or owns a table: nobody else is subject to policies.
do $$
begin
    if not exists (select from pg_roles where rolname = 'desk_reader') then
        create role desk_reader nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'desk_agent') then
        create role desk_agent nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'desk_server') then
        create role desk_server login noinherit;
    end if;
end
$$;
grant desk_reader, desk_agent to desk_server;

-- As `fraiseql rls` prints it.
create or replace function fraiseql_setting(name text) returns text
language plpgsql stable parallel safe
as $fraiseql$
declare
    value constant text := pg_catalog.current_setting(name, true);
begin
    if value is null or value = '' then
        raise exception using
            errcode = 'QLC01', message = format('the setting %s is missing', name), column = coalesce(name, '');
    end if;
    return value;
end
$fraiseql$;

-- The tables. Every key between them holds the organisation, too: a foreign key is checked without policies, so that a
-- plain one would let a row refer to another organisation's, and tell whether that is there.
create table organisations (
    id text primary key,
    name text not null
);

create table members (
    id integer primary key,
    organisation_id text not null references organisations,
    name text not null,
    email text not null,
    unique (organisation_id, id),
    unique (organisation_id, email) -- of all organisations, it would tell who is a member of another
);

create table tickets (
    id integer primary key,
    organisation_id text not null references organisations,
    author_id integer not null,
    title text not null,
    status text not null default 'open',
    hours numeric not null default 0,
    unique (organisation_id, id),
    foreign key (organisation_id, author_id) references members (organisation_id, id)
);

create table comments (
    id integer primary key,
    organisation_id text not null references organisations,
    ticket_id integer not null,
    author_id integer not null,
    body text not null,
    internal boolean not null default false,
    foreign key (organisation_id, ticket_id) references tickets (organisation_id, id),
    foreign key (organisation_id, author_id) references members (organisation_id, id)
);

create table labels (
    id integer primary key,
    organisation_id text not null references organisations,
    name text not null,
    unique (organisation_id, id)
);

create table ticket_labels (
    organisation_id text not null references organisations,
    ticket_id integer not null,
    label_id integer not null,
    primary key (ticket_id, label_id),
    foreign key (organisation_id, ticket_id) references tickets (organisation_id, id),
    foreign key (organisation_id, label_id) references labels (organisation_id, id)
);

create index on members (organisation_id, id);
create index on tickets (organisation_id, id);
create index on tickets (author_id, id);
create index on comments (ticket_id, id);
create index on labels (organisation_id, id);
create index on ticket_labels (label_id);

-- A view is read with the rights of its owner, whom no policy stops, unless it says otherwise.
create view v_member with (security_invoker = true) as
select id, organisation_id, jsonb_build_object('id', id, 'name', name, 'contact', jsonb_build_object('email', email)) as data
from members;

-- The policies. `(select ...)` asks once for a statement, not once for a row. FORCE binds the owner of the table, too.
do $$
declare
    name text;
begin
    foreach name in array array['members', 'tickets', 'comments', 'labels', 'ticket_labels'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy organisation on %I using (organisation_id = (select fraiseql_setting(''desk.organisation'')))', name
        );
    end loop;
end
$$;
alter table organisations enable row level security;
alter table organisations force row level security;
create policy organisation on organisations using (id = (select fraiseql_setting('desk.organisation')));

-- Within an organisation: what is internal is for those whose roles, which come as an array, say so.
create policy internal on comments as restrictive
using (not internal or 'support' = any ((select fraiseql_setting('desk.roles'))::text[]));

grant select on organisations, members, tickets, comments, labels, ticket_labels, v_member to desk_reader, desk_agent;
grant insert, update, delete on tickets, comments, ticket_labels to desk_agent;

-- What is told to subscriptions. An event has its organisation, so that only its callers hear of it.
create trigger ticket_changed after insert or update or delete on tickets
for each row execute function fraiseql_publish_row('ticket.changed', 'organisation_id');
select fraiseql_watch(source)
from unnest(array['organisations', 'v_member', 'tickets', 'comments', 'labels', 'ticket_labels']) source;
grant select on fraiseql_outbox, fraiseql_outbox_floor to desk_server;
grant execute on function fraiseql_purge to desk_server;

insert into organisations values ('acme', 'Acme'), ('globex', 'Globex');
insert into members values
    (1, 'acme', 'Ada', 'ada@acme.example'),
    (2, 'acme', 'Alan', 'alan@acme.example'),
    (3, 'globex', 'Grace', 'grace@globex.example');
insert into tickets values
    (1, 'acme', 1, 'The acme printer is on fire', 'open', 2.5),
    (2, 'acme', 2, 'More acme paper', 'closed', 0.5),
    (3, 'globex', 3, 'The globex printer is on fire', 'open', 80),
    (4, 'globex', 3, 'Secret globex merger', 'secret', 160);
insert into comments values
    (1, 'acme', 1, 2, 'Which acme floor?', false),
    (2, 'acme', 1, 1, 'An acme customer must not read this', true),
    (3, 'globex', 3, 3, 'The globex roof', false),
    (4, 'globex', 4, 3, 'Only globex knows', true);
insert into labels values (1, 'acme', 'acme hardware'), (2, 'globex', 'globex hardware'), (3, 'globex', 'globex board');
insert into ticket_labels values ('acme', 1, 1), ('globex', 3, 2), ('globex', 4, 3);

-- The database of blog.py: load it into an empty database with `psql -f examples/blog.sql`.

create table authors (
    id integer primary key generated always as identity,
    name text not null,
    email text
);

create table posts (
    id integer primary key generated always as identity,
    author_id integer not null references authors,
    title text not null,
    created_at timestamptz not null default now()
);

create index on posts (author_id, id); -- the relation's column, then the default order

-- A view with one jsonb document per row: nested objects and lists need no tables of their own in GraphQL.
create view v_author as
select
    id,
    jsonb_build_object(
        'id', id,
        'name', name,
        'contact', jsonb_build_object('email', email)
    ) as data
from authors;

-- What adding a post says of it: a status, and the id of the new row.
create type post_result as (status text, message text, entity_id integer);

create function add_post(input jsonb) returns post_result language plpgsql as $$
declare result post_result;
begin
    if trim(input ->> 'title') = '' then
        return ('validation:title', 'A post needs a title.', null)::post_result;
    end if;
    insert into posts (author_id, title) values ((input ->> 'author_id')::integer, input ->> 'title')
    returning 'created', null, id into result;
    return result;
end $$;

-- Without a status: the row itself, or none.
create function rename_author(id integer, name text) returns setof authors language sql as $$
    update authors set name = rename_author.name where authors.id = rename_author.id returning *
$$;

insert into authors (name, email) values ('Ada', 'ada@example.com'), ('Grace', null);
insert into posts (author_id, title, created_at) values
    (1, 'Notes on the engine', '2026-01-01 12:00Z'),
    (1, 'Against punch cards', '2026-02-01 12:00Z'),
    (2, 'The first bug', '2026-03-01 12:00Z');

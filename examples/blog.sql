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

insert into authors (name, email) values ('Ada', 'ada@example.com'), ('Grace', null);
insert into posts (author_id, title, created_at) values
    (1, 'Notes on the engine', '2026-01-01 12:00Z'),
    (1, 'Against punch cards', '2026-02-01 12:00Z'),
    (2, 'The first bug', '2026-03-01 12:00Z');

-- The sample blog. `posts` and `comments` are served from their columns, users from the view's jsonb document.

create type user_role as enum ('admin', 'editor', 'author', 'reader');

create table users (
    id integer primary key,
    key uuid not null unique,
    name text not null,
    email text,
    role user_role not null,
    active boolean not null,
    karma integer not null,
    rating double precision,
    balance numeric(12, 2) not null,
    birthday date,
    digest_at time,
    created_at timestamptz not null,
    profile jsonb not null
);

create table posts (
    id integer primary key,
    key uuid not null unique,
    author_id integer not null references users,
    title text not null,
    body text not null,
    status text not null check (status in ('draft', 'published', 'archived')),
    featured boolean not null,
    views integer not null,
    score double precision,
    price numeric(8, 2),
    published_on date,
    created_at timestamptz not null,
    metadata jsonb
);

create table comments (
    id integer primary key,
    post_id integer not null references posts,
    author_id integer references users,
    body text not null,
    likes integer not null,
    created_at timestamptz not null
);

create index posts_by_author on posts (author_id, id);
create index comments_by_post on comments (post_id, id);
create index comments_by_author on comments (author_id, id);

-- What GraphQL reads of a user: one document, with `id` beside it for the relations.
create view v_user as
select
    id,
    jsonb_build_object(
        'id', id,
        'key', key,
        'name', name,
        'email', email,
        'role', role,
        'is_active', active,
        'karma', karma,
        'rating', rating,
        'balance', balance,
        'birthday', birthday,
        'digest_at', digest_at,
        'created_at', created_at
    ) || profile as data
from users;

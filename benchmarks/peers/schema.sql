-- The blog that all contenders serve: 1,000 users, 100 posts of each, and 200,000 comments. No row is drawn at random, so
-- every machine has the same ones. The last 40 posts of each user have 5 comments each, the others none: so the queries
-- for the latest posts get whole pages.

create table users (
    id integer primary key,
    name text not null,
    email text not null,
    bio text not null,
    created_at timestamptz not null
);

create table posts (
    id integer primary key,
    author_id integer not null references users,
    title text not null,
    body text not null,
    created_at timestamptz not null
);

create table comments (
    id integer primary key,
    post_id integer not null references posts,
    author_id integer not null references users,
    body text not null,
    created_at timestamptz not null
);

insert into users
select
    n,
    'User ' || n || ' "the ' || (array['quick', 'quiet', 'kind', 'bold', 'late'])[1 + n % 5] || '"',
    'user' || n || '@example.com',
    repeat('Likes long walks. ', 1 + n % 7),
    timestamptz '2024-01-01 00:00:00+00' + n * interval '1 hour'
from generate_series(1, 1000) n;

-- Post by post the author is another one (7,919 is prime), and each post is 97 s later than the one before.
insert into posts
select
    n,
    1 + (n::bigint * 7919 % 1000)::integer,
    'Post ' || n || ' on ' || (array['SQL', 'trees', 'café', 'bees', 'clocks', 'rain'])[1 + n % 6],
    repeat('A sentence of a post. ', 3 + n % 20),
    timestamptz '2024-03-01 00:00:00+00' + n * interval '97 seconds'
from generate_series(1, 100000) n;

insert into comments
select
    n,
    60001 + (n::bigint * 15485863 % 40000)::integer,
    1 + ((n::bigint * 104729 + n / 7 * 31 + n / 40000 * 7) % 1000)::integer,
    'Comment ' || n || ': ' || repeat('well said. ', 1 + n % 5),
    timestamptz '2024-07-01 00:00:00+00' + n * interval '11 seconds'
from generate_series(1, 200000) n;

create index posts_by_author on posts (author_id, created_at desc, id);
create index comments_by_post on comments (post_id, id);

-- A database that is legal, and as unlike a tidy one as can be.

create schema "Other Schema";
create schema audit;

create type mood as enum ('sad', 'so-so', 'very happy', '', 'Sad', '100%', 'class');
create type progress as enum ('new', 'in progress', 'it''s "done"', E'back\\slash', 'true', 'ünïcode');
comment on type progress is 'How far it is.';
create type dog as enum ('small', 'big');
create type point3 as (x int, y int, z int);
create domain email as text check (value like '%@%');
create domain positive as integer not null check (value > 0);
create domain colour as text check (value in ('red', 'green'));
create domain words as text[];

-- keywords, capitals, spaces, quotes, digits, other alphabets
create table "class" (
    "def" integer primary key,
    "import" text not null,
    "None" text,
    "Order By" integer,
    "say ""hi""" text,
    "it's" text,
    "1st" text,
    "naïve café" text,
    "日本" text,
    "__dunder__" text,
    "_private" text,
    "createdAt" timestamptz,
    "created_at" timestamp,
    "HTTPCode" integer,
    "a_1" integer, "a1" integer, "A1" integer,
    "fraiseql" text, "list" text, "str" text, "dt" date,
    "back\slash" text,
    "new
line" text,
    "AND" boolean, "OR" boolean, "NOT" boolean, "where" text, "limit" integer, "search_rank" real, "searchRank" text,
    "class" text, "class_" text, "self" text, "info" text, "__typename" text
);
comment on table "class" is E'A "class", of all things.\n\n  Indented, with ''quotes'' and a \\ backslash.';
comment on column "class"."import" is E'Two lines:\nthe second says "hi" and ''ho''.';

-- names that Python, GraphQL or the module itself need
create table "Query" (id serial primary key, name text);
create table "enum" (id serial primary key);
create table "list" (id serial primary key);
create table "schema" (id serial primary key);
create table "String" (id serial primary key);
create table decimal (id serial primary key);
create table users (id bigserial primary key, mail email not null, manager_id bigint references users, mood mood,
    invited_by bigint references users);
comment on table users is 'Somebody.';
comment on column users.mail is 'Where letters go.';
create table "user" (id uuid primary key default gen_random_uuid());
create table user_where_input (id integer primary key);
create table "Users" (id integer primary key);
create table audit.users (id integer primary key, user_id bigint references public.users);
create table "Other Schema"."My Table" ("Id" integer primary key, "is OK?" boolean not null);
create table "with.dot" (id integer primary key);
create table news (id integer primary key, category_id integer);
create table status (status progress primary key);

-- circular foreign keys, two to one table, composite ones, one to one
create table chicken (id integer primary key, egg_id integer not null);
create table egg (id integer primary key, chicken_id integer references chicken);
alter table chicken add foreign key (egg_id) references egg deferrable initially deferred;
create table addresses (id integer primary key, street text not null);
create table orders (
    id integer primary key,
    billing_address_id integer not null references addresses,
    shipping_address_id integer references addresses,
    customer integer,
    status progress not null default 'new'
);
create table order_lines (
    order_id integer not null references orders,
    line integer not null,
    amount numeric(10, 2) not null,
    primary key (order_id, line)
);
create table shipments (
    id integer primary key,
    order_id integer not null,
    line integer not null,
    foreign key (order_id, line) references order_lines
);
-- pairs: of two tables, of one with itself, composite ones; pairs that may be there twice are none
create table tag (id integer primary key, name text not null);
create table order_tag (order_id integer references orders, tag_id integer references tag, primary key (tag_id, order_id));
create table follow (follower_id bigint references users, "Followed" bigint references users,
    since date, unique ("Followed", follower_id));
create table "line tag" (tag integer references tag, order_id integer, line integer,
    foreign key (order_id, line) references order_lines, primary key (tag, order_id, line));
create table visit (user_id bigint references users, tag_id integer references tag);
create table profiles (user_id bigint primary key references users, bio text);
create table tree (id integer primary key, parent_id integer references tree, parent text, children integer);

-- no primary key, no columns, partitions, inheritance, generated columns
create table log (at timestamptz not null, line text);
create table nothing ();
create table only_points (p point, q point3);
create table measurements (id bigint not null, day date not null, value double precision, primary key (id, day))
    partition by range (day);
create table measurements_2024 partition of measurements for values from ('2024-01-01') to ('2025-01-01');
create table readings (measurement_id bigint, day date, note text,
    foreign key (measurement_id, day) references measurements);
create table animals (id integer primary key, name text not null);
create table dogs (barks boolean not null default true, size dog) inherits (animals);
create table boxes (
    id integer generated always as identity primary key,
    width integer not null, height integer not null,
    area integer generated always as (width * height) stored
);
create table defaulted (id integer primary key, count positive, tint colour, tags words);

create table everything (
    id smallint primary key,
    c_smallint smallint, c_integer integer, c_bigint bigint, c_numeric numeric, c_numeric2 numeric(10, 2),
    c_real real, c_double double precision, c_money money, c_boolean boolean,
    c_text text, c_varchar varchar(20), c_char char(5), c_name name, c_internal "char",
    c_bytea bytea, c_uuid uuid, c_date date, c_time time, c_timetz timetz, c_timestamp timestamp,
    c_timestamptz timestamptz, c_interval interval, c_json json, c_jsonb jsonb, c_xml xml,
    c_inet inet, c_cidr cidr, c_macaddr macaddr, c_bit bit(3), c_varbit varbit,
    c_int4range int4range, c_tstzrange tstzrange, c_point point, c_tsvector tsvector, c_oid oid,
    c_point3 point3, c_status progress not null,
    a_integer integer[], a_text text[] not null, a_numeric numeric[], a_uuid uuid[], a_double float8[],
    a_timestamptz timestamptz[], a_jsonb jsonb[], a_status progress[], a_matrix integer[][], a_email email[],
    a_point point[], a_boolean boolean[]
);

create view v_user as select id, mail, upper(mail) as shout from users;
create view busy_users as select manager_id, count(*) as reports from users group by manager_id;
create materialized view order_totals as select order_id, sum(amount) as total from order_lines group by order_id;
create view with_document as select id, to_jsonb(addresses) as data from addresses;

insert into users (id, mail, manager_id, mood) values (1, 'ada@x', null, 'very happy'), (2, 'bob@x', 1, null);
insert into "class" ("def", "import", "Order By", "say ""hi""", "日本", "a_1", "a1", "A1", "back\slash", "new
line", "class", "class_", "AND", "__typename") values (1, 'x', 3, 'hi', 'n', 1, 2, 3, 'b', 'l', 'c', 'd', true, 't');
insert into addresses values (1, 'First'), (2, 'Second');
insert into orders values (10, 1, 2, null, 'in progress'), (11, 1, null, null, 'it''s "done"');
insert into order_lines values (10, 1, 9.90), (10, 2, 0.10);
insert into shipments values (5, 10, 2);
insert into profiles values (1, 'Countess');
insert into tree values (1, null, 'p', 0), (2, 1, 'q', 0);
insert into measurements values (9007199254740993, '2024-02-29', 1.5);
insert into readings values (9007199254740993, '2024-02-29', 'leap');
insert into dogs values (7, 'Rex', true);
insert into boxes (width, height) values (3, 4);
insert into defaulted values (1, 5, 'red', '{a,b}');
insert into status values ('ünïcode');
insert into "Other Schema"."My Table" values (1, true);
insert into audit.users values (1, 2);
begin; insert into chicken values (1, 1); insert into egg values (1, 1); commit;
insert into everything (id, c_bigint, c_numeric, c_real, c_char, c_varchar, c_name, c_json, c_jsonb, c_timestamp, c_status,
    a_integer, a_text, a_numeric, a_status, a_matrix, a_jsonb, a_double, a_timestamptz, a_email)
values (1, 9223372036854775807, 1.50, 0.5, 'ab', 'v', 'n', '{"a": 1}', '[1]', '2024-01-02 03:04:05', 'true',
    '{1,null}', '{}', '{1.10}', '{new,"it''s \"done\""}', '{{1,2},{3,4}}', array['{"k":1}'::jsonb], '{1.5}',
    '{2024-01-01 00:00:00+00}', '{a@b}');
refresh materialized view order_totals;
insert into tag values (1, 'new'), (2, 'old');
insert into order_tag values (10, 1), (10, 2);
insert into follow values (1, 2), (2, 1), (2, 2);
insert into "line tag" values (2, 10, 1), (2, 10, 2);
insert into visit values (1, 1), (1, 1);

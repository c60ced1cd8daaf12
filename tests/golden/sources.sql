-- The tables of test_sources.py.
create schema "My Schema";
create type mood as enum ('very good', 'it''s bad');
create table "My Schema"."Select ""it""" (
    "Order By" bigint primary key,
    "group" text not null,
    tags text[] not null,
    numbers integer[],
    prices numeric[],
    days date[],
    moods mood[],
    mood mood,
    small smallint not null,
    big bigint,
    real_one real,
    exact numeric,
    at_local timestamp,
    at_zone timestamptz,
    document json,
    binary_document jsonb,
    inner_object jsonb,
    inner_list jsonb,
    matrix integer[],
    documents jsonb[],
    padded char(5),
    "limit" varchar(10)
);
insert into "My Schema"."Select ""it""" values
    (9007199254740993, 'a''b', '{"x,y","\"q\"",""}', '{1,NULL,3}', '{1.50,2}', '{2024-02-29}', '{very good}',
     'it''s bad', 7, 2147483647, 1.5, 12345678901234567890.1234567890, '2024-02-29 12:00:00', '2024-02-29 12:00:00+02',
     '{"b": 1, "a": [1.0, "x"]}', '{"b": 1, "a": [1.0, "x"]}', '{"deep_key": "v", "n": 5, "when": "2024-02-29"}',
     '[{"deep_key": "1", "n": 1}, null, {"deep_key": null}]', '{{1,2},{3,4}}',
     array['{"a": 1}', '[2]', '"x"']::jsonb[], 'ab', 'x');
insert into "My Schema"."Select ""it""" values (2, 'b', '{}', null, null, null, null, null, 0);
create table part (tenant integer, number integer, name text not null, primary key (tenant, number));
create table line (tenant integer, number integer, position integer, primary key (tenant, number, position));
insert into part values (1, 1, 'one'), (1, 2, 'two'), (2, 1, 'other');
insert into line values (1, 1, 2), (1, 1, 1), (2, 1, 1), (1, 9, 1);
create table doc (id text primary key, data jsonb);
insert into doc values
    ('a', '{"id": "a", "n": 1, "it''s \"key\" \\": "k", "list": ["x", null], "mood": "very good", "m": [["very good"]],
     "extra": {"b": [1.50, null]}, "extras": ["x", 1, null, [], {}]}'),
    ('b', '{"id": "b", "n": null, "list": null, "extra": null}'), ('c', null), ('d', '{"id": "d", "n": "text"}');
create table endless (ratio float8, amount numeric, day date, at timestamptz, ratios float8[]);
insert into endless values
    ('NaN', 'NaN', 'infinity', 'infinity', '{1,NaN}'),
    ('-Infinity', '-Infinity', '-infinity', '-infinity', '{-Infinity}');

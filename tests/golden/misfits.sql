-- The tables of test_misfits.py: values that do not fit what the schema declares.
create type shade as enum ('red', 'green');
create domain email as text check (value like '%@%');
create domain percent as integer check (value between 0 and 100);
create table person (id integer primary key, data jsonb);
insert into person values
    (1, '{"name": "Ada", "age": 36, "born": "1815-12-10", "tags": ["a", "b"], "email": "ada@x", "share": 50,
          "home": {"city": "London", "floor": 1}, "homes": [{"city": "a", "floor": 2}], "grid": [[1, 2], [3]],
          "shade": "red", "any": {"list": [1.50, null]}}'),
    (2, '{"name": "Bob", "age": "old", "born": "yesterday", "tags": ["a", {"b": 1}], "email": "nobody", "share": 101,
          "home": "a tent", "homes": [{"city": "b", "floor": 1.5}, 5, {"city": null, "floor": 3}], "grid": [[1, "x"], 2],
          "shade": "green", "any": 12345678901234567890.50}'),
    (3, '{"name": {"first": "C"}, "age": 2147483648, "born": 18151210, "tags": "a", "email": ["c@x"], "share": "7",
          "home": ["x"], "homes": {"city": "c"}, "grid": 5, "shade": 5}'),
    (4, '["name"]'),
    (5, 'null'),
    (6, null);
create table numbers (
    id integer primary key, owner integer, ratio float8, matrix float8[], shades shade[], shade shade,
    counts integer[], grid integer[], amounts numeric[], day date, at timestamptz, count text, big bigint, email text,
    share integer
);
insert into numbers values
    (1, 1, 1.5, '{{1,2.5},{-3,1e300}}', '{{red},{red}}', 'red',
     '{1,2}', '{{1,2},{3,4}}', '{1.50}', '2024-02-29', '2024-02-29 12:00Z', '5', 5, 'a@x', 50),
    (2, 1, 'NaN', '{{1,NaN},{2,3}}', '{{red},{green}}', 'green', '{{1,2},{3,4}}', '{1,2}', '{1.50,NaN}',
     'infinity', '-infinity', 'five', 2147483648, 'x', 101),
    (3, 2, '-Infinity', '{}', '{}', null, '{}', '{}', '{}', null, null, null, null, null, null);
create view broken as select id, 1 / (id - 1) as share from numbers;

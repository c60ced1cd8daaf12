-- The table of test_types.py: each type in a column and, as jsonb, in a document.
create type colour as enum ('red', 'blue sky');
create domain email as text check (value like '%@%');
create table everything (
    id integer primary key,
    text text,
    words tsvector,
    big bigint,
    span interval,
    bytes bytea,
    ip inet,
    network cidr,
    mac macaddr,
    numbers int4range,
    long_numbers int8range,
    amounts numrange,
    days daterange,
    hours tsrange,
    moments tstzrange,
    colours colour[],
    counts integer[],
    spans interval[],
    blobs bytea[],
    periods tstzrange[],
    document jsonb,
    plain_document json,
    email email
);
insert into everything values
    (1, 'The quick brown foxes', to_tsvector('english', 'The quick brown foxes'), 9007199254740993,
     '1 year 2 months 3 days 04:05:06.5', '\x00ff10', '10.1.2.3', '10.0.0.0/8', '08:00:2b:01:02:03', '[1,5]', '(1,5)',
     '[0.50,1.75]', '[2024-02-28,2024-02-29]', '[2024-01-01 08:00,2024-01-01 17:00:00.250)',
     '[2024-01-01 08:00+02,)', '{red,blue sky}', '{1,2,2}', '{1 day,-00:00:01}', array['\x01', null]::bytea[],
     array[tstzrange('2024-01-01 00:00+00', null)], '{"a": {"b": [1, 2.5]}, "tags": ["x", "y"], "when": "2024-05-01"}',
     '{"k": "v"}', 'a@b'),
    (2, '100% of_it \ back', to_tsvector('simple', 'a simple text'), -9223372036854775808, '-1 day +02:00', '',
     '10.1.2.3/16', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', 'empty', '(,)', '(,2)', '[2024-03-01,)', 'empty',
     '[2024-06-01 00:00+00,2024-06-02 00:00+00]', '{}', '{}', '{}', '{}', '{}', '[1, "a", null]', '[1]', null),
    (3, null, null, null, null, null, '::ffff:1.2.3.4', null, null, null, null, null, null, null, null, null, null, null,
     null, null, 'null', null, null),
    (4, 'ÉCLAIR''s "x"', '', 0, '0', '\x5c', 'fd00::1', '192.168.1.0/24', '00:00:00:00:00:01', '[7,9)', '[7,9)', '[7,9)',
     '[2024-03-01,2024-03-02)', '[2024-01-01 17:00:00.25,2024-01-02 00:00)', '(,2024-01-01 06:00+00)', '{red}',
     '{null,7}', null, null, null, null, null, null);
create view documents as
    select id, jsonb_set(to_jsonb(everything), '{words}', 'null') || jsonb_build_object('big', big::text) as data
    from everything;

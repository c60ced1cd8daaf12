"""Tables, functions that write them in every form, and a schema over both."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any

import fraiseql
from fraiseql import ID, JSON, BigInt, Bytes

__all__ = ["DDL", "schema"]

DDL = """
create schema app;
create type app.mood as enum ('very good', 'bad');
create table app.users (
    id int generated always as identity primary key,
    name text not null,
    email text unique,
    mood app.mood,
    manager_id int references app.users (id)
);
create table app.posts (
    id int generated always as identity primary key,
    author_id int not null references app.users (id) on delete cascade,
    title text not null
);
insert into app.users (name, email) values ('Ada', 'ada@example.org'), ('Grace', 'grace@example.org');
insert into app.posts (author_id, title) values (1, 'Notes'), (1, 'More notes'), (2, 'Bugs');
create view app.v_user as
    select id, jsonb_build_object('id', id, 'name', name, 'email', email) as data from app.users;

create type app.result as (
    status text, message text, entity_id text, entity_type text, entity jsonb, updated_fields text[],
    cascade jsonb, metadata jsonb
);

create function app.fn_create_user(input jsonb) returns app.result language plpgsql as $$
declare made app.users; answer app.result;
begin
    if input ->> 'name' = '' then
        answer.status := 'validation:name';
        answer.message := 'A name is needed.';
        return answer;
    end if;
    insert into app.users (name, email) values (input ->> 'name', input ->> 'email') returning * into made;
    answer.status := 'created';
    answer.message := 'Welcome.';
    answer.entity_id := made.id;
    answer.entity_type := 'User';
    answer.entity := to_jsonb(made);
    answer.updated_fields := array['name', 'email'];
    answer.cascade := jsonb_build_object('created', jsonb_build_array(made.id));
    answer.metadata := jsonb_build_object('greeting', 'hello', 'manager', 1, 'figures', '{"total": 12.50}'::jsonb);
    return answer;
end $$;

create function app.fn_echo(input jsonb) returns jsonb language sql as $$
    select jsonb_build_object('status', 'success', 'metadata', jsonb_build_object('got', input))
$$;

-- Says what it is told to.
create function app.fn_say(result jsonb) returns jsonb language sql as $$ select result -> 'result' $$;
create function app.fn_table(result jsonb) returns table (status text, entity_id int, message text) language sql as $$
    select r.status, r.entity_id, r.message
    from jsonb_to_recordset(result -> 'result') r(status text, entity_id int, message text)
$$;
create function app.fn_status(result jsonb, out status text) language sql as $$ select result ->> 'result' $$;

create function app.fn_delete_user(p_id int) returns app.result language plpgsql as $$
declare gone app.users; answer app.result;
begin
    delete from app.users where id = p_id returning * into gone;
    if gone.id is null then
        answer.status := 'NOT-FOUND:p_id';
    else
        answer.status := 'Deleted';
        answer.entity := to_jsonb(gone);
    end if;
    return answer;
end $$;

create function app.fn_update_user(
    p_id int, p_name varchar default 'nobody', p_mood app.mood default null, p_email text default 'kept'
) returns app.users language sql as $$
    update app.users set name = p_name, mood = p_mood, email = case p_email when 'kept' then email else p_email end
    where id = p_id returning *
$$;
create function app.fn_document(p_id int) returns jsonb language sql as $$
    select data from app.v_user where id = p_id
$$;
create function app.fn_view_row(p_id int) returns setof app.v_user language sql as $$
    select * from app.v_user where id = p_id
$$;
create function app.fn_ids(p_ids int[]) returns setof int language sql as $$ select unnest(p_ids) $$;
create function app.fn_rows(p_ids int[]) returns setof app.users language sql as $$
    select * from app.users where id = any (p_ids) order by id desc
$$;
create function app.fn_array(p_ids int[]) returns jsonb language sql as $$
    select jsonb_agg(to_jsonb(u) order by u.id) from app.users u where id = any (p_ids)
$$;
create function app.fn_count() returns int language sql as $$ select count(*)::int from app.users $$;
create table app.media (id int generated always as identity primary key, kind text, title text, pages int);
insert into app.media (kind, title, pages) values ('book', 'Emma', 474), ('film', 'Metropolis', null);
create function app.fn_medium(p_id int) returns app.media language sql as $$ select * from app.media where id = p_id $$;
create function app.fn_media(p_ids int[]) returns setof int language sql as $$ select unnest(p_ids) $$;
create function app.fn_drop_medium(p_id int) returns table (status text, entity jsonb) language sql as $$
    delete from app.media where id = p_id returning 'deleted', to_jsonb(media)
$$;
create function app.fn_json(input jsonb) returns jsonb language sql as $$ select input -> 'value' $$;
create function app.fn_jsons(input jsonb) returns setof jsonb language sql as $$
    select * from jsonb_array_elements(input -> 'value')
$$;
create function app.fn_jsons(other text) returns jsonb language sql as $$ select null::jsonb $$;
create function app."fn's \\ints"(input jsonb) returns int[] language sql as $$
    select array_agg(nullif(each, 'null')::int) from jsonb_array_elements_text(nullif(input -> 'value', 'null')) each
$$;
create function app.fn_int_set(input jsonb) returns setof int language sql as $$
    select each::int from jsonb_array_elements_text(input -> 'value') each
$$;
create function app.fn_either(input jsonb) returns int[] language sql as $$ select array[1, 2] $$;
create function app.fn_either() returns setof int language sql as $$ select generate_series(3, 4) $$;
create function app.fn_none() returns app.users language sql as $$ select * from app.users where false $$;
create function app.fn_raise(p_state text) returns app.users language plpgsql as $$
begin
    raise 'secret %', p_state using errcode = p_state;
end $$;
create function app.fn_typed(
    p_amount numeric, p_day date, p_at timestamptz, p_raw bytea, p_big bigint, p_any jsonb, p_flags boolean[],
    p_places jsonb, p_documents jsonb[]
) returns jsonb language sql as $$
    select jsonb_build_object('status', 'success', 'metadata', jsonb_build_object('got', jsonb_build_array(
        p_amount, p_day, p_at, p_raw, p_big, p_any, p_flags, p_places, p_documents)))
$$;
"""


@fraiseql.enum
class Mood(Enum):
    GOOD = "very good"
    BAD = "bad"


@fraiseql.type(sql_source="app.users", jsonb_column=None)
class User:
    """Somebody."""

    id: ID
    name: str
    email: str | None
    mood: Mood | None
    shout: str = fraiseql.field(sql="upper({name})")
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})
    pages: fraiseql.Connection[Post] = fraiseql.relation(on={"author_id": "id"})
    manager: User | None = fraiseql.relation(on={"id": "manager_id"})

    @fraiseql.field(needs=["name"])
    def initial(self) -> str:
        return self.name[0]


@fraiseql.type(sql_source="app.posts", jsonb_column=None)
class Post:
    id: ID
    title: str


@fraiseql.type(sql_source="app.v_user")
class Person:
    id: ID = fraiseql.field(column="id")
    name: str


@fraiseql.type
class Figures:
    total: Decimal


@fraiseql.input
class Place:
    city_name: str
    mood: Mood | None
    inner: list[Place] | None


@fraiseql.input
class CreateUserInput:
    name: str
    email: str | None
    home: Place | None
    tags: list[str] | None = fraiseql.field(column="labels", description="Words.")
    age: int = 3


@fraiseql.type
class UserCreated:
    """A user was created."""

    status: str
    message: str | None
    id: ID
    entity_type: str | None
    user: User | None
    manager: User | None
    updated_fields: list[str]
    cascade: JSON | None
    metadata: JSON | None
    greeting: str | None
    figures: Figures | None

    @fraiseql.field(needs=["greeting"])
    def loud(self) -> str:
        return self.greeting.upper()


@fraiseql.type
class Refused:
    """It was not done."""

    message: str
    code: str
    status: str
    fields: list[str]
    hint: str | None
    user: User | None


@fraiseql.type
class Done:
    message: str | None
    user: User | None


@fraiseql.type
class Listed:
    users: list[User]
    persons: list[Person] | None


@fraiseql.type
class Echoed:
    got: JSON


@fraiseql.mutation(function="app.fn_create_user", entity="user", deprecated="use another")
class CreateUser:
    """Create a user."""

    input: CreateUserInput
    success: UserCreated
    error: Refused


@fraiseql.mutation(function="app.fn_create_user")
class CreateUserOnly:
    input: CreateUserInput
    success: Done


@fraiseql.mutation(function="app.fn_create_user", returns="result")
def create_plain_user(input: CreateUserInput) -> User | None: ...


@fraiseql.mutation(function="app.fn_echo")
class Echo:
    input: CreateUserInput
    success: Echoed


@fraiseql.mutation(function="app.fn_echo")
def echo_several(
    some_name: str,
    amount: Decimal | None,
    day: dt.date | None,
    raw: Bytes | None,
    big: BigInt | None,
    anything: JSON | None,
    mood: Mood | None,
    places: list[Place] | None,
) -> Echoed: ...


@fraiseql.mutation(function="app.fn_say")
def say(result: JSON) -> Done | Refused: ...


@fraiseql.mutation(function="app.fn_say", name="sayOrNothing")
def say_nothing(result: JSON | None) -> Done | Refused | None: ...


@fraiseql.mutation(function="app.fn_say")
def say_anything(result: JSON | None) -> Done | Refused: ...


@fraiseql.mutation(function="app.fn_say")
def say_alone(result: JSON) -> Done: ...


@fraiseql.mutation(function="app.fn_say", entity="users", result_name="Several")
def say_several(result: JSON) -> Listed | Refused: ...


@fraiseql.mutation(function="app.fn_say", returns="result")
def say_person(result: JSON) -> Person | None: ...


@fraiseql.mutation(function="app.fn_say", returns="result")
def say_user(result: JSON) -> User | Refused: ...


@fraiseql.mutation(function="app.fn_say", returns="result")
def say_users(result: JSON) -> list[User]: ...


@fraiseql.mutation(function="app.fn_table")
def say_table(result: JSON) -> Done | Refused: ...


@fraiseql.mutation(function="app.fn_status")
def say_status(result: str) -> Done | Refused: ...


@fraiseql.mutation(function="app.fn_delete_user", arguments="named", prefix="p_")
def delete_user(id: ID) -> Done | Refused: ...


@fraiseql.input
class UpdateUserInput:
    id: ID
    name: str | None
    mood: Mood | None
    email: str | None


@fraiseql.mutation(function="app.fn_update_user", arguments="named", prefix="p_")
def update_user(input: UpdateUserInput) -> User | None: ...


@fraiseql.mutation(function="app.fn_update_user", arguments="named", prefix="p_", returns="row")
def update_or_refuse(input: UpdateUserInput) -> User | Refused: ...


@fraiseql.mutation(function="app.fn_document", arguments="named", prefix="p_")
def document(id: ID) -> Person: ...


@fraiseql.mutation(function="app.fn_view_row", arguments="named", prefix="p_")
def view_row(id: ID) -> Person | None: ...


@fraiseql.mutation(function="app.fn_ids", arguments="named", prefix="p_")
def by_ids(ids: list[int]) -> list[User]: ...


@fraiseql.mutation(function="app.fn_ids", arguments="named", prefix="p_")
def some_by_ids(ids: list[int]) -> list[User | None]: ...


@fraiseql.mutation(function="app.fn_rows", arguments="named", prefix="p_")
def by_rows(ids: list[int]) -> list[User]: ...


@fraiseql.mutation(function="app.fn_array", arguments="named", prefix="p_")
def by_array(ids: list[int]) -> list[User] | None: ...


@fraiseql.mutation(function="app.fn_count")
def count_users() -> int: ...


@fraiseql.interface(sql_source="app.media", jsonb_column=None, discriminator="kind")
class Medium:
    id: ID
    title: str


@fraiseql.type(when="book")
class Book(Medium):
    pages: int | None


@fraiseql.type(when="film")
class Film(Medium): ...


@fraiseql.mutation(function="app.fn_medium", arguments="named", prefix="p_")
def medium(id: ID) -> Medium | None: ...


@fraiseql.mutation(function="app.fn_media", arguments="named", prefix="p_")
def media(ids: list[int]) -> list[Medium | None]: ...


@fraiseql.mutation(function="app.fn_drop_medium", arguments="named", prefix="p_", returns="result")
def drop_medium(id: ID) -> Medium | None: ...


@fraiseql.mutation(function="app.fn_json")
def json_value(value: JSON | None) -> JSON | None: ...


@fraiseql.mutation(function="app.fn_json")
def json_list(value: JSON | None) -> list[JSON | None] | None: ...


@fraiseql.mutation(function="app.fn_jsons")
def json_set(value: JSON | None) -> list[JSON | None] | None: ...


@fraiseql.mutation(function="app.fn's \\ints")
def ints(value: JSON | None) -> list[int | None] | None: ...


@fraiseql.mutation(function="app.fn_int_set")
def int_set(value: JSON | None) -> list[int | None] | None: ...


@fraiseql.mutation(function="app.fn_either")
def either(value: JSON) -> list[int]: ...


@fraiseql.mutation(function="app.fn_either")
def either_set() -> list[int]: ...


@fraiseql.mutation(function="app.fn_none")
def nobody() -> User | None: ...


@fraiseql.mutation(function="app.fn_raise", arguments="named", prefix="p_")
def raise_state(state: str) -> User | None: ...


@fraiseql.mutation(function="app.fn_raise", arguments="named", prefix="p_", returns="row")
def raise_or_refuse(state: str) -> User | Refused: ...


@fraiseql.mutation(function="app.fn_typed", arguments="named", prefix="p_")
def typed(
    amount: Decimal,
    day: dt.date,
    at: dt.datetime,
    raw: Bytes,
    big: BigInt,
    any: JSON,
    flags: list[bool],
    places: list[Place],
    documents: list[JSON],
) -> Echoed: ...


@fraiseql.query
def users() -> list[User]: ...


_EVERY: Any = [
    *(
        CreateUser,
        CreateUserOnly,
        create_plain_user,
        Echo,
        echo_several,
        say,
        say_nothing,
        say_anything,
        say_alone,
        say_several,
    ),
    *(
        say_person,
        say_user,
        say_users,
        say_table,
        say_status,
        delete_user,
        update_user,
        update_or_refuse,
        document,
        view_row,
    ),
    *(by_ids, some_by_ids, by_rows, by_array, count_users, nobody, raise_state, raise_or_refuse, typed),
    *(medium, media, drop_medium, json_value, json_list, json_set, ints, int_set, either, either_set),
]
schema = fraiseql.Schema(types=[Post, Book, Film], queries=[users], mutations=_EVERY)

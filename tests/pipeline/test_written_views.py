"""Mutations of tables behind views, with triggers, row security, names of any letters, and others in the way."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.pipeline import Pipeline
from pipeline.driving import Database


@fraiseql.type(sql_source="v_task")
class Task:
    id: ID
    title: str
    state: str
    owner_id: ID | None
    details: JSON | None
    step_count: int
    steps: list[Step] = fraiseql.relation(on={"task_id": "id"})
    owner: Owner | None = fraiseql.relation(on={"id": "owner_id"})


@fraiseql.type(sql_source="v_step")
class Step:
    id: ID = fraiseql.field(column="id")
    text: str
    task: Task = fraiseql.relation(on={"id": "task_id"})


@fraiseql.type(sql_source="v_owner", jsonb_column=None)
class Owner:
    id: ID
    full_name: str


@fraiseql.type(sql_source='my app.we"ird', jsonb_column=None)
class Weird:
    id: ID = fraiseql.field(column="the key")
    value: str | None = fraiseql.field(column="v\"al'ue")


@fraiseql.type(sql_source="v_coded")
class Coded:
    id: ID
    value: str | None


@fraiseql.interface(sql_source="animals", jsonb_column=None, discriminator="kind")
class Animal:
    id: ID
    name: str


@fraiseql.type(when="c'at")
class Cat(Animal):
    lives: int | None


@fraiseql.type(when="dog")
class Dog(Animal):
    trick: str | None


@fraiseql.type(sql_source="notes", jsonb_column=None)
class Note:
    id: ID
    text: str
    owner: str
    pet_id: ID | None
    pet: Cat | None = fraiseql.relation(on={"id": "pet_id"})
    lines: list[Line] = fraiseql.relation(on={"note_id": "id"})
    others: list[Note] = fraiseql.relation(through="note_pairs", on={"id": "right"}, own={"left": "id"})


@fraiseql.type(sql_source="lines", jsonb_column=None)
class Line:
    id: ID
    text: str
    note: Note = fraiseql.relation(on={"id": "note_id"})


every = {"create": True, "update": True, "delete": True}
fraiseql.crud(
    Task,
    **every,
    upsert=("title",),
    table="tb_task",
    columns={"title": "task_title"},
    generated=("id",),
    optional=("state",),
    read_only=("step_count",),
    nested=("steps", "owner"),
)
fraiseql.crud(Step, **every, table="tb_step", generated=("id",), nested=("task",))
fraiseql.crud(Owner, create=True, table="tb_owner", generated=("id",), columns={"full_name": "name"})
fraiseql.crud(Coded, **every, upsert=True, table="coded")
fraiseql.crud(Weird, **every, upsert=True)
fraiseql.crud(Cat, **every, upsert=True)
fraiseql.crud(Dog, **every)
fraiseql.crud(Note, **every, upsert=True, optional=("id", "owner"), nested=("lines", "pet", "others"))
fraiseql.crud(Line, create=True, generated=("id",), nested=("note",))


@fraiseql.query
def tasks() -> list[Task]: ...


@fraiseql.query
def animals() -> list[Animal]: ...


PIPELINE = Pipeline(fraiseql.Schema(types=[Task, Owner, Coded, Weird, Cat, Dog, Note], queries=[tasks, animals]))
TABLES = r"""
create table tb_owner (pk bigserial primary key, id uuid not null unique default gen_random_uuid(), name text not null);
create table tb_task (
    pk bigserial primary key, id uuid not null unique default gen_random_uuid(), task_title text not null unique,
    state text not null default 'open', owner_id uuid references tb_owner (id), details jsonb,
    hidden bool not null default false
);
create table tb_step (
    id serial primary key, task_id uuid not null references tb_task (id) on delete cascade, text text not null
);
create view v_owner as select id, name as full_name from tb_owner;
create view v_step as select id, task_id, jsonb_build_object('text', text) as data from tb_step;
create view v_task as select t.id, t.owner_id, jsonb_build_object(
    'id', t.id, 'title', t.task_title, 'state', t.state, 'owner_id', t.owner_id, 'details', t.details,
    'step_count', (select count(*) from tb_step s where s.task_id = t.id)
) as data from tb_task t where not hidden and state <> 'archived';

create schema "my app";
create table "my app"."we""ird" ("the key" text primary key, "v""al'ue" text);
create table animals (
    id text primary key, kind text not null, name text not null, lives int, trick text
);

create table notes (
    id int primary key, text text not null, owner text not null default current_setting('app.who'),
    pet_id text references animals
);
create table note_pairs ("left" int references notes, "right" int references notes);
create table lines (
    id serial primary key, note_id int not null references notes on delete cascade, text text not null,
    owner text not null default current_setting('app.who')
);
create sequence note_ids;
create function on_note() returns trigger language plpgsql as $$ begin
    if new.text = 'leave out' then return null; end if;
    new.id := coalesce(new.id, 1000 - nextval('note_ids'));
    new.text := lower(new.text);
    return new;
end $$;
create trigger on_note before insert on notes for each row execute function on_note();
alter table notes enable row level security;
create policy mine on notes using (owner = current_setting('app.who'));
create policy public on notes for select using (text like 'public%');
alter table lines enable row level security;
create policy mine on lines using (owner = current_setting('app.who'));
"""


@pytest.fixture(scope="module")
def _database(module_database_url: str) -> Iterator[Database]:
    database = Database(module_database_url)
    database.run(TABLES)
    database.run("create role member; grant all on all tables in schema public to member")
    database.run("grant all on all sequences in schema public to member")
    yield database
    database.run("reset role; drop owned by member; drop role member")
    database.close()


@pytest.fixture
def database(_database: Database) -> Database:
    _database.run("reset role; set app.who = 'ann'")
    _database.run(
        'truncate tb_owner, tb_task, tb_step, "my app"."we""ird", animals, notes, lines restart identity cascade'
    )
    return _database


def ask(database: Database, query: str, /, **variables: Any) -> Any:
    answer = database.ask(PIPELINE, query, variables)
    assert "errors" not in answer, answer
    return answer["data"]


def code(database: Database, query: str, /, **variables: Any) -> str:
    answer = database.ask(PIPELINE, query, variables)
    (error,) = answer["errors"]
    found: str = error["extensions"]["code"]
    return found


def test_a_table_behind_jsonb(database: Database) -> None:
    new = {
        "title": "T",
        "details": {"a": [1]},
        "owner": {"create": {"fullName": "Olga"}},
        "steps": [{"text": "1"}, {"text": "2"}],
    }
    shown = "{ title state details stepCount owner { fullName } steps { text } }"
    created = ask(database, f"mutation ($i: CreateTaskInput!) {{ createTask(input: $i) {shown} }}", i=new)["createTask"]
    assert created == {
        "title": "T",
        "state": "open",
        "details": {"a": [1]},
        "stepCount": 2,
        "owner": {"fullName": "Olga"},
        "steps": [{"text": "1"}, {"text": "2"}],
    }
    ((key, owner),) = database.run("select id, owner_id from tb_task")
    query = "mutation ($id: ID!, $i: UpdateTaskInput!) { updateTask(id: $id, input: $i) { title ownerId details } }"
    assert ask(database, query, id=key, i={"title": "U", "details": None}) == {
        "updateTask": {"title": "U", "ownerId": owner, "details": None}
    }
    up = 'mutation { upsertTasks(input: [{title: "V"}, {title: "U", state: "done"}]) { title state } }'
    assert ask(database, up)["upsertTasks"] == [{"title": "V", "state": "open"}, {"title": "U", "state": "done"}]
    many = """mutation { updateTasks(where: {stepCount: {gt: 0}}, input: {state: "many"}) { title state } }"""
    assert ask(database, many) == {"updateTasks": [{"title": "U", "state": "many"}]}
    gone = 'mutation { deleteTasks(where: {steps: {some: {text: {eq: "2"}}}}) { title steps { text } } }'
    assert ask(database, gone) == {"deleteTasks": [{"title": "U", "steps": [{"text": "1"}, {"text": "2"}]}]}
    assert database.values("select task_title from tb_task") == ["V"]


def test_what_the_view_hides_is_not_touched(database: Database) -> None:
    database.run("insert into tb_task (task_title, hidden) values ('hidden', true), ('shown', false)")
    (key,) = database.values("select id from tb_task where hidden")
    update = 'mutation ($id: ID!) { updateTask(id: $id, input: {state: "x"}) { id } }'
    assert ask(database, update, id=key) == {"updateTask": None}
    assert ask(database, "mutation ($id: ID!) { deleteTask(id: $id) { id } }", id=key) == {"deleteTask": None}
    every_row = 'mutation { updateTasks(where: {title: {isnull: false}}, input: {state: "x"}) { title } }'
    assert ask(database, every_row) == {"updateTasks": [{"title": "shown"}]}
    answer = database.ask(PIPELINE, 'mutation { upsertTask(input: {title: "hidden", state: "x"}) { title } }')
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "NOT_WRITTEN"
    rows = database.run("select task_title, state from tb_task order by 1")
    assert rows == [("hidden", "open"), ("shown", "x")]


@pytest.mark.parametrize(
    "field",
    [
        'updateTask(id: "{}", input: {{state: "archived"}})',
        'updateTasks(where: {{title: {{isnull: false}}}}, input: {{state: "archived"}})',
        'createTask(input: {{title: "T", state: "archived"}})',
        'upsertTask(input: {{title: "a", state: "archived"}})',
    ],
)
def test_what_is_written_is_seen(database: Database, field: str) -> None:
    """Nothing leaves the view by a mutation of its type."""
    database.run("insert into tb_task (task_title) values ('a'), ('b')")
    (key, _) = database.values("select id from tb_task order by task_title")
    assert code(database, f"mutation {{ {field.format(key)} {{ id }} }}") == "NOT_WRITTEN"
    assert database.run("select task_title, state from tb_task order by 1") == [("a", "open"), ("b", "open")]


def test_names_of_any_letters(database: Database) -> None:
    rows = 'input: [{id: "1", value: "a"}, {id: "\'", value: null}]'
    assert ask(database, f"mutation {{ createWeirds({rows}) {{ id value }} }}") == {
        "createWeirds": [{"id": "1", "value": "a"}, {"id": "'", "value": None}]
    }
    assert ask(database, 'mutation { updateWeird(id: "1", input: {value: "b"}) { value } }') == {
        "updateWeird": {"value": "b"}
    }
    assert ask(database, 'mutation { upsertWeird(input: {id: "1", value: "c"}) { value } }') == {
        "upsertWeird": {"value": "c"}
    }
    assert ask(database, 'mutation { deleteWeirds(where: {value: {eq: "c"}}) { id } }') == {
        "deleteWeirds": [{"id": "1"}]
    }


@pytest.mark.parametrize(
    ("sql_type", "key"),
    [("char(5)", "ab   "), ("inet", "10.0.0.1"), ("timestamptz", "2024-02-29T00:00:00+00:00"), ("bool", "true")],
)
def test_keys_inside_jsonb(database: Database, sql_type: str, key: str) -> None:
    """Whatever their type makes of them as texts elsewhere."""
    database.run(f"""drop table if exists coded cascade; create table coded (id {sql_type} primary key, value text);
        create view v_coded as select to_jsonb(c) as data from coded c; set timezone = 'UTC'""")
    for field, shown in (
        ('createCoded(input: {id: $id, value: "1"})', {"id": key, "value": "1"}),
        ('updateCoded(id: $id, input: {value: "2"})', {"id": key, "value": "2"}),
        ('upsertCoded(input: {id: $id, value: "3"})', {"id": key, "value": "3"}),
        ('updateCodeds(where: {id: {eq: $id}}, input: {value: "4"})', [{"id": key, "value": "4"}]),
        ("deleteCoded(id: $id)", {"id": key, "value": "4"}),
    ):
        assert ask(database, f"mutation ($id: ID!) {{ it: {field} {{ id value }} }}", id=key) == {"it": shown}, field
    assert database.values("select count(*) from coded") == ["0"]


def test_rows_of_an_interface_are_of_their_type(database: Database) -> None:
    assert ask(database, 'mutation { createCat(input: {id: "1", name: "Tom", lives: 9}) { __typename id } }') == {
        "createCat": {"__typename": "Cat", "id": "1"}
    }
    ask(database, 'mutation { createDog(input: {id: "2", name: "Rex"}) { id } }')
    assert database.run("select id, kind from animals order by id") == [("1", "c'at"), ("2", "dog")]
    assert ask(database, 'mutation { updateCat(id: "2", input: {name: "?"}) { id } }') == {"updateCat": None}
    assert ask(database, 'mutation { deleteCat(id: "2") { id } }') == {"deleteCat": None}
    assert ask(database, "mutation { deleteCats(where: {name: {isnull: false}}) { name } }") == {
        "deleteCats": [{"name": "Tom"}]
    }
    assert code(database, 'mutation { upsertCat(input: {id: "2", name: "Rex"}) { id } }') == "NOT_WRITTEN"
    assert database.run("select id, kind, name from animals") == [("2", "dog", "Rex")]


def test_triggers_make_keys_and_change_values(database: Database) -> None:
    rows = [{"text": f"T{n}", "lines": [{"text": f"{n}.{m}"} for m in range(n)]} for n in range(4)]
    rows.insert(2, {"id": 5, "text": "T9", "lines": [{"text": "9.0"}]})
    found = ask(
        database, "mutation ($i: [CreateNoteInput!]!) { createNotes(input: $i) { id text lines { text } } }", i=rows
    )["createNotes"]
    assert [(each["text"], [line["text"] for line in each["lines"]]) for each in found] == [
        (row["text"].lower(), [line["text"] for line in row["lines"]]) for row in rows
    ]
    assert [int(each["id"]) for each in found] == [999, 998, 5, 997, 996]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_that_a_trigger_leaves_out_undoes_all(database: Database, place: int) -> None:
    rows = [{"text": f"T{n}", "lines": [{"text": str(n)}]} for n in range(2)]
    rows.insert(place, {"text": "leave out", "lines": [{"text": "?"}]})
    query = "mutation ($i: [CreateNoteInput!]!) { createNotes(input: $i) { id } }"
    assert code(database, query, i=rows) == "NOT_WRITTEN"
    assert database.values("select count(*) from notes union all select count(*) from lines") == ["0", "0"]
    assert code(database, 'mutation { createNote(input: {text: "leave out"}) { id } }') == "NOT_WRITTEN"


def test_row_security_holds_for_every_form(database: Database) -> None:
    database.run("""insert into notes (id, text, owner) values
        (1, 'mine', 'ann'), (2, 'theirs', 'bob'), (3, 'public theirs', 'bob');
        insert into lines (note_id, text) values (1, 'a'), (2, 'b'), (3, 'c')""")
    before = database.run("select * from notes where id > 1 order by id")
    database.run("set role member")
    for key in (2, 3, 99):  # 3 may be seen, but not changed
        assert ask(database, f'mutation {{ updateNote(id: {key}, input: {{text: "x"}}) {{ text }} }}') == {
            "updateNote": None
        }
        assert ask(database, f"mutation {{ deleteNote(id: {key}) {{ text }} }}") == {"deleteNote": None}
    every_row = "where: {text: {isnull: false}}"
    found = ask(
        database, f'mutation {{ updateNotes({every_row}, input: {{text: "new"}}) {{ id text lines {{ text }} }} }}'
    )
    assert found == {"updateNotes": [{"id": "1", "text": "new", "lines": [{"text": "a"}]}]}
    for query in (
        'createNote(input: {id: 7, text: "x", owner: "bob"}) { id }',
        'createNotes(input: [{id: 7, text: "x"}, {id: 8, text: "x", owner: "bob"}]) { id }',
        'updateNote(id: 1, input: {owner: "bob"}) { id }',
        'upsertNote(input: {id: 2, text: "x"}) { text }',
        'upsertNote(input: {id: 3, text: "x"}) { text }',
    ):
        answer = database.ask(PIPELINE, f"mutation {{ {query} }}")
        assert "row-level security" in answer["cause"], query
        assert "theirs" not in str(answer)
    assert ask(database, f"mutation {{ deleteNotes({every_row}) {{ text lines {{ text }} }} }}") == {
        "deleteNotes": [{"text": "new", "lines": [{"text": "a"}]}]
    }
    made = ask(
        database, 'mutation { createNote(input: {id: 9, text: "t", lines: [{text: "l"}]}) { owner lines { text } } }'
    )
    assert made == {"createNote": {"owner": "ann", "lines": [{"text": "l"}]}}
    database.run("reset role")
    assert database.run("select * from notes where id between 2 and 8 order by id") == before


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("createLine(input: {{text: 'x', note: {{connect: {}}}}})", "input.note.connect"),
        (
            "createLines(input: [{{text: 'x', note: {{connect: 3}}}}, {{text: 'y', note: {{connect: {}}}}}])",
            "input[1].note.connect",
        ),
        (
            "createNote(input: {{id: 7, text: 'x', others: [{{connect: 1}}, {{connect: {}}}]}})",
            "input.others[1].connect",
        ),
        (
            "createNote(input: {{text: 'x', lines: [{{text: 'x'}}],"
            " others: [{{create: {{text: 'y', others: [{{connect: {}}}]}}}}]}})",
            "input.others[0].create.others[0].connect",
        ),
    ],
)
def test_who_may_not_see_a_row_cannot_bind_another_to_it(database: Database, given: str, place: str) -> None:
    """And is told the same as where there is none: foreign keys know no policies."""
    database.run("""insert into notes (id, text, owner) values
        (1, 'mine', 'ann'), (2, 'theirs', 'bob'), (3, 'public theirs', 'bob')""")
    database.run("set role member")
    query = given.replace("'", '"')
    fields = [re.sub(r"\[\d\]", "", place).removeprefix("input.")]
    for key in (2, 99):
        (error,) = database.ask(PIPELINE, f"mutation {{ it: {query.format(key)} {{ id }} }}")["errors"]
        assert error["message"] == f'The argument "{place}" names a row that is not there.'
        assert error["extensions"] == {"code": "FOREIGN_KEY_VIOLATION", "fields": fields}
        assert error["path"] == ["it"]
    assert database.values("select count(*) from lines union all select count(*) from note_pairs") == ["0", "0"]
    for key in (1, 3):
        ask(database, f"mutation {{ {query.replace('id: 7', f'id: 7{key}').format(key)} {{ id }} }}")


def test_rows_that_their_type_does_not_show_are_not_there(database: Database) -> None:
    database.run("insert into tb_task (task_title, hidden) values ('hidden', true), ('shown', false)")
    hidden, shown = database.values("select id from tb_task order by task_title")
    step = 'mutation ($id: ID!) { createStep(input: {text: "s", task: {connect: $id}}) { task { title } } }'
    assert code(database, step, id=hidden) == "FOREIGN_KEY_VIOLATION"
    assert ask(database, step, id=shown) == {"createStep": {"task": {"title": "shown"}}}
    database.run("insert into animals (id, kind, name) values ('1', 'c''at', 'Tom'), ('2', 'dog', 'Rex')")
    note = 'mutation ($id: ID!) { createNote(input: {text: "n", pet: {connect: $id}}) { pet { name } } }'
    assert code(database, note, id="2") == "FOREIGN_KEY_VIOLATION"
    assert ask(database, note, id="1") == {"createNote": {"pet": {"name": "Tom"}}}


@pytest.mark.parametrize(
    ("query", "answer", "left"),
    [
        (
            'updateTasks(where: {state: {eq: "open"}}, input: {state: "mine"}) { title }',
            [{"title": "b"}],
            "theirs mine",
        ),
        ('deleteTasks(where: {state: {eq: "open"}}) { title }', [{"title": "b"}], "theirs"),
        (
            'updateOpenTasks(where: {state: {eq: "open"}}, input: {state: "mine"}) { title }',
            [{"title": "b"}],
            "theirs mine",
        ),
        ('deleteOpenTasks(where: {state: {eq: "open"}}) { title }', [{"title": "b"}], "theirs"),
    ],
)
def test_rows_that_others_change_meanwhile(database: Database, query: str, answer: list[Any], left: str) -> None:
    """Whoever waits for a row's lock looks at its conditions again."""

    @fraiseql.type(name="OpenTask", sql_source="tb_task", jsonb_column=None)
    class OpenTask:
        id: ID
        title: str = fraiseql.field(column="task_title")
        state: str

    fraiseql.crud(OpenTask, **every, generated=("id",))
    pipeline = Pipeline(fraiseql.Schema(types=[Task, OpenTask], queries=[tasks]))
    database.run("insert into tb_task (task_title) values ('a'), ('b')")
    database.run("begin; update tb_task set state = 'theirs' where task_title = 'a'")
    found: list[Any] = []
    other = Database(database.conninfo)
    (pid,) = other.values("select pg_backend_pid()")
    thread = threading.Thread(target=lambda: found.append(other.ask(pipeline, f"mutation {{ {query} }}")))
    thread.start()
    try:
        _wait_until(lambda: database.values(f"select cardinality(pg_blocking_pids({pid}))") == ["1"])
    finally:
        database.run("commit")
        thread.join()
        other.close()
    assert list(found[0]["data"].values()) == [answer], found
    assert " ".join(database.values("select state from tb_task order by task_title")) == left


def _wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if holds():
            return
    raise AssertionError("it never came about")

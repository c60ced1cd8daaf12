"""Functions in Python that serve mutations, through the whole server, on a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from fraiseql import DatabaseError, Info, RequestError
from fraiseql.observations import Observation
from runtimes.writers import Writer, bodies, causes

pytestmark = pytest.mark.anyio

_THIRD = "{ writers(where: {id: {eq: 3}}) { fullName } }"


@pytest.mark.parametrize("field", ["rename", "renamePlainly"])
async def test_mutations(field: str, ask_writers: Any, observations: list[Observation]) -> None:
    query = f'mutation {{ {field}(id: 3, name: "Dee") {{ fullName shout counted books {{ id }} }} }}'
    answer = await ask_writers(query)
    assert answer == {"data": {field: {"fullName": "Dee", "shout": "DEE", "counted": 0, "books": []}}}, causes(
        observations
    )
    assert await ask_writers("{ writers(where: {id: {eq: 3}}) { fullName } }") == {
        "data": {"writers": [{"fullName": "Dee"}]}
    }
    assert (await ask_writers(f'mutation {{ {field}(id: 3, name: "Cy") {{ id }} }}'))["data"] == {field: {"id": 3}}


async def test_success_and_error_are_a_union(ask_writers: Any, observations: list[Observation]) -> None:
    body = "{ ... on Replaced { writer { fullName books { title } } } ... on Note { text } }"
    fields = " ".join(f'{key}: replace(id: {id}, name: "It") {body}' for key, id in (("a", 2), ("b", 9)))
    answer = await ask_writers(f"mutation {{ {fields} }}")
    assert answer == {
        "data": {
            "a": {"writer": {"fullName": "Bo", "books": [{"title": "It"}, {"title": "It"}]}},
            "b": {"text": "no writer 9"},
        }
    }, causes(observations)


async def test_a_mutation_is_all_or_nothing(ask_writers: Any, observations: list[Observation]) -> None:
    async def fail(info: Info) -> Any:
        assert await info.db.fetch_value("select full_name from writers where id = 3") == "Dee"
        raise RequestError("No.", code="NO")

    bodies["fail"] = fail
    answer = await ask_writers('mutation { rename(id: 3, name: "Dee") { id } mutate(name: "fail") }')
    assert answer["data"] == {"rename": None, "mutate": None}, causes(observations)
    assert {error["path"][0]: error["extensions"]["code"] for error in answer["errors"]} == {
        "rename": "ROLLED_BACK",
        "mutate": "NO",
    }
    assert await ask_writers("{ writers(where: {id: {eq: 3}}) { fullName } }") == {
        "data": {"writers": [{"fullName": "Cy"}]}
    }


async def test_a_violation_that_a_mutation_lets_pass_has_its_code(ask_writers: Any) -> None:
    answer = await ask_writers('mutation { rename(id: 3, name: "Ada") { id } }')
    assert answer["data"] == {"rename": None}
    assert answer["errors"][0]["extensions"]["code"] == "UNIQUE_VIOLATION"


async def test_a_savepoint_keeps_the_mutation(ask_writers: Any, observations: list[Observation]) -> None:
    async def try_twice(info: Info) -> Any:
        with pytest.raises(DatabaseError):
            async with info.db.transaction():
                await info.db.execute("update writers set full_name = 'Ada' where id = 3")
        names: list[str] = []

        async def read() -> None:
            names.append(await info.db.fetch_value("select full_name from writers where id = 3"))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(read)
        return names

    bodies["try"] = try_twice
    assert await ask_writers('mutation { mutate(name: "try") }') == {"data": {"mutate": ["Cy"] * 3}}, causes(
        observations
    )


async def _let_pass(info: Info) -> Any:
    """An error of SQL, and one of a selection, that the function takes no notice of."""
    for wrong in (
        info.db.execute("update writers set full_name = 'Ada' where id = 3"),
        info.db.fetch_all("select 1 / 0"),
        info.db.execute("no SQL at all"),
        info.db.find(Writer, where={"full_name": {"matches": "("}}),
    ):
        with pytest.raises(DatabaseError):
            await wrong
    await info.db.execute("update books set title = 'After' where id = 4")
    return await info.db.fetch_value("select full_name from writers where id = 3")


async def test_an_error_that_a_mutation_goes_on_after(ask_writers: Any, observations: list[Observation]) -> None:
    bodies["let pass"] = _let_pass
    answer = await ask_writers('mutation { rename(id: 3, name: "Dee") { id } mutate(name: "let pass") }')
    assert answer == {"data": {"rename": {"id": 3}, "mutate": "Dee"}}, causes(observations)
    found = await ask_writers('{ rowsOf(sql: "select title from books where id = 4") }')
    assert found == {"data": {"rowsOf": [{"title": "After"}]}}
    await ask_writers('mutation { rename(id: 3, name: "Cy") { id } }')


@pytest.mark.parametrize("sql", ["prepare transaction 'x'", "commit", "rollback"])
async def test_a_mutation_whose_transaction_is_ended_behind_its_back_is_none(
    sql: str, ask_writers: Any, observations: list[Observation]
) -> None:
    async def end(info: Info) -> Any:
        await info.db.execute("create temp table mine (id int unique deferrable initially deferred) on commit drop")
        await info.db.execute("insert into mine values (1), (1)")
        with pytest.raises(DatabaseError):
            await info.db.execute(sql)
        return "over"

    bodies["end"] = end
    fields = 'a: rename(id: 3, name: "Dee") { id } b: mutate(name: "end") c: rename(id: 2, name: "Eve") { id }'
    answer = await ask_writers(f"mutation {{ {fields} }}")
    assert answer["data"] == {"a": None, "b": None, "c": None}
    assert len(answer["errors"]) == 3
    assert await ask_writers("{ writers(where: {id: {in: [2, 3]}}) { fullName } }") == {
        "data": {"writers": [{"fullName": "Bo"}, {"fullName": "Cy"}]}
    }

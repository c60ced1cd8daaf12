"""Computed fields through the whole server under asyncio and trio, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import psycopg
import pytest

import fraiseql
from fraiseql import Caller, ClientRequest, EventBus, Info
from fraiseql.context import ANONYMOUS
from fraiseql.effects import CallAll, Effect, ResolverCall
from fraiseql.observations import InternalErrorMasked, Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.anyio.calling import Calls
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.websocket_client import opened

pytestmark = pytest.mark.anyio

_DDL = """
create table people (id int primary key, first_name text not null, last_name text not null);
insert into people select n, 'Ada' || n, 'Byron' from generate_series(1, 5) n;
create table notes (id int primary key, person_id int not null, document jsonb not null);
insert into notes select n, 1 + n % 2, jsonb_build_object('text', 'note ' || n) from generate_series(1, 3) n;
"""


class Meeting:
    """Those who wait are let go once so many are there."""

    def __init__(self) -> None:
        self.under_way = self.most = self.cancelled = 0
        self.wanted = 0
        self.expected = 3
        self.opened, self.full, self.empty = anyio.Event(), anyio.Event(), anyio.Event()

    async def attend(self) -> int:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.under_way >= self.wanted:
                self.opened.set()
            if self.under_way == self.expected:
                self.full.set()
            await self.opened.wait()
            return self.under_way
        except BaseException:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
            if self.under_way == 0:
                self.empty.set()


meeting = Meeting()


@fraiseql.type(sql_source="people", jsonb_column=None)
@dataclass(frozen=True, slots=True)
class Person:
    id: int
    first_name: str
    last_name: str
    notes: list[Note] = fraiseql.relation(on={"person_id": "id"})  # noqa: RUF009 - it is a marker

    @fraiseql.field(needs=["first_name", "last_name"])
    def initials(self) -> str:
        return self.first_name[0] + self.last_name[0]

    @fraiseql.field(needs=["id"])
    async def meets(self) -> int | None:
        await meeting.attend()
        return self.id

    @fraiseql.field(needs=[])
    async def asker(self, info: Info) -> str | None:
        await anyio.sleep(0)
        return f"{info.caller.user_id} {info.context} {type(info.bus).__name__}"

    @fraiseql.field(batch=True, needs=["id"])
    @staticmethod
    async def doubled(people: list[Person]) -> list[int]:
        await anyio.sleep(0)
        return [2 * each.id for each in people]

    @fraiseql.field(needs=["id"])
    async def broken(self) -> int | None:
        await anyio.sleep(0)
        raise SystemExit("no way out")

    @fraiseql.field(needs=["id"])
    async def closed(self) -> int | None:
        await anyio.sleep(0)
        raise GeneratorExit("no way out")

    @fraiseql.field(needs=["id"])
    def closed_at_once(self) -> int | None:
        raise GeneratorExit("no way out")


@fraiseql.type(sql_source="notes", jsonb_column="document")
class Note:
    id: int = fraiseql.field(column="id")
    text: str

    @fraiseql.field
    async def loud(self) -> str:
        return self.text.upper()


@fraiseql.query
def people() -> list[Person]: ...


@fraiseql.subscription
def live_people() -> list[Person]: ...


_SCHEMA = fraiseql.Schema(queries=[people], subscriptions=[live_people])


@pytest.fixture(scope="module")
def people_url(postgres: EmbeddedPostgres, module_database_url: str) -> str:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL.encode())
    return module_database_url


@pytest.fixture
async def observed() -> list[Observation]:
    return []


@pytest.fixture
async def app(people_url: str, observed: list[Observation]) -> AsyncIterator[FraiseQLApp]:
    meeting.__init__()  # type: ignore[misc]
    config = FraiseQLConfig(database_url=people_url, port=0, query_max_concurrent_calls=3)
    app = FraiseQLApp(_SCHEMA, config=config, bus=EventBus.memory(), context=_known, observe=observed.append)
    async with app:
        yield app


def _known(request: ClientRequest) -> Caller:
    return Caller("ada", context=request.transport)


@pytest.fixture
async def ask(app: FraiseQLApp, connected: Any) -> AsyncIterator[Callable[..., Any]]:
    async with connected(app.port) as client:
        yield client.ask


async def test_methods_compute_beside_sql(ask: Any) -> None:
    answer = await ask("{ people(limit: 2) { initials doubled notes { loud } asker } }")
    assert answer == {
        "data": {
            "people": [
                {
                    "initials": "AB",
                    "doubled": 2,
                    "notes": [{"loud": "NOTE 2"}],
                    "asker": "ada http RunningMemoryBus",
                },
                {
                    "initials": "AB",
                    "doubled": 4,
                    "notes": [{"loud": "NOTE 1"}, {"loud": "NOTE 3"}],
                    "asker": "ada http RunningMemoryBus",
                },
            ]
        }
    }


async def test_objects_beside_them_of_which_nothing_is_selected_stay_empty(ask: Any) -> None:
    answer = await ask("{ people(limit: 1) { initials notes { text @skip(if: true) } } }")
    assert answer == {"data": {"people": [{"initials": "AB", "notes": [{}]}]}}


async def test_asynchronous_methods_wait_at_once_and_only_so_many(ask: Any) -> None:
    meeting.wanted = 3
    answer = await ask("{ people { meets } }")
    assert [each["meets"] for each in answer["data"]["people"]] == [1, 2, 3, 4, 5]
    assert meeting.most == 3


@pytest.mark.parametrize("field", ["broken", "closed", "closedAtOnce"])
async def test_what_is_no_exception_ends_its_field_only(field: str, ask: Any, observed: list[Observation]) -> None:
    answer = await ask(f"{{ people(limit: 1) {{ id {field} }} }}")
    assert answer["data"] == {"people": [{"id": 1, field: None}]}
    assert answer["errors"][0]["path"] == ["people", 0, field]
    (masked,) = [each for each in observed if isinstance(each, InternalErrorMasked)]
    assert "no way out" in str(masked.error)
    assert answer["errors"][0]["extensions"]["requestId"] == masked.request_id


async def test_a_client_that_leaves_cancels_the_methods(app: FraiseQLApp, connected: Any) -> None:
    meeting.wanted = 100
    async with connected(app.port) as client:
        await client.send("{ people { meets } }")
        await meeting.full.wait()
    with anyio.fail_after(10):
        await meeting.empty.wait()
    assert meeting.cancelled == 3


async def test_a_request_that_takes_too_long_cancels_them(people_url: str, connected: Any) -> None:
    meeting.__init__()  # type: ignore[misc]
    meeting.wanted = 100
    config = FraiseQLConfig(database_url=people_url, port=0, query_request_timeout=0.2)
    async with FraiseQLApp(_SCHEMA, config=config, bus=EventBus.memory()) as app, connected(app.port) as client:
        answer = await client.ask("{ people { meets } }")
        assert answer["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
        with anyio.fail_after(10):
            await meeting.empty.wait()
        assert (meeting.most, meeting.cancelled) == (5, 5)


async def test_over_websocket_they_are_told_who_asks(app: FraiseQLApp) -> None:
    async with opened(app.port) as client:
        operation = await client.subscribe("{ people(limit: 1) { asker } }")
        assert await client.ended(operation) == [{"data": {"people": [{"asker": "ada websocket RunningMemoryBus"}]}}]


async def test_live_queries_compute(app: FraiseQLApp) -> None:
    query = "subscription { livePeople(limit: 1) { initials asker } }"
    async with opened(app.port) as client:
        operation = await client.subscribe(query)
        (result,) = await client.hear(operation)
        assert result == {"data": {"livePeople": [{"initials": "AB", "asker": "ada websocket RunningMemoryBus"}]}}


def _call(function: Any, *arguments: Any) -> ResolverCall:
    return ResolverCall(function, arguments, {}, takes_info=False, field_name="it", caller=ANONYMOUS)


async def _made(effect: CallAll) -> list[Any]:
    async def perform(effect: Effect) -> Any:
        raise AssertionError(effect)

    return await Calls(None, 1).call_all(effect, perform)


async def test_results_and_exceptions_come_in_order() -> None:
    async def later(number: int) -> int:
        for _ in range(5 - number):
            await anyio.sleep(0)
        if number == 3:
            raise KeyError(number)
        return number

    def now(number: int) -> Any:
        if number == 0:
            raise ValueError(number)
        return number

    calls = (_call(now, 0), _call(later, 1), _call(later, 2), _call(later, 3), _call(now, 4), _call(later, 5))
    results = await _made(CallAll(calls, 2))
    assert [repr(each) for each in results] == ["ValueError(0)", "1", "2", "KeyError(3)", "4", "5"]
    assert await _made(CallAll((), 2)) == []


async def test_what_a_plain_function_gives_is_awaited() -> None:
    async def later() -> str:
        return "later"

    calls = (_call(lambda: later()), _call(lambda: "now"))
    assert await _made(CallAll(calls, 2)) == ["later", "now"]


async def test_cancelling_reaches_all_calls() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    with anyio.move_on_after(0.05):
        await _made(CallAll((_call(wait),) * 5, 3))
    assert ended == ["cancelled"] * 3

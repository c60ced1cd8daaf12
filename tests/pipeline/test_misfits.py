"""Where a value in the database does not fit its type, the operation is served once more by the checking statement."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import fraiseql
from fraiseql.context import ANONYMOUS
from fraiseql.effects import Event, Fetch, Next, Sleep
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.pipeline.misfits import MisfitsFound
from fraiseql.schema import subscription
from pipeline.conftest import run
from pipeline.stepping import Run, open_stream

_MISFIT = DatabaseError("secret", sqlstate="22P02")
_AWAY = DatabaseError("secret", sqlstate="08006", retryable=True)
_BROKEN = DatabaseError("secret", sqlstate="42703")


@fraiseql.type
class Inner:
    n: int


@fraiseql.type(sql_source="things")
class Thing:
    id: fraiseql.ID
    n: int | None
    sure: int
    list: list[int | None] | None
    inner: Inner | None
    any: fraiseql.JSON | None
    others: list[Thing] = fraiseql.relation(on={"id": "id"})  # type: ignore[valid-type]


@fraiseql.query
def things() -> list[Thing]: ...


@fraiseql.query
def thing(id: fraiseql.ID) -> Thing | None: ...


@subscription
def live() -> list[Thing]: ...


@subscription(topic="thing")
def told(n: int | None) -> Thing | None: ...


@subscription
def yielded() -> Iterator[Thing | None]:
    yield None


_PIPELINE = Pipeline(fraiseql.Schema(queries=[things, thing], subscriptions=[live, told, yielded]))


def _texts(*texts: Any) -> tuple[bytes]:
    return (json.dumps([None if text is None else json.dumps(text) for text in texts]).encode(),)


def _entry(field: str, *path: str | int) -> dict[str, Any]:
    extensions = {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}
    return {"message": f"The value of {field} does not fit its type.", "path": list(path), "extensions": extensions}


@pytest.mark.parametrize(
    ("query", "row", "data", "errors"),
    [
        ("{ things { n } }", '[{"n":1},{"n":["x"]}]', [{"n": 1}, {"n": None}], [_entry("Thing.n", "things", 1, "n")]),
        ("{ things { n } }", '[{"n":{}}]', [{"n": None}], [_entry("Thing.n", "things", 0, "n")]),
        ("{ things { list } }", '[{"list":{"":5}}]', [{"list": None}], [_entry("Thing.list", "things", 0, "list")]),
        (
            "{ things { list } }",
            '[{"list":[1,[2],null]}]',
            [{"list": [1, None, None]}],
            [_entry("Thing.list", "things", 0, "list", 1)],
        ),
        (
            "{ things { i: inner { n } } }",
            '[{"i":{"n":[[]]}},{"i":["x"]}]',
            [{"i": None}, {"i": None}],
            [_entry("Inner.n", "things", 0, "i", "n"), _entry("Thing.inner", "things", 1, "i")],
        ),
        ("{ things { any n } }", '[{"any":["x",{"":1.50}],"n":1}]', [{"any": ["x", {"": 1.5}], "n": 1}], None),
    ],
)
def test_the_second_statement_tells(query: str, row: str, data: Any, errors: Any) -> None:
    execution = run(_PIPELINE, query, answers=(_MISFIT, (row.encode(),)))
    fast, checking = execution.fetches
    assert fast.statement != checking.statement
    assert fast.parameters == checking.parameters
    assert execution.json.get("errors") == errors
    assert execution.json["data"] == {"things": data}
    assert isinstance(execution.response.cause, MisfitsFound) is bool(errors)


def test_null_rises_to_data() -> None:
    row = b'[{"sure":["x"]},{"sure":["y"]}]'
    execution = run(_PIPELINE, "{ things { sure } }", answers=(_MISFIT, (row,)))
    assert execution.json == {"errors": [_entry("Thing.sure", "things", 0, "sure")], "data": None}
    assert str(execution.response.cause) == 'Thing.sure at things.0.sure holds "x"'


def test_the_other_root_fields_stay() -> None:
    execution = run(
        _PIPELINE,
        "{ a: thing(id: 1) { sure } __typename b: things { n } }",
        answers=(_MISFIT, (b'{"sure":[0]}', b"[]")),
    )
    assert execution.json["data"] == {"a": None, "__typename": "Query", "b": []}
    assert execution.json["errors"] == [_entry("Thing.sure", "a", "sure")]


def test_the_log_is_told_of_ten() -> None:
    row = json.dumps([{"n": ["x" * 1_000]}] * 15).encode()
    cause = str(run(_PIPELINE, "{ things { n } }", answers=(_MISFIT, (row,))).response.cause)
    assert cause.count("Thing.n at") == 10
    assert cause.endswith("; and 5 more")
    assert len(cause) < 2_000


@pytest.mark.parametrize(
    ("error", "statements"),
    [
        (_MISFIT, 2),
        (DatabaseError("secret", sqlstate="22012"), 2),
        (DatabaseError("secret", sqlstate="23514"), 2),
        (DatabaseError("secret", sqlstate="42601"), 2),
        (_BROKEN, 1),
        (DatabaseError("secret", sqlstate="58030"), 1),
        (DatabaseError("secret", sqlstate="P0001"), 1),
    ],
)
def test_what_fails_again_is_masked(error: DatabaseError, statements: int) -> None:
    execution = run(_PIPELINE, "{ things { n } }", answers=(error, _BROKEN))
    assert len(execution.fetches) == statements
    assert execution.error["message"] == "Internal server error."
    assert execution.error["extensions"]["requestId"] == "request-1"
    assert execution.response.cause is error


def test_a_parameter_that_is_to_blame_needs_no_second_statement() -> None:
    error = DatabaseError("secret", sqlstate="22P02", parameter=1)
    execution = run(_PIPELINE, '{ thing(id: "x") { n } }', answers=(error,))
    assert execution.outcome is Outcome.VARIABLES_INVALID
    assert len(execution.fetches) == 1


def test_a_database_that_is_away_needs_no_second_statement() -> None:
    execution = run(_PIPELINE, "{ things { n } }", answers=(_AWAY,))
    assert execution.outcome is Outcome.UNAVAILABLE
    assert len(execution.fetches) == 1


def test_both_statements_are_kept() -> None:
    query = "query ($w: ThingWhereInput) { things(where: $w, limit: 3) { n any } }"
    first, second = (
        run(_PIPELINE, query, {"w": {"id": {"eq": number}}}, answers=(_MISFIT, (b"[]",))).fetches for number in "12"
    )
    for number in (0, 1):
        assert first[number].statement is second[number].statement
        assert first[number].parameters != second[number].parameters


def test_explain_shows_the_statement_that_is_sent_first() -> None:
    (fetch,) = run(_PIPELINE, "{ things { n } }").fetches
    assert _PIPELINE.explain("{ things { n } }").sql.encode() == fetch.statement.sql


def _stream(query: str) -> Run:
    return open_stream(query, caller=ANONYMOUS, of=_PIPELINE)


def test_a_live_query_goes_on() -> None:
    run = _stream("subscription { live { n } }")
    run.throw(_MISFIT)
    assert isinstance(run.effect, Fetch)
    run.send((b'[{"n":["x"]}]',))
    assert run.emitted == {"errors": [_entry("Thing.n", "live", 0, "n")], "data": {"live": [{"n": None}]}}
    run.send()
    assert isinstance(run.effect, Sleep)
    run.send()
    assert isinstance(run.effect, Next)
    run.send("changed")
    run.send((b'[{"n":1}]',))
    assert run.emitted == {"data": {"live": [{"n": 1}]}}


@pytest.mark.parametrize("second", [_BROKEN, _MISFIT])
def test_a_live_query_that_fails_again_ends(second: DatabaseError) -> None:
    run = _stream("subscription { live { n } }")
    run.throw(_MISFIT)
    run.throw(second)
    assert run.errors[0]["message"] == "Internal server error."
    assert run.result.cause is _MISFIT


def test_a_database_that_goes_away_before_the_second_statement_is_waited_for() -> None:
    run = _stream("subscription { live { n } }")
    run.throw(_MISFIT)
    run.throw(_AWAY)
    assert isinstance(run.effect, Sleep)
    run.send()
    assert isinstance(run.effect, Fetch)
    run.send((b'[{"n":["x"]}]',))
    assert run.emitted["data"] == {"live": [{"n": None}]}


def test_events_are_checked_together() -> None:
    run = _stream("subscription { told { n } }")
    run.send([Event("thing", {"id": number}, cursor=f"c{number}") for number in range(3)])
    run.throw(_MISFIT)
    assert isinstance(run.effect, Fetch)
    run.send(_texts({"n": 1}, None, {"n": ["x"]}))
    assert run.emitted == {"data": {"told": {"n": 1}}, "extensions": {"cursor": "c0"}}
    run.send()
    assert run.emitted["errors"] == [_entry("Thing.n", "told", "n")]
    assert run.emitted["data"] == {"told": {"n": None}}
    assert run.emitted["extensions"] == {"cursor": "c2"}
    assert str(run.effect.emission.cause) == 'Thing.n at told.n holds "x"'  # type: ignore[union-attr]


def test_events_that_fail_again_are_halved() -> None:
    run = _stream("subscription { told { n } }")
    run.send([Event("thing", {"id": number}) for number in range(2)])
    run.throw(_MISFIT)
    run.throw(_MISFIT)
    run.fetched({"n": 1})
    assert run.emitted == {"data": {"told": {"n": 1}}}
    run.send()
    run.throw(_MISFIT)
    run.throw(_MISFIT)
    assert run.emitted["errors"][0]["message"] == "Internal server error."
    assert run.emitted["data"] == {"told": None}


def test_relations_of_what_a_resolver_yields() -> None:
    run = _stream("subscription { yielded { n others { n } } }")
    run.send({"id": "1", "n": 5})
    run.throw(_MISFIT)
    assert isinstance(run.effect, Fetch)
    run.send(_texts({"n": 5, "others": [{"n": ["x"]}, {"n": 2}]}))
    assert run.emitted["errors"] == [_entry("Thing.n", "yielded", "others", 0, "n")]
    assert run.emitted["data"] == {"yielded": {"n": 5, "others": [{"n": None}, {"n": 2}]}}

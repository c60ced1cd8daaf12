"""Root fields of a mutation run in order, in one transaction or one each, and are all applied or none."""

from __future__ import annotations

from typing import Any

import pytest

from fraiseql.effects import Begin, Rollback
from fraiseql.errors import RequestError
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from pipeline.mutations.conftest import Mutate
from pipeline.mutations.scripted import Script, database_error

TWO = "mutation { a: tryAdd(amount: 1) b: tryAdd(amount: 2) }"
THREE = "mutation { a: tryAdd(amount: 1) b: tryAdd(amount: 2) c: tryAdd(amount: 3) }"
BY_FIELD = {"transaction": "field"}

REFUSED = RequestError("No.", code="NOT_ALLOWED")
FRAGMENTS = """
    mutation { ...Both ... on Mutation { c: tryAdd(amount: 3) } ... { b: tryAdd(amount: 2) } }
    fragment Both on Mutation { a: tryAdd(amount: 1) ...Second }
    fragment Second on Mutation { b: tryAdd(amount: 2) }
"""


@pytest.mark.parametrize(
    ("query", "trace", "data"),
    [
        pytest.param("mutation { add(amount: 1) }", ["begin", "add 1", "commit"], {"add": 1}, id="one field"),
        pytest.param(
            "mutation { b: add(amount: 2) a: tryAdd(amount: 1) c: add(amount: 3) }",
            ["begin", "add 2", "tryAdd 1", "add 3", "commit"],
            {"b": 2, "a": 1, "c": 3},
            id="in the order of the document",
        ),
        pytest.param(
            "mutation { a: add(amount: 1) b: add(amount: 1) }",
            ["begin", "add 1", "add 1", "commit"],
            {"a": 1, "b": 1},
            id="aliases of one field are two of them",
        ),
        pytest.param(
            "mutation { add(amount: 1) add(amount: 1) }", ["begin", "add 1", "commit"], {"add": 1}, id="merged fields"
        ),
        pytest.param(
            FRAGMENTS,
            ["begin", "tryAdd 1", "tryAdd 2", "tryAdd 3", "commit"],
            {"a": 1, "b": 2, "c": 3},
            id="fragments",
        ),
        pytest.param("mutation { __typename }", [], {"__typename": "Mutation"}, id="the type's name alone"),
        pytest.param(
            "mutation { t: __typename add(amount: 1) u: __typename }",
            ["begin", "add 1", "commit"],
            {"t": "Mutation", "add": 1, "u": "Mutation"},
            id="the type's name between fields",
        ),
    ],
)
def test_fields_run_in_order(mutate: Mutate, query: str, trace: list[str], data: Any) -> None:
    ran = mutate(query)
    assert (ran.outcome, ran.trace) == (Outcome.DATA, trace)
    assert list(ran.data.items()) == list(data.items())


@pytest.mark.parametrize(
    ("left", "right", "trace"),
    [
        (True, True, ["begin", "tryAdd 1", "tryAdd 2", "commit"]),
        (True, False, ["begin", "tryAdd 1", "commit"]),
        (False, True, ["begin", "tryAdd 2", "commit"]),
        (False, False, []),
    ],
)
@pytest.mark.parametrize("by_field", [False, True])
def test_conditions_choose_what_runs(mutate: Mutate, left: bool, right: bool, trace: list[str], by_field: bool) -> None:
    query = """mutation ($left: Boolean!, $right: Boolean!) {
        a: tryAdd(amount: 1) @include(if: $left)
        ... on Mutation @skip(if: $right) { b: tryAdd(amount: 2) }
    }"""
    ran = mutate(query, {"left": left, "right": not right}, limits=BY_FIELD if by_field else {})
    if by_field and len(trace) == 4:
        trace = ["begin", "tryAdd 1", "commit", "begin", "tryAdd 2", "commit"]
    assert (ran.outcome, ran.trace) == (Outcome.DATA, trace)
    assert ran.data == {**({"a": 1} if left else {}), **({"b": 2} if right else {})}


@pytest.mark.parametrize("error", [REFUSED, database_error("23505"), database_error("P0001"), RuntimeError("a bug")])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_one_failure_takes_all_back(mutate: Mutate, error: Exception, at: int) -> None:
    ran = mutate(THREE, faults={at: error})
    key = "abc"[at - 1]
    assert ran.trace == ["begin", *[f"tryAdd {number}" for number in range(1, at + 1)], "rollback"]
    assert ran.outcome is Outcome.DATA_AND_ERRORS
    assert ran.data == {"a": None, "b": None, "c": None}
    assert ran.committed == []
    others = {each: "ROLLED_BACK" for each in "abc" if each != key}
    assert ran.codes.keys() == set("abc")
    assert ran.codes.items() >= others.items()
    assert ran.codes[key] != "ROLLED_BACK"
    assert "secret" not in ran.response.body.decode()
    assert "a bug" not in ran.response.body.decode()


def test_the_entry_of_a_field_that_was_rolled_back_names_the_culprit(mutate: Mutate) -> None:
    first, second = mutate(TWO, faults={2: REFUSED}).json["errors"]
    assert sorted([first, second], key=lambda error: error["path"]) == [
        {
            "message": 'The mutation was rolled back, since its field "b" failed.',
            "path": ["a"],
            "extensions": {"code": "ROLLED_BACK"},
        },
        {"message": "No.", "path": ["b"], "extensions": {"code": "NOT_ALLOWED"}},
    ]


def test_a_commit_that_is_refused_is_told_of_each_field(mutate: Mutate) -> None:
    ran = mutate(TWO, faults={3: database_error("23503")})
    assert ran.trace == ["begin", "tryAdd 1", "tryAdd 2", "commit", "rollback"]
    assert (ran.data, ran.committed) == ({"a": None, "b": None}, [])
    assert ran.codes == {"a": "FOREIGN_KEY_VIOLATION", "b": "FOREIGN_KEY_VIOLATION"}


def test_a_transaction_of_its_own_for_each_field(mutate: Mutate) -> None:
    ran = mutate(THREE, limits=BY_FIELD, faults={4: REFUSED})
    first, second, third = ["begin", "tryAdd 1", "commit"], ["begin", "tryAdd 2", "rollback"], ["begin", "tryAdd 3"]
    assert ran.trace == [*first, *second, *third, "commit"]
    assert ran.data == {"a": 1, "b": None, "c": 3}
    assert ran.codes == {"b": "NOT_ALLOWED"}
    assert ran.committed == [1, 3]


def test_the_isolation_that_is_asked_for(mutate: Mutate) -> None:
    assert mutate(TWO, limits={"isolation": "serializable"}).trace[0] == "begin serializable"
    assert mutate(TWO, limits={"isolation": "repeatable_read"}).trace[0] == "begin repeatable read"


@pytest.mark.parametrize(
    ("limits", "committed"),
    [({}, []), (BY_FIELD, [1, 2])],
    ids=["in one transaction", "by field"],
)
def test_a_null_that_rises_to_data(mutate: Mutate, limits: dict[str, Any], committed: list[int]) -> None:
    ran = mutate("mutation { tryAdd(amount: 1) add(amount: 2) }", limits=limits, faults={}, answers={"add": None})
    # Nothing of the field is told to the client, who could not know that it was applied.
    assert ran.data is None
    assert ran.codes["add"] == "INTERNAL_SERVER_ERROR"
    assert ran.committed == committed[:1]
    ran = mutate("mutation { tryAdd(amount: 1) add(amount: 2) }", limits=limits, faults={4 if limits else 2: REFUSED})
    assert ran.data is None
    assert ran.codes["add"] == "NOT_ALLOWED"
    assert ran.committed == committed[:1]


INVALID: list[tuple[str, dict[str, Any] | None]] = [
    ("mutation ($n: Int!) { tryAdd(amount: $n) }", None),
    ("mutation ($n: Int!) { tryAdd(amount: $n) }", {"n": None}),
    ("mutation ($n: Int!) { tryAdd(amount: $n) }", {"n": "1"}),
    ("mutation ($n: Int!) { tryAdd(amount: $n) }", {"n": 2**31}),
    ("mutation ($n: Int!) { a: tryAdd(amount: 1) b: tryAdd(amount: $n) }", {"n": 1.5}),
    ("mutation { tryAdd }", None),
    ("mutation { tryAdd(amount: null) }", None),
    ("mutation { tryAdd(amount: 2147483648) }", None),
    ('mutation { tryAdd(amount: "1") }', None),
    ("mutation { tryAdd(amount: 1, other: 1) }", None),
    ("mutation { tryAdd(amount: 1) { id } }", None),
    ("mutation { entries { amount } }", None),
    ("mutation { a: tryAdd(amount: 1) a: tryAdd(amount: 2) }", None),
    ("mutation { a: tryAdd(amount: 1) ", None),
    ("mutation A { a: tryAdd(amount: 1) } mutation B { a: tryAdd(amount: 1) }", None),
    ("mutation ($n: Boolean = true) { tryAdd(amount: 1) @skip(if: $n) }", {"n": None}),
    ("mutation ($s: String) { tryAdd(amount: 1, note: $s) }", {"s": 5}),
    ("mutation ($s: String) { tryAdd(amount: 1, note: $s) }", {"s": "a\0b"}),
    ("mutation ($s: String) { tryAdd(amount: 1, note: $s) }", {"s": "\ud800"}),
]


@pytest.mark.parametrize(("query", "variables"), INVALID)
@pytest.mark.parametrize("limits", [{}, BY_FIELD], ids=["in one transaction", "by field"])
def test_nothing_begins_where_the_request_is_invalid(
    mutate: Mutate, query: str, variables: dict[str, Any] | None, limits: dict[str, Any]
) -> None:
    ran = mutate(query, variables, limits=limits)
    assert ran.trace == []
    assert ran.outcome not in (Outcome.DATA, Outcome.DATA_AND_ERRORS)
    assert ran.json.keys() == {"errors"}


@pytest.mark.parametrize("limits", [{}, BY_FIELD], ids=["in one transaction", "by field"])
@pytest.mark.parametrize("steps", range(9))
def test_a_program_that_is_closed_asks_for_nothing_more(scripted: Any, limits: dict[str, Any], steps: int) -> None:
    """Its runtime rolls back what was begun; the program must not stand in the way, nor do so itself."""
    pipeline: Pipeline = scripted(**limits)
    script = Script(faults={2: database_error("40001")})
    program = pipeline.execute(GraphQLRequest(TWO, None, {}), "request-1")
    effect = next(program)
    begun: list[Any] = []
    for _ in range(steps):
        try:
            result = script.perform(effect)
        except Exception as error:
            effect = program.throw(error)
        else:
            if isinstance(effect, Begin):
                begun.append(result)
            effect = program.send(result)
    program.close()
    for handle in begun[-1:]:
        script.perform(Rollback(handle))
    assert script.pending is None
    if not limits:
        assert script.committed == []

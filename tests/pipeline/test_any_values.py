"""Whatever a resolver yields, a bus carries or a client sends, a stream goes on or ends with an answer."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fraiseql.effects import Absent, Emit, Event, Fetch, Join, Next, Open, Sleep
from fraiseql.errors import DatabaseError
from pipeline.stepping import Run, pipeline, request

_SETTINGS = settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])

_KEYS = st.sampled_from(["id", "full_name", "email", "posts", "author_id", "title", "x"])
python_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=3)
    | st.decimals()
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.sampled_from([object(), int, UUID, Decimal("1.50"), {1, 2}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_KEYS, inner, max_size=5)
        | st.dictionaries(_KEYS, inner, max_size=5).map(lambda held: SimpleNamespace(**held))
    ),
    max_leaves=8,
)

_RESOLVERS = (
    "subscription { n: count }",
    "subscription { s: somebody { id fullName email } }",
    "subscription { s: somebody { id email posts { title author { id } } } }",
    "subscription { s: somebody { id posts(limit: 1) { title } } }",
)
_AWAY = DatabaseError("secret", sqlstate="08006")
_BROKEN = DatabaseError("secret", sqlstate="22P02")


def check_emission(body: bytes) -> None:
    found = json.loads(body)
    assert found.keys() <= {"data", "errors", "extensions"}
    assert "data" in found
    assert ("errors" in found) or found["data"] is not None
    assert b"secret" not in body


@_SETTINGS
@given(st.sampled_from(_RESOLVERS), st.lists(python_values, max_size=3), st.data())
def test_any_value_of_a_resolver(query: str, values: list[Any], draw: st.DataObject) -> None:
    emitted = drive(query, list(values), draw)
    assert emitted == len(values)


@_SETTINGS
@given(st.lists(python_values, min_size=1, max_size=4), st.data())
def test_any_payload_of_an_event(payloads: list[Any], draw: st.DataObject) -> None:
    events = [Event("t", payload, cursor=str(number)) for number, payload in enumerate(payloads)]
    emitted = drive("subscription { postChanged { id title } }", [events], draw)
    assert emitted == len(payloads)


def drive(query: str, items: list[Any], draw: st.DataObject) -> int:
    """Run a stream whose database refuses and is away at random; the number of its emissions."""
    effect = next(pipeline.operate(request(query), "r"))
    assert isinstance(effect, Join)
    run = Run(effect.stream.begin())
    emitted = 0
    while run.effect is not None:
        if isinstance(run.effect, Fetch):
            rows = json.loads(run.effect.parameters[-1] or b"")
            assert all(isinstance(row, dict) for row in rows)
            answer = draw.draw(st.sampled_from(["rows", "away", "broken"]))
            if answer == "rows":
                run.fetched(*[{"id": "1", "title": None, "email": None, "posts": []} for _ in rows])
            else:
                run.throw(_AWAY if answer == "away" else _BROKEN)
        elif isinstance(run.effect, Emit):
            check_emission(run.effect.emission.body)
            emitted += 1
            run.send()
        elif isinstance(run.effect, Next):
            run.send(items.pop(0) if items else Absent.ENDED)
        else:
            assert isinstance(run.effect, (Open, Sleep))
            run.send("handle")
    assert run.result is None
    return emitted


_VARIABLES = st.dictionaries(
    st.sampled_from(["id", "after", "to", "wish"]),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    | st.dictionaries(st.sampled_from(["atLeast", "note", "x"]), st.none() | st.integers() | st.text(max_size=3)),
)  # fmt: skip


@_SETTINGS
@given(
    st.sampled_from([
        "subscription ($id: ID, $after: String) { postCreated(authorId: $id, after: $after) { id } }",
        "subscription ($id: ID!) { liveUser(id: $id) { id } }",
        "subscription ($to: Int, $wish: Wish) { count(to: $to, wish: $wish) }",
        "subscription ($to: Int! = 5, $wish: Wish = {note: null}) { count(to: $to, wish: $wish) }",
    ]),
    _VARIABLES,
)  # fmt: skip
def test_any_variables(query: str, variables: dict[str, Any]) -> None:
    run = Run(pipeline.operate(request(query, variables), "r"))
    if run.effect is None:
        assert {error["extensions"]["code"] for error in run.errors} <= {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}
    else:
        assert isinstance(run.effect, Join)
        hash(run.effect.stream.key)

"""Computed fields, stepped by hand: what their methods are called with, and what becomes of what they give or raise."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

import fraiseql
from fraiseql import ID, JSON
from fraiseql.context import Caller, Info
from fraiseql.effects import CallAll, Event, Fetch
from fraiseql.errors import RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.pipeline.graphql_schema import print_sdl
from pipeline.stepping import Run, open_stream, request, stream

_KEY = "9a1b1f4e-0000-4000-8000-000000000001"


@fraiseql.enum
class Colour(Enum):
    RED = "red"
    GREEN = "green"


@fraiseql.input
class Style:
    day: dt.date | None
    colours: list[Colour] | None


@fraiseql.type
class Address:
    street: str | None
    town: str
    inner: Address | None

    @fraiseql.field(needs=["town"])
    def sign(self) -> str:
        return f"to {self.town}"


@fraiseql.type
class Badge:
    """Given by Python only."""

    text: str
    colour: Colour
    size: int | None

    @fraiseql.field
    def shout(self) -> str:
        return self.text.upper()


@fraiseql.type(sql_source="users", jsonb_column=None)
@dataclass(frozen=True, slots=True)
class User:
    id: ID
    key: UUID
    name: str
    born: dt.datetime
    balance: Decimal
    colour: Colour
    colours: list[Colour]
    address: Address | None
    addresses: list[Address]
    anything: JSON | None
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})  # noqa: RUF009 - it is a marker

    @fraiseql.field(needs=["name"])
    def initial(self) -> str:
        "The first letter."
        return self.name[0]

    @fraiseql.field
    def all_of_it(self) -> str:
        return repr((self.id, self.key, self.name, self.born, self.balance, self.colour, self.colours, self.anything))

    @fraiseql.field(needs=["address", "addresses"])
    def towns(self) -> list[str]:
        assert self.address is None or type(self.address) is Address
        return [each.town for each in [self.address, *self.addresses] if each is not None]

    @fraiseql.field(name="styled", description="With arguments.", needs=())
    async def with_arguments(
        self, info: Info, size: int = 64, style: Style | None = None, colour: Colour = Colour.RED
    ) -> str | None:
        return f"{info.field_name} {info.caller.user_id} {size} {style} {colour}"

    @fraiseql.field(needs=["name"])
    def badge(self) -> Badge | None:
        return Badge_of(self.name)

    @fraiseql.field(needs=["name"])
    def badges(self) -> list[Badge | None]:
        return [{"text": each, "colour": "GREEN", "size": len(each)} for each in self.name.split()]  # type: ignore[misc]

    @fraiseql.field(needs=["name"])
    def risky(self) -> int | None:
        return _risk(self.name)

    @fraiseql.field(needs=["name"])
    def required(self) -> int:
        return _risk(self.name)

    @fraiseql.field(needs=["id"])
    def hasty(self) -> str | None:
        return self.name

    @fraiseql.field(needs=["id"])
    def leading(self) -> int | None:
        return len(self.posts)

    @fraiseql.field(batch=True, needs=["id"])
    @staticmethod
    async def rank(users: list[User], info: Info, base: int = 0) -> list[int | None]:
        return _rank(users, base)


@fraiseql.type(sql_source="posts")
class Post:
    title: str
    author_id: ID
    author: User | None = fraiseql.relation(on={"id": "author_id"})

    @fraiseql.field
    def length(self) -> int:
        return len(self.title)


class _Badge:
    def __init__(self, text: str) -> None:
        self.text, self.colour, self.size = text, Colour.GREEN, None


def Badge_of(name: str) -> Any:
    return None if name == "nobody" else _Badge(name)


def _risk(name: str) -> Any:
    match name:
        case "null":
            return None
        case "misfit":
            return "no number"
        case "told":
            raise RequestError("Not today.", code="LATER", extensions={"after": 5})
        case "broken":
            raise KeyError("secret")
    return len(name)


def _rank(users: list[User], base: int) -> Any:
    match users[0].id:
        case "short":
            return []
        case "none":
            return None
        case "raising":
            raise KeyError("secret")
        case "mixed":
            return [RequestError("Not this one.", code="LATER"), *range(1, len(users))]
    return [base + int(each.id) for each in users]


@fraiseql.query
def users() -> list[User]: ...


@fraiseql.query
def user(id: ID) -> User | None: ...


@fraiseql.query
def posts() -> list[Post]: ...


@fraiseql.subscription
def live_users() -> list[User]: ...


@fraiseql.subscription(topic="user")
def user_changed() -> User: ...


@fraiseql.subscription
async def somebody() -> AsyncIterator[User | None]:
    yield None


@fraiseql.subscription
def people() -> Iterator[list[User]]:
    yield []


_SCHEMA = fraiseql.Schema(
    queries=[users, user, posts], subscriptions=[live_users, user_changed, somebody, people], types=[Badge]
)
_PIPELINE = Pipeline(_SCHEMA)


def start(query: str, variables: dict[str, Any] | None = None, caller: Caller | None = None) -> Run:
    return Run(_PIPELINE.operate(request(query, variables), "request-1", caller or Caller("ada")))


def answer(query: str, *rows: Any, variables: dict[str, Any] | None = None) -> Any:
    """The body of the answer, where the statement gives one JSON text for each root field."""
    run = start(query, variables)
    assert isinstance(run.effect, Fetch), run.result
    run.send(tuple(json.dumps(row).encode() for row in rows))
    while run.effect is not None:
        run.called()
    return json.loads(run.result.body)


def sql(query: str) -> str:
    return _PIPELINE.explain(query).sql


def test_what_a_method_needs_is_fetched_and_taken_out_again() -> None:
    query = "{ users { initial id } }"
    assert '"name"::text as "needs$name"' in sql(query)
    assert answer(query, [{"id": "1", "needs$name": "Ada"}]) == {"data": {"users": [{"initial": "A", "id": "1"}]}}


def test_keys_keep_the_order_of_the_selection_and_their_aliases() -> None:
    run = start("{ users { a: initial id b: initial __typename } }")
    run.send((b'[{"id":"1","__typename":"User","needs$name":"Ada"}]',))
    run.called()
    assert run.result.body == b'{"data":{"users":[{"a":"A","id":"1","b":"A","__typename":"User"}]}}'
    assert run.result.cause is None


def test_an_operation_without_computed_fields_is_as_before() -> None:
    run = start("{ users { id name } }")
    assert isinstance(run.effect, Fetch)
    assert "$" not in run.effect.statement.sql.decode().replace("t$0", "").replace("r$1", "").replace("$1", "")
    run.send((b'[ {"id": "1" , "name":"Ada"}]',))
    assert run.result.body == b'{"data":{"users":[ {"id": "1" , "name":"Ada"}]}}'


_ROW = {
    "needs$id": "1",
    "needs$key": _KEY,
    "needs$name": "Ada",
    "needs$born": "2024-02-29T12:00:00+00:00",
    "needs$balance": "12.50",
    "needs$colour": "RED",
    "needs$colours": ["GREEN", "RED"],
    "needs$address": None,
    "needs$addresses": [],
    "needs$anything": {"n": 1.5},
}


def test_self_holds_python_objects() -> None:
    found = answer("{ users { allOfIt } }", [_ROW])["data"]["users"][0]["allOfIt"]
    assert found == repr(
        (
            "1",
            UUID(_KEY),
            "Ada",
            dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
            Decimal("12.50"),
            Colour.RED,
            [Colour.GREEN, Colour.RED],
            {"n": 1.5},
        )
    )


def test_self_is_an_instance_made_without_init() -> None:
    run = start("{ users { initial towns } }")
    run.send((b'[{"needs$name":"Ada","needs$address":null,"needs$addresses":[]}]',))
    assert isinstance(run.effect, CallAll)
    for call in run.effect.calls:
        (instance,) = call.arguments
        assert type(instance) is User


def test_embedded_objects_are_instances_too() -> None:
    query = "{ users { towns } }"
    assert "needs$street" in sql(query)
    row = {
        "needs$address": {"needs$street": None, "needs$town": "Rome"},
        "needs$addresses": [{"needs$street": "x", "needs$town": "Bern"}],
    }
    assert answer(query, [row]) == {"data": {"users": [{"towns": ["Rome", "Bern"]}]}}


def test_numbers_beside_computed_fields_stay_as_they_are_written() -> None:
    run = start("{ users { anything initial } }")
    run.send((b'[{"anything":{"n":1.50,"m":123456789012345678901234567890},"needs$name":"Ada"}]',))
    run.called()
    assert (
        run.result.body
        == b'{"data":{"users":[{"anything":{"n":1.50,"m":123456789012345678901234567890},"initial":"A"}]}}'
    )


def test_methods_of_embedded_objects_and_of_related_rows() -> None:
    query = "{ users { address { sign inner { sign } } posts { length author { initial } } } }"
    row = {
        "address": {"needs$town": "Rome", "inner": {"needs$town": "Bern"}},
        "posts": [{"needs$title": "Hello", "needs$authorId": "1", "author": {"needs$name": "Ada"}}],
    }
    assert answer(query, [row, {"address": None, "posts": []}]) == {
        "data": {
            "users": [
                {
                    "address": {"sign": "to Rome", "inner": {"sign": "to Bern"}},
                    "posts": [{"length": 5, "author": {"initial": "A"}}],
                },
                {"address": None, "posts": []},
            ]
        }
    }


def test_arguments_are_python_objects_and_info_tells_who_asks() -> None:
    query = """query ($style: Style, $size: Int! = 7) {
      users { styled a: styled(size: $size, style: $style, colour: GREEN) b: styled(style: {day: "2024-01-02"}) }
    }"""
    found = answer(query, [{"needs$": "User"}], variables={"style": {"colours": ["GREEN"]}})["data"]["users"][0]
    assert found == {
        "styled": "styled ada 64 None Colour.RED",
        "a": f"styled ada 7 {{'colours': {[Colour.GREEN]}}} Colour.GREEN",
        "b": f"styled ada 64 {{'day': {dt.date(2024, 1, 2)!r}}} Colour.RED",
    }


def test_an_argument_that_does_not_fit_is_refused_before_any_sql() -> None:
    run = start('{ users { styled(style: {day: "yesterday"}) } }')
    assert run.result.outcome in (Outcome.VARIABLES_INVALID, Outcome.NOT_VALID)


def test_objects_that_methods_give_are_projected_and_have_methods_themselves() -> None:
    query = "{ users { badge { text colour shout } badges { size shout } } }"
    rows = [{"needs$name": "Ada Byron"}, {"needs$name": "nobody"}]
    assert answer(query, rows) == {
        "data": {
            "users": [
                {
                    "badge": {"text": "Ada Byron", "colour": "GREEN", "shout": "ADA BYRON"},
                    "badges": [{"size": 3, "shout": "ADA"}, {"size": 5, "shout": "BYRON"}],
                },
                {"badge": None, "badges": [{"size": 6, "shout": "NOBODY"}]},
            ]
        }
    }


def test_all_calls_of_a_level_are_one_effect() -> None:
    run = start("{ users { badge { shout } initial posts { length } } posts { length } }")
    run.send((b'[{"needs$name":"Ada","posts":[{"needs$title":"a","needs$authorId":"1"}]}]', b"[]"))
    assert isinstance(run.effect, CallAll)
    assert len(run.effect.calls) == 3
    assert run.effect.limit == QueryLimits().max_concurrent_calls
    run.called()
    assert isinstance(run.effect, CallAll)
    assert len(run.effect.calls) == 1  # of the badge
    run.called()
    assert run.result.outcome is Outcome.DATA


_MASKED = {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}


@pytest.mark.parametrize(
    ("name", "extensions", "message"),
    [
        ("told", {"code": "LATER", "after": 5}, "Not today."),
        ("broken", _MASKED, "Internal server error."),
        ("misfit", _MASKED, "The value of User.{} does not fit its type."),
    ],
)
def test_what_a_method_raises_is_an_error_at_its_path(name: str, extensions: Any, message: str) -> None:
    found = answer("{ users { risky } }", [{"needs$name": "Ada"}, {"needs$name": name}])
    assert found["data"] == {"users": [{"risky": 3}, {"risky": None}]}
    assert found["errors"] == [
        {"message": message.format("risky"), "path": ["users", 1, "risky"], "extensions": extensions}
    ]
    found = answer('{ user(id: "1") { id required } users { risky } }', {"id": "1", "needs$name": name}, [])
    assert found["data"] == {"user": None, "users": []}
    assert found["errors"] == [
        {"message": message.format("required"), "path": ["user", "required"], "extensions": extensions}
    ]


def test_a_null_that_may_not_be_rises_to_data() -> None:
    found = answer("{ users { required } }", [{"needs$name": "null"}])
    assert found["data"] is None
    (error,) = found["errors"]
    assert error["message"] == "Cannot return null for non-nullable field User.required."
    assert error["path"] == ["users", 0, "required"]


def test_several_errors_stand_beside_partial_data() -> None:
    rows = [{"needs$name": name} for name in ("told", "broken", "Ada", "null")]
    found = answer("{ users { risky initial } }", rows)
    assert [each["risky"] for each in found["data"]["users"]] == [None, None, 3, None]
    assert [each["path"] for each in found["errors"]] == [["users", 0, "risky"], ["users", 1, "risky"]]


@pytest.mark.parametrize(("name", "cause"), [("told", type(None)), ("broken", KeyError), ("misfit", ValueError)])
def test_the_log_has_what_the_client_was_not_shown(name: str, cause: type) -> None:
    run = start("{ users { risky } }")
    run.send((json.dumps([{"needs$name": name}]).encode(),))
    run.called()
    assert isinstance(run.result.cause, cause)


def test_the_log_has_each_of_them_with_the_nulls_that_nothing_was_raised_for() -> None:
    run = start("{ users { risky required rank } }")
    names = ["broken", "misfit", "null"]
    run.send((json.dumps([{"needs$name": name, "needs$id": "raising"} for name in names]).encode(),))
    run.called()
    cause = run.result.cause
    assert isinstance(cause, ExceptionGroup)
    assert [type(each).__name__ for each in cause.exceptions].count("KeyError") == 3  # risky, required, and one batch
    assert sum(isinstance(each, ValueError) for each in cause.exceptions) == 2


def test_a_null_that_a_method_gives_is_told_with_its_place() -> None:
    run = start("{ users { required } }")
    run.send((json.dumps([{"needs$name": "null"}]).encode(),))
    run.called()
    assert json.loads(run.result.body)["errors"][0]["extensions"] == _MASKED
    assert str(run.result.cause) == "Cannot return null for non-nullable field User.required at users.0.required"


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("hasty", "User.hasty reads 'name', which was not fetched: put it into needs=[...]"),
        ("leading", "User.leading reads the relation 'posts', which no method is given"),
    ],
)
def test_reading_what_was_not_asked_for_is_explained_in_the_log(field: str, says: str) -> None:
    run = start(f"{{ users {{ {field} initial }} }}")
    run.send((b'[{"needs$id":"1","needs$name":"Ada"}]',))
    run.called()
    assert json.loads(run.result.body)["errors"][0]["message"] == "Internal server error."
    assert isinstance(run.result.cause, AttributeError)
    assert says in str(run.result.cause)


def test_a_stored_value_that_python_cannot_hold_fails_its_methods_only() -> None:
    found = answer(
        "{ users { id allOfIt initial } }", [{**_ROW, "id": "1", "needs$born": "12000-01-01T00:00:00+00:00"}]
    )
    assert found["data"] is None
    assert found["errors"][0]["path"] == ["users", 0, "allOfIt"]


@pytest.mark.parametrize("levels", [300, 5_000])
def test_a_stored_value_that_nests_deep_fails_no_more_than_its_methods(levels: int) -> None:
    deep = "[" * levels + "null" + "]" * levels
    run = start("{ users { anything initial } }")
    run.send((f'[{{"anything":{deep},"needs$name":"Ada"}}]'.encode(),))
    run.called()
    assert run.result.body == f'{{"data":{{"users":[{{"anything":{deep},"initial":"A"}}]}}}}'.encode()
    run = start("{ user(id: 1) { initial allOfIt } }")
    run.send((json.dumps({**_ROW, "needs$anything": 0}).replace('anything": 0', f'anything": {deep}').encode(),))
    run.called()
    assert [error["path"] for error in run.errors] == ([["user", "allOfIt"]] if levels > 1_000 else [])
    assert run.result.cause is None or "anything nests too deep" in str(run.result.cause)


def test_a_batch_is_called_once_with_all_objects() -> None:
    run = start("{ users { rank(base: 10) posts { author { rank } } } }")
    row = {"needs$id": "1", "posts": [{"author": {"needs$id": "2"}}, {"author": None}, {"author": {"needs$id": "3"}}]}
    run.send((json.dumps([row, {"needs$id": "4", "posts": []}]).encode(),))
    assert isinstance(run.effect, CallAll)
    assert [[each.id for each in call.arguments[0]] for call in run.effect.calls] == [["1", "4"], ["2", "3"]]
    run.called()
    assert json.loads(run.result.body) == {
        "data": {
            "users": [
                {"rank": 11, "posts": [{"author": {"rank": 2}}, {"author": None}, {"author": {"rank": 3}}]},
                {"rank": 14, "posts": []},
            ]
        }
    }


@pytest.mark.parametrize(
    ("first", "values", "cause"),
    [
        ("short", [None, None], "User.rank gave 0 values for 2 objects"),
        ("none", [None, None], "User.rank gave NoneType, no list"),
        ("raising", [None, None], "'secret'"),
        ("mixed", [None, 1], "None"),
    ],
)
def test_what_a_batch_gives_wrong(first: str, values: list[Any], cause: str) -> None:
    run = start("{ users { rank } }")
    run.send((json.dumps([{"needs$id": first}, {"needs$id": "2"}]).encode(),))
    run.called()
    body = json.loads(run.result.body)
    assert [each["rank"] for each in body["data"]["users"]] == values
    assert [each["path"] for each in body["errors"]] == [
        ["users", index, "rank"] for index, value in enumerate(values) if value is None
    ]
    assert str(run.result.cause) == cause


def test_no_call_without_objects() -> None:
    assert answer("{ users { rank initial } }", []) == {"data": {"users": []}}


def test_fields_that_methods_compute_cost_too() -> None:
    limits = QueryLimits(max_cost=300)
    with pytest.raises(Exception, match="cost of 301"):
        Pipeline(_SCHEMA, limits).explain("{ users(limit: 100) { id initial } }")


def test_they_are_neither_filtered_nor_ordered_by() -> None:
    printed = print_sdl(_SCHEMA)
    assert '  """The first letter."""\n  initial: String!\n' in printed
    assert (
        '  """With arguments."""\n  styled(size: Int! = 64, style: Style, colour: Colour! = RED): String\n' in printed
    )
    assert "rank(base: Int! = 0): Int\n" in printed
    where = printed.partition("input UserWhereInput")[2].partition("\n}")[0]
    order = printed.partition("input UserOrderByInput")[2].partition("\n}")[0]
    assert "name:" in where
    assert "name:" in order
    for text in (where, order):
        assert "initial" not in text
        assert "risky" not in text
        assert "towns" not in text


def test_live_queries_compute_too() -> None:
    run = open_stream("subscription { liveUsers { initial } }", of=_PIPELINE)
    run.send((b'[{"needs$name":"Ada"}]',))
    run.called()
    assert run.emitted == {"data": {"liveUsers": [{"initial": "A"}]}}


def test_events_compute_too() -> None:
    run = open_stream("subscription { userChanged { initial risky } }", of=_PIPELINE)
    run.send([Event("user", {"name": "Ada"}, cursor="5")])
    run.fetched({"needs$name": "broken"})
    run.called()
    assert run.emitted == {
        "errors": [
            {"message": "Internal server error.", "path": ["userChanged", "risky"], "extensions": _MASKED},
        ],
        "data": {"userChanged": {"initial": "b", "risky": None}},
        "extensions": {"cursor": "5"},
    }


@pytest.mark.parametrize("root", ["liveUsers", "userChanged"])
def test_only_what_no_method_is_told_of_the_caller_is_shared(root: str) -> None:
    def key(field: str) -> Any:
        return stream(f"subscription {{ {root} {{ {field} }} }}", caller=Caller("ada"), of=_PIPELINE).key

    assert key("initial") == key("initial")
    assert key("styled") != key("styled")
    assert key("rank") != key("rank")


class _Lazy:
    """What a resolver yields in place of the class itself."""

    id, name, key, born, colour = "1", "Lazy", _KEY, "2024-02-29T12:00:00Z", Colour.RED
    balance, colours, address, addresses, anything = Decimal("1"), ["red"], None, (), None


def _ada() -> User:
    born = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return User("1", UUID(_KEY), "Ada", born, Decimal(1), Colour.RED, [], None, [], None, [])


def test_self_is_what_a_resolver_yields_where_it_is_of_the_class() -> None:
    run = open_stream("subscription { somebody { initial id } }", of=_PIPELINE)
    ada = _ada()
    run.send(ada)
    assert isinstance(run.effect, CallAll)
    assert run.effect.calls[0].arguments[0] is ada
    run.called()
    assert run.emitted == {"data": {"somebody": {"initial": "A", "id": "1"}}}
    run.send()
    run.send(None)
    assert run.emitted == {"data": {"somebody": None}}


def test_self_is_made_of_what_a_resolver_yields_where_it_is_not() -> None:
    run = open_stream("subscription { people { allOfIt badge { shout } } }", of=_PIPELINE)
    run.send([_Lazy(), {"name": "Grace"}])
    assert isinstance(run.effect, CallAll)
    first = run.effect.calls[0].arguments[0]
    assert type(first) is User
    assert (first.key, first.colours) == (UUID(_KEY), [Colour.RED])
    run.called()
    run.called()
    body = run.emitted
    assert body["data"] is None  # the second holds too little
    assert body["errors"][0]["path"] == ["people", 1, "allOfIt"]


def test_a_yielded_object_whose_relations_sql_serves() -> None:
    query = "subscription { people { initial posts(limit: 1) { title length } } }"
    run = open_stream(query, of=_PIPELINE)
    ada = _ada()
    run.send([ada])
    assert isinstance(run.effect, Fetch)
    assert b"needs$name" not in run.effect.statement.sql
    assert b"needs$title" in run.effect.statement.sql
    run.fetched({"posts": [{"title": "Hello", "needs$title": "Hello", "needs$authorId": "1"}]})
    assert isinstance(run.effect, CallAll)
    assert run.effect.calls[0].arguments[0] is ada
    run.called()
    assert run.emitted == {"data": {"people": [{"initial": "A", "posts": [{"title": "Hello", "length": 5}]}]}}


def test_elements_that_arguments_choose_of_a_yielded_object_are_those_of_its_row() -> None:
    query = "subscription { people { addresses(orderBy: [{town: DESC}]) { sign } } }"
    run = open_stream(query, of=_PIPELINE)
    ada = _ada()
    ada.addresses.extend([_address("Bern"), _address("Rome")])
    run.send([ada])
    assert isinstance(run.effect, Fetch)
    assert b"needs$town" in run.effect.statement.sql
    run.fetched({"addresses": [{"needs$town": "Rome"}, {"needs$town": "Bern"}]})
    run.called()
    assert run.emitted == {"data": {"people": [{"addresses": [{"sign": "to Rome"}, {"sign": "to Bern"}]}]}}


def _address(town: str) -> Address:
    address = Address()
    address.street, address.town, address.inner = None, town, None
    return address

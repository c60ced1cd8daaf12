"""Subscriptions: the three kinds are told apart when the schema is built, and every mistake says where it is."""

from __future__ import annotations

import collections.abc as abc
import types
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.errors import SchemaError
from fraiseql.pipeline import print_sdl
from fraiseql.schema import subscription
from fraiseql.schema.model import SubscriptionField, SubscriptionKind


@fraiseql.type(sql_source="v_user")
class User:
    id: ID
    name: str
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})


@fraiseql.type(sql_source="blog.post", jsonb_column=None)
class Post:
    id: ID
    title: str
    author: User = fraiseql.relation(on={"id": "author_id"})


@fraiseql.type(sql_source="tag", jsonb_column=None)
class Tag:
    name: str


@fraiseql.type
class Note:
    text: str


@fraiseql.input
class Wish:
    text: str


@fraiseql.query
def users() -> list[User]: ...


def schema_with(*functions: Any, **options: Any) -> fraiseql.Schema:
    """A schema whose subscriptions are these functions, decorated here with these options."""
    return fraiseql.Schema(queries=[users], subscriptions=[subscription(**options)(each) for each in functions])


def field_of(function: Any, **options: Any) -> SubscriptionField:
    ((_, field),) = schema_with(function, **options).model.subscriptions.items()
    return field


async def asynchronous(info, to: int = 3) -> AsyncIterator[int]:  # type: ignore[no-untyped-def]
    """Counts."""
    yield to


async def async_generator(info: Any, *, note_id: ID | None) -> AsyncGenerator[list[Note | None], None]:
    yield []


async def old_style() -> typing.AsyncIterator[User | None]:
    yield None


def synchronous() -> Iterator[Note]:
    yield Note()


def generator() -> Generator[int, None, None]:
    yield 1


def iterable(wish: Wish) -> abc.Iterable[int | None]:
    yield None


def live() -> list[User]:
    """All users, always."""


async def live_one(id: ID) -> User | None: ...


def event(title: str | None) -> Post: ...


@pytest.mark.parametrize(
    ("function", "kind", "type_", "is_async", "takes_info", "arguments"),
    [
        (asynchronous, SubscriptionKind.RESOLVER, "Int!", True, True, ["to"]),
        (async_generator, SubscriptionKind.RESOLVER, "[Note]!", True, True, ["noteId"]),
        (old_style, SubscriptionKind.RESOLVER, "User", True, False, []),
        (synchronous, SubscriptionKind.RESOLVER, "Note!", False, False, []),
        (generator, SubscriptionKind.RESOLVER, "Int!", False, False, []),
        (iterable, SubscriptionKind.RESOLVER, "Int", False, False, ["wish"]),
        (live, SubscriptionKind.LIVE, "[User!]!", False, False, []),
        (live_one, SubscriptionKind.LIVE, "User", False, False, ["id"]),
    ],
)
def test_kinds(
    function: Any, kind: SubscriptionKind, type_: str, is_async: bool, takes_info: bool, arguments: list[str]
) -> None:
    field = field_of(function)
    assert (field.kind, str(field.type), field.is_async, field.takes_info) == (kind, type_, is_async, takes_info)
    assert list(field.arguments) == arguments
    assert field.function is function
    assert (field.topic, field.by) == (None, None)


def test_an_event() -> None:
    field = field_of(event, topic="post.created", by="id")
    assert (field.kind, field.topic, field.by) == (SubscriptionKind.EVENT, "post.created", "id")
    assert list(field.arguments) == ["title"]


def test_names_and_descriptions() -> None:
    field = field_of(asynchronous, name="counting", description="Of numbers.")
    assert (field.name, field.description) == ("counting", "Of numbers.")
    assert field_of(asynchronous).description == "Counts."
    assert field_of(live_one).name == "liveOne"


def test_what_can_be_watched() -> None:
    model = fraiseql.Schema(
        queries=[users],
        types=[Tag],
        subscriptions=[subscription(live_one), subscription(topic="post.created")(event), subscription(old_style)],
    ).model
    assert model.watched_sources == {"v_user", "blog.post"}
    assert model.event_topics == {"post.created"}
    assert schema_with(old_style).model.watched_sources == frozenset()
    assert fraiseql.Schema(queries=[users]).model.subscriptions == {}


def test_a_module_is_collected() -> None:
    module = types.ModuleType("app")
    module.users, module.watch = users, subscription(live)  # type: ignore[attr-defined]
    assert list(fraiseql.Schema.from_module(module).model.subscriptions) == ["live"]


def test_sdl() -> None:
    sdl = print_sdl(
        fraiseql.Schema(
            queries=[users],
            subscriptions=[subscription(asynchronous), subscription(live), subscription(topic="t")(event)],
        )
    )
    _, _, found = sdl.partition("type Subscription {")
    assert (
        found.partition("\n}")[0]
        == '''
  """Counts."""
  asynchronous(to: Int! = 3): Int!

  """All users, always."""
  live(
    where: UserWhereInput
    orderBy: [UserOrderByInput!]

    """The most rows to give."""
    limit: Int

    """How many rows to leave out first."""
    offset: Int
  ): [User!]!
  event(
    title: String

    """Resume behind this cursor: `extensions.cursor` of the last result."""
    after: String
  ): Post!'''
    )
    assert "Subscription" not in print_sdl(fraiseql.Schema(queries=[users]))


async def _coroutine() -> AsyncIterator[int]:
    return await anything()  # type: ignore[no-any-return, name-defined]  # noqa: F821


def _function() -> list[User]:
    return []


async def _async_as_iterator() -> Iterator[int]:  # type: ignore[misc]
    yield 1


def _sync_as_async() -> AsyncIterator[int]:  # type: ignore[misc]
    yield 1


async def _yields_without_saying() -> int:  # type: ignore[misc]
    yield 1


async def _sends() -> AsyncGenerator[int, str]:
    yield 1


async def _unknown_item() -> AsyncIterator[object]:
    yield 1


async def _input_item() -> AsyncIterator[Wish]:
    yield Wish()


async def _no_return():  # type: ignore[no-untyped-def]
    yield 1


async def _info_second(id: ID, info) -> AsyncIterator[int]:  # type: ignore[no-untyped-def]
    yield 1


async def _takes_output(user: User) -> AsyncIterator[int]:
    yield 1


async def _takes_column(id: typing.Annotated[ID, fraiseql.field(column="x")]) -> AsyncIterator[int]:
    yield 1


def _root_name() -> Any:
    return fraiseql.type(name="Subscription")(type("A", (), {"__annotations__": {"a": int}}))


def _empty_iterator() -> AsyncIterator[User]: ...


def _live_scalar() -> int: ...


def _live_info(info) -> list[User]: ...  # type: ignore[no-untyped-def]


def _live_unknown(nonsense: ID) -> list[User]: ...


def _live_limit(limit: int) -> list[User]: ...


def _event_list() -> list[Post]: ...


def _event_after(after: str) -> Post: ...


def _event_scalar() -> str: ...


@pytest.mark.parametrize(
    ("declare", "where", "found"),
    [
        (lambda: schema_with(_coroutine), "_coroutine", "coroutine function with a body"),
        (lambda: schema_with(_function), "_function", "a function with a body"),
        (lambda: schema_with(_async_as_iterator), "_async_as_iterator -> ...", "Iterator[int]"),
        (lambda: schema_with(_sync_as_async), "_sync_as_async -> ...", "AsyncIterator[int]"),
        (lambda: schema_with(_yields_without_saying), "_yields_without_saying -> ...", "int"),
        (lambda: schema_with(_sends), "_sends -> ...", "AsyncGenerator[int, str]"),
        (lambda: schema_with(_unknown_item), "_unknown_item -> ...", "object"),
        (lambda: schema_with(_input_item, name="it"), "Subscription.it", "input type Wish"),
        (lambda: schema_with(_no_return), "_no_return", "no return annotation"),
        (lambda: schema_with(_info_second), "_info_second(info)", "no annotation"),
        (lambda: schema_with(_takes_output, name="it"), "Subscription.it(user)", "output type User"),
        (lambda: schema_with(_takes_column), "_takes_column(id)", "column='x'"),
        (lambda: schema_with(_empty_iterator), "_empty_iterator -> ...", "without a function body"),
        (lambda: schema_with(_live_scalar, name="it"), "Subscription.it", "Int!"),
        (lambda: schema_with(_live_info), "_live_info(info)", "no annotation"),
        (lambda: schema_with(_live_unknown, name="it"), "Subscription.it(nonsense)", "no field of User"),
        (lambda: schema_with(_live_limit, name="it"), "Subscription.it(limit)", "argument limit"),
        (lambda: schema_with(_event_list, name="it", topic="t"), "Subscription.it", "[Post!]!"),
        (lambda: schema_with(_event_after, name="it", topic="t"), "_event_after(after)", "argument after"),
        (lambda: schema_with(_event_scalar, name="it", topic="t"), "Subscription.it", "String!"),
        (lambda: schema_with(asynchronous, topic="t"), "asynchronous", "a function body and topic"),
        (lambda: schema_with(event, by="id"), "event", "without topic"),
        (lambda: schema_with(event, topic="t", by=""), "event (by)", "''"),
        (lambda: schema_with(event, topic=""), "event (topic)", "''"),
        (lambda: schema_with(event, topic=5), "event (topic)", "5"),
        (lambda: schema_with(event, topic="fraiseql.changed.users"), "event", "fraiseql.changed"),
        (lambda: schema_with(live, live), "Subscription.live", "two subscriptions"),
        (lambda: schema_with(live, name="__live"), "live", "__live"),
        (lambda: fraiseql.Schema(queries=[users], subscriptions=[users]), "Schema(subscriptions=...)", "users"),
        (lambda: fraiseql.Schema(queries=[users], subscriptions=5), "Schema(subscriptions=...)", "5"),  # type: ignore[arg-type]
        (lambda: fraiseql.Schema(queries=[subscription(live)]), "Schema(queries=...)", "live"),
        (lambda: fraiseql.Schema(subscriptions=[subscription(live)]), "Schema(queries=...)", "no query"),
        (lambda: subscription(User), "@fraiseql.subscription", "User"),
        (
            lambda: fraiseql.Schema(types=[_root_name()], queries=[users]),
            "Subscription",
            "a type of that name",
        ),
    ],
)  # fmt: skip
def test_mistakes(declare: Callable[[], Any], where: str, found: str) -> None:
    with pytest.raises(SchemaError) as caught:
        declare()
    assert caught.value.where == where
    assert found in caught.value.found

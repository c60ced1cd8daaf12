"""A subscription schema, and programs stepped by hand: each effect is answered by the test."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import fraiseql
from fraiseql import ID
from fraiseql.context import ANONYMOUS, Caller, Info
from fraiseql.effects import CallAll, Effect, Emit, Fetch, Join, Open, Program, ResolverCall, Sleep, Stream
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Pipeline
from fraiseql.schema import subscription

__all__ = ["Run", "data", "live_users", "open_stream", "outcome", "pipeline", "request", "schema", "stream", "users"]


@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: ID
    full_name: str
    email: str | None
    posts: list[Post] = fraiseql.relation(on={"author_id": "id"})
    friends: list[User] = fraiseql.relation(through="blog.friend", own={"one": "id"}, on={"id": "other"})


@fraiseql.type(sql_source="blog.post", jsonb_column=None)
class Post:
    id: ID
    title: str
    author_id: ID
    author: User = fraiseql.relation(on={"id": "author_id"})


@fraiseql.input
class Wish:
    at_least: int = 1
    note: str | None


@fraiseql.query
def users() -> list[User]: ...


@subscription
async def count(info, to: int = 3, wish: Wish | None = None) -> AsyncIterator[int]:  # type: ignore[no-untyped-def]
    for number in range(to):
        yield number


@subscription
def somebody() -> Iterator[User | None]:
    yield None


@subscription(topic="post.created")
def post_created(author_id: ID | None) -> Post: ...


@subscription(topic="post.changed", by="id")
def post_changed(id: ID | None) -> Post | None: ...


@subscription(name="liveUsers")
def live_users() -> list[User]: ...


@subscription
def live_user(id: ID) -> User | None: ...


schema = fraiseql.Schema(
    queries=[users], subscriptions=[count, somebody, post_created, post_changed, live_users, live_user]
)
pipeline = Pipeline(schema)


class Run:
    """A program at the effect that it waits for, or with its result."""

    def __init__(self, program: Program[Any]) -> None:
        self.program = program
        self.effect: Effect | None = None
        self.result: Any = None
        self.now = 1_000.0
        self._step(lambda: next(program))

    def _step(self, step: Any) -> Effect | None:
        try:
            self.effect = step()
        except StopIteration as stop:
            self.effect, self.result = None, stop.value
        return self.effect

    def send(self, value: Any = None) -> Effect | None:
        if isinstance(self.effect, Sleep):
            self.now = value = self.now + self.effect.seconds
        return self._step(lambda: self.program.send(value))

    def throw(self, error: BaseException) -> Effect | None:
        return self._step(lambda: self.program.throw(error))

    def fetched(self, *texts: Any) -> Effect | None:
        """Answer a Fetch for given rows: one JSON text each, None for one that is left out."""
        assert isinstance(self.effect, Fetch)
        return self.send((json.dumps([None if text is None else json.dumps(text) for text in texts]).encode(),))

    def called(self, bus: Any = None) -> Effect | None:
        """Answer a CallAll by making its calls, one after the other; none of them may wait."""
        assert isinstance(self.effect, CallAll), self.effect
        return self.send([outcome(call, bus) for call in self.effect.calls])

    @property
    def emitted(self) -> Any:
        """The body of the emission that the program gives now."""
        assert isinstance(self.effect, Emit), self.effect
        return json.loads(self.effect.emission.body)

    @property
    def errors(self) -> list[Any]:
        """Of the result."""
        assert isinstance(self.result, GraphQLResponse), self.result
        found: list[Any] = json.loads(self.result.errors)
        return found


def outcome(call: ResolverCall, bus: Any = None) -> Any:
    """What a call comes to."""
    named = {**call.named, **({"info": Info(call.caller, call.field_name, bus)} if call.takes_info else {})}
    try:
        result = call.function(*call.arguments, **named)
        if inspect.iscoroutine(result):
            result.send(None)
            raise AssertionError("the call waits")
    except StopIteration as stop:
        return stop.value
    except Exception as error:
        return error
    return result


def request(query: str, variables: Mapping[str, Any] | None = None) -> GraphQLRequest:
    return GraphQLRequest(query, None, variables or {})


def stream(
    query: str, variables: Mapping[str, Any] | None = None, caller: Caller = ANONYMOUS, *, of: Pipeline = pipeline
) -> Stream:
    """What an operation joins."""
    effect = next(of.operate(request(query, variables), "request-1", caller))
    assert isinstance(effect, Join)
    return effect.stream


def open_stream(
    query: str, variables: Mapping[str, Any] | None = None, caller: Caller = ANONYMOUS, *, of: Pipeline = pipeline
) -> Run:
    """The stream's program, past its Open."""
    run = Run(stream(query, variables, caller, of=of).begin())
    assert isinstance(run.effect, Open)
    run.send("handle")
    return run


def data(response: GraphQLResponse) -> Any:
    return json.loads(response.body)

"""What is served in a simulation: a small schema, what clients ask of it, and how its statements are answered.

Every request carries a marker of its own; the database puts it into the answer, so that one that went astray is seen.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

import orjson

from fraiseql.context import BlockingInfo, Info
from fraiseql.effects import Event, Fetch, Join, Open, Program, Row
from fraiseql.limits import MutationLimits, QueryLimits, SubscriptionLimits
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.schema import ID, Schema, mutation, query, subscription, type

__all__ = ["DOCUMENTS", "NOTED", "Asked", "Statements", "made", "statements", "text_of"]

NOTED: Final = "noted"
"""The topic of the events that are published."""


@type(sql_source="note", jsonb_column=None)
class _Note:
    id: ID
    size: int
    text: str


@query
def note(id: ID, size: int) -> _Note | None:
    """One note: its id is the marker, its text as long as it is asked for."""


@query
async def said(info: Info, text: str) -> str:
    """What was said, without the database."""
    return text


@mutation(function="put")
def put(marker: str) -> str | None:
    """Remember a marker."""


@subscription(topic=NOTED)
def noted() -> _Note:  # type: ignore[empty-body]
    """Each note."""


@subscription
def notes() -> list[_Note]:  # type: ignore[empty-body]
    """All notes, as they are now."""


@subscription
async def count(to: int) -> AsyncIterator[int]:
    """The numbers from nought."""
    for number in range(to):
        yield number


def _plain() -> tuple[Any, Any]:
    """The same two functions as threads may have them."""

    @query
    def said(info: BlockingInfo, text: str) -> str:
        """What was said, without the database."""
        return text

    @subscription
    def count(to: int) -> Iterator[int]:
        """The numbers from nought."""
        yield from range(to)

    return said, count


DOCUMENTS: Final = {
    "note": "query ($marker: ID!, $size: Int!) { note(id: $marker, size: $size) { id text } }",
    "two": "query ($marker: ID!, $size: Int!) {"
    " one: note(id: $marker, size: $size) { id } two: note(id: $marker, size: $size) { text id } }",
    "said": "query ($marker: String!) { said(text: $marker) }",
    "put": "mutation ($marker: String!) { put(marker: $marker) }",
    "put_two": "mutation ($marker: String!, $other: String!) { one: put(marker: $marker) two: put(marker: $other) }",
    "wrong": "query ($marker: ID!) { note(id: $marker) { nothing } }",
    "noted": "subscription { noted { id text } }",
    "notes": "subscription { notes { id } }",
    "count": "subscription ($to: Int!) { count(to: $to) }",
}
"""What clients ask, by a short name."""


class Asked(NamedTuple):
    """A statement as the database sees it.

    Attributes:
        what: the short name of the document it is of.
        marker: of the request, where the statement carries one.
        writes: whether it is one that counts when it is committed.
    """

    what: str
    marker: str
    writes: bool


@cache
def made(runtime: str = "loops") -> Pipeline:
    """The pipeline of a runtime, made once: all worlds of a process share its caches."""
    told, counted = _plain() if runtime == "threads" else (said, count)
    schema = Schema(types=[_Note], queries=[note, told], mutations=[put], subscriptions=[noted, notes, counted])
    limits = QueryLimits(request_timeout=5.0)
    subscriptions = SubscriptionLimits(statement_timeout=2.0, recovery_timeout=8.0, live_poll=5.0)
    return Pipeline(schema, limits, subscriptions, MutationLimits(max_attempts=4))


class Statements:
    """Knows the statements of the documents again, and answers them as PostgreSQL would."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._known: dict[bytes, tuple[str, Callable[[Fetch], Asked], Callable[[Fetch, int], Row]]] = {}
        variables = {"marker": "m", "size": 1, "other": "n", "to": 1}
        answers = {"note": (_of_note, _note), "two": (_of_note, _two), "put": (_of_put, _put)}
        answers |= {"noted": (_of_event, _noted), "notes": (_of_notes, _notes)}
        for what, (asked, answer) in answers.items():
            program = pipeline.operate(GraphQLRequest(DOCUMENTS[what], None, variables), "known")
            self._known[_first_fetch(program).statement.sql] = what, asked, answer

    def read(self, fetch: Fetch) -> Asked:
        """What a statement is about; raises KeyError for one that is not known."""
        return self._known[fetch.statement.sql][1](fetch)

    def answer(self, fetch: Fetch, state: int) -> Row:
        """Its row; `state` is the number of changes that were committed."""
        return self._known[fetch.statement.sql][2](fetch, state)


@cache
def statements() -> Statements:
    """Those of the documents, made once."""
    return Statements(made())


def _first_fetch(program: Program[Any]) -> Fetch:
    effect = next(program)
    while not isinstance(effect, Fetch):
        if isinstance(effect, Join):
            program = effect.stream.begin()
            effect = next(program)
        elif isinstance(effect, Open):
            effect = program.send("handle")
            if not isinstance(effect, Fetch):  # it waits for an event
                effect = program.send([_event()])
        else:
            effect = program.send("transaction")
    return effect


def _event() -> Event:
    return Event(NOTED, {"id": "m", "size": 1, "text": "x"})


def text_of(marker: str, size: int) -> str:
    """What stands in a note."""
    return (marker + " ") * (size // (len(marker) + 1) + 1)


def _of_note(fetch: Fetch) -> Asked:
    return Asked("note", (fetch.parameters[0] or b"").decode(), writes=False)


def _of_put(fetch: Fetch) -> Asked:
    return Asked("put", str(orjson.loads(fetch.parameters[0] or b"{}")["marker"]), writes=True)


def _of_event(fetch: Fetch) -> Asked:
    return Asked("noted", "", writes=False)


def _of_notes(fetch: Fetch) -> Asked:
    return Asked("notes", "", writes=False)


def _note(fetch: Fetch, state: int) -> Row:
    marker, size = (fetch.parameters[0] or b"").decode(), int(fetch.parameters[1] or b"0")
    return (json.dumps({"id": marker, "text": text_of(marker, size)}).encode(),)


def _two(fetch: Fetch, state: int) -> Row:
    one, _, two, size = (parameter or b"" for parameter in fetch.parameters)
    row = {"text": text_of(two.decode(), int(size)), "id": two.decode()}
    return json.dumps({"id": one.decode()}).encode(), json.dumps(row).encode()


def _put(fetch: Fetch, state: int) -> Row:
    return (json.dumps([orjson.loads(fetch.parameters[0] or b"{}")["marker"]]).encode(),)


def _noted(fetch: Fetch, state: int) -> Row:
    rows = orjson.loads(fetch.parameters[-1] or b"[]")
    shown = [json.dumps({"id": row["id"], "text": row["text"]}) for row in rows]
    return (json.dumps(shown).encode(),)


def _notes(fetch: Fetch, state: int) -> Row:
    return (json.dumps([{"id": str(state)}]).encode(),)

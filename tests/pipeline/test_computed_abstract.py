"""Methods of interfaces and of the members of unions: each object has those of its own class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import fraiseql
from fraiseql import ID
from fraiseql.effects import CallAll
from fraiseql.errors import SchemaError
from fraiseql.pipeline import Pipeline
from pipeline.stepping import Run, open_stream, request


@fraiseql.interface(sql_source="media", jsonb_column=None, discriminator="kind")
class Medium:
    id: ID
    title: str
    cover: Cover | None

    @fraiseql.field(needs=["title"])
    def label(self, mark: str = "!") -> str:
        return f"{type(self).__name__} {self.title}{mark}"

    @fraiseql.field(batch=True, needs=["id"])
    @staticmethod
    def place(media: list[Medium], base: int = 0) -> list[str]:
        return [f"{type(each).__name__} {base + index}" for index, each in enumerate(media)]

    @fraiseql.field(needs=["cover"])
    def wrapped(self) -> str:
        return repr(self.cover)


@fraiseql.type(when="book")
class Book(Medium):
    pages: int

    @fraiseql.field(needs=["pages"])
    def thick(self) -> bool:
        return self.pages > 300


@fraiseql.type(when="film")
class Film(Medium):
    minutes: int

    @fraiseql.field(needs=["minutes", "title"])
    def label(self, mark: str = "?", size: int | None = None) -> str:
        return f"{self.title}, {self.minutes} min{mark}"


@fraiseql.type
class Paper:
    colour: str

    def __repr__(self) -> str:
        return f"paper {self.colour}"

    @fraiseql.field
    def smell(self) -> str:
        return f"like {self.colour}"


@fraiseql.type
class Box:
    size: int

    def __repr__(self) -> str:
        return f"box {self.size}"

    @fraiseql.field
    def smell(self) -> str:
        return f"of {self.size}"


@fraiseql.union(types={"paper": Paper, "box": Box}, discriminator="of")
class Cover:
    pass


@fraiseql.query
def media() -> list[Medium]: ...


@fraiseql.subscription
def any_medium() -> Iterator[Medium]:
    yield Book()


@fraiseql.interface(discriminator="of")
class Numbered:
    text: str | None


@fraiseql.type(when="1")
class One(Numbered):
    pass


@fraiseql.type(when="true")
class Two(Numbered):
    pass


@fraiseql.subscription
def numbered() -> Iterator[Numbered | None]:
    yield None


_SCHEMA = fraiseql.Schema(types=[Book, Film, Cover, One, Two], queries=[media], subscriptions=[any_medium, numbered])
_PIPELINE = Pipeline(_SCHEMA)


def answer(query: str, rows: Any) -> Any:
    run = Run(_PIPELINE.operate(request(query), "request-1"))
    run.send((json.dumps(rows).encode(),))
    while run.effect is not None:
        run.called()
    return json.loads(run.result.body)


def test_each_object_has_the_methods_of_its_class() -> None:
    query = '{ media { label a: label(mark: ".") ... on Book { thick } ... on Film { minutes } } }'
    sql = _PIPELINE.explain(query).sql
    assert "needs$minutes" in sql
    assert '"label"' not in sql
    rows = [
        {"type$": "Book", "needs$title": "One", "needs$pages": 400},
        {"type$": "Film", "needs$title": "Two", "minutes": 90, "needs$minutes": 90},
    ]
    assert answer(query, rows) == {
        "data": {
            "media": [
                {"label": "Book One!", "a": "Book One.", "thick": True},
                {"label": "Two, 90 min?", "a": "Two, 90 min.", "minutes": 90},
            ]
        }
    }


def test_a_batch_of_an_interface_is_called_once_for_the_objects_of_all_its_types() -> None:
    kinds = ["Book", "Film", "Book"]
    rows = [{"type$": kind, "needs$id": "1"} for kind in kinds]

    def calls(query: str) -> tuple[int, list[Any]]:
        run = Run(_PIPELINE.operate(request(query), "request-1"))
        run.send((json.dumps(rows).encode(),))
        assert isinstance(run.effect, CallAll)
        count = len(run.effect.calls)
        run.called()
        return count, [each["place"] for each in json.loads(run.result.body)["data"]["media"]]

    assert calls("{ media { place } }") == (1, ["Book 0", "Film 1", "Book 2"])
    query = "{{ media {{ ...on Book {{ place(base: 1) }} ...on Film {{ place(base: {}) }} }} }}"
    assert calls(query.format(1)) == (1, ["Book 1", "Film 2", "Book 3"])
    assert calls(query.format(5)) == (2, ["Book 1", "Film 5", "Book 2"])


def test_the_type_may_be_asked_for_too() -> None:
    rows = [{"__typename": "Book", "needs$pages": 3}, {"__typename": "Film"}]
    assert answer("{ media { __typename ... on Book { thick } } }", rows) == {
        "data": {"media": [{"__typename": "Book", "thick": False}, {"__typename": "Film"}]}
    }


def test_an_object_of_no_member_is_an_error() -> None:
    found = answer("{ media { label } }", [{"type$": None}])
    assert found["data"] is None
    assert found["errors"][0]["message"] == "The value of Query.media is of no type of Medium."


def test_needed_objects_are_of_their_member() -> None:
    query = "{ media { wrapped cover { ... on Paper { smell } ... on Box { smell } } } }"
    rows = [
        {
            "type$": "Book",
            "needs$cover": {"type$": "Paper", "needs$colour": "red"},
            "cover": {"type$": "Paper", "needs$colour": "red"},
        },
        {
            "type$": "Film",
            "needs$cover": {"type$": "Box", "needs$size": 3},
            "cover": {"type$": "Box", "needs$size": 3},
        },
        {"type$": "Film", "needs$cover": None, "cover": None},
    ]
    assert '"needs$cover"' in _PIPELINE.explain(query).sql
    assert answer(query, rows) == {
        "data": {
            "media": [
                {"wrapped": "paper red", "cover": {"smell": "like red"}},
                {"wrapped": "box 3", "cover": {"smell": "of 3"}},
                {"wrapped": "None", "cover": None},
            ]
        }
    }


def test_yielded_objects_have_the_methods_of_their_class() -> None:
    run = open_stream("subscription { anyMedium { label } }", of=_PIPELINE)
    film = Film()
    film.title, film.minutes = "Two", 90
    run.send(film)
    assert isinstance(run.effect, CallAll)
    assert run.effect.calls[0].arguments[0] is film
    run.called()
    assert run.emitted == {"data": {"anyMedium": {"label": "Two, 90 min?"}}}


@pytest.mark.parametrize(
    ("value", "name"), [(1, "One"), ("1", "One"), (True, "Two"), (1.5, None), (None, None), ([1], None)]
)
def test_a_discriminator_may_be_any_scalar_as_it_is_in_json(value: Any, name: str | None) -> None:
    prepared = _PIPELINE.prepare_subscription(request("subscription { numbered { __typename } }"))
    data = json.loads(prepared.project({"of": value}).body)["data"]
    assert data == {"numbered": None if name is None else {"__typename": name}}


def _changed(method: Any) -> Any:
    members = {"__annotations__": {}, "__module__": __name__, "label": fraiseql.field(method)}
    return fraiseql.Schema(types=[fraiseql.type(when="song")(type("Song", (Medium,), members))], queries=[media])


def _without(self: Any) -> str:
    return ""


def _retyped(self: Any, mark: int = 1) -> str:
    return ""


def _more(self: Any, size: int, mark: str = "") -> str:
    return ""


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (_without, "Song.label: found no argument mark; expected the argument mark, as Medium.label has"),
        (_retyped, r"Song.label\(mark\): found the type Int!; expected String!, as Medium.label has"),
        (_more, "Song.label: found the argument size, which must be given; expected"),
    ],
)
def test_methods_keep_the_arguments_of_their_interface(method: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        _changed(method)

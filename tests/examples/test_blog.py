"""The blog of the examples, with its database: what it writes is what it shows."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fraiseql.pipeline import Pipeline
from golden.asking import opened
from pipeline.functions.driving import Server

EXAMPLES = Path(__file__).parents[2] / "examples"

ADD = """mutation ($author: ID!, $title: String!) { addPost(input: {authorId: $author, title: $title}) {
    ... on PostAdded { post { title author { name posts { title } } } } ... on Refused { code message fields }
} }"""


@pytest.fixture(scope="module")
def blog(module_database_url: str) -> Iterator[Server]:
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute((EXAMPLES / "blog.sql").read_bytes())
    found = importlib.util.spec_from_file_location("blog_example", EXAMPLES / "blog.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module  # where its annotations are resolved
    found.loader.exec_module(module)
    with opened(module_database_url) as connection:
        yield Server(Pipeline(module.schema), connection)


def test_adding_a_post(blog: Server) -> None:
    titles = [{"title": "The first bug"}, {"title": "Again"}]
    expected = {"post": {"title": "Again", "author": {"name": "Grace", "posts": titles}}}
    assert blog.ask(ADD, {"author": 2, "title": "Again"}).data["addPost"] == expected


@pytest.mark.parametrize(
    ("author", "title", "refused"),
    [
        (1, " ", {"code": "VALIDATION", "message": "A post needs a title.", "fields": ["title"]}),
        (9, "x", {"code": "FOREIGN_KEY_VIOLATION", "fields": ["authorId"]}),
    ],
)
def test_a_post_that_is_refused(blog: Server, author: int, title: str, refused: dict[str, object]) -> None:
    found = blog.ask(ADD, {"author": author, "title": title}).data["addPost"]
    assert found | refused == found


def test_renaming_an_author(blog: Server) -> None:
    query = 'mutation ($id: ID!) { renameAuthor(id: $id, name: "Ada L.") { name contact { email } } }'
    assert blog.ask(query, {"id": 1}).data == {
        "renameAuthor": {"name": "Ada L.", "contact": {"email": "ada@example.com"}}
    }
    assert blog.ask(query, {"id": 9}).data == {"renameAuthor": None}

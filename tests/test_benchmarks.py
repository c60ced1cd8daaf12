"""The benchmarks of the pipeline and its SQL run, and compare what is alike."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from benchmarks import answers, pipeline, shapes, sharing, transactions
from benchmarks.figures import Setting
from graphql import FieldNode, OperationDefinitionNode, SelectionSetNode, parse

from fraiseql.cli.demo.data import Blog, generate
from fraiseql.cli.demo.schema import schema
from fraiseql.pipeline import Outcome, Pipeline
from fraiseql.testing.embedded import EmbeddedPostgres


def _depths(selection_set: SelectionSetNode, depth: int = 1) -> Iterator[int]:
    for node in selection_set.selections:
        assert isinstance(node, FieldNode)
        yield depth
        if node.selection_set is not None:
            yield from _depths(node.selection_set, depth + 1)


def test_the_cold_document_is_as_large_as_its_target_says() -> None:
    (operation,) = parse(pipeline.COLD % 1).definitions
    assert isinstance(operation, OperationDefinitionNode)
    depths = list(_depths(operation.selection_set))
    assert (len(depths), max(depths)) == (30, 4)


@pytest.mark.parametrize("name", pipeline.WARM)
def test_warm_requests_differ_in_three_variables_and_are_answered_whole(name: str) -> None:
    query, variables = pipeline.WARM[name]
    served = Pipeline(schema)
    for number in (0, 1, 7):
        assert len(variables(number)) == 3
        for rows in (pipeline.LIST, pipeline.NULLS):
            response = pipeline.execute(served, pipeline.body(query, variables(number)), rows)
            assert response.outcome is Outcome.DATA
            assert set(json.loads(response.body)["data"].popitem()[1][0]) == set(json.loads(rows)[0])
    assert variables(1) != variables(2)


def test_the_pipeline_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TURNS", "REQUESTS", "DOCUMENTS"):
        monkeypatch.setattr(pipeline, name, 1)
    figures = pipeline.measure(Setting("", 2))
    assert len({figure.name for figure in figures}) == len(figures) == 12
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)
    assert [figure.below for figure in figures if figure.unit == "ms"] == [3.0, None, None]


def test_what_is_done_to_answers_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SIZES": (100, 5_000), "SECONDS": 0.0001, "HOPS": 1}.items():
        monkeypatch.setattr(answers, name, value)
    figures = answers.measure(Setting("", 2))
    assert len({figure.name for figure in figures}) == len(figures) >= 2 * 2 + 2
    assert all(len(figure.values) == 2 and min(figure.values) > 0 for figure in figures)
    assert len(answers.answer(5_000)) == 5_000


@pytest.fixture(scope="module")
def blog() -> Blog:
    return generate(users=120, posts=400, comments=900)


@pytest.fixture(scope="module")
def backend(postgres: EmbeddedPostgres, blog: Blog) -> Iterator[shapes.Backend]:
    opened = shapes.Backend(shapes.grow(postgres.conninfo, blog, "few_shapes"))
    yield opened
    opened.close()
    postgres.execute("drop database few_shapes")


@pytest.mark.parametrize("source", shapes.SOURCES)
@pytest.mark.parametrize("shape", shapes.SHAPES, ids=lambda shape: shape.name)
def test_statements_by_hand_give_the_same_json_as_ours(
    backend: shapes.Backend, shape: shapes.Shape, source: str, blog: Blog
) -> None:
    statements = shapes.statements(shape, source)
    assert len(statements) == (4 if shape.variables else 7), "ours, and three ways with and without literals"
    answers = [json.loads(backend.run(backend.prepare(*each)) or b"null") for each in statements.values()]
    assert all(answer == answers[0] for answer in answers)
    first = answers[0] if shape.variables else answers[0][0]
    assert first["name"] == blog.users[int(first["id"]) - 1].name


def test_the_shapes_are_measured(postgres: EmbeddedPostgres, blog: Blog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "TURNS", 1)
    monkeypatch.setattr(shapes, "SECONDS", 0.0)
    monkeypatch.setattr(shapes, "generate", lambda **_: blog)
    figures = shapes.measure(Setting(postgres.conninfo, 1))
    assert len(figures) == 3 * len(shapes.SHAPES) * len(shapes.SOURCES)
    assert [figure.below for figure in figures if figure.unit == "by hand"] == [1.1, 1.1, 1.1, 1.1, None] * 2
    postgres.execute("drop database shapes")


def test_transactions_are_measured(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setattr(transactions, "TIMES", 1)
    figures = transactions.measure(Setting(database_url, 2))
    assert len({figure.name for figure in figures}) == len(figures) == 16
    assert all(len(figure.values) == 2 for figure in figures)


def test_sharing_is_measured(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setattr(sharing, "STATEMENTS", 200)
    figures = sharing.measure(Setting(database_url, 1))
    assert len(figures) == 18
    assert all(figure.values[0] >= 0 for figure in figures)

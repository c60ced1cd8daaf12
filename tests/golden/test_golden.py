"""Each file in `cases` is a query with the SQL it becomes, its parameters and its answer.

`UPDATE_GOLDEN=1 pytest tests/golden/test_golden.py -n 0` writes SQL, parameters and answers anew, for a new
case as for a changed one; the answer must equal the oracle's all the same. Read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fraiseql.cli.demo.schema import schema
from fraiseql.pipeline import Outcome, Pipeline
from golden.files import laid_out, read_case, without_layout, write_case
from golden.oracle import Oracle, normalised

_CASES = sorted(Path(__file__).with_name("cases").glob("*.md"))
_INTROSPECTION = re.compile(r"\b__(?:schema|type)\b")
_UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


@pytest.fixture(scope="module", params=[True, False], ids=["with introspection", "without introspection"])
def introspection(request: pytest.FixtureRequest) -> bool:
    """Without it, all the same is answered but what asks for the schema."""
    served: bool = request.param
    return served


@pytest.mark.parametrize("path", _CASES, ids=lambda path: path.stem)
def test_query_sql_and_answer(path: Path, ask: Callable, oracle: Oracle, introspection: bool) -> None:
    case = read_case(path)
    answer = ask(case.query, case.variables)
    if not introspection and _INTROSPECTION.search(case.query):
        assert answer.response.outcome is Outcome.NOT_VALID
        assert {error["extensions"]["code"] for error in answer.json["errors"]} == {"INTROSPECTION_DISABLED"}
        assert answer.json.keys() == {"errors"}
        return
    assert answer.response.outcome is Outcome.DATA, answer.response.body
    assert answer.json.keys() == {"data"}
    data = answer.json["data"]
    sql = laid_out(answer.fetches[0].statement.sql.decode()) if answer.fetches else ""
    parameters = tuple(
        None if value is None else value.decode() for fetch in answer.fetches for value in fetch.parameters
    )

    assert normalised(data) == normalised(oracle.execute(case.query, case.variables))
    if _UPDATE and introspection:
        write_case(path, case, sql=sql, parameters=parameters, result=data)
        return
    assert sql == case.sql
    assert parameters == case.parameters
    assert normalised(data) == normalised(case.result)


@pytest.mark.parametrize("path", _CASES, ids=lambda path: path.stem)
def test_explain_shows_the_statement_that_runs(path: Path) -> None:
    case = read_case(path)
    explanation = Pipeline(schema).explain(case.query, case.variables)
    assert without_layout(explanation.sql) == without_layout(case.sql)
    assert explanation.parameters == case.parameters


def test_cases_are_written_as_they_are_read(tmp_path: Path) -> None:
    for path in _CASES:
        write_case(tmp_path / "case.md", read_case(path))
        assert (tmp_path / "case.md").read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_layout_changes_white_space_only() -> None:
    sql = (
        """select (select r from (select 'a, (select b) from ''c' as "x, from ""y" """
        "from t where f(a, b) = $1) r), g(1)"
    )
    assert laid_out(sql) == (
        "select (\n"
        "  select r\n"
        "  from (\n"
        """    select 'a, (select b) from ''c' as "x, from ""y"\n"""
        "    from t\n"
        "    where f(a, b) = $1\n"
        "  ) r\n"
        "),\n"
        "  g(1)"
    )

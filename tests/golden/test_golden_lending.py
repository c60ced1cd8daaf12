"""Golden files for what the sample blog has none of: interfaces, unions and fields that SQL computes.

`UPDATE_GOLDEN=1 pytest tests/golden/test_golden_lending.py -n 0` writes them anew. The same schema is held against
graphql-core by test_abstract.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from golden.files import laid_out, read_case, write_case
from golden.lending import DDL, SCHEMA
from golden.oracle import normalised
from golden.serving import Served, served

_CASES = sorted(Path(__file__).with_name("lending_cases").glob("*.md"))


@pytest.fixture(scope="module")
def serving(module_database_url: str) -> Iterator[Served]:
    with served(module_database_url, DDL, SCHEMA) as opened:
        yield opened


@pytest.mark.parametrize("path", _CASES, ids=lambda path: path.stem)
def test_query_sql_and_answer(serving: Served, path: Path) -> None:
    case = read_case(path)
    data = serving.data(case.query, **case.variables)
    (fetch,) = serving.fetches
    sql = laid_out(fetch.statement.sql.decode())
    parameters = tuple(None if value is None else value.decode() for value in fetch.parameters)
    if os.environ.get("UPDATE_GOLDEN") == "1":
        write_case(path, case, sql=sql, parameters=parameters, result=data)
        return
    assert sql == case.sql
    assert parameters == case.parameters
    assert normalised(data) == normalised(case.result)

"""The tables and functions of `app` in a real PostgreSQL, and what answers requests about them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from fraiseql.pipeline import Pipeline
from golden.asking import opened
from pipeline.functions.app import DDL, schema
from pipeline.functions.driving import Server


@pytest.fixture(scope="module")
def server(module_database_url: str) -> Iterator[Server]:
    """Over tables that the tests of a module share."""
    with psycopg.connect(module_database_url, autocommit=True) as admin:
        admin.execute(DDL.encode())
    with opened(module_database_url) as connection:
        yield Server(Pipeline(schema), connection)

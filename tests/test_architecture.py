"""Reads our own syntax trees and holds the rules of docs/explanations/architecture.md."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "fraiseql"

VALUES = {"errors", "limits", "context", "database_context", "effects", "observations", "payloads"}
CORE = VALUES | {"protocol", "schema", "pipeline", "postgres", "bus", "subscriptions", "session", "catalog"}
EVERYTHING = CORE | {"runtimes", "testing", "cli", "_version"}
FACE = "fraiseql"  # the package's own __init__, which imports nearly everything

# A part of the package (its first name below `fraiseql`) -> the other parts it may import, for type checking too.
MAY_IMPORT: dict[str, set[str]] = {
    FACE: CORE | {"runtimes", "_version"},
    "_version": set(),
    "errors": set(),
    "limits": set(),
    "context": set(),
    "database_context": {"context", "errors"},
    "effects": {"context"},
    "observations": set(),
    "payloads": set(),
    "protocol": {"errors", "limits"},
    "schema": {"context", "database_context", "errors"},
    "pipeline": VALUES | {"schema"},
    "postgres": VALUES,
    "bus": VALUES,
    "subscriptions": VALUES | {"schema", "pipeline"},
    "session": VALUES | {"protocol", "pipeline"},
    "catalog": VALUES | {"schema"},
    "runtimes": CORE | {"_version"},
    "testing": CORE | {"runtimes"},
    "cli": EVERYTHING | {FACE},
    "__main__": {"cli"},
}

# A lock is no thread: what may be used from several of them has one, so that each other user need not think of it.
LOCKED = {("fraiseql.pipeline.cache", "threading.Lock")}

# What each part may import from outside the standard library. Parts that are not named here: anything.
MAY_USE: dict[str, set[str]] = {
    **{value: set() for value in VALUES},
    "payloads": {"orjson"},
    "protocol": {"orjson"},
    "schema": set(),
    "pipeline": {"graphql", "orjson"},
    "postgres": {"psycopg"},
    "bus": {"orjson"},
    "subscriptions": {"orjson"},
    "session": {"orjson"},
    "catalog": {"orjson"},
    "runtimes": {"anyio", "psycopg"},
}

# Below the runtimes there is no I/O, clock, entropy, environment, logger or concurrency.
PURE = CORE
IMPURE_MODULES = {
    *("time", "random", "secrets", "logging", "socket", "socketserver", "select", "selectors", "ssl", "signal"),
    *("threading", "_thread", "multiprocessing", "concurrent", "subprocess", "asyncio", "queue", "sched"),
    *(
        "trio",
        "anyio",
        "sniffio",
        "tempfile",
        "shutil",
        "pathlib",
        "glob",
        "fileinput",
        "http.client",
        "http.server",
        "urllib.request",
    ),
}
IMPURE_NAMES = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.getnode", "uuid._uuid"),
    *("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.urandom", "os.getrandom"),
    *("os.open", "os.read", "os.write", "os.fork", "os.system", "os.popen"),
    *("open", "io.open", "io.FileIO", "print", "__import__", "importlib.import_module", "sys.stdin"),
    *("sys.stdout", "sys.stderr"),
}


def violations(module: str, code: str) -> list[str]:
    """All rules that one module breaks; `module` is its dotted name."""
    tree = ast.parse(code)
    part = part_of(module)
    imports = list(imported_names(tree))
    found = [*check_imports(part, imports), *check_exports(module, tree)]
    if part in PURE:
        found += check_purity(tree, [each for each in imports if (module, each.name) not in LOCKED])
    return [f"{module}:{line}: {what}" for line, what in sorted(found)]


def part_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else FACE


class Import(NamedTuple):
    line: int
    name: str  # all that is imported: `datetime.datetime` for `from datetime import datetime as dt`
    bound: str  # the name in the module: `dt`
    origin: str  # what that name stands for: `datetime.datetime`, but `os` for `import os.path`


def imported_names(tree: ast.Module) -> Iterator[Import]:
    """Every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                bound, origin = (alias.asname, alias.name) if alias.asname else (first, first)
                yield Import(node.lineno, alias.name, bound, origin)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{'.' * node.level}{node.module or ''}.{alias.name}"
                yield Import(node.lineno, name, alias.asname or alias.name, name)
        elif isinstance(node, ast.Call) and spelled(node.func).endswith("import_module"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield Import(node.lineno, argument.value, "", "")


def check_imports(part: str, imports: list[Import]) -> Iterator[tuple[int, str]]:
    for line, name, _, _ in imports:
        top = name.split(".")[0]
        if not top:
            yield line, "imports are absolute"
        elif top == "fraiseql":
            # `from fraiseql import errors` names a part; `from fraiseql import Schema` the public face.
            imported = name.split(".")[1] if "." in name else FACE
            imported = imported if imported in MAY_IMPORT else FACE
            if imported not in MAY_IMPORT.get(part, set()) | {part}:
                yield line, f"{part} may not import {imported}"
        elif top not in sys.stdlib_module_names and top not in MAY_USE.get(part, {top}):
            yield line, f"{part} may not use {top}"


def check_purity(tree: ast.Module, imports: list[Import]) -> Iterator[tuple[int, str]]:
    for line, name, _, _ in imports:
        if any(name == impure or name.startswith(f"{impure}.") for impure in IMPURE_MODULES | IMPURE_NAMES):
            yield line, f"{name} is not pure"
    origins = {bound: origin for _, _, bound, origin in imports}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            first, dot, rest = spelled(node).partition(".")
            name = origins.get(first, first) + dot + rest
            if name in IMPURE_NAMES:
                yield node.lineno, f"{name} is not pure"


def check_exports(module: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    private = any(name.startswith("_") for name in module.split("."))
    only_docstring = all(isinstance(node, ast.Expr) for node in tree.body)
    if private or only_docstring:
        return
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return
    yield 1, "a public module names its exports in __all__"


def spelled(node: ast.expr) -> str:
    """`a.b.c` as it is written; an expression that is no plain chain of names gives an empty first name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{spelled(node.value)}.{node.attr}"
    return ""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        parts = ("fraiseql", *path.relative_to(SOURCE).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def test_the_source_keeps_every_rule() -> None:
    found = [text for module, path in modules() for text in violations(module, path.read_text(encoding="utf-8"))]
    assert found == []


def test_every_part_has_its_rules() -> None:
    parts = {part_of(module) for module, _ in modules()}
    assert {"errors", "protocol", "pipeline", "runtimes", "cli"} <= parts, "the source was not found"
    assert parts <= set(MAY_IMPORT), "a new part needs its line in MAY_IMPORT"


ALL = "__all__ = []\n"

PLANTED = [
    # who imports whom
    ("fraiseql.errors", "import fraiseql.limits", "errors may not import limits"),
    ("fraiseql.effects", "from fraiseql import errors", "effects may not import errors"),
    ("fraiseql.protocol.http11", "from fraiseql.pipeline import Pipeline", "protocol may not import pipeline"),
    ("fraiseql.pipeline.plan", "from fraiseql.protocol import http11", "pipeline may not import protocol"),
    ("fraiseql.pipeline.plan", "from fraiseql.postgres.pool import Pool", "pipeline may not import postgres"),
    ("fraiseql.schema.types", "from fraiseql.limits import QueryLimits", "schema may not import limits"),
    ("fraiseql.postgres.pool", "import fraiseql.session.http as http", "postgres may not import session"),
    ("fraiseql.session.http", "from fraiseql.runtimes.anyio import server", "session may not import runtimes"),
    ("fraiseql.session.http", "from fraiseql import runtimes", "session may not import runtimes"),
    ("fraiseql.runtimes.anyio", "from fraiseql.cli import main", "runtimes may not import cli"),
    ("fraiseql.runtimes.anyio", "from fraiseql.testing import embedded", "runtimes may not import testing"),
    ("fraiseql.runtimes.anyio", "from fraiseql import Schema", "runtimes may not import fraiseql"),
    ("fraiseql.pipeline", "import fraiseql", "pipeline may not import fraiseql"),
    ("fraiseql", "from fraiseql.cli import main", "fraiseql may not import cli"),
    ("fraiseql.pipeline", "def late():\n    import fraiseql.runtimes", "pipeline may not import runtimes"),
    (
        "fraiseql.protocol",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fraiseql.session import http",
        "protocol may not import session",
    ),
    ("fraiseql.runtimes", "from importlib import import_module\nimport_module('fraiseql.cli')", "may not import cli"),
    ("fraiseql.cli", "from . import demo", "imports are absolute"),
    ("fraiseql.unheard_of", "from fraiseql import errors", "unheard_of may not import errors"),
    # what comes from outside
    ("fraiseql.protocol.http11", "import h11", "protocol may not use h11"),
    ("fraiseql.schema.types", "from graphql import parse", "schema may not use graphql"),
    ("fraiseql.pipeline.sql", "from psycopg import sql", "pipeline may not use psycopg"),
    ("fraiseql.session.http", "from graphql.language import ast", "session may not use graphql"),
    # what is not pure
    *[
        ("fraiseql.session.http", f"import {name}", f"{name} is not pure")
        for name in (
            "time",
            "random",
            "secrets",
            "logging",
            "socket",
            "selectors",
            "threading",
            "asyncio",
            "subprocess",
        )
    ],
    ("fraiseql.postgres.pool", "import anyio", "anyio is not pure"),
    ("fraiseql.postgres.pool", "import trio.lowlevel", "trio.lowlevel is not pure"),
    ("fraiseql.pipeline", "from concurrent.futures import ThreadPoolExecutor", "concurrent.futures"),
    ("fraiseql.pipeline", "from time import monotonic as tick", "time.monotonic is not pure"),
    ("fraiseql.pipeline", "import os\nos.environ['X']", "os.environ is not pure"),
    ("fraiseql.pipeline", "import os as system\nsystem.getenv('X')", "os.getenv is not pure"),
    ("fraiseql.pipeline", "import os.path\nos.urandom(8)", "os.urandom is not pure"),
    ("fraiseql.pipeline", "from os import environ", "os.environ is not pure"),
    ("fraiseql.pipeline", "from datetime import datetime\ndatetime.now()", "datetime.datetime.now is not pure"),
    ("fraiseql.pipeline", "import datetime as dt\ndt.datetime.utcnow()", "datetime.datetime.utcnow is not pure"),
    ("fraiseql.pipeline", "from datetime import date as day\nday.today()", "datetime.date.today is not pure"),
    ("fraiseql.pipeline", "import uuid\nmake = uuid.uuid4", "uuid.uuid4 is not pure"),
    ("fraiseql.pipeline", "from uuid import uuid1", "uuid.uuid1 is not pure"),
    ("fraiseql.pipeline", "open('x')", "open is not pure"),
    ("fraiseql.pipeline", "print('x')", "print is not pure"),
    ("fraiseql.pipeline", "__import__('time')", "__import__ is not pure"),
    ("fraiseql.limits", "import time", "time is not pure"),
    ("fraiseql.pipeline.plan", "from threading import Lock", "threading.Lock is not pure"),
    ("fraiseql.pipeline.cache", "from threading import Lock, Thread", "threading.Thread is not pure"),
]


@pytest.mark.parametrize(("module", "code", "expected"), PLANTED)
def test_a_planted_violation_is_found(module: str, code: str, expected: str) -> None:
    assert any(expected in text for text in violations(module, ALL + code)), violations(module, ALL + code)


ALLOWED = [
    ("fraiseql.session.http", "from fraiseql.protocol import http11\nfrom fraiseql.pipeline import Pipeline"),
    ("fraiseql.protocol.http11.reading", "from fraiseql.protocol.http11 import events\nfrom fraiseql import limits"),
    ("fraiseql.pipeline.sql", "from graphql import parse\nimport orjson"),
    ("fraiseql.runtimes.anyio", "import anyio, logging, time\nfrom fraiseql.session import http"),
    ("fraiseql.cli", "import fraiseql, time\nfrom fraiseql.runtimes import config"),
    ("fraiseql.pipeline.sql.bind", "from datetime import datetime\ndatetime.fromisoformat('')\nnow = 1\nself.now()"),
    ("fraiseql.postgres.waits", "from psycopg import pq, generators"),
    ("fraiseql.pipeline.cache", "from threading import Lock"),
]


@pytest.mark.parametrize(("module", "code"), ALLOWED)
def test_what_is_allowed_is_not_reported(module: str, code: str) -> None:
    assert violations(module, ALL + code) == []


@pytest.mark.parametrize(
    ("module", "code", "reported"),
    [
        ("fraiseql.pipeline.plan", "x = 1", True),
        ("fraiseql.pipeline.plan", "__all__ = ['x']\nx = 1", False),
        ("fraiseql.pipeline.plan", "__all__: list[str] = []", False),
        ("fraiseql.pipeline", '"""Only words."""', False),
        ("fraiseql.pipeline._private", "x = 1", False),
    ],
)
def test_a_public_module_names_its_exports(module: str, code: str, reported: bool) -> None:
    assert any("__all__" in text for text in violations(module, code)) is reported

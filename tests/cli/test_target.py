"""`module:schema` on the command line: found, or one clear sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fraiseql
from fraiseql.cli.target import Target, UserCodeFailed, load_schema, parse_target
from fraiseql.errors import ConfigurationError, SchemaError

GOOD = '''
import fraiseql

@fraiseql.type(sql_source="users", jsonb_column=None)
class User:
    id: fraiseql.ID

@fraiseql.query
def users() -> list[User]:
    """All users."""

schema = fraiseql.Schema(queries=[users])

class Nested:
    inner = schema

number = 3
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current directory; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("attribute", ["schema", "Nested.inner"])
def test_a_schema_of_the_current_directory_is_found(project: Path, attribute: str) -> None:
    (project / "good_app.py").write_text(GOOD)
    assert isinstance(load_schema(parse_target(f"good_app:{attribute}")), fraiseql.Schema)


def test_a_schema_in_a_package_is_found(project: Path) -> None:
    (project / "shop").mkdir()
    (project / "shop" / "api.py").write_text(GOOD)
    assert isinstance(load_schema(Target("shop.api", "schema")), fraiseql.Schema)


@pytest.mark.parametrize(
    ("code", "target", "sentence"),
    [
        (GOOD, "nowhere:schema", "there is no module 'nowhere' in"),
        (GOOD, "broken_app.inner:schema", "there is no module 'broken_app.inner' in"),
        (GOOD, "broken_app:scheme", "broken_app has no attribute 'scheme'"),
        (GOOD, "broken_app:number", "broken_app:number is not a fraiseql.Schema but of type int"),
        (GOOD, "broken_app:fraiseql.Schema", "is not a fraiseql.Schema but of type type"),
    ],
)
def test_a_target_that_leads_nowhere_is_said_in_one_sentence(
    project: Path, code: str, target: str, sentence: str
) -> None:
    (project / "broken_app.py").write_text(code)
    with pytest.raises(ConfigurationError) as caught:
        load_schema(parse_target(target))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_schema_is_said_in_one_sentence(project: Path) -> None:
    (project / "wrong_app.py").write_text(GOOD.replace("fraiseql.ID", "bytearray"))
    with pytest.raises(SchemaError, match=r"User\.id"):
        load_schema(Target("wrong_app", "schema"))


@pytest.mark.parametrize(
    ("code", "last_line"),
    [
        ("def f():\n    return 1 / 0\nf()", "ZeroDivisionError: division by zero"),
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
        ("def f(:", "SyntaxError: invalid syntax"),
    ],
)
def test_the_users_own_exception_is_shown_with_its_place_only(project: Path, code: str, last_line: str) -> None:
    (project / "raising_app.py").write_text(code)
    with pytest.raises(UserCodeFailed) as caught:
        load_schema(Target("raising_app", "schema"))
    report = caught.value.report
    assert report.rstrip().endswith(last_line)
    assert str(project / "raising_app.py") in report
    assert "importlib" not in report
    assert "cli/target.py" not in report


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("app", "'app' is not of the form module:schema"),
        ("", "'' is not of the form module:schema"),
        ("app:", "is not of the form module:schema"),
        (":schema", "is not of the form module:schema"),
        ("app:schema:more", "is not of the form module:schema"),
        ("my-app:schema", "is not of the form module:schema"),
        (".app:schema", "is not of the form module:schema"),
        ("app.py:schema", "name the module, as in app:schema"),
        ("app.py", "name the module, as in app:schema"),
        ("./shop/api.py:api", "name the module, as in shop.api:api"),
    ],
)
def test_a_malformed_target_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^'") as caught:
        parse_target(text)
    assert sentence in str(caught.value)

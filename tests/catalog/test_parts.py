"""The pure parts behind `check` and `introspect`: names, layout, constraints, views and types."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraiseql.catalog.constraints import allowed_values
from fraiseql.catalog.facts import DataType
from fraiseql.catalog.layout import Bracket, assigned_call, comment, docstring, laid_out, quoted
from fraiseql.catalog.naming import Names, constant_case, pascal_case, plural, singular, snake_case
from fraiseql.catalog.types import fit_of, spelling_of
from fraiseql.catalog.views import origins_of
from fraiseql.schema.scalars import SCALARS


@pytest.mark.parametrize(
    ("name", "snake", "pascal"),
    [
        ("users", "users", "Users"),
        ("created_at", "created_at", "CreatedAt"),
        ("createdAt", "created_at", "CreatedAt"),
        ("HTTPServer2Go", "http_server2_go", "HttpServer2Go"),
        ("My Table", "my_table", "MyTable"),
        ("1st", "x_1st", "X1st"),
        ("__x__", "x", "X"),
        ("a__b_", "a__b_", "AB"),
        ("Ünïcode", "unicode", "Unicode"),
        ("日本", "x", "X"),
        ("", "x", "X"),
    ],
)
def test_cases(name: str, snake: str, pascal: str) -> None:
    assert snake_case(name, "x") == snake
    assert pascal_case(name, "x") == pascal


@given(st.text(max_size=12))
def test_every_name_becomes_an_ascii_identifier_with_a_letter_first(text: str) -> None:
    for made in (snake_case(text, "x"), pascal_case(text, "x"), constant_case(text)):
        assert made.isidentifier()
        assert made.isascii()
        assert made[0].isalpha()


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("post", "posts"),
        ("address", "addresses"),
        ("category", "categories"),
        ("day", "days"),
        ("box", "boxes"),
        ("status", "statuses"),
        ("person", "people"),
        ("house", "houses"),
        ("order_line", "order_lines"),
        ("analysis", "analyses"),
        ("news", "news"),
        ("church", "churches"),
    ],
)
def test_numbers(one: str, many: str) -> None:
    assert (plural(one), singular(many)) == (many, one)
    assert (plural(many), singular(one)) == (many, one)


def test_each_name_is_given_once_in_python_and_in_camel_case() -> None:
    names = Names({"class"})
    given = [names.give(*each) for each in (["a_b"], ["aB"], ["class"], ["class_"], ["x", "y"], ["x", "y"], ["x", "y"])]
    assert given == ["a_b", "aB_2", "class_", "class__2", "x", "y", "y_2"]


@given(st.text(max_size=30))
def test_a_text_is_a_literal_of_itself(text: str) -> None:
    shown = quoted(text)
    assert ast.literal_eval(shown) == text
    assert "\n" not in shown


@given(st.text(alphabet=st.sampled_from("ab \n\t\"'\\é\u2028"), max_size=12))
def test_a_docstring_means_its_text(text: str) -> None:
    from inspect import getdoc

    lines = docstring(text)
    if lines is not None:
        namespace: dict[str, type] = {}
        exec("\n".join(["class C:", *lines]), namespace)
        assert getdoc(namespace["C"]) == text


@given(st.text(max_size=12))
def test_a_comment_is_one_line(text: str) -> None:
    ast.parse(comment(text))
    assert len(comment(text).splitlines()) == 1


_WORDS = st.integers(1, 40).map(lambda length: "w" * length)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(_WORDS, st.lists(_WORDS, min_size=1, max_size=5)), min_size=10, max_size=20))
def test_calls_are_laid_out_as_ruff_would(calls: list[tuple[str, list[str]]]) -> None:
    lines = ["class C:"]
    for name, arguments in calls:
        pairs = Bracket("on={", [f'"{each}": "{each}"' for each in arguments], "}", literal=True)
        lines += assigned_call(f"{name}: list[int]", Bracket("f.relation(", [pairs], ")"), "    ")
        texts = [f'a{index}="{each}"' for index, each in enumerate(arguments)]
        lines += assigned_call(f"{name}: int", Bracket("f.field(", texts, ")"), "    ")
    for name, arguments in calls:
        parameters = [f"{each}{index}: f.ID" for index, each in enumerate(arguments)]
        lines += ["", "", *laid_out("", Bracket(f"def {name}(", parameters, ") -> C | None: ..."))]
    text = "\n".join(lines) + "\n"
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("constraints", "allowed"),
    [
        (["CHECK ((s = ANY (ARRAY['a'::text, 'it''s'::text])))"], {"a", "it's"}),
        (["CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))"], {"a", "b"}),
        (["CHECK ((VALUE = ANY (ARRAY['a'::text, 'b'::text])))"], {"a", "b"}),
        (["CHECK ((\"My col\" = 'a'::text))"], {"a"}),
        (["CHECK ((s = ANY (ARRAY['a'::text, 'b'::text])))", "CHECK ((s = 'b'::text))"], {"b"}),
        (["CHECK ((length(s) > 1))", "CHECK ((s = 'b'::text))"], {"b"}),
        (["CHECK ((length(s) > 1))"], None),
        (["CHECK ((s <> 'a'::text))"], None),
        (["CHECK (((s = 'a'::text) OR (n > 1)))"], None),
        (["CHECK (((s = 'a'::text) AND (s = 'b'::text)))"], None),
        (["CHECK ((lower(s) = 'a'::text))"], None),
        (["CHECK ((s = ANY (ARRAY[E'\\\\'::text])))"], None),
        ([], None),
    ],
)
def test_allowed_values(constraints: list[str], allowed: set[str] | None) -> None:
    assert allowed_values(constraints) == allowed


@pytest.mark.parametrize("text", ["", "(", ")", "{}", "({QUERY})", "({QUERY :hasAggs false})", "nonsense } {"])
def test_a_definition_of_an_unknown_form_tells_nothing(text: str) -> None:
    assert origins_of(text) == {}


@given(st.text(alphabet="(){}: \\a<>", max_size=30))
def test_no_definition_raises(text: str) -> None:
    assert origins_of(text) == {}


def base(name: str) -> DataType:
    return DataType("pg_catalog", name, "b")


@pytest.mark.parametrize(
    "name",
    [
        *("text", "varchar", "bpchar", "citext", "name", "int2", "int4", "int8", "float4", "float8", "numeric", "bool"),
        *("uuid", "date", "time", "timestamp", "timestamptz", "json", "jsonb"),
        *("interval", "bytea", "inet", "cidr", "macaddr", "ltree", "tsvector"),
    ],
)
def test_what_introspect_declares_the_check_accepts(name: str) -> None:
    for identifies in (False, True):
        spelling = spelling_of(base(name), identifies=identifies)
        assert spelling is not None
        fit = fit_of(SCALARS[spelling.scalar], base(name))
        assert fit == (True, None)


@pytest.mark.parametrize("name", ["int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"])
def test_ranges_are_declared_and_accepted(name: str) -> None:
    found = DataType("pg_catalog", name, "r")
    spelling = spelling_of(found)
    assert spelling is not None
    assert fit_of(SCALARS[spelling.scalar], found) == (True, None)


@pytest.mark.parametrize("name", ["money", "point", "xml", "bit", "timetz"])
def test_what_no_scalar_reads_is_not_declared(name: str) -> None:
    assert spelling_of(base(name)) is None
    assert not fit_of(SCALARS["String"], base(name)).fits
    assert fit_of(SCALARS["JSON"], base(name)).fits

"""What bounds a request, at the limit and one beyond it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from graphql import build_client_schema, get_introspection_query

from fraiseql.cli.demo.schema import schema
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import Outcome, Pipeline


def _tokens(count: int) -> str:
    """A valid document of that many tokens."""
    return "{ users {" + " id" * (count - 5) + " } }"


def _nested(count: int) -> str:
    """`posts` and `author` by turns, `count` fields deep."""
    names = ["users", *(("posts", "author")[level % 2] for level in range(count - 2)), "id"]
    return "{ " + " { ".join(names) + " }" * count


def _doubled(levels: int) -> str:
    """Each fragment asks twice for the next: 2 ** levels fields and more."""
    fragments = []
    for level in range(levels):
        inner = f"...F{level + 1}" if level + 1 < levels else "id"
        name, child = (("User", "posts"), ("Post", "author"))[level % 2]
        fragments.append(f"fragment F{level} on {name} {{ a: {child} {{ {inner} }} b: {child} {{ {inner} }} }}")
    return "\n".join(["{ users { ...F0 } }", *fragments])


def _fields(count: int) -> str:
    return f"{{ users {{ {' '.join(f'f{number}: id' for number in range(count - 1))} }} }}"


def _roots(count: int) -> str:
    return "{ " + " ".join(f"f{number}: user(id: {number}) {{ id }}" for number in range(count)) + " }"


def _filters(count: int) -> str:
    return "{ users(where: {OR: [" + "{id: {eq: 1}}" * count + "]}) { id } }"


def _null_filters(count: int) -> str:
    return "{ users(where: {AND: [" + "{id: {eq: null}}" * count + "]}) { id } }"


def _empty_filters(count: int) -> str:
    """None of these has a parameter."""
    several = ["{}", "{AND: []}", "{OR: []}", "{NOT: {}}", "{OR: [{}]}"] * count
    return f"{{ users(where: {{OR: [{' '.join(several[:count])}]}}) {{ id }} }}"


def _filters_and_pages(count: int) -> str:
    """A page's limits are no conditions."""
    return f"{{ users(limit: 1, offset: 1, where: {{OR: [{'{id: {eq: 1}}' * count}]}}) {{ id }} }}"


def _relation_filters(count: int) -> str:
    return f"{{ users(where: {{AND: [{'{posts: {some: {}}} ' * count}]}}) {{ id }} }}"


def _nested_filters(depth: int) -> str:
    """Posts and their authors by turns, `depth` relations deep."""
    pairs, odd = divmod(depth, 2)
    inner = "{posts: {every: {id: {eq: 1}}}}" if odd else "{}"
    return f"{{ users(where: {'{posts: {none: {author: ' * pairs}{inner}{'}}}' * pairs}) {{ id }} }}"


_CASES: list[tuple[str, QueryLimits, Callable[[int], str], int, str]] = [
    ("tokens", QueryLimits(max_tokens=50), _tokens, 50, "more than 50 tokens"),
    ("depth", QueryLimits(max_depth=5), _nested, 5, "deeper than the limit of 5"),
    ("depth by default", QueryLimits(), _nested, 16, "deeper than the limit of 16"),
    ("root fields", QueryLimits(max_root_fields=7), _roots, 7, "8 root fields; the limit is 7"),
    ("root fields by default", QueryLimits(), _roots, 50, "51 root fields; the limit is 50"),
    ("fields", QueryLimits(max_fields=20), _fields, 20, "more than 20 fields"),
    ("conditions", QueryLimits(max_conditions=9), _filters, 9, "more than 9 conditions"),
    ("conditions of null", QueryLimits(max_conditions=9), _null_filters, 9, "more than 9 conditions"),
    ("empty conditions", QueryLimits(max_conditions=9), _empty_filters, 9, "more than 9 conditions"),
    ("conditions across relations", QueryLimits(max_conditions=9), _relation_filters, 9, "more than 9 conditions"),
    ("relations in conditions", QueryLimits(max_depth=6), _nested_filters, 6, "deeper than the limit of 6"),
    ("conditions beside pages", QueryLimits(max_conditions=9), _filters_and_pages, 9, "more than 9 conditions"),
]


@pytest.mark.parametrize(
    ("limits", "make", "limit", "message"), [case[1:] for case in _CASES], ids=[case[0] for case in _CASES]
)
def test_limit(execute_with: Any, limits: QueryLimits, make: Callable[[int], str], limit: int, message: str) -> None:
    pipeline = Pipeline(schema, limits)
    assert execute_with(pipeline, make(limit)).outcome is Outcome.DATA
    for _ in range(2):
        refused = execute_with(pipeline, make(limit + 1))
        assert refused.outcome is Outcome.NOT_VALID
        assert refused.error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
        assert message in refused.error["message"]
        assert not refused.fetches


def test_fragments_that_double(execute: Any) -> None:
    assert execute(_doubled(5)).outcome is Outcome.DATA
    refused = execute(_doubled(13))
    assert refused.error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "more than 1000 fields, fragments expanded" in refused.error["message"]


def test_fields_that_take_too_long_to_compare(execute: Any) -> None:
    execution = execute("{ users { " + "id " * 1_900 + "} }")
    assert execution.outcome is Outcome.NOT_VALID
    assert execution.brief == ("QUERY_TOO_COMPLEX", None)


def test_introspection_counts_but_may_nest(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(max_depth=2, max_fields=7))
    deep = "{ __schema { types { fields { type { ofType { ofType { name } } } } } } }"
    assert execute_with(pipeline, deep).outcome is Outcome.DATA
    assert execute_with(pipeline, deep.replace("name", "name kind")).outcome is Outcome.NOT_VALID


def test_typename_counts(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(max_fields=3))
    assert execute_with(pipeline, "{ a: __typename b: __typename c: __typename }").outcome is Outcome.DATA
    assert execute_with(pipeline, "{ a: __typename b: __typename c: __typename d: __typename }").error


def test_introspection_as_the_tools_ask_for_it(execute: Any) -> None:
    query = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert build_client_schema(execute(query).json["data"]).type_map["User"]


def test_introspection_that_multiplies(execute: Any) -> None:
    """A short document whose answer would have a thousand million names."""

    def many(template: str) -> str:
        return " ".join(template.format(f"f{number}") for number in range(100))

    execution = execute(
        f"{{ __schema {{ {many('{}: types {{ ...F }}')} }} }}"
        f" fragment F on __Type {{ {many('{}: fields {{ ...G }}')} }} fragment G on __Field {{ {many('{}: name')} }}"
    )
    assert execution.error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "more than 1000 fields" in execution.error["message"]


@pytest.mark.parametrize("levels", [20, 50, 100, 150, 200, 300, 450])
@pytest.mark.parametrize(
    ("before", "opened", "innermost", "closed", "after"),
    [
        ("{ users(where: ", "{NOT: ", "{}", "}", ") { id } }"),
        ("{ users(where: ", "{AND: [", "{}", "]}", ") { id } }"),
        ("{ users(where: {id: {in: ", "[", '"1"', "]", "}}) { id } }"),
        ("{ users(where: {birthday: {eq: ", "{a: ", "1", "}", "}}) { id } }"),
        ("{ users(where: {birthday: {eq: ", "[", "1", "]", "}}) { id } }"),
        ("query ($v: UserWhereInput = ", "{OR: ", "{}", "}", ") { users(where: $v) { id } }"),
        ("query ($v: [ID!] = ", "[", '"1"', "]", ") { users(where: {id: {in: $v}}) { id } }"),
        ("query ($v: ", "[", "ID", "]", ") { users { id } }"),
        ("{ users { ", "... { ", "id", " }", " } }"),
        ("{ users { ", "address { ", "id", " }", " } }"),
        ("{ users { ", "posts { author { ", "id", " } }", " } }"),
        ("{ __schema { types { ", "fields { type { ", "name", " } }", " } } }"),
    ],
)
def test_deep_documents_are_answered_or_refused(
    execute: Any, before: str, opened: str, innermost: str, closed: str, after: str, levels: int
) -> None:
    """Whatever nests, and however deep: an answer or an error, no exception."""
    execution = execute(f"{before}{opened * levels}{innermost}{closed * levels}{after}")
    assert execution.outcome in (Outcome.DATA, Outcome.NOT_VALID, Outcome.VARIABLES_INVALID)
    assert execution.outcome is Outcome.DATA or execution.json["errors"]


@pytest.mark.parametrize("levels", [10, 100, 300, 900])
@pytest.mark.parametrize("key", ["NOT", "AND", "OR"])
def test_deep_variables_are_answered_or_refused(execute: Any, key: str, levels: int) -> None:
    """Transports bound how deep variables nest; a caller in Python may not have."""
    where: dict[str, Any] = {}
    for _ in range(levels):
        where = {key: where}
    execution = execute("query ($w: UserWhereInput) { users(where: $w) { id } }", {"w": where})
    if execution.outcome is not Outcome.DATA:
        assert execution.error["extensions"]["code"] in ("QUERY_TOO_COMPLEX", "BAD_USER_INPUT")


def test_page_sizes_of_the_limits(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(default_page_size=7, max_page_size=9))
    assert " limit 7)" in pipeline.explain("{ users { id } }").sql
    assert pipeline.explain("{ users(limit: null) { id } }").parameters == ("7",)
    assert pipeline.explain("{ users(limit: 9) { id } }").parameters == ("9",)
    assert "between 0 and 9; it is 10" in execute_with(pipeline, "{ users(limit: 10) { id } }").error["message"]

"""What bounds a request, at the limit and one beyond it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from graphql import build_client_schema, get_introspection_query

from fraiseql.cli.demo.schema import schema
from fraiseql.effects import Join
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline
from pipeline import stepping


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


def _repeated(levels: int) -> str:
    """Each fragment spreads the next twice, and selects nothing else: one field."""
    fragments = [f"fragment F{level} on User {{ ...F{level + 1} ...F{level + 1} }}" for level in range(levels)]
    return "\n".join(["{ users { ...F0 } }", *fragments, f"fragment F{levels} on User {{ id }}"])


def _fields(count: int) -> str:
    return f"{{ users {{ {' '.join(f'f{number}: id' for number in range(count - 1))} }} }}"


def _roots(count: int) -> str:
    return "{ " + " ".join(f"f{number}: user(id: {number}) {{ id }}" for number in range(count)) + " }"


def _aliases(count: int) -> str:
    """Each of them at two places, by a fragment; no alias, and one that is the name."""
    names = " ".join(f"a{number}: id" for number in range(count // 2 - 1))
    rest = "b: id" * (count % 2)
    roots = f"a: users {{ name id: id ...F }} b: posts {{ author {{ ...F }} {rest} }}"
    return f"{{ {roots} }} fragment F on User {{ {names} }}"


def _page(size: int) -> str:
    return f"{{ users(limit: {size}) {{ id posts(limit: 10) {{ id title }} }} user(id: 1) {{ address {{ city }} }} }}"


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
    ("tokens", QueryLimits(max_tokens=50), _tokens, 50, "at least 51 tokens; the limit is 50"),
    ("depth", QueryLimits(max_depth=5), _nested, 5, "at least 6 levels of fields; the limit is 5"),
    ("depth by default", QueryLimits(max_cost=10**18), _nested, 16, "at least 17 levels of fields; the limit is 16"),
    ("root fields", QueryLimits(max_root_fields=7), _roots, 7, "8 root fields; the limit is 7"),
    ("root fields by default", QueryLimits(), _roots, 50, "51 root fields; the limit is 50"),
    ("fields", QueryLimits(max_fields=20), _fields, 20, "at least 21 fields, fragments expanded; the limit is 20"),
    ("aliases", QueryLimits(max_aliases=20), _aliases, 20, "21 aliases; the limit is 20"),
    ("aliases by default", QueryLimits(), _aliases, 250, "251 aliases; the limit is 250"),
    (
        "cost",
        QueryLimits(max_cost=4 + 8 * 22),
        _page,
        8,
        "a cost of 202, its fields times their pages; the limit is 180",
    ),
    ("conditions", QueryLimits(max_conditions=9), _filters, 9, "at least 10 conditions; the limit is 9"),
    ("conditions of null", QueryLimits(max_conditions=9), _null_filters, 9, "at least 10 conditions; the limit is 9"),
    ("empty conditions", QueryLimits(max_conditions=9), _empty_filters, 9, "at least 10 conditions; the limit is 9"),
    (
        "conditions across relations",
        QueryLimits(max_conditions=9),
        _relation_filters,
        9,
        "at least 10 conditions; the limit is 9",
    ),
    (
        "relations in conditions",
        QueryLimits(max_depth=6),
        _nested_filters,
        6,
        "at least 7 levels of relations; the limit is 6",
    ),
    (
        "conditions beside pages",
        QueryLimits(max_conditions=9),
        _filters_and_pages,
        9,
        "at least 10 conditions; the limit is 9",
    ),
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


def test_fragments_that_double(execute: Any, execute_with: Any) -> None:
    assert execute_with(Pipeline(schema, QueryLimits(max_cost=10**10)), _doubled(5)).outcome is Outcome.DATA
    refused = execute(_doubled(13))
    assert refused.error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert "at least 1001 fields, fragments expanded; the limit is 1000" in refused.error["message"]


def test_fields_that_take_too_long_to_compare(execute: Any) -> None:
    execution = execute("{ users { " + "id " * 1_900 + "} }")
    assert execution.outcome is Outcome.NOT_VALID
    assert execution.brief == ("QUERY_TOO_COMPLEX", None)
    assert "takes at least 500001 steps; the limit is 500000." in execution.error["message"]


def test_what_nests_deeper_than_the_stack_is_told_by_its_levels(execute: Any) -> None:
    where: dict[str, Any] = {}
    for _ in range(2_000):
        where = {"NOT": where}
    document = "{ users(where: {id: {in: " + "[" * 900 + '"]]" # ]]\n' + "]" * 900 + "}}) { id } }"
    for query, variables, levels in [
        (document, {}, 904),
        ("query ($w: UserWhereInput) { users(where: $w) { id } }", {"w": where}, 2_002),
    ]:
        execution = execute(query, variables)
        assert execution.brief == ("QUERY_TOO_COMPLEX", None)
        assert f"nests {levels} levels deep" in execution.error["message"]
        assert "the limit of" in execution.error["message"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{" + "posts{author{" * 200 + "id" + "}}" * 200 + "}", "The query has 401 levels of fields; the limit is 16."),
        (
            "query($w:[PostWhereInput!]=[{AND:[{}]}])"
            '{...{...@include(if:true){posts(where:{title:{eq:"{"}}){...on Post{author'
            + "{posts{author" * 200
            + "{id}"
            + "}}" * 200
            + "}}}}}",
            "The query has 403 levels of fields; the limit is 16.",
        ),
        ("{posts" + "{...on Post" * 500 + "{id}" + "}" * 500 + "}", "nests 502 levels deep, too deep for the limit of"),
    ],
)
def test_documents_that_nest_deeper_than_the_stack(execute: Any, document: str, message: str) -> None:
    execution = execute(document)
    assert execution.brief == ("QUERY_TOO_COMPLEX", None)
    assert message in execution.error["message"]


def test_introspection_of_lists_in_lists_is_bounded(execute: Any) -> None:
    below = "name"
    for _ in range(3):
        below = f"fields {{ type {{ {below} }} }}"
    execution = execute(f"{{ a: __schema {{ types {{ {below} }} }} }}")
    assert execution.outcome is Outcome.NOT_VALID
    assert execution.brief == ("QUERY_TOO_COMPLEX", ["a"])
    assert "at least 3 lists" in execution.error["message"]
    assert "the limit is 2." in execution.error["message"]


_PAGES = "query ($a: Int, $b: Int = 5) { users(limit: $a) { posts(limit: $b) { id } } }"


@pytest.mark.parametrize(
    ("variables", "cost"),
    [
        ({"a": 10}, 61),  # 1 + 10 * (1 + 5 * 1)
        ({"a": 16}, 97),
        ({"a": 17}, 103),
        ({"a": 10, "b": 9}, 101),
        ({"a": 10, "b": 8}, 91),
        ({"a": 0, "b": 1_000}, 1),
        ({"a": None, "b": 0}, 101),  # the default page size
        ({"a": 49, "b": 1}, 99),
        ({"b": None}, 10_101),
    ],
)
def test_cost_with_variables(execute_with: Any, variables: dict[str, Any], cost: int) -> None:
    """Warm as cold; the statement is the same for those that are refused."""
    pipeline = Pipeline(schema, QueryLimits(max_cost=100))
    for _ in range(2):
        execution = execute_with(pipeline, _PAGES, variables)
        if cost <= 100:
            assert execution.outcome is Outcome.DATA
            continue
        assert execution.outcome is Outcome.NOT_VALID
        assert execution.error["extensions"]["code"] == "QUERY_TOO_COMPLEX"
        assert f"a cost of {cost}, its fields times their pages; the limit is 100." in execution.error["message"]
        assert not execution.fetches


def test_a_page_out_of_range_is_told_before_its_cost(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(max_cost=100))
    for limit in (1_001, -1):
        assert execute_with(pipeline, _PAGES, {"a": limit}).error["extensions"]["code"] == "BAD_USER_INPUT"


def test_cost_by_default(execute: Any) -> None:
    """Three lists of the default page size inside each other, nine fields of the innermost; a fourth is too many."""
    leaves = " ".join(f"f{number}: id" for number in range(9))
    assert execute(f"{{ users {{ posts {{ comments {{ {leaves} }} }} }} }}").outcome is Outcome.DATA
    refused = execute("{ users { posts { author { posts { comments { id } } } } } }")
    assert refused.error["extensions"]["code"] == "QUERY_TOO_COMPLEX"


def test_what_costs_too_much_as_it_is_written(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(max_cost=100))
    for _ in range(2):
        execution = execute_with(pipeline, "{ users(limit: 17) { posts(limit: 5) { id } } }")
        assert "a cost of 103" in execution.error["message"]
        assert execute_with(pipeline, "{ users(limit: 16) { posts(limit: 5) { id } } }").outcome is Outcome.DATA


def test_introspection_costs_nothing(execute_with: Any) -> None:
    pipeline = Pipeline(schema, QueryLimits(max_cost=3))
    query = "{ __schema { types { name kind fields { name } } } user(id: 1) { id name } }"
    assert execute_with(pipeline, query, answers=((b"null",),)).outcome is Outcome.DATA


def test_fragments_in_a_circle(execute: Any) -> None:
    execution = execute(
        "{ users { ...A } } fragment A on User { posts { ...B } } fragment B on Post { author { ...A } }"
    )
    assert execution.error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert "itself" in execution.error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "subscription ($n: Int) { liveUsers(limit: $n) { id posts { id } } }",
        "subscription ($n: Int) { liveUser(id: 1) { posts(limit: $n) { author { posts(limit: 5) { id title } } } } }",
        "subscription ($n: Int) { postCreated { author { posts(limit: $n) { author { posts(limit: 6) { id } } } } } }",
        "subscription ($n: Int) { postChanged { author { posts(limit: $n) { author { posts(limit: 6) { id } } } } } }",
        "subscription ($n: Int) { somebody { posts(limit: $n) { title author { posts(limit: 6) { id } } } } }",
    ],
)
def test_cost_of_a_subscription(query: str) -> None:
    """Before anything is joined; that of an event or of a generator's value is of one result."""
    pipeline = Pipeline(stepping.schema, QueryLimits(max_cost=100, default_page_size=8))
    for size, refused in [(8, False), (1_000, True), (7, False)]:
        program = pipeline.operate(GraphQLRequest(query, None, {"n": size}), "r")
        if not refused:
            assert isinstance(next(program), Join)
            continue
        with pytest.raises(StopIteration) as stopped:
            next(program)
        (error,) = json.loads(stopped.value.value.body)["errors"]
        assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"


def test_aliases_of_a_subscription() -> None:
    pipeline = Pipeline(stepping.schema, QueryLimits(max_aliases=1))
    program = pipeline.operate(GraphQLRequest("subscription { a: liveUsers { b: id } }"), "r")
    with pytest.raises(StopIteration) as stopped:
        next(program)
    assert "2 aliases; the limit is 1" in stopped.value.value.body.decode()


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
    assert "at least 1001 fields" in execution.error["message"]


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


def test_a_fragment_is_read_once_for_each_object(pipeline: Pipeline) -> None:
    """Or 60 levels would take longer than the universe has been."""
    assert '."id"' in pipeline.explain(_repeated(60)).sql

"""The caller in programs: what goes with each statement, what is shared, and what is refused before any SQL."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

import fraiseql
from fraiseql import ID, Caller, DatabaseContext, RequestError, Setting
from fraiseql.effects import Begin, Emit, Event, Fetch, Join, Open
from fraiseql.errors import DatabaseError, ErrorPlace
from fraiseql.pipeline import GraphQLRequest, Outcome, Pipeline, Refusal
from fraiseql.schema import subscription
from pipeline.stepping import Run, request


@fraiseql.type(sql_source="posts", jsonb_column=None)
class Post:
    id: ID
    title: str
    size: int
    comments: list[Comment] = fraiseql.relation(on={"post_id": "id"})


@fraiseql.type(sql_source="v_comment")
class Comment:
    id: ID
    body: str


@fraiseql.query
def posts() -> list[Post]: ...


@subscription(topic="post.created")
def post_created(title: str | None) -> Post | None: ...


@subscription(topic="post.created", trust_payload=True)
def post_told() -> Post: ...


@subscription(topic="comment.created")
def comment_created() -> Comment: ...


@subscription
def live_posts() -> list[Post]: ...


@subscription
async def chosen_posts() -> AsyncIterator[Post]:
    yield  # type: ignore[misc]


@subscription
async def numbers() -> AsyncIterator[int]:
    yield 1


fraiseql.crud(Post, delete=True)


def made_with(context: DatabaseContext | None) -> Pipeline:
    functions = [post_created, post_told, comment_created, live_posts, chosen_posts, numbers]
    return Pipeline(fraiseql.Schema(queries=[posts], subscriptions=functions, database_context=context))


PIPELINE = made_with(
    DatabaseContext(
        {"app.tenant": "tenant_id", "app.locale": Setting("context.locale", required=False)}, "roles", ("app_user",)
    )
)
USER = frozenset({"app_user"})
ADA = Caller("ada", "acme", {"locale": "en"}, USER)
GRACE = Caller("grace", "globex", {"locale": "en"}, USER)
ACME = ((b"app.tenant", b"acme"), (b"app.locale", b"en"), (b"role", b"app_user"))
MISFIT = DatabaseError("invalid input", sqlstate="22P02")
ROWS = (b'[{"id":"1","title":"t","size":1}]',)


def fetched(run: Run) -> Fetch:
    assert isinstance(run.effect, Fetch), run.effect
    return run.effect


def joined(query: str, caller: Caller, of: Pipeline = PIPELINE) -> Any:
    effect = next(of.operate(request(query), "r", caller))
    assert isinstance(effect, Join)
    return effect.stream


@pytest.mark.parametrize("method", [PIPELINE.execute, PIPELINE.operate])
def test_settings_go_with_the_statement(method: Any) -> None:
    run = Run(method(request("{ posts { id } }"), "r", ADA))
    assert fetched(run).settings == ACME
    run.send((b"[]",))
    assert run.result.outcome is Outcome.DATA


def test_without_a_database_context_nothing_is_told() -> None:
    run = Run(made_with(None).execute(request("{ posts { id } }"), "r", ADA))
    assert fetched(run).settings == ()


def test_settings_go_with_the_checking_statement() -> None:
    run = Run(PIPELINE.execute(request("{ posts { size } }"), "r", ADA))
    first = fetched(run)
    run.throw(MISFIT)
    assert fetched(run).statement != first.statement
    assert fetched(run).settings == ACME


def test_one_statement_serves_all_callers() -> None:
    """No SQL depends on who asks: statements are kept, and prepared, by the document alone."""
    one, other = (fetched(Run(PIPELINE.execute(request("{ posts { title } }"), "r", each))) for each in (ADA, GRACE))
    assert one.statement is other.statement
    assert one.parameters == other.parameters
    assert one.settings != other.settings
    assert b"acme" not in one.statement.sql


def test_settings_go_with_mutations() -> None:
    run = Run(PIPELINE.execute(request("mutation { deletePost(id: 1) { id } }"), "r", ADA))
    assert isinstance(run.effect, Begin)
    run.send("transaction")
    assert fetched(run).settings == ACME


QUERIES = ["{ posts { id } }", "mutation { deletePost(id: 1) { id } }"]
STREAMS = ["postCreated { id }", "postTold { id }", "livePosts { id }", "chosenPosts { comments { body } }"]
DOCUMENTS = [*QUERIES, *(f"subscription {{ {field} }}" for field in STREAMS)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_missing_is_told_before_any_sql(document: str) -> None:
    run = Run(PIPELINE.operate(request(document), "r", Caller("ada", roles=USER)))
    assert run.effect is None
    assert run.result.outcome is Outcome.CALLER_REFUSED
    assert run.errors == [
        {"message": "The request has no value for 'app.tenant'.", "extensions": {"code": "CONTEXT_MISSING"}}
    ]


@pytest.mark.parametrize("document", ["{ __typename }", "{ __schema { queryType { name } } }"])
def test_what_needs_no_sql_needs_no_caller(document: str) -> None:
    assert Run(PIPELINE.execute(request(document), "r")).result.outcome is Outcome.DATA


def test_a_stream_that_needs_no_sql_needs_no_caller() -> None:
    assert isinstance(Run(PIPELINE.operate(request("subscription { numbers }"), "r")).effect, Join)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_an_error_of_the_users_function_is_masked(document: str) -> None:
    secret = ValueError("a secret")

    def fails(caller: Caller) -> str:
        raise secret

    run = Run(made_with(DatabaseContext({"app.tenant": fails})).operate(request(document), "request-1", ADA))
    assert (run.effect, run.result.outcome, run.result.cause) == (None, Outcome.FAILED, secret)
    (error,) = run.errors
    assert error["message"] == "Internal server error."
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-1"}


MISSING = DatabaseError("said with SQL", sqlstate="QLC01", place=ErrorPlace(column="app.other"))
TOLD = "The request has no value for 'app.other'."


@pytest.mark.parametrize("document", QUERIES)
def test_a_setting_that_a_policy_misses_is_told(document: str) -> None:
    run = Run(PIPELINE.execute(request(document), "r", ADA))
    while not isinstance(run.effect, Fetch):
        run.send("transaction")
    run.throw(MISSING)
    while run.effect is not None:
        run.send()
    (error,) = run.errors
    assert (error["message"], error["extensions"]["code"]) == (TOLD, "CONTEXT_MISSING")
    assert "SQL" not in run.result.body.decode()
    assert str(run.result.cause).startswith("a value was refused: said with SQL"), "the log has it"


def test_a_setting_that_a_live_query_misses_is_told() -> None:
    run = Run(joined("subscription { livePosts { id } }", ADA).begin())
    assert isinstance(run.effect, Open)
    run.send("handle")
    run.throw(MISSING)
    (error,) = run.errors
    assert (error["message"], error["extensions"]["code"]) == (TOLD, "CONTEXT_MISSING")


# Streams


@pytest.mark.parametrize("field", STREAMS[:3])
def test_streams_are_shared_by_those_who_are_told_the_same(field: str) -> None:
    document = f"subscription {{ {field} }}"
    key = joined(document, ADA).key
    assert key == joined(document, Caller("alan", "acme", {"locale": "en"}, USER)).key
    for other in (GRACE, Caller("ada", "acme", {"locale": "fr"}, USER), Caller("ada", "acme", None, USER)):
        assert key != joined(document, other).key


def test_streams_of_other_roles_are_not_shared() -> None:
    pipeline = made_with(DatabaseContext(role="roles", roles=("app_user", "app_admin")))
    document = "subscription { livePosts { id } }"
    keys = {
        joined(document, Caller("ada", "acme", None, frozenset({role})), pipeline).key
        for role in ("app_user", "app_admin")
    }
    assert len(keys) == 2


def test_settings_go_with_a_live_query() -> None:
    run = Run(joined("subscription { livePosts { size } }", ADA).begin())
    run.send("handle")
    assert fetched(run).settings == ACME
    run.throw(MISFIT)
    assert fetched(run).settings == ACME, "and with its checking statement"


def test_settings_go_with_events() -> None:
    run = Run(joined("subscription { postCreated { title } }", ADA).begin())
    run.send("handle")
    run.send([Event("post.created", {"id": 1, "title": "of the payload"})])
    assert fetched(run).settings == ACME
    # The row is read, which policies decide about; no column of the payload is shown.
    assert b'from "posts"' in fetched(run).statement.sql


def test_a_trusted_payload_is_shown_as_it_is() -> None:
    run = Run(joined("subscription { postTold { title } }", ADA).begin())
    run.send("handle")
    run.send([Event("post.created", {"id": 1, "title": "of the payload"})])
    assert b'from "posts"' not in fetched(run).statement.sql


def test_a_document_is_read_by_the_column_of_its_source() -> None:
    run = Run(joined("subscription { commentCreated { body } }", ADA).begin())
    run.send("handle")
    run.send([Event("comment.created", {"id": 1})])
    assert b'from "v_comment"' in fetched(run).statement.sql


@pytest.mark.parametrize(
    ("event", "is_told"),
    [
        (Event("post.created", {"id": 1}), False),
        (Event("post.created", {"id": 1}, tenant="acme"), True),
        (Event("post.created", {"id": 1}, user="ada"), True),
    ],
)
def test_that_a_row_is_gone_is_told_to_those_whose_it_was(event: Event, is_told: bool) -> None:
    run = Run(joined("subscription { postCreated { title } }", ADA).begin())
    run.send("handle")
    run.send([event])
    run.send((json.dumps(["null"]).encode(),))
    assert isinstance(run.effect, Emit) is is_told


def test_settings_go_with_the_relations_of_what_a_resolver_yields() -> None:
    run = Run(joined("subscription { chosenPosts { comments { body } } }", ADA).begin())
    run.send("handle")
    run.send({"id": "1"})
    assert fetched(run).settings == ACME


def test_an_event_subscription_needs_a_row_to_read() -> None:
    @fraiseql.type(sql_source="moods", jsonb_column=None)
    class Mood:
        name: str

    def mood_changed() -> Mood: ...

    mood_changed.__annotations__["return"] = Mood
    for options, wrong in (({}, True), ({"by": "name"}, False), ({"trust_payload": True}, False)):
        functions = [subscription(topic="mood", **options)(mood_changed)]  # type: ignore[call-overload]
        if wrong:
            with pytest.raises(fraiseql.SchemaError, match=r"moodChanged.*by=.*trust_payload=True"):
                fraiseql.Schema(queries=[posts], subscriptions=functions, database_context=DatabaseContext())
        else:
            fraiseql.Schema(queries=[posts], subscriptions=functions, database_context=DatabaseContext())
        fraiseql.Schema(queries=[posts], subscriptions=functions)


@pytest.mark.parametrize("options", [{}, {"topic": "t", "by": "id"}])
def test_only_a_payload_can_be_trusted(options: dict[str, str]) -> None:
    def changed() -> Post: ...

    with pytest.raises(fraiseql.SchemaError, match="trust_payload"):
        fraiseql.Schema(queries=[posts], subscriptions=[subscription(**options, trust_payload=True)(changed)])  # type: ignore[call-overload]


# Explanations and methods


def test_an_explanation_says_what_is_told() -> None:
    explanation = PIPELINE.explain("{ posts { id } }", caller=ADA)
    assert explanation.settings == (("app.tenant", "acme"), ("app.locale", "en"), ("role", "app_user"))
    assert PIPELINE.explain("{ posts { id } }").settings == ()
    assert PIPELINE.explain("{ __typename }", caller=ADA).settings == ()
    with pytest.raises(Refusal, match=r"app\.tenant"):
        PIPELINE.explain("{ posts { id } }", caller=Caller())


@pytest.mark.parametrize("method", [PIPELINE.execute, PIPELINE.operate])
def test_a_mutation_is_refused_where_only_reading_is_allowed(method: Any) -> None:
    document = "query Q { posts { id } } mutation M { deletePost(id: 1) { id } }"
    run = Run(method(GraphQLRequest(document, "M", read_only=True), "r", ADA))
    assert (run.effect, run.result.outcome) == (None, Outcome.METHOD_NOT_ALLOWED)
    assert [error["extensions"]["code"] for error in run.errors] == ["METHOD_NOT_ALLOWED"]
    assert isinstance(Run(method(GraphQLRequest(document, "Q", read_only=True), "r", ADA)).effect, Fetch)
    assert isinstance(Run(method(GraphQLRequest(document, "M"), "r", ADA)).effect, Begin)


def test_a_request_error_of_the_users_function_is_shown() -> None:
    def refuses(caller: Caller) -> str:
        raise RequestError("Choose a tenant.", code="NO_TENANT")

    run = Run(made_with(DatabaseContext({"app.tenant": refuses})).execute(request("{ posts { id } }"), "r", ADA))
    assert run.result.outcome is Outcome.CALLER_REFUSED
    assert run.errors == [{"message": "Choose a tenant.", "extensions": {"code": "NO_TENANT"}}]

"""Idempotency keys in a real PostgreSQL: who waits for whom, what is kept, and what goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from fraiseql.context import Caller
from fraiseql.errors import DatabaseError, ValueRefused
from fraiseql.limits import MutationLimits
from fraiseql.pipeline import Outcome
from fraiseql.pipeline.mutations.idempotency import IdempotencyKeys
from fraiseql.pipeline.mutations.idempotency_table import IdempotencyTable
from fraiseql.pipeline.response import Refusal
from pipeline.mutations_by_key import Session, asking

TABLE = IdempotencyTable("fraiseql_idempotency")
BODY = b'{"data":{"a":1}}'


@pytest.fixture
def url(database_url: str) -> str:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for _ in range(2):  # it can be run again
            connection.execute(TABLE.ddl().encode())
    return database_url


@pytest.fixture
def open_session(url: str) -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []

    def open_(**options: Any) -> Session:
        opened.append(Session(url, **options))
        return opened[-1]

    yield open_
    for session in opened:
        session.close()


@pytest.fixture
def session(open_session: Callable[..., Session]) -> Session:
    return open_session()


def keys(**limits: Any) -> IdempotencyKeys:
    return IdempotencyKeys(MutationLimits(**limits))


def claimed(session: Session, of: IdempotencyKeys, **request: Any) -> bytes | None:
    """What was kept for a request; where nothing was, it is answered and committed."""
    claim = session.run(of.claim(asking(**request), session.transaction))
    if claim.answer is None:
        session.run(of.keep(claim, BODY))
    session.commit()
    answer: bytes | None = claim.answer
    return answer


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        b"",
        '{"data":{"a":"\\u0000 é \U0001f600 \\\\ \\" \\ud800"}}'.encode(),
        b"[null, 1e400, -0.0]",
        bytes(range(256)),
        b'{"data":"' + b"x" * 3_000_000 + b'"}',
    ],
    ids=["plain", "empty", "escapes", "numbers", "all bytes", "large"],
)
def test_the_same_answer_byte_for_byte(session: Session, body: bytes) -> None:
    of = keys()
    claim = session.run(of.claim(asking(), session.transaction))
    assert claim.answer is None
    session.run(of.keep(claim, body))
    session.commit()
    for _ in range(2):
        assert session.run(of.claim(asking(), session.transaction)).answer == body
        session.rollback()


def test_a_transaction_that_is_rolled_back_leaves_no_key(session: Session) -> None:
    of = keys()
    claim = session.run(of.claim(asking(), session.transaction))
    session.run(of.keep(claim, BODY))
    session.rollback()
    assert claimed(session, of) is None
    assert claimed(session, of) == BODY


@pytest.mark.parametrize("commits", [True, False])
def test_who_comes_second_waits_for_the_first(
    open_session: Callable[..., Session], session: Session, commits: bool
) -> None:
    first, second, of = open_session(), open_session(), keys()
    claim = first.run(of.claim(asking(), first.transaction))
    answers: list[Any] = []

    def come_second() -> None:
        answers.append(second.run(of.claim(asking(), second.transaction)).answer)

    thread = threading.Thread(target=come_second)
    thread.start()
    try:
        while session.ask(f"select pg_blocking_pids({second.pid})") != [([first.pid],)]:
            session.rollback()
            assert thread.is_alive()
        first.run(of.keep(claim, BODY))
        assert answers == []
        if commits:
            first.commit()
        else:
            first.rollback()
    finally:
        thread.join(10)
    assert answers == [BODY if commits else None]


def test_an_isolated_transaction_that_meets_another_begins_again(open_session: Callable[..., Session]) -> None:
    first, second, of = open_session(), open_session(), keys()
    second.connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    second.ask("select 1")  # its snapshot
    assert claimed(first, of) is None
    with pytest.raises(DatabaseError) as caught:
        second.run(of.claim(asking(), second.transaction))
    assert caught.value.sqlstate == "40001"
    second.rollback()
    assert claimed(second, of) == BODY


@pytest.mark.parametrize(
    "other",
    [
        {"query": "mutation { b }"},
        {"variables": {"n": 1}},
        {"operation": "Other"},
    ],
)
def test_a_key_stands_for_one_request(session: Session, other: dict[str, Any]) -> None:
    of = keys()
    assert claimed(session, of) is None
    with pytest.raises(Refusal) as caught:
        claimed(session, of, **other)
    assert caught.value.outcome is Outcome.KEY_REUSED
    (error,) = caught.value.errors
    assert error.code == "IDEMPOTENCY_KEY_REUSED"
    session.rollback()
    assert claimed(session, of) == BODY


SAME = [
    ({"a": 1, "b": {"c": [1, 2], "d": None}}, {"b": {"d": None, "c": [1, 2]}, "a": 1}, True),
    ({"a": [1, 2]}, {"a": [2, 1]}, False),
    ({"a": None}, {}, False),
    ({"a": "1"}, {"a": 1}, False),
    ({"a": 1.5}, {"a": 1.5}, True),
    ({"a": 1}, {"a": True}, False),
    ({"a": "é"}, {"a": "é"}, True),
    ({"a": {1: 2, "b": 3}}, {"a": {1: 2, "b": 3}}, True),  # no JSON, as a program may give it
]


@pytest.mark.parametrize(("first", "second", "is_same"), SAME)
def test_which_variables_are_the_same(session: Session, first: Any, second: Any, is_same: bool) -> None:
    of = keys()
    assert claimed(session, of, variables=first) is None
    if is_same:
        assert claimed(session, of, variables=second) == BODY
    else:
        with pytest.raises(Refusal):
            claimed(session, of, variables=second)


def test_every_digit_of_a_variable_counts(session: Session) -> None:
    of = keys()
    texts = [b'{"variables": {"a": 0.1}}', b'{"variables": {"a": 0.1000000000000000055}}']
    given = [{"variables": {"a": 0.1}, "written": (text, ("variables",))} for text in texts]
    assert claimed(session, of, **given[0]) is None
    with pytest.raises(Refusal):
        claimed(session, of, **given[1])


OTHERS = [
    {"caller": Caller(user_id="b", tenant_id="t")},
    {"caller": Caller(user_id="a", tenant_id="u")},
    {"caller": Caller(user_id="a")},
    {"caller": Caller(tenant_id="t")},
    {"caller": Caller(user_id="at")},
    {},
    {"caller": Caller(user_id="a", tenant_id="t"), "settings": ((b"app.x", b"1"),)},
    {"caller": Caller(user_id="a", tenant_id="t"), "settings": ((b"app.x1", b""),)},
]


def test_nobody_is_given_the_answer_of_another(session: Session) -> None:
    of = keys()
    mine = {"caller": Caller(user_id="a", tenant_id="t", context=object(), roles=frozenset({"x"}))}
    assert claimed(session, of, **mine) is None
    for other in OTHERS:
        assert claimed(session, of, **other) is None, other
    for each in (mine, *OTHERS):
        assert claimed(session, of, **each) == BODY
    # whose answer it is does not hang on the order of the settings
    told = ((b"app.y", b"2"), (b"app.x", b"1"))
    assert claimed(session, of, settings=told) is None
    assert claimed(session, of, settings=told[::-1]) == BODY


def test_an_expired_key_is_unknown(session: Session) -> None:
    of = keys(idempotency_retention=3600.0)
    assert claimed(session, of) is None
    session.ask("update fraiseql_idempotency set created_at = created_at - interval '59 minutes'")
    assert claimed(session, of) == BODY
    session.ask("update fraiseql_idempotency set created_at = created_at - interval '2 minutes'")
    assert claimed(session, of, query="mutation { b }") is None
    assert claimed(session, of, query="mutation { b }") == BODY


def test_old_keys_are_removed_now_and_then_and_not_all_at_once(open_session: Callable[..., Session]) -> None:
    session, other, of = open_session(), open_session(), keys()
    fill = (
        "insert into fraiseql_idempotency select '', n::text, '', '', now() - interval '25 hours'"
        " from generate_series(1, 1500) n"
    )
    session.ask(fill)
    session.ask("insert into fraiseql_idempotency values ('', 'young', '', '', now() - interval '23 hours')")
    session.commit()
    other.ask("select from fraiseql_idempotency where key = '1' for update")  # somebody is at it
    counts = []
    for number in range(201):
        assert claimed(session, of, key=f"k{number}") is None
        counts.append(session.ask("select count(*) from fraiseql_idempotency")[0][0] - number - 1)
        session.commit()
    assert counts[0] == 501
    assert counts[99] == 501
    assert counts[100] == 2  # the young one, and that which is locked
    other.rollback()
    assert claimed(session, keys(), key="again") is None
    assert session.ask("select key from fraiseql_idempotency where scope = ''") == [("young",)]


def test_a_role_that_may_do_nothing_takes_part(open_session: Callable[..., Session], session: Session) -> None:
    """The table is written as the connection's role; deferred triggers run as the caller's."""
    session.ask(
        """
        create role nobody_at_all nologin;
        create schema elsewhere; create table elsewhere.fraiseql_idempotency (nonsense int);
        create table noted (who text, tenant text, path text);
        grant insert on noted to nobody_at_all; grant usage on schema elsewhere to nobody_at_all;
        create function note() returns trigger language plpgsql as $$ begin
            insert into public.noted
            select current_user, current_setting('app.tenant', true), current_setting('search_path');
            return null;
        end $$;
        create table written (id int); grant insert on written to nobody_at_all;
        create constraint trigger late after insert on written deferrable initially deferred
            for each row execute function note();
        """
    )
    session.commit()
    told = ((b"role", b"nobody_at_all"), (b"app.tenant", "t\"'\\é".encode()), (b"search_path", b"elsewhere"))
    of = keys()
    request = {"settings": told}
    claim = session.run(of.claim(asking(**request), session.transaction))
    for name, value in told:
        session.connection.execute("select set_config($1, $2, true)", [name.decode(), value.decode()])
    session.ask("insert into public.written values (1)")
    session.run(of.keep(claim, BODY))
    session.commit(told)
    assert session.ask("select * from noted") == [("nobody_at_all", "t\"'\\é", "elsewhere")]
    assert session.ask("select current_user") == [("postgres",)]
    assert claimed(session, of, **request) == BODY
    session.ask("drop owned by nobody_at_all; drop role nobody_at_all")
    session.commit()


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("", "nowhere"),
        ("", "no_schema.fraiseql_idempotency"),
        ("create table odd (key text)", "odd"),
        ("create table odd (scope bytea, key text, fingerprint bytea, body bytea, created_at date)", "odd"),
    ],
)
def test_without_the_table_nothing_runs_and_the_log_says_what_to_do(session: Session, sql: str, table: str) -> None:
    if sql:
        session.ask(sql)
        session.commit()
    of = keys(idempotency_table=table)
    with pytest.raises(Refusal) as caught:
        session.run(of.claim(asking(), session.transaction))
    assert caught.value.outcome is Outcome.FAILED
    (error,) = caught.value.errors
    assert error.code == "IDEMPOTENCY_UNAVAILABLE"
    assert error.extensions == {"requestId": "r"}
    assert table not in error.message
    cause = caught.value.cause
    assert isinstance(cause, ValueRefused)
    assert cause.doubtful
    assert "fraiseql idempotency" in str(cause)


def test_without_the_right_to_it_neither(open_session: Callable[..., Session], session: Session) -> None:
    session.ask("create role weak_server login")
    session.commit()
    weak, of = open_session(user="weak_server"), keys()
    with pytest.raises(Refusal, match="not available"):
        weak.run(of.claim(asking(), weak.transaction))
    weak.close()
    session.ask(TABLE.ddl(["weak_server"]).replace("begin;", "").replace("commit;", ""))
    session.commit()
    weak = open_session(user="weak_server")
    assert claimed(weak, of) is None
    assert claimed(weak, of) == BODY
    weak.close()
    session.ask("drop owned by weak_server; drop role weak_server")
    session.commit()


@pytest.mark.parametrize("key", [None, "", "k" * 256, "a b", "é", "a\nb"])
def test_no_key(key: str | None) -> None:
    program = keys().claim(asking(key), "transaction")
    with pytest.raises(Refusal, match="1 to 255 visible ASCII characters"):
        next(program)


def test_a_key_without_an_answer_is_no_answer(session: Session) -> None:
    of = keys()
    session.run(of.claim(asking(), session.transaction))
    session.commit()
    with pytest.raises(Refusal) as refused:
        session.run(of.claim(asking(), session.transaction))
    assert [error.code for error in refused.value.errors] == ["OUTCOME_UNKNOWN"]


def test_a_mutation_that_takes_longer_than_keys_are_kept_is_known_all_the_same(session: Session) -> None:
    of = keys()
    claim = session.run(of.claim(asking(), session.transaction))
    session.ask("update fraiseql_idempotency set created_at = created_at - interval '2 days'")
    session.run(of.keep(claim, BODY))
    session.commit()
    assert session.run(of.claim(asking(), session.transaction)).answer == BODY


def test_the_row_of_a_claim_cannot_get_lost(session: Session) -> None:
    of = keys()
    claim = session.run(of.claim(asking(), session.transaction))
    session.ask("delete from fraiseql_idempotency")
    with pytest.raises(DatabaseError, match="is gone"):
        session.run(of.keep(claim, BODY))

"""What clients are told of PostgreSQL's errors: the table, what extends it, and which fields are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import fraiseql
from fraiseql import ErrorRule
from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError, ErrorPlace, RequestError, SchemaError, SettingRefused, ValueRefused
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.database_errors import described
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.pipeline.planning import Planning

USERS_EMAIL = ErrorPlace("public", "users", "", "users_email_key")
HINT = {"requestId": "r"}


@fraiseql.type(sql_source="users")
class User:
    id: fraiseql.ID


@fraiseql.query
def users() -> list[User]: ...


def planning(errors: Mapping[str, ErrorRule | None] | None = None) -> Planning:
    model = fraiseql.Schema(queries=[users], errors=errors).model
    return Planning.begin(model, build_graphql_schema(model), QueryLimits())


def error(sqlstate: str, place: ErrorPlace = USERS_EMAIL, said: str = "secret", source_file: str = "x.c") -> Any:
    return DatabaseError(f"{said}; Key (email)=(a@b) exists", sqlstate=sqlstate, said=said, place=place,
                         source_file=source_file)  # fmt: skip


def run(
    of: Planning,
    raised: DatabaseError,
    names: Mapping[str, tuple[str, ...]] | None = None,
    *answers: bytes | DatabaseError,
) -> tuple[RequestError | None, list[Fetch]]:
    """What the program returns, and what it asked for; without answers it must not ask."""
    program = described(of.model, of.constraints, raised, {} if names is None else names, HINT)
    fetches: list[Fetch] = []
    left = list(answers)
    try:
        effect = next(program)
        while True:
            assert isinstance(effect, Fetch)
            assert effect.transaction is None
            assert effect.timeout is not None
            fetches.append(effect)
            answer = left.pop(0)
            effect = program.throw(answer) if isinstance(answer, DatabaseError) else program.send((answer,))
    except StopIteration as stop:
        assert left == []
        return stop.value, fetches


def told(of: Planning, raised: DatabaseError, *arguments: Any) -> Any:
    """Code, message and fields."""
    entry, _ = run(of, raised, *arguments)
    if entry is None:
        return None
    assert entry.extensions["requestId"] == "r"
    return entry.code, entry.message, entry.extensions.get("fields")


NOT_NULL = ErrorPlace("public", "users", "email", "")


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (error("23505"), "UNIQUE_VIOLATION"),
        (error("23P01"), "EXCLUSION_VIOLATION"),
        (error("23503"), "FOREIGN_KEY_VIOLATION"),
        (error("23001"), "RESTRICT_VIOLATION"),
        (error("23514"), "CHECK_VIOLATION"),
        (error("44000"), "CHECK_VIOLATION"),
        (error("23502", NOT_NULL), "NOT_NULL_VIOLATION"),
        (error("22001"), "BAD_USER_INPUT"),
        (error("42501"), "FORBIDDEN"),
        (error("40001"), "TRANSACTION_CONFLICT"),
        (error("40P01"), "TRANSACTION_CONFLICT"),
        (error("55P03"), "TRANSACTION_CONFLICT"),
        (error("57014"), "REQUEST_TIMEOUT"),
        (error("25P03"), "REQUEST_TIMEOUT"),
        (error("25P04"), "REQUEST_TIMEOUT"),
        (error("08007"), None),
        (error("08006"), None),
        (error("53300"), None),
        (error("57P01"), None),
        (error("P0001"), None),
        (error("42601"), None),
        (error("22012"), None),
        (error("XX000"), None),
        (SettingRefused("a role that the server may not take on", sqlstate="42501"), None),
    ],
)
def test_the_default_table(raised: DatabaseError, code: str | None) -> None:
    entry, _ = run(planning(), raised)
    assert (None if entry is None else entry.code) == code
    if entry is not None:
        shown = f"{entry.message} {entry.extensions}"
        for secret in ("secret", "a@b", "users", "key", "public"):
            assert secret not in shown


SIDES = [
    # who refers; who is referred to
    ('insert or update on table "{0}" violates foreign key constraint "{1}"', False),
    ('update or delete on table "{2}" violates foreign key constraint "{1}" on table "{0}"', True),
    ("une instruction insert ou update sur la table « {0} » viole la contrainte de clé étrangère « {1} »", False),
    ("UPDATE ou DELETE sur la table « {2} » viole la contrainte de clé étrangère « {1} » de la table « {0} »", True),
    ("Einfügen oder Aktualisieren in Tabelle »{0}« verletzt Fremdschlüssel-Constraint »{1}«", False),
    ("Aktualisieren oder Löschen in Tabelle »{2}« verletzt Fremdschlüssel-Constraint »{1}« von Tabelle »{0}«", True),
    ('INSERT o UPDATE sulla tabella "{0}" viola il vincolo di chiave esterna "{1}"', False),
    ('l\'istruzione sulla tabella "{2}" viola il vincolo "{1}" sulla tabella "{0}"', True),
    ("ограничение внешнего ключа таблицы „{0}“ нарушено: „{1}“", False),
    ("テーブル「{0}」への挿入は外部キー制約「{1}」に違反しています", False),
    ("テーブル「{2}」の削除は、テーブル「{0}」の外部キー制約「{1}」に違反しています", True),
]


@pytest.mark.parametrize(("text", "is_other_side"), SIDES)
@pytest.mark.parametrize(
    "names",
    [("post", "post_author_fkey", "author"), ("post", "parent", "post"), ("table", "table", "on"), ("a.", "(", "c")],
)
def test_both_sides_of_a_foreign_key_in_any_language(
    text: str, is_other_side: bool, names: tuple[str, str, str]
) -> None:
    place = ErrorPlace("public", names[0], "", names[1])
    raised = error("23503", place, text.format(*names))
    entry, _ = run(planning(), raised)
    assert entry is not None
    assert entry.code == ("RESTRICT_VIOLATION" if is_other_side else "FOREIGN_KEY_VIOLATION")


def test_the_columns_of_a_constraint_are_asked_for_once_and_become_fields() -> None:
    of, names = (
        planning(),
        {"email": ("email",), "users.tenant_id": ("tenantId",), "public.users.name": ("name", "first.name")},
    )
    columns = b'["public", "users", "users_email_key", ["name", "tenant_id", "email", "secret_column"]]'
    entry, (fetch,) = run(of, error("23505"), names, columns)
    assert entry is not None
    assert fetch.parameters == (b"public", b"users", b"users_email_key")
    assert entry.extensions == {"fields": ["name", "first.name", "tenantId", "email"], "requestId": "r"}
    assert entry.message == "A value that must be unique is in use already: name, first.name, tenantId, email."
    assert told(of, error("23505"), {"email": ("mail",)})[2] == ["mail"]


@pytest.mark.parametrize("answer", [None, DatabaseError("away", sqlstate="08006")])
def test_where_the_catalog_says_nothing_there_are_no_fields(answer: DatabaseError | None) -> None:
    of = planning()
    for _ in range(2):  # and it is asked again
        assert told(of, error("23505"), {"email": ("email",)}, answer) == (
            "UNIQUE_VIOLATION", "A value that must be unique is in use already.", None,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("raised", "names", "fields"),
    [
        (error("23502", NOT_NULL), {"email": ("input.email",)}, ["input.email"]),
        (error("23505"), {}, None),  # there is nothing that could be named
        (error("23505", ErrorPlace("", "", "", "chosen")), {"email": ("email",)}, None),  # RAISE named no table
        (error("42501"), {"email": ("email",)}, None),
    ],
)
def test_what_needs_no_catalog(
    raised: DatabaseError, names: dict[str, tuple[str, ...]], fields: list[str] | None
) -> None:
    assert told(planning(), raised, names)[2] == fields


WHOLE = b'["app", "everybody", "one_email", ["email"]]'


def test_what_a_partition_refuses_goes_by_the_names_of_the_whole_table() -> None:
    """PostgreSQL names the partition, and its own constraint."""
    names, more = {"app.everybody.email": ("email",)}, {"app.everybody.one_email": ErrorRule("A")}
    assert told(planning(), error("23505"), names, WHOLE)[2] == ["email"]
    assert told(planning(), error("23502", NOT_NULL), names, WHOLE)[2] == ["email"]
    assert told(planning(more), error("23505"), {}, WHOLE)[0] == "A"
    exact = {**more, "users_email_key": ErrorRule("B")}
    assert told(planning(exact), error("23505"))[0] == "B"
    assert told(planning(more), error("23505"), {}, None)[0] == "UNIQUE_VIOLATION"


RAISED = DatabaseError("x", sqlstate="P0001", said="The cellar is full.", source_function="exec_stmt_raise")


@pytest.mark.parametrize(
    ("rules", "raised", "expected"),
    [
        ({"P0001": ErrorRule("REFUSED")}, RAISED, ("REFUSED", "The database refused this.", None)),
        ({"P0001": ErrorRule("REFUSED", "No.")}, RAISED, ("REFUSED", "No.", None)),
        ({"P0001": ErrorRule("REFUSED", show_message=True)}, RAISED, ("REFUSED", "The cellar is full.", None)),
        # what no function of a user's raised may hold values, whatever its SQLSTATE
        ({"P0": ErrorRule("REFUSED", "No.", True)}, error("P0002"), ("REFUSED", "No.", None)),
        ({"22": ErrorRule("ODD", show_message=True)}, error("22P02"), ("ODD", "The database refused this.", None)),
        ({"22": ErrorRule("ODD")}, error("22001"), ("ODD", "A value is too long.", None)),
        ({"45000": ErrorRule("X", fields=["a", "b.c"])}, error("45000"),
         ("X", "The database refused this: a, b.c.", ["a", "b.c"])),
        ({"45000": ErrorRule("X", "No.", fields=["a"])}, error("45000"), ("X", "No.", ["a"])),
        # the most exact one
        ({"users_email_key": ErrorRule("A"), "23505": ErrorRule("B")}, error("23505"), "A"),
        ({"users_email_key": ErrorRule("A"), "users.users_email_key": ErrorRule("B")}, error("23505"), "B"),
        ({"users.users_email_key": ErrorRule("B"), "public.users.users_email_key": ErrorRule("C")},
         error("23505"), "C"),
        ({"23": ErrorRule("A"), "23505": ErrorRule("B")}, error("23505"), "B"),
        ({"23": ErrorRule("A")}, error("23505"), "A"),
        ({"23503": ErrorRule("A")}, error("23503"), "A"),
        ({"23503": ErrorRule("A")}, error("23503", said='"t" "users" "users_email_key"'), "RESTRICT_VIOLATION"),
        ({"23001": ErrorRule("A")}, error("23503", said='"t" "users" "users_email_key"'), "A"),
        # masked again
        ({"42501": None}, error("42501"), None),
        ({"users_email_key": None, "23505": ErrorRule("A")}, error("23505"), None),
    ],
)  # fmt: skip
def test_a_schema_extends_the_table(rules: dict[str, ErrorRule | None], raised: DatabaseError, expected: Any) -> None:
    found = told(planning(rules), raised)
    assert (found[0] if isinstance(expected, str) else found) == expected


@pytest.mark.parametrize(
    ("rules", "where", "sentence"),
    [
        ([], "Schema(errors=...)", "expected rules by SQLSTATE"),
        ({1: ErrorRule("A")}, "Schema(errors=...)", "a SQLSTATE ('P0001'), a class of them ('22'), or a constraint"),
        ({"": ErrorRule("A")}, "Schema(errors=...)", "found ''"),
        ({"a\0b": ErrorRule("A")}, "Schema(errors=...)", "a constraint ('users_email_key')"),
        ({"p0001": ErrorRule("A")}, "Schema(errors=...)", "a SQLSTATE is in capitals"),
        ({"23p01": ErrorRule("A")}, "Schema(errors=...)", "a SQLSTATE is in capitals"),
        ({"2f": ErrorRule("A")}, "Schema(errors=...)", "a SQLSTATE is in capitals"),
        ({"00000": ErrorRule("A")}, "Schema(errors=...)", "00 means success"),
        ({"08": ErrorRule("A")}, "Schema(errors=...)", "always DATABASE_UNAVAILABLE"),
        ({"53300": ErrorRule("A")}, "Schema(errors=...)", "always DATABASE_UNAVAILABLE"),
        ({"57P01": None}, "Schema(errors=...)", "always DATABASE_UNAVAILABLE"),
        ({"23505": "TAKEN"}, "Schema(errors={'23505': ...})", "expected a fraiseql.ErrorRule, or None"),
        ({"23505": ErrorRule("taken")}, "Schema(errors={'23505': ...}) (code)", "in capitals"),
        ({"23505": ErrorRule("")}, "Schema(errors={'23505': ...}) (code)", "in capitals"),
        ({"23505": ErrorRule(5)}, "Schema(errors={'23505': ...}) (code)", "in capitals"),  # type: ignore[arg-type]
        ({"c": ErrorRule("A", " ")}, "Schema(errors={'c': ...}) (message)", "a sentence"),
        ({"c": ErrorRule("A", show_message=1)}, "Schema(errors={'c': ...}) (show_message)", "True or False"),  # type: ignore[arg-type]
        ({"c": ErrorRule("A", fields="email")}, "Schema(errors={'c': ...}) (fields)", "a list of names"),
        ({"c": ErrorRule("A", fields=[""])}, "Schema(errors={'c': ...}) (fields)", "a list of names"),
        ({"c": ErrorRule("A", fields={"a"})}, "Schema(errors={'c': ...}) (fields)", "a list of names"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_rule_is_a_schema_error(rules: Any, where: str, sentence: str) -> None:
    with pytest.raises(SchemaError) as caught:
        fraiseql.Schema(queries=[users], errors=rules)
    assert str(caught.value).startswith(where)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "doubtful"),
    [
        (error("23505"), False),
        (error("42501", source_file="execMain.c"), False),  # row-level security
        (error("42501", source_file="aclchk.c"), True),  # a privilege that was not granted
        (error("57014"), True),
        (error("25P04"), True),
    ],
)
def test_the_log_has_what_the_client_has_not(raised: DatabaseError, doubtful: bool) -> None:
    entry, _ = run(planning(), raised)
    assert entry is not None
    cause = entry.__cause__
    assert isinstance(cause, ValueRefused)
    assert cause.__cause__ is raised
    assert cause.doubtful is doubtful
    assert "secret; Key (email)=(a@b) exists" in str(cause)
    assert entry.code in str(cause)

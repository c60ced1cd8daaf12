"""What clients are told of PostgreSQL's errors: one table, which a schema extends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from fraiseql.errors import DatabaseError, ErrorPlace, SchemaError, SettingRefused
from fraiseql.schema.names import database_text

__all__ = ["DEFAULT_RULES", "ErrorRule", "ErrorRules", "FoundRule", "error_rules"]

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")
_CLASS: Final = re.compile(r"[0-9A-Z]{2}")
_OTHER_CASE: Final = re.compile(r"(?i:[0-9][0-9A-Z]{4}|P[0-9]{4}|[0-9][0-9A-Z]|[0-9A-Z][0-9])")
_UNAVAILABLE: Final = re.compile(r"08(?!P01).*|53.*|57P0.*")  # as DatabaseError.unavailable has it
_CODE_EXPECTED: Final = "a code in capitals: letters, digits and _, as EMAIL_TAKEN"

# Where PL/pgSQL carries out RAISE. Any other message of the server may hold a value or a piece of SQL: PL/pgSQL's own,
# and all that come by way of PL/Python, PL/Perl or PL/Tcl, which pass on in one place what their functions raise and
# what PostgreSQL told these.
_RAISE: Final = "exec_stmt_raise"

# How PostgreSQL's translations quote a name; an apostrophe is a letter of some languages.
_QUOTES: Final = '"«»„“”「」『』'


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """What a client is told of one kind of error of PostgreSQL.

    Attributes:
        code: `extensions.code`.
        message: shown in place of PostgreSQL's, which never is; a general sentence by default.
        show_message: show what RAISE said, where that raised the error, in PL/pgSQL.
        fields: `extensions.fields`: what of the input is wrong, by GraphQL names; by default those of the column or of
            the constraint's columns.
    """

    code: str
    message: str | None = None
    show_message: bool = False
    fields: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class FoundRule:
    """The rule for one error, complete.

    Attributes:
        message: a sentence.
        names_fields: whether the fields may be appended to it.
        fields: None where they are to be worked out.
    """

    code: str
    message: str
    names_fields: bool
    fields: tuple[str, ...] | None


DEFAULT_RULES: Final[Mapping[str, ErrorRule]] = MappingProxyType(
    {
        "23505": ErrorRule("UNIQUE_VIOLATION", "A value that must be unique is in use already."),
        "23P01": ErrorRule("EXCLUSION_VIOLATION", "A value conflicts with one that is there already."),
        "23503": ErrorRule("FOREIGN_KEY_VIOLATION", "A value refers to something that is not there."),
        # The other side of a foreign key, with whatever SQLSTATE PostgreSQL tells of it.
        "23001": ErrorRule("RESTRICT_VIOLATION", "This is still in use.", fields=()),
        "23514": ErrorRule("CHECK_VIOLATION", "A value is not allowed."),
        "44000": ErrorRule("CHECK_VIOLATION", "A value is not allowed."),  # WITH CHECK OPTION of a view
        "23502": ErrorRule("NOT_NULL_VIOLATION", "A value is missing."),
        "22001": ErrorRule("BAD_USER_INPUT", "A value is too long."),
        "42501": ErrorRule("FORBIDDEN", "This is not permitted.", fields=()),  # row-level security among others
        "40001": ErrorRule("TRANSACTION_CONFLICT", "Another transaction was in the way. Try again.", fields=()),
        "40P01": ErrorRule("TRANSACTION_CONFLICT", "Another transaction was in the way. Try again.", fields=()),
        "55P03": ErrorRule("TRANSACTION_CONFLICT", "Another transaction was in the way. Try again.", fields=()),
        "57014": ErrorRule("REQUEST_TIMEOUT", "The database took too long.", fields=()),
        # The server's limits for a transaction, which ends with its connection: without statements, and in all.
        "25P03": ErrorRule("REQUEST_TIMEOUT", "The transaction took too long.", fields=()),
        "25P04": ErrorRule("REQUEST_TIMEOUT", "The transaction took too long.", fields=()),
    }
)
"""By SQLSTATE; what stands nowhere is masked."""

# What a value in the input breaks. A query, which writes nothing, only meets it where a value in the database is wrong.
_OF_WRITES: Final = ("22", "23", "44")

_UNTOLD: Final = "The database refused this."


@dataclass(frozen=True, slots=True)
class ErrorRules:
    """The whole table.

    Attributes:
        declared: the schema's own rules, by constraint, SQLSTATE or class; None for what shall be masked. They come
            before the default ones.
    """

    declared: Mapping[str, ErrorRule | None] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def constraints(self) -> list[str]:
        """The keys that name a constraint."""
        return [key for key in self.declared if not (_SQLSTATE.fullmatch(key) or _CLASS.fullmatch(key))]

    def names(self, place: ErrorPlace) -> bool:
        """Whether a rule names the constraint."""
        return any(key in self.declared for key in _constraint_keys(place))

    def find(self, error: DatabaseError, *, reading: bool = False, whole: ErrorPlace | None = None) -> FoundRule | None:
        """The rule for an error, the most exact one; None where it is to be masked.

        Args:
            whole: the place of the error in the partitioned table, where it is of one of its partitions.
            reading: whether nothing was written: what then fails is no value of the client's.
        """
        if isinstance(error, SettingRefused):  # nobody's input
            return None
        sqlstate = "23001" if error.sqlstate == "23503" and _is_referred_to(error) else error.sqlstate
        default = None if reading and sqlstate.startswith(_OF_WRITES) else DEFAULT_RULES.get(sqlstate)
        rule = default
        places = [error.place] if whole is None or whole == error.place else [error.place, whole]
        for key in _keys(places, sqlstate):
            if key in self.declared:
                rule = self.declared[key]
                break
        if rule is None:
            return None
        fields = None if rule.fields is None else tuple(rule.fields)
        if fields is None and default is not None and default.fields == ():
            fields = ()
        message = rule.message or (default.message if default is not None else None) or _UNTOLD
        if rule.show_message and error.said and error.source_function == _RAISE:
            return FoundRule(rule.code, error.said, False, fields)
        return FoundRule(rule.code, message, rule is default or rule.message is None, fields)


def error_rules(given: Any) -> ErrorRules:
    """The table of `Schema(errors=...)`; raises SchemaError."""
    if given is None:
        return ErrorRules()
    if not isinstance(given, Mapping):
        expected = "rules by SQLSTATE, class or constraint: {'23505': fraiseql.ErrorRule('TAKEN')}"
        raise SchemaError("Schema(errors=...)", found=repr(given), expected=expected)
    for key, rule in given.items():
        _check_key(key)
        if rule is not None:
            _check_rule(rule, f"Schema(errors={{{key!r}: ...}})")
    return ErrorRules(MappingProxyType(dict(given)))


def _keys(places: Sequence[ErrorPlace], sqlstate: str) -> Iterator[str]:
    for place in places:
        yield from _constraint_keys(place)
    yield sqlstate
    yield sqlstate[:2]


def _constraint_keys(place: ErrorPlace) -> Iterator[str]:
    if place.constraint:
        if place.table:
            yield f"{place.schema}.{place.table}.{place.constraint}"
            yield f"{place.table}.{place.constraint}"
        yield place.constraint


def _check_key(key: Any) -> None:
    where = "Schema(errors=...)"
    expected = "a SQLSTATE ('P0001'), a class of them ('22'), or a constraint ('users_email_key')"
    database_text(key, where, expected)
    if not (_SQLSTATE.fullmatch(key) or _CLASS.fullmatch(key)):
        if _OTHER_CASE.fullmatch(key):
            raise SchemaError(where, found=f"the key {key!r}", expected=f"{expected}; a SQLSTATE is in capitals")
        return
    if key.startswith("00"):
        raise SchemaError(where, found=f"the key {key!r}", expected="a SQLSTATE of an error: 00 means success")
    if _UNAVAILABLE.fullmatch(key):
        found = f"the key {key!r}, which says that the database is not available"
        raise SchemaError(where, found=found, expected="another: that is always DATABASE_UNAVAILABLE")


def _check_rule(rule: Any, where: str) -> None:
    if not isinstance(rule, ErrorRule):
        raise SchemaError(where, found=repr(rule), expected="a fraiseql.ErrorRule, or None to tell the client nothing")
    if not isinstance(rule.code, str) or _CODE.fullmatch(rule.code) is None:
        raise SchemaError(f"{where} (code)", found=repr(rule.code), expected=_CODE_EXPECTED)
    if rule.message is not None and (not isinstance(rule.message, str) or not rule.message.strip()):
        raise SchemaError(f"{where} (message)", found=repr(rule.message), expected="a sentence")
    if not isinstance(rule.show_message, bool):
        raise SchemaError(f"{where} (show_message)", found=repr(rule.show_message), expected="True or False")
    fields = rule.fields
    if fields is not None and (
        isinstance(fields, str)
        or not isinstance(fields, Sequence)
        or not all(isinstance(name, str) and name for name in fields)
    ):
        raise SchemaError(f"{where} (fields)", found=repr(fields), expected="a list of names: ['email']")


def _is_referred_to(error: DatabaseError) -> bool:
    """Whether a violated foreign key is told of from its other side: a row that others refer to cannot go.

    PostgreSQL has one SQLSTATE for both sides, and says in the server's language "on table "a" ... constraint "b"" of
    the referring side, and of the other "on table "c" ... constraint "b" on table "a"": one more name.
    """
    left = error.said
    for name in (error.place.constraint, error.place.table):
        left = re.sub(rf"[{_QUOTES}]\s*{re.escape(name)}\s*[{_QUOTES}]", "", left, count=1)
    return any(quote in left for quote in _QUOTES)

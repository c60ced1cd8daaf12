"""Idempotency keys: a mutation that comes again with its key is not run again, but given the same answer.

The key is claimed by a row that the mutation's own transaction inserts first, and to which it adds the answer just
before it commits. So whoever comes with the same key meanwhile waits for that transaction's end, a mutation that fails
leaves no key, and what was acknowledged can be acknowledged again, also by who lost the connection at COMMIT.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from fraiseql.effects import Program, Row, Settings, Statement, fetch
from fraiseql.errors import DatabaseError, RequestError, ValueRefused
from fraiseql.limits import MutationLimits
from fraiseql.pipeline.mutations.idempotency_table import IdempotencyTable
from fraiseql.pipeline.mutations.serving import Asking
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import Outcome, Refusal
from fraiseql.schema.numbers import json_text

__all__ = ["Claim", "IdempotencyKeys"]

_KEY: Final = re.compile(r"[!-~]{1,255}")  # a UUID has 36 characters
_PURGE_EVERY: Final = 100  # claims; each adds a row, so that ten times as many can go
_PURGED: Final = 1_000  # rows at once, some milliseconds
_NOT_THERE: Final = frozenset({"42P01", "3F000", "42703", "42P10", "42501"})  # table, schema, column, its key, rights


@dataclass(frozen=True, slots=True)
class Claim:
    """A key in a transaction.

    Attributes:
        answer: what was kept for it; None where the mutation is to be run.
    """

    answer: bytes | None
    _transaction: Any
    _row: tuple[bytes, bytes]
    _own: Settings  # the role and the search path by which the table is found


class IdempotencyKeys:
    """The keys of one pipeline.

    Args:
        limits: the table, and how long a key is known.

    Raises:
        ConfigurationError: the table's name is none.
    """

    __slots__ = ("_age", "_claim", "_claims", "_find", "_keep", "_purge", "table")

    def __init__(self, limits: MutationLimits) -> None:
        self.table = IdempotencyTable.of(limits.idempotency_table)
        self._age = b"%f" % limits.idempotency_retention
        self._claims = 0
        self._claim = _statement(_CLAIM, self.table, 3)
        self._find = _statement(_FIND, self.table, 2)
        self._keep = _statement(_KEEP, self.table, 1)
        self._purge = _statement(_PURGE, self.table, 1)

    def claim(self, asking: Asking, transaction: Any) -> Program[Claim]:
        """Claim the request's key as the first thing in its transaction, or find the answer that was kept for it.

        Waits while another transaction holds the key. The statements run as the connection's own role.

        Raises:
            Refusal: no key, one that was used for another request, or there is no table; nothing may be run then.
            DatabaseError: as any statement; 40001 where an isolated transaction must begin again to see the answer.
        """
        key = asking.request.idempotency_key
        if key is None or _KEY.fullmatch(key) is None:
            raise Refusal(Outcome.OPERATION_UNKNOWN, [RequestError(_BAD_KEY, code="BAD_REQUEST")])
        row = (_scope(asking), key.encode())
        fingerprint = _fingerprint(asking.request)
        try:
            claimed, role, path = yield from fetch(self._claim, (*row, fingerprint, self._age), transaction=transaction)
            answer = None
            if claimed != b"t":
                found = yield from fetch(self._find, row, transaction=transaction)
                answer = _kept(found, fingerprint)
        except DatabaseError as error:
            if error.sqlstate not in _NOT_THERE:
                raise
            raise self._unavailable(error, asking) from None
        if claimed == b"t":
            yield from self._forget(transaction)
        own = ((b"role", role or b"none"), (b"search_path", path or b""))
        return Claim(answer, transaction, row, own)

    def keep(self, claim: Claim, body: bytes) -> Program[None]:
        """Keep the answer of what was claimed, as the last thing before COMMIT, as its role; raises DatabaseError."""
        parameters = (*claim._row, body.hex().encode())
        (kept,) = yield from fetch(self._keep, parameters, settings=claim._own, transaction=claim._transaction)
        if kept != b"1":
            raise DatabaseError("the row of an idempotency key is gone from its own transaction", sqlstate="55000")

    def _forget(self, transaction: Any) -> Program[None]:
        """Remove some old keys now and then, by the claims themselves: no task has to run for it."""
        self._claims += 1
        if self._claims % _PURGE_EVERY == 1:
            yield from fetch(self._purge, (self._age,), transaction=transaction)

    def _unavailable(self, error: DatabaseError, asking: Asking) -> Refusal:
        message = "Idempotency keys are not available. The mutation was not run."
        entry = RequestError(message, code="IDEMPOTENCY_UNAVAILABLE", extensions=asking.hint)
        text = f"idempotency keys need the table {self.table.sql} ({error}); {self.table.remedy}"
        return Refusal(Outcome.FAILED, [entry], ValueRefused(text, doubtful=True))


_BAD_KEY: Final = "An idempotency key is a text of 1 to 255 visible ASCII characters."
_LEFT_OPEN: Final = "It is not known whether the mutation was applied."
_REUSED: Final = "The idempotency key was used for another request. The mutation was not run."


def _kept(found: Row, fingerprint: bytes) -> bytes:
    known, body = found
    if known != fingerprint:
        raise Refusal(Outcome.KEY_REUSED, [RequestError(_REUSED, code="IDEMPOTENCY_KEY_REUSED")])
    if body is None:  # SQL of the application's own has committed in the middle of it
        raise Refusal(Outcome.FAILED, [RequestError(_LEFT_OPEN, code="OUTCOME_UNKNOWN")])
    return bytes.fromhex(body.decode())


def _scope(asking: Asking) -> bytes:
    """Whose key it is: nobody is given another's answer, nor one's own of another role."""
    caller = asking.caller
    told = [part for pair in sorted(asking.settings) for part in pair]
    return _digest(_text(caller.user_id), _text(caller.tenant_id), *told)


def _fingerprint(request: GraphQLRequest) -> bytes:
    """What the key stands for: the order of keys in objects does not count, every digit does."""
    try:
        variables = json_text(_sorted(request.exact_variables()))
    except TypeError:  # a program may have given what no JSON is
        variables = repr(request.variables)
    return _digest(_text(request.query), _text(request.operation_name), variables.encode("utf-8", "surrogatepass"))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def _text(value: str | None) -> bytes | None:
    return None if value is None else value.encode("utf-8", "surrogatepass")


def _digest(*parts: bytes | None) -> bytes:
    """In hexadecimal; no two lists of parts are written alike."""
    import hashlib  # OpenSSL's, half a megabyte: not before it is needed

    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.hexdigest().encode()


def _statement(template: str, table: IdempotencyTable, columns: int) -> Statement:
    return Statement(template.replace("@table@", table.sql).encode(), columns)


# An insert that meets the key of an open transaction waits for its end. A key that is known is locked, so that it stays
# until it was looked at; one that has expired is claimed anew.
_CLAIM: Final = """\
with claimed as (
    insert into @table@ as held (scope, key, fingerprint)
    values (decode($1::text, 'hex'), $2::text, decode($3::text, 'hex'))
    on conflict (scope, key) do update
        set fingerprint = excluded.fingerprint, created_at = clock_timestamp(), body = null
        where held.created_at < clock_timestamp() - make_interval(secs => $4::float8)
    returning 1
)
select exists (select from claimed), current_setting('role'), current_setting('search_path')"""

_FIND: Final = """\
select encode(fingerprint, 'hex'), encode(body, 'hex') from @table@
where scope = decode($1::text, 'hex') and key = $2::text"""

# Its age begins with the answer, however long that took.
_KEEP: Final = """\
with kept as (
    update @table@ set body = decode($3::text, 'hex'), created_at = clock_timestamp()
    where scope = decode($1::text, 'hex') and key = $2::text
    returning 1
)
select count(*) from kept"""

_PURGE: Final = f"""\
with gone as (
    delete from @table@ where ctid = any (array(
        select ctid from @table@ where created_at < clock_timestamp() - make_interval(secs => $1::float8)
        order by created_at limit {_PURGED} for update skip locked
    ))
    returning 1
)
select count(*) from gone"""

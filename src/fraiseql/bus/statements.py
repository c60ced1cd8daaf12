"""The SQL that a running bus sends, and what the answers mean. Each answer is one row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from fraiseql.bus.cursors import Cursor
from fraiseql.bus.ddl import quote_identifier, quote_literal
from fraiseql.bus.description import PostgresqlBus
from fraiseql.effects import Event, Fetch, Row, Statement
from fraiseql.errors import DatabaseError
from fraiseql.payloads import decode_payload, encode_payload

__all__ = ["Entry", "Outbox", "Page", "read_page", "read_place"]

_REMEDY = 'fraiseql outbox app:schema | psql "$FRAISEQL_DATABASE_URL"'
_PAGE = 1_000  # events of one answer: a hundred bytes each make 100 KB, decoded in a millisecond
_PAGE_BYTES = 4_194_304  # of the wanted events as text, however small they are stored; a larger one comes alone


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and its place."""

    cursor: Cursor
    event: Event


@dataclass(frozen=True, slots=True)
class Page:
    """What a read found.

    Attributes:
        entries: the events of the wanted topics, in order.
        position: the last event that was looked at, or where the read began: the next one goes on from there. It is
            never ahead of the last event: a transaction's number can be given again after a crash.
        more: whether another read will find more at once.
        pending: whether events are committed that cannot be delivered yet, as an older transaction may still commit
            some that come before them. Nothing notifies of its end.
        known: whether the cursor that the read began at may be one of this database: its transaction has begun.
        expired: whether events behind that cursor are not kept any more.
    """

    entries: tuple[Entry, ...]
    position: Cursor
    more: bool
    pending: bool
    known: bool
    expired: bool


class Outbox:
    """The statements for one outbox."""

    def __init__(self, bus: PostgresqlBus) -> None:
        prefix = "" if bus.schema is None else f"{quote_identifier(bus.schema)}."
        names = {
            "@outbox@": f"{prefix}{quote_identifier(bus.table)}",
            "@floor@": f"{prefix}{quote_identifier(f'{bus.table}_floor')}",
            "@prefix@": prefix,
            "@outbox_name@": quote_literal(f"{prefix}{quote_identifier(bus.table)}"),
            "@page@": str(_PAGE),
            "@page_bytes@": str(_PAGE_BYTES),
            "@publish_name@": quote_literal(f"{prefix}fraiseql_publish(text,jsonb,text,text)"),
        }
        self.name = bus.table if bus.schema is None else f"{bus.schema}.{bus.table}"
        self._read = _statement(_READ, names, 6)
        self._place = _statement(_PLACE, names, 2)
        self._publish = _statement(_PUBLISH, names, 1)
        self._purge = _statement(_PURGE, names, 1)
        self._check = _statement(_CHECK, names, 1)

    def read(self, position: Cursor, topics: Iterable[str] | None = None) -> Fetch:
        """The events after a place, of some topics or of all; see `read_page`. Payloads of others are not looked at."""
        wanted = None if topics is None else orjson.dumps(dict.fromkeys(topics))  # an object's keys are found faster
        return Fetch(self._read, (b"%d" % position.xid, b"%d" % position.id, wanted))

    def place(self) -> Fetch:
        """Where reading begins for who wants what comes next; see `read_place`."""
        return Fetch(self._place, ())

    def publish(self, events: Iterable[Event]) -> Fetch:
        """Publish events in this order; the row holds the cursor of the last.

        Raises:
            TypeError: a payload is nothing that JSON can hold.
        """
        rows = [
            b"[%b,%b,%b,%b]"
            % (orjson.dumps(event.topic), encode_payload(event.payload), _text(event.tenant), _text(event.user))
            for event in events
        ]
        return Fetch(self._publish, (b"[" + b",".join(rows) + b"]",))

    def purge(self, older_than: float) -> Fetch:
        """Forget some of the events of an age in seconds; the row says how many, 0 for no more."""
        return Fetch(self._purge, (b"%f" % older_than,))

    def check(self) -> Fetch:
        """Whether the outbox is there."""
        return Fetch(self._check, ())

    def explain(self, error: DatabaseError) -> DatabaseError:
        """The error that a statement met, with what to do about it where the outbox is not there."""
        if error.sqlstate in {"42P01", "42883", "3F000", "42703"}:  # table, function, schema, column
            text = f"the database has no outbox {self.name}, or not a whole one ({error}); {self.remedy}"
            return DatabaseError(text, sqlstate=error.sqlstate)
        return error

    @property
    def remedy(self) -> str:
        """How an outbox is made."""
        return f"create it with: {_REMEDY}"


def read_page(fetch: Fetch, row: Row) -> Page:
    """The answer to `Outbox.read`.

    Raises:
        DatabaseError: nobody knows which events are kept.
    """
    events, position, more, pending, known, expired = row
    if expired is None:
        raise _without_floor()
    entries = []
    for xid, id, topic, payload, tenant, user in orjson.loads(events or b"[]"):
        cursor = Cursor(int(xid), id)
        entries.append(Entry(cursor, Event(topic, decode_payload(payload), tenant, user, str(cursor))))
    start = Cursor(int(fetch.parameters[0] or b""), int(fetch.parameters[1] or b""))
    last = start if position is None else _cursor(position)
    return Page(tuple(entries), last, more == b"t", pending == b"t", known == b"t", expired == b"t")


def read_place(row: Row) -> Cursor:
    """The answer to `Outbox.place`.

    Raises:
        DatabaseError: the outbox holds what is no transaction of this database, or nobody knows which events are kept.
    """
    position, foreign = row
    if foreign is None:
        raise _without_floor()
    if foreign == b"t":
        text = (
            "the outbox holds events of another database, as after a restore from a dump: they can be neither "
            "delivered nor told from new ones; drop the table and its floor, then run `fraiseql outbox` again"
        )
        raise DatabaseError(text, sqlstate="55000")
    return _cursor(position or b"")


def _without_floor() -> DatabaseError:
    text = (
        "the outbox's table of the floor has lost its row, so that nobody knows which events are kept; "
        f"run `fraiseql outbox` again: {_REMEDY}"
    )
    return DatabaseError(text, sqlstate="55000")


def _cursor(text: bytes) -> Cursor:
    xid, _, id = text.partition(b".")
    return Cursor(int(xid), int(id))


def _text(value: str | None) -> bytes:
    return orjson.dumps(value)


def _statement(template: str, names: dict[str, str], columns: int) -> Statement:
    for name, value in names.items():
        template = template.replace(name, value)
    return Statement(template.encode(), columns)


# All subqueries see one snapshot. Below its xmin every transaction has ended: nothing can be committed there any more.
# The window's sum is made row by row, and asked for no further than to the cut: what comes behind is not decompressed.
_READ = """\
with horizon as materialized (
    select pg_snapshot_xmin(pg_current_snapshot()) as xid
), scanned as materialized (
    select xid, id, topic, payload, tenant_id, user_id, $3::jsonb is null or $3::jsonb ? topic as wanted
    from @outbox@
    where (xid, id) > ($1::xid8, $2::bigint) and xid < (select xid from horizon)
    order by xid, id limit @page@
), cut as materialized (
    select xid, id from (
        select xid, id, count(*) filter (where wanted) over so_far as events, sum(
            case when wanted then octet_length(concat(topic, tenant_id, user_id, payload::text)) end
        ) over so_far as bytes
        from scanned window so_far as (order by xid, id rows unbounded preceding)
    ) summed where bytes > @page_bytes@ and events > 1 order by xid, id limit 1
), page as materialized (
    select * from scanned where coalesce((xid, id) < (select xid, id from cut), true)
)
select
    (
        select json_agg(json_build_array(xid::text, id, topic, payload::text, tenant_id, user_id) order by xid, id)
        from page where wanted
    ),
    (select xid::text || '.' || id::text from page order by xid desc, id desc limit 1),
    exists (select from cut) or (select count(*) from scanned) = @page@,
    coalesce((select xid from @outbox@ order by xid desc, id desc limit 1) >= horizon.xid, false),
    $1::xid8 < pg_snapshot_xmax(pg_current_snapshot()),
    ($1::xid8, $2::bigint) < (floor.xid, floor.id)
from horizon left join @floor@ floor on true"""

_PLACE = """\
select
    case when (last.xid, last.id) > (floor.xid, floor.id)
        then last.xid::text || '.' || last.id::text else floor.xid::text || '.' || floor.id::text end,
    case when floor.xid is not null then
        greatest(floor.xid, (select xid from @outbox@ order by xid desc, id desc limit 1))
            >= pg_snapshot_xmax(pg_current_snapshot())
    end
from (select) one left join @floor@ floor on true left join lateral (
    select xid, id from @outbox@
    where xid < pg_snapshot_xmin(pg_current_snapshot()) order by xid desc, id desc limit 1
) last on true"""

_PUBLISH = """\
select (array_agg(cursor order by n))[count(*)] from (
    select n, @prefix@fraiseql_publish(event ->> 0, event -> 1, event ->> 2, event ->> 3) as cursor
    from jsonb_array_elements($1::jsonb) with ordinality events(event, n) order by n offset 0
) published"""

_PURGE = "select @prefix@fraiseql_purge(make_interval(secs => $1::float8))"

_CHECK = """\
select to_regclass(@outbox_name@) is not null and to_regprocedure(@publish_name@) is not null"""

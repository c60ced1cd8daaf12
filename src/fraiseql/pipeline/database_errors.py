"""What a client is told of an error of PostgreSQL, and which of its input's fields it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from fraiseql.effects import Program, Statement, fetch
from fraiseql.errors import DatabaseError, ErrorPlace, RequestError, SettingRefused, ValueRefused
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.failures import missing_setting
from fraiseql.schema.error_rules import FoundRule
from fraiseql.schema.model import SchemaModel

__all__ = ["Constraints", "Violated", "constraints_cache", "described", "told", "violated"]


class Violated(NamedTuple):
    """What was violated, as the catalog has it.

    Attributes:
        place: that of the error; of a partition's, that of the partitioned table, by its names.
        columns: which it is about, what its expressions read included.
    """

    place: ErrorPlace
    columns: tuple[str, ...]


Constraints: TypeAlias = Cache[ErrorPlace, Violated]

_MOST: Final = 1_000  # constraints that are kept; few schemas have more that are ever violated
_MAX_WEIGHT: Final = 1_048_576  # of their columns' names, in characters
_TOO_LONG: Final = ("57014", "25P03", "25P04")  # a statement, an idle transaction, a whole one
_TIMEOUT: Final = 5.0  # seconds; the catalogs are read in milliseconds


def constraints_cache() -> Constraints:
    """For a Planning: the constraints that were violated, by what errors say of them."""
    return Cache(_MOST, _MAX_WEIGHT)


def told(
    model: SchemaModel, error: Exception, hint: Mapping[str, Any], *, reading: bool = False
) -> tuple[RequestError, ValueRefused] | None:
    """What stands for an error of PostgreSQL, without its fields: a RequestError, and what the log is told.

    Args:
        error: of a query, or that a resolver let pass; one of another kind stands for itself.
        hint: entries of `extensions`: the request's id, under which the log has PostgreSQL's words.
        reading: whether nothing was written.

    Returns:
        None where the client is told nothing of it.
    """
    if not isinstance(error, DatabaseError):
        return None
    rule = _rule(model, error, reading=reading)
    if rule is None:
        return None
    entry = _entry(rule, rule.fields or (), hint, error)
    assert isinstance(entry.__cause__, ValueRefused)
    return entry, entry.__cause__


def described(
    model: SchemaModel,
    kept: Constraints,
    error: DatabaseError,
    field_names: Mapping[str, tuple[str, ...]],
    hint: Mapping[str, Any],
) -> Program[RequestError | None]:
    """What a mutation's client is told of an error; its transaction must be rolled back before this is asked.

    Args:
        kept: the constraints that were violated before.
        field_names: for each column, as `email`, `users.email` or `blog.users.email`, the names in GraphQL of the
            input's fields that are written to it; the longest that fits holds.
        hint: entries of `extensions`: the request's id, under which the log has PostgreSQL's words.

    Returns:
        A program that yields at most one Fetch, without a transaction, and returns the error without its path, whose
        `__cause__` is what the log is told; None where the client is told nothing of it.
    """
    place = error.place
    rule, known = _rule(model, error), _alone(place)
    may_name_another = place.constraint and model.errors.constraints and not model.errors.names(place)
    lacks_fields = field_names and rule is not None and rule.fields is None and not [*_fields(known, field_names)]
    if may_name_another or lacks_fields:
        known = yield from violated(kept, place)
        rule = _rule(model, error, whole=known.place)
    if rule is None:
        return None
    fields = rule.fields
    if fields is None:
        fields = tuple(dict.fromkeys(_fields(known, field_names)))
    return _entry(rule, fields, hint, error)


def violated(known: Constraints, place: ErrorPlace) -> Program[Violated]:
    """What the catalog has of the place of an error; the place alone where it has nothing, or cannot be asked."""
    alone = _alone(place)
    if not (place.schema and place.table and (place.constraint or place.column)):
        return alone
    found = known.get(place)
    if found is not None:
        return found
    names = (place.schema, place.table, place.constraint)
    try:
        (text,) = yield from fetch(_VIOLATED, tuple(name.encode() for name in names), _TIMEOUT)
    except DatabaseError:
        return alone  # the error itself matters more
    if text is None:
        return alone
    schema, table, constraint, columns = orjson.loads(text)
    found = Violated(ErrorPlace(schema, table, place.column, constraint), tuple(columns) or alone.columns)
    if known.get(place) is None:  # another program may have asked meanwhile
        known.put(place, found, sum(map(len, (*names, schema, table, constraint, *columns))))
    return found


def _rule(
    model: SchemaModel, error: DatabaseError, *, reading: bool = False, whole: ErrorPlace | None = None
) -> FoundRule | None:
    if isinstance(error, SettingRefused) or missing_setting(error) is not None:
        return None  # no statement has run: it is what was told of the caller that is wrong
    return model.errors.find(error, reading=reading, whole=whole)


def _alone(place: ErrorPlace) -> Violated:
    return Violated(place, (place.column,) if place.column else ())


def _fields(known: Violated, field_names: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    place = known.place
    for column in known.columns:
        for name in (f"{place.schema}.{place.table}.{column}", f"{place.table}.{column}", column):
            if name in field_names:
                yield from field_names[name]
                break


def _entry(rule: FoundRule, fields: tuple[str, ...], hint: Mapping[str, Any], error: DatabaseError) -> RequestError:
    message = rule.message
    if fields and rule.names_fields:
        message = f"{message.removesuffix('.')}: {', '.join(fields)}."
    extensions = {"fields": list(fields), **hint} if fields else hint
    entry = RequestError(message, code=rule.code, extensions=extensions)
    entry.__cause__ = _for_the_log(rule.code, error)
    return entry


def _for_the_log(code: str, error: DatabaseError) -> ValueRefused:
    # A privilege may be withheld from this caller, or have been forgotten; row-level security is there on purpose.
    is_forgotten = error.sqlstate == "42501" and error.source_file == "aclchk.c"
    text = f"the client is told {code}: {error} (SQLSTATE {error.sqlstate})"
    told = ValueRefused(text, doubtful=is_forgotten or error.sqlstate in _TOO_LONG)
    told.__cause__ = error
    return told


# PostgreSQL names a constraint, and its columns only in a text in the server's language. What is violated as unique is
# an index, with or without a constraint of its name; what it includes, and what its predicate reads, is no key of it.
# Of a partition it names the partition's own constraint or index, which descends from that of the whole table; a CHECK
# has one name in all.
_VIOLATED: Final = Statement(
    b"""\
with recursive owner as (
    select c.oid, coalesce(pg_partition_root(c.oid), c.oid) as whole
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = $2
), index as (
    select i.*, coalesce(pg_partition_root(x.oid), x.oid) as whole
    from owner join pg_index i on i.indrelid = owner.oid join pg_class x on x.oid = i.indexrelid and x.relname = $3
), descent as (
    select k.conname, k.conparentid from owner join pg_constraint k on k.conrelid = owner.oid and k.conname = $3
    union all
    select k.conname, k.conparentid from descent join pg_constraint k on k.oid = descent.conparentid
), numbered as (
    select key.number, key.place
    from index i cross join lateral unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) with ordinality key(number, place)
    union all
    select read[1]::int2, 32768 + place
    from index i
    cross join lateral regexp_matches(i.indexprs::text, ':varattno ([0-9]+)', 'g') with ordinality found(read, place)
    union all
    select key.number, key.place
    from owner join pg_constraint k on k.conrelid = owner.oid and k.conname = $3 and k.contype not in ('u', 'p', 'x')
    cross join lateral unnest(k.conkey) with ordinality key(number, place)
)
select (
    select json_build_array(n.nspname, c.relname, coalesce(
        (select conname from descent where conparentid = 0 limit 1),
        (select x.relname from index join pg_class x on x.oid = index.whole), $3
    ), (
        select coalesce(json_agg(a.attname order by n.place), '[]')
        from (select number, min(place) as place from numbered group by number) n
        join pg_attribute a on a.attrelid = owner.oid and a.attnum = n.number and a.attnum > 0
    ))
    from owner join pg_class c on c.oid = owner.whole join pg_namespace n on n.oid = c.relnamespace
)""",
    1,
)

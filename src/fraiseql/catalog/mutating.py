"""What mutations need of a database beside their functions and tables: the rules of its errors, and a table of keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import orjson

from fraiseql.catalog.findings import Finding, Severity, nearest
from fraiseql.effects import Fetch, Row, Statement
from fraiseql.schema.model import SchemaModel

__all__ = ["check_error_rules", "check_idempotency", "constraints_statement"]


def constraints_statement(model: SchemaModel) -> Fetch | None:
    """Asks for the constraints that `Schema(errors=...)` names; None where it names none."""
    names = model.errors.constraints
    return Fetch(_CONSTRAINTS, (orjson.dumps(names),)) if names else None


def check_error_rules(row: Row) -> Iterator[Finding]:
    """The rules whose constraint is nowhere, from the answer to `constraints_statement`."""
    missing, known = (orjson.loads(column or b"[]") for column in row)
    for name in missing:
        advice = nearest(name, known) or "take the rule out, unless a function names it by RAISE ... USING CONSTRAINT"
        found = f"there is no constraint or unique index {name}"
        yield Finding(Severity.WARNING, "Schema(errors=...)", found, advice)


def check_idempotency(table: str, remedy: str, row: Row) -> Iterator[Finding]:
    """What of the table of idempotency keys is missing.

    Args:
        table: its name.
        remedy: how it is made.
        row: whether it is there, and whether it may be written.
    """
    is_there, is_usable = (column == b"t" for column in row)
    if not is_there:
        found = f"the database has no table {table}: what comes with an Idempotency-Key is refused"
        yield Finding(Severity.WARNING, "mutations", found, remedy)
    elif not is_usable:
        found = f"the server's role may not select, insert, update and delete rows of {table}"
        yield Finding(Severity.WARNING, "mutations", found, "run `fraiseql idempotency --grant` with that role")


# An error names a constraint of a table, of a domain, or a unique index.
_CONSTRAINTS: Final = Statement(
    b"""\
with known as (
    select k.conname::text as name, c.relname::text as owner, n.nspname::text as schema
    from pg_constraint k join pg_namespace n on n.oid = k.connamespace left join pg_class c on c.oid = k.conrelid
    union
    select x.relname, c.relname, n.nspname
    from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
    join pg_namespace n on n.oid = c.relnamespace
    where i.indisunique or i.indisexclusion
), spelled as (
    select name as text from known
    union select owner || '.' || name from known
    union select schema || '.' || owner || '.' || name from known
), wanted as (
    select value as text, place from json_array_elements_text($1::json) with ordinality w(value, place)
), missing as (
    select text, place from wanted where text not in (select text from spelled where text is not null)
)
select (select json_agg(text order by place) from missing), case when exists (select from missing) then (
    select json_agg(distinct name) from known where schema !~ '^pg_|^information_schema$'
) end""",
    2,
)

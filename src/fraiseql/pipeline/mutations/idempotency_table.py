"""The table that keeps the answers of mutations by their idempotency keys: its name, and the SQL that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fraiseql.effects import Fetch, Statement
from fraiseql.errors import ConfigurationError
from fraiseql.pipeline.sql.quoting import identifier

__all__ = ["IdempotencyTable"]

_LONGEST_NAME: Final = 63  # bytes of an identifier in PostgreSQL; longer ones are cut off without a word
_INDEX: Final = "_created_at"


@dataclass(frozen=True, slots=True)
class IdempotencyTable:
    """Where the keys are kept.

    Attributes:
        name: as PostgreSQL spells it.
        schema: None for the first of the search path that has it.

    Raises:
        ConfigurationError: a name that PostgreSQL cannot hold.
    """

    name: str
    schema: str | None = None

    def __post_init__(self) -> None:
        _check_name("the table", self.name, _LONGEST_NAME - len(_INDEX))
        if self.schema is not None:
            _check_name("the schema", self.schema, _LONGEST_NAME)

    @classmethod
    def of(cls, text: str) -> IdempotencyTable:
        """What a setting names: `table` or `schema.table`; raises ConfigurationError."""
        *schema, name = text.split(".")
        if len(schema) > 1:
            raise ConfigurationError(f"mutation_idempotency_table is {text!r}; expected 'table' or 'schema.table'")
        return cls(name, *schema)

    @property
    def sql(self) -> str:
        """As SQL spells it."""
        prefix = "" if self.schema is None else f"{identifier(self.schema)}."
        return f"{prefix}{identifier(self.name)}"

    @property
    def remedy(self) -> str:
        """How it is made."""
        options = [f" --{option} {value}" for option, value in (("schema", self.schema),) if value is not None]
        if self.name != "fraiseql_idempotency":
            options.append(f" --table {self.name}")
        return f'make it with: fraiseql idempotency{"".join(options)} | psql "$FRAISEQL_DATABASE_URL"'

    def ddl(self, roles: Sequence[str] = ()) -> str:
        """The statements that make it, in one transaction; they keep what is there.

        Args:
            roles: who else than its owner shall write it: those that the server connects as.
        """
        index = identifier(f"{self.name}{_INDEX}")
        parts = [_DDL.format(table=self.sql, index=index)]
        for role in roles:
            if self.schema is not None:
                parts.append(f"grant usage on schema {identifier(self.schema)} to {identifier(role)};\n")
            parts.append(f"grant select, insert, update, delete on {self.sql} to {identifier(role)};\n")
        return "begin;\n\n" + "".join(parts) + "\ncommit;\n"

    def check(self) -> Fetch:
        """Whether the table is there, and whether the connection's role may write it."""
        return Fetch(_CHECK, (self.sql.encode(),))


def _check_name(what: str, name: str, longest: int) -> None:
    fits = "\0" not in name and 1 <= len(name.encode("utf-8", "replace")) <= longest
    if not fits or any("\ud800" <= character <= "\udfff" for character in name):
        raise ConfigurationError(f"{what} of idempotency keys is {name!r}, not a name of 1 to {longest} bytes")


_CHECK: Final = Statement(
    b"""\
select found is not null, found is not null and has_table_privilege(found, 'select')
    and has_table_privilege(found, 'insert') and has_table_privilege(found, 'update')
    and has_table_privilege(found, 'delete')
from to_regclass($1) found""",
    2,
)

_DDL: Final = """\
-- The answers of mutations that came with an Idempotency-Key: written in the mutation's own transaction, so that an
-- answer is kept if and only if what it tells of was done. Only who owns the table, and the server, need rights on it;
-- a role that a request takes on needs none.
create table if not exists {table} (
    scope bytea not null,
    key text not null,
    fingerprint bytea not null,
    body bytea,
    created_at timestamptz not null default clock_timestamp(),
    primary key (scope, key)
);
create index if not exists {index} on {table} (created_at);
revoke all on {table} from public;
"""

"""`fraiseql rls`: the SQL function by which policies of row-level security read what the caller's context holds."""

from __future__ import annotations

import argparse

from fraiseql.bus.ddl import quote_identifier
from fraiseql.cli.output import write
from fraiseql.pipeline.failures import MISSING_SETTING

__all__ = ["function_sql", "print_rls"]


def print_rls(options: argparse.Namespace) -> int:
    """Print the SQL; no database is asked."""
    write(function_sql(options.schema).rstrip())
    return 0


def function_sql(schema: str | None) -> str:
    """The statement that makes or renews the function.

    Args:
        schema: where it is; the first of the search path by default.
    """
    prefix = "" if schema is None else f"{quote_identifier(schema)}."
    return _TEMPLATE.replace("@prefix@", prefix).replace("@sqlstate@", MISSING_SETTING)


_TEMPLATE = """\
-- What FraiseQL tells of the caller, for policies of row-level security:
--     using (tenant_id = (select @prefix@fraiseql_setting('app.tenant_id')))
-- A setting that is missing is an error. current_setting(name, true) is null for one that was never set, but '' once
-- any transaction of the connection has set it: on a pooled connection a policy must take neither for a value.
create or replace function @prefix@fraiseql_setting(name text) returns text
language plpgsql stable parallel safe
as $fraiseql$
declare
    value constant text := pg_catalog.current_setting(name, true);
begin
    if value is null or value = '' then
        raise exception using
            errcode = '@sqlstate@', message = format('the setting %s is missing', name), column = coalesce(name, '');
    end if;
    return value;
end
$fraiseql$;
"""

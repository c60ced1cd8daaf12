"""The Python module that serves a database: the same text for the same facts, always."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from fraiseql.catalog.facts import Catalog
from fraiseql.catalog.layout import Bracket, assigned, assigned_call, comment, docstring, laid_out, quoted
from fraiseql.catalog.naming import Names, constant_case
from fraiseql.catalog.outline import EnumClass, Member, Outline, TableClass, outline

__all__ = ["generate_module"]

_INDENT: Final = "    "
_HEAD: Final = '''\
# mypy: disable-error-code="empty-body"
"""The tables and views of a database as GraphQL; `fraiseql introspect` wrote it."""

from __future__ import annotations
'''


def generate_module(catalog: Catalog) -> str | None:
    """A module with a class for each table and view, queries for them, and `schema`; None where nothing can be served.

    What no class can be made of is named in a comment.
    """
    plan = outline(catalog)
    if not plan.tables:
        return None
    parts = [
        *(_enum(each) for each in plan.enums),
        *itertools.chain.from_iterable(_table(each) for each in plan.tables),
    ]
    blocks = ["\n".join(part) for part in parts]
    left_out = "".join(comment(f"Left out: {each}") + "\n" for each in plan.left_out)
    last = f"{left_out}schema = fraiseql.Schema.from_module(sys.modules[__name__])"
    return "\n\n\n".join([f"{_HEAD}\n{_imports(plan)}", *blocks, last]) + "\n"


def _imports(plan: Outline) -> str:
    spellings = {member.spelling for table in plan.tables for member in table.members if member.spelling is not None}
    modules: dict[str, set[str]] = {"enum": {"Enum"}} if plan.enums else {}
    for spelling in spellings:
        if spelling.name:
            modules.setdefault(spelling.module, set()).add(spelling.name)
    plain = ["import datetime as dt"] if any(spelling.module == "datetime" for spelling in spellings) else []
    named = [f"from {module} import {', '.join(sorted(modules[module]))}" for module in sorted(modules)]
    return "\n".join([*plain, "import sys", *named, "", "import fraiseql"])


def _description(text: str | None) -> tuple[list[str], list[str]]:
    """A description as a docstring, or else as an argument."""
    lines = docstring(text)
    if lines is not None:
        return lines, []
    return [], [f"description={quoted(text)}"] if text else []


def _enum(each: EnumClass) -> list[str]:
    written, arguments = _description(each.type.comment)
    decorator = laid_out("@", Bracket("fraiseql.enum(", arguments, ")")) if arguments else ["@fraiseql.enum"]
    lines = [*decorator, f"class {each.name}(Enum):", *written, *([""] if written else [])]
    names = Names(camel=False)
    for label in each.type.labels:
        lines += assigned(names.give(constant_case(label)), quoted(label), _INDENT)
    return lines


def _table(each: TableClass) -> Iterator[list[str]]:
    written, description = _description(each.table.comment)
    arguments = [f"sql_source={quoted(each.source)}", "jsonb_column=None", *description]
    lines = [*laid_out("@", Bracket("fraiseql.type(", arguments, ")")), f"class {each.name}:"]
    lines += [*written, *([""] if written else [])]
    for member in each.members:
        lines += _member(member)
    yield lines
    yield ["@fraiseql.query", f"def {each.list_query}() -> list[{each.name}]: ..."]
    if each.row_query is not None:
        keys = {member.column.name: member for member in each.members if member.column is not None}
        parameters = [f"{keys[name].name}: {keys[name].annotation}" for name in each.table.primary_key]
        head = Bracket(f"def {each.row_query}(", parameters, f") -> {each.name} | None: ...")
        yield ["@fraiseql.query", *laid_out("", head)]


def _member(member: Member) -> list[str]:
    if member.left_out is not None:
        return [comment(member.left_out, _INDENT)]
    arguments: list[str | Bracket] = []
    function = "field"
    if member.on:
        function = "relation"
        if member.through:
            arguments += [f"through={quoted(member.through)}", _pairs("own", member.own)]
        arguments.append(_pairs("on", member.on))
    elif member.column is not None and member.column.name != member.name:
        arguments.append(f"column={quoted(member.column.name)}")
    if member.column is not None and member.column.comment:
        arguments.append(f"description={quoted(member.column.comment)}")
    declared = f"{member.name}: {member.annotation}"
    if not arguments:
        return [f"{_INDENT}{declared}"]
    return assigned_call(declared, Bracket(f"fraiseql.{function}(", arguments, ")"), _INDENT)


def _pairs(name: str, columns: tuple[tuple[str, str], ...]) -> Bracket:
    return Bracket(f"{name}={{", [f"{quoted(left)}: {quoted(right)}" for left, right in columns], "}", literal=True)

"""SQL that computes a field from the columns of its row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from fraiseql.errors import SchemaError
from fraiseql.schema.names import database_text, identifier

__all__ = ["Expression", "expression_of"]

_EXPECTED: Final = "an SQL expression, such as '{first_name} || {last_name}'"
_PLACE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# Texts and quoted names, whose characters mean nothing, and what ends an expression early.
_TOKEN: Final = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$).*?\1|(?<![\w$])\$\d+|--|/\*|[();'"]""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Expression:
    """An SQL expression over the columns of one row.

    Attributes:
        texts: the SQL around the columns, one more than there are columns.
        columns: in their order; one may be there several times.
        sql_type: what the value is cast to.
    """

    texts: tuple[str, ...]
    columns: tuple[str, ...]
    sql_type: str

    @property
    def template(self) -> str:
        """The SQL with the columns in braces."""
        texts = [text.replace("{", "{{").replace("}", "}}") for text in self.texts]
        return texts[0] + "".join(f"{{{column}}}{text}" for column, text in zip(self.columns, texts[1:], strict=True))

    def over(self, alias: str) -> str:
        """The SQL for a row under an alias."""
        return f"{self.uncast(alias)}::{self.sql_type}"

    def uncast(self, alias: str) -> str:
        """The same, of whatever type it is."""
        written = self.texts[0]
        for column, text in zip(self.columns, self.texts[1:], strict=True):
            quoted = column.replace('"', '""')
            written += f'{alias}."{quoted}"{text}'
        return f"({written})"


def expression_of(template: Any, sql_type: str, where: str) -> Expression:
    """Read a template: `{column}` is a column of the row, `{{` and `}}` are braces.

    Raises:
        SchemaError: it is none, or no single expression.
    """
    database_text(template, where, _EXPECTED)
    texts, columns, text, end = [], [], "", 0
    for match in _PLACE.finditer(template):
        text += template[end : match.start()]
        end = match.end()
        if match[0] in ("{{", "}}"):
            text += match[0][0]
        elif match[1] is None:
            raise SchemaError(where, found=f"a lone {match[0]} in sql={template!r}", expected="{column}, {{ or }}")
        else:
            columns.append(identifier(match[1], f"{where} (sql)"))
            texts.append(text)
            text = ""
    texts.append(text + template[end:])
    _check_single(texts, template, where)
    return Expression(tuple(texts), tuple(columns), sql_type)


def _check_single(texts: list[str], template: str, where: str) -> None:
    """That what stands behind the expression in a statement stays behind it, and its parameters stay the request's."""
    joined = "x".join(texts)
    if not joined.strip():
        raise SchemaError(where, found=f"sql={template!r}", expected=_EXPECTED)
    depth = 0
    for match in _TOKEN.finditer(joined):
        token = match[0]
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token in (";", "--", "/*", "'", '"') or (token[0] == "$" and token[1:].isdigit()) or depth < 0:
            raise SchemaError(where, found=f"{token} in sql={template!r}", expected="one expression, without comments")
    if depth:
        raise SchemaError(where, found=f"an open ( in sql={template!r}", expected="one expression")

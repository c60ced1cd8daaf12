"""Python text in the layout of `ruff format` with its own settings: 88 columns, double quotes."""

from __future__ import annotations

import inspect
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Bracket", "assigned", "assigned_call", "comment", "docstring", "laid_out", "quoted"]

_WIDTH: Final = 88
_STEP: Final = "    "
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


@dataclass(frozen=True, slots=True)
class Bracket:
    """Items between brackets.

    Attributes:
        literal: a dict or list, whose items never share a line of their own, as arguments may.
    """

    open: str
    items: Sequence[str | Bracket]
    close: str
    literal: bool = False

    def __str__(self) -> str:
        return f"{self.open}{', '.join(map(str, self.items))}{self.close}"


def laid_out(prefix: str, bracket: Bracket, indent: str = "", suffix: str = "") -> list[str]:
    """The lines of `prefix(items)suffix`: on one line, else the items on one, else each on its own."""
    line = f"{indent}{prefix}{bracket}{suffix}"
    if _width(line) <= _WIDTH or not bracket.items:
        return [line]
    inner = f"{indent}{_STEP}{', '.join(map(str, bracket.items))}"
    first, last = f"{indent}{prefix}{bracket.open}", f"{indent}{bracket.close}{suffix}"
    alone = bracket.open.startswith("def ") and len(bracket.items) == 1  # a lone parameter has its comma
    if not bracket.literal and not alone and _width(inner) <= _WIDTH:
        return [first, inner, last]
    lines = [first]
    for item in bracket.items:
        if isinstance(item, Bracket):
            lines += laid_out("", item, indent + _STEP, ",")
        else:
            lines.append(f"{indent}{_STEP}{item},")
    return [*lines, last]


def assigned_call(name: str, call: Bracket, indent: str) -> list[str]:
    """The lines of `name = call(...)`, in parentheses where not even the head of the call fits beside the name."""
    prefix = f"{name} = "
    lines = laid_out(prefix, call, indent)
    if _width(lines[0]) <= _WIDTH:
        return lines
    return [f"{indent}{prefix}(", *laid_out("", call, indent + _STEP), f"{indent})"]


def assigned(name: str, value: str, indent: str = "") -> list[str]:
    """The lines of `name = value`, in parentheses where only that makes it fit."""
    line = f"{indent}{name} = {value}"
    if _width(line) <= _WIDTH or _width(f"{indent}{_STEP}{value}") > _WIDTH:
        return [line]
    return [f"{indent}{name} = (", f"{indent}{_STEP}{value}", f"{indent})"]


def quoted(text: str) -> str:
    """A text as a literal."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(each, quote) for each in text) + quote


def docstring(text: str | None, indent: str = _STEP) -> list[str] | None:
    """The lines of a docstring that means just this text, None where none does."""
    if not text or text != text.strip() or any(each in text for each in ('"""', "\\")) or text[0] == '"':
        return None
    lines = text.split("\n")
    wide = max(_width(line) for line in lines) + len(indent) + 6 > _WIDTH
    if wide or text[-1] == '"' or not all(line.isprintable() and line == line.rstrip() for line in lines):
        return None
    first, *rest = lines
    shown = [f'{indent}"""{first}', *(f"{indent}{line}" if line else "" for line in rest)]
    if inspect.cleandoc("\n".join(shown)[len(indent) + 3 :]) != text:
        return None
    return [f'{shown[0]}"""'] if not rest else [*shown, f'{indent}"""']


def comment(text: str, indent: str = "") -> str:
    """One line, whatever the text."""
    shown = "".join(each if each.isprintable() else _escaped(each, "") for each in text)
    return f"{indent}# {shown}".rstrip()


def _escaped(each: str, quote: str) -> str:
    if each in _ESCAPES:
        return _ESCAPES[each]
    if each == quote:
        return f"\\{each}"
    if each.isprintable():
        return each
    code = ord(each)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF") for each in text)

"""The texts that a value inside jsonb may have, by the SQL type that it is read as.

PostgreSQL's casts read more than one would call a value of the type: `now` is a timestamp, `["2024-01-05"]` a date,
base64 is some other bytes. What is no clear value is none; and what fits, the cast must be able to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from types import MappingProxyType
from typing import Final, TypeAlias

from fraiseql.pipeline.sql.quoting import literal

__all__ = ["Condition", "TextForm", "form_of"]

Condition: TypeAlias = "Callable[[str], str]"
"""Makes an SQL condition on a text, which is never an error."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """What texts are values of an SQL type.

    Attributes:
        fits: that the text is a value, which the cast can read.
        guard: what a text must meet before it is cast, where the cast alone would read too much: quick, since it is in
            every statement. What both let through is what `fits` does, but for freaks such as `0e999999`.
        is_text: whether a text of nearly any form is a value, so that an object or a list could be taken for one.
    """

    fits: Condition
    guard: Condition | None = None
    is_text: bool = False


def _matching(pattern: str) -> Condition:
    whole = literal(f"^(?:{pattern})$")
    return lambda text: f"{text} ~ {whole}"


def _both(first: Condition, then: Condition) -> Condition:
    """The second is only evaluated where the first holds."""
    return lambda text: f"(case when {first(text)} then {then(text)} else false end)"


def _shorter(than: int) -> Condition:
    return lambda text: f"length({text}) < {than}"


def _either(*conditions: Condition) -> Condition:
    return lambda text: f"({' or '.join(condition(text) for condition in conditions)})"


def _since_16(condition: Condition) -> Condition:
    return _both(lambda _: "current_setting('server_version_num')::int4 >= 160000", condition)


_HEX: Final = "[0-9a-fA-F]"


def _number(pattern: str, shorter_than: int = 16_000) -> Condition:
    """With spaces around it, as isspace() of C knows them; too short for numeric's limit of 16,383 decimal places."""
    space = r"[ \t\n\r\f\v]*"
    return _both(_shorter(shorter_than), _matching(f"{space}[+-]?(?:{pattern}){space}"))


_DIGITS: Final = "[0-9](?:_?[0-9])*"
_BASED: Final = f"0[xX](?:_?{_HEX})+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+"
_INTEGER: Final = _either(_number("[0-9]+"), _since_16(_number(f"{_BASED}|{_DIGITS}")))
_PLAIN: Final = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_SIMPLE_DECIMAL: Final = _either(
    _number(_PLAIN), _number(rf"{_PLAIN}[eE](?:-0*[0-9]{{1,4}}|\+?0*[0-9]{{1,5}})", shorter_than=6_000)
)
_DECIMAL: Final = _either(
    _SIMPLE_DECIMAL,
    _since_16(_number(_BASED)),
    _since_16(
        _number(rf"(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?[0-9](?:_?[0-9]){{0,3}})?", shorter_than=6_000)
    ),
)


def _integer(bits: int) -> TextForm:
    largest = 2 ** (bits - 1) - 1
    return TextForm(_both(_INTEGER, lambda text: f"{text}::numeric between {-largest - 1} and {largest}"))


def _between(least: str, most: str) -> Condition:
    """Numbers are rounded to a float, but neither to an infinity nor to 0 (IEEE 754)."""

    def inside(text: str) -> str:
        size = f"abs({text}::numeric)"
        return f"({size} < {most} and ({size} > {least} or {size} = 0))"

    return inside


def _numeric(precision: int, scale: int) -> TextForm:
    """PostgreSQL §8.1.2: rounded to the scale, and then with no more digits than the precision."""
    return TextForm(_both(_DECIMAL, lambda text: f"abs(round({text}::numeric, {scale})) < 1e{precision - scale}"))


_HEX_DOUBLE: Final = (
    rf"0[xX](?:{_HEX}{{1,100}}\.?{_HEX}{{0,100}}|\.{_HEX}{{1,100}})(?:[pP][+-]?[0-9]{{1,2}})?"  # C, strtod()
)
_SINGLE: Final = _both(_SIMPLE_DECIMAL, _between("7.006492321624086e-46", "3.4028235677973366e38"))
_DOUBLE: Final = _either(
    _both(_SIMPLE_DECIMAL, _between("2.470328229206232721e-324", "1.797693134862315807e308")), _number(_HEX_DOUBLE)
)

_TRUTHS: Final = "t,tr,tru,true,y,ye,yes,on,1,f,fa,fal,fals,false,n,no,of,off,0"  # PostgreSQL §8.6
_UUID: Final = f"{_HEX}{{4}}(?:-?{_HEX}{{4}}){{7}}"  # PostgreSQL §8.12

_YEAR: Final = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP_YEAR: Final = (
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"  # one in four, but ...
)
_DATE: Final = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_MINUTES: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_MIDNIGHT: Final = r"24:00(?::00(?:\.0{0,20})?)?"
_NEXT_DAY: Final = r"^24|^23:59:(60|59[.]999999[5-9])"  # as a time of day, 24:00:00
_TIME: Final = rf"{_MINUTES}(?::(?:[0-5][0-9]|60)(?:\.[0-9]{{0,20}})?)?"
_CLOCK: Final = rf"(?:{_MINUTES}(?::(?:[0-5][0-9](?:\.[0-9]{{0,20}})?|60(?:\.0{{0,20}})?))?|{_MIDNIGHT})"
_OFFSET: Final = "(?: ?(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9](?::?[0-5][0-9])?)?))"
_LOCAL: Final = f"{_DATE}(?:[T ]{_CLOCK})?"
_MOMENT: Final = f"{_DATE}(?:[T ]{_CLOCK}{_OFFSET}?)?"


def _like_a_moment(text: str) -> str:
    return f"{text} like any ('{{____-__-__,____-__-__T__:__%,____-__-__ __:__%}}') and {text} !~ '[^0-9TZ :.+-]'"


def _like_a_date(text: str) -> str:
    return f"{text} like '____-__-__' and {text} !~ '[^0-9-]'"


def _like_a_time(text: str) -> str:
    return f"{text} like '__:__%' and {text} !~ '[^0-9:.]|{_NEXT_DAY}'"


def _interval() -> str:
    """ISO 8601, and PostgreSQL's own style, the parts in their order and none so long that their sum is too long."""
    short, long = "-?[0-9]{1,8}", "-?[0-9]{1,9}"
    date = f"(?:{short}Y)?(?:{short}M)?(?:{short}W)?(?:{long}D)?"
    time = rf"T(?=[0-9-])(?:{long}H)?(?:{short}M)?(?:{short}(?:\.[0-9]{{1,6}})?S)?"
    clock = r"[+-]?[0-9]{1,9}:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
    units = (f"{short} years?", f"{short} mons?", f"{long} days?")
    spelled = "|".join(" ".join(some) for size in (1, 2, 3) for some in combinations(units, size))
    return f"P(?=[0-9T-]){date}(?:{time})?|(?:{spelled})(?: {clock})?|{clock}"


def _address() -> str:
    """RFC 4291 §2.2, and an IPv4 address as the last two groups."""
    byte, group = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])", f"{_HEX}{{1,4}}"
    v4 = rf"{byte}(?:\.{byte}){{3}}"
    forms = [f"(?:{group}:){{7}}{group}", f"(?:{group}:){{6}}{v4}"]
    for before in range(8):
        head = f"(?:{group}:){{{before - 1}}}{group}" if before else ""
        # A gap stands for one group at least.
        forms.append(f"{head}::(?:{group}(?::{group}){{0,{6 - before}}})?" if before < 7 else f"{head}::")
        if before <= 5:
            forms.append(f"{head}::(?:{group}:){{0,{5 - before}}}{v4}")
    return f"{v4}(?:/(?:[12]?[0-9]|3[0-2]))?|(?:{'|'.join(forms)})(?:/(?:1[01][0-9]|12[0-8]|[1-9]?[0-9]))?"


def _is_network(text: str) -> str:
    """No bit of the host is set."""
    return f"network({text}::inet) = {text}::inet"


_WORD: Final = r"(?:'(?:[^'\\]|''|\\.)+'|(?:[^'\\[:space:]]|\\.)(?:[^\\:[:space:]]|\\.)*)"
_PLACE: Final = "0*[1-9][0-9]{0,4}[a-dA-D]?"
_PLACES: Final = f"(?::{_PLACE}(?:,{_PLACE})*)?"
_TSVECTOR: Final = f"[[:space:]]*(?:{_WORD}{_PLACES}(?:[[:space:]]+{_WORD}{_PLACES})*)?[[:space:]]*"
_LABEL: Final = "[[:alnum:]_-]{1,255}"


def _range(bound: str, sql_type: str, also: Condition | None = None) -> TextForm:
    """A range whose bounds are of a type and in their order; `also` is a further condition."""
    end = f'(?:{bound}|"{bound}")?'
    written = _matching(rf"[\[(]{end},{end}[])]")

    def ordered(text: str) -> str:
        low, high = _bounds(text)
        condition = f"coalesce({low}::{sql_type} <= {high}::{sql_type}, true)"
        return condition if also is None else f"({condition} and {also(text)})"

    whole = _both(written, ordered)
    fits: Condition = lambda text: f"({text} = 'empty' or {whole(text)})"  # noqa: E731
    return TextForm(fits, fits)


def _bounds(text: str) -> tuple[str, str]:
    low, high = (f"nullif(trim('\"[]()' from split_part({text}, ',', {place})), '')" for place in (1, 2))
    return low, high


def _integers(bits: int) -> TextForm:
    """A bound that is made to be the next number must have one."""
    largest = 2 ** (bits - 1) - 1

    def inside(text: str) -> str:
        low, high = _bounds(text)
        after_low, to_high = f"({text} like '(%')::int4", f"({text} like '%]')::int4"
        return (
            f"coalesce({low}::numeric between {-largest - 1} and {largest} - {after_low}, true) and "
            f"coalesce({high}::numeric between {-largest - 1} and {largest} - {to_high}, true)"
        )

    return _range("[+-]?[0-9]{1,20}", "numeric", inside)


def _strict(fits: Condition) -> TextForm:
    return TextForm(fits, fits)


_BITS: Final = TextForm(_matching(f"[bB]?[01]*|[xX]{_HEX}*"))
_ANY_TEXT: Final = TextForm(lambda _: "true", is_text=True)
_OCTETS: Final = f"{_HEX}{{2}}(?:(?::{_HEX}{{2}}){{7}}|(?:-{_HEX}{{2}}){{7}})"

_FORMS: Final[Mapping[str, TextForm]] = MappingProxyType(
    {
        "int2": _integer(16),
        "int4": _integer(32),
        "int8": _integer(64),
        "numeric": TextForm(_DECIMAL),
        "float4": TextForm(_SINGLE),
        "float8": TextForm(_DOUBLE),
        "varchar": _ANY_TEXT,
        "bpchar": _ANY_TEXT,
        "citext": _ANY_TEXT,
        "bit": _BITS,
        "varbit": _BITS,
        "timestamp": TextForm(_matching(_MOMENT), _like_a_moment),
        "macaddr8": TextForm(_matching(_OCTETS)),
        "boolean": TextForm(lambda text: f"lower(trim(E' \\t\\n\\r\\f\\v' from {text})) = any ('{{{_TRUTHS}}}')"),
        "uuid": TextForm(_matching(rf"{_UUID}|\{{{_UUID}\}}")),
        "timestamptz": TextForm(_matching(_MOMENT), _like_a_moment),
        "date": TextForm(_matching(_DATE), _like_a_date),
        "time": TextForm(_both(_like_a_time, _matching(_TIME)), _like_a_time),
        "interval": _strict(_matching(_interval())),
        "bytea": _strict(_matching(rf"\\x(?:{_HEX}{{2}})*")),
        "inet": _strict(_matching(_address())),
        "cidr": _strict(_both(_matching(_address()), _is_network)),
        "macaddr": _strict(_matching(f"{_HEX}{{2}}(?:(?::{_HEX}{{2}}){{5}}|(?:-{_HEX}{{2}}){{5}})")),
        "ltree": TextForm(_both(_shorter(65_536), _matching(rf"(?:{_LABEL}(?:\.{_LABEL})*)?"))),
        "tsvector": TextForm(_matching(_TSVECTOR), is_text=True),
        "int4range": _integers(32),
        "int8range": _integers(64),
        "numrange": _range("[+-]?(?:[0-9]{1,255}(?:[.][0-9]{1,255})?)", "numeric"),
        "daterange": _range(f"(?:{_DATE}|-?infinity)", "date"),
        "tsrange": _range(f"(?:{_LOCAL}|-?infinity)", "timestamp"),
        "tstzrange": _range(f"(?:{_MOMENT}|-?infinity)", "timestamptz"),
    }
)
_ALIASES: Final = MappingProxyType(
    {
        "smallint": "int2",
        "int": "int4",
        "integer": "int4",
        "bigint": "int8",
        "decimal": "numeric",
        "real": "float4",
        "float": "float8",
        "double precision": "float8",
        "bool": "boolean",
        "char": "bpchar",
        "character": "bpchar",
    }
)  # PostgreSQL §8, table 8.1
_SQL_TYPE: Final = re.compile(r"(?:pg_catalog\.)?([a-z_0-9]+(?: precision)?)(?:\(([0-9]+)(?:, ?([0-9]+))?\))?")


@cache
def form_of(sql_type: str) -> TextForm | None:
    """The texts of a type, as a schema names it: what numbers in parentheses it has cut or round a value, but for one.

    None where only PostgreSQL knows them: a domain, say, or `money`, whose texts depend on a setting.
    """
    match = _SQL_TYPE.fullmatch(sql_type)
    if match is None:
        return None
    name, first, second = match.groups()
    name = _ALIASES.get(name, name)
    if first is not None and name == "numeric":
        return _numeric(int(first), int(second or 0))
    return None if first is not None and name == "float8" else _FORMS.get(name)

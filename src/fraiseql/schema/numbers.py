"""Numbers of JSON and of GraphQL literals that keep their digits on the way to PostgreSQL."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["JSONFloat", "has_floats", "json_text", "marked", "plain", "read_json", "stored_number"]

_EXACT: Final = ("Decimal", "BigInt")  # whose canonical values are texts of numbers


class JSONFloat(float):
    """A number with a fraction or an exponent as it was written: a float for calculations, and its text for SQL.

    Attributes:
        text: empty where only the float is known.
    """

    __slots__ = ("text",)

    text: str

    def __new__(cls, number: str | float) -> JSONFloat:
        made = super().__new__(cls, number)
        made.text = number if isinstance(number, str) else ""
        return made

    def __repr__(self) -> str:
        return self.text or super().__repr__()


def read_json(text: bytes | str) -> Any:
    """Read JSON whose numbers keep their digits; raises ValueError."""
    return json.loads(text, parse_float=JSONFloat)


def has_floats(value: Any) -> bool:
    """Whether a number in decoded JSON may have lost digits."""
    return _has(value, float)


def _has(value: Any, wanted: type[float]) -> bool:
    kind = type(value)
    if kind is dict:
        return any(_has(each, wanted) for each in value.values())
    return any(_has(each, wanted) for each in value) if kind is list else kind is wanted


def marked(value: Any) -> Any:
    """Decoded JSON whose floats are JSONFloats without a text: no more is known of them."""
    return _converted(value, float, JSONFloat)


def plain(value: Any) -> Any:
    """The same with floats for JSONFloats, as Python code expects them."""
    return _converted(value, JSONFloat, float)


def _converted(value: Any, kind: type[float], to: type[float]) -> Any:
    if isinstance(value, dict):
        return {key: _converted(each, kind, to) for key, each in value.items()}
    if isinstance(value, list):
        return [_converted(each, kind, to) for each in value]
    return to(value) if type(value) is kind else value


def json_text(value: Any) -> str:
    """JSON with all digits of its numbers."""
    return _text(value) if _has(value, JSONFloat) else json.dumps(value)


def _text(value: Any) -> str:
    if isinstance(value, JSONFloat):
        return repr(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {_text(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return json.dumps(value)


def stored_number(scalar: str, value: Any) -> Any:
    """A coerced value of the scalar of that name as jsonb holds it: a number for the text of one."""
    return JSONFloat(value) if scalar in _EXACT and isinstance(value, str) else value

"""Payloads of events as JSON: every digit of a number is kept, and nothing becomes null without a word."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any

import orjson

__all__ = ["decode_payload", "encode_number", "encode_payload"]

_INT_MIN, _INT_MAX, _INT_DIGITS = -(2**63), 2**64 - 1, 20


def encode_payload(payload: Any) -> bytes:
    """A payload as JSON; a Decimal is a number.

    Raises:
        TypeError: it is nothing that JSON can hold, or holds a number that is not finite.
    """
    try:
        body = orjson.dumps(payload, default=encode_number)
    except (TypeError, RecursionError) as error:
        raise TypeError(f"the payload of an event must be what JSON can hold: {error}") from None
    if b"null" in body and not _is_finite(payload):  # orjson writes NaN and infinities so
        raise TypeError("the payload of an event must be what JSON can hold: a number is not finite")
    return body


def decode_payload(text: str | bytes) -> Any:
    """A payload of JSON; numbers keep all their digits, as int or Decimal."""
    return json.loads(text, parse_float=Decimal, parse_int=_whole)


def _whole(text: str) -> int | Decimal:
    """An int of 64 bits, or a Decimal: that is what can be written as JSON again."""
    if len(text) <= _INT_DIGITS and _INT_MIN <= (number := int(text)) <= _INT_MAX:
        return number
    return Decimal(text)


def encode_number(value: Any) -> orjson.Fragment:
    """A Decimal as a JSON number, for `orjson.dumps(default=...)`; raises TypeError for anything else."""
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{value!r} is not JSON" if isinstance(value, Decimal) else f"{type(value).__name__} is not JSON")


def _is_finite(value: Any) -> bool:
    """Whether all numbers are, in what orjson takes: it bounds the depth."""
    if isinstance(value, float):
        return isfinite(value)
    return all(_is_finite(each) for each in _within(value))


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, Enum):
        return (value.value,)
    if is_dataclass(value) and not isinstance(value, type):
        return (getattr(value, each.name, None) for each in fields(value))
    return ()

"""Values in Python: how each scalar is held in jsonb, given by a request, compared, ordered and shown."""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple
from uuid import UUID

from fraiseql.schema.model import EnumType, Field, ObjectType, SchemaModel, TypeReference
from fraiseql.schema.scalar import Scalar
from fraiseql.schema.scalars import SCALARS
from golden.oracle.networks import NetworkKey, network_text, read_interface
from golden.oracle.ranges import RANGES, Range

__all__ = ["JSON_NULL", "KINDS", "MISSING", "Interval", "Kind", "Range", "Record", "Values", "in_utc"]

JSON_NULL: Final = Enum("JsonNull", "NULL").NULL  # type: ignore[attr-defined]
"""JSON's null in a jsonb column, where None is SQL's."""
MISSING: Final = object()


class Interval(NamedTuple):
    """As PostgreSQL holds it."""

    months: int = 0
    days: int = 0
    microseconds: int = 0


def _as_it_is(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """One scalar.

    Attributes:
        held: from what jsonb holds.
        given: from what a request gives, as the scalar's `parse` leaves it; raises ValueError.
        shown: what JSON holds of it in an answer.
        key: of two values, equal keys where they are equal, and in their order.
    """

    held: Callable[[Any], Any] = _as_it_is
    given: Callable[[Any], Any] = _as_it_is
    shown: Callable[[Any], Any] = _as_it_is
    key: Callable[[Any], Any] = _as_it_is


def in_utc(moment: dt.datetime) -> dt.datetime:
    """Without an offset it is in UTC."""
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _moment(text: str) -> dt.datetime:
    return in_utc(dt.datetime.fromisoformat(text))


def _shown_moment(moment: dt.datetime) -> str:
    return f"{_without_zeros(moment.astimezone(dt.UTC).replace(tzinfo=None))}+00:00"


def _without_zeros(value: dt.datetime | dt.time) -> str:
    """PostgreSQL shows a fraction of a second without the zeros at its end."""
    text = value.isoformat()
    return text.rstrip("0") if "." in text else text


_DURATION: Final = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?"
)
_MINUTE: Final = 60_000_000


def _interval(text: str) -> Interval:
    match = _DURATION.fullmatch(text)
    assert match is not None, text
    years, months, days, hours, minutes = (int(part or 0) for part in match.groups()[:5])
    seconds = int(Decimal(match[6] or 0) * 1_000_000)
    return Interval(12 * years + months, days, (60 * hours + minutes) * _MINUTE + seconds)


def _shown_interval(value: Interval) -> str:
    """ISO 8601, each part with a sign of its own."""

    def part(number: Any, letter: str, total: int) -> str:
        return f"{'-' if total < 0 else ''}{number}{letter}" if number else ""

    months, days, microseconds = value
    date = part(abs(months) // 12, "Y", months) + part(abs(months) % 12, "M", months) + part(abs(days), "D", days)
    rest = abs(microseconds) % _MINUTE
    seconds = f"{Decimal(rest) / 1_000_000:f}" if rest else ""
    minutes = abs(microseconds) // _MINUTE
    time = part(minutes // 60, "H", microseconds) + part(minutes % 60, "M", microseconds)
    time += part(seconds, "S", microseconds)
    return "P" + date + f"T{time}" * bool(time) if date or time else "PT0S"


def _span(value: Interval) -> int:
    """PostgreSQL §9.9: a month counts as 30 days, a day as 24 hours."""
    return (value.months * 30 + value.days) * 1_440 * _MINUTE + value.microseconds


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))


def _words(vector: tuple[str, ...]) -> str:
    """A tsvector of these words."""
    places = {
        word: [str(place) for place, each in enumerate(vector, 1) if each == word] for word in sorted(set(vector))
    }
    return " ".join(f"'{word}':{','.join(numbers)}" for word, numbers in places.items())


def _vector(text: str) -> tuple[str, ...]:
    found = re.findall(r"'(\w+)':([\d,]+)", text)
    return tuple(word for _, word in sorted((int(place), word) for word, at in found for place in at.split(",")))


def _as_text(value: Any) -> str:
    """As `->>` gives it."""
    return value if isinstance(value, str) else str(value)


def _shown_json(value: Any) -> Any:
    """The order in which jsonb keeps keys: short ones first, then by their bytes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _shown_json(value[key]) for key in keys}
    if isinstance(value, Decimal):
        return float(value)
    return [_shown_json(item) for item in value] if isinstance(value, list) else None if value is JSON_NULL else value


KINDS: Final[Mapping[str, Kind]] = {
    "String": Kind(_as_text),
    "ID": Kind(_as_text, shown=str),
    "Int": Kind(int),
    "Float": Kind(float, float),
    "Boolean": Kind(),
    "UUID": Kind(UUID, UUID, str),
    "DateTime": Kind(_moment, _moment, _shown_moment),
    "Date": Kind(dt.date.fromisoformat, dt.date.fromisoformat, dt.date.isoformat),
    "Time": Kind(dt.time.fromisoformat, dt.time.fromisoformat, _without_zeros),
    "Decimal": Kind(lambda held: Decimal(str(held)), Decimal, lambda number: f"{number:f}"),
    "JSON": Kind(lambda held: JSON_NULL if held is None else held, shown=_shown_json),
    "BigInt": Kind(int, int, str),
    "Interval": Kind(_interval, _interval, _shown_interval, _span),
    "Bytes": Kind(_bytes, _bytes, lambda value: base64.b64encode(value).decode()),
    "TSVector": Kind(_vector, shown=_words),
    "IP": Kind(read_interface, read_interface, network_text, NetworkKey),
    "CIDR": Kind(read_interface, read_interface, lambda value: network_text(value, always=True), NetworkKey),
    "MAC": Kind(),
    **{name: Kind(parts.read, parts.read, parts.shown, Range.key) for name, parts in RANGES.items()},
}
_ENUM: Final = Kind(key=lambda value: value.value if isinstance(value, Enum) else value)


@dataclass(frozen=True, slots=True)
class Record:
    """Where an object's fields are: in the columns of a row, in its document, or in one without a row."""

    columns: Mapping[str, Any] | None
    document: Any = None

    def __getitem__(self, column: str) -> Any:
        assert self.columns is not None
        return self.columns[column]


class Values:
    """Reads the values of a schema's fields from records."""

    def __init__(self, model: SchemaModel, own: Mapping[str, Kind] | None = None) -> None:
        self._model = model
        self._kinds = {**KINDS, **(own or {})}

    def kind(self, name: str) -> Kind:
        """Of a scalar or enum."""
        return _ENUM if isinstance(self._model.types.get(name), EnumType) else self._kinds[name]

    def raw(self, field: Field, record: Record) -> tuple[Any, bool]:
        """A field as it is stored, and whether that is in jsonb; MISSING where the document has no such key.

        One that SQL computes stands in the row under its attribute's name.
        """
        if field.expression is not None:
            assert record.columns is not None
            return record.columns[field.attribute], False
        if field.column is not None and record.columns is not None:
            return record.columns[field.column], False
        return record.document.get(field.key, MISSING), True

    def native(self, field: Field, record: Record) -> Any:
        """A field of scalars or enums as a native value; None is null."""
        raw, is_json = self.raw(field, record)
        if raw is MISSING or (raw is None and field.type.item is not None):
            return None
        return self._held(field.type, raw) if is_json else raw

    def _held(self, reference: TypeReference, raw: Any) -> Any:
        if reference.item is not None:
            return None if raw is None else [self._held(reference.item, item) for item in raw]
        return None if raw is None and reference.name != "JSON" else self.kind(reference.name).held(raw)

    def shown(self, reference: TypeReference, native: Any) -> Any:
        """As graphql-core takes it."""
        if native is None:
            return None
        if reference.item is not None:
            return [self.shown(reference.item, item) for item in native]
        kind = self.kind(reference.name)
        return kind.key(native) if kind is _ENUM else kind.shown(native)

    def same_key(self, field: Field, native: Any) -> Hashable:
        """The same for equal values, and only for these."""
        key = self.order_key(field, native)
        return key if isinstance(key, Hashable) else str(self.shown(field.type, native))

    def order_key(self, field: Field, native: Any) -> Any:
        """What a list is ordered by: an enum of PostgreSQL as its values were declared."""
        if isinstance(native, Enum):
            return list(type(native)).index(native)
        return self.kind(field.type.name).key(native)

    def given(self, field: Field, record: Record, given: Any) -> Any:
        """A request's value in the form of the field's; raises ValueError where its column cannot hold it."""
        kind = self.kind(field.type.named)
        return int(given) if isinstance(self.native(field, record), int) and kind is KINDS["ID"] else kind.given(given)

    def embedded(self, field: Field, record: Record) -> Any:
        """An object inside jsonb, or a list of them, as records."""
        raw, _ = self.raw(field, record)
        return self._records(field.type, None if raw is MISSING or raw is JSON_NULL else raw)

    def _records(self, reference: TypeReference, raw: Any) -> Any:
        if raw is None:
            return None
        if reference.item is not None:
            return [self._records(reference.item, item) for item in raw]
        return Record(None, raw)

    def is_scalar(self, field: Field) -> bool:
        """Whether it has one value that is no object."""
        return field.type.item is None and not isinstance(self._model.types[field.type.named], ObjectType)

    def scalar(self, name: str) -> Scalar | EnumType:
        """The declared type."""
        found = self._model.types.get(name) or SCALARS[name]
        assert isinstance(found, (Scalar, EnumType))
        return found

"""What a PostgreSQL function returned, read: rows, or a result with a status that decides which member answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from fraiseql.errors import FraiseQLError
from fraiseql.payloads import decode_payload
from fraiseql.schema.model import ObjectType

__all__ = ["Defect", "Result", "key_of", "read_result", "read_returned", "status_of"]

_DONE: Final = ("created", "updated", "deleted", "success")
_MESSAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NOOP": "Nothing was changed.",
        "VALIDATION": "The input is not valid.",
        "NOT_FOUND": "There is nothing like that.",
        "CONFLICT": "This is in conflict with something that is there.",
        "UNAUTHORIZED": "You have to sign in for this.",
        "FORBIDDEN": "You may not do this.",
        "TIMEOUT": "This took too long.",
        "FAILED": "This could not be done.",
    }
)
_SEPARATOR: Final = re.compile(r"[,;\s]+")


class Defect(FraiseQLError):
    """A function returned what it should not: for the log; the client is told of an internal error."""


@dataclass(frozen=True, slots=True)
class Result:
    """A result.

    Attributes:
        status: as the function spells it.
        code: of an error; None where all went well.
        is_deleted: whether the entity is no row any more.
        named: the names in the status that may be of input fields.
        values: the parts, by the names of their columns or keys.
    """

    status: str
    code: str | None = None
    is_deleted: bool = False
    named: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def message(self) -> str | None:
        """For the client; an error has one in any case."""
        given = self.values.get("message")
        if given is not None and not isinstance(given, str):
            raise Defect("the message is no text")
        return given if given is not None or self.code is None else _MESSAGES.get(self.code, "This could not be done.")

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Empty where there is none."""
        found = self.values.get("metadata")
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise Defect("the metadata is no object")
        return found

    @property
    def blamed(self) -> tuple[str, ...]:
        """The names of fields in the metadata, as a list or as the keys of an object."""
        found = self.metadata.get("fields")
        names = [found] if isinstance(found, str) else list(found) if isinstance(found, (list, dict)) else []
        if not all(isinstance(name, str) for name in names):
            raise Defect("the fields in the metadata are no names")
        return tuple(names)


def read_returned(text: bytes | None) -> list[Any]:
    """What a call returned: an object for each row, or a value for each scalar, None for NULL; raises Defect."""
    try:
        found = decode_payload(text or b"[]")
    except (ValueError, RecursionError) as error:
        raise Defect(f"what it returned cannot be read: {error}") from error
    assert isinstance(found, list)
    return found


def read_result(returned: list[Any]) -> Result | None:
    """The only result; None where there is none; raises Defect."""
    if len(returned) > 1:
        raise Defect(f"it returned {len(returned)} results")
    value = returned[0] if returned else None
    if value is None:
        return None
    values = {"status": value} if isinstance(value, str) else value  # of a single column there is no name
    if not isinstance(values, dict):
        raise Defect("what it returned is neither a row nor a jsonb object")
    status = values.get("status")
    if not isinstance(status, str):
        raise Defect("its result has no status" if status is None else "its status is no text")
    return status_of(status, values)


def status_of(status: str, values: Mapping[str, Any]) -> Result:
    """What a status says; raises Defect where it says nothing that is known."""
    word, colon, detail = status.strip().partition(":")
    word = word.strip().lower().replace("-", "_")
    if word in _DONE and not colon:
        return Result(status, None, word == "deleted", (), values)
    if word.upper() in _MESSAGES:
        names = tuple(name for name in _SEPARATOR.split(detail) if name)
        return Result(status, word.upper(), False, names, values)
    raise Defect(f"the status {status[:200]!r} is none that is known")


def key_of(target: ObjectType, value: Any) -> str | None:
    """The id of a row in PostgreSQL's text format: of one with columns, of a document, or alone; None where it is null.

    Raises:
        Defect: there is none.
    """
    field, source = target.identity, target.source
    assert field is not None
    assert source is not None
    if isinstance(value, dict):
        document = value.get(source.jsonb_column) if source.jsonb_column is not None else None
        if field.column is not None and field.column in value:
            value = value[field.column]
        elif isinstance(document, dict) and field.key in document:
            value = document[field.key]
        elif field.key in value:
            value = value[field.key]
        else:
            raise Defect(f"a row of {target.name} has no id")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    raise Defect(f"the id of a row of {target.name} is no scalar")

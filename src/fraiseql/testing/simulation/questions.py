"""What a client asks, how it is written, and what may be answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from urllib.parse import quote

import orjson

from fraiseql.testing.simulation.desk import DOCUMENTS, text_of

__all__ = ["DONE", "FAILED", "UNKNOWN", "Mistake", "Question"]

DONE: Final = "done"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"

_MARKER: Final = re.compile(rb"c[0-9]+r[0-9]+[xy]")
_MAY_BE_DONE: Final = frozenset({"OUTCOME_UNKNOWN", "REQUEST_TIMEOUT"})
_FAULTS: Final = frozenset(
    {
        *("DATABASE_UNAVAILABLE", "REQUEST_TIMEOUT", "INTERNAL_SERVER_ERROR", "OUTCOME_UNKNOWN", "ROLLED_BACK"),
        *("TRANSACTION_CONFLICT", "UNIQUE_VIOLATION", "SERVER_STOPPING"),
    }
)


class Mistake(Exception):
    """An answer that nobody should have been given."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Attributes:
        what: a name of DOCUMENTS.
        marker: of this request alone.
        size: of the text that is asked for.
    """

    what: str
    marker: str
    size: int = 0

    @property
    def markers(self) -> tuple[str, ...]:
        """All that may be in its answer, and that it writes if it is a mutation."""
        return (self.marker, self.other) if self.what == "put_two" else (self.marker,)

    @property
    def other(self) -> str:
        """The second marker."""
        return self.marker[:-1] + "y"

    @property
    def writes(self) -> bool:
        """Whether it is a mutation."""
        return self.what in ("put", "put_two")

    @property
    def payload(self) -> dict[str, Any]:
        """As GraphQL clients send it."""
        return {"query": DOCUMENTS[self.what], "variables": self._variables()}

    def http(self, random: Random, how: str) -> bytes:
        """As an HTTP request: `get`, `post` or `chunked`."""
        if how == "get":
            query, variables = quote(DOCUMENTS[self.what]), quote(orjson.dumps(self._variables()).decode())
            target = f"/graphql?query={query}&variables={variables}"
            return b"GET %b HTTP/1.1\r\nhost: s\r\ngraphql-require-preflight: 1\r\n\r\n" % target.encode()
        body = orjson.dumps(self.payload)
        head = b"POST /graphql HTTP/1.1\r\nhost: s\r\ncontent-type: application/json\r\n"
        if how == "post":
            return head + b"content-length: %d\r\n\r\n" % len(body) + body
        cut = random.randrange(1, len(body))
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:cut], body[cut:], b""))
        return head + b"transfer-encoding: chunked\r\n\r\n" + chunks

    def verdict(self, body: bytes, *, faults: bool) -> str:
        """What an answer says: DONE, FAILED or UNKNOWN.

        Args:
            body: the answer, JSON.
            faults: whether something may have gone wrong.

        Raises:
            Mistake: it is none that this request may be given.
        """
        strange = set(_MARKER.findall(body)) - {marker.encode() for marker in self.markers}
        if strange:
            raise Mistake(f"the answer to {self.marker} is of {b', '.join(sorted(strange)).decode()}")
        answer = orjson.loads(body)
        errors = answer.get("errors")
        if not errors:
            if answer["data"] != self._data():
                raise Mistake(f"the answer to {self.marker} is {body[:200]!r}")
            return DONE
        codes = {error["extensions"]["code"] for error in errors}
        if self.what == "wrong" and codes <= {"GRAPHQL_VALIDATION_FAILED"}:
            return FAILED
        if not codes <= _FAULTS or not faults:
            raise Mistake(f"{self.marker} is refused: {body[:200]!r}")
        if any((answer.get("data") or {}).values()):
            raise Mistake(f"{self.marker} has failed, and holds data: {body[:200]!r}")
        return UNKNOWN if codes & _MAY_BE_DONE else FAILED

    def _variables(self) -> dict[str, Any]:
        every = {"marker": self.marker, "size": self.size, "other": self.other, "to": self.size}
        return {name: value for name, value in every.items() if f"${name}:" in DOCUMENTS[self.what]}

    def _data(self) -> Any:
        marker, text = self.marker, text_of(self.marker, self.size)
        match self.what:
            case "note":
                return {"note": {"id": marker, "text": text}}
            case "two":
                return {"one": {"id": marker}, "two": {"text": text, "id": marker}}
            case "said":
                return {"said": marker}
            case "put":
                return {"put": marker}
            case "put_two":
                return {"one": marker, "two": self.other}
        return None

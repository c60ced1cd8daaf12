"""Holds the bytes that come against those that shall come, as they come."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Mismatch", "Transcript", "fill_in"]

# What stands for bytes that differ from run to run. None of them has the byte that follows it within itself.
_TOKENS: Final = {
    b"date": re.compile(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"),
    b"request": re.compile(rb"[0-9A-Za-z-]+"),
    b"cursor": re.compile(rb"[^\"\r\n]+"),
    b"length": re.compile(rb"[0-9]+"),
    b"byte": re.compile(rb"[\x00-\xff]"),
    b"size": re.compile(rb"[0-9a-f]+"),
}
_TOKEN: Final = re.compile(rb"<(" + b"|".join(_TOKENS) + rb")>")
_DATE: Final = 29  # bytes
_SHOWN: Final = 300


class Mismatch(AssertionError):
    """Other bytes came than should."""


class Transcript:
    """What one client has received.

    Args:
        values: where to keep what stood for `<cursor>` and the like.
    """

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self._received = bytearray()
        self.values = values

    @property
    def rest(self) -> bytes:
        """What was received and not expected yet."""
        return bytes(self._received)

    def receive(self, data: bytes) -> None:
        """Add bytes."""
        self._received += data

    def forget(self) -> None:
        """Drop what was received."""
        self._received.clear()

    def take(self, expected: bytes) -> bool:
        """Take what is expected off the beginning; False where more has to come first.

        Raises:
            Mismatch: what has come is not the beginning of it.
        """
        received, place, values = bytes(self._received), 0, dict[bytes, bytes]()
        for number, part in enumerate(_TOKEN.split(expected)):
            if number % 2 == 0:
                here = received[place : place + len(part)]
                if here != part[: len(here)]:
                    raise Mismatch(_difference(expected, received))
                if len(here) < len(part):
                    return False
                place += len(part)
                continue
            found = _TOKENS[part].match(received, place)
            if found is None and len(received) - place >= (_DATE if part == b"date" else 1):
                raise Mismatch(_difference(expected, received))
            if found is None or found.end() == len(received):
                return False  # it may go on
            values[part] = found[0]
            place = found.end()
        del self._received[:place]
        self.values.update(values)
        return True


def fill_in(data: bytes, values: dict[bytes, bytes]) -> bytes:
    """Put in the values that were received."""
    return _TOKEN.sub(lambda token: values[token[1]], data)


def _difference(expected: bytes, received: bytes) -> str:
    return f"expected {_shown(expected)}\n but came {_shown(received)}"


def _shown(data: bytes) -> str:
    return repr(data if len(data) <= _SHOWN else data[:_SHOWN] + b"...")
